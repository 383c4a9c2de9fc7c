/* SPDX-License-Identifier: BSD-2-Clause */
/* Does each event read as a sentence of the log, with the right priority? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../lbd/api/event.h"
#include "../../lbd/host/log_event.h"
#include "../../lbd/control/peer.h"

#define MOVED "'moved':{'slots':7,'of':42,'percent':16.66,'ideal_slots':7,'ideal_percent':16.66}"
#define STILL "'moved':{'slots':0,'of':42,'percent':0.0}"
#define WEB "{'name':'web','what':'changed'," MOVED "}"

static const struct {
	const char *event; /* JSON, with ' for " */
	enum log_level level;
	const char *text;
} rows[] = {
	{"{'event':'health','vip':'web','backend':'10.0.0.2','state':'unhealthy',"
	 "'error':'connection refused'}",
	 LOG_LEVEL_WARNING, "vip web backend 10.0.0.2 unhealthy: connection refused"},
	{"{'event':'health','vip':'web','backend':'10.0.0.2','state':'healthy'}", LOG_LEVEL_INFO,
	 "vip web backend 10.0.0.2 healthy"},
	{"{'event':'vip_health','vip':'web','state':'all_unhealthy','backends':2,"
	 "'new_flows':'use_all'}",
	 LOG_LEVEL_ERROR, "vip web all_unhealthy (2 backends): new flows go to all of them"},
	{"{'event':'vip_health','vip':'web','state':'all_unhealthy','backends':2,"
	 "'new_flows':'drop'}",
	 LOG_LEVEL_ERROR, "vip web all_unhealthy (2 backends): new flows are dropped"},
	{"{'event':'vip_health','vip':'web','state':'recovered'}", LOG_LEVEL_INFO,
	 "vip web recovered"},
	{"{'event':'route','backend':'10.9.9.9','state':'unroutable',"
	 "'reason':'network is unreachable'}",
	 LOG_LEVEL_WARNING, "backend 10.9.9.9 unroutable: network is unreachable"},
	{"{'event':'route','backend':'10.9.9.9','state':'routable'}", LOG_LEVEL_INFO,
	 "backend 10.9.9.9 routable"},
	{"{'event':'interface','interface':'e0','state':'attached','xdp_mode':'native'}",
	 LOG_LEVEL_INFO, "e0 attached in native mode"},
	{"{'event':'interface','interface':'e0','state':'attached','xdp_mode':'generic',"
	 "'reason':'no XDP'}",
	 LOG_LEVEL_WARNING, "e0 attached in generic mode: no XDP"},
	{"{'event':'interface','interface':'e0','state':'detached','reason':'it is gone'}",
	 LOG_LEVEL_WARNING, "e0 detached: it is gone"},
	{"{'event':'interface','interface':'e0','state':'link_down'}", LOG_LEVEL_WARNING,
	 "e0 link_down"},
	{"{'event':'interface','interface':'e0','state':'link_up'}", LOG_LEVEL_INFO, "e0 link_up"},
	{"{'event':'drain','vip':'web','backend':'10.0.0.2','state':'drained'}", LOG_LEVEL_INFO,
	 "vip web backend 10.0.0.2 drained"},
	{"{'event':'fault','what':'save','reason':'cannot write /s/service.json: No space'}",
	 LOG_LEVEL_ERROR, "the document cannot be saved: cannot write /s/service.json: No space"},
	{"{'event':'fault','what':'revert','reason':'cannot write it'}", LOG_LEVEL_ERROR,
	 "the change on trial is not reverted yet: cannot write it"},
	{"{'event':'serve','vip':'web','backend':'10.0.0.2','state':'serving'}", LOG_LEVEL_INFO,
	 "vip web backend 10.0.0.2 serving"},
	{"{'event':'spill','vip':'web','state':'spilled','priority':1,'in_service_percent':33}",
	 LOG_LEVEL_WARNING,
	 "vip web spilled to backends of priority 1: 33 % of the weight before them is in service"},
	{"{'event':'syn_guard','vip':'web','state':'on','syns_per_s':30000,'above':20000}",
	 LOG_LEVEL_WARNING,
	 "vip web: SYNs are answered with cookies (30000 a second, more than 20000)"},
	{"{'event':'syn_guard','vip':'web','state':'off','syns_per_s':900,'above':20000}",
	 LOG_LEVEL_INFO,
	 "vip web: SYNs are forwarded again (900 a second, syn_guard auto at 20000)"},
	{"{'event':'dissent','vip':'web','backend':'10.0.0.2','own':'unhealthy',"
	 "'agreed':{'own':'unhealthy','healthy':2,'unhealthy':1,'otherwise':['lb3']}}",
	 LOG_LEVEL_WARNING,
	 "vip web backend 10.0.0.2 unhealthy to this node, by the nodes of the tier: healthy 2, "
	 "unhealthy 1"},
	{"{'event':'receipt','vip':'web','seconds':906,"
	 "'predicted':{'backends':0,'recorded_flows':0},"
	 "'measured':{'packets':0,'backends':3,'silent':0}}",
	 LOG_LEVEL_INFO,
	 "vip web has changed: predicted 0 broken, measured 0 lost packets in 906 s (backends that "
	 "answer: 3)"},
	{"{'event':'receipt','vip':'web','seconds':906,"
	 "'predicted':{'backends':0,'recorded_flows':0},"
	 "'measured':{'packets':0,'backends':2,'silent':1}}",
	 LOG_LEVEL_WARNING,
	 "vip web has changed: predicted 0 broken, measured 0 lost packets in 906 s (backends that "
	 "answer: 2, that do not: 1)"},
	{"{'event':'receipt','pool':'p','seconds':66,"
	 "'predicted':{'backends':1,'recorded_flows':7},"
	 "'measured':{'packets':12,'backends':2,'silent':0}}",
	 LOG_LEVEL_WARNING,
	 "pool p has changed: predicted broken flows of backends: 1 (flows on record: 7), measured "
	 "12 lost packets in 66 s (backends that answer: 2)"},
	{"{'event':'receipt','vip':'web','seconds':906,"
	 "'predicted':{'backends':0,'recorded_flows':0},"
	 "'measured':{'packets':0,'backends':2,'silent':0,'unasked':1}}",
	 LOG_LEVEL_INFO,
	 "vip web has changed: predicted 0 broken, measured 0 lost packets in 906 s (backends that "
	 "answer: 2, not asked: 1)"},
	{"{'event':'spill','pool':'p','state':'returned','priority':0,'in_service_percent':67}",
	 LOG_LEVEL_INFO,
	 "pool p returned to backends of priority 0: 67 % of the weight up to them is in service"},
	{"{'event':'move','vip':'web','state':'began','pool':'q','from':'p'}", LOG_LEVEL_INFO,
	 "vip web begins to move to pool q from p"},
	{"{'event':'move','vip':'web','state':'settled','pool':'q'}", LOG_LEVEL_INFO,
	 "vip web has settled in pool q"},
	{"{'event':'list','list':'drop','state':'loaded','prefixes':1503}", LOG_LEVEL_INFO,
	 "list drop is loaded (1503 prefixes)"},
	{"{'event':'announce','state':'announced','route':'192.0.2.10/32','count':1}",
	 LOG_LEVEL_INFO, "route to 192.0.2.10/32 announced"},
	{"{'event':'announce','state':'withdrawn','route':'192.0.2.10/32','count':3,"
	 "'reason':'the node is drained'}",
	 LOG_LEVEL_WARNING, "route to 192.0.2.10/32 and 2 more withdrawn: the node is drained"},
	{"{'event':'announce','state':'failed','reason':'table 76 cannot be read: x'}",
	 LOG_LEVEL_ERROR,
	 "VIPs may not be announced as they should be: table 76 cannot be read: x"},
	{"{'event':'node','state':'drained','uid':0,'user':'root'}", LOG_LEVEL_WARNING,
	 "the node is drained by root (uid 0)"},
	{"{'event':'next_hop','interface':'e1','gateway':'fe80::1','state':'unresolved',"
	 "'reason':'link is down'}",
	 LOG_LEVEL_WARNING, "via fe80::1 on e1 unresolved: link is down"},
	{"{'event':'next_hop','interface':'e1','gateway':'fe80::1','state':'resolved'}",
	 LOG_LEVEL_INFO, "via fe80::1 on e1 resolved"},
	{"{'event':'confirm','uid':1000,'pid':77,'user':'alice'}", LOG_LEVEL_INFO,
	 "the change is kept, confirmed by alice (uid 1000, pid 77)"},
	{"{'event':'change','method':'backend.set','backend':'10.0.0.2','set':{'weight':5},"
	 "'change':{'vips':[" WEB "]},'uid':1000,'pid':77,'user':'alice'}",
	 LOG_LEVEL_INFO,
	 "backend.set 10.0.0.2 weight=5 by alice (uid 1000, pid 77): vip web: moved 16.7 % of "
	 "slots (ideal 16.7 %)"},
	{"{'event':'change','method':'vip.set','set':{'health':{'type':'tcp'},'name':'web'},"
	 "'change':{'vips':[{'name':'web','what':'changed'," STILL "}]},'uid':0}",
	 LOG_LEVEL_INFO,
	 "vip.set health={\"type\":\"tcp\"} name=\"web\" by uid 0: vip web: changed, no slot "
	 "moved"},
	{"{'event':'change','method':'backend.del','backend':'10.0.0.2','change':{'vips':["
	 "{'name':'web','what':'changed'," MOVED
	 ",'at_risk':[{'backend':'10.0.0.2','recorded_flows':12}]}]},'ends_flows':true}",
	 LOG_LEVEL_WARNING,
	 "backend.del 10.0.0.2: vip web: moved 16.7 % of slots (ideal 16.7 %), at risk: backend "
	 "10.0.0.2 (flows on record: 12)"},
	{"{'event':'change','method':'config.apply','change':{'unconfirmed':{'reverts_in_s':60},"
	 "'vips':[" WEB ",{'name':'a','what':'added'," STILL "},{'name':'b','what':'removed'," STILL
	 "},{'name':'c','what':'added'},{'name':'d','what':'added'}]},'uid':0,'user':'root'}",
	 LOG_LEVEL_INFO,
	 "config.apply, on trial for 60 s by root (uid 0): vip web: moved 16.7 % of slots (ideal "
	 "16.7 %); vip a: added; vip b: removed; and 2 more VIPs"},
	{"{'event':'change','method':'backend.del','backend':'10.0.0.2','change':{'pools':["
	 "{'name':'p','what':'changed'," MOVED
	 ",'at_risk':[{'backend':'10.0.0.2','recorded_flows':12}]}],'vips':[" WEB
	 "]},'ends_flows':true}",
	 LOG_LEVEL_WARNING,
	 "backend.del 10.0.0.2: pool p: moved 16.7 % of slots (ideal 16.7 %), at risk: backend "
	 "10.0.0.2 (flows on record: 12); vip web: moved 16.7 % of slots (ideal 16.7 %)"},
	{"{'event':'drain','pool':'p','backend':'10.0.0.2','state':'drained'}", LOG_LEVEL_INFO,
	 "pool p backend 10.0.0.2 drained"},
	{"{'event':'revert','reason':'not confirmed in time','change':{'vips':[" WEB "]}}",
	 LOG_LEVEL_WARNING, "not confirmed in time: vip web: moved 16.7 % of slots (ideal 16.7 %)"},
	{"{'event':'revert','reason':'asked for','change':{'vips':[]},'uid':0,'user':'root'}",
	 LOG_LEVEL_WARNING, "asked for by root (uid 0)"},
	{"{'event':'eclipse','of':'the moon'}", LOG_LEVEL_INFO,
	 "{\"event\":\"eclipse\",\"of\":\"the moon\"}"},
	/* fields that are missing, or of another type, or the whole event */
	{"{'event':'health','vip':7,'state':null}", LOG_LEVEL_INFO, "vip ? backend ? ?"},
	{"{'event':'change','method':7,'change':[]}", LOG_LEVEL_INFO, "?"},
	{"{'event':{}}", LOG_LEVEL_INFO, "{\"event\":{}}"},
};

static json_t *parse(const char *text)
{
	char *json = strdup(text);
	json_t *event;

	assert_non_null(json);
	for (char *at = json; (at = strchr(at, '\''));)
		*at = '"';
	event = json_loads(json, 0, NULL);
	free(json);
	assert_non_null(event);
	return event;
}

static void every_kind_of_event_is_a_sentence(void **state)
{
	char text[LOG_LINE_MAX];
	const char *kind;
	bool known;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *event = parse(rows[i].event);

		known = lb_event_text(event, text, sizeof(text));
		assert_string_equal(text, rows[i].text);
		assert_int_equal(log_event_level(event), rows[i].level);
		kind = json_string_value(json_object_get(event, "event"));
		assert_string_equal(lb_event_kind(event), known ? kind : "event");
		assert_ptr_not_equal(lb_event_kind(event), kind); /* which is gone with the event */
		json_decref(event);
	}
}

static void whatever_names_hold_stays_one_clean_line(void **state)
{
	json_t *event =
		json_pack("{s:s, s:s, s:s, s:s, s:s}", "event", "health", "vip", "web\n<0>panic",
			  "backend", "10.0.0.2", "state", "unhealthy", "error", "a\x1b[2J\r\nb");
	char text[LOG_LINE_MAX], line[LOG_LINE_MAX];

	(void)state;
	lb_event_text(event, text, sizeof(text));
	log_format(line, LOG_LEVEL_WARNING, true, text);
	assert_string_equal(line, "<4>vip web <0>panic backend 10.0.0.2 unhealthy: a?[2J? b\n");
	json_decref(event);
}

static void text_that_does_not_fit_is_cut_off(void **state)
{
	json_t *event = parse(rows[0].event);
	char text[8];

	(void)state;
	lb_event_text(event, text, sizeof(text));
	assert_string_equal(text, "vip web");
	lb_event_text(event, text, 1);
	assert_string_equal(text, "");
	json_decref(event);
}

static void user_is_named_where_the_file_has_one(void **state)
{
	char path[] = "/tmp/log_event_test.XXXXXX";
	int fd = mkstemp(path);
	char *name;

	(void)state;
	assert_true(fd >= 0);
	dprintf(fd, "root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/:/bin/sh\n");
	close(fd);
	name = peer_name(path, 1000);
	assert_string_equal(name, "alice");
	free(name);
	assert_null(peer_name(path, 1001));
	unlink(path);
	assert_null(peer_name(path, 0));
}

static void nobody_signs_what_nobody_asked_for(void **state)
{
	const struct peer unknown = {.uid = PEER_UNKNOWN}, somebody = {.uid = 4000000000u};
	json_t *event = peer_sign(json_object(), NULL);

	(void)state;
	assert_int_equal(json_object_size(peer_sign(event, &unknown)), 0);
	assert_int_equal(json_object_size(peer_sign(event, &somebody)), 1);
	assert_int_equal(json_integer_value(json_object_get(event, "uid")), 4000000000u);
	assert_null(peer_sign(NULL, &somebody));
	json_decref(event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_event_is_a_sentence),
		cmocka_unit_test(whatever_names_hold_stays_one_clean_line),
		cmocka_unit_test(text_that_does_not_fit_is_cut_off),
		cmocka_unit_test(user_is_named_where_the_file_has_one),
		cmocka_unit_test(nobody_signs_what_nobody_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

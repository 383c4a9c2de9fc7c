/* SPDX-License-Identifier: BSD-2-Clause */
/* Is lbd.json read as documented, every fault named with its path, and is this machine judged
 * rightly? */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../../lbd/host/config.h"
#include "../../lbd/plane/preflight.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define HEX31 "0123456789abcdef0123456789abcde"

static int parse(const char *text, struct config *out, struct lb_err *err)
{
	json_auto_t *document = json_loads(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

	assert_non_null(document);
	memset(err, 0, sizeof(*err));
	return schema_read(&config_schema, document, out, err);
}

/* --- what is valid --- */

static void only_interfaces_are_required_and_the_rest_has_defaults(void **state)
{
	struct config config;
	struct lb_err err;

	(void)state;
	assert_int_equal(parse("{\"interfaces\":[\"eth0\"]}", &config, &err), 0);
	assert_int_equal(config.interface_count, 1);
	assert_string_equal(config.interfaces[0], "eth0");
	assert_int_equal(config.xdp_mode, XDP_MODE_AUTO);
	assert_string_equal(config.control_path, "/run/lbd/lbd.sock");
	assert_string_equal(config.control_group, "lbd");
	assert_false(config.control_group_configured);
	assert_string_equal(config.state_dir, "/var/lib/lbd");
	assert_string_equal(config.pin_dir, "/sys/fs/bpf/lbd");
	assert_int_equal(config.source4.address.family, 0);
	assert_int_equal(config.source6.address.family, 0);
	assert_int_equal(config.vips, 1024);
	assert_int_equal(config.members, 4096);
	assert_int_equal(config.slots, 2097152);
	assert_int_equal(config.flows, 1048576);
	assert_int_equal(config.answer_rate, 1000);
	assert_true(config.vip_counters);
	assert_false(config.seed_configured);
}

static void every_key_is_taken_over(void **state)
{
	struct config config;
	struct lb_err err;
	char text[LB_PREFIX_TEXT];

	(void)state;
	assert_int_equal(
		parse("{\"interfaces\":[\"eth0\",\"eth1\"],\"xdp_mode\":\"generic\","
		      "\"control\":{\"path\":\"/run/x\",\"group\":\"adm\"},"
		      "\"state_dir\":\"/s\",\"pin_dir\":\"/p\","
		      "\"encap\":{\"source4\":\"10.9.0.0/16\",\"source6\":\"2001:db8::1\"},"
		      "\"limits\":{\"vips\":1,\"members\":2,\"slots\":251,\"flows\":8},"
		      "\"answer_rate\":0,\"vip_counters\":false,"
		      "\"hash_seed\":\"0123456789ABCDEFfedcba9876543210\"}",
		      &config, &err),
		0);
	assert_int_equal(config.interface_count, 2);
	assert_string_equal(config.interfaces[1], "eth1");
	assert_int_equal(config.xdp_mode, XDP_MODE_GENERIC);
	assert_string_equal(config.control_path, "/run/x");
	assert_string_equal(config.control_group, "adm");
	assert_true(config.control_group_configured);
	assert_string_equal(config.state_dir, "/s");
	assert_string_equal(config.pin_dir, "/p");
	assert_string_equal(lb_prefix_format(&config.source4, text), "10.9.0.0/16");
	assert_int_equal(config.source6.length, 128);
	assert_int_equal(config.vips, 1);
	assert_int_equal(config.members, 2);
	assert_int_equal(config.slots, 251);
	assert_int_equal(config.flows, 8);
	assert_int_equal(config.answer_rate, 0);
	assert_false(config.vip_counters);
	assert_true(config.seed_configured);
	assert_null(config_doubt(&config));
	assert_true(config.seed[0] == 0x0123456789abcdef);
	assert_true(config.seed[1] == 0xfedcba9876543210);
}

static void the_seed_of_examples_is_valid_but_doubted(void **state)
{
	struct config config;
	struct lb_err err;

	(void)state;
	assert_int_equal(parse("{\"interfaces\":[\"e\"],\"hash_seed\":"
			       "\"0123456789abcdef0123456789abcdef\"}",
			       &config, &err),
			 0);
	assert_non_null(strstr(config_doubt(&config), "hash_seed is the one of an example"));
}

static void valid_variants_are_taken(void **state)
{
	static const char *const valid[] = {
		"{\"interfaces\":[\"e\"],\"control\":{\"group\":\"\"}}",
		"{\"interfaces\":[\"e\"],\"control\":{}}",
		"{\"interfaces\":[\"exactly15chars_\"]}",
		"{\"interfaces\":[\"e\"],\"encap\":{\"source4\":\"auto\",\"source6\":\"auto\"}}",
		"{\"interfaces\":[\"e\"],\"encap\":{\"source4\":\"10.0.0.0/8\"}}",
		"{\"interfaces\":[\"e\"],\"encap\":{\"source6\":\"2001:db8::/96\"}}",
		"{\"interfaces\":[\"e\"],\"limits\":{\"vips\":131072,\"members\":65534,"
		"\"slots\":134217728,\"flows\":268435456}}",
		"{\"interfaces\":[\"e\"],\"hash_seed\":\"00000000000000000000000000000001\"}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(valid); i++) {
		struct config config;
		struct lb_err err;

		if (parse(valid[i], &config, &err))
			fail_msg("%s: %s: %s", valid[i], err.path, err.message);
	}
}

/* --- what is not --- */

struct fault {
	const char *text, *path, *message, *hint;
};

#define IF "{\"interfaces\":[\"e\"],"

static const struct fault faults[] = {
	{"[]", "", "must be an object, not an array", ""},
	{"{}", "interfaces", "interfaces is missing", ""},
	{"{\"interfaces\":\"eth0\"}", "interfaces", "interfaces must be an array, not a string",
	 ""},
	{"{\"interfaces\":[]}", "interfaces", "interfaces is empty",
	 "name the interfaces that receive the clients' packets, such as [\"eth0\"]"},
	{"{\"interfaces\":[1]}", "interfaces[0]", "an interface must be a string, its name", ""},
	{"{\"interfaces\":[null]}", "interfaces[0]", "an interface must be a string, its name", ""},
	{"{\"interfaces\":[\"a\",\"b\",\"a\"]}", "interfaces[2]", "\"a\" is already interfaces[0]",
	 ""},
	{"{\"interfaces\":[\"\"]}", "interfaces[0]", "\"\" is not an interface name: it is empty",
	 ""},
	{"{\"interfaces\":[\"sixteen_chars___\"]}", "interfaces[0]",
	 "\"sixteen_chars___\" is not an interface name: it has more than 15 characters", ""},
	{"{\"interfaces\":[\"a/b\"]}", "interfaces[0]", "\"a/b\" is not an interface name", ""},
	{"{\"interfaces\":[\"..\"]}", "interfaces[0]", "\"..\" is not an interface name", ""},
	{"{\"interfaces\":[\"a b\"]}", "interfaces[0]", "\"a b\" is not an interface name", ""},
	{"{\"interfaces\":[\"a\\u0000b\"]}", "interfaces[0]",
	 "an interface name must not hold the character NUL", ""},
	{"{\"interface\":[\"e\"]}", "interface", "unknown field \"interface\"",
	 "did you mean \"interfaces\"?"},
	{IF "\"xdp_mode\":\"natve\"}", "xdp_mode",
	 "xdp_mode must be auto, native or generic, not \"natve\"", "did you mean \"native\"?"},
	{IF "\"xdp_mode\":\"offload\"}", "xdp_mode",
	 "xdp_mode must be auto, native or generic, not \"offload\"", ""},
	{IF "\"xdp_mode\":1}", "xdp_mode", "xdp_mode must be a string, not an integer", ""},
	{IF "\"control\":\"/run\"}", "control", "control must be an object, not a string", ""},
	{IF "\"control\":{\"pth\":\"/run\"}}", "control.pth", "unknown field \"pth\"",
	 "did you mean \"path\"?"},
	{IF "\"control\":{\"path\":\"run/lbd.sock\"}}", "control.path",
	 "path must be an absolute path, not \"run/lbd.sock\"", "begin it with a /"},
	{IF "\"control\":{\"group\":null}}", "control.group", "group must be a string, not null",
	 ""},
	{IF "\"state_dir\":\"\"}", "state_dir", "state_dir must be an absolute path, not \"\"",
	 "begin it with a /"},
	{IF "\"pin_dir\":\"lbd\"}", "pin_dir", "pin_dir must be an absolute path, not \"lbd\"",
	 "begin it with a /"},
	{IF "\"encap\":{\"source4\":\"2001:db8::1\"}}", "encap.source4",
	 "source4 must be an IPv4 address or prefix, not 2001:db8::1", ""},
	{IF "\"encap\":{\"source6\":\"10.0.0.1\"}}", "encap.source6",
	 "source6 must be an IPv6 address or prefix, not 10.0.0.1", ""},
	{IF "\"encap\":{\"source4\":\"8.0.0.0/7\"}}", "encap.source4",
	 "8.0.0.0/7 is too short a prefix",
	 "the flow hash fills at most 24 host bits: use /8 or longer"},
	{IF "\"encap\":{\"source4\":\"10.1.2.3/7\"}}", "encap.source4",
	 "10.0.0.0/7 is too short a prefix",
	 "the flow hash fills at most 24 host bits: use /8 or longer"},
	{IF "\"encap\":{\"source6\":\"2001:db8::/64\"}}", "encap.source6",
	 "2001:db8::/64 is too short a prefix",
	 "the flow hash fills at most 32 host bits: use /96 or longer"},
	{IF "\"encap\":{\"source4\":\"224.0.0.1\"}}", "encap.source4",
	 "224.0.0.1 is a multicast address", ""},
	{IF "\"encap\":{\"source4\":\"10.0.0.1/24\"}}", "encap.source4",
	 "bits beyond the length are set in \"10.0.0.1/24\"", "did you mean 10.0.0.0/24?"},
	{IF "\"encap\":{\"source\":\"auto\"}}", "encap.source", "unknown field \"source\"",
	 "did you mean \"source4\"?"},
	{IF "\"limits\":{\"vips\":0}}", "limits.vips", "vips must be 1 to 131072, not 0", ""},
	{IF "\"limits\":{\"vips\":131073}}", "limits.vips", "vips must be 1 to 131072, not 131073",
	 ""},
	{IF "\"limits\":{\"members\":65535}}", "limits.members",
	 "members must be 1 to 65534, not 65535", ""},
	{IF "\"limits\":{\"slots\":250}}", "limits.slots",
	 "slots must be 251 to 134217728, not 250", ""},
	{IF "\"limits\":{\"slots\":134217729}}", "limits.slots",
	 "slots must be 251 to 134217728, not 134217729", ""},
	{IF "\"limits\":{\"flows\":7}}", "limits.flows", "flows must be 8 to 268435456, not 7", ""},
	{IF "\"limits\":{\"flows\":268435457}}", "limits.flows",
	 "flows must be 8 to 268435456, not 268435457", ""},
	{IF "\"limits\":{\"vips\":\"10\"}}", "limits.vips", "vips must be an integer, not a string",
	 ""},
	{IF "\"limits\":{\"vips\":1.0}}", "limits.vips",
	 "vips must be an integer, not a real number", ""},
	{IF "\"exec_checks\":{\"folder\":\"/c\"}}", "exec_checks.user", "user is missing", ""},
	{IF "\"exec_checks\":{\"folder\":\"c\",\"user\":\"u\"}}", "exec_checks.folder",
	 "folder must be an absolute path, not \"c\"", "begin it with a /"},
	{IF "\"exec_checks\":{\"folder\":\"/c\",\"user\":\"\"}}", "exec_checks.user",
	 "user must not be empty", ""},
	{IF "\"answer_rate\":-1}", "answer_rate", "answer_rate must be 0 to 1000000, not -1", ""},
	{IF "\"answer_rate\":\"1k\"}", "answer_rate",
	 "answer_rate must be an integer, not a string", ""},
	{IF "\"limits\":{\"vip\":1}}", "limits.vip", "unknown field \"vip\"",
	 "did you mean \"vips\"?"},
	{IF "\"pin_dir\":\"/sys/fs/bpf//\"}", "pin_dir",
	 "/sys/fs/bpf is the root of a BPF file system, where other programs pin too",
	 "name a folder of lbd's own, such as /sys/fs/bpf/lbd"},
	{IF "\"exec_checks\":{\"folder\":\"/etc/lbd/checks\",\"user\":\"root\"}}",
	 "exec_checks.user", "exec checks must not run as root, whose user number is 0",
	 "name a user without rights, such as nobody"},
	{IF "\"announce\":{}}", "announce.table", "table is missing", ""},
	{IF "\"announce\":{\"table\":254}}", "announce.table",
	 "table 254 is one that the machine forwards by",
	 "choose a table that nothing else uses, such as 76"},
	{IF "\"announce\":{\"table\":76,\"protocol\":4}}", "announce.protocol",
	 "protocol must be 5 to 255, not 4", ""},
	{IF "\"http\":{}}", "http.listen", "listen is missing", ""},
	{IF "\"http\":{\"listen\":\"127.0.0.1:1\",\"names\":[\"a\",\"b:1\"]}}", "http.names[1]",
	 "a name must be a string, a host name", "write it like lb1.example, without a port"},
	{IF "\"http\":{\"listen\":9110}}", "http.listen", "listen must be a string, not an integer",
	 ""},
	{IF "\"http\":{\"listen\":\":9110\"}}", "http.listen",
	 "listen must be an address and a port, not \":9110\"",
	 "write it like 127.0.0.1:9110 or [::1]:9110"},
	{IF "\"http\":{\"listen\":\"127.0.0.1:0\"}}", "http.listen",
	 "listen must be an address and a port, not \"127.0.0.1:0\"",
	 "write it like 127.0.0.1:9110 or [::1]:9110"},
	{IF "\"http\":{\"listen\":\"127.0.0.1:80/tcp\"}}", "http.listen",
	 "listen must be an address and a port, not \"127.0.0.1:80/tcp\"",
	 "write it like 127.0.0.1:9110 or [::1]:9110"},
	{IF "\"otlp\":{}}", "otlp.endpoint", "endpoint is missing", ""},
	{IF "\"otlp\":{\"endpoint\":\"collector:4318\"}}", "otlp.endpoint",
	 "endpoint must be a URL, not \"collector:4318\"",
	 "write it like https://collector.example:4318"},
	{IF "\"otlp\":{\"endpoint\":\"ftp://a\"}}", "otlp.endpoint",
	 "endpoint must be a URL, not \"ftp://a\"", "write it like https://collector.example:4318"},
	{IF "\"otlp\":{\"endpoint\":\"https://\"}}", "otlp.endpoint",
	 "endpoint must be a URL, not \"https://\"",
	 "write it like https://collector.example:4318"},
	{IF "\"otlp\":{\"endpoint\":\"http://a/\\\"b\"}}", "otlp.endpoint",
	 "endpoint must be a URL, not \"http://a/\"b\"",
	 "write it like https://collector.example:4318"},
	{IF "\"otlp\":{\"endpoint\":\"http://a/{1,2}\"}}", "otlp.endpoint",
	 "endpoint must be a URL, not \"http://a/{1,2}\"",
	 "write it like https://collector.example:4318"},
	{IF "\"otlp\":{\"endpoint\":\"http://a b\"}}", "otlp.endpoint",
	 "endpoint must be a URL, not \"http://a b\"",
	 "write it like https://collector.example:4318"},
	{IF "\"otlp\":{\"endpoint\":\"https://u:secret@a\"}}", "otlp.endpoint",
	 "endpoint must not hold a password",
	 "name a headers_file with a line like Authorization: Basic …"},
	{IF "\"otlp\":{\"endpoint\":\"https://a\",\"interval_s\":5,\"timeout_s\":6}}",
	 "otlp.timeout_s", "timeout_s must not be above interval_s",
	 "an answer that comes after the next values is of no use"},
	{IF "\"otlp\":{\"endpoint\":\"https://a\",\"headers_file\":\"x\"}}", "otlp.headers_file",
	 "headers_file must be an absolute path, not \"x\"", "begin it with a /"},
	{IF "\"hash_seed\":\"" HEX31 "\"}", "hash_seed",
	 "hash_seed must be exactly 32 hex digits, not all of them 0",
	 "make one with: openssl rand -hex 16"},
	{IF "\"hash_seed\":\"" HEX31 "ff\"}", "hash_seed",
	 "hash_seed must be exactly 32 hex digits, not all of them 0",
	 "make one with: openssl rand -hex 16"},
	{IF "\"hash_seed\":\"" HEX31 "g\"}", "hash_seed",
	 "hash_seed must be exactly 32 hex digits, not all of them 0",
	 "make one with: openssl rand -hex 16"},
	{IF "\"hash_seed\":\"00000000000000000000000000000000\"}", "hash_seed",
	 "hash_seed must be exactly 32 hex digits, not all of them 0",
	 "make one with: openssl rand -hex 16"},
	{IF "\"hash_seed\":5}", "hash_seed", "hash_seed must be a string, not an integer", ""},
};

static void every_fault_is_named_with_its_path(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(faults); i++) {
		const struct fault *fault = &faults[i];
		struct config config;
		struct lb_err err;

		if (!parse(fault->text, &config, &err)) {
			print_error("%s was taken\n", fault->text);
			wrong++;
		} else if (err.code != LB_ERR_PARAMS || strcmp(err.path, fault->path) ||
			   strcmp(err.message, fault->message) || strcmp(err.hint, fault->hint)) {
			print_error("%s gave %d \"%s\" \"%s\" \"%s\"\n", fault->text, err.code,
				    err.path, err.message, err.hint);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

static void too_long_texts_are_refused(void **state)
{
	static const struct {
		const char *format, *path;
		int most;
	} rows[] = {
		{IF "\"control\":{\"path\":\"/%s\"}}", "control.path", 106},
		{IF "\"control\":{\"group\":\"%s\"}}", "control.group", 63},
		{IF "\"state_dir\":\"/%s\"}", "state_dir", 254},
		{IF "\"pin_dir\":\"/%s\"}", "pin_dir", 254},
	};
	char filler[512], text[1024];
	struct config config;
	struct lb_err err;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		memset(filler, 'x', sizeof(filler));
		filler[rows[i].most + 1] = 0;
		snprintf(text, sizeof(text), rows[i].format, filler);
		assert_int_not_equal(parse(text, &config, &err), 0);
		assert_string_equal(err.path, rows[i].path);
		filler[rows[i].most] = 0;
		snprintf(text, sizeof(text), rows[i].format, filler);
		assert_int_equal(parse(text, &config, &err), 0);
	}
}

static void sixty_four_interfaces_fit_and_one_more_does_not(void **state)
{
	struct config config;
	struct lb_err err;
	json_auto_t *names = json_array();
	json_auto_t *document = json_pack("{s:O}", "interfaces", names);

	(void)state;
	for (int i = 0; i < LB_INTERFACES_MAX; i++)
		json_array_append_new(names, json_sprintf("eth%d", i));
	assert_int_equal(schema_read(&config_schema, document, &config, &err), 0);
	json_array_append_new(names, json_string("other"));
	assert_int_not_equal(schema_read(&config_schema, document, &config, &err), 0);
	assert_string_equal(err.path, "interfaces");
	assert_string_equal(err.message, "at most 64 interfaces, not 65");
}

/* --- files --- */

static int load(const char *text, struct config *out, struct lb_err *err, char *path)
{
	int fd, ret;

	strcpy(path, "/tmp/config_test.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	ret = config_load(path, out, err);
	unlink(path);
	return ret;
}

static void file_faults_name_file_line_and_column(void **state)
{
	static const struct {
		const char *text, *start, *path;
	} rows[] = {
		{"{\n  \"interfaces\": [\"e\"\n}", ":3:1: ", ""},
		{"", ":1:0: ", ""},
		{"{\"interfaces\":[\"e\"],\n\"interfaces\":[\"e\"]}", ":2:12: duplicate object key",
		 ""},
		{"{\"interfaces\":[\"e\"]} x", ":1:22: end of file expected", ""},
		{"{\"interfaces\":[\"e\"],\"limits\":{\"vips\":0}}",
		 ": vips must be 1 to 131072, not 0", "limits.vips"},
	};
	char path[64], start[128];
	struct config config;
	struct lb_err err;

	(void)state;
	assert_int_equal(load("{\"interfaces\":[\"e\"]}\n", &config, &err, path), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_not_equal(load(rows[i].text, &config, &err, path), 0);
		snprintf(start, sizeof(start), "%s%s", path, rows[i].start);
		err.message[strlen(start)] = 0;
		assert_string_equal(err.message, start);
		assert_string_equal(err.path, rows[i].path);
	}
}

static void file_that_cannot_be_read_is_named(void **state)
{
	struct config config;
	struct lb_err err;

	(void)state;
	assert_int_not_equal(config_load("/nonexistent/lbd.json", &config, &err), 0);
	assert_int_equal(err.code, LB_ERR_SYSTEM);
	assert_string_equal(err.message, "/nonexistent/lbd.json: No such file or directory");
	assert_int_not_equal(config_load("/", &config, &err), 0);
	assert_string_equal(err.message, "/: Is a directory");
}

/* Opening one would wait for who writes to it. */
static void fifo_is_refused_at_once(void **state)
{
	char path[] = "/tmp/config_fifo_XXXXXX", at[sizeof(path) + 16];
	struct config config;
	struct lb_err err;

	(void)state;
	assert_non_null(mkdtemp(path));
	snprintf(at, sizeof(at), "%s/lbd.json", path);
	assert_int_equal(mkfifo(at, 0600), 0);
	alarm(10);
	assert_int_not_equal(config_load(at, &config, &err), 0);
	alarm(0);
	unlink(at);
	rmdir(path);
	assert_non_null(strstr(err.message, "lbd.json: it is not a file"));
}

/* --- judging the machine --- */

static struct preflight_link good_links[] = {
	{.is = {.ifindex = 1, .name = "lo", .mtu = 65536, .enabled = true, .up = true}},
	{.is = {.ifindex = 2,
		.name = "eth0",
		.mtu = 1600,
		.enabled = true,
		.up = true,
		.ethernet = true}},
};

static const struct preflight_facts good_facts = {
	.capabilities = UINT64_MAX,
	.root = true,
	.jit = 1,
	.btf = true,
	.kernel_major = 6,
	.kernel_minor = 1,
	.links = good_links,
	.link_count = COUNT(good_links),
};

/* The only warning, or "" for none. */
static char *judge(const struct preflight_facts *facts, const char *interface, struct lb_err *err)
{
	static char warning[512];
	struct config config = {.interface_count = 1, .pin_dir = "/p", .state_dir = "/s"};
	json_auto_t *warnings = json_array();

	snprintf(config.interfaces[0], IF_NAMESIZE, "%s", interface);
	memset(err, 0, sizeof(*err));
	if (preflight_judge(&config, facts, warnings, err))
		return NULL;
	assert_in_range(json_array_size(warnings), 0, 1);
	snprintf(warning, sizeof(warning), "%s",
		 json_array_size(warnings) ? json_string_value(json_array_get(warnings, 0)) : "");
	return warning;
}

static void good_machine_has_no_warnings(void **state)
{
	struct lb_err err;

	(void)state;
	assert_string_equal(judge(&good_facts, "eth0", &err), "");
}

static void missing_capabilities_are_named(void **state)
{
	struct preflight_facts facts = good_facts;
	struct lb_err err;

	(void)state;
	facts.capabilities = 1ull << 12 | 1ull << 38 | 1ull << 39;
	assert_string_equal(judge(&facts, "eth0", &err), "");
	facts.capabilities = 1ull << 12 | 1ull << 21; /* CAP_SYS_ADMIN holds the other two */
	assert_string_equal(judge(&facts, "eth0", &err), "");
	facts.capabilities = 1ull << 12;
	assert_null(judge(&facts, "eth0", &err));
	assert_string_equal(err.message, "lbd lacks CAP_BPF, CAP_PERFMON");
	assert_non_null(strstr(err.hint, "container"));
	facts.capabilities = 1ull << 21;
	facts.root = false;
	assert_null(judge(&facts, "eth0", &err));
	assert_string_equal(err.message, "lbd lacks CAP_NET_ADMIN");
	assert_non_null(strstr(err.hint, "as root"));
}

static void refused_bpf_call_stops_the_start(void **state)
{
	struct preflight_facts facts = good_facts;
	struct lb_err err;

	(void)state;
	facts.bpf_fault = EPERM;
	assert_null(judge(&facts, "eth0", &err));
	assert_string_equal(err.message, "the bpf system call is refused: Operation not permitted");
	assert_non_null(strstr(err.hint, "seccomp"));
	facts.bpf_fault = ENOMEM;
	assert_string_equal(judge(&facts, "eth0", &err), "");
}

/* The warnings about two interfaces, neither of which stops a start. */
static json_t *judge_two(const char *first, const char *second)
{
	struct config config = {.interface_count = 2, .pin_dir = "/p", .state_dir = "/s"};
	json_t *warnings = json_array();
	struct lb_err err;

	snprintf(config.interfaces[0], IF_NAMESIZE, "%s", first);
	snprintf(config.interfaces[1], IF_NAMESIZE, "%s", second);
	assert_int_equal(preflight_judge(&config, &good_facts, warnings, &err), 0);
	return warnings;
}

static void missing_interface_is_a_warning_with_the_one_that_was_meant(void **state)
{
	json_auto_t *warnings = judge_two("eth0", "etho");

	(void)state;
	assert_int_equal(json_array_size(warnings), 1);
	assert_string_equal(
		json_string_value(json_array_get(warnings, 0)),
		"no interface \"etho\": lbd attaches as soon as it appears; did you mean "
		"\"eth0\"?");
}

static void that_no_interface_is_there_is_a_warning(void **state)
{
	json_auto_t *warnings = judge_two("wan", "dmz");

	(void)state;
	assert_int_equal(json_array_size(warnings), 3);
	assert_non_null(strstr(json_string_value(json_array_get(warnings, 0)), "ip link"));
	assert_string_equal(
		json_string_value(json_array_get(warnings, 2)),
		"none of the interfaces in lbd.json is there: nothing is balanced until "
		"one comes");
}

static void other_xdp_program_is_refused_with_its_number(void **state)
{
	struct preflight_link link = good_links[1];
	struct preflight_facts facts = good_facts;
	struct lb_err err;

	(void)state;
	link.is.xdp_program = 77;
	link.other_program = true;
	facts.links = &link;
	facts.link_count = 1;
	assert_null(judge(&facts, "eth0", &err));
	assert_int_equal(err.code, LB_ERR_REFUSED);
	assert_string_equal(err.message,
			    "eth0 already has an XDP program, number 77, that is not this lbd's");
	assert_non_null(strstr(err.hint, "bpftool prog show id 77"));
}

static void expect_link_warning(const struct preflight_link *link, const char *words)
{
	struct preflight_facts facts = good_facts;
	struct lb_err err;
	const char *warning;

	facts.links = (struct preflight_link *)link;
	facts.link_count = 1;
	warning = judge(&facts, "eth0", &err);
	assert_non_null(warning);
	if (!strstr(warning, words))
		fail_msg("\"%s\" does not say \"%s\"", warning, words);
}

/* The warnings of an lbd that runs, one a line. */
static char *judge_running(const struct preflight_facts *facts, const char *interface)
{
	static char text[1024];
	struct config config = {.interface_count = 1, .pin_dir = "/p", .state_dir = "/s"};
	json_auto_t *warnings = json_array();
	const json_t *warning;
	size_t i;

	snprintf(config.interfaces[0], IF_NAMESIZE, "%s", interface);
	preflight_judge_running(&config, facts, warnings);
	*text = '\0';
	json_array_foreach (warnings, i, warning)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s\n",
			 json_string_value(warning));
	return text;
}

static void what_would_stop_a_start_is_a_warning_once_lbd_runs(void **state)
{
	struct preflight_link link = good_links[1];
	struct preflight_facts facts = good_facts;

	(void)state;
	facts.links = &link;
	facts.link_count = 1;
	assert_string_equal(judge_running(&facts, "eth0"), "");
	facts.state_dir_fault = EROFS;
	assert_string_equal(judge_running(&facts, "eth0"),
			    "cannot write in /s: Read-only file system: lbd keeps its VIPs there: "
			    "make the folder and let lbd write in it\n");
	facts.state_dir_fault = 0;
	facts.jit = 0;
	link.is.mtu = 1500;
	assert_non_null(strstr(judge_running(&facts, "eth0"), "bpf_jit_enable"));
	assert_non_null(strstr(judge_running(&facts, "eth0"), "raise the MTU to 1540"));
}

static void interfaces_that_status_tells_of_are_no_warnings_once_lbd_runs(void **state)
{
	struct preflight_link link = good_links[1];
	struct preflight_facts facts = good_facts;

	(void)state;
	assert_string_equal(judge_running(&good_facts, "gone0"), "");
	link.is.xdp_program = 77;
	link.other_program = true;
	facts.links = &link;
	facts.link_count = 1;
	assert_string_equal(judge_running(&facts, "eth0"), "");
}

static void links_to_mend_are_warned_of(void **state)
{
	struct preflight_link link = good_links[1];

	(void)state;
	link.is.enabled = link.is.up = false;
	expect_link_warning(&link, "ip link set dev eth0 up");
	link.is.enabled = true;
	expect_link_warning(&link, "no carrier");
	link = good_links[1];
	link.lro = true;
	expect_link_warning(&link, "ethtool -K eth0 lro off");
	link = good_links[1];
	link.is.ethernet = false;
	expect_link_warning(&link, "does not carry Ethernet frames");
	link = good_links[1];
	link.is.mtu = 1500;
	expect_link_warning(&link, "raise the MTU to 1540");
	link.is.mtu = 1540;
	expect_link_warning(&link, "");
}

/* A bond of two ports, as its driver tells: it has LRO whatever they do. */
static void lro_of_a_bond_is_that_of_its_ports(void **state)
{
	struct preflight_link links[] = {good_links[1], good_links[1], good_links[1],
					 good_links[1]};
	struct preflight_facts facts = good_facts;
	struct lb_err err;

	(void)state;
	facts.links = links;
	facts.link_count = COUNT(links);
	for (uint32_t i = 0; i < COUNT(links); i++)
		links[i].is.ifindex = 10 + i;
	strcpy(links[0].is.name, "bond0");
	links[0].is.is_bond = true;
	links[0].lro = true;
	links[1].is.master = links[2].is.master = links[0].is.ifindex;
	strcpy(links[2].is.name, "eth1");
	strcpy(links[3].is.name, "eth2");
	links[3].lro = true; /* is no port of it */
	assert_string_equal(judge(&facts, "bond0", &err), "");
	assert_string_equal(judge_running(&facts, "bond0"), "");
	links[2].lro = true;
	assert_non_null(strstr(judge(&facts, "bond0", &err), "ethtool -K eth1 lro off"));
}

static void kernel_to_mend_is_warned_of(void **state)
{
	struct preflight_facts facts = good_facts;
	struct lb_err err;

	(void)state;
	facts.jit = 0;
	assert_non_null(strstr(judge(&facts, "eth0", &err), "net.core.bpf_jit_enable=1"));
	facts.jit = -1;
	assert_string_equal(judge(&facts, "eth0", &err), "");
	facts.btf = false;
	assert_non_null(strstr(judge(&facts, "eth0", &err), "no BTF"));
	facts = good_facts;
	facts.kernel_major = 5;
	facts.kernel_minor = 19;
	assert_non_null(strstr(judge(&facts, "eth0", &err), "Linux 5.19"));
}

static void a_list_of_links_that_cannot_be_read_is_a_warning(void **state)
{
	struct preflight_facts facts = good_facts;
	struct lb_err err;

	(void)state;
	facts.link_count = 0;
	facts.links_fault = EINTR;
	assert_non_null(strstr(judge(&facts, "eth0", &err), "changed while it was read"));
	assert_non_null(strstr(judge_running(&facts, "eth0"), "changed while it was read"));
	facts.links_fault = ENOBUFS;
	assert_non_null(strstr(judge(&facts, "eth0", &err), "No buffer space"));
}

static void folders_that_do_not_serve_are_refused(void **state)
{
	struct preflight_facts facts = good_facts;
	struct lb_err err;

	(void)state;
	facts.pin_dir_fault = ENOTSUP;
	assert_null(judge(&facts, "eth0", &err));
	assert_string_equal(err.path, "pin_dir");
	assert_string_equal(err.message, "/p is not on a BPF file system");
	facts.pin_dir_fault = EPERM;
	assert_null(judge(&facts, "eth0", &err));
	assert_string_equal(err.message, "cannot mount the BPF file system at /sys/fs/bpf: "
					 "Operation not permitted");
	facts.pin_dir_fault = 0;
	facts.state_dir_fault = EROFS;
	assert_null(judge(&facts, "eth0", &err));
	assert_string_equal(err.path, "state_dir");
	assert_string_equal(err.message, "cannot write in /s: Read-only file system");
}

static void looking_finds_the_loopback_interface(void **state)
{
	struct config config = {.interface_count = 1,
				.interfaces = {"lo"},
				.pin_dir = "/nowhere",
				.state_dir = "/"};
	struct preflight_facts facts;
	bool found = false;

	(void)state;
	preflight_look(&config, &facts);
	assert_int_equal(facts.links_fault, 0);
	for (size_t i = 0; i < facts.link_count; i++)
		found = found || !strcmp(facts.links[i].is.name, "lo");
	assert_true(found);
	assert_int_equal(facts.pin_dir_fault, ENOTSUP);
	assert_int_not_equal(facts.kernel_major, 0);
	preflight_facts_clear(&facts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_interfaces_are_required_and_the_rest_has_defaults),
		cmocka_unit_test(every_key_is_taken_over),
		cmocka_unit_test(the_seed_of_examples_is_valid_but_doubted),
		cmocka_unit_test(valid_variants_are_taken),
		cmocka_unit_test(every_fault_is_named_with_its_path),
		cmocka_unit_test(too_long_texts_are_refused),
		cmocka_unit_test(sixty_four_interfaces_fit_and_one_more_does_not),
		cmocka_unit_test(file_faults_name_file_line_and_column),
		cmocka_unit_test(file_that_cannot_be_read_is_named),
		cmocka_unit_test(fifo_is_refused_at_once),
		cmocka_unit_test(good_machine_has_no_warnings),
		cmocka_unit_test(missing_capabilities_are_named),
		cmocka_unit_test(refused_bpf_call_stops_the_start),
		cmocka_unit_test(missing_interface_is_a_warning_with_the_one_that_was_meant),
		cmocka_unit_test(that_no_interface_is_there_is_a_warning),
		cmocka_unit_test(other_xdp_program_is_refused_with_its_number),
		cmocka_unit_test(what_would_stop_a_start_is_a_warning_once_lbd_runs),
		cmocka_unit_test(interfaces_that_status_tells_of_are_no_warnings_once_lbd_runs),
		cmocka_unit_test(links_to_mend_are_warned_of),
		cmocka_unit_test(lro_of_a_bond_is_that_of_its_ports),
		cmocka_unit_test(kernel_to_mend_is_warned_of),
		cmocka_unit_test(a_list_of_links_that_cannot_be_read_is_a_warning),
		cmocka_unit_test(folders_that_do_not_serve_are_refused),
		cmocka_unit_test(looking_finds_the_loopback_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Which fields have the service document, its VIPs and their backends? */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../bpf/abi.h"
#include "model.h"

static int usable(const struct lb_addr *address, const char *what, struct lb_err *err)
{
	const char *reason = lb_addr_unusable(address);
	char text[LB_ADDR_TEXT];

	if (!reason)
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "", "%s %s", lb_addr_format(address, text), reason);
	return lb_err_hint(err, "the address of a %s must be a routable unicast address", what);
}

/* --- backends --- */

static int address_read(const struct schema_field *field, const json_t *value, void *out,
			struct lb_err *err)
{
	(void)field;
	if (lb_addr_parse(json_string_value(value), out, err))
		return -EINVAL;
	return usable(out, "backend", err);
}

static json_t *address_write(const struct schema_field *field, const void *value)
{
	char text[LB_ADDR_TEXT];

	(void)field;
	return json_string(lb_addr_format(value, text));
}

static const struct schema_kind address_kind = {"address", LB_JSON_STRING, address_read,
						address_write, .owns = false};

#define IPV4 "[0-9]{1,3}(\\.[0-9]{1,3}){3}"
#define IPV6 "[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*"
#define LENGTH "/[0-9]{1,3}"
#define PORTS ":[0-9]{1,5}(-[0-9]{1,5})?"
#define ENDPOINT                                                                                   \
	"^(" IPV4 "(" LENGTH ")?|\\[" IPV6 "(" LENGTH ")?\\](" LENGTH ")?|" IPV6 LENGTH ")" PORTS  \
	"/(tcp|udp|sctp)$"
#define BACKEND(member) SCHEMA_AT(struct lb_backend, member)

static const struct schema_field backend_fields[] = {
	{"address", &address_kind, BACKEND(address), .required = true, .change = SCHEMA_FIXED,
	 .bare = true, .help = "IPv4 or IPv6; where packets are sent",
	 .pattern = "^(" IPV4 "|" IPV6 ")$"},
	{"weight", &schema_integer, BACKEND(weight), .max = LB_WEIGHT_MAX,
	 .number = LB_WEIGHT_DEFAULT,
	 .help = "relative to the other backends, 0 to 10000; 0 takes no new flows"},
	{"priority", &schema_integer, BACKEND(priority), .max = LB_PRIORITIES - 1, .optional = true,
	 .help = "its group, 0 to 15; a later group is in reserve for those before it"},
	{"quic_server_id", &lb_quic_server_id_kind, BACKEND(quic_server_id), .optional = true,
	 .option = "quic-id", .placeholder = "HEX|auto|none",
	 .help = "its server id in connection ids of QUIC, 2 to 15 bytes in hex; "
		 "lbctl makes one for auto",
	 .otherwise = "none", .pattern = "^([0-9A-Fa-f]{2}){2,15}$|^none$"},
	{"second_chance", &schema_boolean, BACKEND(second_chance), .optional = true,
	 .help = "it runs lbd-backend, and passes on packets whose connection it does not have"},
	{"drain", &schema_boolean, BACKEND(drain), .change = SCHEMA_FIXED, .bare = true,
	 .help = "takes no new flows whatever its weight, and keeps its old ones"},
	{0},
};

const struct schema lb_backend_schema = {"backend", backend_fields, sizeof(struct lb_backend),
					 .settle = NULL};

static int compare_backends(const void *a, const void *b)
{
	return lb_addr_compare(&((const struct lb_backend *)a)->address,
			       &((const struct lb_backend *)b)->address);
}

/* --- VIPs: the kinds of value that only they have --- */

static int endpoint_read(const struct schema_field *field, const json_t *value, void *out,
			 struct lb_err *err)
{
	struct lb_endpoint *endpoint = out;
	struct lb_prefix prefix;
	const char *reason;
	char text[LB_PREFIX_TEXT];

	(void)field;
	if (lb_endpoint_parse(json_string_value(value), endpoint, err))
		return -EINVAL;
	if (!endpoint->host_bits)
		return usable(&endpoint->address, "VIP", err);
	prefix = lb_endpoint_prefix(endpoint);
	reason = lb_prefix_unusable(&prefix);
	if (!reason)
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "", "%s %s", lb_prefix_format(&prefix, text), reason);
	return lb_err_hint(err,
			   "all addresses of a VIP must be routable unicast addresses, and its "
			   "prefix must have /%d (IPv4) or /%d (IPv6) at least",
			   32 - LB_VIP_HOST_BITS4_MAX, 128 - LB_VIP_HOST_BITS6_MAX);
}

static json_t *endpoint_write(const struct schema_field *field, const void *value)
{
	char text[LB_ENDPOINT_TEXT];

	(void)field;
	return json_string(lb_endpoint_format(value, text));
}

static bool is_prime(int64_t number)
{
	if (number < 4)
		return number > 1;
	if (number % 2 == 0)
		return false;
	for (int64_t divisor = 3; divisor * divisor <= number; divisor += 2)
		if (number % divisor == 0)
			return false;
	return true;
}

static int prime_read(const struct schema_field *field, const json_t *value, void *out,
		      struct lb_err *err)
{
	int64_t size, below, above;

	if (schema_integer_read(field, value, out, err))
		return lb_err_hint(
			err, "the nearest prime is %d",
			(int)(json_integer_value(value) > field->max ? field->max : field->min));
	size = *(uint32_t *)out;
	if (is_prime(size))
		return 0;
	/* The limits are primes themselves, so neither search leaves the range. */
	for (below = size; !is_prime(below);)
		below--;
	for (above = size; !is_prime(above);)
		above++;
	lb_err_set(err, LB_ERR_PARAMS, "", "%s must be a prime, not %d", field->name, (int)size);
	return lb_err_hint(err, "the nearest primes are %d and %d", (int)below, (int)above);
}

static const struct schema_kind endpoint_kind = {"address, port and protocol", LB_JSON_STRING,
						 endpoint_read, endpoint_write, .owns = false};
static const struct schema_kind prime_kind = {"prime", LB_JSON_INTEGER, prime_read,
					      schema_integer_write, .owns = false};

/* --- names --- */

static bool looks_like_address(const char *text)
{
	struct lb_endpoint endpoint;
	struct lb_addr address;

	return lb_addr_parse(text, &address, NULL) == 0 ||
	       lb_endpoint_parse(text, &endpoint, NULL) == 0;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

int lb_name_check(const char *text, struct lb_err *err)
{
	size_t length = strlen(text);

	if (looks_like_address(text)) {
		lb_err_set(err, LB_ERR_PARAMS, "", "name must not be an address: \"%s\"", text);
		return lb_err_hint(err, "a VIP without a name goes by its address");
	}
	if (length < 1 || length > LB_NAME_MAX)
		return lb_err_set(err, LB_ERR_PARAMS, "",
				  "name must have 1 to %d characters, not %zu", LB_NAME_MAX,
				  length);
	if (text[strspn(text, LETTERS "0123456789._-")])
		return lb_err_set(err, LB_ERR_PARAMS, "",
				  "name may hold only letters, digits, '.', '_' and '-': \"%s\"",
				  text);
	if (!strchr(LETTERS, text[0]))
		return lb_err_set(err, LB_ERR_PARAMS, "", "name must start with a letter: \"%s\"",
				  text);
	return 0;
}

/* --- VIPs: what depends on several fields --- */

/* Its own address as its name is how a VIP that has none is shown. */
static int vip_name(struct lb_vip *vip, const json_t *given, struct lb_err *err)
{
	const char *name = json_string_value(json_object_get(given, "name"));
	struct lb_endpoint endpoint;

	if (!name && vip->name[0])
		return 0;
	memset(vip->name, 0, sizeof(vip->name));
	if (!name || (lb_endpoint_parse(name, &endpoint, NULL) == 0 &&
		      lb_endpoint_compare(&endpoint, &vip->endpoint) == 0)) {
		lb_endpoint_format(&vip->endpoint, vip->name);
		return 0;
	}
	if (lb_name_check(name, err)) {
		lb_err_prefix(err, "name");
		return -EINVAL;
	}
	strcpy(vip->name, name); /* at most LB_NAME_MAX long, or refused above */
	return 0;
}

/* The idle time is the transition at least, unless it is given. */
static int settle_times(uint32_t *transition_s, uint32_t *flow_idle_s, uint32_t otherwise,
			const char *const names[2], const json_t *given, struct lb_err *err)
{
	if (!*transition_s)
		*transition_s = otherwise;
	if (*flow_idle_s >= *transition_s)
		return 0;
	if (schema_given(given, names[1])) {
		lb_err_set(err, LB_ERR_PARAMS, names[1], "%s must be at least %s, %u", names[1],
			   names[0], *transition_s);
		return lb_err_hint(err,
				   "a flow that sends once per transition must stay on record");
	}
	*flow_idle_s = *transition_s;
	return 0;
}

static const char *const stream_names[] = {"transition_s", "flow_idle_s"};
static const char *const datagram_names[] = {"datagram_transition_s", "datagram_flow_idle_s"};

/* --- what both a pool and a VIP with a pool of its own have --- */

static const char *const table_words[] = {"rendezvous", "maglev", NULL};
static const char *const encap_words[] = {"ipip", "gue", NULL};
static const char *const hash_words[] = {"5-tuple", "source", "source-port", NULL};
static const char *const fragments_words[] = {"track", "3-tuple", "drop", NULL};

/* The N of "auto:N"; 0: that is no such text. */
static uint32_t auto_rate(const char *text)
{
	const char *digits = strncmp(text, "auto:", 5) ? "" : text + 5;
	const size_t count = strspn(digits, "0123456789");

	if (!count || digits[count])
		return 0;
	return count > 9 ? UINT32_MAX : (uint32_t)strtoul(digits, NULL, 10);
}

static int syn_guard_read(const struct schema_field *field, const json_t *value, void *out,
			  struct lb_err *err)
{
	const char *text = value ? json_string_value(value) : "off";
	uint32_t *to = out;

	*to = LB_SYN_GUARD_OFF;
	if (!strcmp(text, "off"))
		return 0;
	if (!strcmp(text, "always")) {
		*to = LB_SYN_GUARD_ALWAYS;
		return 0;
	}
	*to = auto_rate(text);
	if (*to && *to <= LB_SYN_GUARD_AUTO_MAX)
		return 0;
	lb_err_set(err, LB_ERR_PARAMS, "", "%s must be off, always or auto:N, not \"%s\"",
		   field->name, text);
	return lb_err_hint(err, "N is SYNs a second, 1 to %u", LB_SYN_GUARD_AUTO_MAX);
}

static json_t *syn_guard_write(const struct schema_field *field, const void *value)
{
	const uint32_t guard = *(const uint32_t *)value;

	(void)field;
	if (guard == LB_SYN_GUARD_OFF || guard == LB_SYN_GUARD_ALWAYS)
		return json_string(guard ? "always" : "off");
	return json_sprintf("auto:%u", guard);
}

static const struct schema_kind syn_guard_kind = {"`off`, `always`, `auto:N`", LB_JSON_STRING,
						  syn_guard_read, syn_guard_write, .owns = false};
static const char *const on_unhealthy_words[] = {"keep", "reset", NULL};
static const char *const when_all_unhealthy_words[] = {"use_all", "drop", NULL};

static const struct schema_order backends_orders[] = {{"address", compare_backends}, {0}};

#define LIST_AT(type, member) offsetof(type, member), sizeof(struct schema_items)

/* Words in the order of their enums. AT and LIST say where a member of the pool lies. */
#define TABLE_FIELDS(AT)                                                                           \
	{"table", &schema_word, AT(table), .words = table_words,                                   \
	 .help = "how slots are given to backends"},                                               \
	{                                                                                          \
		"table_size", &prime_kind, AT(table_size),                                         \
			.min = LB_TABLE_SIZE_MIN, .max = LB_TABLE_SIZE_MAX,                        \
			.number = LB_TABLE_SIZE_DEFAULT, .change = SCHEMA_FIXED,                   \
			.help = "slots, a prime from 251 to 1048573"                               \
	}
#define TRANSITION_FIELD(AT, SAYS)                                                                 \
	{                                                                                          \
		"transition_s", &schema_integer, AT(transition_s),                                 \
			.min = 1, .max = LB_FLOW_IDLE_MAX_S,                                       \
			.help = "how long a slot that changed its backend looks for recorded "     \
				"flows",                                                           \
			.otherwise = SAYS                                                          \
	}
#define FLOW_IDLE_FIELD(AT)                                                                        \
	{                                                                                          \
		"flow_idle_s", &schema_integer, AT(flow_idle_s),                                   \
			.min = 1, .max = LB_FLOW_IDLE_MAX_S,                                       \
			.help = "how long a recorded flow lives without a packet",                 \
			.otherwise = "the transition"                                              \
	}
#define REMEMBER_FIELD(AT)                                                                         \
	{                                                                                          \
		"remember_s", &schema_integer, AT(remember_s),                                     \
			.min = 1, .max = LB_REMEMBER_MAX_S, .number = LB_REMEMBER_S,               \
			.optional = true,                                                          \
			.help = "how long after a change its earlier backends may be asked, "      \
				"where a backend has second-chance",                               \
	}
#define ENCAP_FIELD(AT)                                                                            \
	{                                                                                          \
		"encap", &schema_word, AT(encap), .words = encap_words,                            \
						  .help = "how packets travel to backends",        \
						  .shown = true                                    \
	}
#define BACKENDS_FIELD(LIST)                                                                       \
	{                                                                                          \
		"backends", &schema_list, LIST(backends),                                          \
			.schema = &lb_backend_schema, .orders = backends_orders,                   \
			.change = SCHEMA_FIXED, .bare = true, .help = "who takes its flows"        \
	}
#define HEALTH_FIELDS(AT, IS_CHECKED)                                                              \
	{"health",                                                                                 \
	 &schema_object,                                                                           \
	 AT(health),                                                                               \
	 .schema = &lb_health_schema,                                                              \
	 .optional = true,                                                                         \
	 .help = "how backends are checked; those that are not healthy take no new flows"},        \
		{"on_unhealthy",                                                                   \
		 &schema_word,                                                                     \
		 AT(on_unhealthy),                                                                 \
		 .words = on_unhealthy_words,                                                      \
		 .optional = true,                                                                 \
		 .told = (IS_CHECKED),                                                             \
		 .help = "established flows of an unhealthy backend stay, or move at once"},       \
	{                                                                                          \
		"when_all_unhealthy", &schema_word, AT(when_all_unhealthy),                        \
			.words = when_all_unhealthy_words, .optional = true, .told = (IS_CHECKED), \
			.help = "if no backend is healthy all are used, or none"                   \
	}

#define SPILL_FIELDS(AT)                                                                           \
	{"spill_percent",                                                                          \
	 &schema_integer,                                                                          \
	 AT(spill_percent),                                                                        \
	 .min = 1,                                                                                 \
	 .max = 100,                                                                               \
	 .number = LB_SPILL_PERCENT,                                                               \
	 .optional = true,                                                                         \
	 .help = "the next group of backends joins while less of the weight before it is in "      \
		 "service"},                                                                       \
	{                                                                                          \
		"spill_hold_s", &schema_integer, AT(spill_hold_s),                                 \
			.max = LB_SPILL_HOLD_MAX_S, .number = LB_SPILL_HOLD_S, .optional = true,   \
			.help = "how long enough must be in service again before it leaves"        \
	}

/* --- pools --- */

static int pool_settle(void *object, const json_t *given, struct lb_err *err)
{
	struct lb_pool *pool = object;

	if (lb_name_check(pool->name, err)) {
		lb_err_prefix(err, "name");
		return -EINVAL;
	}
	pool->named = true;
	if (settle_times(&pool->transition_s, &pool->flow_idle_s, LB_TRANSITION_TCP_S, stream_names,
			 given, err))
		return -EINVAL;
	return settle_times(&pool->datagram_transition_s, &pool->datagram_flow_idle_s,
			    LB_TRANSITION_UDP_S, datagram_names, given, err);
}

static bool pool_is_checked(const void *object)
{
	return ((const struct lb_pool *)object)->health.kind != LB_HEALTH_NONE;
}

#define POOL(member) SCHEMA_AT(struct lb_pool, member)
#define POOL_LIST(member) LIST_AT(struct lb_pool, member)

static const struct schema_field pool_fields[] = {
	{"name", &schema_string, POOL(name), .min = 1, .max = LB_NAME_MAX, .required = true,
	 .change = SCHEMA_FIXED, .bare = true, .help = "what VIPs call it",
	 .pattern = "^[A-Za-z][A-Za-z0-9._-]{0,62}$"},
	TABLE_FIELDS(POOL),
	TRANSITION_FIELD(POOL, "15m"),
	FLOW_IDLE_FIELD(POOL),
	{"datagram_transition_s", &schema_integer, POOL(datagram_transition_s), .min = 1,
	 .max = LB_FLOW_IDLE_MAX_S, .help = "the same as transition, for UDP VIPs",
	 .otherwise = "1m"},
	{"datagram_flow_idle_s", &schema_integer, POOL(datagram_flow_idle_s), .min = 1,
	 .max = LB_FLOW_IDLE_MAX_S, .help = "the same as flow-idle, for UDP VIPs",
	 .otherwise = "its transition"},
	REMEMBER_FIELD(POOL),
	ENCAP_FIELD(POOL),
	BACKENDS_FIELD(POOL_LIST),
	HEALTH_FIELDS(POOL, pool_is_checked),
	SPILL_FIELDS(POOL),
	{0},
};

const struct schema lb_pool_schema = {"pool", pool_fields, sizeof(struct lb_pool),
				      .settle = pool_settle};

/* --- VIPs --- */

#define VIP(member) SCHEMA_AT(struct lb_vip, member)
#define OWN(member) POOL(member), .part = offsetof(struct lb_vip, pool)
#define OWN_LIST(member) POOL_LIST(member), .part = offsetof(struct lb_vip, pool)

static bool vip_is_checked(const void *object)
{
	return ((const struct lb_vip *)object)->pool->health.kind != LB_HEALTH_NONE;
}

static const struct schema_field vip_fields[] = {
	{"name", &schema_string, VIP(name), .late = true, .help = "what to call it",
	 .otherwise = "its address", .placeholder = "NAME",
	 .pattern = "^[A-Za-z][A-Za-z0-9._-]{0,62}$|" ENDPOINT},
	{"address", &endpoint_kind, VIP(endpoint), .required = true, .change = SCHEMA_FIXED,
	 .bare = true,
	 .help = "where clients connect: 192.0.2.10:443/tcp, a prefix 192.0.2.0/24:443/tcp, "
		 "a range of ports 192.0.2.10:5000-5999/udp; port 0 is every port",
	 .pattern = ENDPOINT},
	{"pool", &schema_string, VIP(pool_name), .min = 1, .max = LB_NAME_MAX, .optional = true,
	 .otherwise = "one of its own", .placeholder = "POOL",
	 .help = "the pool that takes its flows, instead of backends of its own"},
	TABLE_FIELDS(OWN),
	TRANSITION_FIELD(OWN, "15m, udp 1m"),
	FLOW_IDLE_FIELD(OWN),
	REMEMBER_FIELD(OWN),
	ENCAP_FIELD(OWN),
	{"hash", &schema_word, VIP(hash), .words = hash_words, .change = SCHEMA_KEPT,
	 .help = "what of a packet chooses its backend", .shown = true},
	{"fragments", &schema_word, VIP(fragments), .words = fragments_words,
	 .help = "what becomes of IP fragments", .shown = true},
	{"announce", &schema_boolean, VIP(announce), .number = true, .optional = true,
	 .help = "whether a node whose lbd.json has announce announces its address"},
	{"announce_healthy", &schema_integer, VIP(announce_healthy), .max = LB_MEMBERS_MAX,
	 .optional = true, .help = "withdraw it while fewer of its backends are healthy"},
	{"announce_share_percent", &schema_integer, VIP(announce_share_percent), .max = 100,
	 .optional = true, .help = "withdraw it while a smaller share of its backends is healthy"},
	{"quic", &schema_list, LIST_AT(struct lb_vip, quic), .schema = &lb_quic_schema,
	 .orders = lb_quic_orders, .optional = true, .otherwise = "none",
	 .placeholder = "default|cr=N,sid=LENGTH,key=NAME|none",
	 .help = "connection ids of QUIC name their server; blanks separate several rotations"},
	{"syn_guard", &syn_guard_kind, VIP(syn_guard), .text = "off", .optional = true,
	 .placeholder = "off|always|auto:N", .pattern = "^(off|always|auto:[1-9][0-9]{0,8})$",
	 .help = "lbd answers SYNs with cookies, always or while more than N a second come; "
		 "backends see clients that have proven their address"},
	{"rate", &lb_rates_kind, VIP(rates), .text = "none", .optional = true,
	 .placeholder = "RATES|none", .pattern = LB_RATES_PATTERN,
	 .help = "what may come in a second, of each source or to the VIP as a whole: "
		 "source=1000pps, source/24=100sps, vip=50MBps; blanks separate up to four"},
	BACKENDS_FIELD(OWN_LIST),
	HEALTH_FIELDS(OWN, vip_is_checked),
	SPILL_FIELDS(OWN),
	{0},
};

/* A VIP has a pool, or fields of a pool of its own. */
static int either_or(const struct lb_vip *vip, const json_t *given, struct lb_err *err)
{
	for (const struct schema_field *field = vip_fields; field->name; field++) {
		if (!field->part || !json_object_get(given, field->name))
			continue;
		lb_err_set(err, LB_ERR_PARAMS, field->name, "a VIP has either pool or %s, not both",
			   field->name);
		return lb_err_hint(err, "set %s in pool \"%s\", for all VIPs that use it",
				   field->name, vip->pool_name);
	}
	return 0;
}

static int vip_settle(void *object, const json_t *given, struct lb_err *err)
{
	struct lb_vip *vip = object;
	const bool datagrams = vip->endpoint.protocol == IPPROTO_UDP;

	if (vip_name(vip, given, err))
		return -EINVAL;
	if (vip->quic_count && !datagrams) {
		lb_err_set(err, LB_ERR_PARAMS, "quic", "a VIP with quic must be UDP");
		return lb_err_hint(err, "add a VIP of this address and port for UDP, which may use "
					"the same pool");
	}
	if (vip->syn_guard && vip->endpoint.protocol != IPPROTO_TCP) {
		lb_err_set(err, LB_ERR_PARAMS, "syn_guard", "a VIP with syn_guard must be TCP");
		return lb_err_hint(err, "only TCP has SYNs to answer: leave syn_guard out");
	}
	if (lb_rates_fit(&vip->rates, &vip->endpoint, err))
		return -EINVAL;
	if (vip->pool_name[0])
		return schema_given(given, "pool") ? either_or(vip, given, err) : 0;
	strcpy(vip->pool->name, vip->name);
	if (settle_times(&vip->pool->transition_s, &vip->pool->flow_idle_s,
			 datagrams ? LB_TRANSITION_UDP_S : LB_TRANSITION_TCP_S, stream_names, given,
			 err))
		return -EINVAL;
	if (!lb_health_fits(&vip->pool->health, &vip->endpoint, err))
		return 0;
	lb_err_prefix(err, "health");
	return -EINVAL;
}

static const char *lender(const void *object, char out[SCHEMA_LENDER_TEXT])
{
	const struct lb_vip *vip = object;

	if (!vip->pool->named)
		return NULL;
	snprintf(out, SCHEMA_LENDER_TEXT, "pool \"%s\"",
		 vip->pool_name[0] ? vip->pool_name : vip->pool->name);
	return out;
}

const struct schema lb_vip_schema = {
	"VIP",
	vip_fields,
	sizeof(struct lb_vip),
	.settle = vip_settle,
	.part = offsetof(struct lb_vip, pool),
	.part_size = sizeof(struct lb_pool),
	.lender = lender,
};

/* --- documents --- */

struct lb_service *lb_service_new(void)
{
	return calloc(1, sizeof(struct lb_service));
}

static int compare_vip_endpoints(const void *a, const void *b)
{
	return lb_endpoint_compare(&((const struct lb_vip *)a)->endpoint,
				   &((const struct lb_vip *)b)->endpoint);
}

static int compare_vip_names(const void *a, const void *b)
{
	return strcmp(((const struct lb_vip *)a)->name, ((const struct lb_vip *)b)->name);
}

static const struct schema_order vips_orders[] = {
	{"address", compare_vip_endpoints}, {"name", compare_vip_names}, {0}};

static int compare_pools(const void *a, const void *b)
{
	return strcmp(((const struct lb_pool *)a)->name, ((const struct lb_pool *)b)->name);
}

static const struct schema_order pools_orders[] = {{"name", compare_pools}, {0}};

static const struct schema_field service_fields[] = {
	{"pools", &schema_list, LIST_AT(struct lb_service, pools), .schema = &lb_pool_schema,
	 .orders = pools_orders, .optional = true, .help = "pools that VIPs can share"},
	{"vips", &schema_list, LIST_AT(struct lb_service, vips), .schema = &lb_vip_schema,
	 .orders = vips_orders, .required = true, .help = "what is balanced"},
	/* Whoever applies the document looks at it. */
	{"digest", &schema_ignored, 0, 0, .optional = true,
	 .help = "of the document that it was made from"},
	{"revision", &schema_integer, SCHEMA_AT(struct lb_service, revision), .optional = true,
	 .max = UINT32_MAX, .help = "its number among those that were published for the tier"},
	{"edited", &schema_boolean, SCHEMA_AT(struct lb_service, edited), .optional = true,
	 .help = "whether this node has changed something since"},
	{0},
};

const struct schema lb_service_schema = {"service document", service_fields,
					 sizeof(struct lb_service), .settle = NULL};

#define IS_LIST(type, list, number)                                                                \
	_Static_assert(offsetof(type, number) ==                                                   \
			       offsetof(type, list) + offsetof(struct schema_items, count),        \
		       "a list lies as the schema has it")
IS_LIST(struct lb_pool, backends, backend_count);
IS_LIST(struct lb_vip, quic, quic_count);
IS_LIST(struct lb_service, pools, pool_count);
IS_LIST(struct lb_service, vips, vip_count);

/* --- their words --- */

const char *lb_table_kind_name(enum lb_table_kind kind)
{
	return table_words[kind];
}

const char *lb_hash_name(enum lb_hash hash)
{
	return hash_words[hash];
}

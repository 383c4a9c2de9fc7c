/* SPDX-License-Identifier: BSD-2-Clause */
/* How does text show interfaces: what comes in by each, what goes out, and what is wrong? */
#include <string.h>
#include "columns.h"
#include "units.h"
#include "view.h"

static bool has(const json_t *interface, const char *field, const char *value)
{
	return strcmp(view_text(interface, field), value) == 0;
}

static void print_mode(FILE *out, const json_t *interface)
{
	if (has(interface, "xdp_mode", "none"))
		fprintf(out, "no XDP");
	else
		fprintf(out, "%s%s", view_text(interface, "xdp_mode"),
			has(interface, "xdp_mode", "detached") ? "" : " XDP");
}

/* What it is for: packets of clients, and next hops of backends. */
static void print_use(FILE *out, const json_t *interface)
{
	long long hops = view_integer(interface, "next_hops");
	char text[UNITS_TEXT];

	if (json_is_true(json_object_get(interface, "ingress")))
		fprintf(out, "in%s", hops ? ", out: " : "");
	else
		fprintf(out, "out only: ");
	if (hops)
		fprintf(out, "%s", units_count(hops, "next hop", text));
}

static void print_interface(FILE *out, const json_t *interface)
{
	const char *driver = json_string_value(json_object_get(interface, "driver"));
	const char *master = json_string_value(json_object_get(interface, "master"));
	const char *reason = json_string_value(json_object_get(interface, "reason"));

	fprintf(out, "%s\t%lld\t", view_text(interface, "name"),
		view_integer(interface, "ifindex"));
	print_mode(out, interface);
	fprintf(out, "\t%s\t", view_text(interface, "link"));
	if (json_object_get(interface, "mtu"))
		fprintf(out, "mtu %lld", view_integer(interface, "mtu"));
	fprintf(out, "\t%s%s%s\t", driver ? driver : "", master ? ", port of " : "",
		master ? master : "");
	print_use(out, interface);
	fprintf(out, "%s%s\n", reason ? "; " : "", reason ? reason : "");
}

void view_ifaces(FILE *out, const struct invocation *invocation, const json_t *result)
{
	const json_t *interface;
	struct columns columns;
	size_t i;

	(void)invocation;
	columns_open(&columns);
	json_array_foreach (json_object_get(result, "interfaces"), i, interface)
		print_interface(columns.rows, interface);
	columns_close(&columns, out, 0, "lrllll");
}

enum exit_code view_ifaces_judge(const json_t *result)
{
	const json_t *interface;
	size_t i;

	json_array_foreach (json_object_get(result, "interfaces"), i, interface)
		if (has(interface, "xdp_mode", "detached") || !has(interface, "link", "up"))
			return EXIT_DIFFERS;
	return EXIT_DONE;
}

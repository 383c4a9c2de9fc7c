/* SPDX-License-Identifier: BSD-2-Clause */
/* How is lbd-backend.json read? Strictly: what is unknown or wrong is an error with its path. */
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include "../api/plain_file.h"
#include "../api/schema.h"
#include "config.h"

/* No path of ours has room for more, and what the kernel takes as a name none of it can be. */
static int name_read(const json_t *value, void *into, struct lb_err *err)
{
	struct names *out = into;
	const char *name = json_string_value(value);

	if (!name || !*name || strlen(name) >= IF_NAMESIZE || strpbrk(name, "/: \t\n\v\f\r") ||
	    !strcmp(name, ".") || !strcmp(name, ".."))
		return lb_err_set(err, LB_ERR_PARAMS, "", "is not the name of an interface");
	for (size_t i = 0; i < out->count; i++)
		if (!strcmp(out->name[i], name))
			return lb_err_set(err, LB_ERR_PARAMS, "", "\"%s\" is named twice", name);
	strcpy(out->name[out->count++], name);
	return 0;
}

static int prefix_read(const json_t *value, void *into, struct lb_err *err)
{
	struct prefixes *out = into;
	const char *text = json_string_value(value);

	if (!text)
		return lb_err_set(err, LB_ERR_PARAMS, "", "is not an address or a prefix");
	if (lb_prefix_parse(text, &out->prefix[out->count], err))
		return -EINVAL;
	out->count++;
	return 0;
}

static int size_check(const struct schema_field *field, const json_t *array, struct lb_err *err)
{
	const size_t size = json_array_size(array);

	if (field->required && !size)
		return lb_err_set(err, LB_ERR_PARAMS, "", "%s is empty", field->name);
	if (size > (size_t)field->max)
		return lb_err_set(err, LB_ERR_PARAMS, "", "%s has %zu entries, and at most %d fit",
				  field->name, size, (int)field->max);
	return 0;
}

static int list_read(const struct schema_field *field, const json_t *array, void *out,
		     int (*read)(const json_t *value, void *out, struct lb_err *err),
		     struct lb_err *err)
{
	const json_t *value;
	size_t i;

	if (size_check(field, array, err))
		return -EINVAL;
	json_array_foreach (array, i, value)
		if (read(value, out, err)) {
			lb_err_prefix(err, "[%zu]", i);
			return -EINVAL;
		}
	return 0;
}

static int names_read(const struct schema_field *field, const json_t *array, void *out,
		      struct lb_err *err)
{
	return list_read(field, array, out, name_read, err);
}

static int prefixes_read(const struct schema_field *field, const json_t *array, void *out,
			 struct lb_err *err)
{
	return list_read(field, array, out, prefix_read, err);
}

static const struct schema_kind names_kind = {"list of texts", LB_JSON_ARRAY, names_read,
					      .owns = false};
static const struct schema_kind prefixes_kind = {"list of prefixes", LB_JSON_ARRAY, prefixes_read,
						 .owns = false};

/* In the order of enum decapsulation. */
static const char *const decapsulations[] = {"program", "kernel", NULL};

#define AT(member) SCHEMA_AT(struct backend_config, member)

static const struct schema_field fields[] = {
	{"interfaces", &names_kind, AT(interfaces), .required = true, .max = BACKEND_INTERFACES_MAX,
	 .help = "where packets from the balancers come in"},
	{"vips", &prefixes_kind, AT(vips), .required = true, .max = BACKEND_PREFIXES_MAX,
	 .help = "addresses, or prefixes, that become this host's own"},
	{"balancers", &prefixes_kind, AT(balancers), .required = true, .max = BACKEND_PREFIXES_MAX,
	 .help = "whose packets are believed: their outer source addresses"},
	{"backends", &prefixes_kind, AT(backends), .max = BACKEND_PREFIXES_MAX,
	 .help = "the other backends: packets may come from them, and be passed on to them"},
	{"decapsulation", &schema_word, AT(decapsulation), .words = decapsulations,
	 .help = "what takes outer headers off: a program in XDP, or the kernel's tunnel devices"},
	{"guard_secret", &schema_string, AT(guard_secret), .min = 1, .max = BACKEND_PATH - 1,
	 .help = "the file of the SYN guard's secrets: connections are made from cookies of "
		 "balancers"},
	{0},
};

/* The program sees packets where they have lost their outer header: with the kernel's own devices that
 * is at none of the interfaces. */
static int settle(void *object, const json_t *given, struct lb_err *err)
{
	const struct backend_config *config = object;

	(void)given;
	if (!*config->guard_secret || config->decapsulation == DECAPSULATION_PROGRAM)
		return 0;
	return lb_err_set(err, LB_ERR_PARAMS, "guard_secret",
			  "connections are made from cookies only where decapsulation is program");
}

static const struct schema schema = {"backend", fields, sizeof(struct backend_config), settle, 0,
				     0,         NULL};

int backend_config_load(const char *path, struct backend_config *out, struct lb_err *err)
{
	json_auto_t *document = plain_file_json(
		path, "write it, see lbd-backend(8), or name another by --config", err);
	struct lb_err inner = {0};

	if (!document)
		return -EINVAL;
	if (!schema_read(&schema, document, out, &inner))
		return 0;
	lb_err_set(err, inner.code, inner.path, "%s: %s", path, inner.message);
	return *inner.hint ? lb_err_hint(err, "%s", inner.hint) : -EINVAL;
}

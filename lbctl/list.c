/* SPDX-License-Identifier: BSD-2-Clause */
/* What is sent for lbctl list, and how are its results shown?
 *
 * A file has one prefix a line, as common feeds do: blank lines, and what follows # or ;, are not read; host bits may
 * be set, and are cleared. */
#include "list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../lbd/api/addr.h"
#include "params.h"
#include "view.h"

/* --- files --- */

static int refuse(const char *file, size_t line, const char *why, struct lb_err *err)
{
	return lb_err_set(err, LB_ERR_PARAMS, "", "%s, line %zu: %s", file, line, why);
}

static int take_line(char *text, const char *file, size_t line, json_t *prefixes,
		     struct lb_err *err)
{
	char shown[LB_PREFIX_TEXT], *word, *rest;
	struct lb_prefix prefix;

	text[strcspn(text, "#;\n")] = '\0';
	if (text[strcspn(text, "\r")] && text[strcspn(text, "\r") + 1])
		return refuse(file, line, "a carriage return that does not end the line", err);
	text[strcspn(text, "\r")] = '\0';
	word = strtok_r(text, " \t", &rest);
	if (!word)
		return 0;
	if (strtok_r(NULL, " \t", &rest))
		return refuse(file, line, "more than a prefix; ranges are not read", err);
	if (lb_prefix_parse(word, &prefix, err)) {
		struct lb_err wrong = *err;

		/* Bits beyond the length are all that can be put right; then there is a hint. */
		if (strncmp(wrong.message, "bits beyond", 11))
			return refuse(file, line, wrong.message, err);
		*err = (struct lb_err){0};
	}
	if (lb_addr_mapped(&prefix.address, err)) {
		const struct lb_err wrong = *err;

		refuse(file, line, wrong.message, err);
		return lb_err_hint(err, "%s", wrong.hint);
	}
	return json_array_append_new(prefixes, json_string(lb_prefix_format(&prefix, shown)))
		       ? lb_err_no_memory(err)
		       : 0;
}

static int read_file(const char *file, json_t *prefixes, struct lb_err *err)
{
	FILE *in = strcmp(file, "-") ? fopen(file, "re") : stdin;
	char *text = NULL;
	size_t room = 0, line = 0;
	ssize_t length;
	int ret = 0;

	if (!in)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot read %s: %s", file,
				  strerror(errno));
	while (!ret && (length = getline(&text, &room, in)) > 0) {
		line++;
		ret = strlen(text) == (size_t)length
			      ? take_line(text, file, line, prefixes, err)
			      : refuse(file, line, "a NUL, which no prefix has", err);
	}
	if (!ret && ferror(in))
		ret = lb_err_set(err, LB_ERR_SYSTEM, "", "cannot read %s: %s", file,
				 strerror(errno));
	free(text);
	if (in != stdin)
		fclose(in);
	return ret;
}

/* --- params --- */

/* Names, separated by blanks. */
static int add_vips(const struct invocation *invocation, json_t *params, struct lb_err *err)
{
	const char *text = invocation_option(invocation, "vips");
	const bool all = invocation_option(invocation, "all-vips");
	json_t *names = text ? json_array() : json_null();

	for (; text && *(text += strspn(text, " ")); text += strcspn(text, " "))
		json_array_append_new(names, json_stringn(text, strcspn(text, " ")));
	if (text || all)
		json_object_set(params, "vips", names);
	json_decref(names);
	if (text && all)
		return lb_err_set(err, LB_ERR_USAGE, "",
				  "--vips and --all-vips exclude each other");
	return 0;
}

static int add_options(const struct invocation *invocation, json_t *params, struct lb_err *err)
{
	const char *kind = invocation_option(invocation, "kind");
	long long seconds = 0;

	if (params_duration(invocation, "for", &seconds, err))
		return -EINVAL;
	if (invocation_option(invocation, "for"))
		json_object_set_new(params, "for_s", json_integer(seconds));
	if (kind)
		json_object_set_new(params, "kind", json_string(kind));
	if (invocation_option(invocation, "monitor") && invocation_option(invocation, "enforce"))
		return lb_err_set(err, LB_ERR_USAGE, "",
				  "--monitor and --enforce exclude each other");
	if (invocation_option(invocation, "monitor") || invocation_option(invocation, "enforce"))
		json_object_set_new(params, "monitor",
				    json_boolean(invocation_option(invocation, "monitor")));
	if (invocation_option(invocation, "allow-empty"))
		json_object_set_new(params, "allow_empty", json_true());
	return add_vips(invocation, params, err);
}

int list_change_params(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	const char *prefix = invocation->arguments[1];
	json_t *prefixes = json_array();
	int ret = 0;

	*params = json_pack("{s:s}", "name", invocation->arguments[0]);
	if (prefix && strcmp(prefix, "-"))
		json_array_append_new(prefixes, json_string(prefix));
	else if (prefix)
		ret = read_file(prefix, prefixes, err);
	if (prefix)
		json_object_set(*params, "prefixes", prefixes);
	json_decref(prefixes);
	if (ret)
		return ret;
	return add_options(invocation, *params, err);
}

int list_load_params(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	json_t *prefixes = json_array();

	*params = json_pack("{s:s, s:o}", "name", invocation->arguments[0], "prefixes", prefixes);
	if (read_file(invocation->arguments[1], prefixes, err))
		return -EINVAL;
	return add_options(invocation, *params, err);
}

int list_set_params(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	*params = json_pack("{s:s}", "name", invocation->arguments[0]);
	return add_options(invocation, *params, err);
}

int list_name_params(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	(void)err;
	*params = json_object();
	if (invocation->arguments[0])
		json_object_set_new(*params, "name", json_string(invocation->arguments[0]));
	return 0;
}

int list_explain_params(const struct invocation *invocation, json_t **params, struct lb_err *err)
{
	(void)err;
	*params = json_pack("{s:s, s:s*}", "address", invocation->arguments[0], "vip",
			    invocation->arguments[1]);
	return 0;
}

/* --- views --- */

static const char *text_of(const json_t *object, const char *field)
{
	const char *text = json_string_value(json_object_get(object, field));

	return text ? text : "?";
}

/* VIPs, unless it is for all. */
static void view_scope(FILE *out, const json_t *list)
{
	const json_t *names = json_object_get(list, "vips"), *name;
	size_t i;

	json_array_foreach (names, i, name)
		fprintf(out, "%s%s", i ? " " : ", only for ", json_string_value(name));
}

/* What of more than one is said with this ending. */
static const char *ending(long long count, const char *of_many)
{
	return count == 1 ? "" : of_many;
}

void list_view_line(FILE *out, const json_t *list)
{
	const json_t *hits = json_object_get(list, "hits");
	const long long prefixes = view_integer(list, "prefixes");
	const long long packets = view_integer(hits, "packets");

	fprintf(out, "%s: %ss %lld prefix%s%s", text_of(list, "name"), text_of(list, "kind"),
		prefixes, ending(prefixes, "es"),
		json_is_true(json_object_get(list, "monitor")) ? ", only counts" : "");
	view_scope(out, list);
	fprintf(out, "; %lld packet%s, %lld bytes\n", packets, ending(packets, "s"),
		view_integer(hits, "bytes"));
}

void list_view_fault(FILE *out, const char *indent, const json_t *result)
{
	if (json_object_get(result, "fault"))
		fprintf(out, "%snot in force: %s; lbd tries again\n", indent,
			text_of(result, "fault"));
}

static void view_entry(FILE *out, const json_t *entry)
{
	const time_t until = (time_t)json_integer_value(json_object_get(entry, "until"));
	char text[32];
	struct tm utc;

	fprintf(out, "  %s", text_of(entry, "prefix"));
	if (until && gmtime_r(&until, &utc) &&
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &utc))
		fprintf(out, " until %s", text);
	fprintf(out, "\n");
}

/* A list that is gone, or a change that has changed nothing. */
static void view_changed(FILE *out, const struct invocation *invocation, const json_t *result)
{
	const char *prefix = invocation->arguments[1];
	const bool removes = !strcmp(invocation->command->verb, "del");
	const bool many = prefix && !strcmp(prefix, "-");

	if (json_is_false(json_object_get(result, "changed")))
		fprintf(out, removes && !many ? "%s is not there\n" : "nothing to change\n",
			prefix ? prefix : invocation->arguments[0]);
	if (removes && !prefix && json_is_true(json_object_get(result, "changed")))
		fprintf(out, "removed ");
	if (invocation_option(invocation, "dry-run"))
		fprintf(out, "%s would have %lld prefix%s: ", text_of(result, "name"),
			view_integer(result, "prefixes"),
			ending(view_integer(result, "prefixes"), "es"));
	if (json_object_get(result, "added"))
		fprintf(out, "%lld added, %lld removed\n", view_integer(result, "added"),
			view_integer(result, "removed"));
	if (json_object_get(result, "kind"))
		list_view_line(out, result);
}

void list_view(FILE *out, const struct invocation *invocation, const json_t *result)
{
	const json_t *entries = json_object_get(result, "entries"), *entry;
	const long long more =
		view_integer(result, "prefixes") - (long long)json_array_size(entries);
	size_t i;

	if (strcmp(invocation->command->verb, "show")) {
		view_changed(out, invocation, result);
		return;
	}
	list_view_line(out, result);
	json_array_foreach (entries, i, entry)
		view_entry(out, entry);
	if (more > 0)
		fprintf(out, "  and %lld more\n", more);
}

void list_view_all(FILE *out, const struct invocation *invocation, const json_t *result)
{
	const json_t *lists = json_object_get(result, "lists"), *list;
	size_t i;

	if (!lists) {
		list_view(out, invocation, result);
		return;
	}
	json_array_foreach (lists, i, list)
		list_view_line(out, list);
	if (!json_array_size(lists))
		fprintf(out, "no lists\n");
	list_view_fault(out, "", result);
}

void list_view_explained(FILE *out, const struct invocation *invocation, const json_t *result)
{
	const json_t *matches = json_object_get(result, "matches"), *match;
	size_t i;

	fprintf(out, "%s is %s\n", invocation->arguments[0],
		!strcmp(text_of(result, "verdict"), "not_listed") ? "on no list that counts here"
								  : text_of(result, "verdict"));
	json_array_foreach (matches, i, match) {
		fprintf(out, "  %s, list %s: %s%s", text_of(match, "prefix"),
			text_of(match, "list"), text_of(match, "kind"),
			json_is_true(json_object_get(match, "monitor")) ? ", only counts" : "");
		view_scope(out, match);
		fprintf(out, "\n");
	}
}

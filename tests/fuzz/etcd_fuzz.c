/* SPDX-License-Identifier: BSD-2-Clause */
/* Is whatever comes from etcd's port read as a reply, or refused, and is a release taken only where it
 * says a revision? The first byte says what it is taken for. */
#include "../../lbctl/tier/message.h"
#include "../../lbctl/tier/release.h"
#include "fuzz.h"

static void check_base64(const uint8_t *data, size_t size)
{
	char *text = message_encode(data, size), *bytes;
	size_t length = 0;

	FUZZ_CHECK(text && strlen(text) == (size + 2) / 3 * 4);
	bytes = message_decode(text, &length);
	FUZZ_CHECK(bytes && length == size && !memcmp(bytes, data, size));
	free(bytes);
	free(text);
	text = strndup((const char *)data, size);
	bytes = message_decode(text, &length);
	FUZZ_CHECK(!bytes || length <= strlen(text) / 4 * 3);
	free(bytes);
	free(text);
}

static void check_error(const json_t *reply)
{
	char text[32] = "";
	int code;

	if (!message_error(reply, &code, text, sizeof(text)))
		return;
	FUZZ_CHECK(memchr(text, 0, sizeof(text)) && json_object_get(reply, "error"));
	for (const char *at = text; *at; at++)
		FUZZ_CHECK((unsigned char)*at >= ' ');
}

/* What nodes do by it, whatever the others have written. */
static void check_release(const json_t *items, const json_t *nodes)
{
	struct lb_err err = {0};
	struct release release;
	char why[RELEASE_WHY];
	uint32_t target, next;

	if (release_read(items, &release, &err)) {
		fuzz_check_err(&err);
		return;
	}
	FUZZ_CHECK(!json_array_size(items) == !release.revision);
	FUZZ_CHECK(release_target(&release, true, nodes, why) == release.revision && !*why);
	target = release_target(&release, false, nodes, why);
	FUZZ_CHECK(target == release.revision || (release.staged && target == release.stable));
	FUZZ_CHECK(memchr(why, 0, sizeof(why)) && (target == release.revision || *why));
	next = release_next(&release, nodes, 0);
	FUZZ_CHECK(!next || next > release.revision);
}

static void check_reply(const json_t *reply)
{
	struct lb_err err = {0};
	json_t *items = NULL, *item;
	size_t i;

	check_error(reply);
	if (message_items(reply, &items, &err)) {
		FUZZ_CHECK(!items);
		fuzz_check_err(&err);
		return;
	}
	json_array_foreach (items, i, item)
		FUZZ_CHECK(json_is_string(json_object_get(item, "key")) &&
			   json_object_get(item, "value") &&
			   json_is_integer(json_object_get(item, "mod_revision")));
	check_release(items, items);
	json_decref(items);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json;

	if (!size)
		return 0;
	if (data[0] == 'b') {
		check_base64(data + 1, size - 1);
		return 0;
	}
	json = json_loadb((const char *)data + 1, size - 1,
			  JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, NULL);
	if (data[0] == 'r' && json_is_object(json)) {
		json_t *items = json_pack("[{s:s, s:O}]", "key", "k", "value",
					  json_object_get(json, "release"));

		if (items)
			check_release(items, json_object_get(json, "nodes"));
		json_decref(items);
	} else if (json) {
		check_reply(json);
	}
	json_decref(json);
	return 0;
}

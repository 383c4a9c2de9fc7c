/* SPDX-License-Identifier: BSD-2-Clause */
/* How is etcd asked? */
#include "etcd.h"
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "message.h"

struct etcd {
	const struct tier_config *config;
	CURL *curl;
	struct curl_slist *token; /* the header that says who asks; NULL: none yet */
	size_t endpoint;          /* that answered last */
	char fault[CURL_ERROR_SIZE];
};

struct reply {
	char *bytes;
	size_t length;
	bool too_long;
};

static size_t take(char *bytes, size_t size, size_t count, void *user)
{
	struct reply *reply = user;
	size_t length = size * count;
	char *more = NULL;

	reply->too_long = length > ETCD_REPLY_MAX - reply->length;
	if (!reply->too_long)
		more = realloc(reply->bytes, reply->length + length);
	if (!more)
		return 0;
	memcpy(more + reply->length, bytes, length);
	reply->bytes = more;
	reply->length += length;
	return length;
}

/* --- life --- */

static void set_files(CURL *curl, const struct tier_config *config)
{
	if (*config->ca_file) {
		curl_easy_setopt(curl, CURLOPT_CAINFO, config->ca_file);
		curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	}
	if (*config->cert_file) {
		curl_easy_setopt(curl, CURLOPT_SSLCERT, config->cert_file);
		curl_easy_setopt(curl, CURLOPT_SSLKEY, config->key_file);
	}
}

int etcd_open(const struct tier_config *config, struct etcd **out, struct lb_err *err)
{
	struct etcd *etcd = calloc(1, sizeof(*etcd));

	*out = NULL;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	if (etcd)
		etcd->curl = curl_easy_init();
	if (!etcd || !etcd->curl) {
		free(etcd);
		return lb_err_no_memory(err);
	}
	etcd->config = config;
	/* Each node begins with another one. */
	for (const char *at = config->node; *at; at++)
		etcd->endpoint = (etcd->endpoint * 31 + (unsigned char)*at) % 9973;
	etcd->endpoint %= config->endpoint_count;
	curl_easy_setopt(etcd->curl, CURLOPT_ERRORBUFFER, etcd->fault);
	curl_easy_setopt(etcd->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(etcd->curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(etcd->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)ETCD_CONNECT_MS);
	curl_easy_setopt(etcd->curl, CURLOPT_TIMEOUT_MS, (long)ETCD_TIMEOUT_MS);
	curl_easy_setopt(etcd->curl, CURLOPT_WRITEFUNCTION, take);
	set_files(etcd->curl, config);
	*out = etcd;
	return 0;
}

void etcd_close(struct etcd *etcd)
{
	if (!etcd)
		return;
	curl_slist_free_all(etcd->token);
	curl_easy_cleanup(etcd->curl);
	free(etcd);
	curl_global_cleanup();
}

/* --- one question --- */

/* Why nobody answered, with the sentence of curl where it has one. */
static int no_answer(const struct etcd *etcd, const char *why, struct lb_err *err)
{
	return lb_err_set(err, LB_ERR_UNREACHABLE, "", "etcd does not answer at %s: %s",
			  etcd->config->endpoints[etcd->endpoint], why);
}

/* What etcd refuses. Where it has no leader another member may know one, so that is no answer. */
static int refused(const struct etcd *etcd, const json_t *reply, int *code, struct lb_err *err)
{
	char text[200];

	if (!message_error(reply, code, text, sizeof(text)))
		return 0;
	if (*code == 14 || *code == 4 || strstr(text, "no leader") || strstr(text, "timed out"))
		return no_answer(etcd, text, err);
	return lb_err_set(err, LB_ERR_SYSTEM, "", "etcd refuses: %s", text);
}

/* A sentence in plain text, as from the HTTP server of etcd, or from something else. */
static int no_json(const struct etcd *etcd, const struct reply *got, long status,
		   struct lb_err *err)
{
	char why[120];
	int length = got->length < 80 ? (int)got->length : 80;

	snprintf(why, sizeof(why), "status %ld, %.*s", status, length,
		 length ? got->bytes : "and nothing");
	for (char *at = why; *at; at++)
		if (*at < ' ' || *at > '~')
			*at = ' ';
	return no_answer(etcd, why, err);
}

static int read_reply(const struct etcd *etcd, const struct reply *got, json_t **reply, int *code,
		      struct lb_err *err)
{
	long status = 0;

	curl_easy_getinfo(etcd->curl, CURLINFO_RESPONSE_CODE, &status);
	/* A stream of one reply, as of a lease, has a newline after it; of more, the first counts. */
	*reply = got->bytes ? json_loadb(got->bytes, got->length,
					 JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, NULL)
			    : NULL;
	if (!json_is_object(*reply))
		return no_json(etcd, got, status, err);
	if (refused(etcd, *reply, code, err))
		return -EINVAL;
	return status == 200 ? 0 : no_answer(etcd, "its status is not 200", err);
}

/* POSTs to the member that is tried now. */
static int post(struct etcd *etcd, const char *path, const char *body, json_t **reply, int *code,
		struct lb_err *err)
{
	struct reply got = {0};
	char url[320];
	CURLcode result;
	int error;

	*reply = NULL;
	snprintf(url, sizeof(url), "%s%s", etcd->config->endpoints[etcd->endpoint], path);
	curl_easy_setopt(etcd->curl, CURLOPT_URL, url);
	curl_easy_setopt(etcd->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
	curl_easy_setopt(etcd->curl, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(etcd->curl, CURLOPT_HTTPHEADER, etcd->token);
	curl_easy_setopt(etcd->curl, CURLOPT_WRITEDATA, &got);
	etcd->fault[0] = '\0';
	result = curl_easy_perform(etcd->curl);
	if (result)
		error = no_answer(etcd,
				  got.too_long   ? "the reply is longer than 32 MiB"
				  : *etcd->fault ? etcd->fault
						 : curl_easy_strerror(result),
				  err);
	else
		error = read_reply(etcd, &got, reply, code, err);
	free(got.bytes);
	if (error) {
		json_decref(*reply);
		*reply = NULL;
	}
	return error;
}

/* --- who asks --- */

static int keep_token(struct etcd *etcd, const json_t *reply, struct lb_err *err)
{
	const char *token = json_string_value(json_object_get(reply, "token"));
	char header[4096];

	if (!token || strpbrk(token, "\r\n") || strlen(token) > sizeof(header) - 32)
		return lb_err_set(err, LB_ERR_SYSTEM, "",
				  "the reply of etcd is not one of its protocol");
	snprintf(header, sizeof(header), "Authorization: %s", token);
	etcd->token = curl_slist_append(NULL, header);
	return etcd->token ? 0 : lb_err_no_memory(err);
}

/* A token for the questions that follow, where there is a user and none yet. */
static int authenticate(struct etcd *etcd, struct lb_err *err)
{
	json_auto_t *question = NULL, *reply = NULL;
	char password[TIER_PASSWORD_SIZE], *body;
	int code, error;

	if (!*etcd->config->user || etcd->token)
		return 0;
	/* Read anew each time: passwords change. */
	if (tier_config_password(etcd->config, password, err))
		return -EINVAL;
	question = json_pack("{s:s, s:s}", "name", etcd->config->user, "password", password);
	body = question ? json_dumps(question, JSON_COMPACT) : NULL;
	explicit_bzero(password, sizeof(password));
	if (!body)
		return lb_err_set(err, LB_ERR_PARAMS, "password_file", "the password is no UTF-8");
	error = post(etcd, "/v3/auth/authenticate", body, &reply, &code, err);
	explicit_bzero(body, strlen(body));
	free(body);
	return error ? error : keep_token(etcd, reply, err);
}

/* --- asking whoever answers --- */

static void forget_token(struct etcd *etcd)
{
	curl_slist_free_all(etcd->token);
	etcd->token = NULL;
}

/* A token ends when etcd restarts, or when it was not used for some minutes: then another is got. */
static int ask_member(struct etcd *etcd, const char *path, const char *body, json_t **reply,
		      int *code, struct lb_err *err)
{
	int error = 0;

	for (int attempt = 0; attempt < 2; attempt++) {
		bool had_token = etcd->token;

		*code = 0;
		error = authenticate(etcd, err);
		if (!error)
			error = post(etcd, path, body, reply, code, err);
		if (!error || !had_token || *code != MESSAGE_UNAUTHENTICATED)
			break;
		forget_token(etcd);
	}
	return error;
}

/* Takes over the question. `code`: of an error of etcd. */
static int ask(struct etcd *etcd, const char *path, json_t *question, json_t **reply, int *code,
	       struct lb_err *err)
{
	char *body = question ? json_dumps(question, JSON_COMPACT) : NULL;
	int error = 0;

	json_decref(question);
	if (!body)
		return lb_err_no_memory(err);
	for (size_t tried = 0; tried < etcd->config->endpoint_count; tried++) {
		err->code = LB_ERR_NONE;
		error = ask_member(etcd, path, body, reply, code, err);
		if (!error || err->code != LB_ERR_UNREACHABLE)
			break;
		etcd->endpoint = (etcd->endpoint + 1) % etcd->config->endpoint_count;
	}
	free(body);
	return error;
}

static int get(struct etcd *etcd, json_t *question, json_t **items, struct lb_err *err)
{
	json_auto_t *reply = NULL;
	json_t *got = NULL;
	int code, error = ask(etcd, "/v3/kv/range", question, &got, &code, err);

	reply = got;
	return error ? error : message_items(reply, items, err);
}

int etcd_get(struct etcd *etcd, const char *key, json_t **items, struct lb_err *err)
{
	return get(etcd, message_range(key), items, err);
}

int etcd_get_below(struct etcd *etcd, const char *prefix, json_t **items, struct lb_err *err)
{
	json_auto_t *raw = NULL;
	json_t *got = NULL;
	int error = get(etcd, message_range_below(prefix), &got, err);

	raw = got;
	*items = error ? NULL : message_clean(raw);
	return error;
}

int etcd_keys_below(struct etcd *etcd, const char *prefix, json_t **items, struct lb_err *err)
{
	return get(etcd, message_keys_below(prefix), items, err);
}

int etcd_txn(struct etcd *etcd, json_t *txn, bool *done, struct lb_err *err)
{
	json_t *reply = NULL;
	int code, error = ask(etcd, "/v3/kv/txn", txn, &reply, &code, err);

	*done = json_is_true(json_object_get(reply, "succeeded"));
	json_decref(reply);
	return error;
}

int etcd_put_owned(struct etcd *etcd, const char *key, const json_t *value, int64_t lease,
		   bool *done, struct lb_err *err)
{
	int error = etcd_txn(etcd, message_put_owned(key, value, lease), done, err);

	if (error || *done)
		return error;
	return etcd_txn(etcd, message_put_first(key, value, lease), done, err);
}

/* --- leases --- */

int etcd_lease(struct etcd *etcd, uint32_t seconds, int64_t *lease, struct lb_err *err)
{
	json_t *reply = NULL;
	json_t *question = json_pack("{s:o}", "TTL", json_sprintf("%u", seconds));
	int code, error = ask(etcd, "/v3/lease/grant", question, &reply, &code, err);

	if (!error && (message_integer(reply, "ID", lease) || !*lease))
		error = lb_err_set(err, LB_ERR_SYSTEM, "",
				   "the reply of etcd is not one of its protocol");
	json_decref(reply);
	return error;
}

static json_t *of_lease(int64_t lease)
{
	return json_pack("{s:o}", "ID", json_sprintf("%lld", (long long)lease));
}

int etcd_renew(struct etcd *etcd, int64_t lease, bool *alive, struct lb_err *err)
{
	json_t *reply = NULL;
	int code, error = ask(etcd, "/v3/lease/keepalive", of_lease(lease), &reply, &code, err);
	int64_t left = 0;

	if (!error)
		message_integer(json_object_get(reply, "result"), "TTL", &left);
	*alive = left > 0;
	json_decref(reply);
	return error;
}

int etcd_revoke(struct etcd *etcd, int64_t lease, struct lb_err *err)
{
	json_t *reply = NULL;
	int code, error = ask(etcd, "/v3/lease/revoke", of_lease(lease), &reply, &code, err);

	json_decref(reply);
	return error && code != MESSAGE_NOT_FOUND ? error : 0;
}

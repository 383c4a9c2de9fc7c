// SPDX-License-Identifier: BSD-2-Clause
/* How long do tables, documents, changes and starts take?
 *
 *   control [--json] [--large | --turns | --pools | --limits] LBD FOLDER INTERFACE PIN_DIR
 *
 * With --pools: many VIPs that share pools, up to all limits.
 *
 * With --limits: 100,000 VIPs, 4,096 pools, 65,534 members. Each is applied, taken over after a kill
 * without a slot word changed, and changed. Exits with 1 when one of that goes wrong.
 *
 * With --large: what requests cost at large configurations, once each, how long another client
 * waits for a reply meanwhile, and the longest turn of lbd's loop by its own account. --turns: the
 * same of three shapes, without restarts.
 *
 * Tables are built in this process. For the rest LBD is started, with its state in FOLDER and on
 * INTERFACE, and asked over its socket; tests/bench/control.sh makes the namespace that it is
 * started in. Each figure is taken several times: the least and the median are printed. The least
 * says what the work costs, the median what a machine that is as busy as this one makes of it.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../../bpf/abi.h"
#include "../../lbd/api/rpc.h"
#include "../../lbd/table/table.h"

#define TABLE_SIZE 16381u /* of the VIPs in documents; tables alone have the default size */
#define BACKENDS 20
#define VIPS_MOST 1000
#define ROUNDS 5
#define CHANGES 21
#define REPLY_MAX (1u << 26)

struct bench {
	const char *lbd, *folder, *interface, *pin_dir;
	bool json;
	json_t *figures; /* {"what", "least_ms", "median_ms", "rounds"} */
	pid_t pid;
	int socket;
	char *reply; /* the last one, REPLY_MAX */
	uint32_t *slots;
	size_t slots_bytes;
};

/* --- figures --- */

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...)
{
	va_list arguments;

	fputs("control: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1); /* what was started ends with us, see start_lbd */
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

__attribute__((format(printf, 4, 5))) static void figure(struct bench *bench, double *ms,
							 size_t count, const char *format, ...)
{
	char what[128];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	qsort(ms, count, sizeof(*ms), compare_doubles);
	json_array_append_new(bench->figures,
			      json_pack("{s:s, s:f, s:f, s:i}", "what", what, "least_ms", ms[0],
					"median_ms", ms[count / 2], "rounds", (int)count));
	if (!bench->json) {
		printf("| %s | %.2f | %.2f |\n", what, ms[0], ms[count / 2]);
		fflush(stdout);
	}
}

/* --- tables --- */

static void tables(struct bench *bench, enum lb_table_kind kind, size_t count)
{
	static const uint64_t seed[2] = {0x0123456789abcdef, 0xfedcba9876543210};
	static struct table_member members[VIPS_MOST];
	double build[ROUNDS], update[ROUNDS];

	for (size_t i = 0; i < count; i++)
		members[i] = (struct table_member){
			.address = {.family = 4, .bytes = {10, 0, i >> 8, i & 255}},
			.weight = 10,
			.number = i};
	for (int round = 0; round < ROUNDS; round++) {
		struct table *table = table_new(kind, LB_TABLE_SIZE_DEFAULT, seed);
		double began = now_ms();

		if (!table || table_update(table, members, count))
			die("no memory for a table");
		build[round] = now_ms() - began;
		began = now_ms();
		members[count / 2].weight = 10 + (round + 1) % 2;
		if (table_update(table, members, count))
			die("no memory for a table");
		update[round] = now_ms() - began;
		members[count / 2].weight = 10;
		table_free(table);
	}
	figure(bench, build, ROUNDS, "table of %u slots, %s, %zu members: build",
	       LB_TABLE_SIZE_DEFAULT, lb_table_kind_name(kind), count);
	figure(bench, update, ROUNDS, "table of %u slots, %s, %zu members: one weight changes",
	       LB_TABLE_SIZE_DEFAULT, lb_table_kind_name(kind), count);
}

/* --- an lbd --- */

struct shape {
	uint32_t vips, slots, backends; /* the last two of each VIP, or of each pool */
	bool checked;                   /* by TCP, in vain */
	uint32_t pools;                 /* that the VIPs share; 0: each has its own */
};

static uint32_t pools_of(const struct shape *shape)
{
	return shape->pools ? shape->pools : shape->vips;
}

static void write_config(const struct bench *bench, const struct shape *shape)
{
	json_t *config = json_pack(
		"{s:[s], s:{s:s+, s:s}, s:s+, s:s, s:{s:s+, s:s}, s:{s:i, s:i, s:i, s:i}}",
		"interfaces", bench->interface, "control", "path", bench->folder, "/lbd.sock",
		"group", "", "state_dir", bench->folder, "/state", "pin_dir", bench->pin_dir,
		"exec_checks", "folder", bench->folder, "/checks", "user", "nobody", "limits",
		"vips", (int)shape->vips, "members", (int)(pools_of(shape) * shape->backends),
		"slots", (int)(pools_of(shape) * shape->slots), "flows", 1048576);
	char path[512];

	snprintf(path, sizeof(path), "%s/lbd.json", bench->folder);
	if (!config || json_dump_file(config, path, 0))
		die("cannot write %s", path);
	json_decref(config);
}

static int try_connect(const struct bench *bench)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/lbd.sock", bench->folder);
	if (fd >= 0 && !connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return fd;
	close(fd);
	return -1;
}

static void send_request(struct bench *bench, const char *method, const json_t *params)
{
	char *line = lb_request_line(1, method, params);
	size_t length = line ? strlen(line) : 0, sent = 0;

	while (sent < length) {
		ssize_t n = send(bench->socket, line + sent, length - sent, MSG_NOSIGNAL);

		if (n < 0)
			die("%s: %s", method, strerror(errno));
		sent += n;
	}
	free(line);
}

/* Adds what has come to the reply; true when the line is whole. */
static bool receive(struct bench *bench, size_t *length, int flags)
{
	ssize_t n = recv(bench->socket, bench->reply + *length, REPLY_MAX - *length, flags);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0)
		die("lbd hung up");
	*length += n;
	return bench->reply[*length - 1] == '\n';
}

/* The result of the reply, to be released. */
static json_t *result_of(const struct bench *bench, size_t length)
{
	struct lb_err err = {0};
	json_t *result;

	if (lb_reply_parse(bench->reply, length, 1, &result, &err))
		die("%s (%s)", err.message, err.hint);
	return result;
}

/* The time from the request's first byte to the reply's last. */
static double call(struct bench *bench, const char *method, const json_t *params, bool changes)
{
	double began = now_ms(), took;
	size_t length = 0;
	json_t *result;

	send_request(bench, method, params);
	while (!receive(bench, &length, 0))
		;
	took = now_ms() - began;
	result = result_of(bench, length);
	if (changes != json_is_true(json_object_get(result, "changed")))
		die("%s: %s", method, changes ? "nothing has changed" : "something has changed");
	json_decref(result);
	return took;
}

static double start_lbd(struct bench *bench)
{
	const struct timespec moment = {.tv_nsec = 1000000};
	double began = now_ms();
	char config[512];

	snprintf(config, sizeof(config), "%s/lbd.json", bench->folder);
	bench->pid = fork();
	if (!bench->pid) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDERR_FILENO);
		execl(bench->lbd, bench->lbd, "--config", config, (char *)NULL);
		_exit(127);
	}
	/* It is bound early, and answers when everything is in place. */
	while ((bench->socket = try_connect(bench)) < 0) {
		if (waitpid(bench->pid, NULL, WNOHANG) || now_ms() - began > 60000)
			die("lbd did not start");
		nanosleep(&moment, NULL);
	}
	call(bench, "version", NULL, false);
	return now_ms() - began;
}

/* Other limits want other maps. */
static void detach(const struct bench *bench)
{
	char config[512];
	pid_t pid;

	snprintf(config, sizeof(config), "%s/lbd.json", bench->folder);
	pid = fork();
	if (!pid) {
		execl(bench->lbd, bench->lbd, "--config", config, "--detach", (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

static void end_lbd(struct bench *bench, int signal)
{
	close(bench->socket);
	kill(bench->pid, signal);
	waitpid(bench->pid, NULL, 0);
}

/* --- documents --- */

/* Of a VIP of its own, or of a pool. */
static json_t *backends_json(const struct shape *shape, uint32_t number, int weight)
{
	json_t *backends = json_array();

	for (uint32_t i = 0; i < shape->backends; i++) {
		uint32_t n = number * shape->backends + i;
		json_t *address =
			json_sprintf("172.%u.%u.%u", 16 + (n >> 16), n >> 8 & 255, n & 255);

		json_array_append_new(
			backends, json_pack("{s:o, s:i}", "address", address, "weight", weight));
	}
	return backends;
}

static json_t *pool_json(const struct shape *shape, uint32_t number, int weight)
{
	return json_pack("{s:o, s:i, s:o}", "name", json_sprintf("p%u", number), "table_size",
			 (int)shape->slots, "backends", backends_json(shape, number, weight));
}

static json_t *vip_json(const struct shape *shape, uint32_t number, int weight)
{
	json_t *vip = json_pack(
		"{s:o, s:o}", "name", json_sprintf("v%u", number), "address",
		json_sprintf("203.%u.%u.%u:80/tcp", number >> 16, number >> 8 & 255, number & 255));

	if (shape->pools) {
		json_object_set_new(vip, "pool", json_sprintf("p%u", number % shape->pools));
		return vip;
	}
	json_object_set_new(vip, "table_size", json_integer(shape->slots));
	json_object_set_new(vip, "backends", backends_json(shape, number, weight));
	if (shape->checked)
		json_object_set_new(vip, "health",
				    json_pack("{s:s, s:i, s:i, s:i, s:i, s:i}", "type", "tcp",
					      "port", 80, "interval_ms", 5000, "timeout_ms", 500,
					      "rise", 1, "fall", 1));
	return vip;
}

/* {"document": …} */
static json_t *document_of(const struct shape *shape, int weight)
{
	json_t *vips = json_array(), *pools = json_array();

	for (uint32_t i = 0; i < shape->vips; i++)
		json_array_append_new(vips, vip_json(shape, i, weight));
	for (uint32_t i = 0; i < shape->pools; i++)
		json_array_append_new(pools, pool_json(shape, i, weight));
	return json_pack("{s:{s:o, s:o}}", "document", "pools", pools, "vips", vips);
}

static json_t *document(uint32_t count, int weight)
{
	const struct shape shape = {count, TABLE_SIZE, BACKENDS, false, 0};

	return document_of(&shape, weight);
}

static void documents(struct bench *bench, uint32_t count)
{
	double add[ROUNDS], same[ROUNDS], weights[ROUNDS], removed[ROUNDS];
	json_t *none = document(0, 0), *all = document(count, 10), *other = document(count, 7);

	for (int round = 0; round < ROUNDS; round++) {
		add[round] = call(bench, "config.apply", all, true);
		same[round] = call(bench, "config.apply", all, false);
		weights[round] = call(bench, "config.apply", other, true);
		removed[round] = call(bench, "config.apply", none, true);
	}
	figure(bench, add, ROUNDS, "document of %u VIPs: applied", count);
	figure(bench, same, ROUNDS, "document of %u VIPs: applied again", count);
	figure(bench, weights, ROUNDS, "document of %u VIPs: every weight changed", count);
	figure(bench, removed, ROUNDS, "document of %u VIPs: all removed", count);
	json_decref(none);
	json_decref(all);
	json_decref(other);
}

/* --- one change, and when its last slot word is written --- */

static void map_slots(struct bench *bench)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/slots", bench->pin_dir);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size))
		die("cannot open %s: %s", path, strerror(errno));
	bench->slots_bytes = (size_t)info.max_entries * info.value_size;
	bench->slots = mmap(NULL, bench->slots_bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (bench->slots == MAP_FAILED)
		die("cannot map %s: %s", path, strerror(errno));
	close(fd);
}

static const uint32_t *slots_of(const struct bench *bench, uint32_t vip)
{
	const struct lb_vip4_key key = {
		.address = htonl(203u << 24 | vip), .port = htons(80), .protocol = IPPROTO_TCP};
	struct lb_vip_value value;
	char path[256];
	int fd, error;

	snprintf(path, sizeof(path), "%s/vips4", bench->pin_dir);
	fd = bpf_obj_get(path);
	error = fd < 0 ? -errno : bpf_map_lookup_elem(fd, &key, &value);
	if (error)
		die("no VIP in %s: %s", path, strerror(-error));
	close(fd);
	return bench->slots + value.slots_start;
}

/* Takes over the owners of the slots; true when one is not what it was. */
static bool look(const uint32_t *words, uint16_t *owners)
{
	bool differs = false;

	for (uint32_t i = 0; i < TABLE_SIZE; i++) {
		uint16_t owner = __atomic_load_n(&words[i], __ATOMIC_RELAXED);

		differs |= owner != owners[i];
		owners[i] = owner;
	}
	return differs;
}

static json_t *set_weight(uint32_t vip, int weight)
{
	uint32_t n = vip * BACKENDS;

	return json_pack("{s:o, s:o, s:{s:i}}", "vip", json_sprintf("v%u", vip), "address",
			 json_sprintf("172.%u.%u.%u", 16 + (n >> 16), n >> 8 & 255, n & 255), "set",
			 "weight", weight);
}

/* The slots are looked at over and over until the reply is there. */
static double until_last_word(struct bench *bench, const uint32_t *words, const json_t *params,
			      double *reply)
{
	static uint16_t owners[TABLE_SIZE];
	double began, last = 0;
	size_t length = 0;

	look(words, owners);
	began = now_ms();
	send_request(bench, "backend.set", params);
	do {
		if (look(words, owners))
			last = now_ms() - began;
	} while (!receive(bench, &length, MSG_DONTWAIT));
	*reply = now_ms() - began;
	json_decref(result_of(bench, length));
	if (look(words, owners))
		last = now_ms() - began;
	if (!last)
		die("no slot has changed");
	return last;
}

static void single_changes(struct bench *bench, uint32_t vips)
{
	double last[CHANGES], reply[CHANGES];
	json_t *all = document(vips, 10);
	uint32_t vip = vips / 2;

	call(bench, "config.apply", all, true);
	json_decref(all);
	for (int round = 0; round < CHANGES; round++) {
		json_t *params = set_weight(vip, round % 2 ? 10 : 15);

		last[round] = until_last_word(bench, slots_of(bench, vip), params, &reply[round]);
		json_decref(params);
	}
	figure(bench, reply, CHANGES, "backend.set among %u VIPs: to its reply", vips);
	figure(bench, last, CHANGES, "backend.set among %u VIPs: to the last slot word", vips);
}

/* --- a health event, and when its last slot word is written --- */

/* A command is the check: a backend is ill while FOLDER has a file by its address. Of the first pool,
 * or of the first VIP. */
static json_t *checked_document(const struct bench *bench, const struct shape *shape)
{
	json_t *checked = document_of(shape, 10);
	json_t *first = json_array_get(json_object_get(json_object_get(checked, "document"),
						       shape->pools ? "pools" : "vips"),
				       0);

	json_object_set_new(first, "health",
			    json_pack("{s:s, s:i, s:i, s:i, s:i, s:[s, s]}", "type", "exec",
				      "interval_ms", 200, "timeout_ms", 200, "rise", 1, "fall", 1,
				      "command", "is-well", bench->folder));
	return checked;
}

/* "2026-01-31T23:59:59.123Z" */
static double time_of(const char *text)
{
	struct tm parts = {0};
	int ms = 0;

	if (sscanf(text, "%d-%d-%dT%d:%d:%d.%dZ", &parts.tm_year, &parts.tm_mon, &parts.tm_mday,
		   &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &ms) != 7)
		die("no time with milliseconds: %s", text);
	parts.tm_year -= 1900;
	parts.tm_mon -= 1;
	return timegm(&parts) * 1e3 + ms;
}

/* Whether the first backend is in `state`, and since when. */
static bool health_is(struct bench *bench, const char *state, double *since)
{
	json_t *params = json_pack("{s:s}", "vip", "v0"), *result, *health;
	size_t length = 0;
	bool is;

	send_request(bench, "backend.list", params);
	while (!receive(bench, &length, 0))
		;
	result = result_of(bench, length);
	health = json_object_get(
		json_array_get(json_object_get(json_array_get(json_object_get(result, "vips"), 0),
					       "backends"),
			       0),
		"health");
	is = health && !strcmp(json_string_value(json_object_get(health, "state")), state);
	if (is)
		*since = time_of(json_string_value(json_object_get(health, "since")));
	json_decref(params);
	json_decref(result);
	return is;
}

static double clock_real_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/* Looks at the slots until they have changed, and then not for 50 ms; when they did last. */
static double last_change(const uint32_t *words, uint16_t *owners, double end_ms)
{
	double last = 0, last_real = 0;

	while (!last || now_ms() - last < 50) {
		if (look(words, owners)) {
			last = now_ms();
			last_real = clock_real_ms();
		}
		if (now_ms() > end_ms)
			die("no slot has changed");
	}
	return last_real;
}

/* On a busy machine another backend's check may fail before. */
static double after_event(struct bench *bench, const uint32_t *words, uint16_t *owners,
			  const char *state)
{
	const double end_ms = now_ms() + 10000;
	double last, since;

	do {
		last = last_change(words, owners, end_ms);
	} while (!health_is(bench, state, &since));
	return last - since;
}

static void health_events(struct bench *bench, const struct shape *shape, const char *of)
{
	static uint16_t owners[TABLE_SIZE];
	double ill[CHANGES], well[CHANGES], since;
	json_t *checked = checked_document(bench, shape);
	const uint32_t *words;
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/ill-172.16.0.0", bench->folder);
	call(bench, "config.apply", checked, true);
	for (double began = now_ms(); !health_is(bench, "healthy", &since);)
		if (now_ms() - began > 10000)
			die("no backend becomes healthy: %s", bench->reply);
	words = slots_of(bench, 0);
	look(words, owners);
	for (int round = 0; round < CHANGES; round++) {
		fd = open(path, O_CREAT | O_WRONLY, 0600);
		close(fd);
		ill[round] = after_event(bench, words, owners, "unhealthy");
		unlink(path);
		well[round] = after_event(bench, words, owners, "healthy");
	}
	figure(bench, ill, CHANGES, "%sbackend fails its check: to the last slot word", of);
	figure(bench, well, CHANGES, "%sbackend passes it again: to the last slot word", of);
	json_decref(checked);
}

/* --- large configurations, and how long others wait meanwhile --- */

/* For how long that thread was ready to run, but others had the processors. */
static double waited_by(const char *schedstat)
{
	FILE *file = fopen(schedstat, "r");
	unsigned long long ns = 0;

	if (file && fscanf(file, "%*u %llu", &ns) != 1)
		ns = 0;
	if (file)
		fclose(file);
	return ns / 1e6;
}

/* The same of this thread and all of lbd's. */
static double waited_ms(pid_t lbd)
{
	double ms = waited_by("/proc/thread-self/schedstat");
	char path[64];
	struct dirent *entry;
	DIR *threads;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)lbd);
	threads = opendir(path);
	while (threads && (entry = readdir(threads))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/schedstat", (int)lbd,
			 entry->d_name);
		ms += waited_by(path);
	}
	if (threads)
		closedir(threads);
	return ms;
}

/* Asks for the version and the status over and over. What lbd or this process waited for a processor
 * does not count, so that the waits are those of an idle machine, or less. */
struct prober {
	struct bench bench; /* with a connection and a reply of its own */
	pthread_t thread;
	bool stop;
	double longest_ms;
};

static void *probe(void *arg)
{
	const struct timespec moment = {.tv_nsec = 1000000};
	struct prober *prober = arg;

	for (int i = 0; !__atomic_load_n(&prober->stop, __ATOMIC_RELAXED); i++) {
		double waited = waited_ms(prober->bench.pid);
		double took = call(&prober->bench, i % 4 ? "version" : "status", NULL, false);

		took -= waited_ms(prober->bench.pid) - waited;
		if (took > prober->longest_ms)
			prober->longest_ms = took;
		nanosleep(&moment, NULL);
	}
	return NULL;
}

static void prober_begin(struct prober *prober, const struct bench *bench)
{
	*prober = (struct prober){.bench = *bench};
	prober->bench.reply = malloc(REPLY_MAX);
	prober->bench.socket = try_connect(bench);
	if (!prober->bench.reply || prober->bench.socket < 0 ||
	    pthread_create(&prober->thread, NULL, probe, prober))
		die("cannot watch lbd");
}

static double prober_end(struct prober *prober)
{
	__atomic_store_n(&prober->stop, true, __ATOMIC_RELAXED);
	pthread_join(prober->thread, NULL);
	close(prober->bench.socket);
	free(prober->bench.reply);
	return prober->longest_ms;
}

/* Since lbd answers. */
static void longest_turn(struct bench *bench, const char *shape)
{
	size_t length = 0;
	json_t *status, *turn;
	double ms;

	send_request(bench, "status", NULL);
	while (!receive(bench, &length, 0))
		;
	status = result_of(bench, length);
	turn = json_object_get(status, "longest_turn");
	ms = json_number_value(json_object_get(turn, "cpu_us")) / 1000;
	figure(bench, &ms, 1, "%s: longest turn (%s)", shape,
	       json_string_value(json_object_get(turn, "what")));
	json_decref(status);
}

/* What one request takes, and the longest wait from then to a moment after its reply. */
static void watched(struct bench *bench, const char *shape, const char *what, const char *method,
		    const json_t *params, bool changes)
{
	const struct timespec after = {.tv_nsec = 500000000}; /* what a change begins, ends */
	struct prober prober;
	double took, turn;

	prober_begin(&prober, bench);
	took = call(bench, method, params, changes);
	nanosleep(&after, NULL);
	turn = prober_end(&prober);
	figure(bench, &took, 1, "%s: %s", shape, what);
	figure(bench, &turn, 1, "%s: %s: longest wait of another client", shape, what);
}

static void large_one(struct bench *bench, const struct shape *shape, bool restarts)
{
	json_t *all = document_of(shape, 10), *one = set_weight(0, 7), *none = json_object();
	char name[128];
	double start;

	snprintf(name, sizeof(name), "%u VIPs, %u slots, %u %sbackends", shape->vips, shape->slots,
		 shape->backends, shape->checked ? "checked " : "");
	write_config(bench, shape);
	start_lbd(bench);
	watched(bench, name, "applied", "config.apply", all, true);
	watched(bench, name, "applied again", "config.apply", all, false);
	watched(bench, name, "one weight changes", "backend.set", one, true);
	watched(bench, name, "backends listed", "backend.list", none, false);
	watched(bench, name, "document exported", "config.export", none, false);
	if (restarts) {
		longest_turn(bench, name);
		end_lbd(bench, SIGKILL);
		start = start_lbd(bench);
		figure(bench, &start, 1, "%s: start after a kill", name);
	}
	watched(bench, name, "all removed", "config.apply", document(0, 0), true);
	longest_turn(bench, name);
	end_lbd(bench, SIGTERM);
	json_decref(all);
	json_decref(one);
	json_decref(none);
}

/* --- many VIPs that share pools --- */

static json_t *pool_weight(int weight)
{
	return json_pack("{s:s, s:s, s:{s:i}}", "vip", "p0", "address", "172.16.0.0", "set",
			 "weight", weight);
}

static void pool_changes(struct bench *bench, const char *name)
{
	double last[CHANGES], reply[CHANGES];

	for (int round = 0; round < CHANGES; round++) {
		json_t *params = pool_weight(round % 2 ? 10 : 15);

		last[round] = until_last_word(bench, slots_of(bench, 0), params, &reply[round]);
		json_decref(params);
	}
	figure(bench, reply, CHANGES, "%s: backend.set: to its reply", name);
	figure(bench, last, CHANGES, "%s: backend.set: to the last slot word", name);
}

/* Whatever that ends. */
static json_t *nothing(void)
{
	json_t *none = document(0, 0);

	json_object_set_new(none, "force", json_true());
	return none;
}

static void pool_documents(struct bench *bench, const char *name, const struct shape *shape)
{
	double add[ROUNDS], same[ROUNDS], removed[ROUNDS];
	json_t *none = nothing(), *all = document_of(shape, 10);
	const int rounds = shape->vips > 1000 || shape->backends > 1000 ? 1 : ROUNDS;

	for (int round = 0; round < rounds; round++) {
		add[round] = call(bench, "config.apply", all, true);
		same[round] = call(bench, "config.apply", all, false);
		removed[round] = call(bench, "config.apply", none, true);
	}
	call(bench, "config.apply", all, true);
	figure(bench, add, rounds, "%s: applied", name);
	figure(bench, same, rounds, "%s: applied again", name);
	figure(bench, removed, rounds, "%s: all removed", name);
	json_decref(none);
	json_decref(all);
}

static double number_in(const char *path, const char *format)
{
	FILE *file = fopen(path, "r");
	char line[256];
	double value = 0;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, format, &value) == 1)
			break;
	if (file)
		fclose(file);
	return value;
}

/* Of lbd itself, without what it maps, and of all maps that are pinned. In MiB, whatever the heading. */
static void memory(struct bench *bench, const char *name)
{
	double own, maps = 0;
	struct dirent *entry;
	DIR *pins = opendir(bench->pin_dir);
	char path[512];

	while (pins && (entry = readdir(pins))) {
		int fd;

		snprintf(path, sizeof(path), "%s/%.200s", bench->pin_dir, entry->d_name);
		fd = bpf_obj_get(path);
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
		if (fd >= 0)
			maps += number_in(path, "memlock: %lf") / 1048576;
		close(fd);
	}
	if (pins)
		closedir(pins);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)bench->pid);
	own = number_in(path, "RssAnon: %lf") / 1024;
	figure(bench, &own, 1, "%s: memory of lbd, in MiB", name);
	figure(bench, &maps, 1, "%s: memory of its maps, in MiB", name);
}

static void pools_one(struct bench *bench, const struct shape *shape)
{
	json_t *none = nothing();
	char name[128], of[160];
	double start;

	snprintf(name, sizeof(name), "%u VIPs, pools: %u of %u", shape->vips, shape->pools,
		 shape->backends);
	snprintf(of, sizeof(of), "%s: ", name);
	write_config(bench, shape);
	start_lbd(bench);
	map_slots(bench);
	pool_documents(bench, name, shape);
	if (shape->slots == TABLE_SIZE)
		pool_changes(bench, name);
	memory(bench, name);
	end_lbd(bench, SIGKILL);
	start = start_lbd(bench);
	figure(bench, &start, 1, "%s: start after a kill", name);
	if (shape->slots == TABLE_SIZE)
		health_events(bench, shape, of);
	call(bench, "config.apply", none, true);
	json_decref(none);
	longest_turn(bench, name);
	end_lbd(bench, SIGTERM);
	munmap(bench->slots, bench->slots_bytes);
}

static void run_pools(struct bench *bench)
{
	static const struct shape shapes[] = {
		{1000, TABLE_SIZE, 20, false, 1},    {10000, TABLE_SIZE, 20, false, 1},
		{100000, TABLE_SIZE, 100, false, 1}, {4096, 251, 15, false, 4096},
		{1, 65537, 65534, false, 1},
	};

	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		if (i)
			detach(bench);
		pools_one(bench, &shapes[i]);
	}
}

/* --- limits --- */

/* An lbd that starts takes over all that was in force: the document has nothing to change. */
static void limits_restart(struct bench *bench, const char *name, const json_t *all)
{
	uint32_t *before = malloc(bench->slots_bytes);
	double start;

	if (!before)
		die("no memory for slots");
	memcpy(before, bench->slots, bench->slots_bytes);
	end_lbd(bench, SIGKILL);
	start = start_lbd(bench);
	figure(bench, &start, 1, "%s: start after a kill", name);
	if (memcmp(before, bench->slots, bench->slots_bytes))
		die("%s: a start has changed slots", name);
	call(bench, "config.apply", all, false);
	free(before);
}

static void limits_one(struct bench *bench, const char *name, const struct shape *shape)
{
	json_t *all = document_of(shape, 10), *one = pool_weight(15), *none = nothing();
	double took;

	write_config(bench, shape);
	start_lbd(bench);
	map_slots(bench);
	took = call(bench, "config.apply", all, true);
	figure(bench, &took, 1, "%s: applied", name);
	limits_restart(bench, name, all);
	took = call(bench, "backend.set", one, true);
	figure(bench, &took, 1, "%s: one weight changes", name);
	took = call(bench, "config.apply", none, true);
	figure(bench, &took, 1, "%s: all removed", name);
	end_lbd(bench, SIGTERM);
	munmap(bench->slots, bench->slots_bytes);
	detach(bench); /* other limits want other maps */
	json_decref(all);
	json_decref(one);
	json_decref(none);
}

static void run_limits(struct bench *bench)
{
	static const struct shape vips = {100000, TABLE_SIZE, BACKENDS, false, 1},
				  pools = {4096, 251, 1, false, 4096},
				  members = {1, LB_TABLE_SIZE_DEFAULT, LB_MEMBERS_MAX, false, 1};

	limits_one(bench, "100,000 VIPs", &vips);
	limits_one(bench, "4,096 pools", &pools);
	limits_one(bench, "65,534 members", &members);
}

/* --- starts --- */

static void starts(struct bench *bench)
{
	double killed[ROUNDS], stopped[ROUNDS];

	for (int round = 0; round < ROUNDS; round++) {
		end_lbd(bench, SIGKILL);
		killed[round] = start_lbd(bench);
		end_lbd(bench, SIGTERM);
		stopped[round] = start_lbd(bench);
	}
	figure(bench, killed, ROUNDS, "start with %u VIPs, after a kill: to the first reply",
	       VIPS_MOST);
	figure(bench, stopped, ROUNDS, "start with %u VIPs, after a stop: to the first reply",
	       VIPS_MOST);
}

static void run_large(struct bench *bench, bool turns_only)
{
	static const struct shape shapes[] = {
		{1000, 16381, 20, true, 0},   {20000, 251, 2, false, 0},
		{1, 1048573, 4090, false, 0}, {1, 251, 20000, true, 0},
		{1, 65537, 30000, false, 0},
	};
	const size_t count = sizeof(shapes) / sizeof(*shapes) - turns_only;

	for (size_t i = 0; i < count; i++) {
		if (i)
			detach(bench);
		large_one(bench, &shapes[i], !turns_only);
	}
}

static void run(struct bench *bench)
{
	static const struct shape most = {2 * VIPS_MOST, TABLE_SIZE, BACKENDS, false, 0};
	static const struct shape one = {1, TABLE_SIZE, BACKENDS, false, 0};
	static const size_t counts[] = {10, 100, 1000};
	json_t *none = document(0, 0);

	for (size_t i = 0; i < 3; i++)
		tables(bench, LB_TABLE_RENDEZVOUS, counts[i]);
	for (size_t i = 0; i < 3; i++)
		tables(bench, LB_TABLE_MAGLEV, counts[i]);
	write_config(bench, &most);
	start_lbd(bench);
	map_slots(bench);
	for (size_t i = 0; i < 3; i++)
		documents(bench, counts[i]);
	single_changes(bench, 10);
	call(bench, "config.apply", none, true);
	health_events(bench, &one, "");
	call(bench, "config.apply", none, true);
	single_changes(bench, VIPS_MOST);
	starts(bench);
	end_lbd(bench, SIGTERM);
	munmap(bench->slots, bench->slots_bytes);
	json_decref(none);
}

int main(int argc, char **argv)
{
	struct bench bench = {.figures = json_array(), .reply = malloc(REPLY_MAX)};
	bool large = false, turns = false, pools = false, limits = false;

	for (; argc > 1 && argv[1][0] == '-'; argc--, argv++) {
		bench.json |= !strcmp(argv[1], "--json");
		large |= !strcmp(argv[1], "--large");
		turns |= !strcmp(argv[1], "--turns");
		pools |= !strcmp(argv[1], "--pools");
		limits |= !strcmp(argv[1], "--limits");
	}
	if (argc != 5 || !bench.reply) {
		fprintf(stderr, "usage: control [--json] [--large | --turns | --pools | --limits] "
				"LBD FOLDER INTERFACE PIN_DIR\n");
		return 2;
	}
	bench.lbd = argv[1];
	bench.folder = argv[2];
	bench.interface = argv[3];
	bench.pin_dir = argv[4];
	if (!bench.json)
		printf("| what | least ms | median ms |\n|---|---|---|\n");
	if (pools)
		run_pools(&bench);
	else if (limits)
		run_limits(&bench);
	else if (large || turns)
		run_large(&bench, turns);
	else
		run(&bench);
	if (bench.json)
		json_dumpf(bench.figures, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
	json_decref(bench.figures);
	free(bench.reply);
	return 0;
}

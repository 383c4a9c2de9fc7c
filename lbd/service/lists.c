// SPDX-License-Identifier: BSD-2-Clause
/* What is on the lists of prefixes, on disk and in the data plane? See lists.h. */
#include "lists.h"

#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "../api/clock.h"
#include "../host/durable.h"
#include "../host/events.h"
#include "../host/log.h"
#include "../host/simulation.h"
#include "../host/worker.h"
#include "../plane/guard.h"
#include "listed.h"

#define FOLDER "lists"
#define SUFFIX ".list"
#define SETTLE_MS 20
#define TICK_MS 1000 /* prefixes leave lists so much too late */
#define RETRY_S 10
#define FILL_TRIES 4
#define LIVE_MOST 20000   /* so many changes at once are written to tables of their own */
#define COMPACT_MIN 10000 /* lines that a file may have beyond its prefixes, and as many again */

/* What a list has had in memory alone, until lists_settle. */
struct waiting {
	struct list_change *changes, *before; /* how to take each back */
	size_t count, room;
	struct list_end end; /* where they end in its file */
};

struct list {
	char name[LB_NAME_TEXT]; /* "": this number is free */
	struct list_head head;
	struct list_end end;
	bool fresh; /* it has no file yet */
	struct waiting waiting;
};

struct lists {
	struct lists_options options;
	struct service *service;
	char folder[DURABLE_PATH];
	struct list list[LB_GUARD_LISTS_MAX];
	json_t *unread; /* by the name of a list: what is wrong with its file */
	struct listed listed;
	struct guard_flat flat;
	bool in_place; /* flat is what packets meet */
	bool changing; /* a worker is at it, perhaps without the turn */
	bool behind;   /* packets do not meet what is listed, for this reason: */
	char fault[256];
	uint32_t retry_s; /* when that is tried again */
	struct timer *settle, *tick;
	struct worker *worker; /* for changes */
	struct worker_job job; /* of the tick */
	bool queued;
};

/* --- lists --- */

static int find(const struct lists *lists, const char *name)
{
	for (int i = 0; i < (int)LB_GUARD_LISTS_MAX; i++)
		if (*name && !strcmp(lists->list[i].name, name))
			return i;
	return -1;
}

static int unknown(const char *name, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_NOT_FOUND, "name", "there is no list \"%s\"", name);
	return lb_err_hint(err, "see: lbctl list show");
}

static uint16_t allowing(const struct lists *lists)
{
	uint16_t mask = 0;

	for (unsigned int i = 0; i < LB_GUARD_LISTS_MAX; i++)
		if (*lists->list[i].name && lists->list[i].head.allow)
			mask |= 1u << i;
	return mask;
}

static bool is_any(const struct lists *lists)
{
	for (unsigned int i = 0; i < LB_GUARD_LISTS_MAX; i++)
		if (*lists->list[i].name)
			return true;
	return false;
}

static bool is_for(const struct list_head *head, const struct lb_endpoint *vip)
{
	if (!head->vip_count)
		return true;
	for (size_t i = 0; vip && i < head->vip_count; i++)
		if (!lb_endpoint_compare(&head->vips[i], vip))
			return true;
	return false;
}

struct lb_guard_vip lists_guard(const void *user, const struct lb_endpoint *vip)
{
	const struct lists *lists = user;
	struct lb_guard_vip out = {0};

	for (unsigned int i = 0; i < LB_GUARD_LISTS_MAX; i++) {
		const struct list *list = &lists->list[i];

		if (!*list->name || list->fresh || !is_for(&list->head, vip))
			continue;
		*(list->head.monitor ? &out.monitored : &out.lists) |= 1u << i;
		out.rules = LB_GUARD_LISTS;
	}
	return out;
}

static void file_name(const char *name, char out[LB_NAME_TEXT + 8])
{
	snprintf(out, LB_NAME_TEXT + 8, "%s" SUFFIX, name);
}

static uint32_t now_s(const struct lists *lists)
{
	const struct timers *timers = &lists->options.timers;

	return (uint32_t)(timers->now_ns(timers->base, CLOCK_REALTIME) / 1000000000);
}

/* --- in the data plane --- */

static void tell_service(struct lists *lists)
{
	if (lists->service)
		service_guard(lists->service);
}

static void draw(uint64_t secret[4])
{
	if (getrandom(secret, 4 * sizeof(*secret), 0) != 4 * sizeof(*secret))
		for (int i = 0; i < 4; i++)
			secret[i] = lb_clock_ns(CLOCK_MONOTONIC) * 0x9e3779b97f4a7c15ull + i;
}

/* Into tables that are made anew, beside those that packets meet. 0, -ENOSPC without a word, or another error. */
static int fill_once(struct lists *lists, const struct guard_sizes *sizes, struct lb_err *err)
{
	struct datapath *datapath = lists->options.datapath;
	struct guard_memory memory;
	uint64_t secret[4];
	int error = datapath_guard_load(datapath, sizes, err);

	if (error)
		return error == -ENOSPC ? -EIO : error;
	draw(secret);
	memory = datapath_guard_maps(datapath).lists;
	lists->in_place = false;
	worker_leave();
	error = guard_flat_fill(&lists->flat, &memory, &lists->listed.trie, allowing(lists),
				secret);
	worker_enter();
	if (error)
		datapath_guard_forget(datapath);
	return error ? -ENOSPC : 0;
}

/* A word has few places where it may stand, by a secret: some secrets leave one without. Then another secret
 * finds them, and twice the room. */
static int fill(struct lists *lists, struct lb_err *err)
{
	struct guard_sizes sizes = {guard_flat_needs(&lists->listed.trie)};
	int error = fill_once(lists, &sizes, err);

	for (int i = 0; error == -ENOSPC && lists->flat.combos < LB_GUARD_COMBOS && i < FILL_TRIES;
	     i++) {
		sizes.lists.lines4 *= 2;
		sizes.lists.lines6 *= 2;
		error = fill_once(lists, &sizes, err);
	}
	if (error == -ENOSPC && lists->flat.combos < LB_GUARD_COMBOS)
		return lb_err_set(err, LB_ERR_LIMIT, "prefixes", "tables of prefixes are full");
	if (error == -ENOSPC)
		return lb_err_set(err, LB_ERR_LIMIT, "prefixes",
				  "lists overlap in more than %u ways", LB_GUARD_COMBOS - 1);
	if (!error)
		error = datapath_guard_enter(lists->options.datapath, GUARD_LISTS, err);
	lists->in_place = !error;
	return error;
}

/* Packets meet what is listed, or it is tried again. */
static int refill(struct lists *lists, struct lb_err *err)
{
	struct lb_err own;
	int error;

	err = err ? err : &own;
	error = fill(lists, err);
	lists->behind = error;
	if (error) {
		snprintf(lists->fault, sizeof(lists->fault), "%s", err->message);
		lists->retry_s = now_s(lists) + RETRY_S;
		log_line(LOG_LEVEL_WARNING, "lists are not in force: %s", err->message);
	}
	tell_service(lists);
	return error;
}

static void settle_later(struct lists *lists)
{
	const struct timers *timers = &lists->options.timers;

	if (!timers->pending(lists->settle))
		timers->set(lists->settle, SETTLE_MS);
	if ((lists->listed.expires_s || lists->behind) && !timers->pending(lists->tick))
		timers->set(lists->tick, TICK_MS);
}

static bool is_followed(const struct lists *lists, size_t changes)
{
	return lists->in_place && !lists->behind && changes <= LIVE_MOST;
}

/* Where packets look. A prefix alone may have thousands of cells, or a filter be filled for it. -ENOSPC: it takes other
 * tables. */
static int write_words(struct lists *lists, const struct list_change *changes, size_t count)
{
	int error = 0;

	for (size_t i = 0; !error && i < count; i++) {
		const struct guard_prefix prefix = listed_inner(&changes[i].prefix);

		error = guard_flat_change(&lists->flat, &prefix);
	}
	return error;
}

/* What is listed has changed so. */
static int follow(struct lists *lists, const struct list_change *changes, size_t count,
		  struct lb_err *err)
{
	int error = -ENOSPC;

	worker_leave();
	if (is_followed(lists, count))
		error = write_words(lists, changes, count);
	worker_enter();
	return error == -ENOSPC ? refill(lists, err) : error;
}

static void on_settle(void *user)
{
	struct lists *lists = user;

	if (lists->changing)
		settle_later(lists);
	else if (lists->in_place)
		guard_flat_settle(&lists->flat);
}

/* --- to disk. What takes long, and not the loop's time: without the turn. What lists have stays so meanwhile, since
 * this worker alone changes it. --- */

static int write_whole(const struct lists *lists, const char *list, const struct list_head *head,
		       const struct list_change *changes, size_t count, struct list_end *end,
		       struct lb_err *err)
{
	char name[LB_NAME_TEXT + 8];

	file_name(list, name);
	return list_file_replace(lists->folder, name, head, changes, count, end, err);
}

/* The whole list, with this head. */
static int rewrite(const struct lists *lists, unsigned int list, const struct list_head *head,
		   struct list_end *end, struct lb_err *err)
{
	struct gathered all = listed_gather(&lists->listed, list, false, SIZE_MAX);
	int error = all.changes ? write_whole(lists, lists->list[list].name, head, all.changes,
					      all.count, end, err)
				: lb_err_no_memory(err);

	free(all.changes);
	return error;
}

/* A file that is mostly of what is gone is written again. Where that fails it stays as it is. */
static void compact(struct lists *lists, unsigned int list)
{
	struct list *at = &lists->list[list];
	struct lb_err err;

	if (at->end.changes > 2 * (size_t)lists->listed.prefixes[list] + COMPACT_MIN)
		rewrite(lists, list, &at->head, &at->end, &err);
}

static int append(const struct lists *lists, const char *list, const struct list_change *changes,
		  size_t count, struct list_end *end, struct lb_err *err)
{
	char name[LB_NAME_TEXT + 8], path[DURABLE_PATH];
	int error;

	file_name(list, name);
	error = durable_path(lists->folder, name, path, err);
	return error ? error : list_file_append(path, changes, count, end, err);
}

/* --- time --- */

/* All at once to the file, as if they were deleted: a clock that is set back does not bring them back. */
static void note_gone(struct lists *lists, unsigned int list, const struct gathered *gone)
{
	struct list *at = &lists->list[list];
	struct lb_err err;
	int error;

	worker_leave();
	error = append(lists, at->name, gone->changes, gone->count, &at->end, &err);
	compact(lists, list);
	worker_enter();
	if (error)
		log_line(LOG_LEVEL_WARNING,
			 "list %s: its file does not say that the time of %zu prefixes is over: %s",
			 at->name, gone->count, err.message);
}

static void expire_of(struct lists *lists, unsigned int list)
{
	struct gathered due = listed_gather_due(&lists->listed, list, now_s(lists));

	for (size_t i = 0; i < due.count; i++) {
		listed_change(&lists->listed, list, &due.changes[i]);
		worker_yield();
	}
	if (due.count && !lists->behind)
		follow(lists, due.changes, due.count, NULL);
	if (due.count)
		note_gone(lists, list, &due);
	free(due.changes);
}

static void expire(struct lists *lists)
{
	for (unsigned int i = 0; i < LB_GUARD_LISTS_MAX; i++)
		if (lists->listed.leaving[i])
			expire_of(lists, i);
	lists->listed.expires_s = listed_next_expiry(&lists->listed);
}

/* By the worker for changes, since what loads the guard must be alone. */
static void tick(struct worker_job *job)
{
	struct lists *lists = (struct lists *)((char *)job - offsetof(struct lists, job));

	lists->queued = false;
	lists->changing = true;
	if (lists->listed.expires_s && now_s(lists) >= lists->listed.expires_s)
		expire(lists);
	if (lists->behind && now_s(lists) >= lists->retry_s)
		refill(lists, NULL);
	lists->changing = false;
	settle_later(lists);
}

static void on_tick(void *user)
{
	struct lists *lists = user;
	const uint32_t now = now_s(lists);
	const bool due = (lists->listed.expires_s && now >= lists->listed.expires_s) ||
			 (lists->behind && now >= lists->retry_s);

	if (due && lists->worker && !lists->queued) {
		lists->queued = true;
		worker_do(lists->worker, &lists->job);
	} else {
		settle_later(lists);
	}
}

/* --- changes --- */

/* What an edit is about: a list that there is, or a number for a new one. */
struct target {
	int number;
	bool fresh;
	struct list_head head; /* as it will be */
};

static int free_number(const struct lists *lists, struct lb_err *err)
{
	if (simulation_is_on())
		return lb_err_set(err, LB_ERR_REFUSED, "", "this lbd simulates, and has no guard");
	for (int i = 0; i < (int)LB_GUARD_LISTS_MAX; i++)
		if (!*lists->list[i].name)
			return i;
	return lb_err_set(err, LB_ERR_LIMIT, "name", "there are %u lists already",
			  LB_GUARD_LISTS_MAX);
}

static struct list_head wished(struct list_head head, const struct list_wish *wish)
{
	if (wish->kind)
		head.allow = wish->head.allow;
	if (wish->monitor)
		head.monitor = wish->head.monitor;
	if (wish->vips) {
		head.vip_count = wish->head.vip_count;
		memcpy(head.vips, wish->head.vips, sizeof(head.vips));
	}
	return head;
}

static int aim(const struct lists *lists, const struct list_edit *edit, struct target *to,
	       struct lb_err *err)
{
	const int number = find(lists, edit->name);

	*to = (struct target){.number = number, .fresh = number < 0};
	if (to->fresh)
		to->number = free_number(lists, err);
	else
		to->head = lists->list[number].head;
	to->head = wished(to->head, &edit->wish);
	return to->number < 0 ? -EINVAL : 0;
}

static bool is_head(const struct list_head *a, const struct list_head *b)
{
	if (a->allow != b->allow || a->monitor != b->monitor || a->vip_count != b->vip_count)
		return false;
	for (size_t i = 0; i < a->vip_count; i++)
		if (lb_endpoint_compare(&a->vips[i], &b->vips[i]) != 0)
			return false;
	return true;
}

static void name_list(struct lists *lists, const struct target *to, const char *name)
{
	struct list *list = &lists->list[to->number];

	snprintf(list->name, sizeof(list->name), "%s", name);
	list->head = to->head;
	if (to->fresh)
		datapath_guard_hits_reset(lists->options.datapath, (uint32_t)to->number);
}

/* What is on disk is what the list is. */
static void establish(struct lists *lists, const struct target *to, const char *name,
		      const struct list_end *end)
{
	name_list(lists, to, name);
	lists->list[to->number].end = *end;
	json_object_del(lists->unread, name);
}

/* Another whole, beside the one that is in force: the list has these prefixes. *gone: those that it has now. */
static int rebuild(const struct lists *lists, unsigned int list, const struct list_edit *edit,
		   struct listed *next, struct gathered *gone, struct lb_err *err)
{
	int error;

	worker_leave();
	error = listed_replace(&lists->listed, list, edit->changes, edit->count, next, gone);
	worker_enter();
	return error ? lb_err_no_memory(err) : 0;
}

/* At one moment. */
static void put_in_force(struct lists *lists, const struct listed *next)
{
	struct listed before = lists->listed;

	lists->listed = *next;
	worker_leave();
	listed_clear(&before);
	worker_enter();
}

static int not_met(int error, struct lb_err *err)
{
	if (error)
		lb_err_hint(err, "the change is on disk; lbd tries again every 10 seconds, and at "
				 "its next start");
	return error;
}

static void tell(struct lists *lists, const char *name, const char *what, size_t count)
{
	events_emit(lists->options.events,
		    json_pack("{s:s, s:s, s:s, s:I}", "event", "list", "list", name, "state", what,
			      "prefixes", (json_int_t)count));
}

static int check_head(const struct list *list, const struct list_head *head, struct lb_err *err)
{
	if (is_head(head, &list->head))
		return 0;
	lb_err_set(err, LB_ERR_EXISTS, "name",
		   "list \"%s\" is of another kind or mode, or for other VIPs", list->name);
	return lb_err_hint(err, "lbctl list set gives a list another one");
}

static void forget_list(struct list *list)
{
	const struct waiting waiting = list->waiting;

	*list = (struct list){.waiting = waiting};
}

static int not_there(const struct list_edit *edit, size_t i, struct lb_err *err)
{
	char path[32], text[LB_PREFIX_TEXT];

	snprintf(path, sizeof(path), "prefixes[%zu]", i);
	lb_err_set(err, LB_ERR_NOT_FOUND, path, "%s is not on list \"%s\"",
		   lb_prefix_format(&edit->changes[i].prefix, text), edit->name);
	return lb_err_hint(err, "see: lbctl list explain ADDRESS");
}

static int make_room(struct waiting *waiting, size_t more)
{
	const size_t room = 2 * waiting->count + more;
	void *changes, *before;

	if (waiting->count + more <= waiting->room)
		return 0;
	changes = reallocarray(waiting->changes, room, sizeof(*waiting->changes));
	if (changes)
		waiting->changes = changes;
	before = reallocarray(waiting->before, room, sizeof(*waiting->before));
	if (before)
		waiting->before = before;
	if (!changes || !before)
		return -ENOMEM;
	waiting->room = room;
	return 0;
}

/* Only what makes a difference waits. */
static int sift(struct lists *lists, int number, const struct list_edit *edit, struct lb_err *err)
{
	struct waiting *waiting = &lists->list[number].waiting;

	if (make_room(waiting, edit->count))
		return lb_err_no_memory(err);
	for (size_t i = 0; i < edit->count; i++) {
		struct list_change change = edit->changes[i], before = change;
		const bool has =
			listed_has(&lists->listed, number, &change.prefix, &before.until_s);

		worker_yield();
		if (change.gone && !has && !edit->if_present)
			return not_there(edit, i, err);
		if (change.gone ? !has : has && before.until_s == change.until_s)
			continue;
		before.gone = !has;
		waiting->changes[waiting->count] = change;
		waiting->before[waiting->count++] = before;
	}
	return 0;
}

static int take_changes(struct lists *lists, int number, const struct list_change *changes,
			size_t count, struct lb_err *err)
{
	int error = 0;

	for (size_t i = 0; i < count && error >= 0; i++) {
		error = listed_change(&lists->listed, number, &changes[i]);
		worker_yield();
	}
	return error < 0 ? lb_err_no_memory(err) : 0;
}

/* Of a list's changes those behind the first ones. */
static void take_back(struct lists *lists, int number, size_t first)
{
	struct waiting *waiting = &lists->list[number].waiting;

	while (waiting->count > first) {
		listed_change(&lists->listed, number, &waiting->before[--waiting->count]);
		worker_yield();
	}
}

static int finish(struct lists *lists, int error)
{
	lists->changing = false;
	settle_later(lists);
	return error;
}

static int change(struct lists *lists, const struct list_edit *edit, const struct target *to,
		  struct lb_err *err)
{
	struct waiting *waiting = &lists->list[to->number].waiting;
	const size_t first = waiting->count;
	int error = 0;

	if (!to->fresh)
		error = check_head(&lists->list[to->number], &to->head, err);
	if (!error)
		error = sift(lists, to->number, edit, err);
	if (!error)
		error = listed_check(&lists->listed, waiting->changes + first,
				     waiting->count - first, 0, err);
	if (error) {
		waiting->count = first; /* the rest is nowhere else yet */
		return error;
	}
	error = take_changes(lists, to->number, waiting->changes + first, waiting->count - first,
			     err);
	if (error)
		take_back(lists, to->number, first);
	return error;
}

int lists_change(struct lists *lists, const struct list_edit *edit, bool *changed,
		 struct lb_err *err)
{
	struct target to;
	size_t first;
	int error = aim(lists, edit, &to, err);

	if (error)
		return error;
	lists->changing = true;
	first = lists->list[to.number].waiting.count;
	error = change(lists, edit, &to, err);
	if (!error && to.fresh) {
		name_list(lists, &to, edit->name);
		lists->list[to.number].fresh = true;
	}
	*changed = !error && (to.fresh || lists->list[to.number].waiting.count > first);
	return finish(lists, error);
}

/* --- changes that wait --- */

static bool waits(const struct list *list)
{
	return list->fresh || list->waiting.count;
}

static int write_waiting(const struct lists *lists, struct list *list, struct lb_err *err)
{
	struct waiting *waiting = &list->waiting;

	waiting->end = list->end;
	if (list->fresh)
		return write_whole(lists, list->name, &list->head, waiting->changes, waiting->count,
				   &waiting->end, err);
	return append(lists, list->name, waiting->changes, waiting->count, &waiting->end, err);
}

/* Not of those lists whose files could not be written, which are as they were. */
static void unwrite(const struct lists *lists, const struct list *list)
{
	char name[LB_NAME_TEXT + 8], path[DURABLE_PATH];

	file_name(list->name, name);
	if (durable_path(lists->folder, name, path, NULL))
		return;
	if (list->fresh)
		unlink(path);
	else
		list_file_cut(path, &list->end);
}

/* All of them, or none. */
static int write_all(struct lists *lists, struct lb_err *err)
{
	int error = 0, i;

	for (i = 0; i < (int)LB_GUARD_LISTS_MAX && !error; i++)
		if (waits(&lists->list[i]))
			error = write_waiting(lists, &lists->list[i], err);
	for (i -= 2; error && i >= 0; i--)
		if (waits(&lists->list[i]))
			unwrite(lists, &lists->list[i]);
	return error;
}

static void take_all_back(struct lists *lists)
{
	for (unsigned int i = 0; i < LB_GUARD_LISTS_MAX; i++) {
		take_back(lists, i, 0);
		if (lists->list[i].fresh)
			forget_list(&lists->list[i]);
	}
}

/* Of all lists. A new one may be of a number whose meaning combinations have kept. */
static size_t count_waiting(const struct lists *lists)
{
	size_t count = 0;

	for (unsigned int i = 0; i < LB_GUARD_LISTS_MAX; i++)
		count += lists->list[i].waiting.count + (lists->list[i].fresh ? LIVE_MOST + 1 : 0);
	return count;
}

/* They are on disk. -ENOSPC: not yet where packets look. */
static int write_waiting_words(struct lists *lists)
{
	int error = is_followed(lists, count_waiting(lists)) ? 0 : -ENOSPC;

	for (unsigned int i = 0; i < LB_GUARD_LISTS_MAX && !error; i++) {
		const struct waiting *waiting = &lists->list[i].waiting;

		error = write_words(lists, waiting->changes, waiting->count);
	}
	return error;
}

static void commit_all(struct lists *lists)
{
	for (unsigned int i = 0; i < LB_GUARD_LISTS_MAX; i++) {
		struct list *list = &lists->list[i];

		if (!waits(list))
			continue;
		list->end = list->waiting.end;
		list->fresh = false;
		json_object_del(lists->unread, list->name);
		if (list->end.changes > COMPACT_MIN) {
			worker_leave();
			compact(lists, i);
			worker_enter();
		}
	}
}

static void clear_waiting(struct waiting *waiting)
{
	free(waiting->changes);
	free(waiting->before);
	*waiting = (struct waiting){0};
}

static int settle(struct lists *lists, struct lb_err *err)
{
	int error, met = 0;

	worker_leave();
	error = write_all(lists, err);
	if (!error)
		met = write_waiting_words(lists);
	worker_enter();
	if (error) {
		take_all_back(lists);
		return error;
	}
	commit_all(lists);
	return not_met(met == -ENOSPC ? refill(lists, err) : met, err);
}

int lists_settle(struct lists *lists, struct lb_err *err)
{
	int error;

	if (!count_waiting(lists))
		return 0;
	lists->changing = true;
	error = settle(lists, err);
	for (unsigned int i = 0; i < LB_GUARD_LISTS_MAX; i++)
		clear_waiting(&lists->list[i].waiting);
	return finish(lists, error);
}

static int by_prefix(const void *a, const void *b)
{
	const struct list_change *one = a, *other = b;

	return lb_prefix_compare(&one->prefix, &other->prefix);
}

/* Feeds may name a prefix twice. */
static void order(struct list_edit *edit)
{
	size_t kept = 0;

	qsort(edit->changes, edit->count, sizeof(*edit->changes), by_prefix);
	for (size_t i = 0; i < edit->count; i++)
		if (!kept || by_prefix(&edit->changes[kept - 1], &edit->changes[i]) != 0)
			edit->changes[kept++] = edit->changes[i];
	edit->count = kept;
}

static struct list_difference compare(const struct lists *lists, int number,
				      const struct list_edit *edit)
{
	size_t kept = 0;
	uint32_t until_s;

	for (size_t i = 0; i < edit->count; i++)
		kept += listed_has(&lists->listed, number, &edit->changes[i].prefix, &until_s);
	return (struct list_difference){edit->count, edit->count - kept,
					lists->listed.prefixes[number] - kept};
}

/* What can be said without doing it. */
static int judge_load(const struct lists *lists, int number, struct list_edit *edit,
		      struct list_difference *out, struct lb_err *err)
{
	int error;

	worker_leave();
	order(edit);
	*out = compare(lists, number, edit);
	error = listed_check(&lists->listed, edit->changes, edit->count,
			     lists->listed.prefixes[number], err);
	worker_enter();
	return error;
}

/* Packets meet all of it at one moment. */
static int load(struct lists *lists, struct list_edit *edit, struct list_difference *out,
		struct lb_err *err)
{
	struct gathered gone;
	struct listed next;
	struct list_end end;
	struct target to;
	int error = aim(lists, edit, &to, err);

	if (!error)
		error = judge_load(lists, to.number, edit, out, err);
	if (error || edit->dry_run)
		return error;
	error = rebuild(lists, to.number, edit, &next, &gone, err);
	if (error)
		return error;
	free(gone.changes);
	worker_leave();
	error = write_whole(lists, edit->name, &to.head, edit->changes, edit->count, &end, err);
	worker_enter();
	if (error) {
		listed_clear(&next);
		return error;
	}
	establish(lists, &to, edit->name, &end);
	put_in_force(lists, &next);
	error = refill(lists, err);
	tell(lists, edit->name, "loaded", lists->listed.prefixes[to.number]);
	return not_met(error, err);
}

int lists_load(struct lists *lists, struct list_edit *edit, struct list_difference *out,
	       struct lb_err *err)
{
	lists->changing = true;
	return finish(lists, load(lists, edit, out, err));
}

static int set(struct lists *lists, const struct list_edit *edit, bool *changed, struct lb_err *err)
{
	const int number = find(lists, edit->name);
	bool same_kind;
	struct list_end end;
	struct target to;
	int error;

	*changed = false;
	if (number < 0)
		return unknown(edit->name, err);
	error = aim(lists, edit, &to, err);
	if (error || is_head(&to.head, &lists->list[number].head))
		return error;
	worker_leave();
	error = rewrite(lists, number, &to.head, &end, err);
	worker_enter();
	if (error)
		return error;
	*changed = true;
	same_kind = lists->list[number].head.allow == to.head.allow;
	establish(lists, &to, edit->name, &end);
	/* Combinations say which lists allow. The rest is what VIPs have. */
	if (!same_kind)
		return not_met(refill(lists, err), err);
	tell_service(lists);
	return 0;
}

int lists_set(struct lists *lists, const struct list_edit *edit, bool *changed, struct lb_err *err)
{
	lists->changing = true;
	return finish(lists, set(lists, edit, changed, err));
}

static int remove_file(const struct lists *lists, const char *list, struct lb_err *err)
{
	char name[LB_NAME_TEXT + 8], path[DURABLE_PATH];
	int error;

	file_name(list, name);
	error = durable_path(lists->folder, name, path, err);
	if (error)
		return error;
	if ((unlink(path) && errno != ENOENT) || durable_sync_folder(lists->folder))
		return durable_failed(path, -errno, false, err);
	return 0;
}

static int remove_list(struct lists *lists, int number, struct lb_err *err)
{
	const struct list_edit nothing = {0};
	struct gathered gone;
	struct listed next;
	int error = rebuild(lists, number, &nothing, &next, &gone, err);

	if (error)
		return error;
	error = remove_file(lists, lists->list[number].name, err);
	if (error) {
		listed_clear(&next);
		free(gone.changes);
		return error;
	}
	tell(lists, lists->list[number].name, "removed", gone.count);
	json_object_del(lists->unread, lists->list[number].name);
	forget_list(&lists->list[number]);
	tell_service(lists); /* first, then nobody asks */
	put_in_force(lists, &next);
	if (is_any(lists))
		error = follow(lists, gone.changes, gone.count, err);
	if (!is_any(lists)) {
		datapath_guard_drop(lists->options.datapath, GUARD_LISTS);
		lists->in_place = lists->behind = false;
	}
	free(gone.changes);
	return error;
}

int lists_remove(struct lists *lists, const char *name, struct lb_err *err)
{
	const int number = find(lists, name);

	if (number < 0)
		return unknown(name, err);
	lists->changing = true;
	return finish(lists, remove_list(lists, number, err));
}

int lists_check(const struct lists *lists, const char *name, struct lb_err *err)
{
	return find(lists, name) < 0 ? unknown(name, err) : 0;
}

void lists_serve(struct lists *lists, struct service *service)
{
	lists->service = service;
}

const char *lists_fault(const struct lists *lists)
{
	return lists->behind ? lists->fault : "";
}

void lists_warnings(const struct lists *lists, json_t *warnings)
{
	const char *name;
	json_t *warning;

	json_object_foreach (lists->unread, name, warning)
		json_array_append(warnings, warning);
}

void lists_work(struct lists *lists, struct worker *changes)
{
	lists->worker = changes;
}

/* --- what there is --- */

bool lists_facts(const struct lists *lists, unsigned int number, struct list_facts *out)
{
	const struct list *list = &lists->list[number];

	*out = (struct list_facts){
		.name = list->name,
		.allow = list->head.allow,
		.monitor = list->head.monitor,
		.prefixes = lists->listed.prefixes[number],
		.leaving = lists->listed.leaving[number],
	};
	if (datapath_guard_hits(lists->options.datapath, number, &out->hits))
		out->hits = (struct lb_guard_hits){0};
	return *list->name;
}

/* By name, and by address where there is none now. NULL: all. */
static json_t *name_vips(const struct lists *lists, const struct list_head *head)
{
	json_t *names = head->vip_count ? json_array() : NULL;
	char text[LB_ENDPOINT_TEXT];

	for (size_t i = 0; i < head->vip_count; i++) {
		const struct lb_endpoint *at = &head->vips[i];
		const struct lb_vip *vip =
			lists->service
				? lb_service_find_endpoint(service_document(lists->service), at)
				: NULL;

		json_array_append_new(names,
				      json_string(vip ? vip->name : lb_endpoint_format(at, text)));
	}
	return names;
}

static json_t *describe(const struct lists *lists, unsigned int number)
{
	struct list_facts facts;

	lists_facts(lists, number, &facts);
	return json_pack("{s:s, s:s, s:b, s:o*, s:I, s:{s:I, s:I}}", "name", facts.name, "kind",
			 facts.allow ? "allow" : "block", "monitor", facts.monitor, "vips",
			 name_vips(lists, &lists->list[number].head), "prefixes",
			 (json_int_t)facts.prefixes, "hits", "packets",
			 (json_int_t)facts.hits.packets, "bytes", (json_int_t)facts.hits.bytes);
}

/* The first by name that is behind `after`; -1: none. Numbers may be others after a restart. */
static int next_by_name(const struct lists *lists, const char *after)
{
	int next = -1;

	for (int i = 0; i < (int)LB_GUARD_LISTS_MAX; i++) {
		const char *name = lists->list[i].name;

		if (*name && strcmp(name, after) > 0 &&
		    (next < 0 || strcmp(name, lists->list[next].name) < 0))
			next = i;
	}
	return next;
}

json_t *lists_show(struct lists *lists)
{
	json_t *all = json_array();
	int i = -1;

	while ((i = next_by_name(lists, i < 0 ? "" : lists->list[i].name)) >= 0)
		json_array_append_new(all, describe(lists, (unsigned int)i));
	return json_pack("{s:o, s:s*}", "lists", all, "fault", lists->behind ? lists->fault : NULL);
}

int lists_show_one(struct lists *lists, const char *name, size_t most, json_t **out,
		   struct lb_err *err)
{
	const int number = find(lists, name);
	struct gathered all;
	json_t *entries;

	if (number < 0)
		return unknown(name, err);
	if (!most) {
		*out = describe(lists, number);
		return *out ? 0 : lb_err_no_memory(err);
	}
	all = listed_gather(&lists->listed, number, false, most);
	entries = json_array();
	for (size_t i = 0; i < all.count; i++) {
		char text[LB_PREFIX_TEXT];
		json_t *entry = json_pack("{s:s}", "prefix",
					  lb_prefix_format(&all.changes[i].prefix, text));

		if (all.changes[i].until_s)
			json_object_set_new(entry, "until", json_integer(all.changes[i].until_s));
		json_array_append_new(entries, entry);
	}
	free(all.changes);
	*out = describe(lists, number);
	if (!*out || json_object_set_new(*out, "entries", entries))
		return lb_err_no_memory(err);
	return 0;
}

static json_t *describe_match(const struct lists *lists, const struct list *list,
			      const struct lb_prefix *prefix)
{
	char text[LB_PREFIX_TEXT];

	return json_pack("{s:s, s:s, s:s, s:b, s:o*}", "list", list->name, "prefix",
			 lb_prefix_format(prefix, text), "kind",
			 list->head.allow ? "allow" : "block", "monitor", list->head.monitor,
			 "vips", name_vips(lists, &list->head));
}

json_t *lists_explain(const struct lists *lists, const struct lb_addr *address,
		      const struct lb_endpoint *vip)
{
	const struct lb_prefix whole = {*address, address->family == 4 ? 32 : 128};
	const struct guard_prefix prefix = listed_inner(&whole);
	const struct guard_node *cover[GUARD_COVER_MAX];
	size_t count = guard_trie_cover(&lists->listed.trie, &prefix, cover);
	const struct lb_guard_vip guard = lists_guard(lists, vip);
	const char *verdict = NULL;
	json_t *matches = json_array();

	while (count--) {
		const struct guard_prefix at = {cover[count]->high, cover[count]->low,
						prefix.family, cover[count]->length};
		const struct lb_prefix shown = listed_outer(&at);
		const uint16_t force = cover[count]->lists & guard.lists;

		if (!verdict && force)
			verdict = force & allowing(lists) ? "allowed" : "blocked";
		for (unsigned int i = 0; i < LB_GUARD_LISTS_MAX; i++)
			if (cover[count]->lists >> i & 1)
				json_array_append_new(
					matches, describe_match(lists, &lists->list[i], &shown));
	}
	return json_pack("{s:s, s:o}", "verdict", verdict ? verdict : "not_listed", "matches",
			 matches);
}

json_t *lists_blocking(const struct lists *lists, const struct lb_addr *address,
		       const struct lb_endpoint *vip)
{
	const struct lb_prefix whole = {*address, address->family == 4 ? 32 : 128};
	const struct guard_prefix prefix = listed_inner(&whole);
	const struct guard_node *cover[GUARD_COVER_MAX];
	size_t count = guard_trie_cover(&lists->listed.trie, &prefix, cover);
	const uint16_t guarding = lists_guard(lists, vip).lists;
	struct guard_prefix at;
	struct lb_prefix shown;
	char text[LB_PREFIX_TEXT];
	json_t *blocking;

	while (count && !(cover[count - 1]->lists & guarding))
		count--;
	if (!count || cover[count - 1]->lists & guarding & allowing(lists))
		return NULL;
	at = (struct guard_prefix){cover[count - 1]->high, cover[count - 1]->low, prefix.family,
				   cover[count - 1]->length};
	shown = listed_outer(&at);
	lb_prefix_format(&shown, text);
	blocking = json_array();
	for (unsigned int i = 0; i < LB_GUARD_LISTS_MAX; i++)
		if (cover[count - 1]->lists & guarding & 1u << i)
			json_array_append_new(blocking,
					      json_pack("{s:s, s:s}", "list", lists->list[i].name,
							"prefix", text));
	return blocking;
}

/* --- life --- */

struct reading {
	struct lists *lists;
	unsigned int list;
	uint32_t now_s;
	bool expired; /* its file has prefixes whose time is over */
};

static int take_read(void *user, const struct list_change *change)
{
	struct reading *reading = user;
	struct list_change now = *change;

	if (change->until_s && change->until_s <= reading->now_s)
		now.gone = reading->expired = true;
	return listed_change(&reading->lists->listed, reading->list, &now) < 0 ? -ENOMEM : 0;
}

static void read_list(struct lists *lists, const char *name, const char *path)
{
	struct lb_err err = {0};
	const int number = free_number(lists, &err);
	struct reading reading = {lists, number, now_s(lists), false};
	enum list_tail tail = LIST_WHOLE;
	struct list *list;

	if (number < 0) {
		json_object_set_new(lists->unread, name,
				    json_sprintf("list %s is not in force: %s", name, err.message));
		return;
	}
	list = &lists->list[number];
	snprintf(list->name, sizeof(list->name), "%s", name);
	if (list_file_read(path, &list->head, take_read, &reading, &list->end, &tail, &err)) {
		json_object_set_new(lists->unread, name,
				    json_sprintf("%s; the list is not in force: lbctl list load "
						 "%s FILE writes it again, or remove the file",
						 err.message, name));
		*list = (struct list){0};
	} else if (tail == LIST_DAMAGED) {
		json_object_set_new(
			lists->unread, name,
			json_sprintf("list %s: %s is damaged, and what follows its first %zu "
				     "changes is left out; the next change of the list cuts it "
				     "off: lbctl list load %s FILE writes it again",
				     name, path, list->end.changes, name));
	} else if (tail == LIST_BROKEN_OFF) {
		json_object_set_new(
			lists->unread, name,
			json_sprintf("list %s: its file ends with a change that was not "
				     "acknowledged, and is left out; the next change of "
				     "the list cuts it off",
				     name));
	}
	if (*list->name && reading.expired && tail != LIST_DAMAGED)
		rewrite(lists, number, &list->head, &list->end, &err);
}

static int read_lists(struct lists *lists, struct lb_err *err)
{
	DIR *folder = opendir(lists->folder);
	const struct dirent *entry;

	if (!folder && errno == ENOENT)
		return 0;
	if (!folder)
		return lb_err_set(err, LB_ERR_SYSTEM, "state_dir", "cannot open %s: %s",
				  lists->folder, strerror(errno));
	while ((entry = readdir(folder))) {
		const char *end = strstr(entry->d_name, SUFFIX);
		char name[LB_NAME_TEXT], path[DURABLE_PATH];

		if (!end || strcmp(end, SUFFIX) || end - entry->d_name >= LB_NAME_TEXT)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(end - entry->d_name), entry->d_name);
		if (!durable_path(lists->folder, entry->d_name, path, NULL)) {
			durable_remove_left(path);
			read_list(lists, name, path);
		}
	}
	closedir(folder);
	return 0;
}

int lists_open(const struct lists_options *options, struct lists **out, struct lb_err *err)
{
	struct lists *lists = calloc(1, sizeof(*lists));
	const struct timers *timers = &options->timers;
	int error;

	if (!lists)
		return lb_err_no_memory(err);
	*out = lists;
	lists->options = *options;
	lists->settle = timers->add(timers->base, on_settle, lists);
	lists->tick = timers->add(timers->base, on_tick, lists);
	lists->job = (struct worker_job){.what = "lists", .work = tick};
	lists->unread = json_object();
	if (!lists->settle || !lists->tick || !lists->unread)
		return lb_err_no_memory(err);
	error = durable_path(options->state_dir, FOLDER, lists->folder, err);
	if (!error && !simulation_is_on()) /* their files are another lbd's */
		error = read_lists(lists, err);
	if (error)
		return error;
	/* A balancer without lists is better than none: lists_fault says why. */
	if (is_any(lists))
		refill(lists, err);
	settle_later(lists);
	return 0;
}

void lists_close(struct lists *lists)
{
	if (!lists)
		return;
	lists->options.timers.free(lists->settle);
	lists->options.timers.free(lists->tick);
	guard_flat_clear(&lists->flat);
	listed_clear(&lists->listed);
	json_decref(lists->unread);
	free(lists);
}

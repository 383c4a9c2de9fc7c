/* SPDX-License-Identifier: BSD-2-Clause */
/* How do the routes of the kernel's table come to be what is wanted? */
#include "announcer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../host/worker.h"

/* What one pass works with; the announcer's own are replaced in one turn. */
struct pass {
	struct announcer *announcer;
	struct announcer_route *routes;
	size_t count;
	struct announce_step *steps;
	size_t step_count;
	announcer_told told;
	void *user;
	int failed;
	struct announce_step failed_step;
};

static bool is_there(const struct announce_found *found, const struct lb_prefix *prefix)
{
	size_t low = 0, high = found->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const int order = lb_prefix_compare(&found->ours[middle], prefix);

		if (!order)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* Out of turn: of many routes it takes long. */
static void read_table(struct announcer *announcer)
{
	struct announce_found found;
	int fault;

	worker_leave();
	fault = announce_routes_find(announcer->table, &found);
	worker_enter();
	announcer->fault = fault;
	if (announcer->fault)
		return;
	announce_found_clear(&announcer->found);
	announcer->found = found;
	announcer->known = true;
}

/* 0 or -ENOMEM, with what there is for pass_clear. Out of turn: what was found changes in a pass alone. */
static int pass_make(struct pass *pass, const struct announce_want *wants, size_t count)
{
	const struct announce_found *found = &pass->announcer->found;

	pass->count = count;
	pass->routes = calloc(count + 1, sizeof(*pass->routes));
	pass->steps = calloc(count + found->count + 1, sizeof(*pass->steps));
	if (!pass->routes || !pass->steps)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		pass->routes[i] = (struct announcer_route){
			.want = wants[i], .there = is_there(found, &wants[i].prefix)};
	pass->step_count = announce_plan(wants, count, found->ours, found->count, pass->steps);
	return 0;
}

static void pass_clear(struct pass *pass)
{
	free(pass->routes);
	free(pass->steps);
}

static void make_step(struct pass *pass, const struct announce_step *step)
{
	struct announcer *announcer = pass->announcer;
	struct announcer_route *route =
		step->want == ANNOUNCE_NOBODY ? NULL : &pass->routes[step->want];
	const int error = step->add ? announce_routes_add(announcer->table, &step->prefix)
				    : announce_routes_remove(announcer->table, &step->prefix);

	if (route)
		route->error = error;
	if (error && !pass->failed) {
		pass->failed = error;
		pass->failed_step = *step;
	}
	if (error)
		return;
	if (route)
		route->there = step->add;
	pass->told(pass->user, route, &step->prefix, step->add);
}

/* Who looks meanwhile sees what was before. */
static void finish(struct pass *pass)
{
	struct announcer *announcer = pass->announcer;
	struct announcer_route *before = announcer->routes;

	announcer->routes = pass->routes;
	announcer->count = pass->count;
	announcer->failed = pass->failed;
	announcer->failed_step = pass->failed_step;
	pass->routes = before;
	if (pass->step_count) /* rather than to keep a second account of it */
		read_table(announcer);
}

void announcer_follow(struct announcer *announcer, struct announce_want *wants, size_t count,
		      bool read, announcer_told told, void *user)
{
	struct pass pass = {.announcer = announcer, .told = told, .user = user};
	bool made;

	if (read || !announcer->known)
		read_table(announcer);
	if (announcer->fault)
		announcer->known = false;
	worker_leave();
	made = announcer->known && !pass_make(&pass, wants, count);
	worker_enter();
	if (made) {
		for (size_t i = 0; i < pass.step_count; i++) {
			make_step(&pass, &pass.steps[i]);
			worker_yield();
		}
		finish(&pass);
	}
	pass_clear(&pass);
	free(wants);
}

void announcer_clear(struct announcer *announcer)
{
	announce_found_clear(&announcer->found);
	announce_routes_close(announcer->table);
	free(announcer->routes);
	*announcer = (struct announcer){0};
}

size_t announcer_there(const struct announcer *announcer)
{
	size_t there = 0;

	for (size_t i = 0; i < announcer->count; i++)
		there += announcer->routes[i].there;
	return there;
}

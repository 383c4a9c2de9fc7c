// SPDX-License-Identifier: BSD-2-Clause
/* How do programs take turns, so that each has the same machine? See turns.h. */
#include "turns.h"
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include "tests/bench/next.skel.h"

#define LAPS_MAX (NEXT_BURSTS / 2)
#define HEADROOM_OUT 64

/* An order that helps no cache. */
#define MULTIPLIER 1664525u
#define ADDEND 1013904223u
_Static_assert(MULTIPLIER % 4 == 1 && ADDEND % 2 == 1, "goes through all flows, see next.h");

uint32_t turns_index_after(uint32_t index)
{
	return index * MULTIPLIER + ADDEND;
}

/* --- loading --- */

static int set_config(struct contender *contender, struct next_config *config)
{
	const struct bench_case *of = contender->of;
	const struct frame *frame = &contender->frame;
	const bool ipv4 = of->family == 4;
	const uint8_t *ip = frame->bytes + ETH + (of->tagged ? 4 : 0);
	/* An ICMP error quotes a packet to the client. */
	const size_t quoted = ipv4 ? 20 + 8 + 16 : 40 + 8 + 24 + 12;
	const uint8_t *client = ip + (of->icmp_error ? quoted : ipv4 ? 12 : 8 + 12);

	case_frame(of, &contender->frame);
	if (frame->length > NEXT_FRAME)
		return -EMSGSIZE;
	*config = (struct next_config){
		.length = frame->length,
		.flows_mask = of->flows - 1,
		.vips = of->vips,
		.dport = htons(case_port(of)),
		.family = of->family,
		.tag = htons(of->tagged ? CASE_TAG : 0),
		.quote = of->icmp_error,
		.answered = of->cookies,
		.servers = of->quic && !of->encrypted ? of->members : 0,
	};
	memcpy(&config->source, client, 4);
	memcpy(&config->vip, ip + (ipv4 ? 16 : 24 + 12), 4);
	memcpy(config->frame, frame->bytes, frame->length);
	return 0;
}

static int set_target(struct turns *turns, uint32_t number, int fd)
{
	return bpf_map__update_elem(turns->next->maps.target, &number, sizeof(number), &fd,
				    sizeof(fd), 0);
}

int turns_open(struct turns *turns, struct contender *contenders, size_t count)
{
	uint32_t i;
	int error = 0;

	*turns = (struct turns){.contenders = contenders, .count = count};
	turns->next = next_bpf__open();
	if (!turns->next)
		return -errno;
	for (i = 0; i < count && !error; i++)
		error = set_config(&contenders[i],
				   (struct next_config *)&turns->next->rodata->next_configs[i]);
	if (!error)
		error = next_bpf__load(turns->next);
	for (i = 0; i < count && !error; i++)
		error = set_target(turns, i, contenders[i].fd);
	return error;
}

void turns_close(struct turns *turns)
{
	next_bpf__destroy(turns->next);
	turns->next = NULL;
}

/* --- running --- */

static void begin(struct turns *turns, bool straight)
{
	struct next_turns *now = &turns->next->bss->next_turns;
	size_t i;

	now->part = NEXT_BEGIN;
	now->who = now->left = now->burst = 0;
	now->count = turns->count;
	now->multiplier = straight ? 1 : MULTIPLIER;
	now->addend = straight ? 1 : ADDEND;
	for (i = 0; i < turns->count; i++) {
		struct next_contender *of = &turns->next->bss->next_contenders[i];

		turns->contenders[i].first = of->index;
		of->packets = of->bytes = 0;
	}
}

/* The first frame is counted as it comes, so it is taken off; the last one comes out. */
static void end(struct turns *turns, const struct bpf_test_run_opts *options)
{
	const uint32_t last = turns->next->bss->next_turns.who;
	size_t i;

	turns->action = options->retval;
	for (i = 0; i < turns->count; i++) {
		const struct next_contender *of = &turns->next->bss->next_contenders[i];

		turns->contenders[i].last = of->index;
		turns->contenders[i].packets = of->packets;
		turns->contenders[i].bytes = of->bytes;
	}
	turns->contenders[0].bytes -= turns->contenders[0].frame.length;
	turns->contenders[last].bytes += options->data_size_out;
}

/* For the tenth of a second that a run takes, no other process is to have the CPU: what it leaves in
 * the caches would be measured. Not vital. */
static void set_policy(int policy)
{
	const struct sched_param param = {.sched_priority = policy == SCHED_FIFO};

	sched_setscheduler(0, policy, &param);
}

static int run(struct turns *turns, uint32_t packets)
{
	static uint8_t out[FRAME_MAX + HEADROOM_OUT];
	const struct frame *frame = &turns->contenders[0].frame;
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->bytes, .data_out = out,
		    .data_size_in = frame->length, .data_size_out = sizeof(out), .repeat = packets);
	int error;

	set_policy(SCHED_FIFO);
	error = bpf_prog_test_run_opts(bpf_program__fd(turns->next->progs.next), &options);
	set_policy(SCHED_OTHER);
	if (!error)
		end(turns, &options);
	return error;
}

int turns_send_all(const struct bench_case *of, int fd, uint32_t times)
{
	struct contender contender = {.of = of, .fd = fd};
	struct turns turns;
	int error = turns_open(&turns, &contender, 1);

	if (!error) {
		begin(&turns, true);
		turns.next->bss->next_turns.head = turns.next->bss->next_turns.timed = UINT32_MAX;
		error = run(&turns, of->flows * times);
	}
	turns_close(&turns);
	return error;
}

/* --- what it took --- */

static int compare(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The mean of the faster half of a contender's bursts. */
static double settle(const struct turns *turns, uint32_t number, uint32_t laps)
{
	const struct next_bpf__bss *found = turns->next->bss;
	const uint32_t last = 2 * turns->count - 1;
	uint32_t ns[2 * LAPS_MAX], i;
	double sum = 0;

	for (i = 0; i < laps; i++) {
		const uint32_t *lap = &found->next_burst_ns[i * 2 * turns->count];

		ns[2 * i] = lap[number];
		ns[2 * i + 1] = lap[last - number];
	}
	qsort(ns, 2 * laps, sizeof(*ns), compare);
	for (i = 0; i < laps; i++)
		sum += ns[i];
	return sum / laps / found->next_turns.timed;
}

int turns_run(struct turns *turns, uint32_t burst, uint32_t laps)
{
	const uint32_t bursts = laps * 2 * turns->count;
	uint32_t i;
	int error;

	if (burst < 2 || !laps || bursts > NEXT_BURSTS)
		return -EINVAL;
	begin(turns, false);
	turns->next->bss->next_turns.head = burst / 2;
	turns->next->bss->next_turns.timed = burst - burst / 2;
	error = run(turns, bursts * burst + 1);
	for (i = 0; i < turns->count && !error; i++)
		turns->contenders[i].ns = settle(turns, i, laps);
	return error;
}

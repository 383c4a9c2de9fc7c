// SPDX-License-Identifier: BSD-2-Clause
/* How does a test run a BPF program by itself, and count its instructions? RFC 9669 says what they do. */
#include "steps.h"

#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MAPS_MAX 64
#define DEPTH_MAX 8
#define STACK_BYTES 512
#define HEADROOM 256
#define INGRESS 1 /* as BPF_PROG_TEST_RUN has it */
#define FRAME_AT                                                                                   \
	((void *)0x20000000) /* below 4 GiB: the context has 32 bits for the frame's address */

struct steps_map {
	int fd;
	uint32_t entries;
	size_t stride;   /* of an entry */
	bool is_shared;  /* each CPU has entries of its own: one stands for them all */
	uint8_t *memory; /* NULL: it is no array */
};

struct steps {
	const struct bpf_insn *instructions;
	struct steps_map map[MAPS_MAX];
	size_t maps;
	struct xdp_md context;
	uint64_t stack[DEPTH_MAX][STACK_BYTES / sizeof(uint64_t)];
};

static uint8_t *frame; /* one program runs at a time */

static void give_up(const char *what, int64_t number)
{
	fprintf(stderr, "steps.c does not know %s %lld\n", what, (long long)number);
	abort();
}

/* --- maps --- */

static void *memory_of(void *place, int fd, size_t bytes, int flags)
{
	void *memory = mmap(place, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (memory == MAP_FAILED)
		give_up("how to map bytes:", (int64_t)bytes);
	return memory;
}

static void take_map(struct steps *steps, const struct bpf_map *map)
{
	struct steps_map *taken = &steps->map[steps->maps++];
	const enum bpf_map_type type = bpf_map__type(map);
	size_t ignored;

	taken->fd = bpf_map__fd(map);
	taken->entries = bpf_map__max_entries(map);
	taken->stride = (bpf_map__value_size(map) + 7) & ~7u;
	taken->is_shared = type == BPF_MAP_TYPE_PERCPU_ARRAY;
	if (bpf_map__is_internal(map))
		taken->memory = (uint8_t *)bpf_map__initial_value((struct bpf_map *)map, &ignored);
	else if (taken->is_shared)
		taken->memory = memory_of(NULL, -1, taken->stride, MAP_PRIVATE | MAP_ANONYMOUS);
	else if (type == BPF_MAP_TYPE_ARRAY && bpf_map__map_flags(map) & BPF_F_MMAPABLE)
		taken->memory =
			memory_of(NULL, taken->fd, taken->stride * taken->entries, MAP_SHARED);
}

static struct steps_map *map_of(struct steps *steps, int fd)
{
	for (size_t i = 0; i < steps->maps; i++)
		if (steps->map[i].fd == fd)
			return &steps->map[i];
	give_up("map", fd);
	return NULL;
}

static uint64_t look_up(const struct steps_map *map, uint32_t key)
{
	if (!map->memory)
		give_up("how to look into map", map->fd);
	if (key >= map->entries)
		return 0;
	return (uintptr_t)map->memory + (map->is_shared ? 0 : key * map->stride);
}

/* --- helpers --- */

static uint64_t call_helper(struct steps *steps, int number, const uint64_t reg[11])
{
	switch (number) {
	case BPF_FUNC_map_lookup_elem:
		return look_up((const struct steps_map *)(uintptr_t)reg[1],
			       *(const uint32_t *)(uintptr_t)reg[2]);
	case BPF_FUNC_xdp_adjust_head:
		steps->context.data += (uint32_t)reg[2];
		return 0;
	case BPF_FUNC_redirect_map:
		return XDP_REDIRECT;
	case BPF_FUNC_get_smp_processor_id:
		return 0;
	}
	give_up("helper", number);
	return 0;
}

/* --- instructions --- */

static uint64_t arithmetic(const struct bpf_insn *at, uint64_t to, uint64_t from)
{
	const int bits = BPF_CLASS(at->code) == BPF_ALU64 ? 64 : 32;

	switch (BPF_OP(at->code)) {
	case BPF_ADD:
		return to + from;
	case BPF_SUB:
		return to - from;
	case BPF_MUL:
		return to * from;
	case BPF_OR:
		return to | from;
	case BPF_AND:
		return to & from;
	case BPF_XOR:
		return to ^ from;
	case BPF_MOV:
		return from;
	case BPF_NEG:
		return -to;
	case BPF_LSH:
		return to << (from & (bits - 1));
	case BPF_RSH:
		return (bits == 64 ? to : (uint32_t)to) >> (from & (bits - 1));
	case BPF_ARSH:
		return bits == 64 ? (uint64_t)((int64_t)to >> (from & 63))
				  : (uint64_t)((int32_t)to >> (from & 31));
	case BPF_END:
		if (BPF_SRC(at->code) == BPF_TO_LE)
			return to;
		return at->imm == 16   ? __builtin_bswap16((uint16_t)to)
		       : at->imm == 32 ? __builtin_bswap32((uint32_t)to)
				       : __builtin_bswap64(to);
	}
	give_up("operation", at->code);
	return 0;
}

static bool is_met(const struct bpf_insn *at, uint64_t a, uint64_t b)
{
	const bool half = BPF_CLASS(at->code) == BPF_JMP32;
	const int64_t left = half ? (int32_t)a : (int64_t)a, right = half ? (int32_t)b : (int64_t)b;

	if (half) {
		a = (uint32_t)a;
		b = (uint32_t)b;
	}
	switch (BPF_OP(at->code)) {
	case BPF_JA:
		return true;
	case BPF_JEQ:
		return a == b;
	case BPF_JNE:
		return a != b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	case BPF_JLT:
		return a < b;
	case BPF_JLE:
		return a <= b;
	case BPF_JSET:
		return a & b;
	case BPF_JSGT:
		return left > right;
	case BPF_JSGE:
		return left >= right;
	case BPF_JSLT:
		return left < right;
	case BPF_JSLE:
		return left <= right;
	}
	give_up("jump", at->code);
	return false;
}

static size_t width(uint8_t code)
{
	switch (BPF_SIZE(code)) {
	case BPF_B:
		return 1;
	case BPF_H:
		return 2;
	case BPF_W:
		return 4;
	}
	return 8;
}

static uint64_t constant(struct steps *steps, const struct bpf_insn *at)
{
	if (at->src_reg == BPF_PSEUDO_MAP_FD)
		return (uintptr_t)map_of(steps, at->imm);
	if (at->src_reg == BPF_PSEUDO_MAP_VALUE)
		return (uintptr_t)map_of(steps, at->imm)->memory + (uint32_t)at[1].imm;
	if (at->src_reg)
		give_up("constant", at->src_reg);
	return (uint32_t)at->imm | (uint64_t)(uint32_t)at[1].imm << 32;
}

/* Loads and stores. */
static void move(struct steps *steps, const struct bpf_insn *at, uint64_t reg[11])
{
	const size_t bytes = width(at->code);
	const uint64_t number = (uint64_t)(int64_t)at->imm;
	void *to = (void *)(uintptr_t)(reg[at->dst_reg] + (int64_t)at->off);
	const void *from = (const void *)(uintptr_t)(reg[at->src_reg] + (int64_t)at->off);

	switch (BPF_CLASS(at->code)) {
	case BPF_LD:
		reg[at->dst_reg] = constant(steps, at);
		return;
	case BPF_LDX:
		reg[at->dst_reg] = 0;
		memcpy(&reg[at->dst_reg], from, bytes);
		return;
	case BPF_ST:
		memcpy(to, &number, bytes);
		return;
	}
	if (BPF_MODE(at->code) != BPF_MEM)
		give_up("store", at->code);
	memcpy(to, &reg[at->src_reg], bytes);
}

static uint64_t run(struct steps *steps, const struct bpf_insn *at, const uint64_t given[5],
		    int depth, size_t *count);

/* A function of the program, or a helper. */
static uint64_t call(struct steps *steps, const struct bpf_insn *at, const uint64_t reg[11],
		     int depth, size_t *count)
{
	if (at->src_reg == BPF_PSEUDO_CALL)
		return run(steps, at + 1 + at->imm, reg + 1, depth + 1, count);
	if (at->src_reg)
		give_up("call", at->src_reg);
	return call_helper(steps, at->imm, reg);
}

static uint64_t run(struct steps *steps, const struct bpf_insn *at, const uint64_t given[5],
		    int depth, size_t *count)
{
	uint64_t reg[11] = {0}, from;
	uint8_t class;

	memcpy(reg + 1, given, 5 * sizeof(*given));
	reg[10] = (uintptr_t)(steps->stack[depth] + STACK_BYTES / sizeof(uint64_t));
	for (;; at++) {
		++*count;
		class = BPF_CLASS(at->code);
		from = BPF_SRC(at->code) == BPF_X ? reg[at->src_reg] : (uint64_t)(int64_t)at->imm;
		if (at->code == (BPF_JMP | BPF_EXIT))
			return reg[0];
		if (at->code == (BPF_JMP | BPF_CALL)) {
			reg[0] = call(steps, at, reg, depth, count);
		} else if (class == BPF_JMP || class == BPF_JMP32) {
			at += is_met(at, reg[at->dst_reg], from) ? at->off : 0;
		} else if (class == BPF_ALU || class == BPF_ALU64) {
			reg[at->dst_reg] = arithmetic(at, reg[at->dst_reg], from);
			if (class == BPF_ALU && BPF_OP(at->code) != BPF_END)
				reg[at->dst_reg] = (uint32_t)reg[at->dst_reg];
		} else {
			move(steps, at, reg);
			at += class == BPF_LD; /* it has two places */
		}
	}
}

/* --- a program --- */

struct steps *steps_new(const struct bpf_object *object, const struct bpf_program *program)
{
	struct steps *steps = calloc(1, sizeof(*steps));
	const struct bpf_map *map;

	steps->instructions = bpf_program__insns(program);
	if (!frame)
		frame = memory_of(FRAME_AT, -1, HEADROOM + FRAME_MAX,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE);
	bpf_object__for_each_map (map, object)
		if (bpf_map__fd(map) >= 0)
			take_map(steps, map);
	return steps;
}

void steps_free(struct steps *steps)
{
	free(steps); /* and what is mapped ends with the test */
}

int steps_run(struct steps *steps, const struct frame *in, struct frame *out, size_t *count)
{
	const uint32_t start = (uint32_t)(uintptr_t)frame + HEADROOM;
	const uint64_t given[5] = {(uintptr_t)&steps->context};
	uint64_t action;

	memcpy(frame + HEADROOM, in->bytes, in->length);
	steps->context = (struct xdp_md){
		.data = start,
		.data_end = start + (uint32_t)in->length,
		.ingress_ifindex = INGRESS,
	};
	*count = 0;
	action = run(steps, steps->instructions, given, 0, count);
	out->length = 0;
	frame_append(out, (const void *)(uintptr_t)steps->context.data,
		     steps->context.data_end - steps->context.data);
	return (int)action;
}

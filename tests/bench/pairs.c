// SPDX-License-Identifier: BSD-2-Clause
/* Which pairs are there? Targets are judged by them (ratios.py). */
#include "pairs.h"

const struct pair pairs[] = {
	/* Loaded twice: what the method is worth. */
	{"control-1", {{"tcp4-1", BALANCER}, {"tcp4-1", BALANCER}}},
	{"control-1m", {{"tcp4-1m", BALANCER}, {"tcp4-1m", BALANCER}}},
	{"trace-1", {{"tcp4-1", TRACING}, {"tcp4-1", BALANCER}}},
	{"trace-1m", {{"tcp4-1m", TRACING}, {"tcp4-1m", BALANCER}}},
	{"trace-always-1", {{"tcp4-1", ALWAYS_TRACING}, {"tcp4-1", BALANCER}}},
	{"floor-1", {{"tcp4-1", BALANCER}, {"tcp4-1", FLOOR}}},
	{"flows-1m", {{"tcp4-1m", BALANCER}, {"tcp4-1", BALANCER}}},
	{"lru-1m", {{"tcp4-1m", RIVAL}, {"tcp4-1m", BALANCER}}},
	{"syn-1m", {{"syn4-1m", BALANCER}, {"tcp4-1m", BALANCER}}},
	{"cookie-1m", {{"cookie-1m", BALANCER}, {"syn4-1m", BALANCER}}},
	{"one-percent-moving-1m", {{"one-percent-moving-1m", BALANCER}, {"tcp4-1m", BALANCER}}},
	{"lru-moving-1m", {{"moving-recorded-1m", RIVAL}, {"moving-recorded-1m", BALANCER}}},
	{"tcp6-1", {{"tcp6-1", BALANCER}, {"tcp4-1", BALANCER}}},
	{"tcp6-1m", {{"tcp6-1m", BALANCER}, {"tcp4-1m", BALANCER}}},
	{"prefix4-1m", {{"prefix4-1m", BALANCER}, {"tcp4-1m", BALANCER}}},
	{"prefix6-1m", {{"prefix6-1m", BALANCER}, {"tcp6-1m", BALANCER}}},
	{"port-range-1m", {{"port-range-1m", BALANCER}, {"tcp4-1m", BALANCER}}},
	{"beside-prefix-1", {{"beside-prefix-1", BALANCER}, {"tcp4-1", BALANCER}}},
	{"lists-10", {{"lists-10", BALANCER}, {"tcp4-128k", BALANCER}}},
	{"lists-10k", {{"lists-10k", BALANCER}, {"tcp4-128k", BALANCER}}},
	{"lists-100k", {{"lists-100k", BALANCER}, {"tcp4-128k", BALANCER}}},
	{"lists-1m", {{"lists-1m", BALANCER}, {"tcp4-128k", BALANCER}}},
	{"rate-1k", {{"rate-1k", BALANCER}, {"tcp4-1k", BALANCER}}},
	{"rate-128k", {{"rate-128k", BALANCER}, {"tcp4-128k", BALANCER}}},
	{"quic4-1", {{"quic4-1", BALANCER}, {"udp4-1", BALANCER}}},
	{"quic4-1m", {{"quic4-1m", BALANCER}, {"udp4-1m", BALANCER}}},
	{"quic-key4-1", {{"quic-key4-1", BALANCER}, {"quic4-1", BALANCER}}},
	{"pool-31", {{"pool-31", BALANCER}, {"tcp4-1m", BALANCER}}},
	{"pool-100", {{"pool-100", BALANCER}, {"tcp4-1m", BALANCER}}},
	{"pool-1000", {{"pool-1000", BALANCER}, {"tcp4-1m", BALANCER}}},
	{"pool-10000", {{"pool-10000", BALANCER}, {"tcp4-1m", BALANCER}}},
	{"pool-100000", {{"pool-100000", BALANCER}, {"tcp4-1m", BALANCER}}},
	{"own-31-16381", {{"own-31-16381", BALANCER}, {"tcp4-1m", BALANCER}}},
};

const size_t pair_count = sizeof(pairs) / sizeof(*pairs);

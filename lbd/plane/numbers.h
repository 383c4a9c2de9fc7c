/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers and ranges that name things in shared arrays. Pure. */
#ifndef LB_NUMBERS_H
#define LB_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Single numbers 0 … size-1. A freed number comes up again as late as possible, since the program
 * may hold it for a moment longer. */
struct numbers;

struct numbers *numbers_new(uint32_t size);
/* Takes this one, if it is free. The next one in line takes its place, so only for start. */
bool numbers_claim(struct numbers *numbers, uint32_t number);
void numbers_free(struct numbers *numbers);
bool numbers_take(struct numbers *numbers, uint32_t *out); /* false: none left */
void numbers_give_back(struct numbers *numbers, uint32_t number);
uint32_t numbers_used(const struct numbers *numbers);

/* How many VIPs are numbered for, where there are so many: a change adds before it removes. */
uint32_t numbers_for_vips(uint32_t vips);

/* Ranges within 0 … size-1: best fit, so that large pieces stay whole; freed neighbours merge. */
struct ranges;

struct ranges *ranges_new(uint32_t size);
void ranges_free(struct ranges *ranges);
bool ranges_take(struct ranges *ranges, uint32_t length, uint32_t *start);
/* Takes just this one, if it is free. */
bool ranges_claim(struct ranges *ranges, uint32_t start, uint32_t length);
void ranges_give_back(struct ranges *ranges, uint32_t start, uint32_t length);
uint32_t ranges_used(const struct ranges *ranges);
uint32_t ranges_largest(const struct ranges *ranges); /* free piece; 0: none */

#endif

// SPDX-License-Identifier: BSD-2-Clause
/* Which frames may a network send us? Sound ones of every kind, and what damage makes of them. */
#include "random_frame.h"
#include "../lib/splitmix.h"

#include <netinet/in.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- random numbers: SplitMix64 (Steele, Lea, Flood 2014) --- */

uint64_t random_frame_state;

uint64_t random_word(void)
{
	return splitmix64(&random_frame_state);
}

uint32_t random_below(uint32_t limit)
{
	return (random_word() >> 32) * limit >> 32;
}

bool random_one_in(uint32_t times)
{
	return !random_below(times);
}

/* --- random frames --- */

static const char *const destinations[2][12] = {
	{"192.0.2.10", "192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.14", "192.0.2.15",
	 "192.0.2.16", "192.0.2.17", "192.0.2.18", "192.0.2.19", "192.0.2.99", "224.0.0.1"},
	{"2001:db8::10", "2001:db8::11", "2001:db8::12", "2001:db8::13", "2001:db8::14",
	 "2001:db8::15", "2001:db8::16", "2001:db8::17", "2001:db8::18", "2001:db8::19",
	 "2001:db8::99", "ff02::1"},
};

static const char *random_destination(bool six)
{
	return destinations[six][random_below(random_one_in(8) ? 12 : 10)];
}

static uint8_t random_protocol(void)
{
	static const uint8_t usual[] = {IPPROTO_TCP,  IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP,
					IPPROTO_UDP,  IPPROTO_UDP, IPPROTO_UDP, IPPROTO_ICMPV6,
					IPPROTO_ICMP, IPPROTO_SCTP};

	return random_one_in(16) ? random_below(256) : usual[random_below(COUNT(usual))];
}

static uint16_t random_port(void)
{
	static const uint16_t usual[] = {443, 443, 53, 53, 80, 5060, 0};

	return random_one_in(4) ? random_below(65536) : usual[random_below(COUNT(usual))];
}

/* Where there is a VIP, so that most packets are for one. */
static const struct {
	uint8_t destination; /* index */
	uint8_t protocol;
	uint16_t port;
} places[] = {
	{0, IPPROTO_TCP, 443}, {0, IPPROTO_UDP, 53}, {0, IPPROTO_TCP, 53},  {1, IPPROTO_TCP, 9},
	{1, IPPROTO_UDP, 99},  {1, IPPROTO_TCP, 80}, {2, IPPROTO_UDP, 443}, {3, IPPROTO_SCTP, 5060},
	{4, IPPROTO_TCP, 443}, {5, IPPROTO_TCP, 80}, {6, IPPROTO_UDP, 53},  {7, IPPROTO_UDP, 53},
	{8, IPPROTO_UDP, 53},  {9, IPPROTO_UDP, 53},
};

static void random_place(struct spec *spec)
{
	const uint32_t i = random_below(COUNT(places));

	spec->destination = destinations[spec->family == 6][places[i].destination];
	spec->protocol = places[i].protocol;
	spec->dport = places[i].port;
}

static uint16_t random_payload(void)
{
	if (random_one_in(64))
		return random_below(9100);
	return random_one_in(8) ? random_below(1500) : random_below(64);
}

static uint16_t random_extension(void)
{
	static const uint8_t numbers[] = {0, 43, 44, 51, 60, 135, 139, 140};

	return EXTENSION(numbers[random_below(COUNT(numbers))]);
}

static void random_chain(struct spec *spec)
{
	int i, count = random_one_in(4) ? random_below(CHAIN_MAX + 1) : 0;

	spec->extension = random_extension();
	for (i = 0; i < count; i++)
		spec->chain[i] = random_extension();
	spec->extension_length = random_one_in(2) ? 0 : random_below(4);
	spec->segments_left = random_one_in(4);
}

static void random_tags(struct spec *spec)
{
	uint32_t i, count = 1 + random_below(3);

	for (i = 0; i < count; i++) {
		spec->tag[i].type = random_one_in(2) ? 0x8100 : 0x88a8;
		spec->tag[i].control = random_below(65536);
	}
}

/* Few identifications, so that fragments meet. */
static void random_fragment(struct spec *spec)
{
	static const uint16_t bits4[] = {0x2000, 0x2000, 0x2009, 0x0012, 0x0001, 0x2001};
	static const uint16_t bits6[] = {0x0001, 0x0001, 0x0049, 0x0090, 0x0008, 0x0006};
	const uint32_t which = random_below(COUNT(bits4));

	spec->id = 1 + random_below(64);
	spec->fragment = spec->family == 4 ? bits4[which] : bits6[which];
	if (spec->family == 6 && !random_one_in(8)) {
		spec->extension = EXTENSION(IPPROTO_FRAGMENT);
		spec->chain[0] = 0;
	}
	if (random_one_in(8))
		spec->protocol = random_protocol();
}

/* A source route of the option's `length`, which may be used up or not quite right. */
static void random_route(struct spec *spec)
{
	spec->options = 12;
	spec->poke[0] = (struct poke){ETH + 20, random_one_in(2) ? 131 : 137};
	spec->poke[1] = (struct poke){ETH + 21, random_one_in(4) ? random_below(256) : 7};
	spec->poke[2] = (struct poke){ETH + 22, 4 * (1 + random_below(3))};
}

static const char *random_client(bool six)
{
	return six ? "2001:db8:c::7" : "198.51.100.7";
}

/* What a backend may have sent, so that the error is about a VIP's flow; or nearly so. */
static void random_error(struct spec *error, struct spec *quote)
{
	static const uint8_t types4[] = {3, 3, 11, 12, 4, 5, 8};
	static const uint8_t types6[] = {1, 2, 3, 4, 5, 128, 129};
	const bool six = error->family == 6;

	*quote = (struct spec){
		.family = error->family,
		.protocol = random_protocol(),
		.source = random_one_in(16) ? random_destination(six) : error->destination,
		.destination = random_client(six),
		.sport = random_port(),
		.dport = random_below(65536),
		.payload = random_below(200),
		.options = random_one_in(4) ? 4 * random_below(11) : 0,
		.fragment = random_one_in(8) ? random_below(65536) : 0,
	};
	if (!random_one_in(4)) {
		random_place(quote);
		error->destination = quote->source = quote->destination;
		quote->destination = random_client(six);
		quote->sport = quote->dport;
		quote->dport = random_below(65536);
	}
	if (six && random_one_in(4))
		random_chain(quote);
	error->protocol = six ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	error->icmp_type =
		six ? types6[random_below(COUNT(types6))] : types4[random_below(COUNT(types4))];
	error->quote = quote;
	error->quote_length = random_one_in(2) ? 0 : 1 + random_below(80);
	error->payload = 0;
}

static void random_packet(struct frame *frame)
{
	const bool six = random_below(2);
	struct spec quote,
		spec = {
			.family = six ? 6 : 4,
			.protocol = random_protocol(),
			.source = random_client(six),
			.destination = random_destination(six),
			.sport = random_below(65536),
			.dport = random_port(),
			.tos = random_below(256),
			.ttl = random_below(256),
			.label = random_below(1 << 20),
			.fragment = random_one_in(16) ? random_below(65536) : 0x4000,
			.options = random_one_in(4) ? 4 * random_below(11) : 0,
			.tcp_options = random_one_in(2) ? 4 * random_below(11) : 0,
			.tcp_flags = random_below(256),
			.chunk = random_below(16),
			.payload = random_payload(),
			.l4_length = random_one_in(32) ? 1 + random_below(8) : 0,
			.padding = random_one_in(4) ? random_below(random_one_in(4) ? 500 : 64) : 0,
		};

	if (!random_one_in(4))
		random_place(&spec);
	if (random_one_in(8))
		random_chain(&spec);
	if (random_one_in(6))
		random_tags(&spec);
	if (!six && random_one_in(16))
		random_route(&spec);
	if (random_one_in(6))
		random_fragment(&spec);
	else if (random_one_in(6))
		random_error(&spec, &quote);
	frame_build(&spec, frame);
}

/* Changes a few bytes; mostly of the headers, where they matter. */
static void damage(struct frame *frame)
{
	static const uint8_t telling[] = {0, 1, 4, 6, 17, 0x40, 0x44, 0x45, 0x46, 0x4f, 0x60, 0xff};
	uint32_t times = 1 + random_below(4);

	while (times--) {
		uint32_t at = 12 + random_below(random_one_in(4) ? frame->length - 12 : 44);

		if (at < frame->length)
			frame->bytes[at] = random_one_in(2) ? telling[random_below(COUNT(telling))]
							    : random_below(256);
	}
}

void random_frame(struct frame *frame)
{
	size_t i, l3;

	random_packet(frame);
	l3 = frame_l3(frame, NULL);
	if (random_one_in(32))
		frame->bytes[l3 + (frame->bytes[l3] >> 4 == 6 ? 7 : 8)] = 0; /* TTL, hop limit */
	if (random_one_in(64))
		frame->bytes[0] |= 1; /* to a group of stations */
	if (random_one_in(2))
		for (i = 12; i < 16; i++) /* of the source address, in both families */
			frame->bytes[l3 + i] = random_below(256);
	if (random_one_in(3))
		damage(frame);
	if (random_one_in(12))
		frame->length = ETH + random_below(frame->length - ETH + 1);
	if (random_one_in(32)) {
		for (i = ETH; i < frame->length; i++)
			frame->bytes[i] = random_below(256);
	}
}

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the XDP program and lbd share: map layouts, limits, and the meaning of every word.
 *
 * This is the only contract between the two. A change to any layout or meaning here raises
 * LB_ABI_VERSION, which is pinned beside the maps. All integers are in host order unless the type
 * says __be16/__be32. Every array marked "mmapped" is edited by lbd with plain atomic stores while
 * packets flow; each such field is at most 8 bytes and naturally aligned, so a reader sees the old
 * or the new value, never a mixture. One field is larger: a member's outer IPv6 source, which lbd
 * stores in two halves when the kernel's choice of a source changes.
 *
 * The order of stores: lbd writes what is led to before what leads to it, each with release order
 * (a next hop before a member's path, a member before a slot, a place before its index key). The
 * program follows these by addresses that depend on what it has loaded, which arm64 orders as x86
 * does. BPF has no loads with acquire order on the kernels that lbd supports, so whatever a packet
 * reads without such a dependency may be of two moments on arm64, also where x86 would keep the
 * order of its loads. These are all of them, and what becomes of the packet:
 *
 *   index, way 0      nothing leads to it: `place` and an IPv6 address may be those from before the
 *                     key was written. Both are 0 or another VIP's by then: no VIP, once more. (The
 *                     other ways are read by a number that was made of their keys.)
 *   wide              `flags` may be those of the VIP that had the number before: one packet's hash
 *   member            its source beside its path, or half of an IPv6 source: each was right
 *   next hop          `valid` with its address, beside source, interface and MTU from before: of the
 *                     same next hop, whose interface or link has changed; at worst one frame is lost
 *   numbers           of members, VIPs and next hops that are gone are reused as late as possible:
 *                     the program may hold one for a moment
 *
 * Records of flows are whole words. The program replaces them by compare-and-swap, which is a full
 * barrier; lbd deletes them so, and needs no order: it frees a member's number only after a whole
 * further pass over the table, which is seconds after the last slot has lost it.
 */
#ifndef LB_ABI_H
#define LB_ABI_H

#include <linux/types.h>
#include "verdicts.h"

/* What each version has changed, and so what an lbd of one before would misread:
 *   2  members have paths and their VIP's number, next hops a VLAN tag; hash and fragments of a VIP
 *      in its flags; maps "fragments" and "limits"
 *   3  the tag of a record has 30 bits, and tells flows apart under every hash policy; 3 bits of
 *      grade have the place of one, "confirmed"
 *   4  the grades of records mean something else
 *   5  the records of fragments hold the protocol; map "scratch"
 *   6  members have their pool's number in place of a VIP's; map "vip_pools"; places in the VIP
 *      index have 17 bits of VIP number, and its lines overflow into the next; map "vip_counters"
 *   7  maps "wide_vips", "wide", "parts4" and "parts6"
 *   8  "vip_counters" is mapped, with a row for each CPU; maps "vip_waiting", "quic_vips", "quic_ids",
 *      "quic_counters" and "quic_counts"
 *   9  verdicts of the guard; LB_VIP_GUARDED; map "pasts"; "quic_vips" has the pool beside lengths, ids
 *      lie in other lines, and "routed" counts less; counts of lists that were sent; maps "quic_keys",
 *      "quic_vip_keys" and "quic_aes"
 *  10  the VIP index has fewer lines for as many VIPs
 *  11  "counters" has two elements for each member, and there is no "quic_counters"
 */
#define LB_ABI_VERSION 11

/* Limits of the layout; lbd.json sets the sizes in use, these are the most it may ask for. */
#define LB_VIPS_MAX 131072
#define LB_VIP_NUMBERS_MAX 131072 /* 0 … 131,071: 17 bits, see lb_place */
#define LB_MEMBERS_MAX 65534      /* member numbers 0 … 65,533; 0xffff is LB_NONE */
#define LB_NEXTHOPS_MAX 4096      /* number 0 is LB_NEXTHOP_UNRESOLVED */
#define LB_SLOTS_MAX (1u << 27)   /* over all VIPs: 27 bits, see lb_place */
#define LB_FLOWS_MAX (1u << 28)
#define LB_TABLE_SIZE_MIN 251u
#define LB_TABLE_SIZE_MAX 1048573u
#define LB_TABLE_SIZE_DEFAULT 65537u
#define LB_EGRESS_MAX 256     /* interfaces in the device map */
#define LB_FRAGMENTS_MAX 8192 /* datagrams whose later fragments may follow */
#define LB_WIDE_MAX 4096      /* VIPs that are prefixes, or have a range of ports */
#define LB_WIDE_DEPTH 64      /* of these, of one protocol, that an address may belong to */

#define LB_NONE 0xffffu /* no member */

/* --- verdicts: per-CPU array "verdicts" of __u64, indexed by enum lb_verdict --- */
enum lb_verdict {
#define LB_VERDICT_ENUM(id, name, action, meaning) LB_##id,
	LB_VERDICT_LIST(LB_VERDICT_ENUM)
#undef LB_VERDICT_ENUM
		LB_VERDICT_COUNT
};

/* --- VIPs: hash maps "vips4" and "vips6" ---
 * Port 0 stands for every port. {port 0, protocol 0} is the address-only entry: it says that the
 * address has a VIP at all, so that malformed packets, fragments and ICMP can be told from
 * traffic that is none of our business. There is one for each VIP address.
 * Two maps, since an 8-byte key hashes faster than a 20-byte one.
 */
struct lb_vip4_key {
	__be32 address;
	__be16 port;
	__u8 protocol;
	__u8 pad;
};

struct lb_vip6_key {
	__u8 address[16];
	__be16 port;
	__u8 protocol;
	__u8 pad;
};

/* What of a packet is hashed; neither flag: the 5-tuple. */
#define LB_VIP_HASH_SOURCE (1u << 0)      /* the source address */
#define LB_VIP_HASH_SOURCE_PORT (1u << 1) /* the source address and the destination port */
/* What becomes of fragments; neither flag: later ones follow their first. */
#define LB_VIP_FRAGMENTS_3TUPLE (1u << 2) /* all of them go by addresses and protocol */
#define LB_VIP_FRAGMENTS_DROP (1u << 3)
/* Its packets are looked at for QUIC connection ids that name a server. */
#define LB_VIP_QUIC (1u << 4)
/* It has rules of the guard: an element of "guard_vips" that is not empty. */
#define LB_VIP_GUARDED (1u << 5)
/* What most VIPs have none of, so that one branch tells. */
#define LB_VIP_HASHES (LB_VIP_HASH_SOURCE | LB_VIP_HASH_SOURCE_PORT)
#define LB_VIP_UNUSUAL (LB_VIP_HASHES | LB_VIP_QUIC)
/* The flags above also stand in the VIP index, which has room for these bits. */
#define LB_VIP_INDEXED 0x7fu
/* Those below only in the maps, in entries that the index does not hold. */
#define LB_VIP_ADDRESS_ONLY (1u << 31)
/* In an entry with port 0: it stands for the fragments that have no ports of a VIP whose fragments
 * go by 3-tuple, and for no other packet. */
#define LB_VIP_FRAGMENTS_ONLY (1u << 30)

struct lb_vip_value {
	__u32 number;
	__u32 slots_start; /* index of its first word in "slots" */
	__u32 slots_size;  /* how many; 0 in an address-only entry */
	__u32 flags;       /* LB_VIP_* */
};

/* --- VIP index: mmapped arrays "index4" and "index6" of lines ---
 * Where the program looks for the VIP of a TCP, UDP or SCTP packet, since a look-up in a hash map
 * costs more than all the rest of its way; bpf/vip_index.h says how. It holds what "vips4" and
 * "vips6" hold, except address-only and fragments-only entries. An entry for which its line has no
 * room stands in one of the next, each of those that it has passed says so (LB_INDEX_MORE), and so
 * do all LB_INDEX_REACH lines where none had room: then it is in the hash map alone.
 */
#define LB_INDEX_WAYS 4
#define LB_INDEX_REACH 8           /* lines; there are no fewer */
#define LB_INDEX_MORE (1ull << 63) /* in a line's first key */

struct lb_index4_way {
	__u64 key;   /* flags:8 | protocol:8 | port:16 | address:32; 0: free */
	__u64 place; /* lb_place */
};

struct lb_index4_line {
	struct lb_index4_way way[LB_INDEX_WAYS];
};

/* No two of a line have the same key without flags. */
struct lb_index6_way {
	__u64 key;   /* flags:8 | protocol:8 | port:16 | hash of the address:32; 0: free */
	__u64 place; /* lb_place */
	__u64 address[2];
};

struct lb_index6_line {
	struct lb_index6_way way[LB_INDEX_WAYS];
};

/* start:27 | number:17 | size:20, of struct lb_vip_value. Never 0, since no VIP is without slots.
 * Several VIPs may have the same slots. */
static inline __u64 lb_place(__u32 number, __u32 slots_start, __u32 slots_size)
{
	return (__u64)slots_start << 37 | (__u64)number << 20 | slots_size;
}

static inline __u32 lb_place_start(__u64 place)
{
	return place >> 37;
}

static inline __u32 lb_place_number(__u64 place)
{
	return place >> 20 & (LB_VIP_NUMBERS_MAX - 1);
}

static inline __u32 lb_place_size(__u64 place)
{
	return place & 0xfffff;
}

/* --- VIPs that are prefixes, or have a range of ports: "wide" ones ---
 * Of all VIPs that a packet fits the one with the longest prefix has it, of these the one with the
 * fewest ports. lbd works that out beforehand: for each prefix that a wide VIP has, and each protocol,
 * it lists which of the ports are whose, those of shorter prefixes included. So the longest prefix that
 * "parts4" or "parts6" (LPM tries) has for an address gives the whole answer, and a list is replaced as
 * one. A VIP's place is in the mmapped array "wide", by VIP number, and changes by one store.
 *
 * Every wide VIP also stands in the hash map "wide_vips", which lbd alone reads: to know them again. An
 * address-only entry of a prefix has protocol 0 in all of these, and no place.
 */
struct lb_wide_key {
	__u8 address[16]; /* the first; IPv4 in the first four */
	__u16 first_port; /* host order; the last is 0 where there is one port, or every port */
	__u16 last_port;
	__u8 protocol;
	__u8 family;    /* 4 or 6 */
	__u8 host_bits; /* of the address, how many of the last may be anything */
	__u8 pad;
};

struct lb_wide {
	__u64 place; /* lb_place; 0: nobody's */
	__u32 flags; /* LB_VIP_* */
	__u32 pad;
};

/* Bits of the service that count, and of the address; both in wire order. */
#define LB_PARTS_SERVICE_BITS 32
struct lb_parts4_key {
	__u32 length;
	__u8 protocol;
	__u8 pad[3];
	__be32 address;
};

struct lb_parts6_key {
	__u32 length;
	__u8 protocol;
	__u8 pad[3];
	__u8 address[16];
};

#define LB_PART_VIP (1u << 31)     /* there is one; its number is in the low bits */
#define LB_PART_ADDRESS (1u << 30) /* it is of this very address: comes before one with port 0 */

struct lb_part {
	__u16 first, last; /* ports, host order */
	__u32 vip;         /* LB_PART_*, and its number */
};

/* So many VIPs share the ports out among fewer parts than twice as many. A power of two. */
#define LB_PARTS_MAX (2 * LB_WIDE_DEPTH)

struct lb_parts {
	struct lb_part
		part[LB_PARTS_MAX]; /* by ports, none twice; those behind the last repeat it */
};

/* --- global variable "other_vips" of __u64: VIPs that a packet may be for which is for none of just its
 * address and port. How many entries are
 *
 *   prefixes:16 | ranges of ports of one address:16 | in the VIP index with port 0:32
 */
#define LB_OTHER_PORT0 1ull
#define LB_OTHER_RANGE (1ull << 32)
#define LB_OTHER_PREFIX (1ull << 48)
_Static_assert(4 * LB_WIDE_MAX <= 0xffff, "twice as many in a change, and their addresses");

/* --- pools of VIPs: mmapped array "vip_pools" of u64, by VIP number ---
 * Many VIPs may have the members of one pool, and the slots. A VIP that goes from one pool to
 * another has members of both for a transition, on record and in its slots. So a word holds three
 * pools, now:21 (low) | before:21 | before that:21; those that are not used are the one that is.
 * Read only where a slot is not SETTLED.
 */
#define LB_POOL_BITS 21
#define LB_POOL_NUMBERS_MAX (1u << LB_POOL_BITS)

static inline __u64 lb_pools(__u32 now, __u32 before, __u32 earlier)
{
	return (__u64)earlier << 2 * LB_POOL_BITS | (__u64)before << LB_POOL_BITS | now;
}

static inline __u32 lb_pool_at(__u64 pools, int place)
{
	return pools >> place * LB_POOL_BITS & (LB_POOL_NUMBERS_MAX - 1);
}

static inline int lb_pools_have(__u64 pools, __u32 pool)
{
	return lb_pool_at(pools, 0) == pool || lb_pool_at(pools, 1) == pool ||
	       lb_pool_at(pools, 2) == pool;
}

/* --- QUIC connection ids that name a server (draft-ietf-quic-load-balancers-21) ---
 * The first three bits of such an id are its configuration's rotation, the next five are the server's
 * own; then comes the server id. lbd edits both arrays with stores. What of an id has been matched may
 * have left its place by the time that `whose` is read: hence `whose` first.
 */
#define LB_QUIC_ROTATIONS 7 /* the eighth, 7, says that an id is not routable */
#define LB_QUIC_SERVER_ID_MIN 2u
#define LB_QUIC_SERVER_ID_MAX 15u
#define LB_QUIC_NONCE_MIN 4u

/* mmapped array "quic_vips" of __u64, by VIP number: what decides about most of its packets,
 *
 *   pool that it has now:21 | … | encrypted:1 | length of server ids:4, for each rotation (0: no
 *   configuration)
 *
 * A server of another of its pools, as it is while it goes from one to another (vip_pools), is found
 * at the second look. */
#define LB_QUIC_POOL_SHIFT 43
#define LB_QUIC_CONFIG_BITS 5
#define LB_QUIC_ENCRYPTED 16u /* beside a length: ids of this rotation are encrypted */

static inline __u32 lb_quic_config_of(__u64 vip, __u32 rotation)
{
	return vip >> rotation * LB_QUIC_CONFIG_BITS & ((1u << LB_QUIC_CONFIG_BITS) - 1);
}

/* --- encrypted ids, of one block: behind the first byte are 16, AES-128 of server id and nonce ---
 * Mmapped array "quic_keys", by key number; 0 is none. One that is in use is never written to: another key
 * is written to another number, and then the number of each of its VIPs. */
#define LB_QUIC_KEYS 512u
#define LB_QUIC_BLOCK 16u
#define LB_QUIC_ENCRYPTED_ID_MAX                                                                   \
	12u /* bytes of a server id: the nonce has at least four of the block */
#define LB_QUIC_AES_ROUNDS 10

struct lb_quic_key {
	__u32 round[4 * (LB_QUIC_AES_ROUNDS + 1)]; /* in the order of use, mixed for decryption */
};

/* Mmapped array "quic_aes", one element: the same tables everywhere. */
struct lb_quic_aes {
	__u32 table[4][256]; /* InvSubBytes and InvMixColumns of a byte in row 0 … 3, as a column */
	__u8 last[256];      /* InvSubBytes */
};

struct lb_quic_block {
	__u64 word[2]; /* 16 bytes */
};

/* Mmapped array "quic_vip_keys" of __u64, by VIP number: key numbers, nine bits for each rotation. */
#define LB_QUIC_KEY_BITS 9

static inline __u32 lb_quic_key_at(__u64 keys, __u32 rotation)
{
	return keys >> rotation * LB_QUIC_KEY_BITS & (LB_QUIC_KEYS - 1);
}

/* mmapped array "quic_ids" of lines, cache lines of two. An id for which its line has no room stands
 * in one of the next; each line that it has passed counts that. */
#define LB_QUIC_WAYS 2
#define LB_QUIC_REACH 16u /* lines; there are no fewer */
#define LB_QUIC_TAKEN (1ull << 63)

struct lb_quic_id {
	__u64 word[2]; /* as bytes: the server id, zeros, and in the last byte its length */
	__u64 whose;   /* LB_QUIC_TAKEN, and pool:21 | member:16 */
	__u64 passed;  /* in a line's first: of those that stand further on, how many belong here */
};

struct lb_quic_line {
	struct lb_quic_id id[LB_QUIC_WAYS];
};

static inline __u64 lb_quic_whose(__u32 pool, __u32 member)
{
	return LB_QUIC_TAKEN | (__u64)pool << 16 | member;
}

/* The line where the id of a server of this pool belongs. */
static inline __u32 lb_quic_line_of(const __u64 word[2], __u32 pool, __u32 lines)
{
	const __u64 hash =
		(word[0] ^ pool) * 0x9e3779b97f4a7c15ull + word[1] * 0xff51afd7ed558ccdull;

	return (hash >> 32) * lines >> 32;
}

/* What the ids of packets were, per-CPU array "quic_counts" of __u64: X(enumerator, name, meaning).
 * Packets that a server id has led to its member the program counts in "counters" alone; ROUTED has those
 * of members whose number has another by now. */
#define LB_QUIC_COUNT_LIST(X)                                                                      \
	X(ROUTED, "routed", "packets that went to the server which their connection id names")     \
	X(UNROUTABLE, "unroutable", "packets without a connection id that could name a server")    \
	X(UNKNOWN_SERVER, "unknown_server",                                                        \
	  "packets whose connection id names no backend, or one that keeps no flows")              \
	X(QUOTED, "quoted", "ICMP errors, which do not hold the connection id of the server")

enum lb_quic_count {
#define LB_QUIC_COUNT_ENUM(id, name, meaning) LB_QUIC_##id,
	LB_QUIC_COUNT_LIST(LB_QUIC_COUNT_ENUM)
#undef LB_QUIC_COUNT_ENUM
		LB_QUIC_COUNT_COUNT
};

/* Of config.has: stages that not every program has. */
#define LB_HAS_GUARD (1u << 0)
#define LB_HAS_QUIC (1u << 1)
#define LB_GUARD_ASKS (1u << 2) /* the guard only says what it would do, and charges nobody */

/* --- the guard (bpf/guard.h): what is dropped before it gets to a backend ---
 * Its maps, all named "guard_…", are there while the program with that stage is, and not pinned: lbd
 * makes them again and fills them before it puts that program into the balancer's place.
 */

/* Mmapped array "guard_vips", by VIP number: the rules of VIPs with LB_VIP_GUARDED. */
#define LB_GUARD_LISTS (1u << 0)      /* lists of prefixes */
#define LB_GUARD_SYN_ANSWER (1u << 8) /* SYNs are answered, with cookies */
#define LB_GUARD_SYN_OPENS (1u << 9)  /* an ACK that brings a cookie opens a flow, as a SYN does */
#define LB_GUARD_SYN_COUNT (1u << 10) /* SYNs are counted, though not answered */
#define LB_GUARD_RATES (1u << 16)     /* an element of "guard_rates" says how much may come */

struct lb_guard_vip {
	__u32 rules;     /* LB_GUARD_* */
	__u32 lists;     /* bits by list number: those that drop, and those that allow */
	__u32 monitored; /* bits by list number: those that only count */
	__u32 syn_mss;   /* what SYN-ACKs say: the MTU to the backends allows it */
	__u64 reserved[6];
};

/* Mmapped array "guard_secret", one element: what cookies are made with (bpf/syn_cookie.h). Those that
 * are in use are never written to: a change writes two others, and then `now`. */
#define LB_GUARD_KEYS 4u

struct lb_guard_secret {
	__u64 now; /* lb_guard_now */
	__u64 key[LB_GUARD_KEYS][2];
	__u64 clock; /* the program's own */
};

/* `count`: none, the current one, or a second one whose cookies are taken as well. */
static inline __u64 lb_guard_now(__u32 current_key, __u32 other_key, __u32 count)
{
	return (__u64)count << 16 | other_key << 8 | current_key;
}

static inline __u32 lb_guard_keys(__u64 now)
{
	return now >> 16;
}

static inline __u32 lb_guard_key(__u64 now, int which)
{
	return now >> which * 8 & (LB_GUARD_KEYS - 1);
}

/* Lists of prefixes. A prefix may be on several lists, and within prefixes of others. What a packet needs to
 * know of the prefixes that its source is in is a combination of lists: those that allow (even places) and
 * those that block (odd places), the longest prefix's first, each list once. The first place that has one of
 * the VIP's lists says what becomes of the packet. Mmapped array "guard_combos", by number; 0: no list.
 * lbd makes them: the program orders no prefixes. */
#define LB_GUARD_LISTS_MAX 15u
#define LB_GUARD_PLACES 16u /* one more than lists: the first may be empty */
#define LB_GUARD_COMBOS 256u

struct lb_guard_combo {
	__u16 lists[LB_GUARD_PLACES];
};

/* What leads to the combination (bpf/guard_word.h, which lbd shares):
 *
 *   filters       arrays of u64, in regions: one of n words, a power of two, begins at word n. IPv4 by /24, IPv6
 *                 by /48 and by /32: no source that is on a list is missed, and few others pass
 *   "guard_24"    two bits for each IPv4 /24, a line for a /16: 0 no list, 1 and 2 these combinations, 3 see
 *                 "guard_exact4"
 *   "guard_exact4", "guard_exact6"
 *                 lines of words, one for a prefix, in the one or the other of two lines
 *
 * A prefix that comes is in the exact words first, then in "guard_24", then in the filter; one that goes is
 * taken from where the program looks first. A word changes by one store. */
struct lb_guard_line {
	__u64 word[8];
};

#define LB_GUARD_LENGTHS4 32u
#define LB_GUARD_LENGTHS6 16u
enum { LB_GUARD_FILTER4, LB_GUARD_FILTER6, LB_GUARD_FILTER6_SHORT, LB_GUARD_FILTERS };

/* Mmapped array "guard_tuning", one element. */
struct lb_guard_tuning {
	__u64 secret[4];                /* odd */
	__u64 filter[LB_GUARD_FILTERS]; /* start:32 | words - 1:32 of its region */
	__u32 lines4, lines6;           /* of the exact words */
	__u32 lengths;                  /* which of the two copies is read */
	__u32 pad;
	/* Lengths in use, the longest first, up to the first 0. */
	__u8 lengths4[2][LB_GUARD_LENGTHS4];
	__u8 lengths6[2][LB_GUARD_LENGTHS6];
};

/* Per-CPU array "guard_hits", by list number: packets that it decided on, or with a list that only counts would
 * have. */
struct lb_guard_hits {
	__u64 packets;
	__u64 bytes;
};

/* Per-CPU array "guard_syns", by VIP number: of those whose rules have LB_GUARD_SYN_ANSWER or _COUNT. */
struct lb_guard_syns {
	__u64 seen;
	__u64 answered;
	__u64 opened; /* flows, by ACKs that brought a cookie; just where slots are not SETTLED */
};

/* Rates. Mmapped array "guard_rates", by VIP number: rules, the first of no kind ends them. */
#define LB_RATES 4u
#define LB_RATE_PACKETS 1u
#define LB_RATE_SYNS 2u
#define LB_RATE_BYTES 3u
#define LB_RATE_KIND 3u           /* of `what` */
#define LB_RATE_WHOLE (1u << 2)   /* of the VIP; else of each source */
#define LB_RATE_MONITOR (1u << 3) /* only counts */

struct lb_rate {
	__u64 price;   /* of one, rate_price in rate_cell.h */
	__u64 mask[2]; /* what of a source counts, as addresses lie in a packet */
	__u32 what;    /* LB_RATE_* */
	__u32 pad;
};

struct lb_rates {
	struct lb_rate rule[LB_RATES];
};

/* Mmapped array "guard_rate_cells" of pairs of cells (rate_cell.h): those of sources, then one for each two rules of
 * each VIP number. All CPUs share them. Mmapped array "guard_rate_clock", one element. */
#define LB_RATE_PAIRS 32768u

struct lb_rate_pair {
	__u64 cell[2];
};

struct lb_rate_clock {
	__u64 secret[4]; /* odd; written before the first rule */
	__u64 now;       /* the program's own */
};

/* Per-CPU array "guard_rate_over", by VIP number: packets beyond each rule. */
struct lb_rates_over {
	__u64 packets[LB_RATES];
};

/* --- slots: mmapped array "slots" of u32 words, current:16 (low) | previous:16 (high) ---
 * The kernel rounds array values up to 8 bytes, so the words stand in lines of 16; to lbd they are
 * one contiguous array of words. previous == current: SETTLED. previous == LB_NONE: TRACKED.
 * Otherwise MOVING. A slot without any member is LB_NONE in both halves, and may have recorded
 * flows like a TRACKED one.
 */
#define LB_SLOT_LINE 16u

struct lb_slot_line {
	__u32 word[LB_SLOT_LINE];
};

static inline __u32 lb_slot_word(__u16 current_member, __u16 previous_member)
{
	return (__u32)previous_member << 16 | current_member;
}

static inline __u16 lb_slot_current(__u32 word)
{
	return (__u16)word;
}

static inline __u16 lb_slot_previous(__u32 word)
{
	return (__u16)(word >> 16);
}

static inline __u32 lb_slot_settled(__u16 member)
{
	return lb_slot_word(member, member);
}

static inline int lb_slot_is_settled(__u32 word)
{
	return (__u16)word == word >> 16;
}

/* --- who had a slot before: mmapped array "pasts" of u32 words, as "slots", P0:16 (low) | P1:16 (high) ---
 * P0 is the owner before the transition, P1 the last owner that is neither P0 nor the current one; LB_NONE:
 * nobody. No member is in it twice, and P1 not without P0. Read only where a slot is not SETTLED; lbd stores
 * it before the word of the slot. */
#define LB_PASTS 2
#define LB_PAST_NONE 0xffffffffu

static inline __u16 lb_past_at(__u32 past, int place)
{
	return (__u16)(past >> 16 * place);
}

/* --- members: mmapped array "members", one cache line each --- */
#define LB_MEMBER_VALID (1u << 0)  /* the number is in use */
#define LB_MEMBER_NEW (1u << 1)    /* takes new flows */
#define LB_MEMBER_OLD (1u << 2)    /* keeps its old flows */
#define LB_MEMBER_OUTER6 (1u << 3) /* outer header is IPv6, else IPv4 */
#define LB_MEMBER_GONE (1u << 4)   /* removed: kept for packets on their way, not to be adopted */
#define LB_MEMBER_GUE (1u << 5)    /* a UDP header (LB_GUE_PORT) between the two IP headers */
#define LB_MEMBER_OLDER (1u << 6)  /* than these maps: its counters do not tell of its flows */
#define LB_MEMBER_CHAIN (1u << 7)  /* passes on what it has no connection for (second.bpf.c) */
#define LB_MEMBER_SICK (1u << 8)   /* its check fails: it may not pass anything on */

/* GUE variant 1 (draft-ietf-intarea-gue-09 section 6): the inner IP packet follows the UDP header
 * at once, and its version nibble says what it is. Linux receives it by `ip fou add port 6080 gue`.
 */
#define LB_GUE_PORT 6080

/* Several equal routes (ECMP): the low bits of the flow hash pick one of these. */
#define LB_MEMBER_PATHS 8u

struct lb_member {
	__u32 flags; /* LB_MEMBER_* */
	__u32 pool;  /* number of the pool it belongs to */
	/* Indices in "nexthops"; LB_NEXTHOP_UNRESOLVED while unknown. All the same where there is
	 * one route. */
	__u16 path[LB_MEMBER_PATHS];
	/* Outer addresses in wire order; an IPv4 address stands in the first four bytes. */
	__be32 daddr[4];
	__be32 saddr[4];
	/* Bits of the last word of saddr that the flow hash fills in (0: saddr is used as it is). */
	__be32 saddr_mask;
	/* IPv4 outer only: sum, not folded, of the header's constant 16-bit words as they lie in
	 * memory: version/IHL with TOS 0, id 0, DF, TTL with protocol 0, and daddr. TOS, length,
	 * protocol and saddr are added per packet, so that saddr can change with one store. */
	__u32 csum;
};

/* --- next hops: mmapped array "nexthops" --- */
#define LB_NEXTHOP_UNRESOLVED 0u /* number 0 never leads anywhere */

struct lb_nexthop {
	__u8 dst_mac[6];
	__u16 valid; /* in the same 8-byte word as dst_mac: 1 when both addresses are right */
	__u8 src_mac[6];
	__u16 vlan; /* in the same 8-byte word as src_mac: tag control information of the way out, 0
		     * for no tag */
	__u32 ifindex; /* of the interface that frames leave by: below a VLAN, the one it is on */
	__u32 mtu;     /* of the egress interface or route: the most an outer IP packet may have */
	__be16 vlan_protocol; /* 802.1Q or 802.1ad, where vlan is not 0 */
	__u16 pad[3];
} __attribute__((aligned(8))); /* or the MAC words would be read in halves */

/* --- counters: per-CPU array "counters", indexed by member; behind those of all members (config.members),
 * again by member, what a QUIC server id has led to it --- */
struct lb_counter {
	__u64 packets;
	__u64 bytes; /* of the clients' IP packets, without Ethernet and outer headers */
};

/* --- counters by VIP: mmapped array "vip_counters", a row of config.vip_row VIP numbers for each CPU,
 * which alone writes to it; one element where that is 0. No per-CPU array: the pointer that the kernel
 * has to each of its elements would be one more cache miss.
 *
 * Where config.vip_waiting is not 0, packets wait in the mmapped array "vip_waiting", indexed by CPU,
 * before they are added (bpf/count.h). What a VIP has is both together. --- */
#define LB_VIP_WAITING 31

struct lb_vip_waiting {
	__u32 count;                 /* how many wait */
	__u32 emptied;               /* how often, twice; odd while it is */
	__u64 entry[LB_VIP_WAITING]; /* VIP number:32 | bytes:32; 0: none. lbd may make it 0 */
};

/* --- flow table: mmapped array "flows" of buckets, one cache line each ---
 * Eight words of 64 bits; bpf/flow.h says what is in one and who may change it.
 */
#define LB_FLOW_WAYS 8

struct lb_flow_bucket {
	__u64 word[LB_FLOW_WAYS];
};

/* What the flow table did, per-CPU array "flow_counts" of __u64: X(enumerator, name, meaning). */
#define LB_FLOW_COUNT_LIST(X)                                                                      \
	X(HIT, "hits", "packets that followed their record")                                       \
	X(MISSED, "misses", "packets without a record")                                            \
	X(INSERTED, "inserted", "flows recorded in an empty word")                                 \
	X(EVICTED, "evicted",                                                                      \
	  "flows recorded in the place of one that is idle or has shown little")                   \
	X(REFUSED, "refused", "flows not recorded: eight live proven ones in their bucket")        \
	X(OVER_BUDGET, "over_budget",                                                              \
	  "packets other than SYNs not recorded: too many in this time unit (4.3 s)")              \
	X(RACED, "raced", "flows not recorded: another CPU took the word; their next packet is")   \
	X(REPLACED, "replaced", "records whose backend no longer takes the flow")                  \
	X(CONFIRMED, "confirmed",                                                                  \
	  "records written again: of a higher grade, or their time brought up to date")            \
	X(CHANCE_SENT, "chance_sent", "packets sent with a list of other backends")                \
	X(CHANCE_NO_ROOM, "chance_no_room",                                                        \
	  "packets sent without a list, which would exceed the MTU of the way to the backend")

enum lb_flow_count {
#define LB_FLOW_COUNT_ENUM(id, name, meaning) LB_FLOW_##id,
	LB_FLOW_COUNT_LIST(LB_FLOW_COUNT_ENUM)
#undef LB_FLOW_COUNT_ENUM
		LB_FLOW_COUNT_COUNT
};

/* --- per-CPU array "budget", one element: evictions by packets other than SYNs in this time unit
 * --- */
struct lb_budget {
	__u32 time;
	__u32 used;
};

/* --- LRU hash "fragments": which ports the later fragments of a datagram belong to --- */
struct lb_fragment_key {
	__u64 source[2], destination[2]; /* wire order; IPv4 in the low half of the first word */
	__u32 id;                        /* identification, as it lies in the packet */
	__u8 protocol;                   /* IPv6: 0 */
	__u8 family;                     /* 4 or 6 */
	__u16 pad;
};

struct lb_fragment {
	__be32 ports;  /* source and destination as they lie in the packet */
	__u16 time;    /* of the first fragment, in time units of flow words */
	__u8 protocol; /* of the transport header */
	__u8 pad;
};

/* --- per-CPU array "limits" of token buckets, one for each kind of packet that the program itself
 * sends, so that nobody can make it a reflector --- */
enum lb_limit { LB_LIMIT_ECHO, LB_LIMIT_TOO_BIG, LB_LIMIT_COUNT };

struct lb_limit_state {
	__u64 time_ns; /* when tokens were last added */
	__u64 tokens;  /* in nanoseconds of rate: one answer takes 10^9 / config.answer_rate */
};

/* --- per-CPU array "scratch", one element: headers that the program puts together apart from the
 * frame, since nothing says which of its buffers they are in; of no meaning to lbd --- */
#define LB_QUOTE 512
#define LB_HOPS_MAX 3 /* backends that a packet is passed on to, one after the other */

struct lb_hops {
	__u32 count;
	__u32 number[LB_HOPS_MAX]; /* of members */
	__u32 ifindex;             /* by which the packet leaves */
	__u32 pad;
};

struct lb_scratch {
	__be16 link[16]; /* the Ethernet header with up to two tags: 22 bytes */
	__u8 header[48]; /* an IP header and one of ICMP end where `packet` begins */
	__u8 packet[LB_QUOTE];
	__u8 outer[184]; /* Ethernet, a tag, the outer IP header, UDP, a list: 122 bytes, and what
			  * the verifier cannot know */
	struct lb_hops hops;
};

/* --- mmapped array "tuning", one element --- */
struct lb_tuning {
	__u32 flow_idle; /* time units after which a confirmed word of any VIP is dead */
	__u32 pad;
};

/* --- array "abi", one element, pinned with the rest: what a later lbd must find equal to adopt
 * them --- */
struct lb_stamp {
	__u32 abi;  /* LB_ABI_VERSION */
	__u32 size; /* of this struct */
	__u64 seed; /* the flow hash of nothing: tells one seed from another */
};

/* --- configuration: const volatile rodata "config", set before the program is loaded --- */
struct lb_program_config {
	__u64 seed[2];      /* keys the flow hash (bpf/hash.h) */
	__u32 flow_buckets; /* power of two */
	__u32 flow_budget;  /* evictions by packets other than SYNs, per CPU and time unit */
	__u32 answer_rate;  /* echo replies, and "too big" messages, a second and CPU; 0: none */
	__u32 index_lines;  /* of each VIP index */
	__u32 vip_row;      /* VIP numbers, where packets are counted by VIP, too; else 0 */
	__u32 vip_waiting;  /* whether they wait to be counted */
	__u32 quic_lines;   /* of "quic_ids" */
	__u32 has;          /* LB_HAS_*: the stages of the program, beside those that each has */
	__u32 members;      /* member numbers: half of "counters" */
	__u32 pad;
};

#define LB_ASSERT_SIZE(type, size) _Static_assert(sizeof(struct type) == (size), #type " is shared")
LB_ASSERT_SIZE(lb_vip4_key, 8);
LB_ASSERT_SIZE(lb_vip6_key, 20);
LB_ASSERT_SIZE(lb_vip_value, 16);
LB_ASSERT_SIZE(lb_index4_line, 64);
LB_ASSERT_SIZE(lb_index6_line, 128);
LB_ASSERT_SIZE(lb_wide_key, 24);
LB_ASSERT_SIZE(lb_wide, 16);
LB_ASSERT_SIZE(lb_parts4_key, 12);
LB_ASSERT_SIZE(lb_parts6_key, 24);
LB_ASSERT_SIZE(lb_parts, 1024);
LB_ASSERT_SIZE(lb_quic_line, 64);
LB_ASSERT_SIZE(lb_quic_key, 176);
LB_ASSERT_SIZE(lb_quic_aes, 4352);
LB_ASSERT_SIZE(lb_guard_vip, 64);
LB_ASSERT_SIZE(lb_guard_secret, 80);
LB_ASSERT_SIZE(lb_guard_syns, 24);
LB_ASSERT_SIZE(lb_guard_combo, 32);
LB_ASSERT_SIZE(lb_guard_line, 64);
LB_ASSERT_SIZE(lb_guard_tuning, 168);
LB_ASSERT_SIZE(lb_rates, 128);
LB_ASSERT_SIZE(lb_rate_pair, 16);
LB_ASSERT_SIZE(lb_rate_clock, 40);
LB_ASSERT_SIZE(lb_rates_over, 32);
LB_ASSERT_SIZE(lb_slot_line, 64);
LB_ASSERT_SIZE(lb_member, 64);
LB_ASSERT_SIZE(lb_nexthop, 32);
_Static_assert(__builtin_offsetof(struct lb_member, saddr) % 8 == 0, "stored in halves");
LB_ASSERT_SIZE(lb_counter, 16);
LB_ASSERT_SIZE(lb_vip_waiting, 256);
LB_ASSERT_SIZE(lb_flow_bucket, 64);
LB_ASSERT_SIZE(lb_stamp, 16);
LB_ASSERT_SIZE(lb_budget, 8);
LB_ASSERT_SIZE(lb_tuning, 8);
LB_ASSERT_SIZE(lb_fragment_key, 40);
LB_ASSERT_SIZE(lb_fragment, 8);
LB_ASSERT_SIZE(lb_limit_state, 16);
LB_ASSERT_SIZE(lb_scratch, 800);
LB_ASSERT_SIZE(lb_program_config, 56);

#endif

# SPDX-License-Identifier: BSD-2-Clause
"""What follows from the samples that packets.c and live.c have taken: net costs, ratios, targets.

Targets are judged by pairs, whose two sides take turns all through a round (turns.h, live.c). A ratio
is taken within a round, and the median of the rounds is given, with an interval that holds the true
median with 95 %. Costs are net: of the wrapper (packets), or of the generator and a veth (live).
"""
from math import comb
from statistics import median, quantiles


def net(samples, base):
    return [a - b for a, b in zip(samples, base)]


def spread(samples):
    """Half of the rounds lie within so much of each other, as a share of the median."""
    if len(samples) < 2:
        return 0.0
    low, _, high = quantiles(samples, n=4)
    return (high - low) / median(samples) if median(samples) else 0.0


def ratio(a, b):
    return median(x / y for x, y in zip(a, b) if y)


def ratios(a, b):
    """Of each round. None: one of them was not measured."""
    return [x / y for x, y in zip(a, b) if y] if a and b else None


def interval(values):
    """Holds the median of what the values are drawn from with 95 %, whatever their distribution: each
    of them lies above it with one half. With fewer than six it is the range of all, and holds less."""
    ordered = sorted(values)
    outside, chance = 0, 0.0
    for left_out in range(len(ordered) // 2):
        chance += 2 * comb(len(ordered), left_out) / 2**len(ordered)
        if chance <= 0.05:
            outside = left_out
    return ordered[outside], ordered[-1 - outside]


def cost(samples):
    return {"min_ns": round(min(samples), 2), "median_ns": round(median(samples), 2),
            "spread": round(spread(samples), 3)}


def packet_row(case):
    """A row of the table of cases, or its error."""
    row = {key: case.get(key) for key in ("name", "flows", "vips", "members", "table", "slots",
                                          "records", "lru_capacity")}
    if "error" in case:
        return row | {"error": case["error"]}
    ns = case["ns"]
    wrapper = ns["wrapper"]
    of = {name: net(samples, wrapper) for name, samples in ns.items() if name != "wrapper"}
    row["lb"] = cost(of["lb"])
    row["lb"]["mpps"] = round(1000 / median(of["lb"]), 2)
    row["wrapper_ns"] = round(median(wrapper), 2)
    if "lru" in of:
        row["lru"] = cost(of["lru"])
        row["lru_to_lb"] = round(ratio(of["lru"], of["lb"]), 2)
    if "floor" in of:
        row["floor"] = cost(of["floor"])
        row["lb_to_floor"] = round(ratio(of["lb"], of["floor"]), 2)
        row["twin"] = round(ratio(ns["floor_again"], ns["floor"]), 3)
    return row


def pair_ratios(pair):
    """Of each round; None when it went wrong."""
    if "ns" not in pair:
        return None
    ns = pair["ns"]
    return ratios(net(ns["a"], ns["a_wrapper"]), net(ns["b"], ns["b_wrapper"]))


def pair_differences(pair):
    """Nanoseconds, of each round; None when it went wrong."""
    if "ns" not in pair:
        return None
    ns = pair["ns"]
    a, b = net(ns["a"], ns["a_wrapper"]), net(ns["b"], ns["b_wrapper"])
    return [x - y for x, y in zip(a, b)]


def pair_row(pair):
    """What both sides cost, and their ratio, or its error."""
    row = {key: pair.get(key) for key in ("name", "a_is", "b_is")}
    if "ns" not in pair:
        return row | {"error": pair["error"]}
    ns, values = pair["ns"], pair_ratios(pair)
    return row | {"a": cost(net(ns["a"], ns["a_wrapper"])), "b": cost(net(ns["b"], ns["b_wrapper"])),
                  "ratio": round(median(values), 3), "interval": interval(values)}


class Samples:
    """Net samples by case, ratios and differences by pair, None where one is not there or went
    wrong."""

    def __init__(self, results):
        self.packets, self.live = {}, {}
        for case in results.get("packets", {}).get("cases", []):
            if "ns" in case:
                self.packets[case["name"]] = net(case["ns"]["lb"], case["ns"]["wrapper"])
        self.pairs = {pair["name"]: pair_ratios(pair)
                      for pair in results.get("pairs", {}).get("pairs", [])}
        self.differences = {pair["name"]: pair_differences(pair)
                            for pair in results.get("pairs", {}).get("pairs", [])}
        for case in results.get("live", {}).get("cases", []):
            if "ns" in case:
                self.live[case["name"]] = case["ns"]

    def live_net(self, case):
        base = self.live.get("drop-" + case.rsplit("-", 1)[1])
        return net(self.live[case], base) if case in self.live and base else None


def judged(name, value, limit, at_most, unit=""):
    """A row of the table of targets. value: one, the ratios of all rounds, or None when it was not
    measured. It is close when the bound lies within the interval."""
    row = {"target": name, "value": None, "limit": limit, "unit": unit, "met": None,
           "bound": "at most" if at_most else "at least"}
    if value is None:
        return row
    if isinstance(value, list):
        row["interval"] = [round(end, 3) for end in interval(value)]
        row["close"] = row["interval"][0] <= limit <= row["interval"][1]
        value = median(value)
    return row | {"value": round(value, 3), "met": value <= limit if at_most else value >= limit}


def packet_targets(samples):
    p = samples.pairs.get
    strangers = [samples.packets.get("not-a-vip-1"), samples.packets.get("not-a-vip-1m")]
    return [
        judged("TCP4 established, settled, 1 flow / floor", p("floor-1"), 2.5, True, "x"),
        judged("the same, 1,048,576 flows / 1 flow", p("flows-1m"), 1.4, True, "x"),
        judged("LRU design / balancer, 1,048,576 flows", p("lru-1m"), 5, False, "x"),
        judged("TCP SYN / established, 1,048,576 flows", p("syn-1m"), 1.05, True, "x"),
        judged("1 % of slots moving / settled, 1,048,576 flows", p("one-percent-moving-1m"), 1.1,
               True, "x"),
        judged("LRU design / balancer, all slots moving, recorded, 1,048,576 flows",
               p("lru-moving-1m"), 1, False, "x"),
        judged("TCP6 (IPv6 in IPv6) / TCP4, 1 flow", p("tcp6-1"), 1.2, True, "x"),
        judged("TCP6 (IPv6 in IPv6) / TCP4, 1,048,576 flows", p("tcp6-1m"), 1.2, True, "x"),
        judged("tracing 1 packet of 1,000 / not tracing, 1 flow", p("trace-1"), 1.03, True, "x"),
        judged("the same, 1,048,576 flows", p("trace-1m"), 1.03, True, "x"),
        judged("one address beside a prefix / where there is none, 1 flow", p("beside-prefix-1"),
               1.03, True, "x"),
        judged("QUIC id that names a server / UDP, 1 flow", p("quic4-1"), 1.5, True, "x"),
        judged("the same, 1,048,576 flows and 100 servers", p("quic4-1m"), 1.5, True, "x"),
        judged("encrypted QUIC id - id in the clear, 1 flow", samples.differences.get("quic-key4-1"),
               130, True, "ns"),
        judged("SYN answered with a cookie / SYN forwarded, 1,048,576 flows", p("cookie-1m"), 2.75,
               True, "x"),
        judged("not a VIP, net", max(map(median, strangers)) if all(strangers) else None, 12, True,
               "ns"),
    ]


# A list that no client is on, in nanoseconds.
LIST_BOUNDS = {"10": 5, "10k": 5, "100k": 10, "1m": 50}


def list_targets(samples):
    return [judged(f"source on no list, {prefixes} prefixes - no list, 131,072 clients",
                   samples.differences.get("lists-" + name), bound, True, "ns")
            for (name, bound), prefixes in zip(LIST_BOUNDS.items(),
                                               ("10", "10,000", "100,000", "999,000"))]


# Many VIPs that share a pool, over one VIP.
POOL_BOUNDS = {"pool-31": 1.15, "pool-100": 1.15, "pool-1000": 1.3, "pool-10000": 1.6,
               "pool-100000": 2.75}


def pool_targets(samples):
    p = samples.pairs.get
    return [judged(f"{int(name.split('-')[1]):,} VIPs of one pool / one VIP, 1,048,576 flows", p(name),
                   bound, True, "x") for name, bound in POOL_BOUNDS.items()] + [
        judged("31 VIPs with 16,381 slots each / one VIP, 1,048,576 flows", p("own-31-16381"), 2.25,
               True, "x")]


# Who drops a source of 10,000 that are listed (of 100, where rules are gone through), over the balancer.
LISTED_BOUNDS = {"listed-nft-64": ("nftables, a set of 10,000 at the ingress hook", 5),
                 "listed-ipset-64": ("iptables, an ipset of 10,000", 5),
                 "listed-rules-64": ("iptables, 100 rules one by one", 12)}


def listed_targets(samples):
    return [judged(f"live, drop of a listed source: {what} / balancer, generator taken off",
                   ratios(samples.live_net(name), samples.live_net("listed-lb-64")), bound, False, "x")
            for name, (what, bound) in LISTED_BOUNDS.items()]


def live_targets(samples):
    return listed_targets(samples) + [
        judged("live XDP_TX, 1,048,576 flows: rate / that of the bare encapsulation",
               ratios(samples.live.get("encap-1m"), samples.live.get("lb-1m")), 0.8, False, "x"),
        judged("live: nftables DNAT / balancer, 1,024 flows, generator taken off",
               ratios(samples.live_net("dnat-1k"), samples.live_net("lb-1k")), 7, False, "x"),
    ]


def instruction_targets(insns):
    rows = []
    for series, least in (("6.1", 11), ("6.12", 6)):
        of = (insns or {}).get(series, {})
        value = None
        if all(name in of for name in ("ipvs", "lb", "drop")):
            value = (of["ipvs"] - of["drop"]) / (of["lb"] - of["drop"])
        rows.append(judged(f"instructions a packet on {series}: IPVS / balancer, generator taken "
                           "off", value, least, False, "x"))
    return rows


def memory_targets(results):
    rows = []
    for field, what in (("default_memory_bytes", ""), ("lists_memory_bytes", " with 65,536 prefixes")):
        value = results.get("packets", {}).get(field)
        rows.append(judged("all maps of the default configuration" + what, value and value / 2**20, 32,
                           True, "MiB"))
    return rows


def targets(results, insns=None):
    samples = Samples(results)
    return (packet_targets(samples) + list_targets(samples) + pool_targets(samples) + live_targets(samples) + instruction_targets(insns) +
            memory_targets(results))


CONTROLS = {"control-1": "1 flow", "control-1m": "1,048,576 flows"}


def noise(results):
    """How far the balancer, loaded twice, is from itself: what a ratio here is worth."""
    pairs = Samples(results).pairs
    controls = [judged(what, pairs.get(name), 1, True) for name, what in CONTROLS.items()]
    controls = [row for row in controls if row["value"]]
    if not controls:
        return None
    return {"controls": controls,
            "noisy": any(abs(row["value"] - 1) > 0.02 for row in controls)}


def live_row(case, samples):
    row = {"name": case["name"]}
    if "error" in case:
        return row | {"error": case["error"]}
    row |= cost(case["ns"]) | {"flows": case["flows"],
                               "mpps": round(1000 / median(case["ns"]), 2)}
    of = samples.live_net(case["name"])
    if of and not case["name"].startswith("drop-"):
        row["net_ns"] = round(median(of), 2)
    return row


def two_cores(results):
    """Packets a second of two cores, as a multiple of one."""
    pairs = [pair for pair in results.get("live", {}).get("two_cores", []) if pair["alone_ns"]]
    if not pairs:
        return None
    return round(median(pair["alone_ns"] * sum(1 / ns for ns in pair["both_ns"])
                        for pair in pairs), 2)

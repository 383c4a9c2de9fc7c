# SPDX-License-Identifier: BSD-2-Clause
"""What follows from the samples that packets.c and live.c have taken: net costs, ratios, targets.

Ratios are taken within a round, where both sides had the same machine, and the median of the rounds
is given. Costs are net: of the wrapper (packets), or of the generator and a veth (live).
"""
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


def cost(samples):
    return {"min_ns": round(min(samples), 2), "median_ns": round(median(samples), 2),
            "spread": round(spread(samples), 3)}


def packet_row(case):
    """A row of the table of cases, or its error."""
    row = {key: case[key] for key in ("name", "flows", "vips", "members", "table", "slots",
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


class Samples:
    """Net samples by case, None where a case is not there or went wrong."""

    def __init__(self, results):
        self.packets, self.live = {}, {}
        for case in results.get("packets", {}).get("cases", []):
            if "ns" in case:
                wrapper = case["ns"]["wrapper"]
                self.packets[case["name"]] = {
                    name: net(samples, wrapper) for name, samples in case["ns"].items()}
        for case in results.get("live", {}).get("cases", []):
            if "ns" in case:
                self.live[case["name"]] = case["ns"]

    def packet(self, case, program="lb"):
        return self.packets.get(case, {}).get(program)

    def live_net(self, case):
        base = self.live.get("drop-" + case.rsplit("-", 1)[1])
        return net(self.live[case], base) if case in self.live and base else None


def judged(name, value, limit, at_most, unit=""):
    """A row of the table of targets. value None: not measured."""
    verdict = None if value is None else (value <= limit if at_most else value >= limit)
    return {"target": name, "value": None if value is None else round(value, 3),
            "limit": limit, "bound": "at most" if at_most else "at least", "unit": unit,
            "met": verdict}


def quotient(a, b):
    return ratio(a, b) if a and b else None


def packet_targets(samples):
    p = samples.packet
    strangers = [p("not-a-vip-1"), p("not-a-vip-1m")]
    return [
        judged("TCP4 established, settled, 1 flow / floor",
               quotient(p("tcp4-1"), p("tcp4-1", "floor")), 2.5, True, "x"),
        judged("the same, 1,048,576 flows / 1 flow", quotient(p("tcp4-1m"), p("tcp4-1")), 1.4,
               True, "x"),
        judged("LRU design / balancer, 1,048,576 flows",
               quotient(p("tcp4-1m", "lru"), p("tcp4-1m")), 5, False, "x"),
        judged("TCP SYN / established, 1,048,576 flows", quotient(p("syn4-1m"), p("tcp4-1m")),
               1.05, True, "x"),
        judged("1 % of slots moving / settled, 1,048,576 flows",
               quotient(p("one-percent-moving-1m"), p("tcp4-1m")), 1.1, True, "x"),
        judged("LRU design / balancer, all slots moving, recorded, 1,048,576 flows",
               quotient(p("moving-recorded-1m", "lru"), p("moving-recorded-1m")), 1, False, "x"),
        judged("not a VIP, net", max(map(median, strangers)) if all(strangers) else None, 12, True,
               "ns"),
        judged("TCP6 (IPv6 in IPv6) / TCP4, 1 flow", quotient(p("tcp6-1"), p("tcp4-1")), 1.2, True,
               "x"),
        judged("TCP6 (IPv6 in IPv6) / TCP4, 1,048,576 flows",
               quotient(p("tcp6-1m"), p("tcp4-1m")), 1.2, True, "x"),
    ]


def live_targets(samples):
    return [
        judged("live XDP_TX, 1,048,576 flows: rate / that of the bare encapsulation",
               quotient(samples.live.get("encap-1m"), samples.live.get("lb-1m")), 0.8, False, "x"),
        judged("live: nftables DNAT / balancer, 1,024 flows, generator taken off",
               quotient(samples.live_net("dnat-1k"), samples.live_net("lb-1k")), 7, False, "x"),
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


def memory_target(results):
    value = results.get("packets", {}).get("default_memory_bytes")
    return judged("all maps of the default configuration", value and value / 2**20, 32, True, "MiB")


def targets(results, insns=None):
    samples = Samples(results)
    return (packet_targets(samples) + live_targets(samples) + instruction_targets(insns) +
            [memory_target(results)])


def noise(results):
    """How far the floor is from itself: the median of the cases' A/A ratios, and the worst."""
    twins = [row["twin"] for row in map(packet_row, results.get("packets", {}).get("cases", []))
             if "twin" in row]
    if not twins:
        return None
    worst = max(twins, key=lambda value: abs(value - 1))
    return {"median": median(twins), "worst": worst,
            "noisy": abs(median(twins) - 1) > 0.03 or abs(worst - 1) > 0.1}


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

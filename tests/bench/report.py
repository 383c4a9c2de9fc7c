# SPDX-License-Identifier: BSD-2-Clause
"""What did the benchmark find?

    report.py join FOLDER               packets.json, pairs.json, live.json and insns.json there, as
                                        far as there are any, as one, with what follows
    report.py show RESULTS              tables, and the targets with met or missed
    report.py page RESULTS INSNS DOCS   brings DOCS/benchmark.md and its plots up to date

INSNS: the baseline of instruction counts (insns.py), which the page shows as well.
"""
import json
import os
import platform
import re
import sys
import textwrap

import ratios
import plots


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        found = re.search(r"^model name\s*: (.*)$", file.read(), re.MULTILINE)
    return found[1] if found else platform.machine()


def join(folder):
    results = {"machine": {"cpu": cpu_model(), "cores": os.cpu_count(),
                           "kernel": re.match(r"\d+\.\d+", platform.release())[0]}}
    for part in ("packets", "pairs", "live"):
        path = os.path.join(folder, part + ".json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                results[part] = json.load(file)
    samples = ratios.Samples(results)
    results["rows"] = {
        "packets": [ratios.packet_row(case)
                    for case in results.get("packets", {}).get("cases", [])],
        "pairs": [ratios.pair_row(pair) for pair in results.get("pairs", {}).get("pairs", [])],
        "live": [ratios.live_row(case, samples)
                 for case in results.get("live", {}).get("cases", [])],
    }
    results["two_cores"] = ratios.two_cores(results)
    results["noise"] = ratios.noise(results)
    insns = os.path.join(folder, "insns.json")
    results["targets"] = ratios.targets(results, load(insns) if os.path.exists(insns) else None)
    json.dump(results, sys.stdout, indent=1)
    print()


# --- tables, as rows of texts ---

def ns(cost_of):
    return f"{cost_of['min_ns']:.1f} / {cost_of['median_ns']:.1f}" if cost_of else "-"


def number(value, digits=2, unit=""):
    return "-" if value is None else f"{value:,.{digits}f}{unit}"


def packet_table(rows):
    yield ("case", "lb ns, min / median", "spread", "Mpps a core", "floor ns", "lb / floor",
           "LRU ns", "LRU / lb", "A/A")
    for row in rows:
        if "error" in row:
            yield (row["name"], "error: " + row["error"]) + ("",) * 7
            continue
        yield (row["name"], ns(row["lb"]), number(row["lb"]["spread"] * 100, 0, " %"),
               number(row["lb"]["mpps"], 1), ns(row.get("floor")), number(row.get("lb_to_floor")),
               ns(row.get("lru")), number(row.get("lru_to_lb")), number(row.get("twin"), 3))


def live_table(rows):
    yield ("case", "ns, min / median", "spread", "Mpps", "net ns")
    for row in rows:
        if "error" in row:
            yield (row["name"], "error: " + row["error"], "", "", "")
            continue
        yield (row["name"], ns(row), number(row["spread"] * 100, 0, " %"), number(row["mpps"]),
               number(row.get("net_ns"), 1))


def interval_text(row, digits=2):
    ends = row.get("interval")
    return " - ".join(f"{end:.{digits}f}" for end in ends) if ends else ""


def target_table(rows):
    yield ("target", "bound", "measured", "interval", "")
    for row in rows:
        met = {None: "not measured", True: "met", False: "MISSED"}[row["met"]]
        met += ", close" if row.get("close") else ""
        digits = 1 if row["unit"] in ("ns", "MiB") else 2
        yield (row["target"], f"{row['bound']} {row['limit']:g} {row['unit']}",
               number(row["value"], digits), interval_text(row), met)


def noise_text(noise):
    return "The balancer against itself: " + "; ".join(
        f"{row['value']:.3f} ({interval_text(row, 3)}) with {row['target']}"
        for row in noise["controls"]) + "."


def print_aligned(rows):
    rows = list(rows)
    widths = [max(len(row[i]) for row in rows if "error" not in row[1]) for i in range(len(rows[0]))]
    for row in rows:
        first, *others = (text.ljust(width) if i == 0 else text.rjust(width)
                          for i, (text, width) in enumerate(zip(row, widths)))
        print("  ".join([first, *others]).rstrip())


def markdown(rows):
    head, *body = list(rows)
    lines = [head, tuple("---" if i == 0 else "--:" for i in range(len(head))), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


# --- showing ---

def show(results):
    rows = results["rows"]
    if rows["packets"]:
        print("A packet, net of the wrapper:\n")
        print_aligned(packet_table(rows["packets"]))
        print()
    if rows["live"]:
        print("A packet through veths; net: without the generator and its veth (\"drop\"):\n")
        print_aligned(live_table(rows["live"]))
        if results["two_cores"]:
            print(f"\nTwo cores do {results['two_cores']} times what one does.")
        print()
    judged = [row for row in results["targets"] if row["met"] is not None]
    if judged:
        print_aligned(target_table(judged))
    for row in results["targets"]:
        if row["met"] is None:
            print("not measured:", row["target"])
    noise = results["noise"]
    if noise:
        print("\n" + noise_text(noise))
        if noise["noisy"]:
            print("This machine is TOO NOISY now: the same program differs from itself by that.")


def replace_part(text, name, body):
    pattern = re.compile(f"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
    if not pattern.search(text):
        sys.exit(f"report.py: docs/benchmark.md has no part {name!r}")
    return pattern.sub(lambda found: found[1] + body + "\n" + found[2], text)


def machine_text(results):
    machine, pairs = results["machine"], results["pairs"]
    return textwrap.fill(
        f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}; pairs: "
        f"{pairs['rounds']} rounds of {pairs['packets']:,} packets. "
        f"{noise_text(results['noise'])}", width=94)


def insns_table(insns):
    names = ("drop", "lb", "forward", "dnat", "ipvs")
    yield ("kernel", *names)
    for series, of in insns.items():
        yield (series, *(number(of.get(name), 0) for name in names))


def page(results, insns, docs):
    path = os.path.join(docs, "benchmark.md")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    rows = results["rows"]
    cores = results["two_cores"]
    parts = {
        "machine": machine_text(results),
        "targets": markdown(target_table(ratios.targets(results, insns))),
        "packets": markdown(packet_table(rows["packets"])),
        "live": markdown(live_table(rows["live"])) +
                (f"\n\nTwo cores do {cores} times what one does." if cores else ""),
        "insns": markdown(insns_table(insns)) if insns else "Not measured yet.",
    }
    for name, body in parts.items():
        text = replace_part(text, name, body)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    plots.write_flows(rows["packets"], os.path.join(docs, "benchmark-flows.svg"))
    plots.write_vips(rows["pairs"], ratios.POOL_BOUNDS, os.path.join(docs, "benchmark-vips.svg"))
    plots.write_live(rows["live"], os.path.join(docs, "benchmark-live.svg"))


def load(path):
    if not os.path.exists(path):
        sys.exit(f"report.py: there is no {path}; \"sudo make bench\" makes one")
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "join":
        join(arguments[1])
    elif len(arguments) == 2 and arguments[0] == "show":
        show(load(arguments[1]))
    elif len(arguments) == 4 and arguments[0] == "page":
        insns = load(arguments[2]) if os.path.exists(arguments[2]) else None
        page(load(arguments[1]), insns, arguments[3])
    else:
        sys.exit(__doc__)


main(sys.argv[1:])

#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What do metrics say? They come on standard input unless a FILE is named.

    metrics_tool.py value NAME LABEL=VALUE…     the sum of the series that have these labels
    metrics_tool.py label NAME LABEL L=V…       the value of a label of the one series that has the others
    metrics_tool.py compare FILE <STATS         whether FILE says what "lbctl --json stats" says
    metrics_tool.py openmetrics FILE            whether FILE is sound OpenMetrics, by rules of its specification
"""

import json
import re
import sys

LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
SAMPLE = re.compile(r'^([a-zA-Z_][a-zA-Z0-9_]*)(?:\{(.*)\})? (\S+)$')


def read(lines):
    """Each series as (name, labels, value)."""
    for line in lines:
        line = line.rstrip("\n")
        if not line or line.startswith("#"):
            continue
        name, text, value = SAMPLE.match(line).groups()
        labels = dict(LABEL.findall(text or ""))
        assert LABEL.sub("", text or "") == "", line
        yield name, labels, float(value)


def chosen(lines, name, wanted):
    wanted = dict(word.split("=", 1) for word in wanted)
    return [(labels, value) for at, labels, value in read(lines)
            if at == name and wanted.items() <= labels.items()]


def compare(lines, stats):
    of = {}
    for name, labels, value in read(lines):
        of[name, labels.get("pool") or labels.get("verdict"), labels.get("backend")] = value
    wrong = []
    for vip in stats["vips"]:
        for backend in vip["backends"]:
            for what in ("packets", "bytes"):
                if of.get(("lbd_backend_%s_total" % what, vip["name"], backend["address"])) != backend[what]:
                    wrong.append("%s of %s" % (what, backend["address"]))
    for verdict in stats["verdicts"]:
        if of.get(("lbd_packets_total", verdict["name"], None)) != verdict["packets"]:
            wrong.append("verdict %s" % verdict["name"])
    return wrong


SUFFIXES = {"counter": ("_total",), "info": ("_info",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def unsound(lines):
    """The first fault: families in one piece, names that fit their type, no series twice, buckets that grow."""
    seen, family, kind, buckets = set(), None, None, {}
    if lines[-1] != "# EOF\n":
        return "no EOF"
    for line in lines[:-1]:
        words = line.split(" ", 3)
        if words[0] == "#":
            if words[1] == "HELP":
                family = words[2]
                if family in seen:
                    return "family %s twice" % family
                seen.add(family)
            elif words[1] == "TYPE":
                kind = words[3].strip()
            continue
        (name, labels, value), = read([line])
        if name not in [family + suffix for suffix in SUFFIXES[kind]]:
            return "%s in family %s, which is a %s" % (name, family, kind)
        key = name, tuple(sorted(labels.items()))
        if key in seen:
            return "%s twice" % line
        seen.add(key)
        if name.endswith("_bucket"):
            of = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
            le = labels["le"]
            if le != "+Inf" and str(float(le)) != le and "." not in le:
                return "bound %s" % le
            if value < buckets.get((name, of), 0):
                return "%s falls" % line
            buckets[name, of] = value
    return None


def main():
    what, rest = sys.argv[1], sys.argv[2:]
    if what == "value":
        print("%.15g" % sum(value for _, value in chosen(sys.stdin, rest[0], rest[1:])))
    elif what == "label":
        (labels, _), = chosen(sys.stdin, rest[0], rest[2:])
        print(labels[rest[1]])
    elif what == "compare":
        with open(rest[0]) as file:
            wrong = compare(file, json.load(sys.stdin))
        sys.exit("\n".join(wrong) or 0)
    elif what == "openmetrics":
        with open(rest[0]) as file:
            sys.exit(unsound(file.readlines()))


if __name__ == "__main__":
    main()

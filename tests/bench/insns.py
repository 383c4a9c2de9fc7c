# SPDX-License-Identifier: BSD-2-Clause
"""Instructions a packet: from reports of VMs to JSON, and against a baseline.

    insns.py gather FOLDER SERIES…      reports there, one for each series, as JSON
    insns.py compare BASELINE NEW       a table; exits with 1 when the balancer takes 2 % more
"""
import json
import os
import sys

LIMIT = 0.02


def gather(folder, names):
    found = {}
    for series in names:
        of = found[series] = {}
        with open(os.path.join(folder, series), encoding="utf-8") as file:
            for words in map(str.split, file):
                if words[0] == "insns":
                    of[words[1]] = round(float(words[2]), 1)
                elif words[0] == "release":
                    of["release"] = words[1]
    json.dump(found, sys.stdout, indent=1)
    print()


def own(of):
    """What the balancer itself takes: without the generator and a veth."""
    return of["lb"] - of["drop"]


def judge(series, old, new):
    """Whether it is no worse, said in a line."""
    if not old:
        print(f"{series}: not in the baseline")
        return True
    if old["release"] != new["release"]:
        print(f"{series}: the baseline is of {old['release']}, so it is not compared; see --record")
        return True
    change = own(new) / own(old) - 1
    worse = own(new) > own(old) * (1 + LIMIT)
    verdict = "WORSE than the baseline allows" if worse else (
        "better: --record keeps it" if change < -LIMIT else "as before")
    print(f"{series}: the balancer takes {own(new):.0f} instructions, {change * 100:+.1f} %: {verdict}")
    return not worse


def compare(old, new):
    names = ("drop", "lb", "forward", "dnat", "ipvs")
    print(f"{'kernel':32}" + "".join(f"{name:>10}" for name in names) + f"{'ipvs / lb':>11}")
    for of in new.values():
        row = "".join(f"{of[name]:>10.0f}" if name in of else f"{'-':>10}" for name in names)
        times = f"{(of['ipvs'] - of['drop']) / own(of):>11.2f}" if "ipvs" in of else ""
        print(f"{of['release']:32}{row}{times}")
    print()
    return all([judge(series, old.get(series), of) for series, of in new.items()])


def load(path):
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main(arguments):
    if len(arguments) >= 3 and arguments[0] == "gather":
        gather(arguments[1], arguments[2:])
    elif len(arguments) == 3 and arguments[0] == "compare":
        sys.exit(0 if compare(load(arguments[1]), load(arguments[2])) else 1)
    else:
        sys.exit(__doc__)


main(sys.argv[1:])

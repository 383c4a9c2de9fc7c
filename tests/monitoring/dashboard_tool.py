#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Has every query of a Grafana dashboard something to show? dashboard_tool.py DASHBOARD

Asks the Prometheus at 127.0.0.1:9090 in the network namespace of its environment's MONITORING_NETNS. Variables stand for
all, as in a dashboard that was just opened. Queries of the variables are asked, too.
"""

import json
import os
import re
import subprocess
import sys
import urllib.parse

NETNS = os.environ["MONITORING_NETNS"]


def ask(path, **params):
    url = "http://127.0.0.1:9090/api/v1/%s?%s" % (path, urllib.parse.urlencode(params))
    out = subprocess.run(["nsenter", "--net=/run/netns/" + NETNS, "curl", "-s", "--max-time", "10", url],
                         capture_output=True, check=True).stdout
    answer = json.loads(out)
    if answer["status"] != "success":
        sys.exit("%s: %s" % (url, answer.get("error")))
    return answer["data"]


def plain(query):
    return query.replace("$__rate_interval", "10s").replace("$instance", ".*").replace("$vip", ".*").replace("$pool", ".*")


def values_of(query):
    """label_values(SELECTOR, LABEL), as Grafana has it."""
    selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", query).groups()
    return [row for row in ask("query", query=plain(selector))["result"] if row["metric"].get(label)]


def sound(row):
    return row["value"][1] not in ("NaN", "+Inf", "-Inf")


def main():
    with open(sys.argv[1]) as file:
        dashboard = json.load(file)
    empty, asked = [], 0
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query" and not values_of(variable["query"]["query"]):
            empty.append("variable %s" % variable["name"])
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            asked += 1
            if not any(sound(row) for row in ask("query", query=plain(target["expr"]))["result"]):
                empty.append("%s: %s" % (panel["title"], target["expr"]))
    print("\n".join(empty) or "%d queries" % asked)
    return 1 if empty or not asked else 0


sys.exit(main())

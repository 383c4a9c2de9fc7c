#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A collector that takes metrics over OTLP/HTTP, and checks each message by the rules of OTLP.

    otlp_receiver.py serve PORT FOLDER [CERTIFICATE KEY]   writes FOLDER/log, a line of JSON for each request, and FOLDER/N.json
    otlp_receiver.py check FILE…                           what is wrong with these messages
    otlp_receiver.py compare FILE…  <METRICS               whether all of them together have the series of the text format

How requests are answered stands in FOLDER/mode when they come: a status, "429 SECONDS" with Retry-After, "partial", "slow",
"garbage", "close".
"""

import gzip
import http.server
import json
import os
import re
import ssl
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import metrics_tool  # noqa: E402

# --- opentelemetry/proto/collector/metrics/v1, metrics/v1, resource/v1 and common/v1, version 1.x, in JSON of protobuf:
# lowerCamelCase names, 64-bit integers as texts, enums as numbers, and nothing that the protocol does not know.

POINT = {"attributes": ["KeyValue"], "startTimeUnixNano": "fixed64", "timeUnixNano": "fixed64", "exemplars": ["Exemplar"],
         "flags": "uint32"}
MESSAGES = {
    "ExportMetricsServiceRequest": {"resourceMetrics": ["ResourceMetrics"]},
    "ResourceMetrics": {"resource": "Resource", "scopeMetrics": ["ScopeMetrics"], "schemaUrl": "string"},
    "Resource": {"attributes": ["KeyValue"], "droppedAttributesCount": "uint32"},
    "ScopeMetrics": {"scope": "InstrumentationScope", "metrics": ["Metric"], "schemaUrl": "string"},
    "InstrumentationScope": {"name": "string", "version": "string", "attributes": ["KeyValue"],
                             "droppedAttributesCount": "uint32"},
    "Metric": {"name": "string", "description": "string", "unit": "string", "gauge": "Gauge", "sum": "Sum",
               "histogram": "Histogram", "metadata": ["KeyValue"]},
    "Gauge": {"dataPoints": ["NumberDataPoint"]},
    "Sum": {"dataPoints": ["NumberDataPoint"], "aggregationTemporality": "enum", "isMonotonic": "bool"},
    "Histogram": {"dataPoints": ["HistogramDataPoint"], "aggregationTemporality": "enum"},
    "NumberDataPoint": dict(POINT, asDouble="double", asInt="sfixed64"),
    "HistogramDataPoint": dict(POINT, count="fixed64", sum="double", bucketCounts=["fixed64"], explicitBounds=["double"],
                               min="double", max="double"),
    "KeyValue": {"key": "string", "value": "AnyValue"},
    "AnyValue": {"stringValue": "string", "boolValue": "bool", "intValue": "int64", "doubleValue": "double"},
}
ONE_OF = {"Metric": ("gauge", "sum", "histogram"), "NumberDataPoint": ("asDouble", "asInt"),
          "AnyValue": ("stringValue", "boolValue", "intValue", "doubleValue")}


def whole(text, low, high):
    return isinstance(text, str) and re.fullmatch(r"-?(0|[1-9][0-9]*)", text) and low <= int(text) <= high


SCALARS = {
    "string": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "double": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "uint32": lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 32,
    "enum": lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 2,
    "fixed64": lambda value: whole(value, 0, (1 << 64) - 1),
    "sfixed64": lambda value: whole(value, -(1 << 63), (1 << 63) - 1),
    "int64": lambda value: whole(value, -(1 << 63), (1 << 63) - 1),
}


def check_value(kind, value, path, faults):
    if isinstance(kind, list):
        if not isinstance(value, list):
            faults.append("%s is no list" % path)
            return
        for i, one in enumerate(value):
            check_value(kind[0], one, "%s[%d]" % (path, i), faults)
    elif kind in SCALARS:
        if not SCALARS[kind](value):
            faults.append("%s is no %s: %r" % (path, kind, value))
    else:
        check_message(kind, value, path, faults)


def check_message(kind, message, path, faults):
    if not isinstance(message, dict):
        faults.append("%s is no object" % path)
        return
    fields = MESSAGES[kind]
    for name, value in message.items():
        if name not in fields:
            faults.append("%s: %s has no field %s" % (path, kind, name))
        else:
            check_value(fields[name], value, path + "." + name, faults)
    if kind in ONE_OF and len(set(ONE_OF[kind]) & set(message)) != 1:
        faults.append("%s has not one of %s" % (path, ", ".join(ONE_OF[kind])))


def labels_of(point):
    return tuple(sorted((pair["key"], pair["value"]["stringValue"]) for pair in point["attributes"]))


def data_of(metric):
    return metric.get("gauge") or metric.get("sum") or metric["histogram"]


# What the data model demands beyond the types of fields.

def check_point(metric, point, faults):
    name, keys = metric["name"], [pair["key"] for pair in point.get("attributes", [])]
    if len(keys) != len(set(keys)) or "" in keys:
        faults.append("%s has attributes %s" % (name, keys))
    if not int(point.get("timeUnixNano", "0")):
        faults.append("%s has a point without time" % name)
    if "gauge" not in metric and not 0 < int(point.get("startTimeUnixNano", "0")) <= int(point["timeUnixNano"]):
        faults.append("%s begins at %s" % (name, point.get("startTimeUnixNano")))
    if "histogram" not in metric:
        return
    counts, bounds = [int(count) for count in point["bucketCounts"]], point["explicitBounds"]
    if len(counts) != len(bounds) + 1 or sum(counts) != int(point["count"]):
        faults.append("%s has buckets %s of %s" % (name, counts, point["count"]))
    if any(a >= b for a, b in zip(bounds, bounds[1:])):
        faults.append("%s has bounds %s" % (name, bounds))


def check_metric(metric, faults):
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.\-/]{0,254}", metric["name"]):
        faults.append("a metric is named %r" % metric["name"])
    data = data_of(metric)
    if "gauge" not in metric and data.get("aggregationTemporality") not in (1, 2):
        faults.append("%s has no temporality" % metric["name"])
    points = data.get("dataPoints", [])
    if not points or len({labels_of(point) for point in points}) != len(points):
        faults.append("%s has no points, or points twice" % metric["name"])
    for point in points:
        check_point(metric, point, faults)


RESOURCE = ("service.name", "service.instance.id", "service.version", "host.name")


def check(message):
    faults = []
    check_message("ExportMetricsServiceRequest", message, "", faults)
    if faults:
        return faults
    for resource in message["resourceMetrics"]:
        keys = [pair["key"] for pair in resource["resource"]["attributes"]]
        faults += ["the resource has no %s" % key for key in RESOURCE if key not in keys]
        for scope in resource["scopeMetrics"]:
            names = [metric["name"] for metric in scope["metrics"]]
            if len(names) != len(set(names)) or not scope["scope"].get("name"):
                faults.append("a metric is there twice, or the scope has no name")
            for metric in scope["metrics"]:
                check_metric(metric, faults)
    return faults


def metrics_of(message):
    for resource in message["resourceMetrics"]:
        for scope in resource["scopeMetrics"]:
            yield from scope["metrics"]


def compare(messages, lines):
    """The series of the text format, buckets as one; and the values of counters that nothing changes meanwhile."""
    pushed, scraped = {}, {}
    for message in messages:
        for metric in metrics_of(message):
            for point in data_of(metric)["dataPoints"]:
                pushed[metric["name"], labels_of(point)] = float(point.get("asInt", point.get("asDouble", "nan")))
    for name, labels, value in metrics_tool.read(lines):
        if name.endswith(("_bucket", "_sum")):
            continue
        if name.endswith("_count"):
            name, value = name[:-len("_count")], float("nan")
        scraped[name, tuple(sorted(labels.items()))] = value
    faults = ["only pushed: %s %s" % key for key in sorted(pushed.keys() - scraped.keys())]
    faults += ["only scraped: %s %s" % key for key in sorted(scraped.keys() - pushed.keys())]
    for key in pushed.keys() & scraped.keys():
        if key[0].startswith(("lbd_backend_", "lbd_vip_")) and "_checks" not in key[0] and scraped[key] == scraped[key] and \
                pushed[key] != scraped[key]:
            faults.append("%s %s: pushed %g, scraped %g" % (*key, pushed[key], scraped[key]))
    return faults


# --- the server ---

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def mode(self):
        with open(os.path.join(self.server.folder, "mode"), encoding="utf-8") as file:
            return file.read().split()

    def note(self, **what):
        with open(os.path.join(self.server.folder, "log"), "a", encoding="utf-8") as file:
            file.write(json.dumps(what) + "\n")

    def reply(self, status, content, *headers):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self):
        mode, seen = self.mode(), time.time()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        faults = []
        if self.path != "/v1/metrics" or self.headers["Content-Type"] != "application/json":
            faults.append("%s with %s" % (self.path, self.headers["Content-Type"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        message = json.loads(body)
        faults += check(message)
        times = {point["timeUnixNano"] for metric in metrics_of(message) for point in data_of(metric)["dataPoints"]}
        self.server.number += 1
        with open(os.path.join(self.server.folder, "%d.json" % self.server.number), "wb") as file:
            file.write(body)
        self.note(number=self.server.number, at=seen, mode=" ".join(mode), faults=faults, times=sorted(times),
                  authorization=self.headers["Authorization"], agent=self.headers["User-Agent"])
        self.answer(mode)

    def answer(self, mode):
        if mode[0] == "partial":
            self.reply(200, b'{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"too old"}}')
        elif mode[0] == "slow":
            time.sleep(60)
        elif mode[0] == "garbage":
            self.wfile.write(bytes(range(256)) * 1000)
            self.close_connection = True
        elif mode[0] == "close":
            self.close_connection = True
        elif mode[0] == "200":
            self.reply(200, b"{}")
        else:
            self.reply(int(mode[0]), b'{"message":"as told"}', *[("Retry-After", word) for word in mode[1:]])


def serve(port, folder, *tls):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    server.daemon_threads = True
    server.folder, server.number = folder, 0
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


def read_files(paths):
    for path in paths:
        with open(path, encoding="utf-8") as file:
            yield json.load(file)


def main():
    what, rest = sys.argv[1], sys.argv[2:]
    faults = []
    if what == "serve":
        serve(*rest)
    elif what == "check":
        faults = [fault for message in read_files(rest) for fault in check(message)]
    else:
        faults = compare(read_files(rest), sys.stdin)
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Does docs/lbd.schema.json say of documents what lbd says? With a public validator of JSON Schema.

schema_tool.py valid SCHEMA FILE…   the schema is one, and each file is right by it
schema_tool.py bad SCHEMA FOLDER    each of the documents below, which are wrong in one place, is refused by it;
                                    they are written into FOLDER, so that lbd can be asked, too
"""

import copy
import json
import os
import sys

import jsonschema

VIP = {"address": "192.0.2.10:443/tcp"}
HTTP = {"type": "http"}
UDP = {"type": "udp", "payload": "x"}
EXEC = {"type": "exec", "command": ["x"]}

# What is put into a VIP, a backend, a check of some kind, or lbd.json, and makes it wrong.
VIP_FAULTS = [
    {"address": None}, {"address": 5}, {"address": "192.0.2.10"}, {"address": "192.0.2.10:80"},
    {"address": "192.0.2.10:80/dccp"}, {"address": "example.com:80/tcp"}, {"address": "2001:db8::1:80/tcp"},
    {"name": ""}, {"name": "9web"}, {"name": "a" * 64}, {"name": "we b"}, {"name": None},
    {"table": "Maglev"}, {"table": 1}, {"table": ""}, {"table_size": 250}, {"table_size": 1048574},
    {"table_size": "251"}, {"table_size": 251.5}, {"transition_s": 0}, {"transition_s": 86401}, {"flow_idle_s": 0},
    {"encap": "vxlan"}, {"hash": "4-tuple"}, {"fragments": "pass"}, {"on_unhealthy": "rest"},
    {"when_all_unhealthy": "all"}, {"health": None}, {"health": []}, {"health": {}}, {"backends": {}},
    {"backends": [None]}, {"nmae": "web"}]
BACKEND_FAULTS = [
    {"address": None}, {"address": "10.0.0.1:80"}, {"address": "web"}, {"weight": -1}, {"weight": 10001},
    {"weight": True}, {"weight": 1.5}, {"drain": 1}, {"port": 80}]
CHECK_FAULTS = [
    (HTTP, {"type": "htp"}), (HTTP, {"type": None}), (HTTP, {"source": "tunel"}), (HTTP, {"port": 0}),
    (HTTP, {"port": 65536}), (HTTP, {"interval_ms": 99}), (HTTP, {"interval_ms": 3600001}), (HTTP, {"timeout_ms": 9}),
    (HTTP, {"rise": 0}), (HTTP, {"fall": 101}), (HTTP, {"jitter_percent": 51}), (HTTP, {"jitter_percent": -1}),
    (HTTP, {"full_mtu": 1}), (HTTP, {"method": "POST"}), (HTTP, {"path": "x"}), (HTTP, {"path": ""}),
    (HTTP, {"path": "/ x"}), (HTTP, {"path": "/" + "a" * 1024}), (HTTP, {"host": "a b"}), (HTTP, {"host": ""}),
    (HTTP, {"status": 200}), (HTTP, {"status": "20"}), (HTTP, {"status": "600"}), (HTTP, {"status": "200-"}),
    (HTTP, {"body": ""}), (HTTP, {"body": "a" * 256}), (HTTP, {"payload": "x"}), (HTTP, {"command": ["x"]}),
    (HTTP, {"intervall_ms": 1000}), (UDP, {"payload": ""}), (UDP, {"payload": "hex:"}), (UDP, {"payload": "hex:0"}),
    (UDP, {"payload": "hex:0g"}), (UDP, {"expect": "\\x0"}), (UDP, {"expect": "\\q"}), (UDP, {"path": "/"}),
    (EXEC, {"command": []}), (EXEC, {"command": "x"}), (EXEC, {"command": [1]}), (EXEC, {"command": ["x"] * 65}),
    (EXEC, {"full_mtu": True}), ({"type": "tcp"}, {"full_mtu": True}), ({"type": "exec"}, {"rise": 2})]
CONFIG_FAULTS = [
    {"interfaces": None}, {"interfaces": []}, {"interfaces": "eth0"}, {"interfaces": [1]},
    {"interfaces": ["e%d" % i for i in range(65)]}, {"xdp_mode": "natve"}, {"control": None}, {"control": {"pth": "/x"}},
    {"control": {"path": "run/x"}}, {"control": {"path": "/" + "x" * 107}}, {"control": {"group": "x" * 64}},
    {"state_dir": "x"}, {"pin_dir": ""}, {"encap": {"source4": "2001:db8::1"}}, {"encap": {"source6": "x"}},
    {"limits": {"vips": 0}}, {"limits": {"members": 65535}}, {"limits": {"slots": 250}}, {"limits": {"flows": 7}},
    {"limits": {"flows": 1.5}}, {"answer_rate": -1}, {"answer_rate": 1000001}, {"exec_checks": {"folder": "/c"}},
    {"exec_checks": {"folder": "c", "user": "u"}}, {"exec_checks": {"folder": "/c", "user": ""}},
    {"announce": {}}, {"announce": {"table": 0}}, {"announce": {"table": 76, "protocol": 256}},
    {"hash_seed": "0" * 31}, {"hash_seed": "g" * 32}, {"hash_sed": "0" * 32}]


def bad_documents():
    """Name and document, of service documents; then of lbd.json."""
    yield from enumerate([None, [], {"vips": None}, {"vips": {}}, {"vips": [], "digest": 7}, {"vips": [], "version": 1},
                          {"vips": [None]}, {"vips": [{}]}])
    for fault in VIP_FAULTS:
        yield fault, {"vips": [{**VIP, **fault}]}
    for fault in BACKEND_FAULTS + [{}]:
        yield fault, {"vips": [{**VIP, "backends": [{**({"address": "10.0.0.1"} if fault else {}), **fault}]}]}
    for check, fault in CHECK_FAULTS:
        yield (check, fault), {"vips": [{**VIP, "health": {**check, **fault}}]}


def bad_configs():
    yield "empty", {}
    for fault in CONFIG_FAULTS:
        yield fault, {**{"interfaces": ["eth0"]}, **fault}


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def valid(schema, paths):
    wrong = 0
    for path in paths:
        for error in schema.iter_errors(load(path)):
            print("%s: %s" % (path, error.message))
            wrong = 1
    return wrong


def bad(schema, folder):
    wrong = 0
    for kind, documents in (("service", bad_documents()), ("config", bad_configs())):
        for number, (fault, document) in enumerate(documents):
            with open(os.path.join(folder, "%s%d.json" % (kind, number)), "w", encoding="utf-8") as file:
                json.dump(document, file)
            if schema.is_valid(copy.deepcopy(document)):
                print("%s: not refused: %s" % (kind, json.dumps(fault)))
                wrong = 1
    return wrong


def main():
    what, schema, *paths = sys.argv[1:]
    schema = load(schema)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    return valid(validator, paths) if what == "valid" else bad(validator, *paths)


if __name__ == "__main__":
    sys.exit(main())

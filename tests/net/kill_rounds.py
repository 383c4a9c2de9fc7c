#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Kills lbd at random moments under a stream of changes and looks at what is there afterwards.

Each round starts lbd, checks that the document is the one that the acknowledged changes make (the change that was under way
when it was killed may or may not be in it, but never by half), sends changes as fast as they are answered, and
kills it after up to 150 ms. Ends with a line of figures; exit 1 at the first fault.
"""
import argparse
import copy
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", action="append", default=[], help="a VIP that is left alone")
    for name in ("lbd", "config", "socket", "netns"):
        parser.add_argument("--" + name, required=True)
    return parser.parse_args()


def start(arguments):
    return subprocess.Popen(
        ["nsenter", "--net=" + arguments.netns, arguments.lbd, "--config", arguments.config],
        stderr=subprocess.PIPE)


class Client:
    def __init__(self, path, process):
        end = time.monotonic() + 60
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(path)
                break
            except OSError:
                self.socket.close()
                if process.poll() is not None or time.monotonic() > end:
                    fail("lbd did not start: " + process.stderr.read().decode())
                time.sleep(0.005)
        self.stream = self.socket.makefile("rwb")

    def call(self, method, **params):
        """The result; None when lbd was killed before it answered."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            self.stream.write(json.dumps(request).encode() + b"\n")
            self.stream.flush()
            line = self.stream.readline()
        except OSError:
            return None
        if not line.endswith(b"\n"):
            return None
        reply = json.loads(line)
        if "error" in reply:
            fail("%s %s: %s" % (method, params, reply["error"]))
        return reply["result"]

    def close(self):
        try:
            self.stream.close()
        except OSError:
            pass  # what could not be sent any more
        self.socket.close()


def fail(text):
    print("seed %d: %s" % (ARGUMENTS.seed, text))
    sys.exit(1)


def vips_of(document):
    """Comparable: name -> (address, {backend: (weight, drain)})."""
    return {
        vip["name"]: (vip["address"], {
            backend["address"]: (backend["weight"], backend["drain"])
            for backend in vip["backends"]})
        for vip in document["vips"]}


def random_change(state):
    """A method, its parameters, and the state that it makes."""
    after = copy.deepcopy(state)
    names = [name for name in state if name not in ARGUMENTS.keep]
    kind = random.choice(["vip.add", "vip.del", "add", "add", "del", "weight", "drain", "apply"])
    if not names or (kind == "vip.add" and len(names) < 6):
        number = random.choice([n for n in range(1, 20) if "v%d" % n not in state])
        name, address = "v%d" % number, "198.51.100.%d:80/tcp" % number
        after[name] = (address, {"10.9.0.1": (1, False)})
        return "vip.add", {"vip": {"name": name, "address": address, "table_size": 251,
                                   "backends": [{"address": "10.9.0.1"}]}}, after
    name = random.choice(names)
    backends = after[name][1]
    if kind == "vip.del":
        del after[name]
        return "vip.del", {"vip": name}, after
    if kind == "apply":
        for other in names:
            after[other] = (state[other][0], {
                "10.9.0.%d" % n: (n, False) for n in random.sample(range(1, 30), 5)})
        return "config.apply", {"document": document_of(after)}, after
    if kind == "add" or not backends:
        address = random.choice([a for a in ("10.9.0.%d" % n for n in range(1, 40))
                                 if a not in backends])
        backends[address] = (7, False)
        return "backend.add", {"vip": name, "backend": {"address": address, "weight": 7}}, after
    address = random.choice(sorted(backends))
    weight, drain = backends[address]
    if kind == "weight":
        backends[address] = (weight % 100 + 1, drain)
        return "backend.set", {"vip": name, "address": address,
                               "set": {"weight": weight % 100 + 1}}, after
    if kind == "drain":
        backends[address] = (weight, not drain)
        method = "backend.undrain" if drain else "backend.drain"
        return method, {"vip": name, "address": address}, after
    del backends[address]
    return "backend.del", {"vip": name, "address": address, "force": True}, after


def document_of(state):
    vips = []
    for name, (address, backends) in state.items():
        vip = {"name": name, "address": address, "backends": [
            {"address": a, "weight": weight, "drain": drain}
            for a, (weight, drain) in backends.items()]}
        if name in KEPT:
            vip = KEPT[name]
        else:
            vip["table_size"] = 251
        vips.append(vip)
    return {"vips": vips}


def check_data_plane(client):
    """What packets go by agrees with the document: each VIP has its table, with owners in it."""
    for vip in client.call("vip.list")["vips"]:
        weights = [0 if b["drain"] else b["weight"] for b in read_backends(client, vip["name"])]
        owned = sum(b["share"]["slots"] for b in vip["backends"])
        if sum(weights) and abs(owned - 100) > 0.5:
            fail("%s: backends own %.2f %% of the slots" % (vip["name"], owned))


def read_backends(client, name):
    document = client.call("config.export")["document"]
    return [vip for vip in document["vips"] if vip["name"] == name][0]["backends"]


def one_round(state, pending):
    process = start(ARGUMENTS)
    client = Client(ARGUMENTS.socket, process)
    document = client.call("config.export")["document"]
    there = vips_of(document)
    if there != state and there != pending:
        fail("there is %s, acknowledged was %s, under way was %s" % (there, state, pending))
    check_data_plane(client)
    state, acknowledged = there, 0
    end = time.monotonic() + random.random() * 0.15
    killed = None
    pid = os.fork()
    if pid == 0:
        time.sleep(max(0, end - time.monotonic()))
        os.kill(process.pid, signal.SIGKILL)
        os._exit(0)
    while True:
        method, params, after = random_change(state)
        pending = after
        if client.call(method, **params) is None:
            break
        state = after
        acknowledged += 1
    os.waitpid(pid, 0)
    process.wait()
    process.stderr.close()
    client.close()
    return state, pending, acknowledged


ARGUMENTS = parse_arguments()
random.seed(ARGUMENTS.seed)
PROCESS = start(ARGUMENTS)
CLIENT = Client(ARGUMENTS.socket, PROCESS)
DOCUMENT = CLIENT.call("config.export")["document"]
KEPT = {vip["name"]: vip for vip in DOCUMENT["vips"]}
CLIENT.close()
PROCESS.kill()
PROCESS.wait()
STATE = PENDING = vips_of(DOCUMENT)
TOTAL = 0
for _ in range(ARGUMENTS.rounds):
    STATE, PENDING, COUNT = one_round(STATE, PENDING)
    TOTAL += COUNT
PROCESS = start(ARGUMENTS)
CLIENT = Client(ARGUMENTS.socket, PROCESS)
for NAME in [name for name in vips_of(CLIENT.call("config.export")["document"])
             if name not in ARGUMENTS.keep]:
    CLIENT.call("vip.del", vip=NAME)
CLIENT.close()
PROCESS.terminate()
PROCESS.wait()
print("%d rounds, %d changes acknowledged, seed %d" % (ARGUMENTS.rounds, TOTAL, ARGUMENTS.seed))

#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What can a user who may only look do to lbd and to others? hostile_clients.py SOCKET CASE SECONDS

Each case is what one such user does; it writes "ready" when all of it is under way, and ends after SECONDS.
`ask` is for measuring: it asks SOCKET for `version` again and again and prints the longest wait in milliseconds.
"""

import json
import selectors
import socket
import sys
import time

PATH, CASE, SECONDS = sys.argv[1], sys.argv[2], float(sys.argv[3])
END = time.monotonic() + SECONDS
CLIENTS = 300


def request(method, **params):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n"


def document(size, backends):
    return {"vips": [{"address": "203.0.113.1:80/tcp", "table_size": size,
                      "backends": [{"address": "10.%d.%d.1" % (i // 250, i % 250)} for i in range(backends)]}]}


CHECK = request("config.check", document=document(131071, 500))
DIFF = request("config.diff", document=document(131071, 1500))
READS = [request("vip.list"), request("config.export"), request("backend.list"), request("stats"), request("status")]


def connect(timeout_s=1):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(timeout_s)
    client.connect(PATH)
    return client


def connect_many(count):
    clients = []
    for _ in range(count):
        try:
            clients.append(connect())
        except OSError:
            break
    return clients


def ready():
    print("ready", flush=True)


def keep_asking(requests):
    """Every client sends one request after the other and reads what comes; one that is closed comes again."""
    clients = {client: 0 for client in connect_many(CLIENTS)}
    selector = selectors.DefaultSelector()
    for number, client in enumerate(clients):
        client.setblocking(False)
        selector.register(client, selectors.EVENT_READ | selectors.EVENT_WRITE)
        clients[client] = number
    ready()
    while time.monotonic() < END and selector.get_map():
        for key, events in selector.select(1):
            client = key.fileobj
            try:
                if events & selectors.EVENT_READ and not client.recv(1 << 20):
                    raise ConnectionResetError
                if events & selectors.EVENT_WRITE:
                    client.send(requests[clients[client] % len(requests)])
            except BlockingIOError:
                pass
            except OSError:
                selector.unregister(client)


def never_read(line):
    clients = connect_many(CLIENTS)
    for client in clients:
        client.setblocking(False)
        try:
            while True:
                client.send(line)
        except OSError:
            pass
    ready()
    time.sleep(max(0, END - time.monotonic()))


def half_lines():
    """As much of a line as lbd takes, of each."""
    clients = connect_many(60)
    for client in clients:
        client.settimeout(0.2)
        try:
            for _ in range(8 * 64 - 1):
                client.sendall(b" " * 16384)
        except OSError:
            pass
    ready()
    time.sleep(max(0, END - time.monotonic()))


def hold():
    clients = connect_many(2000)
    ready()
    time.sleep(max(0, END - time.monotonic()))
    assert clients


def ask():
    longest = 0
    line = request("version")
    while time.monotonic() < END:
        began = time.monotonic()
        client = connect(60)
        client.sendall(line)
        reply = client.makefile("rb").readline()
        longest = max(longest, time.monotonic() - began)
        assert b'"result"' in reply, reply
        client.close()
        time.sleep(0.02)
    print("%d" % (1000 * longest))


{"check": lambda: keep_asking([CHECK]),
 "diff": lambda: keep_asking([DIFF]),
 "read": lambda: keep_asking(READS),
 "never_read": lambda: never_read(READS[0]),
 "half_lines": half_lines,
 "hold": hold,
 "ask": ask}[CASE]()

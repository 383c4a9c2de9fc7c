#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""How does lbd take clients that a line of shell cannot play? errors_clients.py SOCKET CASE prints what happened."""

import json
import select
import socket
import sys
import time

REQUEST_MAX = 8 << 20
VERSION = b'{"jsonrpc":"2.0","id":1,"method":"version"}\n'


def connect(path):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(50)
    client.connect(path)
    return client


def hear(client):
    """A line, or what came before the end."""
    line = b""
    while not line.endswith(b"\n"):
        piece = client.recv(65536)
        if not piece:
            break
        line += piece
    return line.decode().rstrip("\n")


def ask(path, request):
    with connect(path) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        return hear(client)


def raw(request):
    return lambda path: ask(path, request)


def nested(path):
    depth = 5000
    return ask(path, b'{"jsonrpc":"2.0","id":1,"method":"config.apply","params":{"document":'
               + b'{"a":' * depth + b"1" + b"}" * depth + b"}}\n")


def over_the_cap(path):
    with connect(path) as client:
        client.sendall(b" " * (REQUEST_MAX + 1))
        reply = hear(client)
        return reply + (" and closed" if hear(client) == "" else " and left open")


def at_the_cap(path):
    return "answered" if '"result"' in ask(path, b" " * (REQUEST_MAX - len(VERSION)) + VERSION) \
        else "refused"


def seconds_to_end(client):
    start = time.monotonic()
    try:
        while client.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return time.monotonic() - start


def in_time(seconds):
    return "closed after 30 s" if 25 < seconds < 45 else "closed after %.1f s" % seconds


def half_a_line(path):
    with connect(path) as client:
        client.sendall(VERSION[:20])
        return in_time(seconds_to_end(client))


def never_reads(path):
    """Sends until lbd takes no more, then waits for the hang-up without reading."""
    with connect(path) as client:
        client.setblocking(False)
        request = b'{"jsonrpc":"2.0","id":1,"method":"status"}\n' * 100
        sent = 0
        start = time.monotonic()
        watcher = select.poll()
        watcher.register(client, select.POLLOUT)
        while watcher.poll(1000):
            try:
                sent += client.send(request)
            except BlockingIOError:
                pass
            if sent > 64 << 20:
                return "took 64 MiB of requests"
        watcher.modify(client, 0)
        hung_up = watcher.poll(45000)
        return in_time(time.monotonic() - start) if hung_up else "left open"


def five_hundred(path):
    clients = [connect(path) for _ in range(500)]
    for client in clients:
        client.sendall(VERSION)
    answered = sum("result" in json.loads(hear(client)) for client in reversed(clients))
    for client in clients:
        client.close()
    return "%d answered" % answered


def notification(path):
    return ask(path, b'{"jsonrpc":"2.0","method":"vip.del","params":{"vip":"none"}}\n' + VERSION)[:24]


CASES = {
    "cut_off": raw(b'{"jsonrpc":"2.0","id":1,"method":"vip.del","params":{"vip":"web"'),
    "cut_off_in_a_text": raw(b'{"jsonrpc":"2.0","id":1,"method":"vip.d'),
    "not_utf8": raw(b'{"jsonrpc":"2.0","id":1,"method":"vip.del","params":{"vip":"\xff"}}\n'),
    "nul_byte": raw(b'{"jsonrpc":"2.0","id":1,"method":"vip.del"\0}\n'),
    "empty_line": raw(b"\n"),
    "notification": notification,
    "nested": nested,
    "over_the_cap": over_the_cap,
    "at_the_cap": at_the_cap,
    "half_a_line": half_a_line,
    "never_reads": never_reads,
    "five_hundred": five_hundred,
}

print(CASES[sys.argv[2]](sys.argv[1]))

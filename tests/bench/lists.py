#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""lists.py SOCKET: puts prefixes onto a list, in several ways, and says how many a second were acknowledged.
lists.py --print FAMILY COUNT: random prefixes, each once."""
import itertools
import json
import random
import selectors
import socket
import sys
import threading
import time

LIST = "bench"


def prefixes(family, count):
    chosen = set()
    while len(chosen) < count:
        if family == 4:
            chosen.add("%d.%d.%d.%d/32" % (random.randrange(1, 127), *random.randbytes(3)))
        else:
            chosen.add("2001:%x:%x:%x::/64" % tuple(random.randrange(1, 65536) for _ in range(3)))
    return list(chosen)


def request(number, batch):
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": "list.add",
                       "params": {"name": LIST, "prefixes": batch}}).encode() + b"\n"


def connect(path):
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    return client


def replies(client, count):
    """Reads so many, and sees that each is a success."""
    rest = b""
    while count:
        part = client.recv(1 << 20)
        if not part:
            raise SystemExit("lbd has hung up")
        if b'"error"' in part:
            raise SystemExit(part[:500])
        count -= part.count(b"\n")
        rest = part[-1:]
    if rest != b"\n":
        raise SystemExit("more than was asked for")


def one_after_the_other(path, lines):
    client = connect(path)
    for line in lines:
        client.sendall(line)
        replies(client, 1)


def at_once(path, lines):
    client = connect(path)
    sender = threading.Thread(target=client.sendall, args=(b"".join(lines),))
    sender.start()
    replies(client, len(lines))
    sender.join()


def side_by_side(connections):
    """Each waits for its reply, then asks again."""
    def run(path, lines):
        rest = iter(lines)
        with selectors.DefaultSelector() as clients:
            for line in itertools.islice(rest, connections):
                client = connect(path)
                client.sendall(line)
                clients.register(client, selectors.EVENT_READ)
            waiting = len(clients.get_map())
            while waiting:
                for ready, _ in clients.select():
                    replies(ready.fileobj, 1)
                    line = next(rest, None)
                    if line:
                        ready.fileobj.sendall(line)
                    waiting -= not line
    return run


def measure(what, path, run, count, batch):
    chosen = prefixes(4, count)
    lines = [request(i, chosen[i:i + batch]) for i in range(0, count, batch)]
    began = time.monotonic()
    run(path, lines)
    took = time.monotonic() - began
    print("%-44s %8d a second" % (what, count / took), flush=True)


def main():
    path = sys.argv[1]
    random.seed(1)
    one_after_the_other(path, [request(0, prefixes(4, 1))])
    measure("one by one", path, one_after_the_other, 1000, 1)
    measure("one by one, 64 connections", path, side_by_side(64), 20000, 1)
    measure("one by one, not waiting for replies", path, at_once, 20000, 1)
    measure("100 a request", path, one_after_the_other, 10000, 100)
    measure("100 a request, not waiting for replies", path, at_once, 50000, 100)
    measure("1,000 a request", path, one_after_the_other, 20000, 1000)
    measure("10,000 a request", path, one_after_the_other, 100000, 10000)


if sys.argv[1] == "--print":
    print("\n".join(prefixes(int(sys.argv[2]), int(sys.argv[3]))))
else:
    main()

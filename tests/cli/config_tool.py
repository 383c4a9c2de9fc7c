#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What does config_test.sh need that a line of shell cannot do? config_tool.py WORD ARGUMENTS… prints what happened."""

import array
import ctypes
import json
import mmap
import os
import platform
import select
import socket
import sys
import time

BPF_OBJ_GET = 7
BPF_SYSCALL = {"x86_64": 321, "aarch64": 280}
NOBODY = 0xffff


def connect(path):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(20)
    client.connect(path)
    return client


def request(method, params):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n"


def hear(lines):
    return json.loads(lines.readline())


def document(vips, weight):
    return {"document": {"vips": [{"address": "192.0.2.%d:80/tcp" % (i + 1), "table_size": 251, "backends": [
        {"address": "10.0.0.2", "weight": weight}, {"address": "10.0.0.3"}]} for i in range(vips)]}}


def deaf(path, vips, changes):
    """One who watches and never reads, while so many changes are made."""
    vips, changes = int(vips), int(changes)
    with connect(path) as watcher, connect(path) as operator:
        watcher.sendall(request("watch", {}))
        lines = operator.makefile("rb")
        hangup = select.poll()
        hangup.register(watcher, 0)
        start = time.monotonic()
        slowest = closed_after = 0
        for i in range(changes):
            began = time.monotonic()
            operator.sendall(request("config.apply", document(vips, 1 + i % 2)))
            reply = hear(lines)
            slowest = max(slowest, time.monotonic() - began)
            if not reply.get("result", {}).get("changed"):
                return "change %d: %s" % (i, json.dumps(reply))
            if not closed_after and hangup.poll(0):
                closed_after = time.monotonic() - start
        if not closed_after and not hangup.poll(5000):
            return "left open"
        if (closed_after or time.monotonic() - start) > 25:
            return "took too long to tell why"
        return "closed" if slowest < 5 else "closed, but others waited %.1f s" % slowest


def map_words(path):
    """A pinned array map, mapped."""
    libc = ctypes.CDLL(None, use_errno=True)
    name = ctypes.create_string_buffer(path.encode())
    attributes = ctypes.create_string_buffer(120)
    ctypes.c_uint64.from_buffer(attributes).value = ctypes.addressof(name)
    fd = libc.syscall(BPF_SYSCALL[platform.machine()], BPF_OBJ_GET, attributes, len(attributes))
    if fd < 0:
        raise OSError(ctypes.get_errno(), path)
    return mmap.mmap(fd, mmap.PAGESIZE, mmap.MAP_SHARED, mmap.PROT_READ)


def owners(path, size, pid):
    """Looks at the first `size` slots until the process is gone: was one of them ever without owner?"""
    size = int(size)
    words = map_words(path)
    looks = empty = 0
    seen = set()
    while os.path.exists("/proc/" + pid):
        current = {word & 0xffff for word in array.array("I", words[:4 * size])}
        looks += 1
        empty += NOBODY in current
        seen |= current
    if looks < 100 or len(seen) < 8:
        return "%d looks saw %d owners: too few" % (looks, len(seen))
    return "%d looks saw a slot without owner" % empty if empty else "always owned"


CASES = {"deaf": deaf, "owners": owners}

print(CASES[sys.argv[1]](*sys.argv[2:]))

#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""When was a new connection last sent to a backend that does not take it?

    new_flows.py ADDRESS PORT EVERY_MS

Begins a connection every EVERY_MS, and ends each as soon as it is known what became of it. Prints a line for each that
was not taken, when it is over: the time it began (ms since 1970) and why. At SIGTERM also "taken N, not taken N".
"""
import errno
import selectors
import signal
import socket
import struct
import sys
import time

SILENT_AFTER_S = 1.0
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close by a reset, so that no TIME_WAIT is left


class Flows:
    def __init__(self, address, port):
        self.target = (address, port)
        self.selector = selectors.DefaultSelector()
        self.began = {}
        self.taken = self.refused = 0

    def begin(self):
        flow = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        flow.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.began[flow] = time.time()
        error = flow.connect_ex(self.target)
        if error not in (0, errno.EINPROGRESS):
            self.began.pop(flow)
            self.refuse(time.time(), errno.errorcode[error])
            flow.close()
            return
        self.selector.register(flow, selectors.EVENT_WRITE)

    def refuse(self, began, why):
        self.refused += 1
        print(int(began * 1000), why, flush=True)

    def end(self, flow, why):
        began = self.began.pop(flow)
        self.selector.unregister(flow)
        flow.close()
        if why:
            self.refuse(began, why)
        else:
            self.taken += 1

    def look(self, wait_s):
        for key, _ in self.selector.select(wait_s):
            error = key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self.end(key.fileobj, errno.errorcode[error] if error else None)
        while self.began:
            flow, began = next(iter(self.began.items()))
            if time.time() - began < SILENT_AFTER_S:
                break
            self.end(flow, "SILENT")


def main():
    flows, every_s = Flows(sys.argv[1], int(sys.argv[2])), int(sys.argv[3]) / 1000
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    due = time.monotonic()
    while not stopped:
        while due <= time.monotonic():
            flows.begin()
            due = max(due + every_s, time.monotonic() - every_s)
        flows.look(max(0, due - time.monotonic()))
    while flows.began:
        flows.look(0.01)
    print("taken %d, not taken %d" % (flows.taken, flows.refused))


main()

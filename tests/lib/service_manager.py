#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs a command as systemd runs a service: its standard error is a stream to the journal, and it may notify.

    service_manager.py JOURNAL NOTIFICATIONS COMMAND…

What comes through the stream is appended to the file JOURNAL, each notification is a line of NOTIFICATIONS. SIGTERM is handed
on. Ends when the stream does, with the command's exit status.
"""
import os
import selectors
import signal
import socket
import subprocess
import sys


def read_all(journal, notify, lines, messages):
    """Until the stream ends."""
    selector = selectors.DefaultSelector()
    selector.register(journal, selectors.EVENT_READ)
    selector.register(notify, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            data = key.fileobj.recv(65536)
            if key.fileobj is notify:
                messages.write(data + b"\n")
            elif data:
                lines.write(data)
            else:
                return


def main():
    journal_path, notify_path, *command = sys.argv[1:]
    name = "lbd-test-%d" % os.getpid()
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind("\0" + name)
    reader, stream = socket.socketpair()
    identity = os.fstat(stream.fileno())
    service = subprocess.Popen(command, stderr=stream, env=dict(
        os.environ, NOTIFY_SOCKET="@" + name, JOURNAL_STREAM="%d:%d" % (identity.st_dev, identity.st_ino)))
    signal.signal(signal.SIGTERM, lambda number, frame: service.send_signal(number))
    stream.close()
    with open(journal_path, "ab", 0) as lines, open(notify_path, "ab", 0) as messages:
        read_all(reader, notify, lines, messages)
    sys.exit(service.wait())


main()

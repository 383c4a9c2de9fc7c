#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What does a command draw on a terminal of 80 columns and 24 lines? terminal.py SIGNAL COMMAND ARGS…

Gives it the signal (INT: Ctrl-C) after its second screen, and says what it saw.
"""
import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios

number = getattr(signal, "SIG" + sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
seen, asked = b"", False
while True:
    try:
        got = os.read(terminal, 65536)
    except OSError:
        break
    if not got:
        break
    seen += got
    if not asked and seen.count(b"\x1b[J") >= 2:
        asked = True
        os.kill(pid, number)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
text = seen.decode()
screens = text.split("\x1b[H")[1:]
lines = [re.sub(r"\x1b\[[0-9?]*[A-Za-z]", "", line) for line in screens[-1].splitlines()] if screens else []
print("frames: %d" % len(screens))
print("exit: %d" % status)
print("longest line: %d" % max([len(line) for line in lines] or [0]))
print("lines: %d" % len(lines))
print("closed: %s" % ("yes" if text.endswith("\x1b[?25h\x1b[?1049l") else "no"))
for line in lines:
    print("| " + line)
    bar = line.split("  ")[-1]
    if bar and not bar.strip("#"):
        print(bar)

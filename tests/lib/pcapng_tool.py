# SPDX-License-Identifier: BSD-2-Clause
"""What is in a pcapng file? A line for each frame: its interface, direction, time, length and comment.

Reads what the format's specification says, and nothing of lbctl's: blocks of either byte order, options.
"""
import struct
import sys


def options(body, order):
    found = {}
    while body:
        code, length = struct.unpack_from(order + "HH", body)
        if code == 0:
            break
        found[code] = body[4:4 + length]
        body = body[4 + (length + 3) // 4 * 4:]
    return found


def blocks(data):
    order, at = "<", 0
    while at < len(data):
        if data[at:at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
        kind, length = struct.unpack_from(order + "II", data, at)
        assert length % 4 == 0 and struct.unpack_from(order + "I", data, at + length - 4)[0] == length
        yield kind, order, data[at + 8:at + length - 4]
        at += length


def main():
    interfaces = []
    with open(sys.argv[1], "rb") as file:
        for kind, order, body in blocks(file.read()):
            if kind == 1:
                link, = struct.unpack_from(order + "H", body)
                assert link == 1
                interfaces.append(options(body[8:], order))
            elif kind == 6:
                number, high, low, kept, length = struct.unpack_from(order + "IIIII", body)
                known, told = interfaces[number], options(body[20 + (kept + 3) // 4 * 4:], order)
                assert known[9] == b"\x09" and kept <= length
                direction = struct.unpack(order + "I", told[2])[0] & 3
                print(known[2].decode(), ["none", "in", "out"][direction], "%d.%09d" % divmod(high << 32 | low, 10**9), length,
                      told[1].decode())


main()

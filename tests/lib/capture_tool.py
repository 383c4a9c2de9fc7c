# SPDX-License-Identifier: BSD-2-Clause
"""Writes a capture file: capture_tool.py pcap|pcap-ns|pcapng|pcapng-simple <|> LINK HEX[:LENGTH]… [SENT HEX[:LENGTH]…]

LINK is the number of a link type; a frame of LENGTH bytes was cut off after those of HEX. SENT: a pcapng file says of
the frames before it that they were sent.
"""
import struct
import sys

form, order, link = sys.argv[1], sys.argv[2], int(sys.argv[3])
frames = []
sent = 0
for text in sys.argv[4:]:
    if text == "SENT":
        sent = len(frames)
        continue
    data, _, length = text.partition(":")
    data = bytes.fromhex(data)
    frames.append((data, int(length or len(data))))


def block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)


def pcapng():
    yield block(0x0a0d0d0a, struct.pack(order + "IHHq", 0x1a2b3c4d, 1, 0, -1))
    yield block(5, b"a block that nobody knows")
    yield block(1, struct.pack(order + "HHI", link, 0, 0) + struct.pack(order + "HH4sHH", 2, 4, b"eth0", 0, 0))
    for i, (data, length) in enumerate(frames):
        if form == "pcapng":
            packet = struct.pack(order + "IIIII", 0, 0, 0, len(data), length) + data + bytes(-len(data) % 4)
            flags = struct.pack(order + "HHI", 2, 4, 2 if i < sent else 1)
            yield block(6, packet + struct.pack(order + "HH8s", 1, 8, b"a remark") + flags + bytes(4))
        else:
            yield block(3, struct.pack(order + "I", length) + data)


def pcap():
    yield struct.pack(order + "IHHiIII", 0xa1b23c4d if form == "pcap-ns" else 0xa1b2c3d4, 2, 4, 0, 0, 65535, link)
    for data, length in frames:
        yield struct.pack(order + "IIII", 0, 0, len(data), length) + data


for part in pcapng() if form.startswith("pcapng") else pcap():
    sys.stdout.buffer.write(part)

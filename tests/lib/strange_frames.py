# SPDX-License-Identifier: BSD-2-Clause
"""Writes a capture file of frames of every kind: strange_frames.py SEED COUNT CLIENT4 CLIENT6 ENDPOINT…

ENDPOINT is ADDRESS,PORT,PROTOCOL with numbers. Frames are packets to these: whole ones, fragments, ICMP errors about
their flows, echo requests, with tags, options and extension headers, and every third with a byte that is changed.
"""
import random
import socket
import struct
import sys

seed, count, client4, client6 = sys.argv[1:5]
rng = random.Random(int(seed))
endpoints = [(address, int(port), int(protocol)) for address, port, protocol in (text.split(",") for text in sys.argv[5:])]


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ipv4(source, destination, protocol, payload, fragment=0x4000, options=b""):
    header = struct.pack(">BBHHHBBH", 0x45 + len(options) // 4, rng.choice([0, 0, 0xb8]), 20 + len(options) + len(payload),
                         rng.randrange(65536), fragment, 64, protocol, 0) + source + destination + options
    return header[:10] + struct.pack(">H", checksum(header)) + header[12:] + payload


def ipv6(source, destination, protocol, payload):
    return struct.pack(">IHBB", 6 << 28 | rng.randrange(1 << 20), len(payload), protocol, 64) + source + destination + payload


def transport(protocol, ports):
    if protocol == 6:
        return struct.pack(">HHIIBBHHH", *ports, 0, 0, 0x50, rng.choice([2, 2, 16, 17, 4, 18]), 0, 0, 0)
    if protocol == 17:
        return struct.pack(">HHHH", *ports, 8, 0)
    return struct.pack(">HHIIBBHII", *ports, 0, 0, rng.choice([0, 1]), 0, 16, 0, 0)


def packet(four, client, vip, port, protocol):
    """One of a client to a VIP."""
    body = transport(protocol, (rng.randrange(1024, 65536), rng.choice([port, port, port, port ^ 1])))
    body += bytes(rng.choice([0, 0, 0, 7, 1200, 1460, 1570]))
    kind = rng.choice(["plain"] * 5 + ["fragment", "later", "error", "echo", "extra"])
    make, icmp = (ipv4, 1) if four else (ipv6, 58)
    if kind == "error":
        inner = make(vip, client, protocol, transport(protocol, (port, rng.randrange(1024, 65536))))
        return make(packed("203.0.113.7" if four else "2001:db8:99::7"), vip, icmp,
                    struct.pack(">BBHI", rng.choice([3, 11, 5] if four else [1, 2, 3, 137]), 4 if four else 0, 0, 1400) + inner)
    if kind == "echo":
        return make(client, vip, icmp, struct.pack(">BBHI", rng.choice([8, 0] if four else [128, 129]), 0, 0, 0))
    if four:
        return ipv4(client, vip, protocol, body, {"fragment": 0x2000, "later": 0x0064}.get(kind, 0x4000),
                    rng.choice([bytes(4), b"\x83\x07\x04" + client + b"\x01"]) if kind == "extra" else b"")
    if kind in ("fragment", "later"):
        return ipv6(client, vip, 44, struct.pack(">BBHI", protocol, 0, 1 if kind == "fragment" else 0x0320, 7) + body)
    if kind == "extra":
        return ipv6(client, vip, 60, bytes([protocol, 0, 1, 4, 0, 0, 0, 0]) + body)
    return ipv6(client, vip, protocol, body)


def frame():
    vip, port, protocol = rng.choice(endpoints)
    four = ":" not in vip
    client = packed(client4 if four else client6)
    if not rng.randrange(20):
        client = packed(rng.choice(["127.0.0.1", "224.0.0.1", vip] if four else ["::1", "ff02::1", vip]))
    data = packet(four, client, packed(vip), port, protocol)
    tags = b"".join(struct.pack(">HH", 0x8100, 7) for _ in range(rng.choice([0] * 14 + [1, 1, 2, 2, 3])))
    data = rng.choice(["02"] * 19 + ["03"]) + "0000000001" + "020000000002" + (
        tags + struct.pack(">H", 0x800 if four else 0x86dd) + data).hex()
    data = bytearray(bytes.fromhex(data))
    if not rng.randrange(3):
        data[rng.randrange(12, min(len(data), 70))] = rng.randrange(256)
    if not rng.randrange(8):
        data = data[:rng.randrange(14, len(data))]
    return bytes(data)


out = sys.stdout.buffer
out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
for _ in range(int(count)):
    data = frame()
    out.write(struct.pack("<IIII", 0, 0, len(data), len(data)) + data)

# SPDX-License-Identifier: BSD-2-Clause
"""What has the generator sent? Listens on an interface until nothing comes for a second.

    lbgen_frames.py INTERFACE READY [6]

To IPv4, or with 6 to IPv6. Makes the file READY when it listens. Prints JSON: frames, wrong ones (by what is wrong), flows,
packets by kind, the first frame in hex.
"""
import json
import socket
import struct
import sys


def checksum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def kind_of(protocol, segment):
    if protocol == 17:
        return "udp"
    return {0x02: "syn", 0x10: "ack"}.get(segment[13], "other")


def faults4(packet):
    length, protocol = struct.unpack("!H", packet[2:4])[0], packet[9]
    segment = packet[20:length]
    if packet[0] != 0x45 or length != 40:
        yield "header"
    if checksum(packet[:20]) != 0xffff:
        yield "ip_checksum"
    pseudo = packet[12:20] + struct.pack("!BBH", 0, protocol, len(segment))
    if checksum(pseudo + segment) != 0xffff:
        yield "l4_checksum"


def faults6(packet):
    if packet[:6] != b"\x60\0\0\0\0\x14" or packet[7] != 57 or len(packet) != 60:
        yield "header"
    pseudo = packet[8:40] + struct.pack("!II", 20, packet[6])
    if checksum(pseudo + packet[40:]) != 0xffff:
        yield "l4_checksum"


def main(interface, ready, family="4"):
    ethertype, faults, at_protocol, header, addresses = {
        "4": (0x0800, faults4, 9, 20, 12), "6": (0x86dd, faults6, 6, 40, 8)}[family]
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ethertype))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
    listener.bind((interface, 0))
    listener.settimeout(15)
    with open(ready, "w", encoding="utf-8"):
        pass
    wrong, kinds, flows, first, count = {}, {}, set(), None, 0
    while True:
        try:
            frame = listener.recv(2048)
        except TimeoutError:
            break
        listener.settimeout(1)
        count += 1
        packet = frame[14:]
        first = first or frame.hex()
        for fault in faults(packet):
            wrong[fault] = wrong.get(fault, 0) + 1
        kind = kind_of(packet[at_protocol], packet[header:])
        kinds[kind] = kinds.get(kind, 0) + 1
        flows.add((packet[at_protocol], packet[addresses:header + 4]))
    print(json.dumps({"frames": count, "wrong": wrong, "flows": len(flows), "kinds": kinds,
                      "first": first}))


main(*sys.argv[1:])

#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""list_tool.py DEVICE ADDRESS…: sends what comes out of a tun device to these backends, with lists.

In the place of a balancer that knows of no connection where it is: a SYN goes to a backend that its ports choose, all
else to any of them, with the others in its list, in any order. A SIGTERM ends it."""
import fcntl
import os
import random
import socket
import struct
import sys

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 1, 0x1000
SO_NO_CHECK, UDP_NO_CHECK6_TX = 11, 101
SYN_ACK = 0x12


def open_tun(name):
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return tun


def transport(packet):
    return packet[(packet[0] & 15) * 4 if packet[0] >> 4 == 4 else 40:]


def gue(packet, hops):
    words = sum(len(hop) for hop in hops) // 4
    protocol = socket.IPPROTO_IPIP if packet[0] >> 4 == 4 else socket.IPPROTO_IPV6
    kind = 1 if hops and len(hops[0]) == 16 else 0
    return struct.pack("!BBHHBB", 1 + words, protocol, 0, kind, 0, len(hops)) + b"".join(hops) + packet


def listed(packet, backends):
    """Whom it goes to first, and the payload of the UDP packet."""
    tcp = transport(packet)
    if tcp[13] & SYN_ACK == 2:
        return backends[sum(tcp[:2]) % len(backends)], None
    order = random.sample(backends, len(backends))
    return order[0], order[1:]


def main():
    family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
    sender = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET:
        sender.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
    else:
        sender.setsockopt(socket.IPPROTO_UDP, UDP_NO_CHECK6_TX, 1)
    tun = open_tun(sys.argv[1])
    kind = 0 if family == socket.AF_INET else 1
    while True:
        packet = os.read(tun, 65536)
        if packet[9 if packet[0] >> 4 == 4 else 6] != socket.IPPROTO_TCP:
            continue
        first, rest = listed(packet, sys.argv[2:])
        payload = bytearray(gue(packet, [socket.inet_pton(family, hop) for hop in rest or []]))
        payload[5] = kind
        sender.sendto(payload, (first, 6080))


main()

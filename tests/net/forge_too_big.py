#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""One forged "too big" about a packet from a balancer to a backend.

    forge_too_big.py BALANCER BACKEND MTU LENGTH

Quotes an outer header as the balancer writes it: IPv4 in IPv4, or IPv6 in IPv6.
"""
import socket
import struct
import sys


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(source, destination, length):
    def header(check):
        return struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, 0, 0x4000, 63, 4, check,
                           socket.inet_aton(source), socket.inet_aton(destination))

    return header(checksum(header(0))) + bytes(8)


def ipv6(source, destination, length):
    return struct.pack("!IHBB", 6 << 28 | 0x12345, length - 40, 41, 63) + \
        socket.inet_pton(socket.AF_INET6, source) + \
        socket.inet_pton(socket.AF_INET6, destination) + bytes(8)


def main(balancer, backend, mtu, length):
    if ":" in balancer:
        with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sender:
            sender.sendto(struct.pack("!BBHI", 2, 0, 0, mtu) + ipv6(balancer, backend, length),
                          (balancer, 0))
        return
    quote = ipv4(balancer, backend, length)
    check = checksum(struct.pack("!BBHHH", 3, 4, 0, 0, mtu) + quote)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sender:
        sender.sendto(struct.pack("!BBHHH", 3, 4, check, 0, mtu) + quote, (balancer, 0))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))

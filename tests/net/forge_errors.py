#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""An ICMP error about each of many connections: a host on the way says that the client cannot be reached.

    ss -Htn state established … | forge_errors.py

Standard input: the client's connections as ss shows them, "0 0 CLIENT:PORT VIP:PORT" each. The error quotes a packet
that the backend is to have sent, with a sequence number that the connection is not at: a host that has the connection
counts the error as out of window, one that has not as an error in vain. Says how many were sent.
"""
import socket
import struct
import sys
import time

from forge_too_big import checksum

AT_ONCE = 4  # so that no queue overflows


def end(text):
    address, port = text.rsplit(":", 1)
    return address.strip("[]"), int(port)


def quote(client, client_port, vip, vip_port):
    tcp = struct.pack("!HHI", vip_port, client_port, 0)
    if ":" in vip:
        return struct.pack("!IHBB", 6 << 28, 20, socket.IPPROTO_TCP, 60) + \
            socket.inet_pton(socket.AF_INET6, vip) + socket.inet_pton(socket.AF_INET6, client) + tcp
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0x4000, 60, socket.IPPROTO_TCP, 0,
                         socket.inet_aton(vip), socket.inet_aton(client))
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + tcp


def main():
    sender4 = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    sender6 = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    count = 0
    for line in sys.stdin:
        client, vip = (end(text) for text in line.split()[2:4])
        about = quote(*client, *vip)
        if ":" in vip[0]:
            sender6.sendto(struct.pack("!BBHI", 1, 3, 0, 0) + about, (vip[0], 0))
        else:
            check = checksum(struct.pack("!BBHI", 3, 1, 0, 0) + about)
            sender4.sendto(struct.pack("!BBHI", 3, 1, check, 0) + about, (vip[0], 0))
        count += 1
        if count % AT_ONCE == 0:
            time.sleep(0.002)
    print(count)


if __name__ == "__main__":
    main()

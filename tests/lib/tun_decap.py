#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""tun_decap.py DEVICE: takes the outer header off IP-in-IP packets, and hands the inner ones to the stack by a device
of its own, as the kernel's tunl0 does, for kernels that have none."""
import fcntl
import os
import socket
import struct
import sys

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000

tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", sys.argv[1].encode(), IFF_TUN | IFF_NO_PI))
outer = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IPIP)
print("ready", flush=True)
while True:
    packet = outer.recv(65535)
    try:
        os.write(tun, packet[(packet[0] & 15) * 4:])
    except OSError:  # the device is down
        pass

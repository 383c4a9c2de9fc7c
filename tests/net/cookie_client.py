#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A client whose SYN a balancer has answered: what does the backend make of its ACK?

    cookie_client.py BACKEND SOURCE VIP SECRET CASE…    prints CASE and what came back, a line for each

Plays the balancer, too: sends in IP-in-IP, and knows the secret. A CASE is PORT:WHAT, where WHAT is
made of letters:

    t  with timestamps       w  with a wrong cookie     o  of two epochs ago
    s  first a SYN, which makes the connection half open at the backend
    c  the server is asked to close first, so that it keeps the connection in TIME_WAIT
    l  with a lower sequence number than before          h  with a higher one
"""
import ipaddress, socket, struct, sys, time

MASK = (1 << 64) - 1
SYN, RST, ACK, FIN, PSH = 2, 4, 16, 1, 8
HALF = 36


def siphash(key, message):
    def rotate(x, bits):
        return (x << bits | x >> 64 - bits) & MASK

    k0, k1 = key
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & MASK
            v[2] = (v[2] + v[3]) & MASK
            v[1] = rotate(v[1], 13) ^ v[0]
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[1]) & MASK
            v[0] = (v[0] + v[3]) & MASK
            v[1] = rotate(v[1], 17) ^ v[2]
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = rotate(v[2], 32)

    padded = message + bytes(7 - len(message) % 8) + bytes([len(message) & 255])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at:at + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


assert siphash((0x0706050403020100, 0x0F0E0D0C0B0A0908), bytes(range(15))) == 0xA129CA6149BE45E5


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Client:
    def __init__(self, backend, source, vip, secret):
        self.six = ":" in vip
        self.backend = backend
        self.source = ipaddress.ip_address(source).packed
        self.vip = ipaddress.ip_address(vip).packed
        self.key = (int(secret[:16], 16), int(secret[16:], 16))
        protocol = socket.IPPROTO_IPV6 if self.six else socket.IPPROTO_IPIP
        self.tunnel = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
        family = socket.AF_INET6 if self.six else socket.AF_INET
        self.answers = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP)

    def cookie(self, port, isn, timestamps, bits, epochs):
        epoch = (time.clock_gettime_ns(time.CLOCK_TAI) >> HALF + 1) + epochs
        message = self.source + self.vip + struct.pack("!HH", port, 8080) + struct.pack("<II", isn, epoch)
        message += bytes([bits, 10, timestamps + 2 * self.six])
        number = siphash(self.key, message)
        return (number >> 32 << 9 | (epoch & 1) << 8 | bits) & 0xFFFFFFFF, number & 0xFFFFFFFF

    def send(self, port, flags, seq, ack, options=b"", data=b""):
        tcp = struct.pack("!HHIIBBHHH", port, 8080, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, (5 + len(options) // 4) << 4, flags, 4000, 0, 0)
        tcp += options + data
        pseudo = self.source + self.vip + struct.pack("!II", len(tcp), socket.IPPROTO_TCP)
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
        if self.six:
            packet = struct.pack("!IHBB", 6 << 28, len(tcp), socket.IPPROTO_TCP, 64) + self.source + self.vip
        else:
            packet = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, socket.IPPROTO_TCP, 0, self.source, self.vip)
            packet = packet[:10] + struct.pack("!H", checksum(packet)) + packet[12:]
        self.tunnel.sendto(packet + tcp, (self.backend, 0))

    # Flags, sequence and acknowledged numbers, TSval and data of the next answer; None: none comes.
    def answer(self, port, seconds=2.0):
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.answers.settimeout(left)
            try:
                packet = self.answers.recv(4096)
            except TimeoutError:
                return None
            tcp = packet if self.six else packet[(packet[0] & 15) * 4:]
            if struct.unpack("!HH", tcp[:4]) != (8080, port):
                continue
            seq, ack = struct.unpack("!II", tcp[4:12])
            header = (tcp[12] >> 4) * 4
            options = tcp[20:header]
            tsval = struct.unpack("!I", options[4:8])[0] if options[2:4] == b"\x08\x0a" else None
            return tcp[13], seq, ack, tsval, tcp[header:]
        return None

    # The FIN of a server that has closed, and ours: what it keeps is in TIME_WAIT.
    def close(self, port, seq, tsval):
        while (got := self.answer(port)) and not got[0] & FIN:
            pass
        if not got:
            return "open"
        echo = struct.pack("!BBBBII", 1, 1, 8, 10, tsval + 1, got[3]) if got[3] is not None else b""
        self.send(port, ACK | FIN, seq, got[1] + len(got[4]) + 1, echo)
        self.answer(port, 0.3)
        return "closed"

    def case(self, port, what, isn, tsval):
        timestamps = "t" in what
        bits = 6 << 5 | 1 << 4 | 7
        if "s" in what:
            self.send(port, SYN, isn - 1000, 0)
            if not self.answer(port):
                return "no SYN-ACK"
        sequence, ours = self.cookie(port, isn, timestamps, bits, -2 if "o" in what else 0)
        if "w" in what:
            sequence ^= 1 << 20
        options = struct.pack("!BBBBII", 1, 1, 8, 10, tsval, ours) if timestamps else b""
        data = b"c" if "c" in what else b"e"
        self.send(port, ACK | PSH, isn + 1, sequence + 1, options, data)
        while got := self.answer(port):
            if got[0] & RST:
                return "reset"
            if got[0] & SYN:
                continue
            if got[1] & 0xFFFFFFFF != (sequence + 1) & 0xFFFFFFFF or got[2] != isn + 1 + len(data):
                return f"other numbers: {got[1]:x} {got[2]:x}"
            if timestamps and (got[3] - ours) & 0xFFFFFFFF > 10000:
                return "another timestamp"
            return self.close(port, isn + 2, tsval) if "c" in what else "made"
        return "nothing"


def main():
    client = Client(*sys.argv[1:5])
    isn, tsval = {}, {}
    for case in sys.argv[5:]:
        port, _, what = case.partition(":")
        step = -100000 if "l" in what else 100000
        isn[port] = isn.get(port, 1000000000) + step
        tsval[port] = tsval.get(port, 1000000) + step
        print(case, client.case(int(port), what, isn[port], tsval[port]), flush=True)


main()

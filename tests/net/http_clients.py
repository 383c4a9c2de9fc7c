#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Clients of lbd's HTTP server that are of no good will. http_clients.py PORT WORD ARGUMENTS…

    silent COUNT      connections that never ask; one that does gets its answer
    slow COUNT        connections that ask for the metrics and do not read; one that does gets its answer
    trickle           a request that comes byte by byte is cut off in time
    odd               rows of requests, each with the status that is right
    fuzz COUNT SEED   random changes of a request: each gets a sound answer or is cut off
"""

import random
import socket
import sys
import time

PORT = int(sys.argv[1])
GET = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"


def connect(size=None):
    client = socket.socket()
    client.settimeout(20)
    if size:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    client.connect(("127.0.0.1", PORT))
    return client


def read(client):
    answer = b""
    try:
        while True:
            piece = client.recv(1 << 20)
            if not piece:
                return answer
            answer += piece
    except ConnectionError:
        return answer


def ask(request):
    with connect() as client:
        client.sendall(request)
        return read(client)


def status(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def scrape():
    """The last byte is there within some seconds, as whole as it was said to be."""
    began = time.monotonic()
    answer = ask(GET)
    head, _, content = answer.partition(b"\r\n\r\n")
    length = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    took = time.monotonic() - began
    if status(answer) != 200 or length != [len(content)]:
        return "a scrape is answered with %r… of %d bytes" % (answer[:40], len(content))
    if took > 5:
        return "a scrape takes %.1f s" % took
    return None


def silent(count):
    clients = [connect() for _ in range(int(count))]
    fault = scrape()
    for client in clients:
        client.close()
    return fault


def slow(count):
    clients = []
    for i in range(int(count)):
        client = connect(4096)
        client.sendall(GET)
        clients.append(client)
        if i % 16 == 0:
            time.sleep(0.3)  # so that there are several texts
    time.sleep(1)
    fault = scrape()
    for client in clients:
        client.close()
    return fault


def trickle():
    began = time.monotonic()
    with connect() as client:
        try:
            for byte in GET * 10:
                client.sendall(bytes([byte]).replace(b"\n", b"x"))
                time.sleep(0.1)
        except ConnectionError:
            pass
        took = time.monotonic() - began
    return None if 4 < took < 10 else "cut off after %.1f s" % took


ROWS = [
    (200, GET),
    (200, b"GET /metrics HTTP/1.0\r\n\r\n"),
    (200, b"GET /metrics?x=1 HTTP/1.1\nHost: 127.0.0.1:9110\n\n"),
    (200, b"GET / HTTP/1.1\r\nHost: [::1]:9110\r\n\r\n"),
    (200, b"GET / HTTP/1.1\r\nHost: LocalHost\r\n\r\n"),
    (200, b"GET / HTTP/1.1\r\nHost: LB.Example:9110\r\n\r\n"),
    (200, b"GET / HTTP/1.1\r\nHost: " + socket.gethostname().encode() + b"\r\n\r\n"),
    (200, b"GET http://localhost/ HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
    (421, b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    (421, b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
    (421, b"GET /status.json HTTP/1.1\r\nHost: 127.0.0.1.evil.example:9110\r\n\r\n"),
    (421, b"HEAD /metrics HTTP/1.1\r\nHost: lb.example.evil.example\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: localhost:80x\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    (200, b"\r\nGET /metrics HTTP/1.1\r\n\r\n"),
    (200, b"GET http://localhost:9110/metrics HTTP/1.1\r\n\r\n"),
    (200, b"HEAD /metrics HTTP/1.1\r\n\r\n"),
    (200, GET + GET + GET),
    (404, b"GET /metrics/ HTTP/1.1\r\n\r\n"),
    (404, b"GET /../etc/passwd HTTP/1.1\r\n\r\n"),
    (404, b"GET /%6detrics HTTP/1.1\r\n\r\n"),
    (404, b"GET /" + b"a" * 4000 + b" HTTP/1.1\r\n\r\n"),
    (405, b"POST /metrics HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100000),
    (405, b"PUT /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n"),
    (405, b"DELETE / HTTP/1.1\r\n\r\n"),
    (405, b"OPTIONS * HTTP/1.1\r\n\r\n"),
    (405, b"CONNECT a:1 HTTP/1.1\r\n\r\n"),
    (405, b"get /metrics HTTP/1.1\r\n\r\n"),
    (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    (505, b"GET /metrics HTTP/9.9\r\n\r\n"),
    (400, b"GET /metrics\r\n\r\n"),
    (400, b"GET  /metrics HTTP/1.1\r\n\r\n"),
    (400, b"GET metrics HTTP/1.1\r\n\r\n"),
    (400, b"GET /me\x00trics HTTP/1.1\r\n\r\n"),
    (400, b"GET /metrics HTTP/1.1\r\nno colon\r\n\r\n"),
    (400, b"GET /metrics HTTP/1.1\r\nbad name: x\r\n\r\n"),
    (400, b"GET /metrics HTTP/1.1\r\na: \x01\r\n\r\n"),
    (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n"),
    (431, b"GET /metrics HTTP/1.1\r\n" + b"a: b\r\n" * 3000),
    (431, b"G" * 20000),
]


def odd():
    wrong = []
    for expected, request in ROWS:
        got = status(ask(request))
        if got != expected:
            wrong.append("%r…: %d and not %d" % (request[:40], got, expected))
    return "\n".join(wrong) or None


def fuzz(count, seed):
    chance = random.Random(int(seed))
    for i in range(int(count)):
        request = bytearray(chance.choice(ROWS)[1][:300])
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(request) + 1)
            request[at:at + chance.randrange(3)] = bytes(chance.randrange(256) for _ in range(chance.randrange(4)))
        with connect() as client:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            answer = read(client)
        if answer and status(answer) not in (200, 400, 404, 405, 421, 431, 500, 503, 505):
            return "request %d, %r: %r" % (i, bytes(request), answer[:80])
    return scrape()


sys.exit({"silent": silent, "slow": slow, "trickle": trickle, "odd": odd, "fuzz": fuzz}[sys.argv[2]](*sys.argv[3:]))

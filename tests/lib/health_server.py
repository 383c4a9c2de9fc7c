#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A server that answers health checks in every way they can go wrong.

    health_server.py HTTP_PORT UDP_PORT

HTTP: the path says how. UDP: a datagram is answered with "wrong", but "hush" is not answered.
"""
import socketserver
import sys
import threading
import time

HEAD = b"HTTP/1.1 200 OK\r\n"


def drip(connection, data, every_s):
    for byte in data:
        connection.sendall(bytes([byte]))
        time.sleep(every_s)


def endless(connection):
    connection.sendall(HEAD)
    while True:
        connection.sendall(b"X: y\r\n" * 100)


class Flap:
    """Good and bad, turn by turn."""

    good = False

    @classmethod
    def answer(cls, connection):
        cls.good = not cls.good
        connection.sendall((b"HTTP/1.1 200 OK" if cls.good else b"HTTP/1.1 503 No") + b"\r\n\r\n")


ANSWERS = {
    "/silent": lambda c: time.sleep(60),
    "/drip": lambda c: drip(c, HEAD + b"Content-Length: 2\r\n\r\nok", 0.001),
    "/slow": lambda c: drip(c, HEAD + b"Content-Length: 2\r\n\r\nok", 0.1),
    "/closed": lambda c: None,
    "/cut-header": lambda c: c.sendall(HEAD + b"Content-"),
    "/cut-body": lambda c: c.sendall(HEAD + b"Content-Length: 100\r\n\r\nthe first"),
    "/chunked": lambda c: c.sendall(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nit \r\n5\r\nis ok\r\n0\r\n\r\n"
    ),
    "/garbage": lambda c: c.sendall(b"\x00\x01\x02\xff no HTTP at all\r\n"),
    "/endless": endless,
    "/flap": Flap.answer,
}


class Http(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            path = self.rfile.readline().decode().split(" ")[1]
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            ANSWERS[path](self.connection)
        except (OSError, IndexError):
            pass  # the check has gone


class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        data, sock = self.request
        if data != b"hush":
            sock.sendto(b"wrong\xff", self.client_address)


class HttpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


udp = socketserver.UDPServer(("", int(sys.argv[2])), Udp)
threading.Thread(target=udp.serve_forever, daemon=True).start()
HttpServer(("", int(sys.argv[1])), Http).serve_forever()

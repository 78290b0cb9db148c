# SPDX-License-Identifier: Apache-2.0
"""Round trips on the message bus, without a process for each: one property of the daemon, read again and again."""
import os
import socket
import struct
import time
from typing import Any


def _aligned(octets: bytes, to: int) -> bytes:
    return octets + bytes(-len(octets) % to)


def _string(text: str) -> bytes:
    octets = text.encode()
    return struct.pack("<I", len(octets)) + octets + b"\0"


class BusClient:
    """Owns its connection to the bus at `address` ("unix:path=...")."""

    def __init__(self, address: str):
        path = dict(part.split("=", 1) for part in address.partition(":")[2].split(","))["path"]
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        self._socket.connect(path)
        self._socket.sendall(b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\n")
        answer = b""
        while not answer.endswith(b"\r\n"):
            answer += self._socket.recv(1)
        assert answer.startswith(b"OK "), answer
        self._socket.sendall(b"BEGIN\r\n")
        self._serial = 0
        self._call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello")

    def close(self) -> None:
        self._socket.close()

    def read_state(self) -> float:
        """Manager1.State; seconds until the answer was there."""
        begin = time.monotonic()
        self._call("org.mtkeyd1", "/org/mtkeyd1", "org.freedesktop.DBus.Properties", "Get",
                   "org.mtkeyd1.Manager1", "State")
        return time.monotonic() - begin

    def cancel_bootstrap(self) -> None:
        self._call("org.mtkeyd1", "/org/mtkeyd1", "org.mtkeyd1.Manager1", "CancelBootstrap")

    def _call(self, destination: str, path: str, interface: str, member: str, *arguments: str) -> None:
        self._serial += 1
        body = b""
        for argument in arguments:
            body = _aligned(body, 4) + _string(argument)
        fields = b""
        for code, signature, value in ((1, b"o", path), (2, b"s", interface), (3, b"s", member), (6, b"s", destination)):
            fields = _aligned(fields, 8) + bytes([code, 1]) + signature + b"\0" + _string(value)
        if arguments:
            fields = _aligned(fields, 8) + bytes([8, 1]) + b"g\0" + bytes([len(arguments)]) + b"s" * len(arguments) + b"\0"
        header = struct.pack("<cBBBIII", b"l", 1, 0, 1, len(body), self._serial, len(fields))
        self._socket.sendall(_aligned(header + fields, 8) + body)
        while True:
            kind, reply_to = self._message()
            if reply_to == self._serial:
                assert kind == 2, f"{member} was answered by an error"
                return

    def _message(self) -> tuple[int, Any]:
        """Type and the serial that it replies to. Our own bus speaks as this machine does: little endian."""
        head = self._exactly(16)
        length, _, fields_length = struct.unpack_from("<III", head, 4)
        fields = self._exactly(fields_length + -(16 + fields_length) % 8)
        self._exactly(length)
        at = 0
        while at < fields_length:
            code, signature = fields[at], fields[at + 2:at + 3]
            if code == 5:
                return head[1], struct.unpack_from("<I", fields, at + 4)[0]
            if signature == b"u":
                at += 8
            elif signature == b"g":
                at += 4 + 1 + fields[at + 4] + 1
            else:
                at += 4 + 4 + struct.unpack_from("<I", fields, at + 4)[0] + 1
            at += -at % 8
        return head[1], None

    def _exactly(self, count: int) -> bytes:
        octets = b""
        while len(octets) < count:
            more = self._socket.recv(count - len(octets))
            assert more, "the bus has ended the connection"
            octets += more
        return octets

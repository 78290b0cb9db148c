# SPDX-License-Identifier: Apache-2.0
"""A TCP relay on loopback that keeps a copy of what passes, and may change the answers."""
import socket
import threading
import time
from typing import Callable, Optional


class Recorder:
    """Owns its listening socket and threads. `sent` and `received`: octets towards and from the target, in order."""

    def __init__(self, target: tuple[str, int]):
        self.target = target
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._lock = threading.Lock()
        self._sent = bytearray()
        self._received = bytearray()
        self.connections = 0
        self.alter: Optional[Callable[[bytes], bytes]] = None  # of the same length; recorded as it came
        self.pace: Optional[float] = None  # seconds before each octet of an answer
        threading.Thread(target=self._accept, name="recorder", daemon=True).start()

    @property
    def sent(self) -> bytes:
        with self._lock:
            return bytes(self._sent)

    @property
    def received(self) -> bytes:
        with self._lock:
            return bytes(self._received)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return  # closed
            self.connections += 1
            try:
                target = socket.create_connection(self.target, timeout=5)
            except OSError:
                client.close()
                continue
            target.settimeout(None)
            for source, sink, record in ((client, target, self._sent), (target, client, self._received)):
                threading.Thread(target=self._pump, args=(source, sink, record), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, record: bytearray) -> None:
        try:
            while octets := source.recv(65536):
                with self._lock:
                    record += octets
                if self.alter is not None and record is self._received:
                    octets = self.alter(octets)
                pace = self.pace
                if pace is not None and record is self._received:
                    for octet in octets:
                        time.sleep(pace)
                        sink.sendall(bytes([octet]))
                else:
                    sink.sendall(octets)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, sink):
                end.close()

    def close(self) -> None:
        # shutdown, or the thread in accept() would keep the port open
        try:
            self._server.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._server.close()

# SPDX-License-Identifier: Apache-2.0
"""A null modem: two ttys joined by a thread. As on a real cable, nobody sees the other end being closed."""
import os
import select
import threading
import tty
from typing import Callable, Optional


class TtyPair:
    """Owns both pseudo terminals. `mt` and `device` are the paths to open, `passed` is what went over the cable:
    "device" or "mt" (who sent it) and the octets, in order. `alter` is given both and says what goes over in their place.
    """

    def __init__(self) -> None:
        self.passed: list[tuple[str, bytes]] = []
        self.alter: Optional[Callable[[str, bytes], bytes]] = None
        self._masters: list[int] = []
        self._slaves: list[int] = []
        for _ in range(2):
            master, slave = os.openpty()
            tty.setraw(slave)  # before anybody opens it: a cooked tty echoes
            self._masters.append(master)
            self._slaves.append(slave)  # held open, or the master would see a hang-up at each close
        self.mt, self.device = (os.ttyname(slave) for slave in self._slaves)
        self._wake_read, self._wake_write = os.pipe()
        self._closed = False
        self._thread = threading.Thread(target=self._relay, name="tty relay", daemon=True)
        self._thread.start()

    def _relay(self) -> None:
        other = {self._masters[0]: self._masters[1], self._masters[1]: self._masters[0]}
        while True:
            readable, _, _ = select.select([*other, self._wake_read], [], [])
            if self._wake_read in readable:
                return
            for source in readable:
                sender, octets = "mt" if source == self._masters[0] else "device", self._read(source)
                if self.alter is not None:
                    octets = self.alter(sender, octets)
                self.passed.append((sender, octets))
                # A reader that has gone must not stop the other direction: what does not fit is lost, as on a cable.
                while octets and select.select([], [other[source]], [], 0.5)[1]:
                    octets = octets[os.write(other[source], octets[:512]):]

    @staticmethod
    def _read(source: int) -> bytes:
        try:
            return os.read(source, 4096)
        except OSError:
            return b""

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        os.write(self._wake_write, b"x")
        self._thread.join(2)
        for descriptor in (*self._masters, *self._slaves, self._wake_read, self._wake_write):
            os.close(descriptor)


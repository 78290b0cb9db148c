# SPDX-License-Identifier: Apache-2.0
"""The steps of the draft as the programs report them (lib/base/steps.hpp): one pipe for all, so their order is true."""
import json
import os
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Optional


@dataclass(frozen=True)
class StepEvent:
    name: str
    party: str
    full: int  # number in 5.5.2, 0 where it has none
    optimised: int  # number in 5.5.3, likewise
    text: str
    boot_ms: int
    details: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, line: bytes) -> "StepEvent":
        value = json.loads(line)
        own = ("step", "party", "full", "optimised", "text", "boot_ms")
        name, party, full, optimised, text, boot_ms = (value.pop(key) for key in own)
        return cls(name, party, full, optimised, text, boot_ms, value)


class StepCollector:
    """Owns the pipe and a thread that reads it. `fd` is inherited by the programs (--steps-fd)."""

    def __init__(self, callback: Optional[Callable[[StepEvent], None]] = None):
        self._read_end, self.fd = os.pipe()
        self._callback = callback
        self._events: list[StepEvent] = []
        self._raw: list[bytes] = []
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, name="steps", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with open(self._read_end, "rb") as stream:
            for line in stream:
                if line == b"\n":  # the rig's own farewell, see close()
                    return
                with self._changed:
                    self._raw.append(line)
                event = StepEvent.parse(line)
                with self._changed:
                    self._events.append(event)
                    self._changed.notify_all()
                if self._callback is not None:
                    self._callback(event)

    def since(self, position: int = 0) -> list[StepEvent]:
        with self._changed:
            return self._events[position:]

    def raw(self) -> bytes:
        """All that the programs have written, members that nobody here knows among it."""
        with self._changed:
            return b"".join(self._raw)

    def position(self) -> int:
        with self._changed:
            return len(self._events)

    def wait_for(self, name: str, position: int = 0, timeout: float = 5) -> Optional[StepEvent]:
        """The first event of that name at or behind `position`; a program's exit may overtake what it reported."""
        end = time.monotonic() + timeout
        with self._changed:
            while True:
                for event in self._events[position:]:
                    if event.name == name:
                        return event
                left = end - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return None

    def close(self) -> None:
        if self.fd < 0:
            return
        os.write(self.fd, b"\n")
        self._thread.join(2)
        os.close(self.fd)
        self.fd = -1


def procedure_of(events: list[StepEvent]) -> Optional[str]:
    """Which procedure the events show, as soon as they do (step 4 decides)."""
    for event in events:
        if event.full and not event.optimised:
            return "full"
        if event.optimised and not event.full:
            return "optimised"
    return None

# SPDX-License-Identifier: Apache-2.0
"""The wall clock as the daemon sees it: faketime's, or in a virtual machine of ours the real one. Never the host's."""
import os
import time
from pathlib import Path
from typing import Optional

from .processes import RigError

LIBRARY = "faketime/libfaketime.so.1"


def in_virtual_machine() -> bool:
    """One that testbed/vm/vm-run has started: nobody else's clock is set there."""
    return " vm.run=" in Path("/proc/cmdline").read_text("ascii")


class WallClock:
    """`file`: faketime reads from it how far the daemon's clock is off; None leaves the clock alone."""

    def __init__(self, file: Optional[Path]):
        self.file = file
        self.real = file is not None and in_virtual_machine()
        self._ahead = 0
        if file is not None and not self.real:
            self._library = next((folder / LIBRARY for folder in Path("/usr/lib").iterdir() if (folder / LIBRARY).exists()),
                                 None)
            if self._library is None:
                raise RigError("no libfaketime; install faketime")
            self.ahead(0)

    def environment(self) -> dict[str, str]:
        if self.file is None or self.real:
            return {}
        # CLOCK_BOOTTIME stays what it is. ASan wants to be loaded first, and need not be.
        sanitizer = os.environ.get("ASAN_OPTIONS", "")
        return {"LD_PRELOAD": str(self._library), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
                "DONT_FAKE_MONOTONIC": "1", "ASAN_OPTIONS": sanitizer + ":verify_asan_link_order=0"}

    def ahead(self, seconds: int) -> None:
        """The clock is that much before (negative: behind) the right time from now on."""
        if self.file is None:
            raise RigError("the rig was made without set_clock")
        if self.real:
            time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME) + seconds - self._ahead)
        else:
            new = self.file.with_suffix(".new")
            new.write_text(f"{seconds:+d}s\n", "ascii")
            new.replace(self.file)  # never half of it
        self._ahead = seconds

    def set_right(self) -> None:
        if self.file is not None and self._ahead != 0 and self.file.parent.exists():
            self.ahead(0)

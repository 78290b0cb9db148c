#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The wall clock jumps under the running daemon: nothing is used after its end, and nothing deleted before it.

By faketime, which moves the daemon's UTC alone; under testbed/vm/vm-run (tests/vm) by the machine's own clock, which
moves everybody's. That machine is emulated and slow: there a jump in each direction must do.
"""
import time
from typing import Any, ClassVar

from harness import SystemTest, eventually
from rig.clock import in_virtual_machine
import tap

DAY = 86400
YEAR = 365 * DAY
BACK = {"-10 y": -10 * YEAR, "-1 d": -DAY, "-1 s": -1, "+1 s": 1}  # and what changes nothing
FORWARD = {"+1 d": DAY + 60, "+10 y": 10 * YEAR, "2038": 2**31 + 60 - int(time.time())}
LIFETIME = 6
if in_virtual_machine():
    BACK = {"-10 y": -10 * YEAR}
    FORWARD = {"+1 d": DAY + 60}
    LIFETIME = 40


class Jumps(SystemTest):
    variations: ClassVar[dict[str, Any]] = {"set_clock": True}

    @classmethod
    def prepare(cls) -> None:
        first = cls.establish()
        assert first.ok, first.result
        cls.runs = cls.rig.statistics()["gba_runs"]

    def setUp(self) -> None:
        self.addCleanup(self.rig.wall_clock.ahead, 0)

    def sessions(self) -> list[Any]:
        return list(self.rig.ctl("status")["sessions"])

    def jump(self, seconds: int) -> None:
        self.rig.wall_clock.ahead(seconds)

    def resumed(self) -> str:
        """How the device fares with its stored key (5.5.1)."""
        answer = self.rig.run_device(self.rig.devices[0])
        return str(answer["result"] if answer["result"] != "failed" else answer["error"])

    def assert_all_there(self) -> None:
        """By what only they give: the stored key is known, and the context needs no new run."""
        self.assertEqual(self.resumed(), "resumed")
        self.assertEqual(self.rig.try_ctl("bootstrap").returncode, 0)
        self.assertEqual(self.rig.statistics()["gba_runs"], self.runs, "no new run")

    def test_back_or_a_little_ends_nothing(self) -> None:
        for name, seconds in BACK.items():
            with self.subTest(name):
                self.jump(seconds)
                self.assert_all_there()

    def test_forward_and_back_again_ends_nothing(self) -> None:
        for name, seconds in FORWARD.items():
            with self.subTest(name):
                self.jump(seconds)
                if self.rig.wall_clock.real:  # the device's too, which takes its key for ended
                    eventually(lambda: self.sessions() == [], "the daemon notices it by itself")
                else:
                    self.assertEqual(self.resumed(), "RetryAfter", "by UTC it has ended: not used, and not deleted")
                self.jump(0)
                if self.rig.wall_clock.real:
                    eventually(lambda: len(self.sessions()) == 1, "and that it was set right")
                self.assert_all_there()


class JumpsMe(Jumps):
    variations: ClassVar[dict[str, Any]] = {"set_clock": True, "mode": "gba-me"}


class Ends(SystemTest):
    """What has ended has ended, however far back the clock is set."""
    variations: ClassVar[dict[str, Any]] = {"set_clock": True, "lifetime_seconds": LIFETIME}

    def test_set_back_stretches_nothing(self) -> None:
        self.addCleanup(self.rig.wall_clock.ahead, 0)
        self.assertEqual(self.rig.try_ctl("bootstrap").returncode, 0)
        runs = self.rig.statistics()["gba_runs"]
        self.rig.wall_clock.ahead(BACK["-10 y"])
        self.assertEqual(self.rig.try_ctl("bootstrap").returncode, 0)
        self.assertEqual(self.rig.statistics()["gba_runs"], runs, "good until its end")
        time.sleep(LIFETIME)
        if self.rig.wall_clock.real:  # faketime moves the daemon's timers too, which the kernel never would
            eventually(lambda: self.rig.ctl("status")["sessions"] == [], "wiped", 10)
            self.assertEqual(self.rig.statistics()["gba_runs"], runs)
        self.assertEqual(self.rig.try_ctl("bootstrap").returncode, 0)
        self.assertEqual(self.rig.statistics()["gba_runs"], runs + 1, "not used any more")


if __name__ == "__main__":
    tap.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""While a BSF holds a run, the daemon's other work goes on: calls on the bus, and devices up to where they need a B-TID."""
import statistics
import subprocess
import threading
import unittest

from bus_client import BusClient
from harness import SystemTest, eventually
import tap

BAR = 0.050  # seconds
CALLS = 20  # in a window
WINDOWS = 10


class StuckBsf(SystemTest):
    """`pace` is that of the BSF: each octet of its answer comes so much later."""
    variations = {"record_ub": True}
    pace = 3600.0  # not before all is over
    cancelled = False

    def setUp(self) -> None:
        self.bus = BusClient(self.rig.bus.address)
        self.addCleanup(self.bus.close)

    def latencies(self) -> list[list[float]]:
        return [[self.bus.read_state() for _ in range(CALLS)] for _ in range(WINDOWS)]

    def assert_prompt(self, windows: list[list[float]], before: list[list[float]]) -> None:
        """A machine that is busy with other things delays single calls, a daemon that waits for its BSF all of them."""
        told = f"before: {statistics.median(sum(before, [])) * 1e3:.2f} ms, longest of the best window " \
               f"{min(map(max, before)) * 1e3:.2f} ms"
        self.assertLess(statistics.median(sum(windows, [])), BAR, told)
        self.assertLess(min(map(max, windows)), BAR, told)

    def test_1_others_are_served(self) -> None:
        before = self.latencies()
        assert self.rig.ub is not None
        self.rig.ub.pace = self.pace
        run = subprocess.Popen(self.rig.ctl_command("--json", "bootstrap"), env=self.rig.environment,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(run.wait)
        eventually(lambda: self.rig.ub.connections == 1, "the daemon asks its BSF")
        during = self.latencies()
        self.assert_prompt(during, before)

        # A device gets the list of NAFs, asks for a B-TID, and waits for the run like everybody.
        position = self.rig.steps.position()
        device = threading.Thread(target=lambda: self.rig.run_device(self.rig.devices[0], timeout=120))
        device.start()
        self.addCleanup(device.join)
        eventually(lambda: [event for event in self.rig.steps.since(position) if event.full == 4],
                   "the device has its answer to L1 while the run is stuck")
        self.assertIsNone(run.poll(), "the run is no longer stuck")
        self.assert_prompt(self.latencies(), before)
        self.assertIsNone(run.poll(), "the run is no longer stuck")

        if self.cancelled:
            self.bus.cancel_bootstrap()
        # else: 30 s are the run's own limit.
        output, errors = run.communicate(timeout=60)
        self.assertNotEqual(run.returncode, 0, output)
        self.assertIn("cancelled" if self.cancelled else "BSF", errors)
        self.assertEqual(self.rig.ctl("status")["sessions"], [])
        device.join(timeout=120)

    def test_2_the_next_run_succeeds(self) -> None:
        assert self.rig.ub is not None
        self.rig.ub.pace = None
        eventually(lambda: self.rig.try_ctl("bootstrap").returncode == 0, "a run with a good BSF", timeout=120)
        self.assertEqual(len(self.rig.ctl("status")["sessions"]), 1)


class SlowBsf(StuckBsf):
    """One octet a second, until somebody has enough of it."""
    pace = 1.0
    cancelled = True


if __name__ == "__main__":
    tap.main()

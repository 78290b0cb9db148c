#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""pcscd is killed again and again while the daemon works: it serves again by itself, and no confirmed key is lost.

MTKEY_RESTARTS says how often. A daemon at rest is the easy case, so two clients never stop asking.
"""
import os
import random
import statistics
import threading
import time
from typing import Callable

from harness import SystemTest
import tap

RESTARTS = int(os.environ.get("MTKEY_RESTARTS", "50"))
LIMIT = 3.0  # seconds from the kill to a successful bootstrapping, the start of pcscd and the card's return included


class Restarts(SystemTest):
    """Device 1 has a confirmed key. Device 2 asks for a new one without a pause, a client of the bus for bootstrappings."""
    variations = {"devices": 2, "log_level": "info"}

    def load(self, work: Callable[[], None]) -> None:
        def repeat() -> None:
            while not self.done.is_set():
                try:
                    work()
                except Exception as error:  # shown by the test: a thread has nobody to raise it to
                    self.unexpected.append(f"{type(error).__name__}: {error}")
                    return
        thread = threading.Thread(target=repeat, daemon=True)
        thread.start()
        self.threads.append(thread)

    def bootstrap(self) -> None:
        done = self.rig.try_ctl("bootstrap", "--force", "--naf", self.rig.options.subscriber.naf_fqdn)
        if done.returncode == 0:
            self.successes["bootstraps"] += 1
        else:
            self.failures.append(done.stderr)

    def derive(self) -> None:
        device = self.rig.devices[1]
        self.rig.run_device(device, "forget", "--all")
        result = self.rig.run_device(device)
        if result["result"] == "established":
            self.successes["establishments"] += 1
        else:
            self.failures.append(f"{result['error']}: {result['message']}")

    def back_in_service(self) -> bool:
        """Ready, and a bootstrapping of our own succeeds."""
        return self.rig.ctl("status")["state"] == "ready" and \
            self.rig.try_ctl("bootstrap", "--force", "--naf", self.rig.options.subscriber.naf_fqdn).returncode == 0

    def test_back_each_time_and_no_key_lost(self) -> None:
        self.done = threading.Event()
        self.threads: list[threading.Thread] = []
        self.unexpected: list[str] = []
        self.failures: list[str] = []
        self.successes = {"bootstraps": 0, "establishments": 0}
        first = self.establish()
        self.assertTrue(first.ok, first.result)
        pauses = random.Random(33259)  # the kills fall on all moments of a run, the same ones each time
        daemon = self.rig.parties["mtkeyd"].pid
        took = []
        self.load(self.bootstrap)
        self.load(self.derive)
        try:
            for number in range(1, RESTARTS + 1):
                time.sleep(pauses.uniform(0, 0.15))
                begun = time.monotonic()
                self.rig.restart_pcscd()
                self.assertIn(self.device_state()["key_state"], ("established", "suspended"), f"restart {number}")
                while not self.back_in_service():
                    self.assertLess(time.monotonic() - begun, 20, f"restart {number}: not back\n{self.rig.ctl('status')}")
                took.append(time.monotonic() - begun)
                self.assertEqual(self.unexpected, [])
        finally:
            self.done.set()
            for thread in self.threads:
                thread.join(60)
        print(f"{RESTARTS} restarts: back after {statistics.median(took):.2f} s (median), {max(took):.2f} s (longest); "
              f"meanwhile {self.successes}, {len(self.failures)} refused")
        self.assertLess(max(took), LIMIT, took)
        self.assertTrue(self.rig.parties["mtkeyd"].running())
        self.assertEqual(self.rig.parties["mtkeyd"].pid, daemon)
        # An outage is told as one: neither side has taken the other for broken.
        self.assertEqual([text for text in self.failures if text.startswith(("ProtocolViolation", "Internal"))], [])
        self.assertGreater(min(self.successes.values()), 0, self.failures[-3:])
        state = self.device_state()
        self.assertEqual((state["key_state"], state["confirmed"]), ("established", True))
        again = self.establish()
        self.assertEqual(again.result["result"], "resumed", again.result)
        self.assertEqual(again.result["fingerprint"], first.result["fingerprint"])


if __name__ == "__main__":
    tap.main()

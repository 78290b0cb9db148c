#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""pcscd goes: a context lives on when it is back with the same card within three seconds, and is wiped when it is not."""
import time
from typing import Any

from harness import RunSecrets, SystemTest, eventually
from memory_scan import can_scan, scan_memory
import tap

GRACE = 3.0
# A second for the daemon to notice, whatever the machine does meanwhile.
WIPED = GRACE + 1.5


class Grace(SystemTest):
    variations = {"record_ub": True}

    def can_scan(self) -> bool:
        return can_scan(self.rig.program("mtkeyd"))

    def status(self) -> dict[str, Any]:
        return dict(self.rig.ctl("status"))

    def sessions(self) -> list[Any]:
        """Without their paths: an object that comes back has another one."""
        return [{name: value for name, value in session.items() if name != "path"} for session in self.status()["sessions"]]

    def setUp(self) -> None:
        eventually(lambda: self.status()["state"] == "ready", "the daemon has the card", 20)
        self.assertEqual(self.bootstrap(), 0)

    def bootstrap(self) -> int:
        return self.rig.try_ctl("bootstrap", "--naf", self.rig.options.subscriber.naf_fqdn).returncode

    def secrets_in_memory(self) -> set[str]:
        values = RunSecrets.of(self.rig).values
        wanted = {name: values[name] for name in ("Ks", "CK", "IK", "Ks_(ext)_NAF")}
        return {found.name for found in scan_memory(self.rig.parties["mtkeyd"].pid, wanted)}

    def test_back_in_time(self) -> None:
        runs = self.rig.statistics()["gba_runs"]
        [session] = self.sessions()
        self.rig.restart_pcscd()
        eventually(lambda: self.sessions() == [session] and self.status()["state"] == "ready", "the same context again", 20)
        self.assertEqual(self.bootstrap(), 0)
        self.assertEqual(self.rig.statistics()["gba_runs"], runs)
        self.assertEqual(self.establish().result["procedure"], "optimised")
        self.assertEqual(self.rig.statistics()["gba_runs"], runs)

    def test_away_for_too_long(self) -> None:
        runs = self.rig.statistics()["gba_runs"]
        if self.can_scan():
            self.assertIn("Ks_(ext)_NAF", self.secrets_in_memory())
        self.rig.card_service.kill()
        gone = time.monotonic()
        eventually(lambda: self.sessions() == [], "nobody is told of the context", 2)
        time.sleep(max(0.0, gone + WIPED - time.monotonic()))
        if self.can_scan():
            self.assertEqual(self.secrets_in_memory(), set())
        self.rig.card_service.start()
        self.rig.parties["pcscd"] = self.rig.card_service.party
        eventually(lambda: self.status()["state"] == "ready", "the daemon has the card again", 20)
        self.assertEqual(self.sessions(), [])
        self.assertEqual(self.bootstrap(), 0)
        self.assertEqual(self.rig.statistics()["gba_runs"], runs + 1)


if __name__ == "__main__":
    tap.main()

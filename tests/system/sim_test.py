#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A SIM in the reader: 2G GBA over TLS where it is allowed, and nothing at all where it is not."""
from typing import Any

from harness import Options, Rig, SystemTest, build_folder, eventually
import tap


class Sim(SystemTest):
    variations: dict[str, Any] = {"mode": "gba-2g", "pin": "4711"}

    def test_1_the_key_is_established(self) -> None:
        run = self.establish()
        self.assertEqual(run.result["result"], "established", run.result)
        self.assertEqual(run.result["mode"], "gba-2g")
        self.assertTrue(run.keys_match)
        self.assertEqual((run.counts["gba_2g_runs"], run.counts["gba_me_runs"]), (1, 0))
        session, = self.rig.ctl("status")["sessions"]
        self.assertEqual(session["mode"], "gba-2g")
        self.assertIn("2G GBA", self.daemon_log())


class SwitchedOff(SystemTest):
    variations: dict[str, Any] = {"mode": "gba-2g", "allow_2g": False}

    @classmethod
    def setUpClass(cls) -> None:  # it does not become ready
        cls.rig = cls.enterClassContext(Rig(Options(build=build_folder(), **cls.variations)))

    def test_1_it_is_no_uicc(self) -> None:
        eventually(lambda: "gba.allow_2g" in self.daemon_log(), "the log names the switch", 20)
        self.assertNotEqual(self.rig.try_ctl("bootstrap").returncode, 0)


if __name__ == "__main__":
    tap.main()

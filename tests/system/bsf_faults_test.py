#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""mtkeyd with each misbehaviour and each option that mtkey-bsf knows: what is wrong gives no key, what is allowed works."""
import subprocess
from typing import Any, ClassVar

from harness import SystemTest, eventually
import tap

# A run waits for these as long as it may: stuck_bsf_test.py has them.
SLOW = {"no-answer", "slow-body"}
# What the daemon says of it, where it is not that the answer is bad.
ERRORS = {"wrong-mac": "MacFailure", "resync-forever": "SyncFailure", "401-forever": "SyncFailure|BsfRejected", "403": "BsfRejected",
          "no-rspauth": "BsfUntrusted", "wrong-rspauth": "BsfUntrusted", "wrong-cnonce": "BsfUntrusted",
          "500": "BsfUnreachable", "503-retry-after": "BsfUnreachable", "close": "BsfUnreachable",
          "cut-body": "BsfUnreachable"}
# Put right by the protocol itself.
MENDED = {"old-sqn"}


def faults(program: str) -> dict[str, str]:
    table = subprocess.run([program, "--fault", "list"], capture_output=True, text=True, check=True).stdout
    return dict(line.split(maxsplit=1) for line in table.splitlines())


class Faults(SystemTest):
    def test_each_of_them(self) -> None:
        known = faults(self.rig.program("mtkey-bsf"))
        self.assertGreaterEqual(len(known), 40)
        for name, meaning in known.items():
            if name in SLOW:
                continue
            with self.subTest(name):
                self.rig.restart_bsf(name)
                before = self.rig.statistics()
                done = self.rig.try_ctl("--json", "bootstrap", "--force")
                after = self.rig.statistics()
                sessions = self.rig.ctl("status")["sessions"]
                self.assertLessEqual(after["bootstrapping_authenticates"] - before["bootstrapping_authenticates"], 2)
                if "(allowed)" in meaning or name in MENDED:
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertEqual(len(sessions), 1)
                    continue
                self.assertNotEqual(done.returncode, 0, "a key was accepted")
                self.assertRegex(done.stdout, f'"error":"({ERRORS.get(name, "BsfBadAnswer")})"')
                self.assertEqual(after["gba_runs_failed"], before["gba_runs_failed"] + 1)
                if sessions:  # it failed before the card was asked: the last one is as good as it was
                    self.assertEqual(after["bootstrapping_authenticates"], before["bootstrapping_authenticates"])
        self.rig.restart_bsf()
        self.assertEqual(self.rig.try_ctl("bootstrap", "--force").returncode, 0, "a good BSF afterwards")
        self.assertTrue(self.establish().ok)


class Unproved(SystemTest):
    """bsf.require_rspauth = false, for a BSF that sends no Authentication-Info: works, and shouts."""
    variations: ClassVar[dict[str, Any]] = {"daemon_bsf": {"require_rspauth": False}}

    def test_taken_on_trust(self) -> None:
        self.rig.restart_bsf("no-rspauth")
        self.assertEqual(self.rig.try_ctl("bootstrap").returncode, 0)
        self.assertIn("bsf.require_rspauth is off", self.daemon_log())
        self.rig.restart_bsf("wrong-rspauth")
        self.assertNotEqual(self.rig.try_ctl("bootstrap", "--force").returncode, 0, "one that is there must be right")


class Options(SystemTest):
    """B-TIDs that are not base64(RAND), server data in the nonce, the next challenge in advance."""
    variations: ClassVar[dict[str, Any]] = {"bsf_settings": {"b_tid": "opaque", "nonce_data": 24, "next_nonce": True,
                                                             "sqn": "cycling-ind", "database": "bsf.db"}}

    def test_next_nonce_saves_an_exchange(self) -> None:
        for exchanges in (2, 1, 1):
            before = self.rig.statistics()
            self.assertEqual(self.rig.try_ctl("bootstrap", "--force").returncode, 0)
            after = self.rig.statistics()
            self.assertEqual(after["http_exchanges"] - before["http_exchanges"], exchanges)
            self.assertEqual(after["bootstrapping_authenticates"] - before["bootstrapping_authenticates"], 1)
        run = self.establish()
        self.assertTrue(run.ok, run.result)
        # The BSF forgets what it gave in advance, and nothing else: the run goes on with a fresh challenge.
        self.rig.restart_bsf()
        before = self.rig.statistics()
        self.assertEqual(self.rig.try_ctl("bootstrap", "--force").returncode, 0)
        self.assertEqual(self.rig.statistics()["http_exchanges"] - before["http_exchanges"], 2)


class OptionsMe(Options):
    """And under a TMPI."""
    variations: ClassVar[dict[str, Any]] = {**Options.variations, "mode": "gba-me"}


class ShortLived(SystemTest):
    variations: ClassVar[dict[str, Any]] = {"lifetime_seconds": 10}

    def test_ten_seconds(self) -> None:
        self.assertTrue(self.establish().ok)
        eventually(lambda: self.rig.ctl("status")["sessions"] == [], "the bootstrapping ends", 15)
        run = self.establish()
        self.assertEqual((run.ok, run.result["procedure"]), (True, "full"), run.result)


class AtOnce(SystemTest):
    def test_many_callers_are_one_run(self) -> None:
        callers = [subprocess.Popen(self.rig.ctl_command("bootstrap"), env=self.rig.environment,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(40)]
        for caller in callers:
            self.assertEqual((caller.wait(60), caller.stderr.read()), (0, ""))
            caller.stderr.close()
        self.assertEqual(self.rig.statistics()["gba_runs"], 1)


if __name__ == "__main__":
    tap.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What every program does besides its work: help, version, clean end, errors in its configuration that can be mended."""
import os
import signal
import re
import subprocess
import tempfile
import time
import shutil
import unittest
from pathlib import Path

from harness import Options, Rig, SystemTest, build_folder, eventually
from rig.processes import Party, run
import tap

PROGRAMS = ["mtkeyd", "mtkeyctl", "mtkey-card", "mtkey-device", "mtkey-bsf", "mtkey-nafkc", "virtual-uicc"]


class CommandLine(unittest.TestCase):
    def setUp(self) -> None:
        self.rig = Rig(Options(build=build_folder()))  # not entered: only to find programs

    def test_help_and_version(self) -> None:
        for name in PROGRAMS:
            for option, expected in (("--help", name), ("--version", "0.1")):
                with self.subTest(program=name, option=option):
                    done = run(name, [self.rig.program(name), option], timeout=10)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertIn(expected, done.stdout)

    def test_unknown_option(self) -> None:
        for name in PROGRAMS:
            with self.subTest(program=name):
                done = run(name, [self.rig.program(name), "--no-such-option"], timeout=10)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertTrue(done.stderr)


class Configuration(unittest.TestCase):
    """Errors carry file, line, key and remedy."""

    def setUp(self) -> None:
        self.rig = Rig(Options(build=build_folder()))
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def failure_of(self, text: str, mode: int = 0o600, status: int = 2) -> str:
        path = self.folder / "mtkeyd.toml"
        path.write_text(text)
        path.chmod(mode)
        done = run("mtkeyd", [self.rig.program("mtkeyd"), "--config", str(path)], timeout=10)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(str(path), done.stderr)
        return done.stderr

    def test_wrong_word(self) -> None:
        error = self.failure_of('[uicc]\nreader = "*"\n\n[gba]\nmode = "sometimes"\n')
        self.assertIn(":5", error)
        self.assertIn("mode", error)
        self.assertIn("prefer-uicc", error)

    def test_unknown_key(self) -> None:
        error = self.failure_of('[uicc]\nreadr = "*"\n')
        self.assertIn(":2", error)
        self.assertIn("readr", error)
        self.assertIn("reader", error)

    def test_wrong_type(self) -> None:
        error = self.failure_of('[gba]\nallow_downgrade = "yes"\n')
        self.assertIn(":2", error)
        self.assertIn("allow_downgrade", error)

    def test_no_toml(self) -> None:
        self.assertIn(":2", self.failure_of('[uicc]\nreader = \n'))

    def test_writable_by_others(self) -> None:
        self.assertIn("chmod go-w", self.failure_of("", mode=0o666, status=4))

    def test_missing_file(self) -> None:
        done = run("mtkeyd", [self.rig.program("mtkeyd"), "--config", str(self.folder / "none")], timeout=10)
        self.assertEqual(done.returncode, 5, done.stderr)  # not found
        self.assertIn(str(self.folder / "none"), done.stderr)


class CleanEnd(SystemTest):
    """Every server ends with status 0 on SIGTERM and on SIGINT, also in the middle of things."""

    def test_1_sigterm(self) -> None:
        self.assertTrue(self.establish().ok)
        for name in ("mtkeyd", "mtkey-nafkc", "mtkey-bsf", "virtual-uicc"):
            with self.subTest(program=name):
                self.assertEqual(self.rig.parties[name].stop(), 0, name)

    def test_2_sigint(self) -> None:
        self.rig.start_bsf()
        self.rig.start_daemon()  # without a card: it has gone
        for name in ("mtkeyd", "mtkey-bsf"):
            with self.subTest(program=name):
                party = self.rig.parties[name]
                party.process.send_signal(signal.SIGINT)
                self.assertEqual(party.process.wait(10), 0, name)


class Interrupted(SystemTest):
    """A run that waits for a BSF which has taken the connection and says nothing."""

    @classmethod
    def prepare(cls) -> None:
        cls.rig.ctl("bootstrap")

    def setUp(self) -> None:
        group = self.rig.parties["mtkey-bsf"].pid
        os.killpg(group, signal.SIGSTOP)
        self.addCleanup(os.killpg, group, signal.SIGCONT)
        position = self.rig.steps.position()
        self.client = subprocess.Popen(self.rig.ctl_command("--json", "bootstrap", "--force"),
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.rig.environment)
        self.addCleanup(self.client.communicate)
        self.addCleanup(self.client.kill)
        self.assertIsNotNone(self.rig.steps.wait_for("gba-run-started", position))
        self.began = time.monotonic()

    def assert_client_ends(self, status: int, seconds: float) -> None:
        self.assertEqual(self.client.wait(20), status)
        self.assertLess(time.monotonic() - self.began, seconds)

    def test_1_cancelled(self) -> None:
        done = subprocess.run(["busctl", f"--address={self.rig.bus.address}", "call", "org.mtkeyd1", "/org/mtkeyd1",
                               "org.mtkeyd1.Manager1", "CancelBootstrap"],
                              capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_client_ends(9, 5)
        self.assertEqual(len(self.rig.ctl("status")["sessions"]), 1, "the UICC has seen no challenge: all is as it was")

    def test_2_sigterm(self) -> None:
        self.assertEqual(self.rig.parties["mtkeyd"].stop(), 0)
        self.assert_client_ends(9, 5)
        self.rig.start_daemon()
        eventually(lambda: self.rig.ctl("status")["state"] == "ready", "the daemon has the card")

    def test_3_card_leaves(self) -> None:
        self.rig.parties["virtual-uicc"].stop()
        self.assert_client_ends(6, 5)
        state = self.rig.ctl("status")
        self.assertEqual(state["sessions"], [])
        self.assertEqual(state["state"], "no-card")


class ForPeople(SystemTest):
    """What mtkeyctl says without --json."""

    def test_lists_and_monitor(self) -> None:
        device = self.rig.devices[0]
        log = self.rig.log("monitor-output")
        monitor = Party("monitor", ["sh", "-c", 'exec "$@" >"$0"', str(log), *self.rig.ctl_command("monitor")],
                        self.rig.log("monitor-errors"), env=self.rig.environment)
        self.addCleanup(monitor.kill)
        def heard() -> str:
            # It says nothing when it has begun to listen: an event until one is heard.
            self.rig.ctl("bootstrap", "--force")
            return log.read_text() if log.exists() else ""
        eventually(heard, "the monitor hears the daemon")
        naf = self.rig.options.subscriber.naf_fqdn
        nafs = self.rig.try_ctl("naf", "list").stdout
        self.assertRegex(nafs, rf"\A\d+  {re.escape(naf)}  ff00033259  \w+\n\Z")
        self.assertEqual(self.rig.try_ctl("device", "list").stdout,
                         f"{device.device_id}\n    key none, until -, key center -, seen - at -\n")
        self.assertTrue(self.establish().ok)
        time_text = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
        self.assertRegex(
            self.rig.try_ctl("device", "list").stdout,
            rf"\A{re.escape(device.device_id)}\n    key established, until {time_text}, key center {re.escape(naf)}\S*, "
            rf"seen {time_text} at serial0\S*\n\Z")
        line = rf"(?m)^{time_text}  properties_changed +/org/mtkeyd1/\S+  .*\bkey_state=established\b"
        eventually(lambda: re.search(line, log.read_text()), "the device is told of")
        self.assertRegex(log.read_text(), rf"(?m)^{time_text}  key_established +/org/.*  procedure=optimised$")
        for line in log.read_text().splitlines():
            self.assertRegex(line, rf"^{time_text}  \w+ +/org/mtkeyd1")
        self.assertEqual(monitor.stop(), 0)


class CardGone(SystemTest):
    """The card is taken out: the B-TID goes, the daemon stays and says so."""

    def test_session_ends_with_the_card(self) -> None:
        self.assertTrue(self.establish().ok)
        self.assertEqual(len(self.rig.ctl("status")["sessions"]), 1)
        self.rig.parties["virtual-uicc"].stop()
        eventually(lambda: self.rig.ctl("status")["sessions"] == [], "the session is gone")
        eventually(lambda: self.rig.ctl("status")["state"] == "no-card", "the state is no-card")


class Authorisation(SystemTest):
    """Without polkit on the bus root and the daemon's own user pass."""

    def test_own_user_may_bootstrap(self) -> None:
        session = self.rig.ctl("bootstrap")
        self.assertEqual(session["mode"], "gba-u")

    def test_daemon_not_running(self) -> None:
        done = run("mtkeyctl", [self.rig.program("mtkeyctl"), "--bus", "unix:path=/nonexistent", "status"], timeout=10)
        self.assertEqual(done.returncode, 3, done.stderr)


if __name__ == "__main__":
    tap.main()

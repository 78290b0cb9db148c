#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The units as systemd-analyze sees them, with the built programs in their places."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tap  # noqa: E402

BUILD = Path(os.environ["MTKEY_BUILD"])
SOURCE = Path(__file__).resolve().parents[2]
# Exposure of 10 that each may have, and what its ExecStart= runs.
UNITS = {"mtkeyd": (2.0, BUILD / "daemon/mtkeyd"), "mtkeyd-keygen": (1.5, SOURCE / "systemd/mtkeyd-keygen"),
         "mtkey-bsf": (1.5, BUILD / "network/bsf/mtkey-bsf")}
ANALYZE = shutil.which("systemd-analyze")


def analyze(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([ANALYZE, "--no-pager", *arguments], capture_output=True, text=True, timeout=30)


@unittest.skipUnless(ANALYZE, "no systemd-analyze")
class Units(unittest.TestCase):
    def setUp(self) -> None:
        """All of them in one folder, where they find each other."""
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.texts = {}
        for name, (_, program) in UNITS.items():
            text = (BUILD / f"systemd/{name}.service").read_text()
            self.assertRegex(text, rf"(?m)^ExecStart=/\S+/{program.name} ")
            self.texts[name] = re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={program.resolve()}", text)
            self.unit(name).write_text(self.texts[name])

    def unit(self, name: str) -> Path:
        return self.folder / f"{name}.service"

    def exposure(self, name: str) -> float:
        done = analyze("security", "--offline=true", str(self.unit(name)))
        self.assertEqual(done.returncode, 0, done.stderr)
        return float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)[1])

    def test_hardened(self) -> None:
        for name, (most, _) in UNITS.items():
            with self.subTest(name):
                self.assertLessEqual(self.exposure(name), most)
                # The measure sees what it is asked for.
                self.unit(name).write_text(re.sub(r"(?m)^(Protect|Restrict|System|Capab|Private)\S+$", "", self.texts[name]))
                self.assertGreater(self.exposure(name), most)

    def test_verified(self) -> None:
        for name in UNITS:
            with self.subTest(name):
                done = analyze("verify", str(self.unit(name)))
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.unit(name).write_text(self.texts[name] + "\n[Service]\nNoSuchSetting=yes\n")
                self.assertIn("NoSuchSetting", analyze("verify", str(self.unit(name))).stderr)
                self.unit(name).write_text(self.texts[name])

    def test_no_capability(self) -> None:
        for name in ("mtkeyd", "mtkey-bsf"):
            lines = self.texts[name].splitlines()
            self.assertIn("CapabilityBoundingSet=", lines)
            self.assertIn("AmbientCapabilities=", lines)
            self.assertIn("NoNewPrivileges=yes", lines)


if __name__ == "__main__":
    tap.main()

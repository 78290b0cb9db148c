#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The unit of mtkey-bsf as systemd-analyze sees it, with the built program in its place."""
import json
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
UNIT, PROGRAM = BUILD / "systemd/mtkey-bsf.service", BUILD / "network/bsf/mtkey-bsf"
MOST_EXPOSURE = 2.0  # of 10
ANALYZE = shutil.which("systemd-analyze")


def analyze(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([ANALYZE, "--no-pager", *arguments], capture_output=True, text=True, timeout=30)


@unittest.skipUnless(ANALYZE, "no systemd-analyze")
class BsfUnit(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.unit = Path(folder.name) / UNIT.name
        text = UNIT.read_text()
        self.assertRegex(text, r"(?m)^ExecStart=/\S+/mtkey-bsf --config /\S+/bsf\.toml$")
        self.text = re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={PROGRAM.resolve()}", text)

    def exposure(self, text: str) -> float:
        self.unit.write_text(text)
        done = analyze("security", "--offline=true", "--json=short", str(self.unit))
        self.assertEqual(done.returncode, 0, done.stderr)
        json.loads(done.stdout)
        shown = analyze("security", "--offline=true", str(self.unit))
        return float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", shown.stdout)[1])

    def test_hardened(self) -> None:
        self.assertLessEqual(self.exposure(self.text), MOST_EXPOSURE)
        # The measure sees what it is asked for.
        self.assertGreater(self.exposure(re.sub(r"(?m)^(Protect|Restrict|System|Capab|Private)\S+$", "", self.text)),
                           MOST_EXPOSURE)

    def test_verified(self) -> None:
        self.unit.write_text(self.text)
        done = analyze("verify", str(self.unit))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.unit.write_text(self.text + "\n[Service]\nNoSuchSetting=yes\n")
        self.assertIn("NoSuchSetting", analyze("verify", str(self.unit)).stderr)

    def test_no_capability(self) -> None:
        lines = self.text.splitlines()
        self.assertIn("CapabilityBoundingSet=", lines)
        self.assertIn("AmbientCapabilities=", lines)
        self.assertIn("NoNewPrivileges=yes", lines)


if __name__ == "__main__":
    tap.main()

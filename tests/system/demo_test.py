#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The demo keeps its promises: one JSON object, the steps, a truthful exit status, nothing left behind."""
import json
import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path
from typing import Any

from harness import TESTS, SystemTest, build_folder
from rig.system_parts import READER
import tap

DEMO = [sys.executable, str(TESTS.parent / "testbed" / "demo.py")]


def demo(*arguments: str, **env: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([*DEMO, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True,
                            env={**os.environ, "MTKEY_BUILD": str(build_folder()), "NO_COLOR": "1", **env})


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Demo(unittest.TestCase):
    def run_demo(self, *arguments: str) -> tuple[int, str, str]:
        process = demo(*arguments)
        self.addCleanup(process.kill)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def test_again_as_json(self) -> None:
        status, out, err = self.run_demo("--json", "--again")
        self.assertEqual(status, 0, err)
        report = json.loads(out)
        for part, procedure in ((report, "full"), (report["second"], "optimised")):
            self.assertEqual(part["result"], "established")
            self.assertEqual(part["procedure"], procedure)
            self.assertTrue(part["keys_match"])
            self.assertEqual(part["mode"], "gba-u")
            self.assertEqual(set(part["naf_id"]), {"fqdn", "ua"})
            for name in ("b_tid", "fingerprint", "lifetime", "apdus", "http_exchanges", "seconds"):
                self.assertIsNotNone(part[name], name)
        self.assertEqual(report["resumed"]["result"], "resumed")
        self.assertTrue(report["resumed"]["keys_match"])
        self.assertEqual(report["http_exchanges"], 2)
        self.assertEqual(report["second"]["http_exchanges"], 0)

    def test_gba_me_for_people(self) -> None:
        status, out, err = self.run_demo("--mode", "gba-me")
        self.assertEqual(status, 0, out + err)
        self.assertIn("gba-me", out)
        self.assertIn("Success.", out)
        position = 0
        for number in range(1, 19):  # every step, in order
            position = out.index(f" {number:2d}  ", position)
        self.assertNotIn("\033", out)

    def test_failure_is_told(self) -> None:
        status, out, err = self.run_demo("--json", "--bsf", "http://127.0.0.1:9")
        self.assertNotEqual(status, 0)
        self.assertEqual(json.loads(out)["result"], "failed")

    def test_bad_arguments(self) -> None:
        status, _, err = self.run_demo("--reader", "X")
        self.assertEqual(status, 2)
        self.assertIn("--k", err)

    def leaves_nothing(self, number: int, status: int) -> None:
        process = demo("--keep", "--json")
        self.addCleanup(process.kill)
        assert process.stderr is not None and process.stdout is not None
        self.assertEqual(json.loads(process.stdout.readline())["result"], "established")
        time.sleep(0.2)
        parties = children(process.pid)
        self.assertGreaterEqual(len(parties), 5)
        folders = {Path(target).parts[2] for pid in parties for target in self.open_files(pid)}
        self.assertEqual(len(folders), 1)
        folder = Path("/tmp") / folders.pop()
        self.assertTrue(folder.is_dir())
        process.send_signal(number)
        process.communicate(timeout=30)
        if number != signal.SIGKILL:
            self.assertEqual(process.returncode, status)
            self.assertFalse(folder.exists())
        else:
            time.sleep(0.5)
            subprocess.run(["rm", "-rf", str(folder)], check=True)
        self.assertEqual([pid for pid in parties if alive(pid)], [])

    @staticmethod
    def open_files(pid: int) -> list[str]:
        try:
            targets = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            return []
        return [target for target in targets if target.startswith("/tmp/mtkey.")]

    def test_ctrl_c_leaves_nothing(self) -> None:
        self.leaves_nothing(signal.SIGINT, 0)

    def test_sigterm_leaves_nothing(self) -> None:
        self.leaves_nothing(signal.SIGTERM, 128 + signal.SIGTERM)

    def test_even_sigkill_leaves_no_process(self) -> None:
        self.leaves_nothing(signal.SIGKILL, 0)


class RealReader(SystemTest):
    """The demo with a card that is not its own: here one that another rig has put into its reader."""
    READER = f"{READER} 00 00"

    @classmethod
    def prepare(cls) -> None:
        cls.rig.parties["mtkeyd"].stop()  # it holds the reader
        cls.files = []
        for name in ("k", "opc"):
            path = cls.rig.folder / name
            path.write_text(getattr(cls.rig.options.subscriber, name) + "\n")
            cls.files += [f"--{name}", str(path)]

    def run_demo(self, *arguments: str) -> dict[str, Any]:
        process = demo("--json", "--reader", self.READER, *arguments,
                       PCSCLITE_CSOCK_NAME=self.rig.environment["PCSCLITE_CSOCK_NAME"])
        self.addCleanup(process.kill)
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, out + err)
        return dict(json.loads(out))

    def test_1_our_bsf_learns_imsi_and_sequence_number_from_the_card(self) -> None:
        for _ in range(2):  # the second BSF starts below the card's sequence number: resynchronisation
            report = self.run_demo(*self.files)
            self.assertTrue(report["keys_match"])
        self.assertEqual(report["http_exchanges"], 3)

    def test_2_operators_bsf_up_to_step_10(self) -> None:
        report = self.run_demo("--bsf", f"http://127.0.0.1:{self.rig.bsf_ports[0]}")
        self.assertEqual(report["result"], "answered")

    def test_unknown_reader(self) -> None:
        process = demo("--reader", "no such reader", *self.files,
                       PCSCLITE_CSOCK_NAME=self.rig.environment["PCSCLITE_CSOCK_NAME"])
        out, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1)
        self.assertIn(self.READER, out)  # it says which there are


if __name__ == "__main__":
    tap.main()

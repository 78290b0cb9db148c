#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The real programs where an allocation fails: an error that says so, or they go on; never a signal, never a spoilt store.

Some allocations of each run, the same in each build; MTKEY_EVERY_ALLOCATION=1 tries all (hours).
"""
import os
import random
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Iterator

from harness import SystemTest, build_folder, eventually
from rig.processes import RigError
import tap

# OpenSSL 3.0 itself ends the program when one of the three tables of its secure heap cannot be had (crypto/mem_sec.c): at the
# start, with this text.
OPENSSL_ABORTS = "OpenSSL internal error: assertion failed: sh."
SHIM = build_folder() / "tests/system/libfailing-malloc.so"


def environment(program: str, at: int = -1, for_ever: bool = False, count: str = "") -> dict[str, str]:
    return {"LD_PRELOAD": str(SHIM), "MTKEY_FAIL_IN": program, "MTKEY_FAIL_AT": str(at),
            **({"MTKEY_FAIL_FOREVER": "1"} if for_ever else {}), **({"MTKEY_FAIL_COUNT": count} if count else {})}


def sample(total: int, number: int) -> Iterator[tuple[int, bool]]:
    """Places over the whole run, others each time; every fourth with no memory from there on."""
    if "MTKEY_EVERY_ALLOCATION" in os.environ:
        yield from ((at, for_ever) for at in range(total) for for_ever in (False, True))
        return
    chosen = random.Random(total)  # the same ones as long as the program is the same
    for part in range(number):
        yield chosen.randrange(total * part // number, total * (part + 1) // number), part % 4 == 3


class OutOfMemory(SystemTest):
    count: Path

    @classmethod
    def prepare(cls) -> None:
        cls.count = cls.rig.folder / "allocations"

    def counted(self) -> int:
        total = int(self.count.read_text())
        self.assertGreater(total, 1000)
        self.count.unlink()
        return total


class Device(OutOfMemory):
    def run_device(self, **how: object) -> "subprocess.CompletedProcess[str]":
        command = self.rig.device_command(self.rig.devices[0], "--json", "establish", "--renew")
        return subprocess.run(command, env={**self.rig.environment, **environment("mtkey-device", **how)},
                              capture_output=True, text=True, timeout=90, check=False)

    def test_each(self) -> None:
        device = self.rig.devices[0]
        self.assertEqual(self.run_device(count=str(self.count)).returncode, 0)
        total = self.counted()
        ends = {True: 0, False: 0}
        for at, for_ever in sample(total, 24):
            with self.subTest(at=at, for_ever=for_ever, total=total):
                done = self.run_device(at=at, for_ever=for_ever)
                ends[done.returncode == 0] += 1
                if OPENSSL_ABORTS not in done.stderr:
                    self.assertGreaterEqual(done.returncode, 0, done.stderr)
                if done.returncode != 0:
                    self.assertTrue(done.stderr, "it does not say why")
                keys = self.rig.run_device(device, "status")["keys"]
                self.assertTrue(any(key.get("state", "active") == "active" for key in keys), keys)
        self.assertTrue(self.establish().ok)
        print(f"mtkey-device: {total} allocations; {ends[False]} runs failed, {ends[True]} went on", file=sys.stderr)
        self.assertGreater(ends[False], 0)


class Daemon(OutOfMemory):
    def start(self, **how: object) -> None:
        """A whole run of the daemon; what becomes of the requests is its affair."""
        self.rig.parties["mtkeyd"].stop()
        kept = dict(self.rig.environment)
        self.rig.environment.update(environment("mtkeyd", **how))
        try:
            self.rig.start_daemon()
        except RigError:
            return
        finally:
            self.rig.environment = kept
        try:
            eventually(lambda: self.rig.ctl("status")["state"] == "ready", "the daemon has the card", 5)
            self.rig.try_ctl("bootstrap", "--force")
            self.rig.run_device(self.rig.devices[0], "establish", "--renew")
        except (AssertionError, RigError):
            pass

    def test_each(self) -> None:
        self.assertTrue(self.establish().ok)
        self.start(count=str(self.count))
        self.assertEqual(self.rig.parties["mtkeyd"].stop(), 0)
        total = self.counted()
        ended = 0
        for at, for_ever in sample(total, 10):
            with self.subTest(at=at, for_ever=for_ever, total=total):
                said = self.rig.log("mtkeyd").stat().st_size
                self.start(at=at, for_ever=for_ever)
                daemon = self.rig.parties["mtkeyd"]
                by_itself = not daemon.running()
                status = daemon.stop(10)
                log = self.rig.log("mtkeyd").read_text("utf-8")[said:]
                ended += by_itself
                if OPENSSL_ABORTS not in log:
                    self.assertGreaterEqual(status, 0, log)
                if by_itself:
                    self.assertNotEqual(status, 0)
                    self.assertTrue(log.strip(), "it does not say why")
        self.rig.start_daemon()
        eventually(lambda: self.rig.ctl("status")["state"] == "ready", "the daemon has the card")
        self.assertNotIn("what was remembered of earlier bootstrappings is lost", self.daemon_log())
        self.assertTrue(self.establish().ok)
        print(f"mtkeyd: {total} allocations; {ended} daemons ended", file=sys.stderr)


class NoProvider(unittest.TestCase):
    """OpenSSL without its algorithms is no want of memory, and is said at the start."""

    def test_said(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "openssl.cnf"
            config.write_text("openssl_conf = init\n[init]\nproviders = list\n[list]\nbase = base\n[base]\nactivate = 1\n")
            done = subprocess.run([str(build_folder() / "device/mtkey-device"), "status"], capture_output=True, text=True,
                                  env={"OPENSSL_CONF": str(config)}, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("OpenSSL has no ", done.stderr)


if __name__ == "__main__":
    tap.main()

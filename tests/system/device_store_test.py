#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What becomes of the external device's keys when its store, the key of that, or another program is in the way."""
import fcntl
import os
import signal
import subprocess
from typing import Any

from harness import Establishment, SystemTest, eventually
from rig.rig import DeviceResult
import tap


class DeviceStore(SystemTest):
    def setUp(self) -> None:
        self.device = self.rig.devices[0]

    def status(self) -> DeviceResult:
        return self.rig.run_device(self.device, "status")

    def store_of(self, result: DeviceResult) -> dict[str, Any]:
        store: dict[str, Any] = result["store"]
        return store

    def assert_procedure(self, run: Establishment, procedure: str) -> None:
        self.assertTrue(run.ok, run.result)
        self.assertEqual(run.result["procedure"], procedure)

    def test_1_first_key(self) -> None:
        before = self.status()
        self.assertEqual(before["keys"], [])
        self.assertEqual(self.store_of(before), {"key": "none", "persistent": False, "distrusted": None, "set_aside": None,
                                                 "time_unknown": False})
        self.assertEqual(list(self.device.state_dir.iterdir()), [])
        first, again = self.establish(), self.establish()
        self.assert_procedure(first, "full")
        self.assert_procedure(again, "resume")
        self.assertEqual(first.result.log.count(f"made a key for the key store file={self.device.store_key}"), 1)
        self.assertNotIn("made a key", again.result.log)
        state = self.status()
        self.assertEqual(self.store_of(state)["key"], "file")
        self.assertTrue(self.store_of(state)["persistent"])
        key, = state["keys"]
        self.assertEqual((key["state"], key["expired"], key["time_unknown"]), ("active", False, False))
        self.assertEqual(key["fingerprint"], first.result["fingerprint"])

    def test_2_one_program_at_a_time(self) -> None:
        lock = self.device.state_dir / "store.lock"
        with open(lock, "rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            refused = self.rig.run_device(self.device, "establish", "--renew")
            self.assertEqual((refused.status, refused["error"]), (1, "InProgress"))
            self.assertIn(str(lock), refused["message"])
            self.assertEqual(self.rig.run_device(self.device, "forget", "--all")["error"], "InProgress")
            self.assertEqual(len(self.status()["keys"]), 1)
        self.assert_procedure(self.establish(), "resume")

    def test_3_killed_holder(self) -> None:
        """It waits for an answer of the MT, which has been stopped, when it is killed."""
        daemon = self.rig.parties["mtkeyd"].pid
        os.kill(daemon, signal.SIGSTOP)
        try:
            held = subprocess.Popen(self.rig.device_command(self.device, "establish", "--renew"), env=self.rig.environment,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            eventually(lambda: self.rig.run_device(self.device, "forget", "--mt", "nobody")["error"] == "InProgress",
                       "the store is locked")
            held.kill()
            held.wait()
        finally:
            os.kill(daemon, signal.SIGCONT)
        self.assertEqual(self.rig.run_device(self.device, "forget", "--mt", "nobody")["error"], "NoKey")
        eventually(lambda: self.establish().ok, "the MT is done with the one that was killed", 60)
        self.assertEqual(len(self.status()["keys"]), 1)

    def test_4_missing_key(self) -> None:
        elsewhere = self.device.folder / "elsewhere"
        self.device.store_key.rename(elsewhere)
        before = self.device.store.read_bytes()
        for command in ("establish", "status"):
            run = self.rig.run_device(self.device, command)
            self.assertEqual((run.status, run["error"]), (2, "ConfigInvalid"))
            for path in (self.device.store, self.device.store_key):
                self.assertIn(str(path), run["message"])
        self.assertFalse(self.device.store_key.exists())
        self.assertEqual(self.device.store.read_bytes(), before)
        elsewhere.rename(self.device.store_key)
        self.assert_procedure(self.establish(), "resume")

    def test_5_damaged_store(self) -> None:
        octets = bytearray(self.device.store.read_bytes())
        octets[len(octets) // 2] ^= 1
        self.device.store.write_bytes(octets)
        self.assertEqual(self.store_of(self.status())["distrusted"], "Malformed")
        self.assertEqual(self.device.store.read_bytes(), octets)
        anew, resumed = self.establish(), self.establish()
        self.assertTrue(anew.ok, anew.result)
        self.assertEqual(anew.result["result"], "established")
        self.assertIn("warning the key store was set aside as store.bad-1", anew.result.log)
        self.assert_procedure(resumed, "resume")
        self.assertNotIn("set aside", resumed.result.log)
        self.assertEqual((self.device.state_dir / "store.bad-1").read_bytes(), octets)
        store = self.store_of(self.status())
        self.assertEqual((store["distrusted"], store["set_aside"]), (None, "store.bad-1"))


if __name__ == "__main__":
    tap.main()

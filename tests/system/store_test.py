#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon's sealed store (docs/store.md): keys outlive it, ended ones do not come back, a bad file is told."""
import os
import random
import secrets
import shutil
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

from harness import Establishment, SystemTest, eventually
from rig.processes import Party
import tap


class StoreTest(SystemTest):
    @property
    def file(self) -> Path:
        return self.rig.state_dir / "store"

    def info(self) -> dict[str, Any]:
        return dict(self.rig.ctl("store", "info"))

    def stop(self) -> None:
        self.assertEqual(self.rig.parties["mtkeyd"].stop(), 0)

    def start(self) -> None:
        self.rig.start_daemon()
        eventually(lambda: self.rig.ctl("status")["state"] == "ready", "the daemon has the card")

    def restart(self) -> None:
        self.stop()
        self.start()

    def reboot(self) -> None:
        """As far as the store can tell: what is in the tmpfs is gone."""
        self.stop()
        shutil.rmtree(self.rig.runtime_dir)
        self.rig.runtime_dir.mkdir(mode=0o700)

    def assert_resumed(self, run: Establishment) -> None:
        self.assertEqual((run.result["result"], run.procedure), ("resumed", "resume"), run.result)

    def assert_refused(self, run: Establishment) -> None:
        """The stored key is unknown to the MT, and another one was established."""
        self.assertEqual([event.name for event in run.events][:2], ["stored-key-tried", "stored-key-refused"])
        self.assertTrue(run.ok, run.result)

    def assert_set_aside(self, error: str) -> None:
        why = self.info()["quarantined"]
        self.assertEqual(why["error"], error)
        self.assertEqual([path.name for path in self.rig.state_dir.glob("store.bad-*")], [why["kept_as"]])
        self.assertEqual(self.rig.ctl("status")["store_state"], "quarantined")
        verify = self.rig.try_ctl("store", "verify")
        self.assertEqual(verify.returncode, 1, verify.stdout)
        self.assertIn(error, verify.stdout)
        self.assertIn("is not believed", self.daemon_log())


class Restarts(StoreTest):
    variations: ClassVar[dict[str, Any]] = {"devices": 2}

    def test_1_keys_outlive_the_daemon(self) -> None:
        first = self.establish()
        self.assertTrue(first.ok, first.result)
        before = self.info()
        self.assertEqual((before["persistent"], before["key_origin"], before["keys"]), (True, "file", 1))
        self.assertEqual(before["file"], str(self.file))
        self.assertIsNone(before["quarantined"])
        self.assertEqual({path.name for path in self.rig.state_dir.iterdir()} - {"store.lock"}, {"store"})
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        self.restart()
        again = self.establish()
        self.assert_resumed(again)
        self.assertEqual(again.result["fingerprint"], first.result["fingerprint"])
        self.assertEqual(again.counts["apdus"], 0)
        self.assertEqual(again.counts["card_commands"], 0)
        self.assertEqual(self.rig.statistics()["http_exchanges"], 0)
        self.assertGreater(self.info()["generation"], before["generation"])

    def test_2_sigkill_loses_nothing(self) -> None:
        self.assertTrue(self.establish(2).ok)
        self.rig.parties["mtkeyd"].kill()
        self.start()
        for number in (1, 2):
            self.assert_resumed(self.establish(number))

    def test_3_report(self) -> None:
        report = {key["device_id"]: key for key in self.rig.ctl("store", "export-report")}
        self.assertEqual(set(report), {device.device_id for device in self.rig.devices})
        one = report[self.rig.devices[0].device_id]
        self.assertEqual((one["state"], one["usable"], one["mode"]), ("confirmed", True, "gba-u"))
        self.assertGreaterEqual(one["last_used"], one["confirmed"])
        self.assertGreaterEqual(one["confirmed"], one["created"])
        self.assertGreater(one["expires"], time.time())
        for command in ("info", "verify", "export-report"):
            text = self.rig.try_ctl("store", command)
            self.assertEqual(text.returncode, 0, text.stderr)
            self.assertTrue(text.stdout)

    def test_4_what_ended_does_not_come_back(self) -> None:
        gone, kept = self.rig.devices
        old = self.establish()
        self.rig.ctl("device", "forget", gone.device_id)
        self.restart()
        self.assertEqual(self.rig.statistics()["contexts_resumed"], 1, "the tombstone is remembered with it")
        self.assert_resumed(self.establish(2))
        again = self.establish()
        self.assert_refused(again)
        self.assertEqual(again.procedure, "full", "another Ks: the same would give the same key")
        self.assertNotEqual(again.result["b_tid"], old.result["b_tid"])

    def test_5_forget_all(self) -> None:
        self.assertEqual(self.rig.ctl("store", "forget-all"), {"forgotten": 2})
        self.assertEqual(self.info()["keys"], 0)
        self.restart()
        self.assertEqual(self.info()["keys"], 0)
        self.assert_refused(self.establish(2))

    def test_6_no_rule_no_key(self) -> None:
        self.assertEqual(self.info()["keys"], 1)
        self.stop()
        rules, self.rig.options.rules = self.rig.options.rules, False
        try:
            self.start()
            self.assertEqual(self.info()["keys"], 0)
        finally:
            self.rig.options.rules = rules
        self.restart()
        self.assert_refused(self.establish(2))


class KeyEncryptionKey(StoreTest):
    def test_1_missing_key_loses_nothing(self) -> None:
        self.assertTrue(self.establish().ok)
        self.stop()
        before = self.file.read_bytes()
        key = self.rig.store_key.rename(self.rig.folder / "elsewhere")
        self.start()
        info = self.info()
        self.assertEqual((info["persistent"], info["key_origin"], info["keys"]), (False, "none", 0))
        self.assertIn("its key is missing", self.daemon_log())
        self.stop()
        self.assertEqual(self.file.read_bytes(), before)
        key.rename(self.rig.store_key)
        self.start()
        self.assert_resumed(self.establish())

    def test_2_rekey(self) -> None:
        refused = self.rig.try_ctl("store", "rekey")
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn("there is no next key", refused.stderr)
        self.stop()
        following = self.rig.store_key.with_name("store.key.new")
        with open(os.open(following, os.O_WRONLY | os.O_CREAT, 0o400), "wb") as file:
            file.write(secrets.token_bytes(32))
        self.start()
        self.assertTrue(self.info()["next_key"])
        for _ in range(2):
            self.assertEqual(self.rig.ctl("store", "rekey"), {"rekeyed": True})
        self.restart()  # both keys are there still: cut short before the last step
        self.assert_resumed(self.establish())
        self.stop()
        following.rename(self.rig.store_key)
        self.start()
        self.assertFalse(self.info()["next_key"])
        self.assert_resumed(self.establish())

    def test_3_key_that_others_may_read(self) -> None:
        self.stop()
        self.rig.store_key.chmod(0o444)
        try:
            with self.assertRaises(Exception) as failed:
                self.rig.start_daemon()
            self.assertIn("store.key", str(failed.exception))
        finally:
            self.rig.parties["mtkeyd"].kill()
            self.rig.store_key.chmod(0o400)
        self.start()
        self.assert_resumed(self.establish())


class Spoilt(StoreTest):
    """Each case begins with a key in a good store."""
    variations: ClassVar[dict[str, Any]] = {"record_ub": True}

    def setUp(self) -> None:
        run = self.establish()
        self.assertTrue(run.ok, run.result)
        self.assertEqual(self.info()["keys"], 1)

    def test_a_flipped_bit(self) -> None:
        self.stop()
        octets = bytearray(self.file.read_bytes())
        octets[len(octets) // 2] ^= 1
        self.file.write_bytes(octets)
        self.start()
        self.assert_set_aside("Malformed")
        self.assertEqual((self.rig.state_dir / self.info()["quarantined"]["kept_as"]).read_bytes(), octets)
        self.assert_refused(self.establish())
        self.restart()
        self.assertIsNone(self.info()["quarantined"])
        self.assert_resumed(self.establish())

    def test_it_is_told_on_the_bus(self) -> None:
        self.stop()
        self.file.write_bytes(b"")
        log = self.rig.log("monitor")
        log.unlink(missing_ok=True)
        monitor = Party("monitor", ["sh", "-c", f"exec {self.rig.program('mtkeyctl')} --bus {self.rig.bus.address} "
                                    f"--json monitor >{log}"], self.rig.log("monitor-errors"))
        self.addCleanup(monitor.kill)
        time.sleep(0.3)
        self.start()
        eventually(lambda: "store_quarantined" in log.read_text(), "the signal")

    def test_gone(self) -> None:
        self.stop()
        self.file.unlink()
        self.start()
        self.assertEqual(self.info()["quarantined"]["error"], "NotFound")
        self.assert_refused(self.establish())

    def test_an_older_copy_in_the_same_boot(self) -> None:
        old = self.file.read_bytes()
        self.rig.ctl("device", "forget", self.rig.devices[0].device_id)
        self.stop()
        self.file.write_bytes(old)
        self.start()
        self.assert_set_aside("Malformed")
        self.assert_refused(self.establish())

    def test_an_older_copy_after_a_reboot(self) -> None:
        """From before the last bootstrapping: the UICC tells."""
        self.stop()
        self.start()  # its end has written the store
        old = self.file.read_bytes()
        self.rig.ctl("device", "forget", self.rig.devices[0].device_id)
        self.rig.ctl("bootstrap", "--force")
        self.reboot()
        self.file.write_bytes(old)
        self.start()
        eventually(lambda: self.info()["quarantined"], "the UICC is looked at")
        self.assert_set_aside("BtidStale")
        self.assertEqual(self.info()["keys"], 0)
        self.assert_refused(self.establish())

    def test_of_another_host(self) -> None:
        self.stop()
        self.rig.store_key.chmod(0o600)
        self.rig.store_key.write_bytes(secrets.token_bytes(32))
        self.rig.store_key.chmod(0o400)
        self.reboot_files()
        self.start()
        self.assert_set_aside("NotFound")
        self.assert_refused(self.establish())

    def reboot_files(self) -> None:
        (self.rig.runtime_dir / "generation").unlink()

    def test_two_daemons(self) -> None:
        """One state directory is for one of them."""
        config = self.rig.folder / "mtkeyd.toml"
        other = Party("other", [self.rig.program("mtkeyd"), "--config", str(config)], self.rig.log("other"))
        self.addCleanup(other.kill)
        self.assertNotEqual(other.process.wait(20), 0)
        self.assertIn("store.lock", self.rig.log("other").read_text())

    def test_while_the_daemon_runs(self) -> None:
        self.restart()
        self.file.write_bytes(self.file.read_bytes() + b"x")
        verify = self.rig.try_ctl("store", "verify")
        self.assertEqual(verify.returncode, 1, verify.stdout)
        self.assertIn("not the one that was written", verify.stderr)
        self.rig.ctl("bootstrap", "--force")  # a change writes it anew
        self.assertEqual(self.rig.try_ctl("store", "verify").returncode, 0)


class Killed(StoreTest):
    """SIGKILL at a random moment while a device renews its key, again and again (500 times and more: test-store_kill)."""
    variations: ClassVar[dict[str, Any]] = {"devices": 2}

    def renew(self) -> None:
        # The command of run_device(): whether it succeeds is luck.
        self.rig.run_device(self.rig.devices[0], "establish", "--renew")

    def test_no_confirmed_key_is_lost(self) -> None:
        for number in (1, 2):
            self.assertTrue(self.establish(number).ok)
        for round_number in range(int(os.environ.get("MTKEY_KILLS", "4"))):
            renewal = threading.Thread(target=self.renew)
            renewal.start()
            time.sleep(random.uniform(0, 0.25))
            self.rig.parties["mtkeyd"].kill()
            renewal.join()
            self.start()
            self.assertIsNone(self.info()["quarantined"], f"round {round_number}")
            for number in (1, 2):
                self.assert_resumed(self.establish(number))


class DiskRefuses(StoreTest):
    """No file can be made beside the store: what a full disk does, too."""

    def setUp(self) -> None:
        self.obstacle = self.rig.state_dir / "store.tmp"
        self.obstacle.mkdir()

    def tearDown(self) -> None:
        self.obstacle.rmdir()

    def test_1_the_device_hears_it_and_nobody_has_a_key(self) -> None:
        run = self.establish()
        self.assertEqual(run.result["error"], "Internal", run.result)  # what the local interface has for it
        self.assertIn("store", run.result["message"])
        self.assertEqual(self.info()["keys"], 0)
        self.assertEqual(self.rig.try_ctl("store", "verify").returncode, 0, "the old file stands")
        self.obstacle.rmdir()
        try:
            self.assertTrue(self.establish().ok)
        finally:
            self.obstacle.mkdir()

    def test_2_what_is_forgotten_is_not_used(self) -> None:
        self.assertEqual(self.info()["keys"], 1)
        forgotten = self.rig.try_ctl("device", "forget", self.rig.devices[0].device_id)
        self.assertNotEqual(forgotten.returncode, 0)
        state = self.device_state()
        assert state is not None
        self.assertEqual(state["key_state"], "revoked")
        run = self.establish()
        self.assertNotEqual(run.result["result"], "resumed", run.result)


class ShortLives(StoreTest):
    variations: ClassVar[dict[str, Any]] = {"lifetime_seconds": 8}

    def test_end_is_an_event(self) -> None:
        self.assertTrue(self.establish().ok)
        info = self.info()
        self.assertEqual(info["keys"], 1)
        eventually(lambda: self.info()["keys"] == 0, "the key ends by itself", 20)
        self.assertGreater(self.info()["generation"], info["generation"], "and is rewritten without it")
        state = self.device_state()
        assert state is not None
        self.assertEqual(state["key_state"], "none")
        self.restart()
        self.assertEqual(self.info()["keys"], 0)

    def test_end_while_it_is_away(self) -> None:
        self.assertTrue(self.establish().ok)
        self.stop()
        time.sleep(9)
        self.start()
        eventually(lambda: self.info()["keys"] == 0, "nothing is used after its end", 5)


if __name__ == "__main__":
    tap.main()

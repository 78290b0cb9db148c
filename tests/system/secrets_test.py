#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""No key, RES, CK, IK or PIN in any log, D-Bus message or file of a run but the files that are there for it."""
import base64
import os
import secrets
import shutil
import stat
import tempfile
import unittest
from pathlib import Path

from harness import Establishment, RunSecrets, SystemTest, eventually
from rig.processes import Party
from secret_scan import regular_files, scan_files, scan_octets
from wire import establishment_keys, messages
import tap


class Scanner(unittest.TestCase):
    """The search finds what has been planted, or its silence would mean nothing."""

    def test_finds_each_form(self) -> None:
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        value = secrets.token_bytes(32)
        planted = {
            "raw": b"\0log " + value + b"\n", "hex": b"key=" + value.hex().encode(), "upper": value.hex().upper().encode(),
            "spaced": value.hex(" ").encode(),
            "base64": b'"' + base64.b64encode(value) + b'"', "inside": base64.b64encode(b"x" + value + b"yz"),
            "inside2": base64.b64encode(b"xy" + value + b"z"), "url": base64.urlsafe_b64encode(value)}
        for name, content in planted.items():
            (folder / name).write_bytes(content)
        (folder / "innocent").write_bytes(secrets.token_bytes(4096))
        found = scan_files(regular_files(folder), {"key": value})
        self.assertEqual({path.name for path in found}, set(planted))

    def test_short_values(self) -> None:
        value = secrets.token_bytes(8)
        for before in range(3):
            self.assertTrue(scan_octets(base64.b64encode(bytes(before) + value + b"abcd"), {"RES": value}))


class Run(SystemTest):
    """A full, a resumed and an optimised run with a PIN, everything on the bus recorded, at the log level debug."""
    variations = {"record_ub": True, "devices": 2, "pin": "73190264", "mode": "gba-u"}
    secrets: RunSecrets
    runs: list[Establishment]

    @classmethod
    def prepare(cls) -> None:
        cls.capture = cls.rig.folder / "bus.capture"
        with open(cls.capture, "wb"):
            pass
        monitor = Party("dbus-monitor", ["sh", "-c", f"exec dbus-monitor --address {cls.rig.bus.address} --pcap "
                                         f">{cls.capture}"], cls.rig.log("dbus-monitor"))
        cls.addClassCleanup(monitor.kill)
        eventually(lambda: cls.capture.stat().st_size > 0, "dbus-monitor runs")
        cls.runs = [cls.establish(), cls.establish(), cls.establish(2)]
        cls.rig.ctl("device", "list")
        cls.secrets = RunSecrets.of(cls.rig)
        cls.values = {**cls.secrets.values, "PIN": cls.variations["pin"].encode()}
        for device in cls.rig.devices:
            name = f"Ks_local_MT of device {device.number}"
            for key, value in establishment_keys(messages(device.ttys.passed), cls.values[name]).items():
                cls.values[f"{key} of device {device.number}"] = value
        cls.processes = [(path, path.read_bytes()) for party in cls.rig.parties.values()
                         for path in (Path(f"/proc/{party.pid}/cmdline"), Path(f"/proc/{party.pid}/environ"))
                         if os.access(path, os.R_OK)]
        # the programs have written all that they will write
        for name in ("mtkeyd", "mtkey-nafkc", "mtkey-bsf", "virtual-uicc"):
            cls.rig.parties[name].stop()
        monitor.stop()

    def allowed(self) -> dict[Path, set[str]]:
        """The exact files and what each may hold."""
        folder = self.rig.folder
        allowed = {folder / "subscribers.toml": {"K", "OPc"}, folder / "pin": {"PIN"}, folder / "card.toml": {"PIN"}}
        for device in self.rig.devices:
            allowed[device.key_file] = {f"Ks_local_MT of device {device.number}"}
        return allowed

    def test_runs_were_real(self) -> None:
        self.assertEqual([run.result["result"] for run in self.runs], ["established", "resumed", "established"])
        self.assertEqual(self.runs[0].result["fingerprint"], self.secrets.fingerprint())
        self.assertEqual(self.runs[2].result["fingerprint"], self.secrets.fingerprint(2))

    def test_what_is_searched_is_there(self) -> None:
        self.assertIn(b"org.mtkeyd1", self.capture.read_bytes())
        for name in ("mtkeyd", "mtkey-bsf", "mtkey-nafkc", "mtkey-device1"):
            self.assertGreater(self.rig.log(name).stat().st_size, 0, name)
        found = scan_files(regular_files(self.rig.folder), self.values)
        for path, names in self.allowed().items():
            self.assertTrue(any(hit.startswith(tuple(names)) for hit in found.get(path, [])), f"{path}: {found}")

    def test_nothing_in_any_other_file(self) -> None:
        allowed = self.allowed()
        found = scan_files(regular_files(self.rig.folder), self.values)
        for path, hits in found.items():
            for hit in hits:
                self.assertTrue(hit.startswith(tuple(allowed.get(path, ()))) and path in allowed, f"{path}: {hit}")

    def test_mode_of_the_files_that_hold_keys(self) -> None:
        for path in self.allowed():
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600, path)

    def test_nothing_on_the_wires(self) -> None:
        self.assertEqual(scan_octets(self.rig.ub.sent + self.rig.ub.received, self.values), [])
        for device in self.rig.devices:
            passed = b"".join(octets for _, octets in device.ttys.passed)
            self.assertTrue(passed)
            self.assertEqual(scan_octets(passed, self.values), [])

    def test_nothing_in_arguments_or_environment(self) -> None:
        self.assertTrue(self.processes)
        for path, content in self.processes:
            self.assertEqual(scan_octets(content, self.values), [], path)

    def test_no_authorization_header_in_a_log(self) -> None:
        for path in regular_files(self.rig.folder / "logs"):
            text = path.read_bytes()
            self.assertNotIn(b"response=", text, path)
            self.assertNotIn(b"Authorization", text, path)
            self.assertNotIn(self.rig.options.subscriber.imsi.encode(), text, path)


if __name__ == "__main__":
    tap.main()

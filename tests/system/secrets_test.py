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
from typing import Any

from harness import Establishment, RunSecrets, SystemTest
from secret_scan import Hit, regular_files, scan_files, scan_octets
from wire import CONFIRM, establishment_keys, messages
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
            "inside2": base64.b64encode(b"xy" + value + b"z"), "url": base64.urlsafe_b64encode(value),
            "broken": base64.encodebytes(bytes(36) + value)}
        for name, content in planted.items():
            (folder / name).write_bytes(content)
        (folder / "innocent").write_bytes(secrets.token_bytes(4096))
        found = scan_files(regular_files(folder), {"key": value})
        self.assertEqual({path.name for path in found}, set(planted))

    def test_short_values(self) -> None:
        value = secrets.token_bytes(8)
        for before in range(3):
            self.assertTrue(scan_octets(base64.b64encode(bytes(before) + value + b"abcd"), {"RES": value}))


def private_scalar(path: Path) -> bytes:
    """The secret number in a PKCS #8 file of EC P-256 (RFC 5915: version 1, then the octets)."""
    der = base64.b64decode("".join(path.read_text().splitlines()[1:-1]))
    return der.split(bytes.fromhex("0201010420"))[1][:32]


class Run(SystemTest):
    """A full, a resumed and an optimised run with a PIN, and a GBA run that a client of the bus asks for and that needs a
    resynchronisation. Everything on the bus is recorded, the log level is debug.
    """
    variations: dict[str, Any] = {"record_ub": True, "record_bus": True, "devices": 2, "pin": "73190264"}
    reporting = {"device", "mt", "key-center", "bsf"}  # who has reported steps
    secrets: list[RunSecrets]
    runs: list[Establishment]

    @classmethod
    def act(cls) -> None:
        cls.runs = [cls.establish(), cls.establish(), cls.establish(2)]
        cls.rig.ctl("device", "list")
        for command in ("info", "verify", "export-report"):
            cls.rig.ctl("store", command)
        cls.rig.restart_bsf()  # its sequence numbers begin below the card's
        cls.rig.ctl("bootstrap", "--force")

    @classmethod
    def prepare(cls) -> None:
        cls.act()
        cls.secrets = RunSecrets.all_of(cls.rig)
        cls.values = {"PIN": cls.variations["pin"].encode(), "K of the card": bytes.fromhex(cls.rig.options.subscriber.k)}
        for number, run in enumerate(cls.secrets, 1):
            cls.values.update({f"{name} of challenge {number}": value for name, value in run.values.items()})
        for device in cls.rig.devices:
            said = messages(device.ttys.passed)
            if any(message.type == CONFIRM for message in said):
                ks_local_mt = cls.secrets[0].values[f"Ks_local_MT of device {device.number}"]
                for name, value in establishment_keys(said, ks_local_mt).items():
                    cls.values[f"{name} of device {device.number}"] = value
        cls.values["key of the store"] = cls.rig.store_key.read_bytes()
        cls.keks = {cls.rig.store_key}
        for device in cls.rig.devices:
            if device.store_key.exists():
                cls.keks.add(device.store_key)
                cls.values[f"key of the store of device {device.number}"] = device.store_key.read_bytes()
        cls.private_keys = sorted(set(cls.rig.folder.rglob("*.key")) - cls.keks)
        for path in cls.private_keys:
            cls.values[f"private key {path.relative_to(cls.rig.folder)}"] = private_scalar(path)
        cls.processes = [(path, path.read_bytes()) for party in cls.rig.parties.values()
                         for path in (Path(f"/proc/{party.pid}/cmdline"), Path(f"/proc/{party.pid}/environ"))
                         if os.access(path, os.R_OK)]
        # the programs have written all that they will write
        for name in ("mtkeyd", "mtkey-nafkc", "mtkey-bsf", "virtual-uicc", "dbus-monitor"):
            cls.rig.parties[name].stop()

    def allowed(self) -> dict[Path, set[Hit]]:
        """The exact files, and what each may hold in which form."""
        folder = self.rig.folder
        allowed = {folder / "pin": {("PIN", "raw")}, folder / "card.toml": {("PIN", "raw")},
                   self.rig.store_key: {("key of the store", "raw")},
                   folder / "subscribers.toml": {(f"{name} of challenge {number}", "hex") for name in ("K", "OPc")
                                                 for number in range(1, len(self.secrets) + 1)}}
        if self.rig.options.k_at_bsf is None:
            allowed[folder / "subscribers.toml"].add(("K of the card", "hex"))
        else:
            allowed[folder / "card" / "subscribers.toml"] = {("K of the card", "hex")} | {
                hit for hit in allowed[folder / "subscribers.toml"] if hit[0].startswith("OPc ")}
        for device in self.rig.devices:
            if device.store_key in self.keks:
                allowed[device.store_key] = {(f"key of the store of device {device.number}", "raw")}
        for path in self.private_keys:
            allowed[path] = {(f"private key {path.relative_to(folder)}", "base64 at 0")}
        return allowed

    def test_runs_were_real(self) -> None:
        self.assertEqual([run.result["result"] for run in self.runs], ["established", "resumed", "established"])
        self.assertEqual(self.runs[0].result["fingerprint"], self.secrets[0].fingerprint())
        self.assertEqual(self.runs[2].result["fingerprint"], self.secrets[0].fingerprint(2))
        self.assertEqual(len(self.secrets), 3)  # one, and two of the resynchronisation
        self.assertTrue(all(device.store.exists() for device in self.rig.devices))

    def test_what_is_searched_is_there(self) -> None:
        capture = self.rig.bus_capture.read_bytes()
        self.assertIn(b"RequestName", capture)  # the daemon's: it has been heard from its first word
        self.assertIn(b"org.mtkeyd1", capture)
        self.assertIn(b"Bootstrap", capture)
        for name in ("mtkeyd", "mtkey-bsf", "mtkey-nafkc", "mtkey-device1"):
            self.assertGreater(self.rig.log(name).stat().st_size, 0, name)
        self.assertIn(self.rig.state_dir / "store", regular_files(self.rig.folder))
        self.assertGreaterEqual(len(self.private_keys), 6)
        found = scan_files(regular_files(self.rig.folder), self.values)
        for path, hits in self.allowed().items():
            self.assertLessEqual(hits, set(found.get(path, [])), path)

    def test_nothing_in_any_other_file(self) -> None:
        allowed = self.allowed()
        for path, hits in scan_files(regular_files(self.rig.folder), self.values).items():
            # without + and / the two alphabets of base64 are one
            hits = [(name, form.replace("base64url", "base64")) for name, form in hits]
            self.assertLessEqual(set(hits), allowed.get(path, set()), path)

    def test_mode_of_the_files_that_hold_keys(self) -> None:
        for path in self.allowed():
            mode = 0o400 if path in self.keks else 0o600
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), mode, path)

    def test_nothing_on_the_wires(self) -> None:
        self.assertEqual(scan_octets(self.rig.ub.sent + self.rig.ub.received, self.values), [])
        for device in self.rig.devices:
            passed = b"".join(octets for _, octets in device.ttys.passed)
            self.assertTrue(passed)
            self.assertEqual(scan_octets(passed, self.values), [])
            # COBS cuts a value where it holds a zero
            payloads = b"".join(message.payload for message in messages(device.ttys.passed))
            self.assertEqual(scan_octets(payloads, self.values), [])

    def test_nothing_in_the_steps(self) -> None:
        raw = self.rig.steps.raw()
        parties = {event.party for event in self.rig.steps.since()}
        self.assertLessEqual(self.reporting, parties)
        self.assertEqual(raw.count(b"\n"), self.rig.steps.position())
        self.assertEqual(scan_octets(raw, self.values), [])

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


class RunGbaMe(Run):
    """CK, IK and the Ks that they make are in the daemon here, not in the card."""
    variations = {**Run.variations, "mode": "gba-me"}


class FailingRun(Run):
    """What is said about an error is searched too: the BSF has another K than the card."""
    variations = {**Run.variations, "devices": 1, "k_at_bsf": secrets.token_hex(16)}
    reporting = {"device", "mt"}

    @classmethod
    def act(cls) -> None:
        cls.runs = [cls.establish()]
        cls.rig.try_ctl("bootstrap")

    def test_runs_were_real(self) -> None:
        self.assertEqual([run.result["result"] for run in self.runs], ["failed"])
        self.assertEqual(len(self.secrets), 2)
        self.assertIn("check K/OPc", self.daemon_log())


if __name__ == "__main__":
    tap.main()

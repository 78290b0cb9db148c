# SPDX-License-Identifier: Apache-2.0
"""What the system tests share: a rig per test class, and the run's secrets computed by other code than the programs'."""
import base64
import hashlib
import hmac
import os
import re
import sys
import time
import unittest
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Iterable, Optional

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "interop"), str(TESTS.parent / "testbed")]

import gba_ref  # noqa: E402
from rig import UA, Device, Options, Rig, Subscriber, new_device_id  # noqa: E402
from rig.report import Establishment, fingerprints  # noqa: E402
from rig.steps import StepEvent  # noqa: E402

__all__ = ["Device", "Establishment", "Options", "Rig", "RunSecrets", "StepEvent", "Subscriber", "SystemTest",
           "build_folder", "eventually", "fingerprints", "new_device_id"]


def build_folder() -> Path:
    return Path(os.environ.get("MTKEY_BUILD", TESTS.parent / "build"))


def eventually(condition: Callable[[], Any], what: str, timeout: float = 30) -> Any:
    """The first true value of `condition`; for what another process does in its own time."""
    end = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {timeout:g} s")
        time.sleep(0.05)
    return value


class SystemTest(unittest.TestCase):
    """Every class gets a rig of its own, its tests share it and run in the order of their names."""
    variations: dict[str, Any] = {}
    rig: Rig

    @classmethod
    def setUpClass(cls) -> None:
        cls.rig = cls.enterClassContext(Rig(Options(build=build_folder(), **cls.variations)))
        eventually(lambda: cls.rig.ctl("status")["state"] == "ready", "the daemon has the card")
        cls.prepare()

    @classmethod
    def prepare(cls) -> None:
        """What all tests of the class look at."""

    @classmethod
    def establish(cls, number: int = 1) -> Establishment:
        return Establishment(cls.rig, cls.rig.devices[number - 1])

    def device_state(self, number: int = 1) -> Optional[dict[str, Any]]:
        wanted = self.rig.devices[number - 1].device_id
        return next((entry for entry in self.rig.ctl("device", "list") if entry["device_id"] == wanted), None)

    def assert_no_key_anywhere(self, number: int = 1) -> None:
        """Neither side has stored one: nothing with the device, nothing confirmed in the MT."""
        self.assertEqual(self.rig.run_device(self.rig.devices[number - 1], "status")["keys"], [])
        state = self.device_state(number)
        if state is not None:
            self.assertNotEqual(state["key_state"], "established")
            self.assertFalse(state["confirmed"])

    def assert_failed(self, run: Establishment, *errors: str) -> None:
        self.assertEqual(run.result["result"], "failed", run.result)
        self.assertIn(run.result["error"], errors, run.result)
        self.assertTrue(run.result["message"], run.result)
        self.assertNotEqual(run.result.status, 0)
        self.assert_no_key_anywhere()

    def daemon_log(self) -> str:
        return self.rig.log("mtkeyd").read_text("utf-8")


@dataclass(frozen=True)
class RunSecrets:
    """Every secret that follows from K, OPc and one challenge."""
    values: dict[str, bytes]
    b_tid: str

    @classmethod
    def of(cls, rig: Rig) -> "RunSecrets":
        return cls.all_of(rig)[-1]

    @classmethod
    def all_of(cls, rig: Rig) -> "list[RunSecrets]":
        """Of each challenge that has passed on Ub, in order."""
        assert rig.ub is not None
        subscriber = rig.options.subscriber
        if rig.options.k_at_bsf is not None:
            subscriber = replace(subscriber, k=rig.options.k_at_bsf)
        milenage = gba_ref.Milenage(bytes.fromhex(subscriber.k), bytes.fromhex(subscriber.opc))
        found = []
        for nonce in re.findall(rb'[ ,]nonce="([A-Za-z0-9+/=]{40,})"', rig.ub.received):
            octets = base64.b64decode(nonce)
            rand, autn = octets[:16], octets[16:32]
            # The challenge must be one that the card could believe, or what follows would be numbers of nothing.
            sqn = bytes(a ^ b for a, b in zip(autn[:6], milenage.f5(rand)))
            plain = milenage.f1(rand, sqn, autn[6:8])
            starred = gba_ref.gba_u_autn(autn[:8] + plain, milenage.f4(rand))[8:]
            is_starred = rig.options.mode == "gba-u" and "modify_mac" not in rig.options.rules_off_at_bsf
            assert autn[8:] == (starred if is_starred else plain), "AUTN is not this subscriber's"
            found.append(cls.of_challenge(subscriber, rand, [device.device_id for device in rig.devices]))
        return found

    @classmethod
    def of_challenge(cls, subscriber: Subscriber, rand: bytes, device_ids: Iterable[str]) -> "RunSecrets":
        k, opc = bytes.fromhex(subscriber.k), bytes.fromhex(subscriber.opc)
        milenage = gba_ref.Milenage(k, opc)
        res, ck, ik = milenage.f2(rand), milenage.f3(rand), milenage.f4(rand)
        ks = ck + ik
        naf_id = gba_ref.naf_id(subscriber.naf_fqdn, bytes.fromhex(UA))
        b_tid = gba_ref.btid(rand, subscriber.bsf_fqdn)
        flipped = res[:-1] + bytes([res[-1] ^ 1])
        ks_naf = gba_ref.ks_ext_naf(ks, rand, subscriber.impi, naf_id)
        values = {
            "K": k, "OPc": opc, "RES": res, "RES flipped": flipped, "CK": ck, "IK": ik, "Ks": ks,
            "Ks_(ext)_NAF": ks_naf, "Ks_int_NAF": gba_ref.ks_int_naf(ks, rand, subscriber.impi, naf_id)}
        for name, password in (("RES", res), ("RES flipped", flipped)):
            a1 = f"{subscriber.impi}:{subscriber.bsf_fqdn}:".encode() + password
            values[f"H(A1) with {name}"] = bytes.fromhex(gba_ref.H(a1))
        for number, device_id in enumerate(device_ids, 1):
            values[f"Ks_local_MT of device {number}"] = gba_ref.kdf(  # the profile "draft-1"
                ks_naf, 0x01, b"ks-local-mt", b_tid, naf_id, device_id)
        return cls(values, b_tid)

    def fingerprint(self, number: int = 1) -> str:
        key = self.values[f"Ks_local_MT of device {number}"]
        return hmac.new(key, b"mtkey fingerprint", hashlib.sha256).digest()[:8].hex()

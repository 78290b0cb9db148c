#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A wrong key anywhere ends in a clear error on both sides and in no stored key."""
import json
import re
import secrets
from typing import Any

from harness import Establishment, SystemTest, new_device_id
import tap


# What the MT tells the device is the group that its error belongs to, and the MT's sentence: the names of the local
# interface are fewer than those of the MT (docs/local-interface.md).
FROM_CARD = "CardFailed"
FROM_BSF = "BsfUnreachable"


class WrongKeyTest(SystemTest):
    def assert_key_center_holds_none(self, run: Establishment) -> None:
        """It keeps a key where it reports to have calculated it (step 15), nowhere else; and that without the BSF's
        answer (step 14) it cannot.
        """
        names = {event.name for event in run.events}
        self.assertTrue(names)
        self.assertTrue(names.isdisjoint({"credentials-returned", "key-center-key-derived", "key-delivered"}), names)


class WrongKAtBsf(WrongKeyTest):
    variations: dict[str, Any] = {"k_at_bsf": secrets.token_hex(16)}

    def test_card_refuses_the_challenge(self) -> None:
        run = self.establish()
        self.assert_failed(run, FROM_CARD)
        self.assert_key_center_holds_none(run)
        self.assertIn("check K/OPc", run.result["message"])
        self.assertNotIn("insert", run.result["message"])  # as with an UICC that does not work
        self.assertIn("check K/OPc", self.daemon_log())
        self.assertEqual(self.rig.ctl("status")["sessions"], [])

    def test_only_the_administrator_may_try_again_at_once(self) -> None:
        exchanges = self.rig.log("mtkey-bsf").read_text().count("challenge issued")
        run = self.establish()
        self.assert_failed(run, "RetryAfter")
        self.assertEqual(run.counts["apdus"], 0)
        self.assertEqual(run.counts["card_commands"], 0)
        self.assertEqual(self.rig.log("mtkey-bsf").read_text().count("challenge issued"), exchanges)
        done = self.rig.try_ctl("--json", "bootstrap")
        self.assertEqual(done.returncode, 6, done.stderr)  # card
        self.assertEqual(json.loads(done.stdout)["error"], "MacFailure")
        self.assertIn("check K/OPc", done.stderr)


class WrongKAtBsfGbaMe(WrongKAtBsf):
    variations = {**WrongKAtBsf.variations, "mode": "gba-me"}


class RuleOffAtCard(WrongKeyTest):
    """The card expects the MAC itself, the BSF sends MAC*: to the card that is another network's challenge."""
    variations = {"rules_off_at_card": ("modify_mac",)}

    def test_card_refuses_the_challenge(self) -> None:
        run = self.establish()
        self.assert_failed(run, FROM_CARD)
        self.assert_key_center_holds_none(run)
        self.assertIn("check K/OPc and the GBA mode", self.daemon_log())


class RuleOffAtBsf(RuleOffAtCard):
    variations = {"rules_off_at_bsf": ("modify_mac",)}


class FlipOffAtCard(WrongKeyTest):
    """RES comes as it is, the BSF expects its last bit flipped."""
    variations = {"rules_off_at_card": ("flip_res",)}

    def test_bsf_refuses_the_answer(self) -> None:
        run = self.establish()
        self.assert_failed(run, FROM_BSF)
        self.assert_key_center_holds_none(run)
        self.assertIn("the BSF refused", self.daemon_log())
        self.assertEqual(self.rig.ctl("status")["sessions"], [])


class FlipOffAtBsf(FlipOffAtCard):
    variations = {"rules_off_at_bsf": ("flip_res",)}


class WrongModeAtBsf(SystemTest):
    """The card does GBA, the BSF sends an ordinary challenge: no silent fallback without an authenticated BSF."""
    variations = {"mode": "gba-me", "card_has_gba": True}

    def test_card_refuses_the_challenge(self) -> None:
        run = self.establish()
        self.assert_failed(run, FROM_CARD)
        self.assertEqual(run.counts["gba_me_runs"], 0)
        self.assertEqual(run.counts["gba_runs_failed"], 1)


class FlippedRspauth(SystemTest):
    """Somebody on Ub changes one digit of rspauth: the BSF has not proved that it knows the key."""
    variations = {"record_ub": True}

    def test_answer_is_thrown_away(self) -> None:
        def flip(octets: bytes) -> bytes:
            return re.sub(rb'(rspauth=")(.)', lambda m: m[1] + (b"0" if m[2] != b"0" else b"1"), octets)
        self.rig.ub.alter = flip
        run = self.establish()
        self.assertIn(b"rspauth=", self.rig.ub.received)
        self.assert_failed(run, FROM_BSF)
        self.assertIn("did not prove that it knows the key", run.result["message"])
        self.assertIn("did not prove that it knows the key", self.daemon_log())
        self.assertEqual(self.rig.ctl("status")["sessions"], [])

    def test_without_the_change_it_works(self) -> None:
        self.rig.ub.alter = None
        self.rig.ctl("bootstrap")  # a device would have to wait
        self.assertTrue(self.establish().ok)


class ChangedBtid(SystemTest):
    """The B-TID in the BSF's document is changed on the way: auth-int covers it."""
    variations = {"record_ub": True}

    def test_answer_is_thrown_away(self) -> None:
        self.rig.ub.alter = lambda octets: re.sub(
            rb"(<btid>)(.)", lambda m: m[1] + (b"A" if m[2] != b"A" else b"B"), octets)
        run = self.establish()
        self.assertIn(b"<btid>", self.rig.ub.received)
        self.assert_failed(run, FROM_BSF)
        self.assertIn("did not prove that it knows the key", run.result["message"])
        self.assertIn("did not prove that it knows the key", self.daemon_log())


class CertificateFromAnotherCa(WrongKeyTest):
    variations = {"strange_ca": "device"}

    def test_key_center_refuses_the_device(self) -> None:
        run = self.establish()
        self.assert_failed(run, "PeerUntrusted")
        self.assert_key_center_holds_none(run)
        # In TLS 1.3 the client has finished before the server has looked at its certificate.
        self.assertNotIn("credentials-requested", [event.name for event in run.events])
        self.assertIn("certificate", self.rig.log("mtkey-nafkc").read_text().lower())


class DeviceIdNotInCertificate(WrongKeyTest):
    variations = {"device_id_in_certificate": new_device_id()}

    def test_key_center_gives_no_key(self) -> None:
        run = self.establish()
        self.assert_failed(run, "KeyCenterRejected")
        self.assert_key_center_holds_none(run)
        self.assertNotIn("credentials-requested", [event.name for event in run.events])
        self.assertIn("the client certificate does not carry this Device_ID", self.rig.log("mtkey-nafkc").read_text())
        self.assertRegex(self.daemon_log(), "procedure failed .*the device says: NAF Key Center")
        self.assertEqual({one["key_state"] for one in self.rig.ctl("device", "list")}, {"none"})


class KeyCenterFromAnotherCa(WrongKeyTest):
    variations = {"strange_ca": "key-center"}

    def test_device_refuses_the_key_center(self) -> None:
        run = self.establish()
        self.assert_failed(run, "PeerUntrusted")
        self.assert_key_center_holds_none(run)
        self.assertNotIn("credentials-requested", [event.name for event in run.events])
        self.assertIn("unknown ca", self.rig.log("mtkey-nafkc").read_text())
        self.assertRegex(self.daemon_log(), "procedure failed .*the device says: NAF Key Center")
        self.assertEqual({one["key_state"] for one in self.rig.ctl("device", "list")}, {"none"})


class KeyCenterWithoutRightsAtBsf(WrongKeyTest):
    """The certificate by which the Key Center asks the BSF comes from another CA."""
    variations = {"strange_ca": "zn-client"}
    said_by_bsf = "client certificate: unable to get local issuer certificate"

    def test_bsf_gives_no_key(self) -> None:
        run = self.establish()
        self.assert_failed(run, "KeyCenterUnreachable")
        self.assert_key_center_holds_none(run)
        self.assertIn("has trouble reaching its BSF", run.result["message"])
        self.assertIn("the peer's certificate is not acceptable", self.rig.log("mtkey-nafkc").read_text())
        self.assertIn(self.said_by_bsf, self.rig.log("mtkey-bsf").read_text())


class BsfFromAnotherCa(KeyCenterWithoutRightsAtBsf):
    """Here it is the Key Center that refuses."""
    variations = {"strange_ca": "bsf"}
    said_by_bsf = "unknown ca"


class BtidUnknownToBsf(WrongKeyTest):
    """The Key Center's BSF knows no B-TID of this MT, not even a fresh one."""
    variations = {"zn_at_another_bsf": True}

    def test_ends_in_an_error_and_no_key(self) -> None:
        run = self.establish()
        self.assert_failed(run, "BtidUnknown")
        self.assert_key_center_holds_none(run)
        self.assertIn("credentials-requested", [event.name for event in run.events])
        self.assertIn("the network does not know this B-TID", self.rig.log("mtkey-nafkc").read_text())
        self.assertRegex(self.daemon_log(), "procedure failed .*the device says: NAF Key Center")
        self.assertEqual({one["key_state"] for one in self.rig.ctl("device", "list")}, {"none"})
        self.assertIn("B-TID unknown or expired", self.rig.log("other-bsf").read_text())


class BtidForgottenByBsf(SystemTest):
    """The BSF has lost its memory between the MT's bootstrapping and the device's request: a new run mends it."""

    @classmethod
    def prepare(cls) -> None:
        cls.rig.ctl("bootstrap")
        cls.rig.restart_bsf()

    def test_device_asks_for_a_new_b_tid(self) -> None:
        old = self.rig.ctl("status")["sessions"][0]["b_tid"]  # masked, the device's is whole
        run = self.establish()
        self.assertTrue(run.ok, run.result)
        names = [event.name for event in run.events]
        self.assertLess(names.index("credentials-requested"), names.index("gba-run-started"))
        self.assertEqual(names.count("credentials-returned"), 1)
        new = self.rig.ctl("status")["sessions"][0]["b_tid"]
        self.assertTrue(run.result["b_tid"].startswith(new.split("...")[0]), new)
        self.assertNotEqual(new, old)
        self.assertEqual(run.counts["gba_runs"], 1)
        self.assertTrue(run.keys_match)


if __name__ == "__main__":
    tap.main()

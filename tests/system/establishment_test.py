#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The full procedure (5.5.2) by GBA_U and GBA_ME, and the same values computed by other code."""
import os
import re
import stat
import unittest
from pathlib import Path
from unittest import mock

from harness import Establishment, RunSecrets, SystemTest, eventually, fingerprints
from rig.system_parts import CardService
import tap

PARTIES = ["device", "device", "mt", "mt", "device", "device", "mt", "mt", "mt", "mt", "device", "device",
           "key-center", "bsf", "key-center", "key-center", "device", "device"]
PARTIES_OF_OPTIMISED = ["device", "device", "mt", "mt", "device", "device", "mt", "mt", "device", "device", "key-center",
                        "bsf", "key-center", "key-center", "device", "device"]


class FullProcedure(SystemTest):
    """Common to both modes; GBA_ME overrides."""
    variations = {"record_ub": True}
    mode = "gba-u"
    apdus = 4  # AUTHENTICATE, SELECT, UPDATE BINARY, AUTHENTICATE
    run_: Establishment
    secrets: RunSecrets

    @classmethod
    def prepare(cls) -> None:
        cls.run_ = cls.establish()
        cls.secrets = RunSecrets.of(cls.rig)

    def test_succeeds(self) -> None:
        self.assertEqual(self.run_.result.status, 0, self.run_.result.log)
        self.assertEqual(self.run_.result["result"], "established")
        self.assertEqual(self.run_.result["procedure"], "full")

    def test_eighteen_steps_in_order(self) -> None:
        self.assertEqual(self.run_.procedure, "full")
        self.assertEqual(self.run_.steps(), list(range(1, 19)))
        self.assertEqual([event.party for event in self.run_.events if event.full], PARTIES)

    def test_all_three_hold_the_same_key(self) -> None:
        self.assertTrue(self.run_.keys_match, fingerprints(self.run_.events, self.run_.result))

    def test_key_is_the_one_of_the_specification(self) -> None:
        self.assertEqual(self.run_.result["fingerprint"], self.secrets.fingerprint())

    def test_b_tid_and_naf_id(self) -> None:
        self.assertEqual(self.run_.result["b_tid"], self.secrets.b_tid)
        self.assertEqual(self.run_.result["naf_id"],
                         {"fqdn": self.rig.options.subscriber.naf_fqdn, "ua": "ff00033259"})

    def test_mode(self) -> None:
        self.assertEqual(self.run_.result["mode"], self.mode)
        session, = self.rig.ctl("status")["sessions"]
        self.assertEqual(session["mode"], self.mode)

    def test_least_traffic(self) -> None:
        self.assertEqual(self.run_.counts["gba_runs"], 1)
        self.assertEqual(self.run_.counts["http_exchanges"], 2)
        self.assertEqual(self.run_.counts["bootstrapping_authenticates"], 1)
        self.assertEqual(self.rig.ub.connections, 1)
        # What others rest on who say "no APDU": that this number counts.
        self.assertGreaterEqual(self.run_.counts["apdus"], self.apdus)
        self.assertGreaterEqual(self.run_.counts["card_commands"], self.apdus)
        self.assertEqual(self.run_.counts["apdus"], self.run_.counts["card_commands"])

    def test_both_sides_have_it_confirmed(self) -> None:
        state = self.device_state()
        self.assertEqual(state["key_state"], "established")
        self.assertTrue(state["confirmed"])
        device = self.rig.devices[0]
        self.assertEqual(stat.S_IMODE(device.store.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(device.store_key.stat().st_mode), 0o400)

    def test_naf_list(self) -> None:
        naf, = self.rig.ctl("naf", "list")
        self.assertEqual(naf["fqdn"], self.rig.options.subscriber.naf_fqdn)


class FullProcedureGbaMe(FullProcedure):
    """A subscriber of GBA_ME whose card has no GBA service."""
    variations = {"record_ub": True, "mode": "gba-me"}
    mode = "gba-me"
    apdus = 1  # AUTHENTICATE


class T1(FullProcedure):
    """The same key whichever way the card is reached, as another implementation has computed it."""
    variations = {**FullProcedure.variations, "protocol": "t1"}


class T1GbaMe(FullProcedureGbaMe):
    variations = {**FullProcedureGbaMe.variations, "protocol": "t1"}


class Csim(FullProcedure):
    variations = {**FullProcedure.variations, "modem": {}, "modem_access": "csim"}


class CsimGbaMe(FullProcedureGbaMe):
    variations = {**FullProcedureGbaMe.variations, "modem": {}, "modem_access": "csim"}


class Session(FullProcedure):
    variations = {**FullProcedure.variations, "modem": {}, "modem_access": "session"}


class SessionGbaMe(FullProcedureGbaMe):
    variations = {**FullProcedureGbaMe.variations, "modem": {}, "modem_access": "session"}


@unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
class WithoutNamespaces(SystemTest):
    """Where the system allows none, pcscd is not root all the same, and leaves nothing in /run."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.run_pcscd = CardService.RUN.exists()
        with mock.patch("rig.system_parts.can_confine", return_value=False):
            super().setUpClass()

    def test_establishment(self) -> None:
        self.assertTrue(self.rig.warnings)
        self.assertTrue(self.establish().ok)
        status = Path(f"/proc/{self.rig.parties['pcscd'].pid}/status").read_text()
        self.assertNotIn("0", re.search(r"^Uid:(.*)$", status, re.MULTILINE)[1].split())

    @classmethod
    def tearDownClass(cls) -> None:
        cls.rig.close()
        assert CardService.RUN.exists() == cls.run_pcscd


class Again(SystemTest):
    """5.5.1 with the stored key, then 5.5.3 by a second device, both without the BSF's Ub and without bootstrapping."""
    variations = {"record_ub": True, "devices": 2}
    first: Establishment
    resumed: Establishment
    second: Establishment
    ub_octets: int

    @classmethod
    def prepare(cls) -> None:
        cls.first = cls.establish()
        cls.ub_octets = len(cls.rig.ub.sent)
        cls.resumed = cls.establish()
        cls.second = cls.establish(2)

    def test_stored_key_is_accepted(self) -> None:
        self.assertTrue(self.resumed.ok, self.resumed.result)
        self.assertEqual(self.resumed.result["result"], "resumed")
        self.assertEqual([event.name for event in self.resumed.events], ["stored-key-tried", "stored-key-accepted"])
        self.assertEqual(self.resumed.result["fingerprint"], self.first.result["fingerprint"])

    def test_sixteen_steps_in_order(self) -> None:
        self.assertTrue(self.second.ok, self.second.result)
        self.assertEqual(self.second.procedure, "optimised")
        self.assertEqual(self.second.result["procedure"], "optimised")
        self.assertEqual(self.second.steps(), list(range(1, 17)))
        self.assertEqual([event.party for event in self.second.events if event.optimised], PARTIES_OF_OPTIMISED)
        self.assertEqual(self.second.result["b_tid"], self.first.result["b_tid"])

    def test_second_key_is_another_and_the_right_one(self) -> None:
        self.assertTrue(self.second.keys_match)
        self.assertNotEqual(self.second.result["fingerprint"], self.first.result["fingerprint"])
        self.assertEqual(self.second.result["fingerprint"], RunSecrets.of(self.rig).fingerprint(2))

    def test_no_ub_traffic(self) -> None:
        self.assertGreater(self.ub_octets, 0)
        self.assertEqual(len(self.rig.ub.sent), self.ub_octets)
        for run in (self.resumed, self.second):
            self.assertEqual(run.counts["http_exchanges"], 0)
            self.assertEqual(run.counts["gba_runs"], 0)

    def test_no_bootstrapping_apdu(self) -> None:
        self.assertEqual(self.first.counts["bootstrapping_authenticates"], 1)
        for run in (self.resumed, self.second):
            self.assertEqual(run.counts["bootstrapping_authenticates"], 0)
            # NAF_ID is the same: Ks_ext_NAF is still there, the card is not asked for it again
            self.assertEqual(run.counts["apdus"], 0)
            self.assertEqual(run.counts["card_commands"], 0)

    def test_statistics(self) -> None:
        statistics = self.rig.statistics()
        self.assertEqual(statistics["establishments_full"], 1)
        self.assertEqual(statistics["establishments_optimised"], 1)
        self.assertEqual(statistics["keys_confirmed"], 2)
        self.assertEqual(statistics["keys_resumed"], 1)


class AgainGbaMe(Again):
    """CK and IK have left the card, Ks is the daemon's."""
    variations = {**Again.variations, "mode": "gba-me"}


class RulesOfGbaUOff(SystemTest):
    """MAC* and the flipped bit of RES, switched off on both ends (conformance.md: what rests on memory)."""
    off: tuple[str, ...] = ("modify_mac", "flip_res")

    @classmethod
    def setUpClass(cls) -> None:
        cls.variations = {"record_ub": True, "rules_off_at_card": cls.off, "rules_off_at_bsf": cls.off}
        super().setUpClass()

    def test_establishment(self) -> None:
        run = self.establish()
        self.assertTrue(run.ok, run.result)
        self.assertTrue(run.keys_match)
        self.assertEqual(run.result["mode"], "gba-u")
        secrets = RunSecrets.of(self.rig)  # which has looked at AUTN
        self.assertEqual(run.result["fingerprint"], secrets.fingerprint())


class MacRuleOff(RulesOfGbaUOff):
    off = ("modify_mac",)


class ResRuleOff(RulesOfGbaUOff):
    off = ("flip_res",)


class ForgottenKey(SystemTest):
    """The device has lost its key: the MT's own one must not stop a new establishment (5.5.3), which replaces it."""

    def test_new_establishment(self) -> None:
        self.assertTrue(self.establish().ok)
        self.rig.run_device(self.rig.devices[0], "forget", "--all")
        self.assertEqual(self.rig.run_device(self.rig.devices[0], "status")["keys"], [])
        again = self.establish()
        self.assertTrue(again.ok, again.result)
        self.assertTrue(again.keys_match)


class RestartedDaemon(SystemTest):
    """Without a sealed store (store_test.py) the MT has lost its keys: the device's stored one is refused (5.5.1). What the
    UICC holds goes on (5.5.3).
    """
    variations = {"record_ub": True, "store": False}
    resumes = True

    def restart_daemon(self) -> None:
        self.assertEqual(self.rig.parties["mtkeyd"].stop(), 0)
        self.rig.start_daemon()
        eventually(lambda: self.rig.ctl("status")["state"] == "ready", "the daemon has the card")

    def test_procedure_after_refusal(self) -> None:
        first = self.establish()
        self.assertTrue(first.ok)
        for _ in range(2):
            ub_octets = len(self.rig.ub.sent)
            self.restart_daemon()
            self.assertEqual(self.rig.statistics()["contexts_resumed"], int(self.resumes))
            self.assertEqual(len(self.rig.ctl("status")["sessions"]), int(self.resumes))
            again = self.establish()
            self.assertTrue(again.ok, again.result)
            self.assertEqual([event.name for event in again.events][:2], ["stored-key-tried", "stored-key-refused"])
            self.assertTrue(again.keys_match)
            if not self.resumes:
                self.assertEqual(again.steps(), list(range(1, 19)))
                self.assertNotEqual(again.result["b_tid"], first.result["b_tid"])
                continue
            self.assertEqual(again.procedure, "optimised")
            self.assertEqual(again.result["b_tid"], first.result["b_tid"])
            self.assertEqual(again.result["mode"], "gba-u")
            self.assertEqual(len(self.rig.ub.sent), ub_octets)
            statistics = self.rig.statistics()
            self.assertEqual(statistics["http_exchanges"], 0)
            self.assertEqual(statistics["bootstrapping_authenticates"], 0)
            self.assertEqual(statistics["gba_runs"], 0)
            # The key that has shown the context to be there serves the device as well.
            self.assertEqual(statistics["naf_keys_derived"], 1)
        memory, = self.rig.state_dir.iterdir()
        self.assertEqual(stat.S_IMODE(memory.stat().st_mode), 0o600)


class RestartedDaemonGbaMe(RestartedDaemon):
    """Ks was the daemon's: it is gone, and a full procedure follows."""
    variations = {**RestartedDaemon.variations, "mode": "gba-me"}
    resumes = False


class RestartedDaemonT1(RestartedDaemon):
    variations = {**RestartedDaemon.variations, "protocol": "t1"}


class RestartedDaemonModem(RestartedDaemon):
    """Others may use this card: its RAND is looked at before and after each derivation."""
    variations = {**RestartedDaemon.variations, "modem": {}}


class BootstrappedElsewhere(SystemTest):
    """Another terminal has had the card bootstrap while the daemon was away: what was remembered is not believed."""
    variations = {"record_ub": True, "store": False}

    def test_full_procedure(self) -> None:
        first = self.establish()
        self.assertTrue(first.ok)
        remembered = (self.rig.state_dir / "bootstrap").read_bytes()
        self.rig.ctl("bootstrap", "--force")
        self.assertEqual(self.rig.parties["mtkeyd"].stop(), 0)
        (self.rig.state_dir / "bootstrap").write_bytes(remembered)
        self.rig.start_daemon()
        eventually(lambda: self.rig.ctl("status")["state"] == "ready", "the daemon has the card")
        self.assertEqual(self.rig.statistics()["contexts_resumed"], 0)
        again = self.establish()
        self.assertTrue(again.ok, again.result)
        self.assertEqual(again.procedure, "full")


class Limits(SystemTest):
    """The daemon's own limits: a device that forces a run at once is told when to come back, and gets no other answer
    from a daemon that was started anew.
    """
    variations = {"runs": None}

    def test_forced_run_is_limited(self) -> None:
        self.rig.ctl("bootstrap")
        self.rig.restart_bsf()  # which knows no B-TID any more
        for _ in range(2):
            run = self.establish()
            self.assertEqual(run.result["error"], "RetryAfter", run.result)
            self.assertGreater(run.result["retry_after"], 0)
            self.assertLessEqual(run.result["retry_after"], 60)
            self.assertEqual(run.counts["gba_runs"], 0)
            self.assertEqual(self.rig.parties["mtkeyd"].stop(), 0)
            self.rig.start_daemon()
            eventually(lambda: self.rig.ctl("status")["state"] == "ready", "the daemon has the card")
        self.rig.ctl("bootstrap", "--force")  # the administrator is not refused
        self.assertTrue(self.establish().ok)


if __name__ == "__main__":
    tap.main()

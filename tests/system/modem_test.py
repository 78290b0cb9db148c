#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The card is in a modem: the whole procedure by AT commands, and what becomes of keys when card or modem go."""
import threading
import time
import unittest
from typing import Any

from harness import Establishment, RunSecrets, Subscriber, SystemTest, eventually
import tap

TELLS = {"removed_line": "+QSIMSTAT: 1,0", "inserted_line": "+QSIMSTAT: 1,1"}


class ModemTest(SystemTest):
    way = ""  # by the daemon's log

    def state(self) -> str:
        return str(self.rig.ctl("status")["state"])

    def bootstrap(self, *arguments: str) -> int:
        return self.rig.try_ctl("bootstrap", *arguments, "--naf", self.rig.options.subscriber.naf_fqdn).returncode


class Procedure(ModemTest):
    """One subclass for each way to the card."""
    variations: dict[str, Any] = {"record_ub": True, "modem": {}, "modem_access": "auto"}
    way = "session"
    apdus = 20

    def test_full_establishment(self) -> None:
        run: Establishment = self.establish()
        self.assertEqual(run.result["result"], "established", run.result)
        self.assertEqual(run.result["fingerprint"], RunSecrets.of(self.rig).fingerprint())  # by other code than ours
        self.assertIn(f" access={self.way}\n", self.daemon_log())
        self.assertEqual(self.rig.ctl("status")["uicc"]["reader"], str(self.rig.modem))

    def test_keeps_its_channel(self) -> None:
        """A run that finds the application selected asks for no more than it must."""
        before = self.rig.statistics()["apdus"]
        self.assertEqual(self.bootstrap("--force"), 0)
        used = self.rig.statistics()["apdus"] - before
        # AUTHENTICATE and its GET RESPONSE twice, SELECT and UPDATE. The modem may use the card too: RAND is read before
        # UPDATE and around the derivation (SELECT and READ each). It may hold another card: EF_ICCID is read before the
        # run and before the derivation, and the application selected again (4 each).
        self.assertEqual(used, self.apdus)


class CsimProcedure(Procedure):
    variations = {**Procedure.variations, "modem_access": "csim"}
    way = "csim-logical-channel"


class GbaMeProcedure(Procedure):
    variations = {**Procedure.variations, "mode": "gba-me"}
    apdus = 10  # AUTHENTICATE and GET RESPONSE


class RudeModem(Procedure):
    """No sessions, echo, lines in between, quoting and case of its own."""
    variations = {**Procedure.variations, "modem": {
        "no_channels": True, "echo": True, "unsolicited": ["+CREG: 1", "RING"], "unsolicited_at": "between",
        "quoting": "bare", "lower_case": True}}
    way = "csim-logical-channel"


class CardWithPin(Procedure):
    variations = {**Procedure.variations, "pin": "4711"}


class Changes(ModemTest):
    variations = {"modem": {**TELLS, "return_after_milliseconds": 1000}}

    def commands(self) -> int:
        return int(self.rig.card_control("count")["commands"])

    def sessions(self) -> list[Any]:
        return list(self.rig.ctl("status")["sessions"])

    def setUp(self) -> None:
        if not self.rig.card_control("count")["card"]:
            self.rig.card_control("insert")
        eventually(lambda: self.state() == "ready", "the daemon has the card", 20)
        self.assertEqual(self.bootstrap(), 0)
        self.assertEqual(len(self.sessions()), 1)

    def test_card_is_taken_out(self) -> None:
        self.rig.card_control("remove")
        removed = time.monotonic()
        eventually(lambda: self.state() == "no-card", "the removal is noticed", 10)
        self.assertLess(time.monotonic() - removed, 1)
        self.assertEqual(self.sessions(), [])
        inserted = time.monotonic()
        self.rig.card_control("insert")
        eventually(lambda: self.state() == "ready", "the card is back", 20)
        self.assertLess(time.monotonic() - inserted, 3)
        self.assertEqual(self.bootstrap(), 0)

    def test_modem_goes_and_comes_back(self) -> None:
        self.rig.card_control("hang-up")
        eventually(lambda: self.sessions() == [], "the keys are gone", 1)
        eventually(lambda: self.state() == "ready", "the modem is back", 20)
        self.assertEqual(self.bootstrap(), 0)

    def test_modem_goes_in_the_middle_of_a_run(self) -> None:
        self.rig.card_control("fault kind=delay at=2 milliseconds=2000")
        before = self.commands()
        statuses: list[int] = []
        run = threading.Thread(target=lambda: statuses.append(self.bootstrap("--force")))
        run.start()
        eventually(lambda: self.commands() >= before + 2, "the run is at its second command", 10)
        self.rig.card_control("hang-up")
        run.join()
        self.assertEqual(len(statuses), 1)
        self.assertNotEqual(statuses[0], 0)
        self.rig.card_control("no-faults")
        eventually(lambda: self.state() == "ready", "the modem is back", 20)
        self.assertEqual(self.bootstrap(), 0)


class SilentModem(ModemTest):
    """It says nothing of its card: what is used of it next finds out."""
    variations: dict[str, Any] = {"modem": {}, "record_ub": True, "devices": 2, "other": Subscriber(imsi="001010987654321")}

    def test_keys_go_with_the_next_command(self) -> None:
        self.assertEqual(self.bootstrap(), 0)
        self.rig.card_control("remove")
        self.assertNotEqual(self.bootstrap("--force"), 0)
        self.assertEqual(self.rig.ctl("status")["sessions"], [])
        self.assertEqual(self.state(), "no-card")
        self.rig.card_control("insert")
        eventually(lambda: self.state() == "ready", "the card is found again", 20)

    def test_other_card_is_seen(self) -> None:
        """No command has come in between, and the Ks of the first card would do."""
        self.assertEqual(self.establish(1).result["result"], "established")
        first = RunSecrets.of(self.rig)
        self.rig.card_control(f"remove\ninsert {self.rig.other_card}")
        run = self.establish(2)
        if run.result["result"] != "established":  # it may be told to ask again
            run = self.establish(2)
        self.assertEqual(run.result["result"], "established", run.result)
        self.assertNotEqual(run.result["b_tid"], first.b_tid)
        self.assertNotEqual(run.result["fingerprint"], first.fingerprint(2))
        self.assertEqual(self.rig.statistics()["gba_runs_failed"], 0)


class SilentModemGbaMe(SilentModem):
    """Ks is the daemon's: no NAF key costs a command."""
    variations = {**SilentModem.variations, "mode": "gba-me"}


class SilentModemCsim(SilentModem):
    variations = {**SilentModem.variations, "modem_access": "csim"}


if __name__ == "__main__":
    tap.main()

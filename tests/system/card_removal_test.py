#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The card is pulled at every exchange, and another subscriber's is put in: no key of the old one is used any more.

A second after the removal the daemon's memory is searched. What must be gone has been found there before.
"""
import base64
import os
import re
import time
import unittest
from pathlib import Path
from typing import Any, Optional

from harness import RunSecrets, Subscriber, SystemTest, eventually
from memory_scan import Found, scan_memory
import tap

# What leaves no trace when the card does. Ks_local_MT of a confirmed key waits for the same card.
GONE = ("RES of", "H(A1) with RES of", "CK of", "IK of", "Ks of", "Ks_(ext)_NAF", "Ks_int_NAF")
ALL = (*GONE, "Ks_local_MT")
SECURE_HEAP = 256 * 1024  # lib/base/secret.cpp
CAN_SCAN = os.geteuid() == 0  # the daemon is not dumpable


class RemovalTest(SystemTest):
    """Device 1 holds a key confirmed with the first card; device 2 is the one that asks while the card goes."""
    variations: dict[str, Any] = {"record_ub": True, "devices": 2, "other": Subscriber(imsi="001010987654321")}
    exchanges = 6  # of a run at T=0: AUTHENTICATE, its GET RESPONSE, SELECT, UPDATE, and AUTHENTICATE with GET RESPONSE
    held = {"Ks_(ext)_NAF", "Ks_local_MT"}  # by the daemon, while all is well
    first: str

    @classmethod
    def prepare(cls) -> None:
        cls.first = cls.rig.ctl("status")["uicc"]["identity"]

    def secrets(self, which: tuple[str, ...] = ALL) -> dict[str, bytes]:
        """Of the first card's subscriber and the last two challenges: with another's they give numbers that nobody has."""
        assert self.rig.ub is not None
        nonces = re.findall(rb'[ ,]nonce="([A-Za-z0-9+/=]{40,})"', self.rig.ub.received)
        rands = list(dict.fromkeys(base64.b64decode(nonce)[:16] for nonce in nonces))[-2:]
        device_ids = [device.device_id for device in self.rig.devices]
        subscriber = self.rig.options.subscriber
        return {f"{name} of {rand.hex()}": value for rand in rands
                for name, value in RunSecrets.of_challenge(subscriber, rand, device_ids).values.items()
                if f"{name} of".startswith(which)}

    def scan(self, secrets: dict[str, bytes]) -> list[Found]:
        return scan_memory(self.rig.parties["mtkeyd"].pid, secrets)

    def state(self) -> str:
        return str(self.rig.ctl("status")["state"])

    def identity(self) -> Optional[str]:
        uicc = self.rig.ctl("status")["uicc"]
        return uicc["identity"] if uicc else None

    def key_state(self) -> str:
        state = self.device_state(1)
        return str(state["key_state"]) if state else "none"

    def commands(self) -> int:
        """How many the card has been sent."""
        return int(self.rig.card_control("count")["commands"])

    def put_in(self, card: Path) -> None:
        self.rig.card_control("no-faults")
        self.rig.card_control("remove")
        eventually(lambda: self.state() == "no-card", "the removal is noticed", 10)
        self.rig.card_control(f"insert {card}")
        eventually(lambda: self.state() == "ready", f"the daemon has the card {card.name}", 20)

    def take_out(self) -> None:
        self.rig.card_control("remove")
        eventually(lambda: self.state() == "no-card", "the removal is noticed", 10)

    def put_back(self) -> None:
        self.rig.card_control("insert")
        eventually(lambda: self.state() == "ready", "the same card is back", 20)

    def force(self) -> int:
        """Exit status of a bootstrapping and a derivation, whatever there is already."""
        return self.rig.try_ctl("bootstrap", "--force", "--naf", self.rig.options.subscriber.naf_fqdn).returncode

    def start_over(self) -> str:
        """The first card is in, and device 1 has a key of it. The key's fingerprint."""
        if self.state() != "ready" or self.identity() != self.first:
            self.put_in(self.rig.card)
        result = self.rig.run_device(self.rig.devices[0])
        self.assertIn(result["result"], ("established", "resumed"), result)
        self.rig.run_device(self.rig.devices[1], "forget", "--all")
        return str(result["fingerprint"])

    def check_away(self) -> None:
        """What holds while there is no card."""
        eventually(lambda: self.state() == "no-card", "the removal is noticed", 10)
        noticed = time.monotonic()
        status = self.rig.ctl("status")
        self.assertIn(self.identity(), (None, ""))  # a modem is a reader without a card
        self.assertEqual(status["sessions"], [])
        self.assertEqual(self.key_state(), "suspended")
        answer = self.rig.run_device(self.rig.devices[0])
        self.assertEqual((answer["result"], answer["error"]), ("failed", "RetryAfter"), answer)
        if CAN_SCAN:
            secrets = self.secrets(GONE)
            time.sleep(max(0.0, noticed + 1 - time.monotonic()))
            self.assertEqual(self.scan(secrets), [])

    def check_other(self, old: str) -> None:
        """What holds with the other card in."""
        self.put_in(self.rig.other_card)
        self.assertNotEqual(self.identity(), self.first)
        self.assertEqual(self.key_state(), "none")
        if CAN_SCAN:
            self.assertEqual(self.scan(self.secrets()), [])
        position = self.rig.steps.position()
        run = self.rig.run_device(self.rig.devices[0])
        self.assertEqual(run["result"], "established", run)  # by a bootstrapping with the other card
        self.assertNotEqual(run["fingerprint"], old)
        names = [event.name for event in self.rig.steps.since(position)]
        self.assertNotIn("stored-key-accepted", names)
        self.assertIn("gba-run-started", names)


class PowerUp(RemovalTest):
    """The card goes while it is being read."""

    def test_pull_at_every_exchange_of_power_up(self) -> None:
        self.put_in(self.rig.card)
        exchanges = self.commands()
        self.assertGreater(exchanges, 10)
        for number in range(1, exchanges + 1):
            with self.subTest(exchange=number):
                old = self.start_over()
                self.take_out()
                self.rig.card_control(f"fault kind=remove at={number}")
                self.rig.card_control("insert")
                eventually(lambda: not self.rig.card_control("count")["card"], "the card is pulled", 10)
                self.check_away()
                self.check_other(old)


class Removal(RemovalTest):
    """The card goes in the middle of a run."""

    @unittest.skipUnless(CAN_SCAN, "needs root: the daemon's memory is not open to its own user")
    def test_scanner_finds_what_is_there(self) -> None:
        self.start_over()
        self.assertEqual(self.force(), 0)
        found = self.scan(self.secrets())
        self.assertLessEqual(self.held, {copy.name.split(" of ")[0] for copy in found})
        self.assertEqual([copy for copy in found if copy.region_size != SECURE_HEAP or copy.region != "anonymous"], [])

    def test_same_card_again(self) -> None:
        old = self.start_over()
        self.rig.card_control("remove")
        self.check_away()
        self.put_back()
        self.assertEqual(self.key_state(), "established")
        run = self.rig.run_device(self.rig.devices[0])
        self.assertEqual((run["result"], run["fingerprint"]), ("resumed", old), run)

    def test_pull_at_every_exchange_of_a_run(self) -> None:
        self.start_over()
        before = self.commands()
        self.assertEqual(self.force(), 0)
        self.assertEqual(self.commands() - before, self.exchanges)
        for number in range(1, self.exchanges + 1):
            with self.subTest(exchange=number):
                old = self.start_over()
                self.rig.card_control(f"fault kind=remove at={number}")
                self.assertNotEqual(self.force(), 0)
                self.assertFalse(self.rig.card_control("count")["card"])
                self.check_away()
                self.check_other(old)

    def test_pull_at_every_exchange_of_an_establishment(self) -> None:
        """Device 2 finds no context: the run is made for it, and its key is half made when the card goes."""
        for number in range(1, self.exchanges + 1):
            with self.subTest(exchange=number):
                old = self.start_over()
                self.take_out()
                self.put_back()
                self.rig.card_control(f"fault kind=remove at={number}")
                answer = self.rig.run_device(self.rig.devices[1])
                self.assertEqual(answer["result"], "failed", answer)
                self.check_away()
                self.check_other(old)


    def swap(self) -> None:
        self.rig.card_control(f"remove\ninsert {self.rig.other_card}")

    def test_swap_without_a_pause(self) -> None:
        """Quicker than pcscd looks; the daemon may only ever see the other card."""
        old = self.start_over()
        self.assertEqual(self.force(), 0)
        self.rig.card_control("no-faults")
        self.swap()
        eventually(lambda: self.identity() not in (None, "", self.first), "the daemon has the other card", 20)
        self.assertEqual(self.key_state(), "none")
        if CAN_SCAN:
            self.assertEqual(self.scan(self.secrets()), [])
        run = self.rig.run_device(self.rig.devices[0])
        self.assertEqual(run["result"], "established", run)
        self.assertNotEqual(run["fingerprint"], old)


class RemovalT1(Removal):
    variations = {**Removal.variations, "protocol": "t1"}
    exchanges = 4  # nothing is fetched by GET RESPONSE


class RemovalModem(Removal):
    """The modem tells of it. Its exchanges: tests/system/modem_test.py."""
    variations = {**Removal.variations, "modem": {"removed_line": "+QSIMSTAT: 1,0", "inserted_line": "+QSIMSTAT: 1,1"}}
    exchanges = 20

    def swap(self) -> None:
        """It tells of both; a line that it has said a moment before would be none (uicc/at_port.hpp)."""
        self.rig.card_control("remove")
        self.rig.card_control(f"insert {self.rig.other_card}")


class RemovalGbaMe(Removal):
    """CK and IK leave the card, Ks is the daemon's."""
    variations = {**Removal.variations, "mode": "gba-me"}
    exchanges = 2  # AUTHENTICATE and GET RESPONSE; NAF keys cost none
    held = {"Ks", "Ks_(ext)_NAF", "Ks_local_MT"}


if __name__ == "__main__":
    tap.main()

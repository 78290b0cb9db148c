#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A card that wants its PIN gets it from a user, by `mtkeyctl pin`; a wrong one never costs more than one attempt."""
import json
from typing import Any

from harness import Options, Rig, SystemTest, build_folder, eventually
import tap

PIN = "4711"


class Pin(SystemTest):
    variations: dict[str, Any] = {"pin": PIN, "pin_known": False}

    @classmethod
    def setUpClass(cls) -> None:  # it does not become ready by itself
        cls.rig = cls.enterClassContext(Rig(Options(build=build_folder(), **cls.variations)))

    def uicc(self) -> dict[str, Any]:
        return dict(self.rig.ctl("status")["uicc"] or {})

    def wants_pin(self, attempts_left: int) -> None:
        eventually(lambda: (self.rig.ctl("status")["state"], self.uicc().get("pin_attempts_left")) ==
                   ("pin-required", attempts_left), f"a PIN is asked for, {attempts_left} attempts left", 20)

    def show(self, digits: str) -> tuple[int, dict[str, Any]]:
        done = self.rig.try_ctl("--json", "pin", typed=digits + "\n")
        return done.returncode, json.loads(done.stdout or done.stderr)

    def test_1_nothing_is_done_without(self) -> None:
        self.wants_pin(3)
        self.assertNotEqual(self.rig.try_ctl("bootstrap").returncode, 0)

    def test_2_wrong_one_costs_one_attempt(self) -> None:
        status, answer = self.show("0000")
        self.assertNotEqual(status, 0)
        self.assertEqual(answer["error"], "PinIncorrect", answer)
        self.wants_pin(2)

    def test_3_nonsense_costs_none(self) -> None:
        for digits in ("", "123", "123456789", "12a4"):
            self.assertNotEqual(self.show(digits)[0], 0)
        self.wants_pin(2)

    def test_4_right_one_opens_the_card(self) -> None:
        status, answer = self.show(PIN)
        self.assertEqual((status, answer), (0, {"pin": "accepted"}))
        eventually(lambda: self.rig.ctl("status")["state"] == "ready", "the card is open", 20)
        self.assertEqual(self.establish().result["result"], "established")
        self.assertNotEqual(self.show(PIN)[0], 0)  # nobody asks for it now

    def test_5_it_is_not_kept(self) -> None:
        self.rig.card_control("remove")
        eventually(lambda: self.rig.ctl("status")["state"] == "no-card", "the card is out", 10)
        self.rig.card_control("insert")
        self.wants_pin(3)  # the right one has set the counter back

    def test_6_the_last_attempt_is_the_users_own(self) -> None:
        self.assertEqual(self.show("0000")[1]["error"], "PinIncorrect")
        self.assertEqual(self.show("0001")[1]["error"], "PinIncorrect")
        for _ in range(2):
            status, answer = self.show("0002")
            self.assertNotEqual(status, 0)
            self.assertEqual(answer["error"], "PinFloor", answer)
        self.assertEqual(self.uicc()["pin_attempts_left"], 1)


class PinByModem(Pin):
    variations = {**Pin.variations, "modem": {"removed_line": "+QSIMSTAT: 1,0", "inserted_line": "+QSIMSTAT: 1,1"}}


if __name__ == "__main__":
    tap.main()

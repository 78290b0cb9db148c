#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""virtual-modem on its pseudo terminal: AT commands to a complete authentication, and its ways of being difficult.

Usage: virtual_modem.py VIRTUAL-MODEM [CASE...]      (writes TAP)
"""
import os
import select
import sys
import unittest
from typing import Any

from card_parts import IMSI, ISIM, USIM, Control, Folder, Network  # first: it sets the path

import tap
from rig.processes import Party

PROGRAM = sys.argv.pop(1)


def line(*texts: str) -> str:
    return "".join(f"\r\n{text}\r\n" for text in texts)


class ModemTest(unittest.TestCase):
    def start(self, modem: str = "", **card: Any) -> Party:
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.network = Network()
        settings = self.folder.path / "modem.toml"
        settings.write_text(modem)
        party = Party("virtual-modem", [PROGRAM, "--card", str(self.folder.card(**card)), "--modem", str(settings),
                                        "--link", str(self.folder.path / "tty"), "--control",
                                        str(self.folder.path / "control")], self.folder.path / "modem.log")
        self.addCleanup(party.stop)
        self.assertEqual(party.ready()["tty"], os.readlink(self.folder.path / "tty"))
        self.control = Control(self.folder.path / "control")
        self.addCleanup(self.control.close)
        self.open()
        return party

    def open(self) -> None:
        self.tty = os.open(self.folder.path / "tty", os.O_RDWR | os.O_NOCTTY)
        self.addCleanup(os.close, self.tty)

    def at(self, command: str, end: str = "OK", timeout: float = 10) -> str:
        """Everything up to a line that starts with `end`; what there is when it does not come."""
        os.write(self.tty, command.encode() + b"\r")
        answer = ""
        while not any(text.startswith(end) for text in answer.split("\r\n")[:-1]):
            if not select.select([self.tty], [], [], timeout)[0]:
                return answer
            answer += os.read(self.tty, 1024).decode()
        return answer

    def test_authentication_through_sessions(self) -> None:
        self.start()
        self.assertEqual(self.at("AT+CIMI"), line(IMSI, "OK"))
        self.assertEqual(self.at(f'AT+CCHO="{USIM.hex()}"'), line("+CCHO: 5", "OK"))
        self.assertEqual(self.at(f'at+ccho="{ISIM.hex()}"'), line("+CCHO: 6", "OK"))
        for session in (6, 5):
            rand, autn = self.network.challenge(gba_u=True)
            command = "0088008423dd10" + rand.hex() + "10" + autn.hex()
            self.assertEqual(self.at(f'AT+CGLA={session},{len(command)},"{command}"'), line('+CGLA: 4,"610A"', "OK"))
            answer = "DB08" + self.network.res(rand, True).hex().upper() + "9000"
            self.assertEqual(self.at(f'AT+CGLA={session},10,"00C000000A"'), line(f'+CGLA: 24,"{answer}"', "OK"))
            self.assertEqual(self.at(f"AT+CCHC={session}"), line("OK"))
            self.assertEqual(self.at(f"AT+CCHC={session}", "+CME"), line("+CME ERROR: 21"))
        self.assertEqual(self.at(f'AT+CCHO="{USIM.hex()}"'), line("+CCHO: 7", "OK"))

    def test_authentication_on_the_basic_channel(self) -> None:
        self.start("fetches = true")
        select = "00a4040c07" + USIM.hex()
        self.assertEqual(self.at(f'AT+CSIM={len(select)},"{select}"'), line('+CSIM: 4,"9000"', "OK"))
        rand, autn = self.network.challenge(gba_u=False)
        command = "0088008122" + "10" + rand.hex() + "10" + autn.hex()
        ks = self.network.ks(rand)
        answer = (b"\xdb\x08" + self.network.res(rand, False) + b"\x10" + ks[:16] + b"\x10" + ks[16:]).hex().upper()
        self.assertEqual(self.at(f'AT+CSIM={len(command)},"{command}"'),
                         line(f'+CSIM: {len(answer) + 4},"{answer}9000"', "OK"))
        self.assertEqual(self.at('AT+CSIM=12,"00A40004022FE2"', "+CME"), line("+CME ERROR: 50"))

    def test_sessions_end_with_the_card(self) -> None:
        self.start()
        self.assertEqual(self.at(f'AT+CCHO="{USIM.hex()}"'), line("+CCHO: 5", "OK"))
        self.control.say("remove")
        self.control.say("insert")
        self.assertEqual(self.at('AT+CGLA=5,10,"00B0870009"', "+CME"), line("+CME ERROR: 21"))

    def test_errors_and_echo(self) -> None:
        self.start("echo = true\nerrors = 0")
        self.assertEqual(self.at("AT"), "AT\r" + line("OK"))
        self.assertEqual(self.at("AT+NONSENSE", "ERROR"), "AT+NONSENSE\r" + line("ERROR"))
        self.assertEqual(self.at("ATE0"), "ATE0\r" + line("OK"))
        self.control.say("remove")
        for setting, text in ((0, "ERROR"), (1, "+CME ERROR: 10"), (2, "+CME ERROR: SIM not inserted")):
            self.assertEqual(self.at(f"AT+CMEE={setting}"), line("OK"))
            self.assertEqual(self.at("AT+CPIN?", text), line(text))
        self.control.say("insert")
        self.assertEqual(self.at("AT+CPIN?"), line("+CPIN: READY", "OK"))

    def test_pin(self) -> None:
        self.start(top='pin = "1234"')
        self.assertEqual(self.at("AT+CPIN?"), line("+CPIN: SIM PIN", "OK"))
        self.assertEqual(self.at("AT+CIMI", "+CME"), line("+CME ERROR: 11"))
        self.assertEqual(self.at('AT+CPIN="4321"', "+CME"), line("+CME ERROR: 16"))
        self.assertEqual(self.at('AT+CPIN="1234"'), line("OK"))
        self.assertEqual(self.at("AT+CPIN?"), line("+CPIN: READY", "OK"))

    def test_ways_of_answering(self) -> None:
        read = 'AT+CSIM=14,"00A4000C022FE2"'
        for modem, answer in (('quoting = "bare"', line("+CSIM: 4,9000", "OK")),
                              ('quoting = "no-space"', line('+CSIM:4,"9000"', "OK")),
                              ("no_status_word = true", line('+CSIM: 0,""', "OK")),
                              ('unsolicited = ["+CREG: 1", "RING"]', line("+CREG: 1", "RING", '+CSIM: 4,"9000"', "OK")),
                              ('unsolicited = ["RING"]\nunsolicited_at = "between"',
                               line('+CSIM: 4,"9000"', "RING", "OK")),
                              ("delay_milliseconds = 50", line('+CSIM: 4,"9000"', "OK"))):
            with self.subTest(modem):
                self.start(modem)
                self.assertEqual(self.at(read), answer)
        for modem, command in (("no_csim = true", read), ("no_channels = true", f'AT+CCHO="{USIM.hex()}"')):
            with self.subTest(modem):
                self.start(modem)
                self.assertEqual(self.at(command, "+CME"), line("+CME ERROR: 4"))

    def test_hang_up_and_return(self) -> None:
        party = self.start("hang_up_at = 2\nreturn_after_milliseconds = 50")
        self.assertEqual(self.at("AT"), line("OK"))
        os.write(self.tty, b"AT\r")
        select.select([self.tty], [], [], 10)
        try:
            self.assertEqual(os.read(self.tty, 10), b"")
        except OSError:
            pass  # EIO: the other way of telling it
        party.ready()
        self.open()
        self.assertEqual(self.at("AT"), line("OK"))

    def test_mute_card(self) -> None:
        self.start("card_timeout_milliseconds = 50")
        self.assertTrue(self.control.say("fault kind=mute at=1")["ok"])
        self.assertEqual(self.at("AT+CIMI", "+CME"), line("+CME ERROR: 13"))
        self.control.say("remove")
        self.control.say("insert")
        self.assertEqual(self.at("AT+CIMI"), line(IMSI, "OK"))

    def test_noise_is_ignored(self) -> None:
        self.start()
        os.write(self.tty, b"\x00\xff~~~\r\n\r\rgarbage\r" + b"x" * 3000 + b"\r")
        self.assertEqual(self.at("AT"), line("OK"))


if __name__ == "__main__":
    tap.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""virtual-uicc at a driver that this script plays: faults, state over restarts, reconnection. No pcscd, any port of loopback.

Usage: virtual_reader.py VIRTUAL-UICC [CASE...]      (writes TAP)
"""
import os
import signal
import socket
import struct
import sys
import time
import unittest
from typing import Any, Optional

from card_parts import ICCID, IMSI, SIM, USIM, Control, Folder, Network, digits  # first: it sets the path

import tap
from rig.processes import Party

PROGRAM = sys.argv.pop(1)
POWER_OFF, POWER_ON, GET_ATR = b"\x00", b"\x01", b"\x04"
SELECT_USIM = "00a4040c07" + USIM.hex()
READ_ICCID = ["00a4000c022fe2", "00b000000a"]


class Driver:
    """The end of vpcd: listens, and takes one card."""

    def __init__(self, port: int = 0) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.settimeout(10)
        self.port = self._listener.getsockname()[1]
        self._card: Optional[socket.socket] = None

    def accept(self) -> bytes:
        """ATR of the card that has come."""
        self._card, _ = self._listener.accept()
        self._card.settimeout(5)
        self.send(POWER_ON)
        self.send(GET_ATR)
        return self.receive()

    def close(self) -> None:
        if self._card:
            self._card.close()
        self._listener.close()

    def send(self, octets: bytes) -> None:
        self._card.sendall(struct.pack(">H", len(octets)) + octets)

    def receive(self) -> bytes:
        length, = struct.unpack(">H", self._exactly(2))
        return self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        octets = b""
        while len(octets) < count:
            part = self._card.recv(count - len(octets))
            if not part:
                raise EOFError
            octets += part
        return octets

    def command(self, text: str) -> str:
        self.send(bytes.fromhex(text))
        return self.receive().hex()

    def commands(self, *texts: str) -> list[str]:
        return [self.command(text) for text in texts]

    def is_silent(self, text: str, seconds: float) -> bool:
        self.send(bytes.fromhex(text))
        self._card.settimeout(seconds)
        try:
            self._card.recv(1)
            return False
        except TimeoutError:
            return True
        finally:
            self._card.settimeout(5)


class ReaderTest(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.driver = Driver()
        self.addCleanup(lambda: self.driver.close())
        self.network = Network()

    def start(self, **profile: Any) -> Party:
        card = self.folder.card(**profile)
        party = Party("virtual-uicc", [PROGRAM, "--card", str(card), "--port", str(self.driver.port), "--control",
                                       str(self.folder.path / "control")], self.folder.path / "card.log")
        self.addCleanup(party.stop)
        self.driver.accept()
        party.ready()
        self.control = Control(self.folder.path / "control")
        self.addCleanup(self.control.close)
        return party

    def fault(self, words: str) -> None:
        self.assertTrue(self.control.say("fault " + words)["ok"])

    def authenticate(self, gba_u: bool = False, sqn: Optional[int] = None) -> str:
        rand, autn = self.network.challenge(gba_u, sqn)
        return self.driver.command("00880081" "22" "10" + rand.hex() + "10" + autn.hex())

    def sim(self, header: str, data: bytes = b"", le: int = 0) -> bytes:
        """A command to a SIM as a phone sends it (TS 51.011 clause 9): P3, then GET RESPONSE after 9Fxx."""
        answer = bytes.fromhex(self.driver.command(f"a0{header}{len(data) or le:02x}" + data.hex()))
        if answer[:1] == b"\x9f" and len(answer) == 2:
            answer = bytes.fromhex(self.driver.command(f"a0c00000{answer[1]:02x}"))
        self.assertEqual(answer[-2:], b"\x90\x00", f"{header} {data.hex()}")
        return answer[:-2]

    def test_sim(self) -> None:
        self.start(kind=SIM, top='pin = "1234"')
        self.assertEqual(self.driver.command("00a40004023f00"), "6e00")
        for fid, kind in (("3f00", 1), ("7f20", 2)):
            told = self.sim("a40000", bytes.fromhex(fid))
            self.assertEqual((told[4:6].hex(), told[6], told[13] & 0x80, told[18]), (fid, kind, 0, 0x83))
        self.assertEqual(self.driver.command("a088000010" + bytes(16).hex()), "9804")
        self.sim("200001", b"1234\xff\xff\xff\xff")
        self.sim("a40000", bytes.fromhex("3f00"))
        contents = []
        for fid in ("2fe2", "7f20", "6f07", "6fad"):
            told = self.sim("a40000", bytes.fromhex(fid))
            if told[6] == 4:
                contents.append(self.sim("b00000", le=int.from_bytes(told[2:4], "big")))
        self.assertEqual((digits(contents[0]), digits(contents[1][1:])[1:], contents[2][3]), (ICCID, IMSI, 2))
        for _ in range(20):
            rand = os.urandom(16)
            self.assertEqual(self.sim("880000", rand), self.network.gsm(rand))

    def test_faults_at_one_command(self) -> None:
        self.start(top='protocol = "t1"')
        good = "988812010000000010f89000"
        for words, answer in (("kind=status sw=6581", "6581"), ("kind=short", "98"), ("kind=empty", "9000"),
                              ("kind=long", "00" * 300 + "9000"), ("kind=delay milliseconds=30", good),
                              ("kind=reset", "6986"), ("kind=mute milliseconds=30", "")):
            with self.subTest(words):
                self.driver.send(POWER_ON)
                self.assertEqual(self.driver.commands(*READ_ICCID), ["9000", good])
                self.fault("at=1 " + words)
                self.assertEqual(self.driver.command(READ_ICCID[1]), answer)
                self.driver.send(POWER_ON)
                self.assertEqual(self.driver.commands(*READ_ICCID), ["9000", good])

    def test_fault_script_of_the_profile(self) -> None:
        self.start(tables='[[fault]]\nat = 2\ntimes = 2\nsw = "6f01"\n'
                          '[[fault]]\nat = 4\nsince = "power-up"\nkind = "endless-6cxx"\n')
        self.assertEqual(self.driver.commands(*[SELECT_USIM] * 4), ["9000", "6f01", "6f01", "6c10"])
        self.assertEqual(self.driver.command(READ_ICCID[0]), "6c10")
        self.driver.send(POWER_ON)
        self.assertEqual(self.driver.commands(*[SELECT_USIM] * 4), ["9000", "9000", "9000", "6c10"])

    def test_endless_61xx(self) -> None:
        self.start()
        self.fault("at=1 kind=endless-61xx")
        self.assertEqual(self.driver.commands(SELECT_USIM, "00c0000010"), ["6110", "a5" * 16 + "6110"])
        self.driver.send(POWER_ON)
        self.assertEqual(self.driver.command(SELECT_USIM), "9000")

    def test_mute_until_pulled(self) -> None:
        self.start()
        self.fault("at=1 kind=mute")
        self.assertTrue(self.driver.is_silent(SELECT_USIM, 0.3))
        self.control.say("remove")
        with self.assertRaises(EOFError):
            self.driver.receive()
        self.control.say("insert")
        self.driver.accept()
        self.assertEqual(self.driver.command(SELECT_USIM), "9000")

    def test_removed_by_its_script_and_put_back_by_signal(self) -> None:
        party = self.start(tables='[[fault]]\nat = 3\nkind = "remove"\n')
        self.assertEqual(self.driver.commands(*[SELECT_USIM] * 2), ["9000", "9000"])
        with self.assertRaises(EOFError):
            self.driver.command(SELECT_USIM)
        self.assertEqual(self.control.say("count"), {"ok": True, "card": False, "commands": 3, "since_power_up": 3})
        party.process.send_signal(signal.SIGUSR2)
        self.driver.accept()
        self.assertEqual(self.driver.command(SELECT_USIM), "9000")
        self.assertEqual(self.control.say("count")["commands"], 4)

    def test_another_card(self) -> None:
        self.start()
        other = self.folder.card("other.toml", top='iccid = "8949000000000000005"')
        self.assertTrue(self.control.say(f"insert {other}")["card"])
        with self.assertRaises(EOFError):
            self.driver.receive()
        self.driver.accept()
        self.assertEqual(self.driver.commands(*READ_ICCID)[1], "989400000000000000f59000")
        self.assertFalse(self.control.say("insert nonsense.toml")["ok"])

    def test_driver_comes_back(self) -> None:
        self.start()
        for _ in range(3):
            self.assertEqual(self.driver.command(SELECT_USIM), "9000")
            self.driver.close()
            time.sleep(0.2)  # longer than the first pause: it finds nobody there
            self.driver = Driver(self.driver.port)
            since = time.monotonic()
            self.driver.accept()
            self.assertLess(time.monotonic() - since, 2)
            self.assertEqual(self.driver.command("00b0870009"), "6a82")  # no USIM is selected, the MF has no such file

    def test_sqn_and_pin_attempts_outlive_the_program(self) -> None:
        party = self.start(top='pin = "1234"\nstate = "card.state"')
        good, bad = "002000010831323334ffffffff", "002000010839393939ffffffff"
        self.assertEqual(self.driver.commands(SELECT_USIM, good), ["9000", "9000"])
        self.assertTrue(self.authenticate(sqn=64).startswith("61"))
        self.assertEqual(self.driver.command(bad), "63c2")
        self.assertEqual(party.stop(), 0)
        self.assertEqual((self.folder.path / "card.state").stat().st_mode & 0o777, 0o600)
        self.driver.close()
        self.driver = Driver()
        party = self.start(top='pin = "1234"\nstate = "card.state"')
        self.assertEqual(self.driver.commands(SELECT_USIM, bad, good), ["9000", "63c1", "9000"])
        rand, autn = self.network.challenge(False, 64)
        self.assertEqual(self.driver.command("0088008122" "10" + rand.hex() + "10" + autn.hex()), "6110")
        auts = self.network.milenage.auts(rand, (64).to_bytes(6, "big"))
        self.assertEqual(self.driver.command("00c0000010"), "dc0e" + auts.hex() + "9000")

    def test_a_key_that_others_may_read_is_refused(self) -> None:
        card = self.folder.card()
        os.chmod(card, 0o644)
        party = Party("virtual-uicc", [PROGRAM, "--card", str(card), "--port", str(self.driver.port)],
                      self.folder.path / "card.log")
        self.assertNotEqual(party.process.wait(10), 0)
        party.kill()


if __name__ == "__main__":
    tap.main()

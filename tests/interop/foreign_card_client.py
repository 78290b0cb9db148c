#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Programs that were not written here use the virtual UICC over PC/SC: python3-pyscard from EF_DIR to AUTHENTICATE, opensc.

Usage: foreign_card_client.py VIRTUAL-UICC [CASE...]      (writes TAP)
"""
import os
import shutil
import subprocess
import sys
import time
import unittest
from pathlib import Path
from typing import Optional

from card_parts import ICCID, IMSI, ISIM, SIM, USIM, Control, Folder, Network, digits, tlv  # first: it sets the path

import gba_ref
import tap
from rig.processes import Party
from rig.system_parts import VPCD_DRIVER, CardService

try:
    from smartcard.CardConnection import CardConnection
except ImportError:
    CardConnection = None

PROGRAM = sys.argv.pop(1)
NAF = "nafkc.mnc001.mcc001.pub.3gppnetwork.org"
UA = bytes.fromhex("ff00033259")


def missing() -> Optional[str]:
    if CardConnection is None:
        return "python3-pyscard is not installed"
    if not Path(VPCD_DRIVER).exists() or not Path("/usr/sbin/pcscd").exists():
        return "pcscd or vsmartcard-vpcd is not installed"
    return None


class Client:
    """A card by pyscard, as pySim drives it: T=0 commands without Le, 61xx and 6Cxx by itself."""

    def __init__(self, reader: str, protocol: str) -> None:
        from smartcard.System import readers
        chosen = next(entry for entry in readers() if str(entry) == reader)
        self.t0 = protocol == "t0"
        self._connection = chosen.createConnection()
        self._connection.connect(CardConnection.T0_protocol if self.t0 else CardConnection.T1_protocol)

    def close(self) -> None:
        self._connection.disconnect()

    def send(self, header: str, data: bytes = b"", le: Optional[int] = None) -> tuple[bytes, int]:
        command = bytes.fromhex(header)
        if data:
            command += bytes([len(data)]) + data
        if le is not None and not (self.t0 and data):
            command += bytes([le % 256])
        answer, sw1, sw2 = self._connection.transmit(list(command))
        if sw1 == 0x6C:
            return self.send(header, data, sw2)
        if sw1 in (0x61, 0x9F):
            more, word = self.send(f"{command[0] if sw1 == 0x9F else command[0] & 0x7F:02x}c00000", le=sw2)
            return bytes(answer) + more, word
        return bytes(answer), sw1 << 8 | sw2

    def good(self, header: str, data: bytes = b"", le: Optional[int] = None) -> bytes:
        answer, word = self.send(header, data, le)
        if word != 0x9000:
            raise AssertionError(f"{header} {data.hex()}: {word:04x}")
        return answer

    def select(self, fid: int, cla: int = 0) -> bytes:
        return self.good(f"{cla:02x}a40004", fid.to_bytes(2, "big"), 256)

    def read(self, fid: int) -> bytes:
        size = int.from_bytes(tlv(tlv(self.select(fid), 0x62), 0x80), "big")
        return self.good("00b00000", le=size)

    def records(self, fid: int) -> list[bytes]:
        descriptor = tlv(tlv(self.select(fid), 0x62), 0x82)
        return [self.good(f"00b2{number + 1:02x}04", le=int.from_bytes(descriptor[2:4], "big"))
                for number in range(descriptor[4])]

    def applications(self) -> list[bytes]:
        """Complete AIDs, from EF_DIR."""
        self.select(0x3F00)
        return [tlv(tlv(record, 0x61), 0x4F) for record in self.records(0x2F00) if record[0] == 0x61]

    def open(self, prefix: bytes, cla: int = 0) -> bytes:
        aid = next(aid for aid in self.applications() if aid.startswith(prefix))
        return self.good(f"{cla:02x}a40404", aid, 256)

    def authenticate(self, context: int, data: bytes, cla: int = 0) -> bytes:
        return self.good(f"{cla:02x}8800{context:02x}", data, 256)


class Reader:
    """pcscd with the virtual reader, and the slot in it. One for all cases: pyscard keeps its first context for ever."""
    name = ""
    folder: Folder
    control: Control

    @classmethod
    def start(cls) -> None:
        cls.folder = Folder()
        unittest.addModuleCleanup(cls.folder.close)
        service = CardService(cls.folder.path, cls.folder.path / "pcscd.log", dict(os.environ))
        unittest.addModuleCleanup(service.close)
        os.environ["PCSCLITE_CSOCK_NAME"] = str(service.socket)
        socket = cls.folder.path / "control"
        party = Party("virtual-uicc", [PROGRAM, "--card", str(cls.folder.card()), "--port", str(service.port),
                                       "--control", str(socket)],
                      cls.folder.path / "card.log", launch=service.launch_inside())
        unittest.addModuleCleanup(party.stop)
        party.ready()
        cls.control = Control(socket)
        unittest.addModuleCleanup(cls.control.close)
        cls.wait(True)

    @classmethod
    def connects(cls) -> bool:
        from smartcard.Exceptions import SmartcardException
        from smartcard.System import readers
        for reader in readers():
            try:
                connection = reader.createConnection()
                connection.connect()
                connection.disconnect()
                cls.name = str(reader)
                return True
            except SmartcardException:
                continue
        return False

    @classmethod
    def wait(cls, card: bool) -> None:
        end = time.monotonic() + 20
        while cls.connects() != card:
            if time.monotonic() > end:
                raise AssertionError(f"the reader {'sees no' if card else 'still sees a'} card after 20 s")
            time.sleep(0.05)

    @classmethod
    def swap(cls, profile: str = "") -> None:
        """The card out, as the reader sees it, and this one in; without one the same again."""
        if cls.control.say("remove")["card"]:
            raise AssertionError("the card is still in")
        cls.wait(False)
        if not cls.control.say(f"insert {profile}".strip())["card"]:
            raise AssertionError("no card in")
        cls.wait(True)


def setUpModule() -> None:
    if missing():
        raise unittest.SkipTest(missing())
    Reader.start()


class Cases:
    """Every case for each protocol."""
    protocol = ""

    @classmethod
    def setUpClass(cls) -> None:
        Reader.swap(Reader.folder.card(f"{cls.protocol}.toml", f'''protocol = "{cls.protocol}"
pin = "1234"
local_key = true
naf_key_centers = ["a.example.org"]'''))
        cls.network = Network()

    def setUp(self) -> None:
        self.client = Client(Reader.name, self.protocol)
        self.addCleanup(self.client.close)

    def verify_pin(self, cla: int = 0) -> None:
        self.client.good(f"{cla:02x}200001", b"1234\xff\xff\xff\xff")

    def bootstrap(self, cla: int = 0) -> bytes:
        """RAND of a bootstrapping that went well."""
        rand, autn = self.network.challenge(gba_u=True)
        answer = self.client.authenticate(0x84, b"\xdd\x10" + rand + b"\x10" + autn, cla)
        self.assertEqual(answer, b"\xdb\x08" + self.network.res(rand, gba_u=True))
        return rand

    def check_naf_key(self, rand: bytes, impi: str, cla: int = 0) -> None:
        naf_id = gba_ref.naf_id(NAF, UA)
        answer = self.client.authenticate(
            0x84, b"\xde" + bytes([len(naf_id)]) + naf_id + bytes([len(impi)]) + impi.encode(), cla)
        self.assertEqual(answer, b"\xdb\x20" + gba_ref.ks_ext_naf(self.network.ks(rand), rand, impi, naf_id))

    def test_identity(self) -> None:
        self.client.select(0x3F00)
        self.assertEqual(digits(self.client.read(0x2FE2)), ICCID)
        self.assertEqual([aid[:7] for aid in self.client.applications()], [USIM, ISIM])
        fcp = tlv(self.client.open(USIM), 0x62)
        self.assertEqual(tlv(fcp, 0xC6), bytes.fromhex("900180830101"))
        self.assertEqual(self.client.read(0x6FAD)[3] & 15, 2)
        self.client.select(0x6F07)
        self.assertEqual(self.client.send("00b00000", le=9)[1], 0x6982)
        self.verify_pin()
        self.assertEqual(digits(self.client.read(0x6F07)[1:])[1:], IMSI)
        self.assertEqual(self.client.read(0x6F38)[8] & 0x08, 0x08)

    def test_usim_3g(self) -> None:
        self.client.open(USIM)
        self.verify_pin()
        rand, autn = self.network.challenge(gba_u=False)
        answer = self.client.authenticate(0x81, b"\x10" + rand + b"\x10" + autn)
        ks = self.network.ks(rand)
        self.assertEqual(answer, b"\xdb\x08" + self.network.res(rand, False) + b"\x10" + ks[:16] + b"\x10" + ks[16:])
        # The same again is a synchronisation failure with the highest SQN.
        answer = self.client.authenticate(0x81, b"\x10" + rand + b"\x10" + autn)
        self.assertEqual(answer, b"\xdc\x0e" + self.network.milenage.auts(rand, self.network.sqn.to_bytes(6, "big")))

    def test_usim_gba(self) -> None:
        self.client.open(USIM)
        self.verify_pin()
        rand = self.bootstrap()
        b_tid, lifetime = gba_ref.btid(rand, "bsf.example.org").encode(), b"2030-01-01T12:00:00Z"
        self.client.select(0x6FD6)
        self.client.good("00d60011", bytes([len(b_tid)]) + b_tid + bytes([len(lifetime)]) + lifetime)
        self.check_naf_key(rand, gba_ref.impi_from_imsi(IMSI, 2))
        self.assertEqual(self.client.read(0x6FD6)[:17], b"\x10" + rand)
        naf_id = gba_ref.naf_id(NAF, UA)
        self.assertTrue(self.client.records(0x6FDA)[0].startswith(
            b"\x80" + bytes([len(naf_id)]) + naf_id + b"\x81" + bytes([len(b_tid)]) + b_tid + b"\xff"))

    def test_isim_gba_on_a_logical_channel(self) -> None:
        channel = self.client.good("00700000", le=1)[0]
        self.assertEqual(channel, 1)
        self.client.open(ISIM, channel)
        self.verify_pin(channel)
        self.client.select(0x6F02, channel)
        impi = tlv(self.client.good(f"{channel:02x}b00000", le=256), 0x80).decode()
        self.assertEqual(impi, gba_ref.impi_from_imsi(IMSI, 2))
        self.check_naf_key(self.bootstrap(channel), impi, channel)
        self.client.good("007080" + f"{channel:02x}")
        self.assertEqual(self.client.send(f"{channel:02x}b00000", le=1)[1], 0x6881)

    def test_opensc_tool(self) -> None:
        if not shutil.which("opensc-tool"):
            self.skipTest("opensc is not installed")
        done = subprocess.run(["opensc-tool", "--reader", Reader.name, "-s", "00a4040407" + USIM.hex(), "-s",
                               "00a40004026f46"], capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual([line for line in done.stdout.splitlines() if line.startswith("Received")],
                         ["Received (SW1=0x90, SW2=0x00)", "Received (SW1=0x6A, SW2=0x82)"], done.stderr)

    def test_pulled_and_put_back(self) -> None:
        self.client.open(USIM)
        self.verify_pin()
        rand = self.bootstrap()
        before = Reader.control.say("count")["commands"]
        self.assertGreater(before, 0)
        Reader.swap()
        self.assertEqual(Reader.control.say("count")["commands"], before)
        from smartcard.Exceptions import SmartcardException
        with self.assertRaises(SmartcardException):
            self.client.send("80f2000c")
        client = self.client = Client(Reader.name, self.protocol)
        self.addCleanup(client.close)
        # Ks has outlived the removal, the PIN's verification has not.
        client.open(USIM)
        self.assertEqual(client.send("00880084", b"\xde\x06abcdef\x01g")[1], 0x6982)
        self.verify_pin()
        self.check_naf_key(rand, gba_ref.impi_from_imsi(IMSI, 2))


class T0(Cases, unittest.TestCase):
    protocol = "t0"


class T1(Cases, unittest.TestCase):
    protocol = "t1"


class Sim(unittest.TestCase):
    """As pySim drives a card of class A0."""

    @classmethod
    def setUpClass(cls) -> None:
        Reader.swap(Reader.folder.card("sim.toml", 'pin = "1234"', kind=SIM))
        cls.network = Network()

    def setUp(self) -> None:
        self.client = Client(Reader.name, "t0")
        self.addCleanup(self.client.close)

    def select(self, *path: int) -> bytes:
        return [self.client.good("a0a40000", fid.to_bytes(2, "big"), 256) for fid in path][-1]

    def test_no_uicc(self) -> None:
        for header, data in (("00a40004", b"\x3f\x00"), ("00a40404", USIM)):
            self.assertEqual(self.client.send(header, data, 256)[1], 0x6E00)

    def test_identity(self) -> None:
        self.select(0x3F00, 0x2FE2)
        self.assertEqual(digits(self.client.good("a0b00000", le=10)), ICCID)
        self.assertEqual(self.select(0x3F00, 0x7F20)[18], 0x83)
        self.select(0x6F07)
        self.assertEqual(self.client.send("a0b00000", le=9)[1], 0x9804)
        self.client.good("a0200001", b"1234\xff\xff\xff\xff")
        self.assertEqual(digits(self.client.good("a0b00000", le=9)[1:])[1:], IMSI)

    def test_run_gsm_algorithm(self) -> None:
        self.select(0x3F00, 0x7F20)
        self.client.good("a0200001", b"1234\xff\xff\xff\xff")
        for _ in range(20):
            rand = os.urandom(16)
            self.assertEqual(self.client.good("a0880000", rand, 12), self.network.gsm(rand))


if __name__ == "__main__":
    tap.main()

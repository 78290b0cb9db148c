#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""mtkey-card with a virtual UICC: over PC/SC (pcscd, vpcd) and behind a virtual modem. Captures are read by other code."""
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any, Optional

from harness import Options, Rig, build_folder, eventually
from rig import settings
from rig.processes import Party
from rig.system_parts import CardService, can_confine
import gba_ref
import tap

PIN = "2468"


class Surroundings:
    """A folder, a card's profile and keys, and how programs are started; no pcscd of the system's is asked."""

    def __init__(self, case: type[unittest.TestCase]):
        self.folder = Path(tempfile.mkdtemp(prefix="mtkey.", dir="/tmp"))
        case.addClassCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        (self.folder / "logs").mkdir()
        self.options = Options(build=build_folder())
        self.rig = Rig(self.options)  # not entered: only to find programs
        self.environment = dict(os.environ, PCSCLITE_CSOCK_NAME=str(self.folder / "none"))
        self.card = self.write("card.toml", settings.card(self.options.subscriber, True, PIN))
        self.keys = self.write("subscribers.toml", settings.subscribers(self.options.subscriber, "gba-u"))

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def party(self, case: type[unittest.TestCase], name: str, *arguments: str, **how: Any) -> Party:
        party = Party(name, [self.rig.program(name), *arguments], self.folder / "logs" / f"{name}.log",
                      env=self.environment, **how)
        case.addClassCleanup(party.stop)
        return party

    def challenge(self, sqn: int) -> tuple[bytes, dict[str, bytes]]:
        """Data of AUTHENTICATE in the 3G context, and what must never be shown."""
        subscriber = self.options.subscriber
        milenage = gba_ref.Milenage(bytes.fromhex(subscriber.k), bytes.fromhex(subscriber.opc))
        rand, number, amf = os.urandom(16), (sqn * 32).to_bytes(6, "big"), b"\x80\x00"
        autn = bytes(a ^ b for a, b in zip(number, milenage.f5(rand))) + amf + milenage.f1(rand, number, amf)
        secrets = {"RES": milenage.f2(rand), "CK": milenage.f3(rand), "IK": milenage.f4(rand)}
        return bytes([16]) + rand + bytes([16]) + autn, secrets


class CardTest(unittest.TestCase):
    place: list[str] = []
    around: Surroundings
    pin_stays = False  # a card on whose basic channel a PIN was verified, with nobody to reset it

    def run_tool(self, *words: str, status: int = 0, pin: Optional[str] = None, given: str = "") -> str:
        command = [self.around.rig.program("mtkey-card"), *self.place, *words]
        descriptors: tuple[int, ...] = ()
        if pin is not None:
            read, write = os.pipe()
            os.write(write, (pin + "\n").encode())
            os.close(write)
            descriptors = (read,)
            command += ["--pin-fd", str(read)]
        try:
            done = subprocess.run(command, env=self.around.environment, input=given, capture_output=True, text=True,
                                  timeout=120, pass_fds=descriptors, check=False)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.said = done.stderr
        return done.stdout

    def json(self, *words: str, **how: Any) -> Any:
        return json.loads(self.run_tool(*words, "--json", **how))


class Commands:
    """What works the same over PC/SC and behind a modem."""

    def test_info_masks_who_it_is(self: Any) -> None:
        subscriber = self.around.options.subscriber
        info = self.json("info")
        usim = next(one for one in info["applications"] if one["kind"] == "usim")
        pin = next(one for one in usim["pins"] if one["reference"] == 1)
        self.assertTrue(pin["enabled"])
        if not self.pin_stays:
            self.assertEqual((pin["state"], pin["attempts_left"]), ("on", 3))
            self.assertEqual(usim["imsi"]["error"], "PinRequired")
        text = self.run_tool("info")
        self.assertNotIn("8988211000000123456", text + json.dumps(info))
        open_info = self.json("info", pin=PIN)
        usim = open_info["applications"][0]
        self.assertIn("GBA", [one["name"] for one in usim["services"]])
        self.assertNotIn(subscriber.imsi, json.dumps(open_info))
        self.assertIn(subscriber.imsi, json.dumps(self.json("info", "--show-identity", pin=PIN)))

    def test_files_and_read(self: Any) -> None:
        files = self.json("files")
        self.assertIn("EF_ICCID", [one["name"] for one in files["mf"]])
        names = [one["name"] for one in files["applications"][0]["files"]]
        self.assertLessEqual({"EF_IMSI", "EF_UST", "EF_AD", "EF_GBABP"}, set(names))
        for name in ("EF_ICCID", "iccid", "2FE2", "3F00/2FE2"):
            self.assertEqual(self.json("read", name)["decoded"], "8988211000000123456", name)
        for name in ("imsi", "6F07", "7FFF/6F07"):
            found = self.json("read", name, pin=PIN)
            self.assertEqual(found["decoded"], self.around.options.subscriber.imsi)
            self.assertEqual(found["raw"][0][:4], "0809")
        if not self.pin_stays:
            self.assertEqual(self.json("read", "imsi", status=6)["error"], "PinRequired")
        self.assertEqual(self.json("read", "EF_SPN", status=5)["error"], "NotFound")
        self.assertIn("EF_SPN", self.said)
        self.json("read", "no-such-file", status=2)

    def test_pin(self: Any) -> None:
        before = self.json("pin", "status")["pins"][0]
        self.assertEqual(before["attempts_left"], 3)
        self.assertEqual(self.json("pin", "verify", pin="1111", status=6)["error"], "PinIncorrect")
        self.assertEqual(self.json("pin", "status")["pins"][0]["attempts_left"], 2)
        self.assertEqual(self.json("pin", "verify", pin=PIN)["result"], "verified")
        self.assertEqual(self.json("pin", "status")["pins"][0]["attempts_left"], 3)
        self.json("pin", "verify", pin="12x4", status=2)  # nothing was sent
        self.assertEqual(self.json("pin", "status")["pins"][0]["attempts_left"], 3)

    def test_apdu_hides_what_a_card_knows(self: Any) -> None:
        select = "00A4040410" + self.json("info")["applications"][0]["aid"]
        verify = "0020000108" + (PIN.encode() + b"\xff" * 4).hex()
        Commands.sqn += 1
        data, secrets = self.around.challenge(Commands.sqn)
        authenticate = "0088008122" + data.hex() + "00"
        self.run_tool("apdu", select, verify, status=2)
        self.assertIn("PIN on the command line", self.said)
        lines = "\n".join((select, verify, authenticate))
        hidden = self.json("apdu", "-", given=lines)
        self.assertEqual([one["sw"] for one in hidden["exchanges"]], ["9000"] * 3)
        self.assertEqual([one["redacted"] for one in hidden["exchanges"]], [False, True, True])
        for name, secret in {**secrets, "PIN": PIN.encode()}.items():
            self.assertNotIn(secret.hex(), json.dumps(hidden), name)
        self.assertEqual(hidden["exchanges"][2]["data"][:4], "db08")
        Commands.sqn += 1
        data, secrets = self.around.challenge(Commands.sqn)
        authenticate = "0088008122" + data.hex() + "00"
        shown = self.json("apdu", "-", "--secrets", given="\n".join((select, verify, authenticate)))
        for name, secret in secrets.items():
            self.assertIn(secret.hex(), shown["exchanges"][2]["data"], name)
        self.run_tool("apdu", "00A4", status=2)

    def test_the_keys_are_those_of_the_network(self: Any) -> None:
        """GBA_U and GBA_ME: however the card is reached, the keys are what other code computes from K and OPc."""
        subscriber = self.around.options.subscriber
        select = "00A4040410" + self.json("info")["applications"][0]["aid"]
        verify = "0020000108" + (PIN.encode() + b"\xff" * 4).hex()
        naf_id = gba_ref.naf_id(subscriber.naf_fqdn, bytes.fromhex("ff00033259"))
        impi = subscriber.impi.encode()
        Commands.sqn += 1
        data, secrets = self.around.challenge(Commands.sqn)
        rand, autn = data[1:17], data[18:]
        starred = bytes([0xDD, 16]) + rand + bytes([16]) + gba_ref.gba_u_autn(autn, secrets["IK"])
        derive = bytes([0xDE, len(naf_id)]) + naf_id + bytes([len(impi)]) + impi
        Commands.sqn += 1
        second, second_secrets = self.around.challenge(Commands.sqn)
        lines = [select, verify, f"00880084{len(starred):02x}{starred.hex()}00", f"00880084{len(derive):02x}{derive.hex()}00",
                 f"00880081{len(second):02x}{second.hex()}00"]
        answers = [one["data"] for one in self.json("apdu", "-", "--secrets", given="\n".join(lines))["exchanges"]]
        flipped = secrets["RES"][:-1] + bytes([secrets["RES"][-1] ^ 1])
        self.assertEqual(answers[2], "db08" + flipped.hex())
        key = gba_ref.ks_ext_naf(secrets["CK"] + secrets["IK"], rand, subscriber.impi, naf_id)
        self.assertEqual(answers[3], "db20" + key.hex())
        self.assertEqual(answers[4], "db08" + second_secrets["RES"].hex() + "10" + second_secrets["CK"].hex() +
                         "10" + second_secrets["IK"].hex())

    def test_trace(self: Any) -> None:
        capture = self.around.folder / "trace.pcap"
        select = "00A4040410" + self.json("info")["applications"][0]["aid"]
        verify = "0020000108" + (PIN.encode() + b"\xff" * 4).hex()
        for switch in ((), ("--secrets",)):
            with self.subTest(switch=switch):
                Commands.sqn += 1
                data, secrets = self.around.challenge(Commands.sqn)
                lines = "\n".join((select, verify, "0088008122" + data.hex() + "00"))
                self.run_tool("trace", str(capture), "apdu", "-", *switch, given=lines)
                octets = capture.read_bytes()
                self.assertEqual(capture.stat().st_mode & 0o777, 0o600)
                apdus = [payload for kind, payload in packets(octets) if kind == 0]
                self.assertTrue(any(one[:4] == bytes.fromhex("00880081") for one in apdus))
                for name, secret in {**secrets, "PIN": PIN.encode()}.items():
                    self.assertEqual(secret in octets, bool(switch), name)
                check_with_tshark(self, capture)
        self.run_tool("trace", str(capture))
        self.assertGreater(len(packets(capture.read_bytes())), 10)
        self.run_tool("trace", str(self.around.folder / "none" / "x"), "info", status=1)
        self.assertIn("none/x", self.said)

    sqn = 0


def packets(octets: bytes) -> list[tuple[int, bytes]]:
    """Sub-type and payload of each packet: pcap, IPv4 with its checksum, UDP, GSMTAP of type SIM."""
    magic, _, _, _, _, _, link = struct.unpack(">IHHIIII", octets[:24])
    assert (magic, link) == (0xA1B23C4D, 228), (hex(magic), link)
    found, last, octets = [], (0, 0), octets[24:]
    while octets:
        seconds, nanoseconds, size, whole = struct.unpack(">IIII", octets[:16])
        packet, octets = octets[16:16 + size], octets[16 + size:]
        assert size == whole and len(packet) == size and (seconds, nanoseconds) >= last and abs(seconds - time.time()) < 600
        last = (seconds, nanoseconds)
        total = sum(struct.unpack(">10H", packet[:20]))
        assert (total & 0xFFFF) + (total >> 16) == 0xFFFF, "IPv4 checksum"
        assert packet[0] == 0x45 and packet[9] == 17 and int.from_bytes(packet[2:4], "big") == size
        source, target, length, _ = struct.unpack(">HHHH", packet[20:28])
        assert source == target == 4729 and length == size - 20
        version, words, kind = packet[28:31]
        assert (version, words, kind) == (2, 4, 4)
        found.append((packet[40], packet[44:]))
    return found


def check_with_tshark(case: unittest.TestCase, capture: Path) -> None:
    """Wireshark's dissectors see every APDU and take none for malformed."""
    tshark = shutil.which("tshark")
    if tshark is None:
        return
    fields = ["frame.protocols", "gsm_sim.apdu.ins", "gsm_sim.apdu.sw", "_ws.malformed"]
    command = [tshark, "-n", "-r", str(capture), "-T", "fields", *[word for name in fields for word in ("-e", name)]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                          env=dict(os.environ, HOME=str(capture.parent)))
    case.assertEqual(done.returncode, 0, done.stderr)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    apdus = [row for row, (kind, _) in zip(rows, packets(capture.read_bytes())) if kind == 0]
    for row in apdus:
        case.assertIn("gsm_sim", row[0])
        case.assertTrue(row[1] and row[2], row)
        case.assertEqual(row[3], "", row)
    instructions = {int(row[1], 0) for row in apdus}
    case.assertLessEqual({0xA4, 0x20, 0x88}, instructions)


@unittest.skipUnless(can_confine(), "no network namespaces: vpcd would listen on every address")
class PcscT0(Commands, CardTest):
    protocol = "t0"

    @classmethod
    def setUpClass(cls) -> None:
        cls.around = around = Surroundings(cls)
        around.card.write_text(around.card.read_text() + f'protocol = "{cls.protocol}"\n')
        service = CardService(around.folder, around.folder / "logs" / "pcscd.log", around.environment)
        cls.addClassCleanup(service.close)
        cls.service = service
        around.environment["PCSCLITE_CSOCK_NAME"] = str(service.socket)
        cls.insert()

    @classmethod
    def insert(cls) -> None:
        cls.uicc = cls.around.party(cls, "virtual-uicc", "--card", str(cls.around.card), "--subscribers",
                                    str(cls.around.keys), "--port", str(cls.service.port),
                                    launch=cls.service.launch_inside())
        cls.uicc.ready()

    def setUp(self) -> None:
        eventually(lambda: any(one["card"] == "present" for one in self.json("readers")["readers"]), "the card is seen")

    def test_readers(self) -> None:
        readers = self.json("readers")["readers"]
        self.assertEqual({one["card"] for one in readers}, {"present", "none"})  # vpcd has two slots
        present = next(one for one in readers if one["card"] == "present")
        self.assertRegex(present["atr"], "^3b")
        self.assertIn(present["atr"], self.run_tool("readers"))
        self.assertEqual(self.json("info")["atr"]["raw"], present["atr"])
        self.assertEqual(self.json("info", "--reader", "nothing*", status=6)["error"], "NoReader")
        self.assertIn(present["name"], self.said)

    def test_reader_report(self) -> None:
        report = self.json("test-reader", "--round-trips", "20", "--resets", "3")
        self.assertEqual(report["failed"], 0, report)
        self.assertEqual(report["skipped"], 1)
        self.assertEqual(report["round_trips"]["READ BINARY"]["count"], 20)
        remarks = {one["name"]: one["remark"] for one in report["checks"]}
        self.assertIn("refused", remarks["no one beside us"])
        self.assertEqual(report["access"], f"PC/SC, T={self.protocol[1]}")
        text = self.run_tool("test-reader", "--round-trips", "20", "--resets", "1")
        self.assertRegex(text, r"ms \|#")
        self.assertRegex(text, r"\d+ passed, 0 failed, 1 skipped")

    def test_removal_and_return(self) -> None:
        command = [self.around.rig.program("mtkey-card"), "test-reader", "--removal", "--json", "--round-trips", "2",
                   "--resets", "1"]
        with subprocess.Popen(command, env=self.around.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as tool:
            assert tool.stdout is not None and tool.stderr is not None
            for line in tool.stderr:
                if line.startswith("pull"):
                    self.uicc.stop()
                elif line.startswith("put"):
                    self.insert()
            report = json.loads(tool.stdout.read())
        self.assertEqual(tool.returncode, 0, report)
        self.assertEqual((report["failed"], report["skipped"]), (0, 0), report)

    def test_pin_is_asked_without_echo(self) -> None:
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(self.around.rig.program("mtkey-card"), ["mtkey-card", "pin", "verify"], self.around.environment)
        seen, sent, end = b"", False, time.monotonic() + 60
        while time.monotonic() < end:
            if not select.select([terminal], [], [], 1)[0]:
                continue
            try:
                octets = os.read(terminal, 4096)
            except OSError:
                break
            seen += octets
            if b"PIN of the card" in seen and not sent:
                os.write(terminal, PIN.encode() + b"\n")
                sent = True
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0, seen)
        self.assertIn(b"verified", seen)
        self.assertNotIn(PIN.encode(), seen)

    def test_somebody_else_has_the_card(self) -> None:
        command = [self.around.rig.program("mtkey-card"), "test-reader", "--removal", "--round-trips", "1"]
        with subprocess.Popen(command, env=self.around.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True) as holder:
            assert holder.stderr is not None
            for line in holder.stderr:
                if line.startswith("pull"):
                    break
            try:
                self.assertEqual(self.json("info", status=6)["error"], "ReaderBusy")
                self.assertRegex(self.said, r"Virtual reader.*another program holds the reader")
            finally:
                holder.kill()
        eventually(lambda: not self.json("readers")["readers"][0]["in_use"], "pcscd has noticed")


class PcscT1(PcscT0):
    protocol = "t1"


class Modem(Commands, CardTest):
    """A modem that gives sessions and speaks plainly."""
    manners = ""
    access = "session"

    @classmethod
    def setUpClass(cls) -> None:
        cls.around = around = Surroundings(cls)
        manners = around.write("modem.toml", cls.manners)
        cls.tty = around.folder / "tty"
        cls.place = ["--modem", str(cls.tty), "--at", cls.access]
        cls.modem = around.party(cls, "virtual-modem", "--card", str(around.card), "--subscribers", str(around.keys),
                                 "--modem", str(manners), "--link", str(cls.tty), "--control", str(around.folder / "control"))
        cls.modem.ready()

    def test_access(self) -> None:
        info = self.json("info")
        self.assertIn("CGLA" if self.access == "session" else "CSIM", info["access"])
        self.assertIsNone(info["atr"])
        self.assertEqual(info["place"], str(self.tty))

    def test_reader_report(self) -> None:
        report = self.json("test-reader", "--round-trips", "20")
        self.assertEqual(report["failed"], 0, report)
        self.assertEqual(report["skipped"], 4)  # ATR, two about resets, removal

    def test_second_program_is_refused(self) -> None:
        command = [self.around.rig.program("mtkey-card"), *self.place, "test-reader", "--removal", "--round-trips", "1"]
        with subprocess.Popen(command, env=self.around.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True) as holder:
            assert holder.stderr is not None
            for line in holder.stderr:
                if line.startswith("pull"):
                    break
            try:
                self.assertEqual(self.json("info", status=6)["error"], "ReaderBusy")
                self.assertIn(f"{self.tty} is locked by process {holder.pid}", self.said)
            finally:
                holder.kill()


class ModemCsim(Modem):
    """The same with a modem that has only the basic channel and bad manners."""
    manners = """
echo = true
errors = 2
quoting = "bare"
lower_case = true
fetches = true
no_channels = true
unsolicited = ["+CREG: 1", "RING", "+CSQ: 17,99"]
unsolicited_at = "between"
"""
    access = "csim"
    pin_stays = True

    def test_pin(self) -> None:
        self.assertEqual(self.json("pin", "verify", pin=PIN)["result"], "verified")
        # Everybody who reaches the modem can use it now, as the README says.
        self.assertEqual(self.json("read", "imsi")["decoded"], self.around.options.subscriber.imsi)

    def test_sessions_are_refused_with_the_modems_words(self) -> None:
        self.place = ["--modem", str(self.tty), "--at", "session"]
        answer = self.json("info", status=1)
        self.assertEqual(answer["error"], "Rejected")
        self.assertIn("AT+CCHO", answer["message"])
        self.place = ["--modem", str(self.tty)]
        self.assertIn("CSIM", self.json("info")["access"])


class ModemBareSession(Modem):
    manners = 'bare_session = true\nunsolicited = ["+CREG: 1"]\nunsolicited_at = "after"\nquoting = "no-space"\nno_csim = true\n'


class ModemFaults(CardTest):
    """What goes wrong comes out with the name of the device and a code, never as a hang."""

    def start(self, manners: str) -> None:
        type(self).around = around = Surroundings(type(self))
        path = around.write("modem.toml", manners)
        tty = around.folder / "tty"
        around.party(type(self), "virtual-modem", "--card", str(around.card), "--subscribers", str(around.keys), "--modem",
                     str(path), "--link", str(tty)).ready()
        self.place = ["--modem", str(tty)]
        self.tty = str(tty)

    def test_answers_without_status_word(self) -> None:
        self.start("no_status_word = true\n")
        self.assertEqual(self.json("info", status=6)["error"], "CardFailed")

    def test_no_access_to_the_card(self) -> None:
        self.start("no_csim = true\nno_channels = true\n")
        self.assertEqual(self.json("info", status=1)["error"], "Rejected")
        self.assertIn("no access to its card", self.said)
        self.assertIn(self.tty, self.said)

    def test_hang_up(self) -> None:
        self.start("hang_up_at = 6\n")
        self.assertEqual(self.json("info", status=6)["error"], "NoReader")
        self.assertIn(f"{self.tty}: the modem has hung up", self.said)
        eventually(lambda: os.path.exists(self.tty), "the modem is back")
        time.sleep(0.6)
        self.assertEqual(self.json("read", "iccid")["decoded"], "8988211000000123456")


class NoService(CardTest):
    @classmethod
    def setUpClass(cls) -> None:
        cls.around = Surroundings(cls)

    def test_no_pcscd(self) -> None:
        self.assertEqual(self.json("readers", status=6)["error"], "NoReader")
        self.assertIn("pcscd", self.said)

    def test_no_modem(self) -> None:
        self.place = ["--modem", str(self.around.folder / "tty")]
        self.assertEqual(self.json("info", status=6)["error"], "NoReader")
        self.assertIn(str(self.around.folder / "tty"), self.said)

    def test_usage(self) -> None:
        for words in ((), ("info", "files"), ("read",), ("apdu",), ("trace",), ("--at", "x", "info")):
            with self.subTest(words=words):
                self.run_tool(*words, status=2)


if __name__ == "__main__":
    tap.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""No key outlives its end in the memory of a program, and none is anywhere but in the secure heap, nor in a core.

Each checkpoint searches a process for every key of its last runs: raw, hex, base64. What may live then is named.
"""
import base64
import functools
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path
from typing import Any, Iterable, Iterator, Optional

from harness import RunSecrets, Subscriber, SystemTest, build_folder, eventually
from memory_scan import Found, can_scan, regions, scan_content, scan_memory
from wire import CONFIRM, CONFIRM_ACK, HELLO, L1, L2, L3, L4, FrameFilter, establishment_keys, messages
import gba_ref
import tap

SECURE_HEAP = 256 * 1024  # lib/base/secret.cpp
checkpoints: list[str] = []


@functools.lru_cache(maxsize=None)
def secrets_of(subscriber: Subscriber, rand: bytes, device_ids: tuple[str, ...]) -> dict[str, bytes]:
    values = RunSecrets.of_challenge(subscriber, rand, device_ids).values
    return {name: value for name, value in values.items() if "flipped" not in name}


@unittest.skipUnless(can_scan(str(build_folder() / "daemon/mtkeyd")), "needs root: the programs are not dumpable")
class Memory(SystemTest):
    variations: dict[str, Any] = {}
    maxDiff = None
    wire: dict[str, bytes]  # the keys that follow from each Ks_local_MT

    @classmethod
    def setUpClass(cls) -> None:
        cls.variations = {"record_ub": True, "other": Subscriber(imsi="001010987654321"), **cls.variations}
        cls.wire = {}
        super().setUpClass()

    # -- what there is to find

    def rands(self) -> list[bytes]:
        """Of each challenge, in order; a digest answer repeats its nonce."""
        assert self.rig.ub is not None
        nonces = re.findall(rb'[ ,]nonce="([A-Za-z0-9+/=]{40,})"', self.rig.ub.received)
        return list(dict.fromkeys(base64.b64decode(nonce)[:16] for nonce in nonces))

    def values(self, last: int = 2, other: bool = False) -> dict[str, bytes]:
        """Of the last challenges; what the other card would have made of them has a remark."""
        found = dict(self.wire)
        ids = tuple(device.device_id for device in self.rig.devices)
        for number, rand in list(enumerate(self.rands(), 1))[-last:]:
            cards = [(self.rig.options.subscriber, "")] + [(self.rig.options.other, " (other card)")] * other
            for subscriber, remark in cards:
                for name, value in secrets_of(subscriber, rand, ids).items():
                    found[f"{name}{remark}" if name in ("K", "OPc") else f"{name} #{number}{remark}"] = value
        if self.rig.options.pin is not None:
            found["PIN"] = self.rig.options.pin.encode()
        return found

    def now(self, *names: str, number: Optional[int] = None, remark: str = "") -> set[str]:
        """Those names in the last challenge, or that one."""
        return {f"{name} #{number or len(self.rands())}{remark}" for name in names}

    def former(self) -> set[str]:
        """NAF keys of earlier bootstrappings, for those who are in the middle of a procedure."""
        return {name for number in range(1, len(self.rands())) for name in self.now("Ks_(ext)_NAF", number=number)}

    def key_of(self, number: int) -> set[str]:
        """What a confirmed key of this device is, in the MT."""
        return {*self.now(f"Ks_local_MT of device {number}"), f"K key id of device {number}"}

    # -- looking

    def scan(self, party: str, values: dict[str, bytes]) -> list[Found]:
        pid = self.rig.parties[party].pid
        found = scan_memory(pid, values)
        # In GBA_ME the MT's Ks is CK || IK, at the BSF always: within it they are no copies of their own.
        whole = [copy.address for copy in found if copy.name.startswith("Ks #") and copy.form == "raw"]
        return [copy for copy in found if not (copy.name.startswith(("CK #", "IK #")) and
                                               any(at <= copy.address < at + 32 for at in whole))]

    def checkpoint(self, name: str, *alive: Iterable[str], party: str = "mtkeyd",
                   values: Optional[dict[str, bytes]] = None) -> set[str]:
        """The names that were found: of `alive` only, and raw in the secure heap only. The BSF's live in the pages of its
        database as well, which are wiped when they are given back (network/bsf/wiping_allocator.cpp).
        """
        allowed = set().union(*alive)
        in_sqlite = party == "mtkey-bsf"
        values = self.values() if values is None else values
        self.assertTrue(values)
        for _ in range(10):  # what a program does behind its last answer takes a moment
            found = self.scan(party, values)
            wrong = [copy for copy in found if copy.name not in allowed or copy.form != "raw" or
                     (not in_sqlite and (copy.region, copy.region_size) != ("anonymous", SECURE_HEAP))]
            if not wrong:
                break
            time.sleep(0.05)
        self.assertEqual([f"{copy.name} ({copy.form}) at {copy.address:x} in {copy.region}, {copy.region_size}"
                          for copy in wrong], [], name)
        checkpoints.append(f"{type(self).__name__}, {party}: {name}")
        return {copy.name for copy in found}

    # -- doing

    def run_device(self, number: int, *command: str) -> Any:
        """A run, and what its wire says of the keys that follow."""
        device = self.rig.devices[number - 1]
        begin = len(device.ttys.passed)
        result = self.rig.run_device(device, *command)
        said = messages(device.ttys.passed[begin:])
        if result["result"] == "established":
            ids = tuple(each.device_id for each in self.rig.devices)
            kinds = ((self.rig.options.subscriber, ""), (self.rig.options.other, " (other card)"))
            rand = base64.b64decode(result["b_tid"].split("@")[0])
            for subscriber, _ in kinds:
                key = secrets_of(subscriber, rand, ids)[f"Ks_local_MT of device {number}"]
                if gba_ref.hmac.new(key, b"mtkey fingerprint", "sha256").digest()[:8].hex() == result["fingerprint"]:
                    for name, value in establishment_keys(said, key).items():
                        self.wire[f"{name} of device {number}"] = value
                    break
            else:
                self.fail("Ks_local_MT is none of this run's")
        return result

    def bootstrap(self, *arguments: str) -> int:
        return self.rig.try_ctl("bootstrap", *arguments, "--naf", self.rig.options.subscriber.naf_fqdn).returncode

    def state(self) -> str:
        return str(self.rig.ctl("status")["state"])

    def forget(self, number: int) -> None:
        self.rig.ctl("device", "forget", self.rig.devices[number - 1].device_id)
        self.rig.run_device(self.rig.devices[number - 1], "forget", "--all")

    def pull(self) -> None:
        self.rig.card_control("remove")
        eventually(lambda: self.state() == "no-card", "the removal is noticed", 10)

    def put_in(self, card: Optional[Path] = None) -> None:
        self.rig.card_control(f"insert {card}" if card else "insert")
        eventually(lambda: self.state() == "ready", "the card is ready", 20)


class Runs(Memory):
    """GBA_U: Ks_ext_NAF is all that the card gives."""
    variations: dict[str, Any] = {"devices": 2, "pin": "73190264"}
    context = ("Ks_(ext)_NAF",)  # what the MT keeps of a bootstrapping

    def test_01_bootstrapping(self) -> None:
        self.checkpoint("PIN shown to the card", values={"PIN": b"73190264"})
        self.assertEqual(self.bootstrap(), 0)
        found = self.checkpoint("bootstrapped", self.now(*self.context))
        self.assertEqual(found, self.now(*self.context), "the scanner finds what lives")

    def test_02_full(self) -> None:
        self.pull()
        self.put_in()
        result = self.run_device(1)
        self.assertEqual((result["result"], result["procedure"]), ("established", "full"), result)
        found = self.checkpoint("full procedure", self.now(*self.context), self.key_of(1))
        self.assertEqual(found, self.now(*self.context) | self.key_of(1), "the scanner finds what lives")
        self.checkpoint("full procedure", self.now("Ks_local_MT of device 1"), party="mtkey-nafkc")
        found = self.checkpoint("full procedure", ("K", "OPc"), self.now("Ks"),
                                self.now("Ks", number=len(self.rands()) - 1), party="mtkey-bsf")
        self.assertLessEqual({"K", "OPc", *self.now("Ks")}, found, "the scanner finds what lives")

    def test_03_resumed(self) -> None:
        self.assertEqual(self.run_device(1)["result"], "resumed")
        self.checkpoint("resumption", self.now(*self.context), self.key_of(1))

    def test_04_optimised(self) -> None:
        result = self.run_device(2)
        self.assertEqual((result["result"], result["procedure"]), ("established", "optimised"), result)
        self.checkpoint("optimised procedure", self.now(*self.context), self.key_of(1), self.key_of(2))
        self.checkpoint("optimised procedure", self.now("Ks_local_MT of device 1", "Ks_local_MT of device 2"),
                        party="mtkey-nafkc")

    def test_05_new_epoch(self) -> None:
        """Those who are in the middle of a procedure may still get a NAF key of the former one."""
        old = len(self.rands())
        keys = self.key_of(1) | self.key_of(2)
        self.assertEqual(self.bootstrap("--force"), 0)
        self.checkpoint("forced bootstrapping", self.now(*self.context), self.now("Ks_(ext)_NAF", number=old), keys)
        self.assertEqual(self.bootstrap("--force"), 0)
        self.checkpoint("two of them", self.now(*self.context),
                        self.now("Ks_(ext)_NAF", number=len(self.rands()) - 1), keys)
        self.run_device(1, "establish", "--renew")
        self.checkpoint("renewed key", self.now(*self.context), self.now("Ks_(ext)_NAF", number=len(self.rands()) - 1),
                        self.key_of(1), keys - {"K key id of device 1", f"Ks_local_MT of device 1 #{old}"})

    def test_06_forgotten(self) -> None:
        self.forget(2)
        self.forget(1)
        self.checkpoint("device forget", self.now(*self.context), self.former())

    def test_07_resynchronised(self) -> None:
        self.rig.restart_bsf()  # its sequence numbers begin below the card's
        self.assertEqual(self.bootstrap("--force"), 0)
        self.checkpoint("resynchronisation", self.now(*self.context), self.former())
        self.checkpoint("resynchronisation", ("K", "OPc"), self.now("Ks"),
                        party="mtkey-bsf")

    def test_08_wrong_confirm(self) -> None:
        """The MT's pending key waits for a right one, an hour at most; then it is forgotten."""
        def flip(kind: int, text: bytes) -> bytes:
            return text[:-1] + bytes([text[-1] ^ 1]) if kind == CONFIRM else text
        ttys = self.rig.devices[0].ttys
        ttys.alter = FrameFilter(flip)
        result = self.run_device(1)
        ttys.alter = None
        self.assertEqual((result["result"], result["error"]), ("failed", "ConfirmationFailed"), result)
        said = messages(ttys.passed)
        self.assertEqual(said[-1].type != CONFIRM_ACK, True)
        alive = self.now(*self.context), self.former()
        self.checkpoint("wrong CONFIRM", *alive, self.now("Ks_local_MT of device 1"))
        self.forget(1)
        self.checkpoint("wrong CONFIRM, forgotten", *alive)

    def test_09_link_lost(self) -> None:
        """From each message on nothing comes through any more."""
        device = self.rig.devices[1]
        for kind, what in ((HELLO, "HELLO"), (L1, "L1"), (L2, "L2"), (L3, "L3"), (L4, "L4"), (CONFIRM, "CONFIRM"),
                           (CONFIRM_ACK, "CONFIRM_ACK")):
            with self.subTest(what):
                lost = threading.Event()

                def cut(seen: int, text: bytes, kind: int = kind, lost: threading.Event = lost) -> Optional[bytes]:
                    if seen == kind:
                        lost.set()
                    return None if lost.is_set() else text
                device.ttys.alter = FrameFilter(cut)
                running = subprocess.Popen(self.rig.device_command(device, "--json", "establish"),
                                           env=self.rig.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                self.assertTrue(lost.wait(20), what)
                running.kill()
                running.wait()
                device.ttys.alter = None
                alive = self.now(*self.context) | self.former()
                key = self.now("Ks_local_MT of device 2") if kind in (L4, CONFIRM, CONFIRM_ACK) else set()
                wire = {"K key id of device 2"} if kind == CONFIRM_ACK else set()
                self.checkpoint(f"link lost at {what}", alive, key, wire)
                self.forget(2)
                self.checkpoint(f"link lost at {what}, forgotten", alive)

    def test_10_pulled(self) -> None:
        self.run_device(1)
        keys = self.key_of(1)
        number = len(self.rands())
        self.pull()
        found = self.checkpoint("card pulled", keys)
        self.assertEqual(found, keys, "the key waits for the card")
        self.put_in()
        self.checkpoint("the same card again", keys)
        self.assertEqual(len(self.rands()), number)

    def test_11_pulled_in_a_run(self) -> None:
        keys = self.key_of(1)
        for at in (1, 2):
            self.rig.card_control(f"fault kind=remove at={at}")
            self.assertNotEqual(self.bootstrap("--force"), 0)
            self.checkpoint(f"card pulled at exchange {at} of a run", keys)
            self.rig.card_control("no-faults")
            self.put_in()

    def test_12_another_card(self) -> None:
        self.pull()
        self.put_in(self.rig.other_card)
        self.checkpoint("another card", values=self.values(6, other=True))
        self.assertEqual(self.run_device(1)["result"], "established")
        mine = {name + " (other card)" for name in self.now(*self.context, "Ks_local_MT of device 1")}
        self.checkpoint("a key of another card", mine, {"K key id of device 1"}, values=self.values(6, other=True))


class RunsGbaMe(Runs):
    """CK and IK leave the card, and Ks is the MT's while its bootstrapping lasts."""
    variations = {**Runs.variations, "mode": "gba-me"}
    context = ("Ks", "Ks_(ext)_NAF")


class Refused(Memory):
    """A BSF that does wrong: nothing is left of the run; of the one before, what was there."""
    variations = {"mode": "gba-me"}
    faults = ("wrong-mac", "resync-forever", "401-forever", "403", "500", "no-rspauth", "wrong-rspauth", "wrong-cnonce",
              "bad-xml", "no-btid", "no-lifetime", "expired-lifetime", "wrong-type", "cut-body", "garbage", "close")

    def test_each(self) -> None:
        self.assertEqual(self.bootstrap(), 0)
        before = self.now("Ks", "Ks_(ext)_NAF")
        self.assertEqual(self.checkpoint("before", before), before)
        for fault in self.faults:
            with self.subTest(fault):
                self.rig.restart_bsf(fault)
                self.assertNotEqual(self.bootstrap("--force"), 0)
                self.checkpoint(f"BSF: {fault}", before, values=self.values(4))


class RefusedGbaU(Refused):
    variations = {"mode": "gba-u"}
    faults = ("wrong-mac", "wrong-rspauth", "no-lifetime", "cut-body")

    def now(self, *names: str, number: Optional[int] = None, remark: str = "") -> set[str]:
        return super().now(*(name for name in names if name != "Ks"), number=number, remark=remark)


class Expiry(Memory):
    variations = {"mode": "gba-me", "lifetime_seconds": 6}

    def test_all_ends(self) -> None:
        self.assertEqual(self.run_device(1)["result"], "established")
        alive = self.now("Ks", "Ks_(ext)_NAF") | self.key_of(1)
        self.assertEqual(self.checkpoint("before the end", alive), alive)
        eventually(lambda: self.rig.ctl("status")["sessions"] == [], "the bootstrapping ends", 15)
        self.checkpoint("expired")
        for party, kept in (("mtkey-nafkc", set()), ("mtkey-bsf", {"K", "OPc"})):
            eventually(lambda: {copy.name for copy in self.scan(party, self.values())} <= kept, f"{party} has purged", 10)
            self.checkpoint("expired", kept, party=party)


class PinTyped(Memory):
    variations = {"pin": "73190264", "pin_known": False}

    @classmethod
    def setUpClass(cls) -> None:
        from harness import Options, Rig
        cls.rig = cls.enterClassContext(Rig(Options(build=build_folder(), **cls.variations)))

    def test_by_a_user(self) -> None:
        values = {"PIN": b"73190264", "wrong PIN": b"82640519"}
        eventually(lambda: self.state() == "pin-required", "a PIN is asked for", 20)
        for digits, good in ((values["wrong PIN"], False), (values["PIN"], True)):
            done = self.rig.try_ctl("--json", "pin", typed=digits.decode() + "\n")
            self.assertEqual(done.returncode == 0, good, done.stderr)
            self.checkpoint(f"{'right' if good else 'wrong'} PIN by mtkeyctl", values=values)
        eventually(lambda: self.state() == "ready", "the card is open", 20)
        self.checkpoint("the card is open", values=values)


class Sim(Memory):
    """2G GBA: Ub is inside TLS, and RAND stands in the B-TID."""
    variations = {"mode": "gba-2g", "pin": "73190264", "record_ub": False, "other": None}

    def test_full(self) -> None:
        result = self.rig.run_device(self.rig.devices[0])
        self.assertEqual(result["result"], "established", result)
        subscriber = self.rig.options.subscriber
        milenage = gba_ref.Milenage(bytes.fromhex(subscriber.k), bytes.fromhex(subscriber.opc))
        rand = base64.b64decode(result["b_tid"].split("@")[0])
        ck, ik = milenage.f3(rand), milenage.f4(rand)
        values = {"Kc": gba_ref.c3_kc(ck, ik), "CK": ck, "IK": ik, "RES": milenage.f2(rand), "PIN": b"73190264"}
        self.checkpoint("2G", values=values)
        self.checkpoint("2G", party="mtkey-bsf", values=values)


class Library(Memory):
    """Firmware with the C library: between its calls it holds no key."""

    def ask(self, line: str) -> dict[str, Any]:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))

    def look(self, name: str, values: dict[str, bytes]) -> None:
        self.assertEqual(scan_memory(self.process.pid, values), [], name)
        checkpoints.append(f"{type(self).__name__}: {name}")

    def test_calls(self) -> None:
        device = self.rig.devices[0]
        folder = device.folder
        config = {"device_id": device.device_id, "state_dir": str(device.state_dir),
                  "store_key_file": str(device.store_key), "tty": device.ttys.device,
                  "ca_file": str(self.rig.operator_ca.certificate), "address": f"127.0.0.1:{self.rig.key_center_port}",
                  **dict(re.findall(r'^(certificate|private_key) = "(.*)"$', device.config.read_text(), re.M))}
        config = {{"certificate": "certificate_file", "private_key": "private_key_file"}.get(name, name): text
                  for name, text in config.items()}
        self.assertTrue(folder.exists())
        with subprocess.Popen([sys.executable, "-I", str(Path(__file__).with_name("device_in_process.py")),
                               str(build_folder() / "device/libmtkey-device.so.0"), json.dumps(config)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as self.process:
            try:
                for line, procedure in (("establish", "full"), ("establish", "resume"), ("renew", "optimised")):
                    answer = self.ask(line)
                    self.assertEqual((answer["status"], answer["procedure"]), (0, procedure), answer)
                    values = self.values()
                    said = messages(device.ttys.passed)
                    ks_local_mt = values[next(iter(self.now("Ks_local_MT of device 1")))]
                    if procedure != "resume":
                        self.wire |= establishment_keys(said, ks_local_mt)
                    self.look(procedure, values | self.wire)
                application = self.ask("application")
                self.assertEqual(application["status"], 0)
                self.look("application key", self.values())
            finally:
                self.process.kill()


class Core(Memory):
    """The last test ends the daemon."""

    def arena(self) -> str:
        """The secure heap's flags, proc(5)."""
        text = Path(f"/proc/{self.rig.parties['mtkeyd'].pid}/smaps").read_text("ascii")
        for part in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", text, flags=re.M):
            if re.search(rf"^Size: +{SECURE_HEAP // 1024} kB$", part, re.M) and "VmFlags:" in part:
                flags = re.search(r"^VmFlags: (.*)$", part, re.M)[1]
                if " lo " in f" {flags} ":
                    return flags
        self.fail("no locked mapping of the size of the secure heap")

    def core(self, name: str) -> bytes:
        """As gcore makes it, but without reading the programs' debugging symbols, which takes its time."""
        path = self.rig.folder / name
        done = subprocess.run(["gdb", "--readnever", "-nx", "-batch", "-iex", "set auto-solib-add off", "-iex",
                               "set debuginfod enabled off", "-p", str(self.rig.parties["mtkeyd"].pid), "-ex",
                               f"generate-core-file {path}"], capture_output=True, text=True, check=False, timeout=60)
        self.assertTrue(path.exists(), done.stdout + done.stderr)
        return path.read_bytes()

    def test_1_secure_heap_is_not_dumped(self) -> None:
        self.assertEqual(self.run_device(1)["result"], "established")
        self.assertIn(" dd ", f" {self.arena()} ")

    @unittest.skipUnless(shutil.which("gdb"), "no gdb to make a core with")
    def test_2_forced_core(self) -> None:
        """A copy that stands outside the secure heap is found in memory and core; without it, nothing is in the core."""
        values = self.values()
        alive = self.now("Ks_(ext)_NAF") | self.key_of(1)
        self.assertEqual(self.checkpoint("before the core", alive), alive)
        self.assertEqual(list(scan_content(self.core("clean"), values)), [])
        pid = self.rig.parties["mtkeyd"].pid
        # The far end of the main thread's stack, which a daemon that waits does not reach.
        stack = next(start for start, _, name in regions(pid) if name == "[stack]")
        [name] = self.now("Ks_local_MT of device 1")
        with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
            memory.seek(stack + 64)
            before = memory.read(32)
            memory.seek(stack + 64)
            memory.write(values[name])
            try:
                found = [copy for copy in self.scan("mtkeyd", values) if copy.region_size != SECURE_HEAP]
                self.assertEqual([(copy.name, copy.region, copy.address) for copy in found], [(name, "[stack]", stack + 64)])
                in_core = [copy[:2] for copy in scan_content(self.core("planted"), values)]
                self.assertEqual(in_core, [(name, "raw")])
            finally:
                memory.seek(stack + 64)
                memory.write(before)
        self.checkpoint("behind the core", alive)

    def test_3_no_core_by_itself(self) -> None:
        pid = self.rig.parties["mtkeyd"].pid
        resource.prlimit(pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        os.kill(pid, signal.SIGSEGV)
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        self.assertEqual((ended.si_status, ended.si_code), (signal.SIGSEGV, os.CLD_KILLED), "CLD_DUMPED: a core was made")


class ZCount(unittest.TestCase):
    """Runs last: classes come in the order of their names."""

    @unittest.skipUnless(can_scan(str(build_folder() / "daemon/mtkeyd")), "needs root: the programs are not dumpable")
    def test_thirty_and_more(self) -> None:
        self.assertEqual(len(checkpoints), len(set(checkpoints)))
        self.assertGreaterEqual(len(checkpoints), 30, "\n".join(checkpoints))
        print(f"{len(checkpoints)} checkpoints", file=sys.stderr)


if __name__ == "__main__":
    tap.main()

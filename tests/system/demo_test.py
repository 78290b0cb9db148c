#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The demo keeps its promises: one JSON object, the steps, a truthful exit status, nothing left behind."""
import base64
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
import unittest
from datetime import datetime
from pathlib import Path
from typing import Any

from harness import TESTS, RunSecrets, Subscriber, SystemTest, build_folder, eventually
from rig.system_parts import READER
from secret_scan import scan_octets
import tap

DEMO = [sys.executable, str(TESTS.parent / "testbed" / "demo.py")]
# of each of the objects that --json promises
MEMBERS = {"result", "mode", "procedure", "keys_match", "b_tid", "naf_id", "fingerprint", "lifetime", "apdus",
           "http_exchanges", "seconds"}
PARTIES_OF_OPTIMISED = [*["ext. device"] * 2, *["MT"] * 2, *["ext. device"] * 2, *["MT"] * 2, *["ext. device"] * 2,
                        "Key Center", "BSF", *["Key Center"] * 2, *["ext. device"] * 2]
# Connects to the first card there is, within so many seconds.
USE_CARD = """
import sys, time
from smartcard.System import readers
end = time.monotonic() + float(sys.argv[1])
while True:
    try:
        connection = readers()[0].createConnection()
        connection.connect()
        sys.exit(connection.transmit([0x00, 0xA4, 0x00, 0x04, 0x02, 0x3F, 0x00])[1] == 0x6E)
    except Exception as error:
        if time.monotonic() > end:
            sys.exit(str(error))
        time.sleep(0.1)
"""


def demo(*arguments: str, **env: str) -> "subprocess.Popen[str]":
    """What reads its output waits for its end: after two minutes it has to show where it is, and ends."""
    process = subprocess.Popen([*DEMO, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "MTKEY_BUILD": str(build_folder()), "NO_COLOR": "1", **env})
    timer = threading.Timer(120, process.send_signal, [signal.SIGABRT])
    timer.daemon = True
    timer.start()
    return process


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Demo(unittest.TestCase):
    def run_demo(self, *arguments: str) -> tuple[int, str, str]:
        process = demo(*arguments)
        self.addCleanup(process.kill)
        out, err = process.communicate()
        return process.returncode, out, err

    def test_again_as_json(self) -> None:
        status, out, err = self.run_demo("--json", "--again")
        self.assertEqual(status, 0, err)
        report = json.loads(out)
        self.assertEqual(set(report), MEMBERS | {"resumed", "second"})
        for part, result, procedure, seconds in (
                (report, "established", "full",
                 {"start", "request", "gba", "mt", "key_center", "confirmation", "total"}),
                (report["resumed"], "resumed", "full", {"total"}),
                (report["second"], "established", "optimised",
                 {"request", "mt", "key_center", "confirmation", "total"})):
            self.assertEqual(set(part) - {"resumed", "second"}, MEMBERS)
            self.assertEqual((part["result"], part["procedure"], part["mode"]), (result, procedure, "gba-u"))
            self.assertIs(part["keys_match"], True)
            self.assertEqual(part["naf_id"], {"fqdn": "nafkc.mnc001.mcc001.pub.3gppnetwork.org", "ua": "ff00033259"})
            self.assertEqual(part["b_tid"], report["b_tid"])
            self.assertRegex(part["fingerprint"], "^[0-9a-f]{16}$")
            self.assertRegex(part["lifetime"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
            self.assertEqual(set(part["seconds"]), seconds)
        self.assertEqual(report["resumed"]["fingerprint"], report["fingerprint"])
        self.assertNotEqual(report["second"]["fingerprint"], report["fingerprint"])
        self.assertGreaterEqual(report["apdus"], 4)
        self.assertEqual(report["http_exchanges"], 2)
        for part in (report["resumed"], report["second"]):
            self.assertEqual((part["apdus"], part["http_exchanges"]), (0, 0))
        titles = r"\nThe same device again.*\n|\nA second device.*\n"
        resumed, second = (text.split("\n\n")[0] for text in re.split(titles, err)[1:])
        self.assertEqual(resumed.splitlines(), [
            "  5.5.1  -  ext. device  tries its stored Ks_local_MT with the MT",
            f"  5.5.1  -  ext. device  the MT holds the same Ks_local_MT  [key {report['fingerprint']}]"])
        shown = [re.fullmatch(r"  (.{5}) (..)  (.{11})  .*", line) for line in second.splitlines()]
        self.assertTrue(all(shown), second)
        # Which procedure it is shows at step 4.
        self.assertEqual([(line[1].strip(), int(line[2]), line[3].strip()) for line in shown], [
            ("5.5.3" if number >= 4 else "", number, party) for number, party in enumerate(PARTIES_OF_OPTIMISED, 1)])

    def test_gba_me_for_people(self) -> None:
        status, out, err = self.run_demo("--mode", "gba-me")
        self.assertEqual(status, 0, out + err)
        self.assertIn("gba-me", out)
        self.assertIn("Success.", out)
        position = 0
        for number in range(1, 19):  # every step, in order
            position = out.index(f" {number:2d}  ", position)
        self.assertNotIn("\033", out)

    def test_failure_is_told(self) -> None:
        status, out, err = self.run_demo("--json", "--bsf", "http://127.0.0.1:9")
        self.assertNotEqual(status, 0)
        report = json.loads(out)
        self.assertEqual(report["result"], "failed")
        self.assertEqual(report["error"], "BsfUnreachable")
        self.assertEqual(report["procedure"], "full")

    def test_malformed_url(self) -> None:
        for url in ("nonsense", "http://[::1", "http://host:99999"):
            with self.subTest(url=url):
                status, out, err = self.run_demo("--json", "--bsf", url)
                self.assertEqual(status, 1, err)
                self.assertEqual(json.loads(out)["result"], "failed")
                self.assertIn(url, json.loads(out)["error"])
                self.assertNotIn("Traceback", err)

    def test_what_was_reached_is_told_when_the_rest_fails(self) -> None:
        process = demo("--json", "--again")
        self.addCleanup(process.kill)
        self.wait_for_line(process, "The same device again")
        daemon, = [pid for pid in children(process.pid) if Path(f"/proc/{pid}/comm").read_text() == "mtkeyd\n"]
        os.kill(daemon, signal.SIGKILL)
        out, err = self.rest(process)
        self.assertEqual(process.returncode, 1, err)
        self.assertEqual(json.loads(out)["result"], "established")
        self.assertTrue(json.loads(out)["error"])
        self.assertNotIn("Traceback", err)

    def test_bad_arguments(self) -> None:
        status, _, err = self.run_demo("--reader", "X")
        self.assertEqual(status, 2)
        self.assertIn("--k", err)

    def wait_for_line(self, process: "subprocess.Popen[str]", text: str) -> None:
        """On stderr; up to there it is in lines_read."""
        assert process.stderr is not None
        self.lines_read = []
        for line in process.stderr:
            self.lines_read.append(line)
            if text in line:
                return
        self.fail(f"the demo ended without a line {text!r}")

    def rest(self, process: "subprocess.Popen[str]") -> tuple[str, str]:
        """Of stdout and stderr, until the demo has ended. communicate() would pass over what has been buffered."""
        assert process.stderr is not None and process.stdout is not None
        with process.stderr, process.stdout:
            err, out = process.stderr.read(), process.stdout.read()
        process.wait(30)
        return out, err

    def playing(self, *arguments: str, result: str = "established") -> "tuple[subprocess.Popen[str], Path, str]":
        """A demo that has come as far as --keep goes, its folder and its report as written."""
        process = demo("--keep", "--json", *arguments)
        self.addCleanup(process.kill)
        assert process.stdout is not None
        report = process.stdout.readline()
        self.assertEqual(json.loads(report)["result"], result)
        self.wait_for_line(process, "Ctrl-C ends it")
        folder, = {Path(*Path(target).parts[:3]) for pid in children(process.pid) for target in self.open_files(pid)}
        self.assertTrue(folder.is_dir())
        return process, folder, report

    def end(self, process: "subprocess.Popen[str]", number: int, status: int) -> tuple[str, str]:
        """No process is left when the demo is ended by a signal. The rest of its stdout and stderr."""
        parties = children(process.pid)
        process.send_signal(number)
        out, err = self.rest(process)
        self.assertEqual(process.returncode, status, out + err)
        self.assertNotIn("Traceback", err)
        eventually(lambda: not any(map(alive, parties)), "all processes have ended", 2)
        return out, err

    @staticmethod
    def open_files(pid: int) -> list[str]:
        try:
            targets = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            return []
        return [target for target in targets if target.startswith("/tmp/mtkey.")]

    def test_ctrl_c_leaves_nothing(self) -> None:
        process, folder, _ = self.playing()
        self.assertGreaterEqual(len(children(process.pid)), 5)
        out, _ = self.end(process, signal.SIGINT, 0)
        self.assertEqual(out, "")  # its one object has been read
        self.assertFalse(folder.exists())

    def test_sigterm_leaves_nothing(self) -> None:
        process, folder, _ = self.playing()
        self.end(process, signal.SIGTERM, 128 + signal.SIGTERM)
        self.assertFalse(folder.exists())

    def test_even_sigkill_leaves_no_process(self) -> None:
        process, folder, _ = self.playing()
        self.end(process, signal.SIGKILL, -signal.SIGKILL)
        shutil.rmtree(folder)

    @unittest.skipUnless(importlib.util.find_spec("smartcard"), "python3-pyscard is not installed")
    def test_card_for_a_program_of_the_users(self) -> None:
        """What --keep prints lets another program in, and nothing less does: mtkeyd has the card for itself."""
        process, _, _ = self.playing()
        self.wait_for_line(process, "# end mtkeyd")
        assert process.stderr is not None
        command = process.stderr.readline().strip()
        use = shlex.join([sys.executable, "-c", USE_CARD])
        without = command.partition("; ")[2]
        self.assertNotEqual(subprocess.run(["sh", "-c", f"{without}; {use} 0.5"], capture_output=True).returncode, 0)
        done = subprocess.run(["sh", "-c", f"{command}; {use} 10"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.end(process, signal.SIGINT, 0)

    def test_ctrl_c_after_a_failure_is_no_success(self) -> None:
        process, _, _ = self.playing("--bsf", "http://127.0.0.1:9", result="failed")
        self.end(process, signal.SIGINT, 1)

    def test_ctrl_c_during_the_start(self) -> None:
        process = demo("--keep", "--json")
        self.addCleanup(process.kill)
        eventually(lambda: children(process.pid), "the first party is there")
        out, _ = self.end(process, signal.SIGINT, 128 + signal.SIGINT)
        self.assertEqual(json.loads(out), {"result": "failed", "error": "interrupted"})

    def test_ctrl_c_during_an_establishment(self) -> None:
        process = demo("--keep", "--json")
        self.addCleanup(process.kill)
        self.wait_for_line(process, " 2  ext. device")
        out, _ = self.end(process, signal.SIGINT, 128 + signal.SIGINT)
        self.assertEqual(json.loads(out), {"result": "failed", "error": "interrupted"})

    def test_no_secret_in_its_output(self) -> None:
        process, folder, report = self.playing("--again")
        subscriber, = tomllib.loads((folder / "subscribers.toml").read_text())["subscriber"]
        rand = base64.b64decode(json.loads(report)["b_tid"].partition("@")[0])
        device_ids = [tomllib.loads((folder / f"device{number}/device.toml").read_text())["device_id"]
                      for number in (1, 2)]
        secrets = RunSecrets.of_challenge(Subscriber(k=subscriber["k"], opc=subscriber["opc"]), rand, device_ids)
        self.assertEqual(secrets.fingerprint(), json.loads(report)["fingerprint"])
        out, err = self.end(process, signal.SIGINT, 0)
        for text in (report, out, "".join(self.lines_read) + err):
            self.assertEqual(scan_octets(text.encode(), secrets.values), [])


class RealReader(SystemTest):
    """The demo with a card that is not its own: here one that another rig has put into its reader."""
    READER = f"{READER} 00 00"

    @classmethod
    def prepare(cls) -> None:
        cls.rig.parties["mtkeyd"].stop()  # it holds the reader
        cls.files = []
        for name in ("k", "opc"):
            path = cls.rig.folder / name
            path.write_text(getattr(cls.rig.options.subscriber, name) + "\n")
            cls.files += [f"--{name}", str(path)]

    def run_demo(self, *arguments: str) -> dict[str, Any]:
        process = demo("--json", "--reader", self.READER, *arguments,
                       PCSCLITE_CSOCK_NAME=self.rig.environment["PCSCLITE_CSOCK_NAME"])
        self.addCleanup(process.kill)
        out, err = process.communicate()
        self.assertEqual(process.returncode, 0, out + err)
        self.progress = err
        return dict(json.loads(out))

    def test_1_our_bsf_learns_imsi_and_sequence_number_from_the_card(self) -> None:
        for _ in range(2):  # the second BSF starts below the card's sequence number: resynchronisation
            report = self.run_demo(*self.files)
            self.assertTrue(report["keys_match"])
        self.assertEqual(report["http_exchanges"], 3)

    def test_2_operators_bsf_up_to_step_10(self) -> None:
        report = self.run_demo("--bsf", f"http://127.0.0.1:{self.rig.bsf_ports[0]}")
        self.assertEqual(set(report), MEMBERS)
        self.assertEqual((report["result"], report["mode"], report["procedure"]), ("answered", "gba-u", "full"))
        self.assertIsNone(report["keys_match"])
        self.assertRegex(report["b_tid"], "^[A-Za-z0-9+/]{22}==@" + re.escape(self.rig.options.subscriber.bsf_fqdn) + "$")
        self.assertEqual(report["naf_id"], {"fqdn": self.rig.options.subscriber.naf_fqdn, "ua": "ff00033259"})
        step_9, = (line for line in self.progress.splitlines() if line.startswith("  5.5.2  9  MT "))
        self.assertRegex(report["fingerprint"], "^[0-9a-f]{16}$")
        self.assertTrue(step_9.endswith(f"[key {report['fingerprint']}]"), step_9)
        left = datetime.strptime(report["lifetime"], "%Y-%m-%dT%H:%M:%S%z").timestamp() - time.time()
        self.assertAlmostEqual(left, self.rig.options.lifetime_seconds, delta=300)
        for name, value in (("B-TID", report["b_tid"]), ("mode", "gba-u"), ("key", f"mt {report['fingerprint']}"),
                            ("lifetime", report["lifetime"]), ("NAF_ID", f"{report['naf_id']['fqdn']} / ff00033259")):
            self.assertIn(f"  {name:9} {value}\n", self.progress)

    def test_unknown_reader(self) -> None:
        process = demo("--reader", "no such reader", *self.files,
                       PCSCLITE_CSOCK_NAME=self.rig.environment["PCSCLITE_CSOCK_NAME"])
        out, _ = process.communicate()
        self.assertEqual(process.returncode, 1)
        self.assertIn(self.READER, out)  # it says which there are


if __name__ == "__main__":
    tap.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Another local user tries to have the daemon's card derive Ks_(ext)_NAF for him: card_thief.py, in each situation.

With the drop-in systemd/pcscd-mtkeyd.conf he gets nothing at all. Without it a card whose PIN is on still keeps its keys;
one without a PIN serves everybody once the daemon has left it, and the test says so.
"""
import configparser
import json
import os
import subprocess
import threading
import unittest
from pathlib import Path
from typing import Any, Callable

from harness import RunSecrets, SystemTest, eventually
from rig import UA
from rig.launch import FOLDER
from rig.processes import LAUNCH
import gba_ref
import tap

THIEF = 65533  # neither the daemon's user nor that of the rig's pcscd
GROUP = 64259  # in the place of the group "pcscd"
SOURCE = Path(__file__).with_name("card_thief.py").read_text("utf-8")
DROP_IN = Path(__file__).resolve().parents[2] / "systemd" / "pcscd-mtkeyd.conf"


@unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
class CardSharing(SystemTest):
    """A card without a PIN, and a socket of pcscd that is open to everybody, as distributions have it."""
    variations: dict[str, Any] = {"record_ub": True}
    left_card_is_open = True
    reaches_card = True  # whether a stranger gets as far as pcscd

    def thief(self, seconds: float, group: bool = False) -> dict[str, Any]:
        subscriber = self.rig.options.subscriber
        naf_id = gba_ref.naf_id(subscriber.naf_fqdn, bytes.fromhex(UA))
        socket = self.rig.card_service.socket
        command = [*LAUNCH, "--parent", str(os.getpid()), "--folder", str(socket.parent), "--uid", str(THIEF),
                   *(["--group", str(GROUP)] if group else []), "--", "/usr/bin/python3", "-I", "-S", "-c", SOURCE,
                   str(seconds), naf_id.hex(), subscriber.impi.encode().hex()]
        done = subprocess.run(command, env={"PCSCLITE_CSOCK_NAME": f"{FOLDER}/{socket.name}"}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        answer = json.loads(done.stdout)
        self.assertGreater(answer["attempts"], 0)
        return dict(answer)

    def bootstrap(self) -> None:
        done = self.rig.try_ctl("bootstrap", "--force", "--naf", self.rig.options.subscriber.naf_fqdn)
        self.assertEqual(done.returncode, 0, done.stderr)

    def key(self) -> str:
        return RunSecrets.of(self.rig).values["Ks_(ext)_NAF"].hex()

    def leave(self, how: Callable[[], Any]) -> None:
        self.bootstrap()
        how()
        self.addCleanup(self.come_back)

    def come_back(self) -> None:
        self.rig.start_daemon()
        eventually(lambda: self.rig.ctl("status")["state"] == "ready", "the daemon has the card")

    def assert_nothing(self, answer: dict[str, Any]) -> None:
        self.assertEqual(answer["key"], "", answer)
        self.assertTrue(answer["refusals"])
        at_the_door = all(text.startswith("SCardEstablishContext") for text in answer["refusals"])
        self.assertEqual(at_the_door, not self.reaches_card, answer)

    def check_left(self) -> None:
        answer = self.thief(1)
        if self.left_card_is_open:
            self.assertEqual(answer["key"], self.key())  # and so the attack is a real one
        else:
            self.assert_nothing(answer)

    def test_in_use(self) -> None:
        """Between the daemon's commands, in the middle of them, and at rest with the card open."""
        done = threading.Event()
        failures = []

        def work() -> None:
            while not done.is_set():
                answer = self.rig.try_ctl("bootstrap", "--force", "--naf", self.rig.options.subscriber.naf_fqdn)
                if answer.returncode != 0:
                    failures.append(answer.stderr)
        busy = threading.Thread(target=work)
        busy.start()
        try:
            answer = self.thief(3)
        finally:
            done.set()
            busy.join(60)
        self.assert_nothing(answer)
        self.assertEqual(failures, [])  # nor does he disturb
        self.assert_nothing(self.thief(1))

    def test_left(self) -> None:
        self.leave(self.rig.parties["mtkeyd"].stop)
        self.check_left()

    def test_killed(self) -> None:
        """No farewell: what pcscd does with the card of a client that is gone."""
        self.leave(self.rig.parties["mtkeyd"].kill)
        self.check_left()

    def test_being_left(self) -> None:
        """He waits for the moment."""
        self.bootstrap()
        found: list[dict[str, Any]] = []
        thief = threading.Thread(target=lambda: found.append(self.thief(3)))
        thief.start()
        self.leave(self.rig.parties["mtkeyd"].stop)
        thief.join(60)
        answer, = found
        if self.left_card_is_open:
            self.assertEqual(answer["key"], self.key())
        else:
            self.assert_nothing(answer)


class CardSharingPin(CardSharing):
    """The PIN is on: exclusive access while it is verified, a reset when the daemon leaves."""
    variations = {**CardSharing.variations, "pin": "73190264"}
    left_card_is_open = False


class NarrowedSocket(CardSharing):
    """As the drop-in leaves the socket; no PIN."""
    variations = {**CardSharing.variations, "pcscd_group": GROUP}
    left_card_is_open = False
    reaches_card = False

    def test_drop_in_says_so(self) -> None:
        """What the rig does is what the shipped file does."""
        shipped = configparser.ConfigParser()
        shipped.optionxform = str  # type: ignore[assignment,method-assign]
        shipped.read(DROP_IN)
        self.assertEqual(dict(shipped["Socket"]), {"SocketMode": "0660", "SocketGroup": "pcscd"})
        status = self.rig.card_service.socket.stat()
        self.assertEqual((status.st_mode & 0o777, status.st_uid, status.st_gid), (0o660, 0, GROUP))

    def test_member_of_the_group(self) -> None:
        """It is the group that makes the difference: the same attack by one who is in it."""
        self.leave(self.rig.parties["mtkeyd"].stop)
        answer = self.thief(1, group=True)
        self.assertEqual(answer["key"], self.key() if "pin" not in self.variations else "", answer)


class NarrowedSocketPin(NarrowedSocket):
    """Both."""
    variations = {**NarrowedSocket.variations, "pin": "73190264"}


if __name__ == "__main__":
    tap.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every method of every interface, called by a user who is nobody: refused, and nothing happens. Properties are for all."""
import os
import re
import subprocess
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Iterator

from harness import TESTS, SystemTest
import tap

NOBODY = 65534
# One value of each type that a method takes, as busctl wants it.
VALUES = {"s": ["x"], "a{sv}": ["0"]}


def methods() -> Iterator[tuple[str, str, str]]:
    """Interface, method and signature of everything in dbus/."""
    for path in sorted((TESTS.parent / "dbus").glob("*.xml")):
        for interface in ElementTree.parse(path).iter("interface"):
            for method in interface.iter("method"):
                if any(arg.attrib["type"] == "h" for arg in method.iter("arg")):
                    continue  # busctl cannot pass a descriptor; tests/unit/daemon/bus_test.cpp does
                signature = "".join(arg.attrib["type"] for arg in method.iter("arg")
                                    if arg.attrib.get("direction", "in") == "in")
                yield interface.attrib["name"], method.attrib["name"], signature


def arguments(signature: str) -> list[str]:
    out, rest = [], signature
    while rest:
        kind = next(kind for kind in sorted(VALUES, key=len, reverse=True) if rest.startswith(kind))
        out += VALUES[kind]
        rest = rest[len(kind):]
    return [signature] + out if signature else []


class Policy(unittest.TestCase):
    """What the interfaces promise, what the daemon asks polkit for and what polkit knows are the same actions."""

    def test_actions(self) -> None:
        source = TESTS.parent
        policy = ElementTree.parse(source / "systemd" / "org.mtkeyd1.policy")
        known = {action.attrib["id"] for action in policy.iter("action")}
        asked = set(re.findall(r'"(org\.mtkeyd1\.[a-z-]+)"', (source / "daemon" / "authorisation.cpp").read_text("utf-8")))
        self.assertEqual(asked, known)
        for path in sorted((source / "dbus").glob("*.xml")):
            text = path.read_text("utf-8")
            named = set(re.findall(r"polkit\s+action\s+(org\.mtkeyd1\.[a-z-]+)", text))
            self.assertLessEqual(named, known, path.name)
            self.assertEqual(bool(named), "<method" in text, path.name)


@unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
class Nobody(SystemTest):
    """No polkit on this bus: root and the daemon's own user pass, nobody else."""

    @classmethod
    def prepare(cls) -> None:
        cls.rig.folder.chmod(0o711)  # so that the other user reaches the bus at all
        bus = Path(cls.rig.bus.address.removeprefix("unix:path="))
        bus.chmod(0o777)
        bus.parent.chmod(0o711)
        cls.session = cls.rig.ctl("bootstrap")
        state = cls.rig.ctl("status")
        cls.paths = {"Manager1": "/org/mtkeyd1", "Session1": state["sessions"][0]["path"],
                     "Device1": state["devices"][0]["path"], "Transport1": state["transports"][0]["path"],
                     "Store1": "/org/mtkeyd1/store"}
        cls.before = cls.rig.statistics()
        cls.generation = cls.rig.ctl("store", "info")["generation"]

    def busctl(self, *words: str, user: int = NOBODY) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "busctl",
             f"--address={self.rig.bus.address}", *words],
            capture_output=True, text=True, timeout=20, check=False)

    def test_1_every_method_is_refused(self) -> None:
        seen = 0
        for interface, method, signature in methods():
            with self.subTest(interface=interface, method=method):
                done = self.busctl("call", "org.mtkeyd1", self.paths[interface.rpartition(".")[2]], interface, method,
                                   *arguments(signature))
                self.assertNotEqual(done.returncode, 0, done.stdout)
                self.assertIn("not authorised", done.stderr)
                seen += 1
        self.assertGreaterEqual(seen, 11)

    def test_2_nothing_has_happened(self) -> None:
        self.assertEqual(self.rig.statistics(), self.before)
        state = self.rig.ctl("status")
        self.assertEqual(len(state["sessions"]), 1)
        self.assertEqual(self.rig.ctl("store", "info")["generation"], self.generation)
        self.assertEqual([entry["state"] for entry in state["transports"]], ["listening"] * len(state["transports"]))

    def test_3_reading_is_for_all(self) -> None:
        done = self.busctl("get-property", "org.mtkeyd1", "/org/mtkeyd1", "org.mtkeyd1.Manager1", "State")
        self.assertEqual(done.stdout.strip(), 's "ready"', done.stderr)

    def test_4_root_passes(self) -> None:
        done = self.busctl("call", "org.mtkeyd1", self.paths["Session1"], "org.mtkeyd1.Session1", "Discard", user=0)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.rig.ctl("status")["sessions"], [])


if __name__ == "__main__":
    tap.main()

# SPDX-License-Identifier: Apache-2.0
"""What the tests of the units share: everything installed on a machine with a systemd of its own."""
import json
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

from harness import build_folder
from rig.processes import RigError
from sd import Container, unusable

CREDENTIALS = "/etc/credstore.encrypted"
KEY = f"{CREDENTIALS}/mtkeyd.store-key"
WHY_NOT = unusable()


def install(build: Path, layer: Path) -> None:
    """`meson install`, and what D-Bus and polkit look for below /usr alone put where they look."""
    done = subprocess.run(["meson", "install", "-C", str(build), "--no-rebuild", "--destdir", str(layer)],
                          capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise RigError(f"meson install failed; is all of it built?\n{done.stdout}{done.stderr}")
    for name, folder in (("org.mtkeyd1.conf", "etc/dbus-1/system.d"),
                         ("org.mtkeyd1.policy", "usr/share/polkit-1/actions")):
        (layer / folder).mkdir(parents=True, exist_ok=True)
        for installed in list(layer.rglob(name)):
            if installed != layer / folder / name:
                shutil.copy(installed, layer / folder)
    (layer / "usr/local/bin").mkdir(parents=True, exist_ok=True)
    shutil.copy(build / "testbed" / "virtual-uicc", layer / "usr/local/bin")


@unittest.skipIf(WHY_NOT, WHY_NOT)
class SystemdTest(unittest.TestCase):
    """Every class gets a container of its own; its tests run in the order of their names."""
    environment: dict[str, str] = {}  # of systemd itself
    system: Container
    folder: Path
    layer: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.layer = cls.folder / "layer"
        install(build_folder(), cls.layer)
        cls.prepare(cls.layer)
        cls.system = cls.enterClassContext(Container(cls.layer, cls.folder / "log", **cls.environment))
        cls.system.run("systemd-sysusers")  # as a package does after it was installed
        cls.system.run("systemctl", "start", "pcscd.socket")

    @classmethod
    def prepare(cls, layer: Path) -> None:
        """What else is there before the first boot."""

    def show(self, unit: str, name: str) -> str:
        return self.system.run("systemctl", "show", unit, "--property", name, "--value").stdout.strip()

    def systemctl(self, verb: str, unit: str = "mtkeyd", fails: bool = False) -> None:
        self.system.run("systemctl", "reset-failed")  # the limit of starts is not what is tested
        done = self.system.run("systemctl", verb, unit, check=False)
        self.assertEqual(done.returncode != 0, fails, done.stderr + self.journal())

    def drop_in(self, *lines: str) -> None:
        """These under [Service] of mtkeyd; none takes them away again."""
        self.system.shell("""d=/run/systemd/system/mtkeyd.service.d; rm -rf $d; mkdir $d
            [ $# = 0 ] || printf '%s\\n' '[Service]' "$@" >$d/test.conf
            systemctl daemon-reload""", *lines)

    def journal(self, *arguments: str) -> str:
        return self.system.run("journalctl", "--no-pager", "--output=cat", *arguments).stdout

    def of_file(self, form: str, path: str) -> str:
        return self.system.run("stat", f"--format={form}", path).stdout.strip()

    def ctl(self, *arguments: str) -> Any:
        return json.loads(self.system.run("mtkeyctl", "--json", *arguments).stdout)

    def store(self) -> Any:
        return self.ctl("store", "info")

    def installed(self, name: str) -> str:
        """Where the one file of that name is."""
        found, = self.layer.rglob(name)
        return f"/{found.relative_to(self.layer)}"

    def pid(self, unit: str = "mtkeyd") -> int:
        pid = int(self.show(unit, "MainPID"))
        self.assertGreater(pid, 1)
        return pid

    def key(self, path: str = KEY) -> bytes:
        """In clear; 32 octets or the test ends."""
        shown = self.system.run("systemd-creds", "decrypt", "--transcode=hex", path, "-").stdout
        octets = bytes.fromhex(shown)
        self.assertEqual(len(octets), 32)
        return octets

    def passed_to(self, unit: str = "mtkeyd") -> dict[str, bytes]:
        """What the unit's process finds in $CREDENTIALS_DIRECTORY."""
        shown = self.system.shell('cd "/run/credentials/$1.service"; for name in *; do '
                                  '[ -f "$name" ] && echo "$name $(od -An -v -tx1 "$name" | tr -d " \n")"; done; true', unit)
        return {name: bytes.fromhex(octets) for name, octets in (line.split() for line in shown.splitlines())}

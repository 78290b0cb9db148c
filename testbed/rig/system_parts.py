# SPDX-License-Identifier: Apache-2.0
"""The parts of the system that the parties need: smart card service, message bus, sd_notify socket."""
import os
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Optional

from .launch import FOLDER
from .processes import LAUNCH, Party

VPCD_PORT = 35963
NOBODY = 65534
READER = "Virtual reader [vpcd]"  # brackets, as real ones have them
VPCD_DRIVER = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"


def wait_for_path(path: Path, party: Party, timeout: float = 10) -> None:
    end = time.monotonic() + timeout
    while not path.exists():
        if not party.running():
            raise party.failure(f"ended with status {party.process.returncode}")
        if time.monotonic() > end:
            raise party.failure(f"did not make {path.name} within {timeout:g} s")
        time.sleep(0.01)


def free_port_pair() -> int:
    """A port N where N and N + 1 are free: the reader's driver takes one for each of its two slots."""
    for port in range(36100, 60000, 2):
        try:
            for one in (port, port + 1):
                socket.create_server(("0.0.0.0", one)).close()
            return port
        except OSError:
            continue
    raise OSError("no two free ports")


class CardService:
    """pcscd with the virtual reader's driver, which listens on every address: so in a network namespace of its own.

    Nothing but entries may stand in the folder of readers: pcscd reads every file, a log would be read back for ever.
    As root it runs as nobody: it must not take a real reader away from the system's pcscd, nor tidy away its files.
    """
    RUN = Path("/run/pcscd")  # must be there for pcscd; nobody cannot write in it, and pcscd does without

    def __init__(self, folder: Path, log: Path, env: dict[str, str], group: Optional[int] = None):
        self.confined = can_confine()
        self.port = VPCD_PORT if self.confined else free_port_pair()
        readers = folder / "readers"
        readers.mkdir(mode=0o755)
        os.chmod(readers, 0o755)
        entry = readers / "vpcd"
        entry.write_text(f'FRIENDLYNAME "{READER}"\nDEVICENAME /dev/null:0x{self.port:04X}\n'
                         f"LIBPATH {VPCD_DRIVER}\nCHANNELID 0x{self.port:04X}\n")
        os.chmod(entry, 0o644)
        # The socket's own mode decides about those who can walk here; the folder above may be closed to them.
        place = folder / "pcsc"
        place.mkdir(mode=0o755)
        os.chmod(place, 0o755)
        self.socket = place / "pcscd.comm"
        self._group = group
        self._readers, self._log, self._env = readers, log, env
        self.party: Optional[Party] = None
        self._network: Optional[Party] = None
        self._made_run = False
        if self.confined:
            # Somebody must be in the namespaces who stays when pcscd goes: the card comes back to this network.
            self._network = Party("network", ["sh", "-c", """echo '{"ready":true}'; exec sleep infinity"""],
                                  log.with_name("network.log"), launch=["--confine"], env=env)
        elif os.getuid() == 0 and not self.RUN.exists():
            self.RUN.mkdir(mode=0o755)
            self._made_run = True
        try:
            if self._network is not None:
                self._network.ready()
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)  # of a pcscd that was killed
        pcscd = shutil.which("pcscd", path="/usr/sbin:/usr/bin:/sbin:/bin") or "pcscd"
        launch = ["--listen", str(self.socket), "--folder", str(self._readers), "--uid", str(NOBODY)]
        if self._group is not None:
            launch += ["--listen-group", str(self._group)]
        if self._network is not None:
            launch += [*self.launch_inside(), "--with-run"]
        self.party = Party("pcscd", [pcscd, "-f", "-c", FOLDER], self._log, launch=launch, env=self._env)
        wait_for_path(self.socket, self.party)

    def kill(self) -> None:
        """SIGKILL: whoever has a card in use learns of it by a closed socket."""
        self.party.kill()

    def close(self) -> None:
        for party in (self.party, self._network):
            if party is not None:
                party.stop()
        if self._made_run:
            with suppress(OSError):  # somebody else uses it meanwhile
                self.RUN.rmdir()

    def launch_inside(self) -> list[str]:
        """Options of launch.py for a program that must reach the driver's port."""
        return ["--join", str(self._network.pid)] if self._network is not None else []


def can_confine() -> bool:
    """Whether this system lets us make namespaces (some containers do not)."""
    command = [*LAUNCH, "--parent", str(os.getpid()), "--confine", "--", "true"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


class Bus:
    """A message bus in the place of the system's. Anybody on it may own any name, and may listen."""

    def __init__(self, folder: Path, log: Path, env: dict[str, str]):
        path = folder / "bus"
        self.address = f"unix:path={path}"
        settings = folder / "bus.conf"
        settings.write_text(
            '<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"\n'
            ' "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">\n'
            f"<busconfig><listen>{self.address}</listen><auth>EXTERNAL</auth><policy context=\"default\">"
            '<allow own="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>'
            '<allow user="*"/></policy></busconfig>\n')
        self.party = Party("dbus-daemon", ["dbus-daemon", "--nofork", f"--config-file={settings}"], log, env=env)
        wait_for_path(path, self.party)


class NotifySocket:
    """The receiving end of sd_notify(3)."""

    def __init__(self, path: Path):
        self.path = path
        path.unlink(missing_ok=True)  # of a program that was started before
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self.messages: list[str] = []

    def wait_for(self, word: str, party: Party, timeout: float = 30) -> None:
        end = time.monotonic() + timeout
        self._socket.settimeout(0.1)
        while True:
            try:
                self.messages += self._socket.recv(4096).decode("utf-8", "replace").split("\n")
            except TimeoutError:
                pass
            if word in self.messages:
                return
            if not party.running():
                raise party.failure(f"ended with status {party.process.returncode} before it said {word}")
            if time.monotonic() > end:
                raise party.failure(f"did not say {word} within {timeout:g} s")

    def close(self) -> None:
        self._socket.close()

# SPDX-License-Identifier: Apache-2.0
"""Boots systemd in a container and runs commands beside it."""
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Optional

from rig.processes import Party, RigError

BOOT = Path(__file__).resolve().with_name("sd-boot")
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def unusable() -> Optional[str]:
    """Why there can be no container here; None when there can."""
    if os.geteuid() != 0 or Path("/proc/self/uid_map").read_text("ascii").split() != ["0", "0", "4294967295"]:
        return "only root can boot a container"
    if not shutil.which("systemd-nspawn"):
        return "no systemd-nspawn; tools/install-deps installs it"
    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run(
            ["unshare", "--mount", "sh", "-ec", 'mount -t tmpfs none "$1"; cd "$1"; mkdir up work root; '
             "mount -t overlay -o lowerdir=/,upperdir=up,workdir=work none root", "-", folder],
            capture_output=True, text=True, timeout=30, check=False)
    return f"no overlay can be mounted: {tried.stderr.strip()}" if tried.returncode else None


class Container:
    """A systemd of its own over this machine's files and those of `layer`. It ends with us, and leaves nothing."""

    def __init__(self, layer: Path, log: Path, **environment: str):
        self._layer, self._log, self._environment = layer, log, environment
        self._leader = 0

    def __enter__(self) -> "Container":
        self._home = tempfile.TemporaryDirectory(prefix="mtkey-sd.")
        folder, notify = Path(self._home.name) / "system", Path(self._home.name) / "notify"
        folder.mkdir()
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notices.bind(str(notify))
        self._notices.settimeout(0.2)
        settings = [f"--setenv={name}={value}" for name, value in self._environment.items()]
        self._party = Party("container", [str(BOOT), str(folder), str(self._layer), *settings], self._log,
                            env={**os.environ, "NOTIFY_SOCKET": str(notify)})
        try:
            self._await_boot()
        except BaseException:
            self.__exit__()
            raise
        # Mounted where only the process sees it that has mounted it.
        self.changed = Path(f"/proc/{self._party.pid}/root{folder}/upper")
        return self

    @property
    def root(self) -> Path:
        return Path(f"/proc/{self._leader}/root")

    def _await_boot(self, timeout: float = 60) -> None:
        """systemd-nspawn tells which process its systemd is, and passes on that it has reached the target."""
        end = time.monotonic() + timeout
        while True:
            try:
                notice = self._notices.recv(4096).decode()
            except TimeoutError:
                if self._party.running() and time.monotonic() < end:
                    continue
                raise self._party.failure("has not booted") from None
            leader = re.search(r"(?m)^X_NSPAWN_LEADER_PID=(\d+)$", notice)
            if leader:
                self._leader = int(leader[1])
            if re.search(r"(?m)^READY=1$", notice):
                return

    def __exit__(self, *_: Any) -> None:
        self._party.stop(10)
        self._notices.close()
        self._home.cleanup()

    def run(self, *command: str, stdin: str = "", check: bool = True,
            timeout: float = 30) -> "subprocess.CompletedProcess[str]":
        """As root, in all of its namespaces; RigError when it fails, unless `check` is false."""
        done = subprocess.run(["nsenter", f"--target={self._leader}", "--all", "--root", "--wd", *command], input=stdin,
                              env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout, check=False)
        if check and done.returncode != 0:
            raise RigError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def shell(self, script: str, *arguments: str, check: bool = True) -> str:
        """What the script has written, with -eu."""
        return self.run("sh", "-euc", script, "-", *arguments, check=check).stdout

    def reboot(self) -> None:
        self.run("systemctl", "reboot")
        self._await_boot()

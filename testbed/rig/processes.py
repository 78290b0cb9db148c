# SPDX-License-Identifier: Apache-2.0
"""One program of the rig: started in a session of its own, ended on every path."""
import json
import os
import queue
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any, Optional, Sequence

LAUNCH = [  # -I -S: nothing of the user's Python gets in, and the start takes some milliseconds less
    "/usr/bin/python3", "-I", "-S", str(Path(__file__).with_name("launch.py"))]


class RigError(Exception):
    """A party did not start, or did not do what it must; the text names it and shows the end of its log."""


class Party:
    """Owns one child process. Output of stdout: lines, in memory and in the log; stderr: the log file alone."""

    def __init__(self, name: str, command: Sequence[str], log: Path, *, launch: Sequence[str] = (),
                 env: Optional[dict[str, str]] = None, pass_fds: Sequence[int] = (), cwd: Optional[Path] = None):
        self.name = name
        self.log = log
        self._lines: "queue.Queue[Optional[str]]" = queue.Queue()
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self.process = subprocess.Popen(
                [*LAUNCH, "--parent", str(os.getpid()), *launch, "--", *command],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=descriptor, env=env,
                pass_fds=tuple(pass_fds), cwd=cwd, start_new_session=True)
        finally:
            os.close(descriptor)
        self._reader = threading.Thread(target=self._read, name=f"stdout of {name}", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream, open(self.log, "ab") as log:
            for line in stream:
                log.write(line)
                log.flush()
                self._lines.put(line.decode("utf-8", "replace").rstrip("\n"))
        self._lines.put(None)

    @property
    def pid(self) -> int:
        return self.process.pid

    def running(self) -> bool:
        return self.process.poll() is None

    def ready(self, timeout: float = 30) -> dict[str, Any]:
        """The one JSON line by which a server says that it serves."""
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            raise self.failure(f"was not ready within {timeout:g} s") from None
        if line is None:
            self.process.wait()
            raise self.failure(f"ended with status {self.process.returncode} before it was ready")
        try:
            answer = json.loads(line)
        except ValueError:
            raise self.failure(f"wrote {line!r} where its ready line should be") from None
        if not isinstance(answer, dict) or answer.get("ready") is not True:
            raise self.failure(f"wrote {line!r} where its ready line should be")
        return answer

    def lines(self) -> list[str]:
        """What it has written to stdout so far and nobody has taken."""
        taken = []
        while not self._lines.empty():
            line = self._lines.get()
            if line is not None:
                taken.append(line)
        return taken

    def failure(self, what: str) -> RigError:
        return RigError(f"{self.name} {what}\n{tail(self.log)}")

    def stop(self, timeout: float = 5) -> int:
        """SIGTERM, and SIGKILL when that does not help. The exit status; negative: the signal."""
        if self.running():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                pass
        self.kill()
        return self.process.returncode

    def kill(self) -> None:
        """At once, with whatever the program has started itself."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # the session is empty
        self.process.wait()
        self._reader.join(2)


def tail(log: Path, lines: int = 12) -> str:
    try:
        text = log.read_text("utf-8", "replace").splitlines()[-lines:]
    except OSError:
        text = []
    return "\n".join(f"    {line}" for line in text) or "    (its log is empty)"


def run(name: str, command: Sequence[str], *, timeout: float, env: Optional[dict[str, str]] = None,
        pass_fds: Sequence[int] = (), log: Optional[Path] = None,
        typed: str = "") -> "subprocess.CompletedProcess[str]":
    """A program that ends by itself; killed with its children when it does not. `typed` is its standard input."""
    process = subprocess.Popen(
        [*LAUNCH, "--parent", str(os.getpid()), "--", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=env, pass_fds=tuple(pass_fds), start_new_session=True)
    try:
        out, err = process.communicate(typed, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise RigError(f"{name} did not end within {timeout:g} s") from None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if log is not None:
        with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as file:
            file.write(out + err)
    return subprocess.CompletedProcess(list(command), process.returncode, out, err)

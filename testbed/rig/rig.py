# SPDX-License-Identifier: Apache-2.0
"""class Rig: UICC, MT, BSF, NAF Key Center and external devices, wired up."""
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from . import settings
from .certificates import Authority
from .clock import WallClock
from .options import Options, new_device_id
from .processes import Party, RigError, run
from .recorder import Recorder
from .steps import StepCollector
from .system_parts import Bus, CardService, NotifySocket
from .tty_pair import TtyPair

# Of the caller's environment these would change what the programs do.
FOREIGN = ("NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "JOURNAL_STREAM", "CREDENTIALS_DIRECTORY", "WATCHDOG_USEC",
           "DBUS_SYSTEM_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS", "http_proxy", "https_proxy")


@dataclass(frozen=True)
class DeviceResult:
    status: int  # exit status
    answer: dict[str, Any]  # the JSON object of mtkey-device
    log: str

    def __getitem__(self, name: str) -> Any:
        return self.answer.get(name)


@dataclass(frozen=True)
class Device:
    number: int
    device_id: str
    folder: Path
    ttys: TtyPair

    @property
    def config(self) -> Path:
        return self.folder / "device.toml"

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"

    @property
    def store(self) -> Path:
        return self.state_dir / "store"

    @property
    def store_key(self) -> Path:
        return self.folder / "store.key"


class Rig:
    """Use as a context manager: leaving it ends every process and removes the folder, whatever has happened.

    Processes are started from the thread that makes the rig and die with that thread.
    """

    def __init__(self, options: Options):
        self.options = options
        self.build = options.build.resolve()
        self.folder = Path()
        self.parties: dict[str, Party] = {}
        self.devices: list[Device] = []
        self.ub: Optional[Recorder] = None
        self.modem: Optional[Path] = None  # its tty
        self.bsf_fault = ""
        self.warnings: list[str] = []  # what a user of this machine should know
        self._stack = ExitStack()
        self.environment = {name: text for name, text in os.environ.items() if name not in FOREIGN}

    def __enter__(self) -> "Rig":
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Not to be interrupted: an impatient second Ctrl-C would leave the rest behind."""
        if threading.current_thread() is not threading.main_thread():
            self._stack.close()
            return
        interrupts = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        handlers = {number: signal.signal(number, signal.SIG_IGN) for number in interrupts}
        try:
            self._stack.close()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    # -- making it -----------------------------------------------------------------------------------------------

    def program(self, name: str) -> str:
        for folder in ("daemon", "device", "network/bsf", "network/nafkc", "testbed", "tools/mtkeyctl",
                       "tools/mtkey-card"):
            path = self.build / folder / name
            if path.is_file():
                return str(path)
        raise RigError(f"{name} is not in {self.build}: compile first")

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def _start(self) -> None:
        # Short: the path of a UNIX socket has 107 octets at most.
        self.folder = Path(tempfile.mkdtemp(prefix="mtkey.", dir="/tmp"))
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        (self.folder / "logs").mkdir(mode=0o700)
        self.state_dir = self.folder / "state"  # of the daemon
        self.state_dir.mkdir(mode=0o700)
        self.runtime_dir = self.folder / "run"
        self.runtime_dir.mkdir(mode=0o700)
        self.store_key = self.folder / "store.key"  # what the daemon's keys are sealed under
        with open(os.open(self.store_key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb") as key:
            key.write(secrets.token_bytes(32))
        if self.options.reader is not None:
            # A card that has been used elsewhere: what its EF_GBABP holds is no bootstrapping of this rig's BSF.
            self._write("state/bootstrap", settings.nothing_remembered())
        self.steps = StepCollector(self.options.on_step)
        self._stack.callback(self.steps.close)

        self.wall_clock = WallClock(self.folder / "faketime" if self.options.set_clock else None)
        self._stack.callback(self.wall_clock.set_right)
        self._make_certificates()
        for number in range(1, self.options.devices + 1):
            ttys = TtyPair()
            self._stack.callback(ttys.close)
            folder = self.folder / f"device{number}"
            folder.mkdir(mode=0o700)
            device = Device(number, new_device_id(), folder, ttys)
            device.state_dir.mkdir(mode=0o700)
            self.devices.append(device)
        if self.options.reader is None:
            self._start_card()
        self.bus = Bus(self.folder, self.log("dbus-daemon"), self.environment)
        self._adopt(self.bus.party)
        if self.options.record_bus:
            self._record_bus()
        if self.options.bsf_url is None:
            self.start_bsf()
            self._start_key_center()
        for device in self.devices:
            self._write_device(device)
        self.start_daemon()

    def _record_bus(self) -> None:
        """Into a file in the form of pcap; returns when nothing passes unseen any more."""
        self.bus_capture = self.folder / "bus.capture"
        self.bus_capture.touch(0o600)
        monitor = self._adopt(Party(
            "dbus-monitor", ["sh", "-c", 'exec dbus-monitor --address "$1" --pcap >"$2"', "sh", self.bus.address,
                             str(self.bus_capture)], self.log("dbus-monitor"), env=self.environment))
        end = time.monotonic() + 10
        while b"NameLost" not in self.bus_capture.read_bytes():  # of the monitor's own name, as soon as it is one
            if not monitor.running() or time.monotonic() > end:
                raise monitor.failure("does not record")
            time.sleep(0.01)

    def _adopt(self, party: Party) -> Party:
        self.parties[party.name] = party
        self._stack.callback(party.stop)
        return party

    def _start_party(self, name: str, *arguments: str, alias: Optional[str] = None, **how: Any) -> Party:
        how.setdefault("env", self.environment)
        known_as = alias or name
        return self._adopt(Party(known_as, [self.program(name), *arguments], self.log(known_as), **how))

    def _start_server(self, name: str, config: Path, *arguments: str, **how: Any) -> Party:
        """One that reads a configuration and reports the draft's steps."""
        return self._start_party(name, "--config", str(config), *arguments, *self._report_steps(),
                                 pass_fds=(self.steps.fd,), **how)

    def _report_steps(self) -> list[str]:
        return ["--steps-fd", str(self.steps.fd)]

    def _make_certificates(self) -> None:
        subscriber = self.options.subscriber
        self.operator_ca = Authority(self.folder / "operator-ca", "Test operator CA")
        self.device_ca = Authority(self.folder / "device-ca", "Test device CA")
        self._strange_ca = Authority(self.folder / "strange-ca", "Another CA") if self.options.strange_ca else None
        operator = self.operator_ca
        self.bsf_certificate = self._issuer("bsf", operator).server("bsf", subscriber.bsf_fqdn)
        self.naf_certificate = self._issuer("key-center", operator).server("nafkc", subscriber.naf_fqdn)
        self.naf_client_certificate = self._issuer("zn-client", operator).client("nafkc-client", subscriber.naf_fqdn)

    def _issuer(self, whose: str, usual: Authority) -> Authority:
        return self._strange_ca if self._strange_ca and self.options.strange_ca == whose else usual

    def _start_card(self) -> None:
        if self.options.modem is None:
            self._start_pcscd()
        options, subscriber = self.options, self.options.subscriber
        gba = options.card_has_gba if options.card_has_gba is not None else options.mode == "gba-u"
        card = self._write("card.toml", settings.card(
            subscriber, gba, options.pin, options.protocol, kind="sim" if options.is_2g else "uicc") +
            settings.rules_of_gba_u(options.rules_off_at_card))
        if options.other is not None:
            self.other_card = self._write(
                "other.toml", settings.card(options.other, gba, None, options.protocol, "8988211000000654321"))
        self.card = card
        keys = self._subscribers_file() if options.k_at_bsf is None else self._write(
            "card/subscribers.toml", settings.subscribers(subscriber, options.mode))
        arguments = ["--card", str(card), "--subscribers", str(keys), "--control", str(self.folder / "control")]
        if options.modem is not None:
            self.modem = self.folder / "modem"
            how = self._write("modem.toml", settings.table("", **options.modem))
            self._start_party("virtual-modem", *arguments, "--modem", str(how), "--link", str(self.modem)).ready()
        else:
            self._start_party("virtual-uicc", *arguments, "--port", str(self.card_service.port),
                              launch=self.card_service.launch_inside()).ready()

    def _start_pcscd(self) -> None:
        service = CardService(self.folder, self.log("pcscd"), self.environment, self.options.pcscd_group)
        self._stack.callback(service.close)
        self.card_service = service
        self.parties["pcscd"] = service.party
        if not service.confined:
            self.warnings.append("this system allows no network namespaces: the virtual reader listens on every address, "
                                 f"TCP ports {service.port} and {service.port + 1}")
        self.environment["PCSCLITE_CSOCK_NAME"] = str(service.socket)

    def card_control(self, line: str) -> dict[str, Any]:
        """What the virtual UICC, alone or in its modem, answers on its control socket (testbed/virtual_uicc/README.md)."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
            control.settimeout(10)
            control.connect(str(self.folder / "control"))
            control.sendall(line.encode() + b"\n")
            answer = json.loads(control.makefile().readline())
        if answer.get("ok") is not True:
            raise RigError(f"virtual-uicc answered {line!r} with {answer}")
        return dict(answer)

    def card_commands(self) -> Optional[int]:
        """How many the card itself says that it was sent; None for one that cannot be asked."""
        return None if self.options.reader is not None else int(self.card_control("count")["commands"])

    def restart_pcscd(self) -> None:
        """SIGKILL, and at once a new one; the card finds it by itself."""
        self.card_service.kill()
        self.card_service.start()
        self.parties["pcscd"] = self.card_service.party

    def _subscribers_file(self) -> Path:
        text = settings.subscribers(self.options.subscriber, self.options.mode, self.options.k_at_bsf)
        if self.options.other is not None:
            text += settings.subscribers(self.options.other, self.options.mode)
        return self._write("subscribers.toml", text)

    def _start_bsf_program(self, name: str, ports: tuple[int, int]) -> tuple[int, int]:
        config = self._write(f"{name}.toml", settings.bsf(self.options, self._subscribers_file(), self.bsf_certificate,
                                                          self.operator_ca.certificate, ports))
        arguments = ["--fault", self.bsf_fault] if self.bsf_fault else []
        ready = self._start_server("mtkey-bsf", config, *arguments, alias=name).ready()
        return int(ready["ub_port"]), int(ready["zn_port"])

    def start_bsf(self, ports: tuple[int, int] = (0, 0)) -> None:
        self.bsf_ports = self._start_bsf_program("mtkey-bsf", ports)
        if self.options.zn_at_another_bsf:
            self.bsf_ports = (self.bsf_ports[0], self._start_bsf_program("other-bsf", (0, 0))[1])
        if self.options.record_ub and self.ub is None:
            self.ub = Recorder(("127.0.0.1", self.bsf_ports[0]))
            self._stack.callback(self.ub.close)

    def restart_bsf(self, fault: str = "") -> None:
        """On the same ports, with everything forgotten; `fault`: as `mtkey-bsf --fault` names them."""
        self.bsf_fault = fault
        self.parties["mtkey-bsf"].stop()
        self.start_bsf(self.bsf_ports)

    def _start_key_center(self) -> None:
        config = self._write("nafkc.toml", settings.key_center(
            self.options, self.naf_certificate, self.device_ca.certificate, self.bsf_ports[1],
            self.operator_ca.certificate, self.naf_client_certificate))
        self.key_center_port = int(self._start_server("mtkey-nafkc", config).ready()["port"])

    def _write_device(self, device: Device) -> None:
        certificate = self._issuer("device", self.device_ca).device(
            f"device{device.number}", self.options.device_id_in_certificate or device.device_id)
        # Without a Key Center of ours the device ends at step 10: nothing listens on the discard port.
        port = self.key_center_port if self.options.bsf_url is None else 9
        self._write(f"{device.folder.name}/device.toml", settings.device(
            self.options, device.device_id, device.state_dir, device.store_key, device.ttys.device,
            self.build / "plugins/serial", self.operator_ca.certificate, certificate, port))

    def start_daemon(self) -> None:
        if self.options.bsf_url is not None:
            bsf = settings.bsf_of_url(self.options.bsf_url)
        else:
            port = self.ub.port if self.ub else self.bsf_ports[0]
            bsf = {"address": f"127.0.0.1:{port}", "tls": self.options.is_2g}
            if self.options.is_2g:
                bsf["ca"] = self.operator_ca.certificate
        pin_file = self.options.pin_file
        if self.options.pin is not None and self.options.pin_known:
            pin_file = self._write("pin", self.options.pin + "\n")
        config = self._write("mtkeyd.toml", settings.daemon(
            self.options, self.bus.address, bsf, [device.ttys.mt for device in self.devices],
            [device.device_id for device in self.devices], self.build / "plugins", pin_file,
            self.modem, self.state_dir, self.runtime_dir, self.store_key if self.options.store else None))
        notify = NotifySocket(self.folder / "notify")
        self._stack.callback(notify.close)
        environment = {**self.environment, "NOTIFY_SOCKET": str(notify.path), **self.wall_clock.environment()}
        daemon = self._start_server("mtkeyd", config, env=environment)
        notify.wait_for("READY=1", daemon)

    # -- using it ------------------------------------------------------------------------------------------------

    def device_command(self, device: Device, *arguments: str) -> list[str]:
        return [self.program("mtkey-device"), "--config", str(device.config), *arguments]

    def run_device(self, device: Device, *command: str, timeout: float = 60) -> DeviceResult:
        """`mtkey-device establish` unless `command` says something else."""
        arguments = self.device_command(device, "--json", *self._report_steps(), *command or ["establish"])
        done = run("mtkey-device", arguments, timeout=timeout, env=self.environment, pass_fds=(self.steps.fd,),
                   log=self.log(f"mtkey-device{device.number}"))
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            raise RigError(f"mtkey-device ended with status {done.returncode} and wrote no JSON object but "
                           f"{done.stdout!r}\n{done.stderr}") from None
        return DeviceResult(done.returncode, answer, done.stderr)

    def ctl_command(self, *arguments: str) -> list[str]:
        return [self.program("mtkeyctl"), "--bus", self.bus.address, *arguments]

    def ctl(self, *arguments: str, timeout: float = 60) -> Any:
        """What `mtkeyctl --json ...` answers."""
        done = self.try_ctl("--json", *arguments, timeout=timeout)
        if done.returncode != 0:
            raise RigError(f"mtkeyctl {' '.join(arguments)} ended with status {done.returncode}:\n{done.stderr}")
        return json.loads(done.stdout)

    def try_ctl(self, *arguments: str, timeout: float = 60, typed: str = "") -> "subprocess.CompletedProcess[str]":
        return run("mtkeyctl", self.ctl_command(*arguments), timeout=timeout, env=self.environment,
                   log=self.log("mtkeyctl"), typed=typed)

    def statistics(self) -> dict[str, int]:
        return dict(self.ctl("status")["statistics"])

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tools/demo: the key establishment of 3GPP TS 33.259 on this machine, every party a process of its own."""
import argparse
import faulthandler
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo_screen import Screen
from rig import Options, Rig, RigError, Subscriber
from rig.pcsc import subscriber_of
from rig.report import Establishment, fingerprints

ROOT = Path(__file__).resolve().parents[1]


class Interrupted(BaseException):
    """SIGINT, SIGTERM or SIGHUP."""

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number


@dataclass
class Outcome:
    """Filled in as things happen, so that what had been reached is told whatever ends the run."""
    report: dict[str, Any] = field(default_factory=lambda: {"result": "failed"})
    ok: bool = False
    done: bool = False  # all that was asked for has been tried
    printed: bool = False

    def print_report(self) -> None:
        if not self.printed:
            print(json.dumps(self.report), flush=True)
        self.printed = True


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/demo", description=__doc__.split(": ", 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter, epilog="""
Without --reader the UICC is a virtual one (its K and OPc are drawn anew each time) in a private pcscd. No process and
no file of a run is left behind; the packages that it needed, and build/, stay.

exit status: 0 the key was established and is the same on both sides (--keep: also when Ctrl-C ends the playing);
1 it was not; 2 wrong arguments; 130, 143: interrupted before the end

the object of --json:
  result          established | answered (--bsf: step 10 was reached) | failed, then error says why
  mode            gba-u | gba-me
  procedure       full | optimised; null when it failed before step 4 told which
  keys_match      device, MT and Key Center hold the same key; null with --bsf
  b_tid, naf_id {fqdn, ua}, fingerprint, lifetime (UTC); with --bsf the MT's fingerprint and the end of Ks
  apdus, http_exchanges, seconds {per phase}
  resumed         --again: the same members. result is resumed; procedure is the one that had established the key
  second          --again: the same members, of the second device

environment: MTKEY_BUILD names another build folder than build/, NO_COLOR=1 switches colours off""")
    parser.add_argument("--mode", choices=["gba-u", "gba-me"], default="gba-u",
                        help="gba-me: a subscriber whose card has no GBA service (default: gba-u)")
    parser.add_argument("--again", action="store_true",
                        help="afterwards the stored key (5.5.1), then a second device by the optimised procedure (5.5.3)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout, progress on stderr")
    parser.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C; tell how to play")
    real = parser.add_argument_group("a real card or an operator's BSF")
    real.add_argument("--reader", metavar="NAME", help="a programmable test card in this PC/SC reader")
    real.add_argument("--k", metavar="FILE", type=Path, help="its K, 32 hex digits (for our BSF)")
    real.add_argument("--opc", metavar="FILE", type=Path, help="its OPc, 32 hex digits")
    real.add_argument("--imsi", help="its IMSI, where the card does not give it without PIN")
    real.add_argument("--mnc-length", type=int, choices=[2, 3], help="digits of the MNC in the IMSI")
    real.add_argument("--pin", metavar="FILE", type=Path, help="its PIN; the daemon never sends it twice when refused")
    real.add_argument("--bsf", metavar="URL", help="an operator's BSF in place of ours: up to step 10")
    options = parser.parse_args()
    if options.reader and not options.bsf and not (options.k and options.opc):
        parser.error("--reader needs --k and --opc (our BSF must know the card's keys), or --bsf")
    if (options.k is None) != (options.opc is None):
        parser.error("--k and --opc belong together")
    if options.bsf and options.again:
        parser.error("--again needs our own BSF and Key Center")
    return options


def key_of(path: Path) -> str:
    try:
        text = path.read_text("ascii").strip().lower()
        if len(bytes.fromhex(text)) != 16:
            raise ValueError
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "must hold 32 hex digits"
        raise RigError(f"{path}: {reason}") from None
    return text


def subscriber(options: argparse.Namespace) -> Subscriber:
    chosen: dict[str, Any] = {}
    if options.reader and not options.imsi:
        chosen["imsi"], chosen["mnc_length"] = subscriber_of(options.reader)
    if options.imsi:
        chosen["imsi"] = options.imsi
    if options.mnc_length:
        chosen["mnc_length"] = options.mnc_length
    if options.k:
        chosen["k"], chosen["opc"] = key_of(options.k), key_of(options.opc)
    return Subscriber(**chosen)


def wait_for_card(rig: Rig, timeout: float = 20) -> None:
    """The daemon owns its bus name before it has read the card; counting starts behind that."""
    end = time.monotonic() + timeout
    while (state := rig.ctl("status")["state"]) != "ready":
        if time.monotonic() > end:
            raise RigError(f"mtkeyd does not get the UICC ready, its state is {state!r}:\n"
                           f"{rig.ctl('status').get('uicc')}")
        time.sleep(0.05)


def establish(rig: Rig, screen: Screen, number: int, title: str) -> Establishment:
    screen.begin(title)
    return Establishment(rig, rig.devices[number])


def play(rig: Rig, screen: Screen) -> None:
    """--keep: until Ctrl-C."""
    device = rig.devices[0]
    # mtkeyd holds the card exclusively: whoever wants it has to end mtkeyd.
    take_card = f"kill {rig.parties['mtkeyd'].pid}; " \
        f"export PCSCLITE_CSOCK_NAME={shlex.quote(rig.environment['PCSCLITE_CSOCK_NAME'])}" \
        if rig.options.reader is None else ""
    screen.play([
        ("what the daemon sees", shlex.join(rig.ctl_command("status"))),
        ("follow what happens", shlex.join(rig.ctl_command("monitor"))),
        ("another GBA run", shlex.join(rig.ctl_command("bootstrap", "--force"))),
        ("the device's key", shlex.join(rig.device_command(device, "status"))),
        ("try it again (5.5.1)", shlex.join(rig.device_command(device, "establish"))),
        ("forget it, then establish anew", shlex.join(rig.device_command(device, "forget", "--all"))),
        ("logs and settings", f"ls {rig.folder} {rig.folder}/logs"),
    ] + ([("end mtkeyd, which holds the card exclusively; then your own PC/SC program may have it", take_card)]
         if take_card else []))
    while True:  # not pause(): a signal just before it would be slept through
        time.sleep(0.1)


def run(options: argparse.Namespace, screen: Screen, outcome: Outcome) -> None:
    build = Path(os.environ.get("MTKEY_BUILD", ROOT / "build"))
    started = time.monotonic()
    rig_options = Options(build=build, mode=options.mode, devices=2 if options.again else 1,
                          subscriber=subscriber(options), on_step=screen.step, reader=options.reader,
                          pin_file=options.pin.resolve() if options.pin else None, bsf_url=options.bsf)
    with Rig(rig_options) as rig:
        wait_for_card(rig)
        screen.parties(rig, time.monotonic() - started)
        first = establish(rig, screen, 0, "External device and MT have no key in common")
        report = outcome.report
        report.update(first.as_json())
        report["seconds"]["start"] = round(time.monotonic() - started - report["seconds"].get("total", 0), 3)
        ok = first.ok and first.keys_match
        if options.bsf:
            ok = up_to_step_10(first, report)
        screen.summary(report, first)
        if ok and options.again:
            ok = again(rig, screen, report)
        outcome.ok, outcome.done = ok, True
        if options.keep:
            if options.json:
                outcome.print_report()
            play(rig, screen)


def up_to_step_10(first: Establishment, report: dict[str, Any]) -> bool:
    """There is no Key Center behind an operator's BSF here: the device fails at it, and must."""
    answered = next((event for event in first.events if event.name == "establishment-answered"), None)
    if answered is None:
        return False
    answer = first.result
    report.update(result="answered", keys_match=None, lifetime=answer["ks_lifetime"],
                  fingerprint=fingerprints(first.events, answer)["mt"])
    report.pop("error", None)
    report.pop("message", None)
    return True


def again(rig: Rig, screen: Screen, report: dict[str, Any]) -> bool:
    resumed = establish(rig, screen, 0, "The same device again: it tries its stored key (5.5.1)")
    report["resumed"] = resumed.as_json()
    # The key is the one of before, and so is how it came about: both sides have proved that they hold it.
    report["resumed"]["procedure"] = report["procedure"] if resumed.procedure == "resume" else resumed.procedure
    same = resumed.result["fingerprint"] == report["fingerprint"]
    report["resumed"]["keys_match"] = resumed.ok and same
    screen.summary(report["resumed"], resumed)
    second = establish(rig, screen, 1, "A second device: the MT still has a valid B-TID")
    report["second"] = second.as_json()
    screen.summary(report["second"], second)
    # The simulated card counts for itself what it is sent: not the daemon's word alone.
    silent = all(one.counts["http_exchanges"] == 0 and one.counts["bootstrapping_authenticates"] == 0 and
                 one.counts.get("card_commands", 0) == 0 for one in (resumed, second))
    if not silent:
        report["error"] = "Ub traffic or an APDU where none should be"
    return (silent and resumed.ok and resumed.procedure == "resume" and same and second.ok and second.keys_match and
            second.procedure == "optimised")


def main() -> int:
    options = arguments()
    faulthandler.enable()  # where it hangs, if it does: kill -ABRT
    def interrupt(number: int, _: object) -> None:
        raise Interrupted(number)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    # Progress goes to stderr where stdout belongs to the JSON object.
    screen = Screen(sys.stderr if options.json else sys.stdout)
    outcome = Outcome()
    status = None
    try:
        run(options, screen, outcome)
    except Interrupted as interrupted:
        if not (outcome.done and interrupted.number == signal.SIGINT):
            status = 128 + interrupted.number
            outcome.report["error"] = "interrupted"
    except (RigError, OSError, ValueError, subprocess.TimeoutExpired) as error:
        outcome.ok = False
        outcome.report["error"] = str(error)
        screen.note(str(error))
    if options.json:
        outcome.print_report()
    if status is None:
        status = 0 if outcome.ok else 1
        screen.verdict(outcome.ok)
    else:
        screen.note("ended; nothing is left running")
    return status


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""How the demo looks. Colours on a terminal, plain text elsewhere; nothing is decided here."""
import os
import threading
from typing import Any, TextIO

from rig import Rig, StepEvent
from rig.report import Establishment, fingerprints
from rig.steps import procedure_of

PARTIES = {"device": ("ext. device", "36"), "mt": ("MT", "32"), "key-center": ("Key Center", "35"), "bsf": ("BSF", "33")}
CLAUSE = {"full": "5.5.2", "optimised": "5.5.3"}


class Screen:
    def __init__(self, out: TextIO):
        self._out = out
        self._colour = out.isatty() and not os.environ.get("NO_COLOR")
        self._lock = threading.Lock()
        self._events: list[StepEvent] = []

    def _paint(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._colour else text

    def _print(self, text: str = "") -> None:
        with self._lock:
            print(text, file=self._out, flush=True)

    def note(self, text: str) -> None:
        self._print(text)

    def parties(self, rig: Rig, seconds: float) -> None:
        names = ", ".join(f"{name} ({party.pid})" for name, party in rig.parties.items())
        self._print(f"{self._paint('1', 'Running')} after {seconds:.1f} s: {names}")
        for warning in rig.warnings:
            self._print(self._paint("33", f"note: {warning}"))

    def begin(self, title: str) -> None:
        self._events = []
        self._print("\n" + self._paint("1", title))

    def step(self, event: StepEvent) -> None:
        """Called as a step happens. Steps 1 to 3 are those of both procedures: which of them it is shows at step 4."""
        self._events.append(event)
        procedure = procedure_of(self._events)
        if procedure is None and event.full:
            self._show("", event.full, event)
        elif procedure is None:
            self._show("5.5.1", 0, event)
        else:
            number = event.full if procedure == "full" else event.optimised
            self._show(CLAUSE[procedure], number, event)

    def _show(self, clause: str, number: int, event: StepEvent) -> None:
        name, colour = PARTIES.get(event.party, (event.party, "0"))
        remarks = [event.details["mode"]] if "mode" in event.details else []
        if "fingerprint" in event.details:
            # Ks_(ext)_NAF at the BSF, Ks_local_MT everywhere else
            remarks.append(f"{'Ks_(ext)_NAF' if event.party == 'bsf' else 'key'} {event.details['fingerprint']}")
        remark = self._paint("2", "  [" + ", ".join(remarks) + "]") if remarks else ""
        shown = f"{number:2d}" if number else " -"
        self._print(f"  {clause:5} {self._paint('1', shown)}  {self._paint(colour, f'{name:11}')}  {event.text}{remark}")

    def summary(self, report: dict[str, Any], run: Establishment) -> None:
        self._print()
        if not run.ok and report.get("result") != "answered":
            self._row("result", self._paint("31", f"{report.get('error')}: {report.get('message')}"))
            return
        naf_id = report.get("naf_id") or {}
        self._row("result", f"{report['result']} ({report['procedure']})")
        self._row("B-TID", report.get("b_tid"))
        self._row("NAF_ID", f"{naf_id.get('fqdn')} / {naf_id.get('ua')}" if naf_id else None)
        self._row("mode", report.get("mode"))
        self._fingerprints(report, run)
        self._row("lifetime", report.get("lifetime"))
        self._row("counts", f"{report['apdus']} APDUs ({run.counts.get('bootstrapping_authenticates')} of them "
                            f"bootstrapping), {report['http_exchanges']} HTTP exchanges on Ub")
        self._row("seconds", ", ".join(f"{name} {value:.3f}" for name, value in report["seconds"].items()))

    def _fingerprints(self, report: dict[str, Any], run: Establishment) -> None:
        if run.procedure == "resume":
            self._row("key", f"{report['fingerprint']}: the same on both sides" if report["keys_match"]
                      else self._paint("31", "NOT the one of before"))
            return
        found = fingerprints(run.events, run.result)
        text = ", ".join(f"{party.replace('_', ' ')} {value}" for party, value in found.items() if value)
        if report["keys_match"] is not None:
            text += self._paint("32", "  equal") if report["keys_match"] else self._paint("31", "  NOT EQUAL")
        self._row("key", text)

    def _row(self, name: str, value: Any) -> None:
        if value is not None:
            self._print(f"  {name:9} {value}")

    def play(self, commands: list[tuple[str, str]]) -> None:
        self._print("\n" + self._paint("1", "Everything is left running; Ctrl-C ends it.") + " In another terminal:")
        for what, command in commands:
            self._print(f"  {self._paint('2', '# ' + what)}\n  {command}")

    def verdict(self, ok: bool) -> None:
        self._print("\n" + (self._paint("1;32", "Success.") if ok else self._paint("1;31", "Failed.")))

# SPDX-License-Identifier: Apache-2.0
"""What one establishment was: counts, phases, and whether both sides hold the same key. From what the programs say."""
from typing import Any, Optional

from .rig import Device, DeviceResult, Rig
from .steps import StepEvent, procedure_of

# phase: from the first of these steps to the second
PHASES = {
    "full": [("request", "no-valid-key", "gba-run-started"),
             ("gba", "gba-run-started", "uicc-keys-received"),
             ("mt", "uicc-keys-received", "establishment-answered"),
             ("key_center", "establishment-answered", "key-delivered"),
             ("confirmation", "key-delivered", "completed"),
             ("total", "no-valid-key", "completed")],
    "optimised": [("request", "no-valid-key", "establishment-requested"),
                  ("mt", "establishment-requested", "establishment-answered"),
                  ("key_center", "establishment-answered", "key-delivered"),
                  ("confirmation", "key-delivered", "completed"),
                  ("total", "no-valid-key", "completed")],
    "resume": [("total", "stored-key-tried", "stored-key-accepted")],
}


def find(events: list[StepEvent], name: str) -> Optional[StepEvent]:
    """The last one: a device may have had to begin anew."""
    return next((event for event in reversed(events) if event.name == name), None)


def phases(events: list[StepEvent], procedure: str) -> dict[str, float]:
    seconds = {}
    for name, first, last in PHASES[procedure]:
        begin, end = find(events, first), find(events, last)
        if begin and end:
            seconds[name] = round((end.boot_ms - begin.boot_ms) / 1000, 3)
    return seconds


def numbers(events: list[StepEvent], procedure: str) -> list[int]:
    """The numbers of the draft's steps in the order in which they happened."""
    return [number for event in events if (number := event.full if procedure == "full" else event.optimised)]


def fingerprints(events: list[StepEvent], result: DeviceResult) -> dict[str, Optional[str]]:
    """Of Ks_local_MT, as each of the three says that it holds it."""
    def said(name: str) -> Optional[str]:
        event = find(events, name)
        return event.details.get("fingerprint") if event else None
    return {"device": result["fingerprint"], "mt": said("mt-key-derived"),
            "key_center": said("key-center-key-derived")}


class Establishment:
    """One run of a device, with what changed meanwhile."""

    def __init__(self, rig: Rig, device: Device, timeout: float = 90):
        before = rig.statistics()
        commands = rig.card_commands()
        position = rig.steps.position()
        self.result = rig.run_device(device, timeout=timeout)
        last = {"established": "completed", "resumed": "stored-key-accepted"}.get(self.result["result"])
        if last is not None:
            rig.steps.wait_for(last, position)
        self.events = rig.steps.since(position)
        after = rig.statistics()
        self.counts = {name: after[name] - before.get(name, 0) for name in after}
        if commands is not None:
            # Not the daemon's word: "no APDU" is believed of both.
            self.counts["card_commands"] = (rig.card_commands() or 0) - commands
        self.procedure = "resume" if self.result["result"] == "resumed" else procedure_of(self.events)

    @property
    def ok(self) -> bool:
        return self.result.status == 0 and self.result["result"] in ("established", "resumed")

    @property
    def keys_match(self) -> bool:
        """On the device, in the MT and at the Key Center. A Key Center that gave out the key that it had stored
        (step 15) has derived nothing; after a resumption there is nothing new to compare.
        """
        found = fingerprints(self.events, self.result)
        if found["key_center"] is None and find(self.events, "key-delivered"):
            del found["key_center"]
        return len(set(found.values())) == 1 and None not in found.values()

    def steps(self) -> list[int]:
        return numbers(self.events, self.procedure or "full")

    def as_json(self) -> dict[str, Any]:
        answer = self.result.answer
        seconds = phases(self.events, self.procedure) if self.procedure in PHASES else {}
        found = {
            "result": answer.get("result"), "mode": answer.get("mode"),
            "procedure": answer.get("procedure", self.procedure), "keys_match": self.keys_match,
            "b_tid": answer.get("b_tid"), "naf_id": answer.get("naf_id"), "fingerprint": answer.get("fingerprint"),
            "lifetime": answer.get("lifetime"), "apdus": self.counts.get("apdus"),
            "http_exchanges": self.counts.get("http_exchanges"), "seconds": seconds}
        if not self.ok:
            found.update(error=answer.get("error"), message=answer.get("message"))
        return found

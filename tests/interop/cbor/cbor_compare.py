#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our CBOR against cbor2: the same octets for every message, and whatever cbor2 reads but would write otherwise is refused.

Usage: cbor_compare.py /path/to/local-messages /path/to/local-interface.md     (writes TAP)
"""
import datetime
import os
import random
import subprocess
import sys
import unittest
from decimal import Decimal
from typing import Any, Callable

import cbor2

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", ".."))
import local_interface  # noqa: E402
import tap  # noqa: E402

HELPER, DOCUMENT = sys.argv[1], sys.argv[2]
del sys.argv[1:]
SEED = 33259
HELLO, ERROR = 1, 10
SEALED = (3, 8, 9)


def samples() -> list[tuple[int, str, bytes]]:
    out = subprocess.run([HELPER, "print"], capture_output=True, text=True, check=True, timeout=60).stdout
    return [(int(kind), name, bytes.fromhex(text)) for kind, name, text in (line.split() for line in out.splitlines())]


def verdicts(rows: list[tuple[int, bytes]]) -> list[str]:
    lines = "".join(f"{kind} {octets.hex() or '-'}\n" for kind, octets in rows)
    out = subprocess.run([HELPER, "check"], input=lines, capture_output=True, text=True, check=True, timeout=100)
    answers = out.stdout.splitlines()
    assert len(answers) == len(rows)
    return answers


def again(octets: bytes) -> bytes:
    return cbor2.dumps(cbor2.loads(octets), canonical=True)


def sealed_body(kind: int, octets: bytes) -> bytes:
    return cbor2.loads(octets)[1] if kind in SEALED else b""


def changed(value: Any, change: Callable[[Any], Any]) -> list[Any]:
    """Copies of `value`, each with one item inside replaced by what `change` makes of it (None = leave it)."""
    out = []
    replacement = change(value)
    if replacement is not None:
        out.append(replacement)
    if isinstance(value, dict):
        for key, inner in value.items():
            out += [{**value, key: other} for other in changed(inner, change)]
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            out += [value[:at] + [other] + value[at + 1:] for other in changed(inner, change)]
    return out


class SameOctets(unittest.TestCase):
    def test_every_message_is_what_cbor2_writes(self) -> None:
        found = samples()
        self.assertGreaterEqual(len(found), 20)
        for kind, name, octets in found:
            with self.subTest(name):
                self.assertEqual(again(octets).hex(), octets.hex())
                if kind in SEALED:
                    body = sealed_body(kind, octets)
                    self.assertEqual(again(body).hex(), body.hex())

    def test_what_cbor2_writes_is_taken(self) -> None:
        rows = [(kind, again(octets)) for kind, _, octets in samples()]
        for (_, octets), verdict in zip(rows, verdicts(rows)):
            self.assertEqual(verdict, "ok " + octets.hex())


class OtherSpellings(unittest.TestCase):
    """Content that cbor2 reads the same or nearly so; only one spelling of it is ours."""

    def refused(self, rows: list[tuple[int, bytes]], at_least: int) -> None:
        good = {octets for _, _, octets in samples()}
        rows = [(kind, octets) for kind, octets in rows if octets not in good]
        self.assertGreaterEqual(len(rows), at_least)
        for (kind, octets), verdict in zip(rows, verdicts(rows)):
            with self.subTest(f"{kind} {octets.hex()}"):
                self.assertEqual(verdict, "refused")

    def variants(self, change: Callable[[Any], Any], **options: Any) -> list[tuple[int, bytes]]:
        rows = []
        for kind, _, octets in samples():
            rows += [(kind, cbor2.dumps(value, **options)) for value in changed(cbor2.loads(octets), change)]
            if kind in SEALED:
                whole = cbor2.loads(octets)
                for body in changed(cbor2.loads(whole[1]), change):
                    rows.append((kind, cbor2.dumps({**whole, 1: cbor2.dumps(body, **options)})))
        return rows

    def test_keys_in_another_order(self) -> None:
        self.refused(self.variants(lambda v: dict(reversed(v.items())) if isinstance(v, dict) and len(v) > 1 else None),
                     20)

    def test_integers_as_floats_decimals_bools(self) -> None:
        def as_other(make: Callable[[int], Any]) -> Callable[[Any], Any]:
            return lambda v: make(v) if isinstance(v, int) and not isinstance(v, bool) else None
        for make in (float, Decimal, lambda v: None if v > 1 else bool(v), lambda v: -1 - v, str):
            self.refused(self.variants(as_other(make)), 10)

    def test_big_integers(self) -> None:
        self.refused(self.variants(lambda v: v + 2 ** 64 if isinstance(v, int) else None), 20)

    def test_times_as_tags(self) -> None:
        def tagged(v: Any) -> Any:
            return datetime.datetime.fromtimestamp(v, datetime.timezone.utc) if isinstance(v, int) else None
        self.refused(self.variants(tagged), 20)
        self.refused(self.variants(tagged, datetime_as_timestamp=True), 20)

    def test_text_and_octets_exchanged(self) -> None:
        self.refused(self.variants(lambda v: v.encode() if isinstance(v, str) else None), 20)
        self.refused(self.variants(lambda v: v.hex() if isinstance(v, bytes) else None), 10)

    def test_tagged_items(self) -> None:
        self.refused(self.variants(lambda v: cbor2.CBORTag(55799, v)), 100)  # "self-described CBOR"

    def test_null_undefined_simple(self) -> None:
        for value in (cbor2.undefined, cbor2.CBORSimpleValue(99), float("nan"), float("inf")):
            self.refused(self.variants(lambda v, value=value: value), 100)
        self.refused(self.variants(lambda v: [None]), 100)

    def test_shared_references(self) -> None:
        shared = [1]
        octets = cbor2.dumps({1: 0, 2: shared, 3: [shared, shared]}, value_sharing=True)
        self.assertEqual(cbor2.loads(octets)[2], [1])
        self.refused([(HELLO, octets)], 1)

    def test_octets_behind_the_end(self) -> None:
        self.refused([(kind, octets + tail) for kind, _, octets in samples() for tail in (b"\0", b"\xa0", octets)], 60)

    def test_keys_twice(self) -> None:
        rows = []
        for kind, _, octets in samples():
            content = cbor2.loads(octets)
            for key in content:
                pair = cbor2.dumps(key) + cbor2.dumps(content[key], canonical=True)
                rows.append((kind, bytes([octets[0] + 1]) + octets[1:] + pair))
                self.assertEqual(cbor2.loads(rows[-1][1]), content, "cbor2 takes it")
        self.refused(rows, 50)


class Differential(unittest.TestCase):
    def test_what_we_take_cbor2_writes_the_same(self) -> None:
        """Random damage: where both read a message, both mean the same octets."""
        generator = random.Random(SEED)
        rows = []
        for kind, _, octets in samples():
            for _ in range(3000):
                copy = bytearray(octets)
                for _ in range(generator.choice((1, 1, 1, 2, 4))):
                    at = generator.randrange(len(copy))
                    action = generator.randrange(4)
                    if action == 0:
                        copy[at] ^= 1 << generator.randrange(8)
                    elif action == 1:
                        copy[at] = generator.randrange(256)
                    elif action == 2:
                        copy.insert(at, generator.choice((0, 1, 0x18, 0x40, 0x60, 0x80, 0xA0, 0xFF)))
                    elif len(copy) > 1:
                        del copy[at]
                rows.append((kind, bytes(copy)))
        taken = 0
        for (kind, octets), verdict in zip(rows, verdicts(rows)):
            if verdict == "refused":
                continue
            taken += 1
            self.assertEqual(again(octets).hex(), octets.hex())
            if kind not in (HELLO, ERROR):  # unknown keys are dropped, texts made printable
                self.assertEqual(verdict, "ok " + octets.hex())
        self.assertGreater(taken, 1000)
        self.assertGreater(len(rows) - taken, 10000)


class Document(unittest.TestCase):
    def test_values_of_the_worked_example(self) -> None:
        with open(DOCUMENT, encoding="utf-8") as document:
            printed = local_interface.read_values(document.read())
        computed = local_interface.worked_example()
        self.assertEqual(list(printed), list(computed))
        for name, octets in computed.items():
            with self.subTest(name):
                self.assertEqual(printed[name].hex(), octets.hex())


if __name__ == "__main__":
    tap.main()

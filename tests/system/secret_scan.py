# SPDX-License-Identifier: Apache-2.0
"""Finds octets in files, however they are written down."""
import base64
from pathlib import Path
from typing import Iterable, Iterator


def forms(value: bytes) -> Iterator[tuple[str, bytes]]:
    """The octets themselves, hex in both cases, and base64 at each of the three places within a longer text."""
    yield "raw", value
    yield "hex", value.hex().encode()
    yield "HEX", value.hex().upper().encode()
    yield "spaced hex", value.hex(" ").encode()
    yield "colon hex", value.hex(":").encode()
    for shift in range(3):
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            text = encode(bytes(shift) + value)
            # the first characters mix with the octets before, the last ones with the octets behind
            first = -(-shift * 8 // 6)
            last = (shift + len(value)) * 8 // 6
            yield f"{name} at {shift}", text[first:last]


Hit = tuple[str, str]  # name of the secret, its form


def scan_octets(content: bytes, secrets: dict[str, bytes]) -> list[Hit]:
    lines_joined = content.replace(b"\n", b"")  # PEM breaks its lines
    return [(name, form) for name, value in secrets.items() for form, needle in forms(value)
            if needle in content or needle in lines_joined]


def scan_files(paths: Iterable[Path], secrets: dict[str, bytes]) -> dict[Path, list[Hit]]:
    found = {}
    for path in paths:
        hits = scan_octets(path.read_bytes(), secrets)
        if hits:
            found[path] = hits
    return found


def regular_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())

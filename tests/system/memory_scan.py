# SPDX-License-Identifier: Apache-2.0
"""Searches the memory of a running process for octets: raw, hex, base64 (by root, where it is not dumpable)."""
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from secret_scan import forms

FORMS = ("raw", "hex", "HEX", "base64 at")
CHUNK = 65536
NO_DIGITS = bytes(set(range(256)) - set(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/"))


def can_scan(program: str) -> bool:
    """Root, as the programs are not dumpable; and not under AddressSanitizer, whose shadow has terabytes."""
    return os.geteuid() == 0 and b"__asan_init" not in Path(program).read_bytes()


@dataclass(frozen=True)
class Found:
    name: str  # of the secret
    form: str
    address: int
    region: str
    region_size: int


def regions(pid: int) -> Iterator[tuple[int, int, str]]:
    """Start, end and name of what the process may have written; mapped files that it cannot write hold no key."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
        for line in maps:
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)", line)
            assert found is not None, line
            if found[4] in ("[vvar]", "[vsyscall]", "[vdso]") or (found[4].startswith("/") and "w" not in found[3]):
                continue
            if "r" in found[3]:  # the secure heap has guard pages
                yield int(found[1], 16), int(found[2], 16), found[4] or "anonymous"


def used_parts(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Most of a stack was never touched: zeros need no search."""
    begin = None
    for at in range(0, len(content) + 1, CHUNK):
        used = content.count(0, at, at + CHUNK) < min(CHUNK, len(content) - at)
        if used and begin is None:
            begin = at
        elif not used and begin is not None:
            yield begin, content[begin:at]
            begin = None
    if begin is not None:
        yield begin, content[begin:]


def scan_content(content: bytes, secrets: dict[str, bytes]) -> Iterator[tuple[str, str, int]]:
    """Each copy: of which secret, in which form, where."""
    needles = [(secret, form, needle) for secret, value in secrets.items() for form, needle in forms(value)
               if form.startswith(FORMS)]
    for offset, part in used_parts(content):
        # Digits are rare: what is left without the rest says which texts are worth a search.
        digits = part.translate(None, NO_DIGITS)
        for secret, form, needle in needles:
            if form != "raw" and needle not in digits:
                continue
            at = part.find(needle)
            while at >= 0:
                yield secret, form, offset + at
                at = part.find(needle, at + 1)


def scan_memory(pid: int, secrets: dict[str, bytes]) -> list[Found]:
    """Each copy with the place where it stands. The process goes on meanwhile: what comes and goes may be missed."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, name in regions(pid):
            try:
                memory.seek(start)
                content = b""
                while len(content) < end - start and (octets := memory.read(end - start - len(content))):
                    content += octets
            except OSError:
                continue  # unmapped meanwhile
            found += [Found(secret, form, start + at, name, end - start)
                      for secret, form, at in scan_content(content, secrets)]
    return found

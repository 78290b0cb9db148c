#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""GCC 12.2 destroys a braced temporary in the arguments of a co_await expression twice. Pass a named object instead."""
import re
from pathlib import Path

import tree

AWAIT = re.compile(r"\bco_await\b")
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/', re.DOTALL)
# What stands before the brace of a lambda's body, not of a braced object
BODY = re.compile(r"(\)|\]|\bmutable|\bnoexcept|->\s*[\w:<>,&*\s]+)\s*$")


def blank(match: "re.Match[str]") -> str:
    """Strings and comments become spaces; lines keep their numbers."""
    return re.sub(r"[^\n]", " ", match[0])


def braced_argument(text: str, start: int) -> bool:
    """Whether the expression behind `start` holds a call with a braced object among its arguments."""
    depth = 0
    position = start
    while position < len(text):
        c = text[position]
        if c in "([":
            depth += 1
        elif c in ")]":
            depth -= 1
            if depth < 0:
                return False
        elif c == "{":
            if depth == 0:
                return False  # the block behind `if (co_await ...)` and the like
            if not BODY.search(text, start, position):
                return True
            position = skip_block(text, position)
            continue
        elif c in ";}" and depth == 0:
            return False
        position += 1
    return False


def skip_block(text: str, position: int) -> int:
    depth = 0
    while position < len(text):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        position += 1
        if depth == 0:
            break
    return position


def check(root: Path) -> list[str]:
    findings = []
    for path in tree.files(root, tree.CPP):
        text = STRING.sub(blank, path.read_text("utf-8", "replace"))
        for match in AWAIT.finditer(text):
            if braced_argument(text, match.end()):
                number = text.count("\n", 0, match.start()) + 1
                findings.append(f"{tree.place(root, path, number)}: a braced temporary inside co_await; name it and "
                                "std::move it (GCC 12.2 frees it twice)")
    return findings


if __name__ == "__main__":
    tree.main(check)

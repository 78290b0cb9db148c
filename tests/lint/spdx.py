#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every source file says its licence in its first line (the second behind #!, the first four in XML)."""
from pathlib import Path

import tree

SUFFIXES = tree.CPP | {".py", ".sh", ".toml", ".xml", ".in", ".map", ".txt", ".cddl", ".vec"}
NAMES = {"meson.build", "meson_options.txt", "run"}
LICENCE = "SPDX-License-Identifier: Apache-2.0"


def wants_licence(path: Path) -> bool:
    if "corpus" in path.parts:
        return False  # inputs of fuzz targets: every octet counts
    if path.name in NAMES or path.suffix in SUFFIXES:
        return True
    if path.suffix:
        return False
    with open(path, "rb") as file:
        return file.read(2) == b"#!"


def check(root: Path) -> list[str]:
    findings = []
    for path in tree.files(root):
        if not wants_licence(path):
            continue
        head = [line for _, line in tree.lines(path)][:4]
        if path.suffix != ".xml":  # there the document type comes first
            head = head[1:2] if head and head[0].startswith("#!") else head[:1]
        if not any(LICENCE in line for line in head):
            findings.append(f"{tree.place(root, path, 1)}: no line '{LICENCE}' at its start")
    return findings


if __name__ == "__main__":
    tree.main(check)

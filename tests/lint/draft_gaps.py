#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every choice of ours where the draft is silent is marked in the source and listed in docs/conformance.md."""
import re
from pathlib import Path

import tree

MARK = re.compile(r"DRAFT-GAP\(([\w.-]+)\)")
LIST = Path("docs/conformance.md")


def check(root: Path) -> list[str]:
    marked: dict[str, str] = {}
    for path in tree.files(root, tree.CPP | {".xml", ".cddl", ".py"}):
        if path.is_relative_to(root / "tests"):
            continue
        for number, line in tree.lines(path):
            for key in MARK.findall(line):
                marked.setdefault(key, tree.place(root, path, number))
    listed = set(MARK.findall((root / LIST).read_text("utf-8"))) if (root / LIST).is_file() else set()
    findings = [f"{where}: DRAFT-GAP({key}) is not listed in {LIST}" for key, where in sorted(marked.items())
                if key not in listed]
    findings += [f"{LIST}: DRAFT-GAP({key}) is listed, but no source is marked with it"
                 for key in sorted(listed - set(marked))]
    return findings


if __name__ == "__main__":
    tree.main(check)

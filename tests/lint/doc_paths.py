#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every file that a document names, in back quotes or as a link, is there."""
import re
from pathlib import Path

import tree

QUOTED = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:cpp|hpp|h|py|md|cddl|xsd|txt|toml))`")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)[^)]*\)")


def check(root: Path) -> list[str]:
    findings = []
    for path in tree.files(root, {".md"}):
        for number, line in tree.lines(path):
            for name in QUOTED.findall(line):
                if not (root / name).exists() and not (root / "lib" / name).exists():
                    findings.append(f"{tree.place(root, path, number)}: there is no {name}")
            for name in LINK.findall(line):
                if not (path.parent / name).exists():
                    findings.append(f"{tree.place(root, path, number)}: the link to {name} leads nowhere")
    return findings


if __name__ == "__main__":
    tree.main(check)

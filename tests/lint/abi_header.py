#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The headers that strangers compile (.h) are C11 and C++17 without a warning, each by itself."""
import subprocess
from pathlib import Path

import tree

COMPILERS = [["gcc", "-std=c11", "-x", "c"], ["g++", "-std=c++17", "-x", "c++"]]


def check(root: Path) -> list[str]:
    findings = []
    for header in tree.files(root, {".h"}):
        for compiler in COMPILERS:
            done = subprocess.run([*compiler, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
                                   "-Wno-pragma-once-outside-header", "-I", str(root), "-I", str(root / "lib"), "-"],
                                  input=f'#include "{header}"\n', capture_output=True, text=True, check=False)
            if done.returncode != 0:
                findings.append(f"{header.relative_to(root)}: {compiler[1]}: {done.stderr.strip()}")
    return findings


if __name__ == "__main__":
    tree.main(check)

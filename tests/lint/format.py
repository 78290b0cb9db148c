#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""clang-format-19 would change nothing. Repair: clang-format-19 -i FILE."""
import shutil
import subprocess
import sys
from pathlib import Path

import tree

PROGRAM = "clang-format-19"  # pinned: versions differ in what they write


def check(root: Path) -> list[str]:
    sources = [str(path) for path in tree.files(root, tree.CPP)]
    if not sources:
        return []
    done = subprocess.run([PROGRAM, "--style=file", "--fallback-style=none", "--dry-run", "-Werror", *sources],
                          cwd=root, capture_output=True, text=True, check=False)
    wrong = {line.split(":")[0] for line in done.stderr.splitlines() if "clang-format-violations" in line}
    if done.returncode != 0 and not wrong:
        return [done.stderr]
    return [f"{Path(path).relative_to(root)}: not formatted; {PROGRAM} -i" for path in sorted(wrong)]


if __name__ == "__main__":
    if shutil.which(PROGRAM) is None:
        print(f"{PROGRAM} is not installed (tools/install-deps test)", file=sys.stderr)
        sys.exit(77)
    tree.main(check)

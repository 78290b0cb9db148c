# SPDX-License-Identifier: Apache-2.0
"""What the lints share: the files of the tree, and how a finding is told."""
import sys
from pathlib import Path
from typing import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
CPP = {".cpp", ".hpp", ".h", ".c"}

Check = Callable[[Path], list[str]]


def files(root: Path, suffixes: "set[str] | None" = None) -> Iterator[Path]:
    """Every file of the source tree (no build folders, nothing hidden but .ci), sorted."""
    for path in sorted(root.iterdir()):
        name = path.name
        if path.is_symlink() or name == "__pycache__" or (name.startswith(".") and name != ".ci"):
            continue
        if path.is_dir():
            if not (name.startswith("build") and (path / "meson-private").is_dir()) and name != "subprojects":
                yield from files(path, suffixes)
        elif suffixes is None or path.suffix in suffixes:
            yield path


def lines(path: Path) -> Iterator[tuple[int, str]]:
    yield from enumerate(path.read_text("utf-8", "replace").splitlines(), 1)


def place(root: Path, path: Path, number: int) -> str:
    return f"{path.relative_to(root)}:{number}"


def main(check: Check) -> None:
    """Exit status 1 and one line a finding on stderr."""
    findings = check(ROOT)
    for finding in findings:
        print(finding, file=sys.stderr)
    sys.exit(1 if findings else 0)

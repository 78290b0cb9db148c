#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""smoke.py BUILD SECONDS: each libFuzzer target over its corpus and for a while beyond; TAP on stdout.

The corpus of target fuzz-<folder>-<name> is tests/fuzz/<folder>/corpus/<name>/, or the files of .../corpus/. What is
found new stays in BUILD/fuzz/, as does an input that crashes.
"""
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FUZZ = Path(__file__).resolve().parent
LIMIT_MB = 2048


def corpus_of(target: str) -> "list[Path]":
    folder, _, name = target.partition("-")
    for path in (FUZZ / folder / "corpus" / name, FUZZ / folder / "corpus"):
        if path.is_dir():
            return [path]
    return []


def run(program: Path, seconds: int) -> "tuple[bool, str]":
    target = program.name.removeprefix("fuzz-")
    found = program.parents[1] / "fuzz" / target
    found.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", "-timeout=10", f"-rss_limit_mb={LIMIT_MB}", "-verbosity=0",
               f"-artifact_prefix={found.parent}/crash-{target}-"]
    try:
        # Each input of the corpus by itself first: -max_total_time may end before all have been read.
        files = [str(path) for folder in corpus_of(target) for path in sorted(folder.iterdir()) if path.is_file()]
        if files:
            subprocess.run([str(program), *options[1:], *files], check=True, capture_output=True, timeout=300)
        subprocess.run([str(program), *options, str(found), *map(str, corpus_of(target))], check=True,
                       capture_output=True, timeout=seconds + 120)
    except subprocess.CalledProcessError as error:
        return False, error.stderr.decode("utf-8", "replace")[-3000:]
    except subprocess.TimeoutExpired:
        return False, "did not end"
    return True, f"{len(files)} inputs"


def main() -> None:
    build, seconds = Path(sys.argv[1]).resolve(), int(sys.argv[2])
    programs = sorted(path for path in (build / "tests").glob("fuzz-*") if path.is_file() and os.access(path, os.X_OK))
    print(f"TAP version 13\n1..{max(len(programs), 1)}")
    if not programs:
        print("not ok 1 - there are fuzz targets")
    failed = not programs
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda program: run(program, seconds), programs)
        for number, (program, (ok, remark)) in enumerate(zip(programs, results), 1):
            print(f"{'ok' if ok else 'not ok'} {number} - {program.name}", flush=True)
            print("\n".join(f"# {line}" for line in remark.splitlines()), flush=True)
            failed = failed or not ok
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

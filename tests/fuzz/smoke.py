#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""smoke.py BUILD: each libFuzzer target over its corpus and a counted number of executions beyond; TAP on stdout.

MTKEY_FUZZ_RUNS (default 1000000) is the number for the targets of uicc/, what a hostile card says to the parsers of
small messages; the others, which run whole sessions, do a tenth of it. A target that does fewer has failed.
The corpus of target fuzz-<folder>-<name> is tests/fuzz/<folder>/corpus/<name>/, or the files of .../corpus/. What is
found new stays in BUILD/fuzz/, as does an input that crashes.
"""
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FUZZ = Path(__file__).resolve().parent
LIMIT_MB = 2048
# Of one target, whatever the machine: it then has not done what it should.
LONGEST_SECONDS = 1800
# Thousands of empty objects cost that many allocations each time; two answers of a card are at most this long.
LONGEST_INPUT = {"uicc-tlv-fcp": 600}


def corpus_of(target: str) -> "list[Path]":
    folder, _, name = target.partition("-")
    for path in (FUZZ / folder / "corpus" / name, FUZZ / folder / "corpus"):
        if path.is_dir():
            return [path]
    return []


def wanted_runs(target: str, runs: int) -> int:
    return runs if target.startswith("uicc-") else max(1, runs // 10)


def run(program: Path, runs: int) -> "tuple[bool, int, str]":
    target = program.name.removeprefix("fuzz-")
    wanted = wanted_runs(target, runs)
    found = program.parents[1] / "fuzz" / target
    found.mkdir(parents=True, exist_ok=True)
    options = ["-timeout=10", f"-rss_limit_mb={LIMIT_MB}", "-verbosity=0", "-print_final_stats=1",
               f"-artifact_prefix={found.parent}/crash-{target}-"]
    began = time.monotonic()
    try:
        # Each input of the corpus by itself first: one that fails is named then.
        files = [str(path) for folder in corpus_of(target) for path in sorted(folder.iterdir()) if path.is_file()]
        if files:
            subprocess.run([str(program), *options, *files], check=True, capture_output=True, timeout=300)
        if target in LONGEST_INPUT:
            options.append(f"-max_len={LONGEST_INPUT[target]}")
        ended = subprocess.run([str(program), *options, f"-runs={wanted}", f"-max_total_time={LONGEST_SECONDS}",
                                str(found), *map(str, corpus_of(target))], check=True, capture_output=True,
                               timeout=LONGEST_SECONDS + 120)
    except subprocess.CalledProcessError as error:
        return False, 0, error.stderr.decode("utf-8", "replace")[-3000:]
    except subprocess.TimeoutExpired:
        return False, 0, "did not end"
    counted = re.search(rb"stat::number_of_executed_units:\s*(\d+)", ended.stderr)
    done = int(counted.group(1)) if counted else 0
    remark = f"{done} executions of {wanted} in {time.monotonic() - began:.0f} s, {len(files)} inputs kept"
    return done >= wanted, done, remark


def main() -> None:
    build, runs = Path(sys.argv[1]).resolve(), int(os.environ.get("MTKEY_FUZZ_RUNS", "1000000"))
    programs = sorted((path for path in (build / "tests").glob("fuzz-*") if path.is_file() and os.access(path, os.X_OK)),
                      key=lambda path: ("fuzz-uicc-" not in path.name, path.name))  # the longest first
    print(f"TAP version 13\n1..{max(len(programs), 1)}")
    if not programs:
        print("not ok 1 - there are fuzz targets")
    failed = not programs
    total = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda program: run(program, runs), programs)
        for number, (program, (ok, done, remark)) in enumerate(zip(programs, results), 1):
            print(f"{'ok' if ok else 'not ok'} {number} - {program.name}", flush=True)
            print("\n".join(f"# {line}" for line in remark.splitlines()), flush=True)
            failed = failed or not ok
            total += done
    print(f"# {total} executions in all")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

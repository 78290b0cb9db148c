#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A transport plugin exports one symbol and needs no library but the C and C++ run time (and its own, by --allow)."""
import argparse
import subprocess
import sys

EXPORTED = {"mt_transport_plugin_v1"}
RUN_TIME = ("libc.so.", "libstdc++.so.", "libgcc_s.so.", "libm.so.", "libc++.so.", "libc++abi.so.", "ld-linux")


def lines(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module")
    parser.add_argument("--allow", action="append", default=[], help="start of a library's name")
    parser.add_argument("--any-library", action="store_true", help="sanitizer builds bring their own")
    options = parser.parse_args()

    problems = []
    symbols = {line.split()[-1].split("@")[0] for line in lines("nm", "-D", "--defined-only", options.module)}
    if symbols != EXPORTED:
        problems.append(f"exports {sorted(symbols)}, must be {sorted(EXPORTED)}")
    needed = [line.split("[")[1].rstrip("]") for line in lines("readelf", "-dW", options.module) if "(NEEDED)" in line]
    if not options.any_library:
        allowed = RUN_TIME + tuple(options.allow)
        problems += [f"needs {name}" for name in needed if not name.startswith(allowed)]
    for problem in problems:
        print(f"{options.module}: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""hardening.py [--optimised] FILE...: programs and modules are built the way that the root meson.build asks for.

PIE or shared object, full RELRO, BIND_NOW, no executable stack, stack protector; FORTIFY when optimised.
"""
import subprocess
import sys


def readelf(*arguments: str) -> str:
    return subprocess.run(["readelf", "--wide", *arguments], capture_output=True, text=True, check=True,
                          env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}).stdout


def problems(path: str, optimised: bool) -> list[str]:
    header, segments, dynamic, symbols = (readelf(option, path) for option in ("-h", "-l", "-d", "--dyn-syms"))
    found = []
    if "DYN (" not in header:
        found.append("not position independent")
    if "GNU_RELRO" not in segments:
        found.append("no RELRO segment")
    if "BIND_NOW" not in dynamic and "Flags: NOW" not in dynamic:
        found.append("no BIND_NOW")
    stack = [line for line in segments.splitlines() if "GNU_STACK" in line]
    if not stack or "RWE" in stack[0].replace(" ", ""):
        found.append("executable stack")
    if "__stack_chk_fail" not in symbols:
        found.append("no stack protector")
    # What calls nothing that can be fortified has none of these: our modules do not, all our programs do.
    if optimised and not path.endswith(".so") and "_chk" not in symbols.replace("__stack_chk_fail", ""):
        found.append("no FORTIFY although optimised")
    return found


def main() -> None:
    arguments = sys.argv[1:]
    optimised = "--optimised" in arguments
    wrong = False
    for path in arguments:
        if path.startswith("--"):
            continue
        for problem in problems(path, optimised):
            print(f"{path}: {problem}", file=sys.stderr)
            wrong = True
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()

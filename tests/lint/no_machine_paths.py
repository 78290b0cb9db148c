#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""No file names the machine that it was written on: its paths, or the hosts that it gets its packages from."""
import os
import re
from pathlib import Path

import tree

# Parents of a clone that every machine has and that files may well name
COMMON = {Path(name) for name in ("/", "/tmp", "/var/tmp", "/home", "/root", "/usr", "/usr/src", "/opt", "/srv", "/src",
                                  "/mnt", "/var", "/run", "/etc")}
HOME_PATH = re.compile(r"/(?:home|Users)/[a-z][\w.-]*/")
TEXT = {".cpp", ".hpp", ".h", ".c", ".py", ".sh", ".toml", ".xml", ".md", ".txt", ".build", ".cddl", ".vec", ".json", "",
        ".in", ".service", ".socket", ".conf"}


def package_hosts() -> set[str]:
    hosts: set[str] = set()
    for path in [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]:
        try:
            hosts.update(re.findall(r"https?://(?:[^@/\s]*@)?([^/\s]+)", path.read_text("utf-8", "replace")))
        except OSError:
            continue
    return {host for host in hosts if not host.endswith("debian.org")}


def patterns(root: Path) -> list[str]:
    found = {str(root)} if root not in COMMON else set()
    for path in (root.parent, Path(os.path.expanduser("~"))):
        if path not in COMMON and path.is_absolute():
            found.add(str(path))
    return sorted({re.escape(path) + r"(?![\w.-])" for path in found} | {re.escape(host) for host in package_hosts()})


def check(root: Path) -> list[str]:
    forbidden = [re.compile(pattern) for pattern in patterns(root)] + [HOME_PATH]
    findings = []
    for path in tree.files(root):
        if path.suffix not in TEXT:
            continue
        for number, line in tree.lines(path):
            for pattern in forbidden:
                match = pattern.search(line)
                if match:
                    findings.append(f"{tree.place(root, path, number)}: names this machine: {match[0]}")
    return findings


if __name__ == "__main__":
    tree.main(check)

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who may include whom. The table is the design: changing it is a decision, not a repair."""
import re
from pathlib import Path
from typing import Optional

import tree

LIBRARIES = ["base", "kdf", "aka", "http", "gba", "keys", "store", "local", "keycenter", "self_test"]

# folder: what of ours it may include besides itself. A name with a slash allows one header alone.
ALLOWED = {
    "lib/base": [],
    "lib/kdf": ["base"],
    "lib/aka": ["base"],
    "lib/http": ["base"],
    "lib/gba": ["base", "kdf", "aka", "uicc"],
    "lib/keys": ["base", "kdf", "gba"],
    "lib/store": ["base"],
    "lib/local": ["base", "kdf"],
    "lib/keycenter": ["base"],
    "lib/self_test": ["base", "kdf", "store"],
    "uicc": ["base"],
    "transports": ["base"],
    "plugins": ["transports/transport_plugin.h"],
    "dbus": [],
    "daemon": [*LIBRARIES, "uicc", "transports", "dbus"],
    "device": ["base", "kdf", "local", "store", "http", "keycenter", "self_test", "transports"],
    "network": ["base", "kdf", "aka", "http", "keycenter"],
    "testbed": ["base", "kdf", "aka", "uicc/apdu.hpp", "uicc/ber_tlv.hpp"],
    "tools": ["base", "dbus"],
    "tools/mtkey-card": ["base", "uicc"],
    "tests": [*LIBRARIES, "uicc", "transports", "plugins", "dbus", "daemon", "device", "network", "testbed", "tools"],
}

# third-party header (prefix): the folders that may see it, and whether a header of ours may (those of tests always may)
THIRD_PARTY = [
    ("boost/beast", ["lib/http"], False),
    ("boost/", ["lib/http", "daemon"], True),
    ("CLI/", ["daemon", "device", "network", "testbed", "tools"], False),
    ("toml++/", ["lib/base", "lib/aka", "daemon", "device", "network", "testbed"], False),
    ("nlohmann/json_fwd.hpp", ["daemon", "device", "network", "tools", "tests"], True),
    ("nlohmann/", ["daemon", "device", "network", "tools", "tests"], False),
    ("sdbus-c++/", ["daemon", "tools", "tests"], True),
    ("systemd/", ["lib/base", "daemon", "tools", "tests"], False),
    ("expat.h", ["lib/gba", "lib/keycenter", "tests"], False),
    ("winscard.h", ["uicc"], True),
    ("pcsclite.h", ["uicc"], True),
    ("sqlite3.h", ["network", "tests"], False),
    ("benchmark/", ["tests"], False),
    ("openssl/", ["lib", "device", "network", "tests"], True),
    ("gtest/", ["tests"], True),
    ("gmock/", ["tests"], True),
]

INCLUDE = re.compile(r'\s*#\s*include\s*(["<])([^">]+)[">]')


def folder_of(path: Path) -> Optional[str]:
    parts = path.parts
    longer = "/".join(parts[:2])
    name = longer if parts[0] == "lib" or longer in ALLOWED else parts[0]
    return name if name in ALLOWED else None


def own_names(folder: str) -> str:
    """How a folder's own headers are spelled: lib/ is on the include path."""
    return folder.removeprefix("lib/")


# What the first component of a header of ours may be, however it is included.
OURS = {"lib", *map(own_names, ALLOWED)}


def own_allowed(path: Path, folder: str, header: str, root: Path) -> bool:
    if ".." in header.split("/"):
        return False  # leads anywhere
    if "/" not in header or (root / path.parent / header).is_file():
        return True  # beside the file itself, hence in its folder
    first = header.split("/")[0]
    if header.startswith(own_names(folder) + "/"):
        return True
    if folder == "tests" and (root / "tests" / header).is_file():
        return True
    return any(header == entry if "/" in entry else first == entry for entry in ALLOWED[folder])


def third_party_problem(path: Path, folder: str, header: str) -> Optional[str]:
    for prefix, folders, in_headers in THIRD_PARTY:
        if not header.startswith(prefix):
            continue
        if not any(folder == entry or folder.startswith(entry + "/") for entry in folders):
            return f"<{header}> may only be seen in {', '.join(folders)}"
        if path.suffix != ".cpp" and not in_headers and folder != "tests":
            return f"<{header}> in a header: every file that includes it would compile the library"
        return None
    return None


def check(root: Path) -> list[str]:
    findings = []
    for full in tree.files(root, tree.CPP):
        path = full.relative_to(root)
        folder = folder_of(path)
        if folder is None:
            findings.append(f"{path}: this folder is not in the table of tests/lint/include_layers.py")
            continue
        for number, line in tree.lines(full):
            match = INCLUDE.match(line)
            if not match:
                continue
            problem = None
            if match[1] == '"' or match[2].split("/")[0] in {"..", *OURS}:
                if not own_allowed(path, folder, match[2], root):
                    allowed = ", ".join(ALLOWED[folder]) or "nothing else"
                    problem = f'"{match[2]}": {folder} may include {allowed}'
            else:
                problem = third_party_problem(path, folder, match[2])
            if problem:
                findings.append(f"{tree.place(root, full, number)}: {problem}")
    return findings


if __name__ == "__main__":
    tree.main(check)

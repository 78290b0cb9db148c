#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a header with the paths of the modules that were built."""
import os
import sys

with open(sys.argv[1], "w", encoding="utf-8") as out:
    out.write("#pragma once\n#include <array>\n#include <string_view>\n")
    paths = [os.path.abspath(path) for path in sys.argv[2:]]
    out.write(f"inline constexpr std::array<std::string_view, {len(paths)}> kModulePaths{{\n")
    out.writelines(f'    "{path}",\n' for path in paths)
    out.write("};\n")

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""sum_tests.py [--problem=TEXT]... [--tap=FILE]... JUNIT...: lists what failed and what was skipped, ends with the one line of the sum.

Every case counts: those of a GoogleTest program and those of a TAP script, not only the programs. A problem that is no
test (a build that failed) counts as one failure.
"""
import argparse
import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


Case = "tuple[str, str, str]"  # name, passed | failed | skipped, reason


def reason_of(line: int, *elements: "ElementTree.Element | None") -> str:
    """That line of the first text that there is: 0 for the place of a failure, -1 for what a skip says last."""
    for element in elements:
        if element is not None and (text := element.get("message") or (element.text or "").strip()):
            return text.splitlines()[line]
    return ""


def cases(path: Path) -> "list[Case]":
    """Every case of one build's junit file."""
    found = []
    build = path.parents[1].name
    for suite in ElementTree.parse(path).getroot().iter("testsuite"):
        for case in suite.findall("testcase"):
            name = case.get("name", "")
            if case.get("classname") not in (None, suite.get("name")):
                name = f"{case.get('classname')}.{name}"  # GoogleTest
            name = f"{build}: {suite.get('name', '').split(':', 1)[-1]}: {name}"
            failure = next((child for child in case if child.tag in ("failure", "error")), None)
            skipped = case.find("skipped")
            if failure is not None:
                found.append((name, "failed", reason_of(0, failure)))
            elif skipped is not None or case.get("status") == "notrun":
                found.append((name, "skipped", reason_of(-1, skipped, case.find("system-out"), case.find("system-err"))))
            else:
                found.append((name, "passed", ""))
    return found


def unexplained(path: Path, known: "list[Case]") -> "list[Case]":
    """Programs that failed although none of their cases did: a crash, a time-out, a wrong plan."""
    found = []
    for line in path.with_suffix("").with_suffix(".json").read_text("utf-8", "replace").splitlines():
        test = json.loads(line)
        if test["result"] in ("OK", "SKIP", "EXPECTEDFAIL"):
            continue
        short = test["name"].split(":", 1)[-1]  # without the project
        if not any(outcome == "failed" and short in name for name, outcome, _ in known):
            found.append((f"{path.parents[1].name}: {short}", "failed", test["result"]))
    return found


def explain(path: Path) -> None:
    """What failed TAP cases say of themselves: meson keeps it to its log, which is gone with a machine made for the test."""
    for line in path.with_suffix("").with_suffix(".json").read_text("utf-8", "replace").splitlines():
        test = json.loads(line)
        if test["result"] not in ("OK", "SKIP", "EXPECTEDFAIL"):
            for said in re.finditer(r"^not ok .*(?:\n#.*){0,60}", test.get("stdout", ""), re.MULTILINE):
                print(f"{path.parents[1].name}: {test['name']}: {said[0]}", file=sys.stderr)


def tap_cases(path: Path) -> "list[Case]":
    text = path.read_text("utf-8", "replace")
    found = [(f"{path.stem}: {line[2].strip()}", "failed" if line[1] else "passed", "")
             for line in re.finditer(r"^(not )?ok \d+ - ([^#\n]*)", text, re.MULTILINE)]
    plan = re.search(r"^1\.\.(\d+)$", text, re.MULTILINE)
    if plan is None or int(plan[1]) != len(found):
        found.append((f"{path.stem}: plan", "failed", f"{len(found)} results of {plan[1] if plan else 'an unknown number'}"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--problem", action="append", default=[])
    parser.add_argument("--tap", action="append", default=[], type=Path)
    parser.add_argument("junit", nargs="*", type=Path)
    options = parser.parse_args()
    found = []
    for path in options.junit:
        known = cases(path)
        found += known + unexplained(path, known)
        explain(path)
    for path in options.tap:
        found += tap_cases(path)
    found += [(problem, "failed", "") for problem in options.problem]
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for _, outcome, _ in found:
        count[outcome] += 1
    for outcome in ("skipped", "failed"):
        for name, result, reason in found:
            if result == outcome:
                print(f"{outcome}: {name}" + (f": {reason}" if reason else ""))
    if not found:
        print("no test has run")
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped", flush=True)
    sys.exit(0 if count["passed"] and not count["failed"] else 1)


if __name__ == "__main__":
    main()

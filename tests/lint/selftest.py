#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A lint that finds nothing is worth nothing: each is shown a tree with one fault, and the same tree without it."""
import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import abi_header  # noqa: E402
import coroutine  # noqa: E402
import doc_paths  # noqa: E402
import draft_gaps  # noqa: E402
import format as format_lint  # noqa: E402
import hardening  # noqa: E402
import include_layers  # noqa: E402
import no_machine_paths  # noqa: E402
import spdx  # noqa: E402
import tap  # noqa: E402
import tree  # noqa: E402

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"


class LintTest(unittest.TestCase):
    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)

    def findings(self, check: tree.Check, name: str, text: str, **others: str) -> list[str]:
        for path, content in {name: text, **others}.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(content)
        return check(self.root)

    def expect(self, check: tree.Check, name: str, good: str, bad: str) -> None:
        self.assertEqual(self.findings(check, name, good), [])
        found = self.findings(check, name, bad)
        (self.root / name).unlink()
        self.assertEqual(len(found), 1, found)
        self.assertIn(name, found[0])


class IncludeLayers(LintTest):
    def include(self, name: str, good: str, bad: str) -> None:
        self.expect(include_layers.check, name, f"#include {good}\n", f"#include {bad}\n")

    def test_library_below_may_not_see_library_above(self) -> None:
        self.include("lib/kdf/a.cpp", '"base/result.hpp"', '"gba/identities.hpp"')

    def test_daemon_may_not_see_the_device(self) -> None:
        self.include("daemon/a.cpp", '"local/messages.hpp"', '"device/device.hpp"')

    def test_plugin_sees_the_abi_alone(self) -> None:
        self.include("plugins/serial/a.cpp", '"transports/transport_plugin.h"', '"base/result.hpp"')

    def test_testbed_sees_one_header_of_uicc(self) -> None:
        self.include("testbed/virtual-uicc/a.cpp", '"uicc/apdu.hpp"', '"uicc/pcsc.hpp"')

    def test_beast_only_in_http(self) -> None:
        self.include("lib/http/client.cpp", "<boost/beast/http.hpp>", "<winscard.h>")
        self.include("daemon/a.cpp", "<boost/asio/io_context.hpp>", "<boost/beast/http.hpp>")

    def test_no_toml_in_headers(self) -> None:
        self.include("daemon/config.hpp", "<string>", "<toml++/toml.h>")

    def test_no_way_around_by_dots(self) -> None:
        (self.root / "lib/gba").mkdir(parents=True)
        (self.root / "lib/gba/run.hpp").touch()
        self.include("lib/kdf/a.cpp", '"base/result.hpp"', '"../gba/run.hpp"')
        self.include("lib/kdf/a.cpp", '"kdf/kdf.hpp"', '"kdf/../gba/run.hpp"')
        self.include("lib/kdf/a.cpp", "<string>", "<../gba/run.hpp>")

    def test_no_way_around_by_angle_brackets(self) -> None:
        self.include("lib/kdf/a.cpp", "<base/result.hpp>", "<gba/identities.hpp>")
        self.include("lib/kdf/a.cpp", "<sys/stat.h>", "<lib/gba/identities.hpp>")

    def test_unknown_folder(self) -> None:
        self.assertEqual(len(self.findings(include_layers.check, "helpers/a.cpp", "")), 1)


class Coroutine(LintTest):
    def body(self, good: str, bad: str) -> None:
        self.expect(coroutine.check, "daemon/a.cpp", f"void f() {{\n    {good}\n}}\n", f"void f() {{\n    {bad}\n}}\n")

    def test_designated(self) -> None:
        self.body("co_await f(std::move(named));", "co_await f({.a = 1});")

    def test_typed(self) -> None:
        self.body('co_await f("{", x(1));', "co_await object.f(1, Args{1, 2});")

    def test_several_lines(self) -> None:
        self.body("co_await f(a,\n b);", "co_await f(a,\n Args{2});")

    def test_lambda_and_condition_are_no_objects(self) -> None:
        self.body("if (co_await f(a)) { g(Args{1}); } co_await h([&](int x) { return x; });",
                  "if (co_await f(Args{1})) { g(); }")


class Others(LintTest):
    def test_spdx(self) -> None:
        self.expect(spdx.check, "lib/base/a.cpp", SPDX, "int x;\n")
        self.expect(spdx.check, "tools/b", "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n", "#!/bin/sh\ntrue\n")

    @unittest.skipUnless(shutil.which(format_lint.PROGRAM), "clang-format-19 is not installed")
    def test_format(self) -> None:
        (self.root / ".clang-format").write_text("BasedOnStyle: LLVM\n")
        self.expect(format_lint.check, "a.cpp", "int x;\n", "int   x;\n")

    def test_machine_paths(self) -> None:
        self.expect(no_machine_paths.check, "a.md", "see docs/\n", f"see {self.root}/docs\n")
        self.expect(no_machine_paths.check, "a.md", "see docs/\n", "see /home/" + "somebody/docs\n")

    def test_draft_gap_not_listed(self) -> None:
        mark = "DRAFT-" + "GAP(x-1)"
        listed = f"| {mark} | why |\n"
        self.assertEqual(self.findings(draft_gaps.check, "lib/a.cpp", f"// {mark}: ours\n",
                                       **{"docs/conformance.md": listed}), [])
        self.assertEqual(len(self.findings(draft_gaps.check, "docs/conformance.md", "")), 1)
        self.assertEqual(len(self.findings(draft_gaps.check, "docs/conformance.md", listed, **{"lib/a.cpp": ""})), 1)

    def test_doc_paths(self) -> None:
        self.expect(doc_paths.check, "docs/a.md", "`docs/a.md`, [b](a.md), [c](https://example.org)", "`docs/b.md`")
        self.expect(doc_paths.check, "docs/a.md", "[b](a.md#x)", "[b](b.md)")

    def test_abi_header(self) -> None:
        found = self.findings(abi_header.check, "a.h", "#pragma once\nstruct a { int x; };\n")
        self.assertEqual(found, [])
        self.assertEqual(len(self.findings(abi_header.check, "a.h", "#pragma once\nclass a {};\n")), 1)

    def test_hardening(self) -> None:
        source = self.root / "a.c"
        source.write_text('#include <stdio.h>\n#include <string.h>\nint main(int n, char** v) '
                          '{ char b[64]; strcpy(b, v[n - 1]); return puts(b); }\n')
        good = ["-O2", "-fPIE", "-pie", "-D_FORTIFY_SOURCE=3", "-fstack-protector-strong", "-Wl,-z,relro,-z,now"]
        bad = ["-O0", "-fno-pie", "-no-pie", "-U_FORTIFY_SOURCE", "-fno-stack-protector",
               "-Wl,-z,norelro,-z,lazy,-z,execstack"]
        for flags, expected in ((good, 0), (bad, 6)):
            subprocess.run(["gcc", *flags, "-o", str(self.root / "a"), str(source)], check=True, capture_output=True)
            self.assertEqual(len(hardening.problems(str(self.root / "a"), True)), expected, flags)


JUNIT = """<testsuites><testsuite name="p.p:unit / a.A"><testcase name="x" classname="A"/>
<testcase name="y" classname="A"><failure message="no"/></testcase>
<testcase name="z" classname="A"><skipped message="why"/></testcase></testsuite>
<testsuite name="p"><testcase name="p:lint / b" classname="p"/></testsuite></testsuites>"""


class SumOfTests(LintTest):
    """The one line of tools/check."""

    def results(self, **results: str) -> Path:
        log = self.root / "build" / "meson-logs" / "testlog.junit.xml"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(JUNIT)
        log.with_name("testlog.json").write_text("".join(
            json.dumps({"name": name, "result": result}) + "\n" for name, result in results.items()))
        return log

    def last_line(self, *arguments: str) -> tuple[str, int]:
        done = subprocess.run([sys.executable, str(tree.ROOT / "tools" / "sum_tests.py"), *arguments],
                              capture_output=True, text=True, check=False)
        return done.stdout.splitlines()[-1], done.returncode

    def test_every_case_counts(self) -> None:
        log = self.results(**{"p:unit / a": "FAIL", "p:lint / b": "OK"})
        self.assertEqual(self.last_line(str(log)), ("2 passed, 1 failed, 1 skipped", 1))

    def test_program_that_crashed_counts_although_its_cases_passed(self) -> None:
        log = self.results(**{"p:unit / a": "FAIL", "p:lint / b": "OK", "p:system / c": "TIMEOUT"})
        self.assertEqual(self.last_line(str(log)), ("2 passed, 2 failed, 1 skipped", 1))

    def test_build_that_failed(self) -> None:
        self.assertEqual(self.last_line("--problem=compiling build"), ("0 passed, 1 failed, 0 skipped", 1))

    def test_nothing_ran(self) -> None:
        self.assertEqual(self.last_line(), ("0 passed, 0 failed, 0 skipped", 1))

    def test_tap(self) -> None:
        (self.root / "fuzz.tap").write_text("TAP version 13\n1..2\nok 1 - a\nnot ok 2 - b\n")
        self.assertEqual(self.last_line(f"--tap={self.root / 'fuzz.tap'}"), ("1 passed, 1 failed, 0 skipped", 1))

    def test_tap_that_ends_early(self) -> None:
        for plan in ("1..2\n", ""):
            (self.root / "fuzz.tap").write_text(f"TAP version 13\n{plan}ok 1 - a\n")
            self.assertEqual(self.last_line(f"--tap={self.root / 'fuzz.tap'}"), ("1 passed, 1 failed, 0 skipped", 1))


class Tree(LintTest):
    def test_build_folders_and_hidden_ones_are_left_out(self) -> None:
        for name in ("build-x/meson-private/a.cpp", ".git/b.cpp", "lib/c.cpp", ".ci/run"):
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text("")
        self.assertEqual([str(path.relative_to(self.root)) for path in tree.files(self.root)], [".ci/run", "lib/c.cpp"])


if __name__ == "__main__":
    tap.main()

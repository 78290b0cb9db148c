# SPDX-License-Identifier: Apache-2.0
"""Runs unittest cases and reports each as one line of TAP, so that meson counts each."""
import sys
import traceback
import unittest
from typing import Any, TextIO


class TapResult(unittest.TestResult):
    def __init__(self, stream: TextIO):
        super().__init__()
        self._stream = stream
        self.failed = False
        self._in_pieces = False

    def _line(self, ok: bool, test: unittest.TestCase, remark: str = "") -> None:
        name = type(test).__name__ + "." + getattr(test, "_testMethodName", "setUpClass")
        if not hasattr(test, "_testMethodName"):
            name = str(test)  # an error in setUpClass
        self.failed = self.failed or not ok
        print(f"{'ok' if ok else 'not ok'} {self.testsRun} - {name.replace('#', '')}{remark}", file=self._stream,
              flush=True)

    def addSuccess(self, test: unittest.TestCase) -> None:
        self._line(True, test)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self._line(True, test, f" # SKIP {reason}")

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        if not isinstance(test, unittest.TestCase):
            self.testsRun += 1
        self._line(False, test)
        self._explain(err)

    addError = addFailure

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        """Only what fails is told; the test that holds it then has no success of its own."""
        if err is not None:
            if not self._in_pieces:
                self._line(False, test)
            self._in_pieces = True
            self._explain(err, f"{subtest}\n")

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._in_pieces = False

    def _explain(self, err: Any, title: str = "") -> None:
        text = title + "".join(traceback.format_exception(*err))
        print("\n".join(f"# {line}" for line in text.splitlines()), file=self._stream, flush=True)


def main() -> None:
    """Every TestCase of the calling script; TAP on stdout. Exit status 1 when one failed."""
    stream, sys.stdout = sys.stdout, sys.stderr  # what a test prints must not look like TAP
    chosen = sys.argv[1:]
    loader = unittest.defaultTestLoader
    suite = loader.loadTestsFromNames(chosen, sys.modules["__main__"]) if chosen else \
        loader.loadTestsFromModule(sys.modules["__main__"])
    print("TAP version 13", file=stream)
    result = TapResult(stream)
    suite.run(result)
    print(f"1..{result.testsRun}", file=stream, flush=True)
    sys.exit(1 if result.failed else 0)

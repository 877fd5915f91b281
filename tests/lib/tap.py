# SPDX-License-Identifier: GPL-2.0
"""Tests of unittest, told as TAP: tap.main(sys.modules["__main__"])."""
import sys
import unittest


class Tap(unittest.TextTestResult):
    """Results as TAP."""
    def startTestRun(self):
        self.count = 0

    def _say(self, test, word):
        self.count += 1
        print(f"{word} {self.count} - {test.id().rpartition('__main__.')[2]}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._say(test, "ok")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._say(test, "not ok")

    def addError(self, test, err):
        super().addError(test, err)
        self._say(test, "not ok")


def main(module):
    """Run all tests of a module; the exit status says whether they passed."""
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    print(f"1..{suite.countTestCases()}", flush=True)
    outcome = unittest.TextTestRunner(resultclass=Tap, verbosity=0).run(suite)
    sys.exit(not outcome.wasSuccessful())

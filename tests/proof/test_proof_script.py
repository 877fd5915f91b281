#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of scripts/proof.py: a stage that goes wrong is told of, and never passed over."""
import contextlib
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

TOP = Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(TOP / "scripts"), str(TOP / "tests" / "lib")]
import proof	# noqa: E402
import tap	# noqa: E402


def checker(script):
    """A stage whose checker is a shell script that gets the name of the file to write."""
    def stage(run):
        """Runs a checker."""
        out = run.out / "checker.json"
        out.unlink(missing_ok=True)
        run.run("checker", ["sh", "-c", script, "sh", out])
        return run.load("checker", out)
    return stage


def works(run):
    """Finds one test that passes."""
    run.tests["r01_something"] = True
    return {}


class Stages(unittest.TestCase):
    def prove(self, stages, *names):
        """Run proof.py with stages of our own. Returns exit status, output and results."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "proof"
            out.mkdir()
            name = "results-partial.json" if names else "results.json"
            # Of an earlier run.
            (out / name).write_text('{"passed": true}', encoding="utf-8")
            said = io.StringIO()
            with mock.patch.object(proof, "STAGES", stages), \
                    mock.patch.object(proof, "ROWS", ["R01"]), \
                    mock.patch.object(sys, "argv", ["proof.py", "--build", folder, *names]), \
                    contextlib.redirect_stdout(said):
                status = proof.main()
            return status, said.getvalue(), json.loads((out / name).read_text(encoding="utf-8"))

    def check_failed(self, script, *words):
        status, said, results = self.prove({"first": works, "bad": checker(script),
                                            "last": works})
        self.assertEqual(status, 1)
        self.assertEqual((results["passed"], results["complete"]), (False, False))
        # The others were run, before and after it, and what they found is there.
        self.assertEqual(results["stages_run"], ["first", "last"])
        self.assertEqual(results["requirements"][0]["tests"], ["r01_something"])
        self.assertTrue(any(text.startswith("bad: ") for text in results["failures"]))
        for word in words:
            self.assertIn(word, said)
        self.assertIn("FAILED", said.splitlines()[-1])

    def test_checker_crashes(self):
        self.check_failed("echo about to crash; kill -SEGV $$", "no result in", "about to crash")

    def test_checker_says_half(self):
        self.check_failed("""echo '{"a": [1,' > "$1" """, "no result in")

    def test_allocations_left_out(self):
        """Of ten three failed alone and eight in one run; of ten, all; of 100, ten alone."""
        log = """
# r01_some: 3 of 10 allocations, each in a run of its own; 8 in one
ok 1 - r01_some
# r01_all: 3 of 10 allocations, each in a run of its own; 12 in one
ok 2 - r01_all
# r01_few: 10 of 100 allocations, each in a run of its own; 7 in one
ok 3 - r01_few
# injected 43
# checked 40"""

        def stage(run):
            """Reads a log."""
            run.note_program({"name": "faults", "result": "OK", "stdout": log})
            return {}
        _, said, results = self.prove({"faults": stage})
        self.assertEqual(results["requirements"][0]["tests"],
                         ["faults r01_all", "faults r01_few", "faults r01_some"])
        self.assertEqual((results["injected_failures"], results["checked_failures"]), (43, 40))
        self.assertRegex(said, r"of long tests, left out +92\n")

    def test_result_is_none(self):
        def stage(run):
            """Is not told what it looks for."""
            return checker("echo '{}' > \"$1\"")(run)["figure"]
        status, _, results = self.prove({"first": works, "bad": stage})
        self.assertEqual((status, results["passed"]), (1, False))
        self.assertIn("bad: KeyError: 'figure'", results["failures"])

    def test_no_such_program(self):
        def stage(run):
            """Its program is not there."""
            run.run("bad", ["/no/such/program"])
        status, _, results = self.prove({"first": works, "bad": stage})
        self.assertEqual((status, results["passed"]), (1, False))
        self.assertTrue(results["failures"][0].startswith("bad: FileNotFoundError"))

    def test_all_well(self):
        def planted(_run):
            """Shows the row."""
            return {"total": 1, "caught": 1, "by_tests": 1, "by_model_only": 0,
                    "row_tests": {"total": 1, "seen_to_fail": 1, "not_seen": []},
                    "shown": {"R01": [{"bug": "b", "test": "asan p r01_something[lazy]",
                                       "own_test": True}]}}
        status, said, results = self.prove({"first": works, "planted": planted})
        self.assertEqual((status, results["failures"]), (0, []))
        self.assertEqual((results["passed"], results["complete"]), (True, True))
        self.assertEqual(said.splitlines()[-1], "proof: all well")

    def test_a_part_has_not_passed(self):
        status, said, results = self.prove({"first": works, "last": works}, "last")
        self.assertEqual((status, results["passed"]), (0, False))
        self.assertEqual(said.splitlines()[-1], "proof: all well in last")

    def test_row_without_test(self):
        status, _, results = self.prove({"first": lambda run: {}})
        self.assertEqual((status, results["passed"]), (1, False))
        self.assertEqual(results["failures"], ["R01: no test"])


if __name__ == "__main__":
    tap.main(sys.modules["__main__"])

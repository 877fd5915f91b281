#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""make proof: everything that shows the reverse map right, in some 20 minutes.

	proof.py [--build DIR] [--jobs N] [STAGE...]

Runs the stages one after the other (all, or those named), each on two processors, and
ends with a table: one line for each requirement, which of its tests has been seen to fail
with which planted bug, and how many tests stand for it. All of it, and more, goes
to DIR/proof/results.json, or, when only some stages were run, to results-partial.json,
which never says that the proof has passed; the output of each stage to
DIR/proof/STAGE.log. The exit status is 0 if all is well, and 1 if anything failed; a
stage that could not be run, or did not say what came out, has failed.
What the stages do: docs/proof.md.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
from arguments import at_least_1	# noqa: E402

TOP = Path(__file__).resolve().parent.parent
ROWS = [f"R{i:02}" for i in range(1, 44)]
CHECKED = ["-Dlockdep=true", "-Ddebug_slab=true", "-Ddebug_vm=true", "-Dbuildtype=debug",
           "-Doptimization=1"]
BUILDS = {
    "default": [],
    "asan": ["-Db_sanitize=address,undefined", *CHECKED],
    "tsan": ["-Db_sanitize=thread", "-Drcu_backend=portable", *CHECKED],
}
# Of each large scenario, which has more than could be tried.
PCT_SCHEDULES = 2000
PCT_CHANGES = 6
DRIVER_SECONDS = 20
FUZZ_SECONDS = 20
MIN_SCHEDULES = 1000000	# different ones, of small scenarios
LAST_LINES = 15		# of the log, when there is no result
COLUMNS = 100


class Impossible(Exception):
    """A stage cannot go on: something was not built, or gave no result."""


class Proof:
    def __init__(self, build, jobs):
        self.build = build
        self.out = build / "proof"
        self.jobs = jobs
        self.failures = []      # one line each
        self.tests = {}         # name: passed
        self.figures = {"operations": 0, "walks": 0, "injected_failures": 0,
                        "checked_failures": 0,
                        "allocations_left_out": 0, "tests_left_out_of_faults": 0,
                        "schedules": 0, "schedules_distinct": 0, "schedules_by_lot": 0}
        self.parts = {}         # stage: what it says in results.json
        self.env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP")
        self.out.mkdir(parents=True, exist_ok=True)

    def fail(self, text):
        self.failures.append(text)
        print(f"proof: FAILED: {text}", flush=True)

    def run(self, stage, command, stdout=None):
        """Run a command of a stage; returns its exit status. What it prints is logged."""
        with open(self.out / f"{stage}.log", "a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(map(str, command))}\n")
            log.flush()
            if stdout:
                with open(stdout, "w", encoding="utf-8") as out:
                    return subprocess.call(command, cwd=TOP, env=self.env, stdout=out, stderr=log)
            return subprocess.call(command, cwd=TOP, env=self.env, stdout=log, stderr=log)

    def tail(self, stage):
        """The end of the log of a stage, to stand below a message."""
        log = self.out / f"{stage}.log"
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        return "".join(f"\n    | {line}" for line in text.splitlines()[-LAST_LINES:])

    def load(self, stage, path):
        """What a checker has written. It may have crashed, and then there is nothing."""
        try:
            return json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Impossible(f"no result in {path}: {error}{self.tail(stage)}") from error

    def make(self, stage, name):
        if self.run(stage, ["scripts/build.sh", self.build / name, *BUILDS[name]]):
            raise Impossible(f"cannot build {self.build / name}{self.tail(stage)}")

    def meson(self, stage, name, *what):
        """Run meson tests of a build, and note each test in their TAP output."""
        log = self.build / name / "meson-logs" / "testlog.json"
        log.unlink(missing_ok=True)
        # One more than there are CPUs: the tests wait for grace periods for a part of the time.
        status = self.run(stage, ["meson", "test", "-C", self.build / name, "--no-rebuild", "-t",
                                  "5", "--num-processes", str(self.jobs + 1), *what])
        if not log.exists():
            raise Impossible(f"meson test exited with {status}, and no log{self.tail(stage)}")
        bad = 0
        for line in log.read_text(encoding="utf-8").splitlines():
            bad += self.note_program(json.loads(line))
        if status and not bad:
            self.fail(f"{stage}: meson test exited with {status}")

    def note_program(self, program):
        """One program's TAP. Returns how many failures are in it."""
        bad = 0
        name = program["name"].split("/")[-1].split(":")[-1].strip()
        for line in program.get("stdout", "").splitlines():
            match = re.match(r"(not )?ok\b\s*\d*\s*-?\s*(.*)", line)
            if match:
                test = f"{name} {match[2].split(' # ')[0].strip()}"
                if "# SKIP" in line.upper():
                    continue
                good = not match[1]
                self.tests[test] = good and self.tests.get(test, True)
                if not good:
                    bad += 1
                    self.fail(test)
            match = re.match(r"# injected (\d+)", line)
            if match:
                self.figures["injected_failures"] += int(match[1])
            match = re.match(r"# checked (\d+)", line)
            if match:
                self.figures["checked_failures"] += int(match[1])
            # Of tests with very many allocations, some; tests that make them fail themselves.
            # Those that failed in a run of their own may be among those that failed in one.
            match = re.match(r"# \S+: (\d+) of (\d+) allocations.*; (\d+) in one", line)
            if match:
                met = max(int(match[1]), int(match[3]))
                self.figures["allocations_left_out"] += max(0, int(match[2]) - met)
            match = re.match(r"# left out (\d+)", line)
            if match:
                self.figures["tests_left_out_of_faults"] += int(match[1])
        if program["result"] not in ("OK", "SKIP", "EXPECTEDFAIL") and not bad:
            self.fail(f"{name}: {program['result']}")
            bad += 1
        return bad


# -- The stages -----------------------------------------------------------------------

def stage_tests(proof):
    """All tests with all assertions, ASan and UBSan; threads with TSan."""
    proof.make("tests", "asan")
    proof.meson("tests", "asan", "--suite", "unit", "--suite", "rows")
    proof.meson("tests", "asan", "--suite", "proof", "--no-suite", "faults")
    proof.make("tests", "tsan")
    proof.meson("tests", "tsan", "--suite", "threads")
    return {"tests": len(proof.tests), "failed": sum(not ok for ok in proof.tests.values())}


def stage_faults(proof):
    """Allocations of each test fail, one after the other; random operations with failures."""
    proof.make("faults", "asan")
    before = proof.figures["injected_failures"]
    proof.meson("faults", "asan", "--suite", "faults")
    driver(proof, "faults", "asan", ["--faults", "--time", str(DRIVER_SECONDS)])
    return {"injected": proof.figures["injected_failures"] - before,
            "allocations_left_out": proof.figures["allocations_left_out"],
            "tests_left_out": proof.figures["tests_left_out_of_faults"]}


def driver(proof, stage, build, options):
    """anonrmap check, on both topologies. Returns what it did, and how to do it again."""
    out = proof.out / f"{stage}-driver.json"
    status = proof.run(stage, [proof.build / build / "cli" / "anonrmap", "check", "--json",
                               *options], out)
    result = proof.load(stage, out)
    if status:
        proof.fail(f"{stage}: anonrmap check exited with {status}: see {out}; to repeat: "
                   f"{result.get('repeat')}")
    for topology in result["topologies"]:
        proof.figures["walks"] += topology["walks"]["folios"]
    check = result.get("random", {})
    proof.figures["operations"] += check.get("operations", 0)
    proof.figures["injected_failures"] += check.get("injected", 0)
    proof.figures["checked_failures"] += check.get("injected", 0)
    return {"seed": result["seed"], "rounds": check.get("rounds"),
            "operations": check.get("operations")}


def stage_random(proof):
    """Random operations, one thread and several, everything checked."""
    proof.make("random", "default")
    runs = {f"threads_{threads}": driver(proof, f"random-{threads}", "default",
                                         ["--time", str(DRIVER_SECONDS),
                                          "--threads", str(threads)])
            for threads in (1, 4)}
    return {**{key: proof.figures[key] for key in ("operations", "walks")}, **runs}


def stage_schedules(proof):
    """All schedules of the small scenarios up to their bound; large ones by lot."""
    proof.make("schedules", "default")
    anonrmap = proof.build / "default" / "cli" / "anonrmap"
    parts = {}
    for kind, options in (("systematic", ["--schedules", "0"]),
                          ("random", ["--schedules", str(PCT_SCHEDULES), "--pct",
                                      "--changes", str(PCT_CHANGES)])):
        out = proof.out / f"schedules-{kind}.json"
        proof.run("schedules", [anonrmap, "check", *options, "--json"], out)
        parts[kind] = proof.load("schedules", out)
        for job in parts[kind]["scenarios"]:
            name = f"schedules {kind} {job['scenario']}[{job['topology']}]"
            good = not job["findings"] and (kind == "random" or job["complete"])
            proof.tests[name] = good
            if not good:
                proof.fail(name if job["findings"] else f"{name}: not complete")
    total = parts["systematic"]["schedules"]
    proof.figures["schedules"] = total
    proof.figures["schedules_distinct"] = distinct = parts["systematic"]["distinct"]
    proof.figures["schedules_by_lot"] = parts["random"]["schedules"]
    if distinct < MIN_SCHEDULES:
        proof.fail(f"{distinct} different schedules of small scenarios, fewer than "
                   f"{MIN_SCHEDULES}")
    jobs = parts["systematic"]["scenarios"]
    return {"schedules": total, "distinct": distinct,
            "by_lot": parts["random"]["schedules"],
            "scenarios": len(jobs), "large_scenarios": len(parts["random"]["scenarios"]),
            "complete": sum(bool(job["complete"]) for job in jobs),
            "points": sum(part["points"] for part in parts.values()),
            "rows": {f"schedules {kind} {job['scenario']}[{job['topology']}]": job["rows"]
                     for kind, part in parts.items() for job in part["scenarios"]}}


def without_times(value):
    """A result of the command without what says how long it took."""
    if isinstance(value, dict):
        return {key: without_times(of) for key, of in value.items()
                if key not in ("seconds", "ns")}
    if isinstance(value, list):
        return [without_times(of) for of in value]
    return value


def stage_again(proof):
    """The same seed, the same result: some of it twice."""
    proof.make("again", "default")
    anonrmap = proof.build / "default" / "cli" / "anonrmap"
    commands = {
        "random": ["--seed", "7", "--ops", "5000"],
        "faults": ["--seed", "7", "--ops", "1000", "--faults"],
        "systematic": ["--schedules", "300"],
        "by-lot": ["--schedules", "200", "--pct", "--seed", "7"],
    }
    for name, options in commands.items():
        results = []
        for time_of in 1, 2:
            out = proof.out / f"again-{name}-{time_of}.json"
            status = proof.run("again", [anonrmap, "check", "--json", *options], out)
            if status:
                proof.fail(f"again: anonrmap check {' '.join(options)} exited with {status}")
            results.append(without_times(proof.load("again", out)))
        proof.tests[f"again {name}"] = results[0] == results[1]
        if results[0] != results[1]:
            proof.fail(f"again: {name} differs: {proof.out}/again-{name}-1.json and -2.json")
    return {"compared": list(commands)}


def stage_models(proof):
    """The protocols on weakly ordered memory, by exhaustive search of models."""
    out = proof.out / "models.json"
    out.unlink(missing_ok=True)
    status = proof.run("models", ["scripts/models.py", "--json", out, "-j", str(proof.jobs)])
    if status:
        proof.fail(f"models: exited with {status}: see {proof.out}/models.log")
    result = proof.load("models", out)
    return {"models": len(result["models"]), "states": result["states"],
            "switches": len(result["switches"]), "failed": result["failed"]}


def shown_rows(bugs):
    """{row: what has shown it}: tests of its own first, and bugs that are about little else."""
    found = []
    for bug in bugs:
        for row, test in bug["shown_by"].items():
            own = row in named_after(test)
            found.append((not own, len(bug["rows"]), bug["id"], row, test))
    rows = {}
    for scenario, _, bug, row, test in sorted(found):
        rows.setdefault(row, []).append({"bug": bug, "test": test, "own_test": not scenario})
    return rows


def stage_planted(proof):
    """Bugs are planted in core/, one at a time: is each found?"""
    out = proof.out / "planted.json"
    out.unlink(missing_ok=True)
    status = proof.run("planted", ["scripts/planted.py", "--builds", proof.build, "--json", out,
                                   "--jobs", str(proof.jobs)])
    result = proof.load("planted", out)
    wrong = [f"planted bug not found: {bug['id']}" for bug in result["bugs"] if not bug["caught"]]
    wrong += [f"fails without a planted bug: {test}" for test in result["fails_without_bug"]]
    # Threads that did not meet this time; all others fail each time.
    text = (TOP / "tests" / "threads" / "threads_test.c").read_text(encoding="utf-8")
    wrong += [f"not seen to fail: {test}" for test in result["row_tests"]["not_seen"]
              if f"({test})" not in text]
    if status and not wrong:
        wrong = [f"planted: exited with {status}: see {proof.out}/planted.log"]
    for text in wrong:
        proof.fail(text)
    return {"total": result["total"], "caught": result["caught"],
            "by_tests": result["by_tests"], "by_model_only": result["by_model_only"],
            "shown": shown_rows(result["bugs"]),
            "row_tests": result["row_tests"],
            "bugs": {bug["id"]: bug["by"] for bug in result["bugs"]},
            "fails_without_bug": result["fails_without_bug"]}


def stage_fuzz(proof):
    """Made-up operations and traces, led by coverage."""
    targets = []
    for engine in "libfuzzer", "afl":
        out = proof.out / f"fuzz-{engine}.json"
        out.unlink(missing_ok=True)
        status = proof.run("fuzz", ["scripts/fuzz.sh", "--engine", engine, "--build",
                                    proof.build / "fuzz", "--seconds", str(FUZZ_SECONDS),
                                    "--json", out])
        if status:
            proof.fail(f"fuzz, {engine}: see {proof.out}/fuzz.log")
        targets += proof.load("fuzz", out)["fuzz"]
    return {"targets": targets, "inputs": sum(target["inputs"] for target in targets)}


def stage_coverage(proof):
    """What of core/ the tests run."""
    out = proof.out / "coverage.json"
    out.unlink(missing_ok=True)
    status = proof.run("coverage", ["scripts/coverage.py", "--build", proof.build / "coverage",
                                    "--json", out])
    if status:
        proof.fail(f"coverage: exited with {status}: see {proof.out}/coverage.log")
    return proof.load("coverage", out)


STAGES = {name[6:]: function for name, function in list(globals().items())
          if name.startswith("stage_")}


# -- What came out ----------------------------------------------------------------------

def named_after(test):
    """The rows in the name of a test."""
    return {row.upper() for row in re.findall(r"(?<![a-z0-9])r\d\d(?=_)", test)}


def rows_of(proof, test):
    """The rows that a test stands for: by its name, or, of a scenario, as it says."""
    if test.startswith("schedules "):
        return set(proof.parts.get("schedules", {}).get("rows", {}).get(test, "").split())
    return named_after(test)


def requirements(proof):
    shown = proof.parts.get("planted", {}).get("shown", {})
    result = []
    for row in ROWS:
        tests = sorted(test for test in proof.tests if row in rows_of(proof, test))
        result.append({
            "id": row,
            "tests": tests,
            # Without its tests, nothing is known of it.
            "passed": all(proof.tests[test] for test in tests) if tests else None,
            "shown_to_fail": bool(shown.get(row)),
            "shown_by": shown.get(row, []),
        })
    return result


def in_short(shown):
    """The first that has shown a row: a test, without program and topology, and the bug."""
    if not shown:
        return "-"
    test = shown[0]["test"]
    # "asan topology r07_fork[lazy]", "schedules walk_vs_fork lazy"
    name = test.split(" ")[1 if test.startswith("schedules ") else -1].partition("[")[0]
    return f"{'' if shown[0]['own_test'] else 'scenario '}{name}: {shown[0]['bug']}"


def print_rows(rows):
    width = COLUMNS - len("row  result   tests")
    print(f"\n{'row':<4} {'result':<7} {'shown by':<{width}} tests")
    for row in rows:
        result = "-" if row["passed"] is None else "passed" if row["passed"] else "FAILED"
        text = in_short(row["shown_by"])
        if len(text) > width:
            text = text[:width - 3] + "..."
        print(f"{row['id']:<4} {result:<7} {text:<{width}} {len(row['tests']):>5}")
    shown = [row["shown_by"] for row in rows if row["shown_by"]]
    if shown:
        own = sum(by[0]["own_test"] for by in shown)
        print(f"seen to fail: {own} by a test of their own, {len(shown) - own} by a scenario only")


def results_of(proof, stages):
    """Where the result goes: that of some stages must not pass for that of all."""
    name = "results.json" if set(stages) == set(STAGES) else "results-partial.json"
    return proof.out / name


def report(proof, stages, seconds):
    rows = requirements(proof)
    # Were all stages run, to their ends?
    complete = set(proof.parts) == set(STAGES)
    if set(stages) == set(STAGES):
        for row in rows:
            if not row["tests"]:
                proof.fail(f"{row['id']}: no test")
            elif not row["shown_to_fail"]:
                proof.fail(f"{row['id']}: no test has been seen to fail")
    planted = proof.parts.get("planted", {})
    coverage = proof.parts.get("coverage", {})
    results_of(proof, stages).write_text(json.dumps({
        "schema_version": 1,
        "complete": complete,
        "stages_run": list(proof.parts),
        "passed": complete and not proof.failures,
        "failures": proof.failures,
        "requirements": rows,
        "planted": {key: planted.get(key)
                    for key in ("total", "caught", "by_tests", "by_model_only", "row_tests")},
        **proof.figures,
        "coverage": {key: coverage.get(key) for key in ("lines", "branches", "exceptions")},
        "stages": proof.parts,
        "seconds": round(seconds),
    }, indent=1) + "\n", encoding="utf-8")

    print_rows(rows)
    print()
    for name, value in (
            ("schedules, all up to a bound", proof.figures["schedules"]),
            ("  different from each other", proof.figures["schedules_distinct"]),
            ("schedules, large, by lot", proof.figures["schedules_by_lot"]),
            ("random operations", proof.figures["operations"]),
            ("walks compared with a scan", proof.figures["walks"]),
            ("allocations made to fail", proof.figures["injected_failures"]),
            ("  and everything checked", proof.figures["checked_failures"]),
            ("  of long tests, left out", proof.figures["allocations_left_out"])):
        print(f"{name:<28} {value:>14,}")
    if planted:
        print(f"{'planted bugs found':<28} {planted['caught']:>14,} of {planted['total']}: "
              f"{planted['by_tests']} by tests, {planted['by_model_only']} by a model only")
        tests = planted["row_tests"]
        print(f"{'tests of rows seen to fail':<28} {tests['seen_to_fail']:>14,} of "
              f"{tests['total']}{': not ' if tests['not_seen'] else ''}"
              f"{' '.join(tests['not_seen'])}")
    if coverage:
        print(f"{'coverage of core/':<28} {coverage['lines']:.1f} % of lines, "
              f"{coverage['branches']:.1f} % of branches, "
              f"{len(coverage['exceptions'])} exceptions")
    print(f"{'seconds':<28} {seconds:>14,.0f}")
    print(f"all of it: {results_of(proof, stages)}")


def run_stage(proof, stage):
    """Whatever goes wrong in one is a failure; the others run all the same."""
    try:
        proof.parts[stage] = STAGES[stage](proof)
    except Impossible as error:
        proof.fail(f"{stage}: {error}")
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        # No such program, or a result that is none.
        proof.fail(f"{stage}: {type(error).__name__}: {error}{proof.tail(stage)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join(STAGES))
    parser.add_argument("--build", type=Path, default=TOP / "build", metavar="DIR")
    parser.add_argument("--jobs", type=at_least_1, default=2, metavar="N", help="default: 2")
    args = parser.parse_args()
    unknown = [stage for stage in args.stages if stage not in STAGES]
    if unknown:
        parser.error(f"no stage {unknown[0]}: {', '.join(STAGES)}")

    stages = args.stages or list(STAGES)
    proof = Proof(args.build.resolve(), args.jobs)
    begin = time.monotonic()
    # What an earlier run has found says nothing about this one, which may be stopped.
    results_of(proof, stages).unlink(missing_ok=True)
    for number, stage in enumerate(stages, 1):
        (proof.out / f"{stage}.log").unlink(missing_ok=True)
        print(f"proof: [{number}/{len(stages)}] {stage}: {STAGES[stage].__doc__}", flush=True)
        start = time.monotonic()
        run_stage(proof, stage)
        print(f"proof: [{number}/{len(stages)}] {stage}: "
              f"{time.monotonic() - start:.0f} s", flush=True)
    report(proof, stages, time.monotonic() - begin)
    well = "all well" if set(stages) == set(STAGES) else f"all well in {', '.join(stages)}"
    print("proof: " + (f"{len(proof.failures)} FAILED" if proof.failures else well))
    return 1 if proof.failures else 0


if __name__ == "__main__":
    sys.exit(main())

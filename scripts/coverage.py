#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Which lines and branches of core/ do the tests run?

	coverage.py [--build DIR] [--json FILE] [--keep]

Builds with gcov in DIR (default build/coverage); runs the tests that add to it, a few
schedules of each scenario, and the random driver; and asks gcovr. Lines that did not run,
and branches that went one way only, are listed. Those of tests/coverage-exceptions.txt have
a reason why; it is an error if any other line is missing, if branches are below 95 %, or if
an exception is none any more. Assertions are left out: their failing side is not to be run.
--keep: count on top of what earlier runs have counted.
"""
import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
EXCEPTIONS = TOP / "tests" / "coverage-exceptions.txt"
MIN_BRANCHES = 95.0
PROCESSES = 2
TIMEOUT = 900
# The schedules are tried with assertions.
ASSERTION = r".*\bVM_(WARN|BUG)_ON"
OPTIONS = ["-Db_coverage=true", "-Dbuildtype=debug",
           # Every line as it is written: nothing is left out, merged or moved.
           "-Doptimization=0",
           # Some tests have threads; and nothing is counted that is not asked for, which is
           # most of what the tests run.
           "-Dc_args=-fprofile-update=atomic -fprofile-filter-files=.*/core/.*"]


class Problem(Exception):
    """What stands in the way, or is wrong."""


def run(command, log, **kwargs):
    print(f"$ {' '.join(map(str, command))}", file=log, flush=True)
    try:
        return subprocess.call(command, cwd=TOP, stdout=log, stderr=log, **kwargs)
    except subprocess.TimeoutExpired:
        print("it took too long", file=log)
        return 1


# The others add nothing, and take time: failure_test, small_family, the full fault injection,
# thousands of schedules. Nor do threads: what they may come to by luck, schedules come to.
PROGRAMS = ("core/core_test", "topology/topology_test", "usermm/merge_test", "usermm/fault_test",
            "usermm/mremap_test", "proof/r_counts", "proof/r_standing", "proof/r_histories",
            "proof/r_large", "proof/small_merge", "proof/small_mremap")
FAULTS = {"UM_FAULTS": "1", "UM_FAULTS_BUDGET": "50", "UM_FAULTS_PAIRS": "1"}
# Of each scenario so many; all of these, which come to places that take two preemptions.
SCHEDULES = 300
WHOLE_SCENARIOS = ("walk_vs_exit_last,walk_vs_exit_younger,walk_vs_split_exit,"
                   "lockless_vs_exit_last,lockless_vs_uffd,lockless_vs_ksm_merge")


def commands(build):
    """What is run: (arguments, what the environment has more)."""
    tests, anonrmap = build / "tests", build / "cli" / "anonrmap"
    yield [anonrmap, "check", "--schedules", str(SCHEDULES), "--jobs", "1"], {}
    yield [anonrmap, "check", "--schedules", "0", "--jobs", "1",
           "--scenario", WHOLE_SCENARIOS], {}
    for program in PROGRAMS:
        yield [tests / program], {}
    yield [tests / "topology" / "topology_test"], FAULTS
    yield [anonrmap, "check", "--ops", "2000", "--seed", "1"], {}


def run_one(build, number, command, more):
    """Returns the command if it failed. Its output has a file of its own."""
    with open(f"{build}.run.{number}.log", "w", encoding="utf-8") as log:
        env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP", **more)
        if run(command, log, env=env, timeout=TIMEOUT):
            return f"{' '.join(map(str, command))}: see {log.name}"
    return None


def run_tests(build):
    with concurrent.futures.ThreadPoolExecutor(PROCESSES) as pool:
        jobs = [pool.submit(run_one, build, number, *what)
                for number, what in enumerate(commands(build))]
        failed = [job.result() for job in jobs if job.result()]
    if failed:
        raise Problem(f"failed under gcov: {'; '.join(failed)}")


def ask_gcovr(build, folders, out):
    """What gcovr says of the objects in some folders: {(file, line): [lines, branches...]}."""
    done = subprocess.run(["gcovr", "-r", TOP, "--object-directory", build, "--filter",
                           f"{re.escape(str(TOP))}/core/",
                           "--exclude-branches-by-pattern", ASSERTION,
                           "--json", out, *folders], cwd=TOP, capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise Problem(f"gcovr: {' '.join(done.stderr.strip().splitlines()[-1:])}")
    counts = {}
    for entry in json.loads(out.read_text(encoding="utf-8"))["files"]:
        path = os.path.relpath(os.path.join(TOP, entry["file"]), TOP)
        for line in entry["lines"]:
            if not line.get("gcovr/noncode"):
                counts[path, line["line_number"]] = [line["count"]] + [
                    branch["count"] for branch in line["branches"]
                    if not branch.get("gcovr/noncode")]
    if not counts:
        raise Problem(f"gcovr found nothing of core/ in {build}")
    return counts


def count(build):
    """
    The sum of both ways in which core/ is compiled: as it is, and for schedules. gcov numbers
    a line's branches together with its calls, of which there are more in the latter; so
    branches belong together by their order.
    """
    # Of core/ itself also what nothing was linked with, and so nothing was counted of.
    folders = {str(path.parent) for path in (*build.rglob("*.gcda"),
                                             *(build / "core").rglob("*.gcno"))}
    special = {folder for folder in folders if "sched" in os.path.relpath(folder, build)}
    total = ask_gcovr(build, sorted(folders - special), build / "gcovr.json")
    for place, more in ask_gcovr(build, sorted(special), build / "gcovr-sched.json").items():
        counts = total.setdefault(place, more)
        if counts is not more:
            if len(counts) != len(more):
                raise Problem(f"{place[0]}:{place[1]}: the branches of one build are not those "
                              "of the other")
            total[place] = [a + b for a, b in zip(counts, more)]
    return total


def not_compiled(counts):
    """
    Holes that are inline functions which nobody calls, or which are for other configurations:
    the compiler leaves them out, and gcov as well.
    """
    for source in sorted((TOP / "core").rglob("*.[ch]")):
        path, text = str(source.relative_to(TOP)), source.read_text(encoding="utf-8")
        for match in re.finditer(r"^static (?:inline|__always_inline)\b[^;{}()]*?\w+\("
                                 r"[^;{}]*\n\{.*?\n\}", text, re.MULTILINE | re.DOTALL):
            first = 1 + text.count("\n", 0, match.start())
            last = first + match[0].count("\n")
            if not any((path, number) in counts for number in range(first, last + 1)):
                yield "line", path, first, match[0].splitlines()[0]


def read_exceptions():
    """{(kind, file, text): reason}. A line of the file: KIND FILE: TEXT, then the reason."""
    exceptions, key = {}, None
    for number, line in enumerate(EXCEPTIONS.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line[0] in " \t":
            if not key:
                raise Problem(f"{EXCEPTIONS}:{number}: a reason without an exception")
            exceptions[key] = f"{exceptions[key]} {line.strip()}".strip()
            continue
        place, _, text = line.partition(": ")
        kind, _, path = place.partition(" ")
        if kind not in ("line", "branch") or not text:
            raise Problem(f"{EXCEPTIONS}:{number}: not 'line FILE: TEXT' or 'branch FILE: TEXT'")
        key = kind, path, text.strip()
        exceptions[key] = ""
    for key, reason in exceptions.items():
        if not reason:
            raise Problem(f"{EXCEPTIONS}: no reason for {' '.join(key)}")
    return exceptions


def missing(total):
    """Counts, and [(kind, file, line number, text)] of what did not run."""
    totals = {"line": [0, 0], "branch": [0, 0]}
    holes, sources = [], {}
    for (path, number), (times, *branches) in sorted(total.items()):
        if path not in sources:
            sources[path] = (TOP / path).read_text(encoding="utf-8").splitlines()
        text = sources[path][number - 1].strip()
        taken = sum(branch > 0 for branch in branches)
        for kind, have, want in ("line", times > 0, 1), ("branch", taken, len(branches)):
            totals[kind][0] += have
            totals[kind][1] += want
            if have < want:
                holes.append((kind, path, number, text))
    return totals, holes


def percent(pair):
    return 100.0 * pair[0] / pair[1] if pair[1] else 0.0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=TOP / "build" / "coverage")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    build = args.build.resolve()
    build.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(f"{build}.run.log", "w", encoding="utf-8") as log:
            if run(["scripts/build.sh", build, *OPTIONS], log):
                raise Problem(f"cannot build: see {log.name}")
        if not args.keep:
            for old in build.rglob("*.gcda"):
                old.unlink()
        run_tests(build)
        counts = count(build)
        totals, holes = missing(counts)
        exceptions = read_exceptions()
        used, bad = set(), []
        for kind, path, number, text in holes + list(not_compiled(counts)):
            key = kind, path, text
            if key in exceptions:
                used.add(key)
            print(f"{path}:{number}: {kind}: {text}"
                  f"{'' if key in exceptions else '  (no reason)'}")
            if kind == "line" and key not in exceptions:
                bad.append(f"{path}:{number} does not run, and has no reason")
        bad += [f"{EXCEPTIONS.name}: {' '.join(key)}: runs" for key in set(exceptions) - used]
        if percent(totals["branch"]) < MIN_BRANCHES:
            bad.append(f"branches are below {MIN_BRANCHES} %")
        print(f"core/: {percent(totals['line']):.2f} % of {totals['line'][1]} lines, "
              f"{percent(totals['branch']):.2f} % of {totals['branch'][1]} branches")
        if args.json:
            args.json.write_text(json.dumps({
                "schema_version": 1,
                "lines": round(percent(totals["line"]), 2),
                "branches": round(percent(totals["branch"]), 2),
                "exceptions": [{"kind": key[0], "file": key[1], "text": key[2], "reason": why}
                               for key, why in exceptions.items()],
            }, indent=1) + "\n", encoding="utf-8")
        for line in bad:
            print(f"coverage: {line}", file=sys.stderr)
        return 1 if bad else 0
    except Problem as problem:
        print(f"coverage: {problem}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Which lines and branches of core/ do the tests run?

	coverage.py [--build DIR] [--json FILE] [--keep]

Builds with gcov in DIR (default build/coverage), without assertions, whose failing side is
not to be run; runs the tests that are quick there, each schedule scenario a little, and the
random driver; and asks gcovr. Lines that did not run, and branches that went one way only,
are listed. Those of tests/coverage-exceptions.txt have a reason why; it is an error if
any other line is missing, if branches are below 95 %, or if an exception is none any more.
--keep: count on top of what earlier runs have counted.
"""
import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
EXCEPTIONS = TOP / "tests" / "coverage-exceptions.txt"
MIN_BRANCHES = 95.0


class Problem(Exception):
    """What stands in the way, or is wrong."""


def run(command, log, **kwargs):
    print(f"$ {' '.join(map(str, command))}", file=log, flush=True)
    return subprocess.call(command, cwd=TOP, stdout=log, stderr=log, **kwargs)


def run_tests(build, log):
    anonrmap = build / "cli" / "anonrmap"
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP")
    faults = dict(env, UM_FAULTS="1")
    failed = []
    for command, environment in (
            (["meson", "test", "-C", build, "--no-rebuild", "-t", "10", "--num-processes", "2",
              "--suite", "unit", "--suite", "threads"], env),
            ([build / "tests" / "topology" / "topology_test"], faults),
            ([anonrmap, "check", "--schedules", "2000"], env),
            ([anonrmap, "check", "--ops", "20000"], env),
            ([anonrmap, "check", "--ops", "20000", "--threads", "4"], env)):
        if run(command, log, env=environment):
            failed.append(" ".join(map(str, command[:4])))
    if failed:
        raise Problem(f"failed under gcov: {'; '.join(failed)}")


def ask_gcovr(build):
    out = build / "gcovr.json"
    done = subprocess.run(["gcovr", "-r", TOP, "--object-directory", build, "--filter",
                           f"{TOP}/core/", "--json", out, "--gcov-ignore-parse-errors"],
                          cwd=build, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Problem(f"gcovr: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(out.read_text(encoding="utf-8"))["files"]


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


def missing(files):
    """Counts, and [(kind, file, line number, text)] of what did not run."""
    totals = {"line": [0, 0], "branch": [0, 0]}
    holes = []
    for entry in files:
        path = os.path.relpath(os.path.join(TOP, entry["file"]), TOP)
        source = (TOP / path).read_text(encoding="utf-8").splitlines()
        for line in entry["lines"]:
            if line.get("gcovr/noncode"):
                continue
            text = source[line["line_number"] - 1].strip()
            totals["line"][0] += line["count"] > 0
            totals["line"][1] += 1
            if not line["count"]:
                holes.append(("line", path, line["line_number"], text))
            branches = [b for b in line["branches"] if not b.get("gcovr/noncode")]
            taken = sum(b["count"] > 0 for b in branches)
            totals["branch"][0] += taken
            totals["branch"][1] += len(branches)
            if taken < len(branches):
                holes.append(("branch", path, line["line_number"], text))
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
            if run(["scripts/build.sh", build, "-Db_coverage=true", "-Dbuildtype=debug",
                    "-Doptimization=0"], log):
                raise Problem(f"cannot build: see {log.name}")
            if not args.keep:
                for counts in build.rglob("*.gcda"):
                    counts.unlink()
            run_tests(build, log)
        totals, holes = missing(ask_gcovr(build))
        exceptions = read_exceptions()
        used, bad = set(), []
        for kind, path, number, text in holes:
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

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Plant bugs, one at a time, and see whether the tests find them.

	planted.py			all bugs of tests/planted, a table, and planted.json
	planted.py NAME...		these only
	planted.py --learn NAME...	forget which tests found it, look again, and note that in
					the bug's file; --all: all tests of its rows
	planted.py --matrix [NAME...]	which tests of rows fail with each: row-tests.txt; --all:
					small worlds, too
	planted.py --systematic		bugs made by rule from core/; see tests/planted/README.md

A bug that no test finds means that a test is missing. Exits with 1 then, and with 2 for a
wrong command line.
"""
import argparse
import concurrent.futures
import json
import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True
from arguments import at_least_1	# noqa: E402
from plant import Pool, build, bugs, find, matrix, systematic	# noqa: E402

TOP = Path(__file__).resolve().parent.parent
ROWS = [f"R{i:02}" for i in range(1, 44)]


def options():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--top", default=TOP, help="the sources")
    parser.add_argument("--builds", default=TOP / "build", help="folder of the build folders")
    parser.add_argument("--json", help="where the result goes; default: proof/planted.json there")
    parser.add_argument("--jobs", type=at_least_1, default=2)
    parser.add_argument("--learn", action="store_true")
    parser.add_argument("--all", action="store_true", dest="every")
    parser.add_argument("--keep", action="store_true", help="keep what was built, and output")
    parser.add_argument("--check", action="store_true", help="only see whether all bugs apply")
    parser.add_argument("--matrix", action="store_true",
                        help="run all tests of rows on each bug, note in row-tests.txt which "
                        "fail, and put each into the found-by of one bug; an hour or two")
    parser.add_argument("--systematic", action="store_true")
    parser.add_argument("--in", dest="only", metavar="PATTERN",
                        help="--systematic: only in a file with this in its name, or a function")
    parser.add_argument("--quick", action="store_true",
                        help="--systematic: quick tests only; what they do not find is looked at "
                        "by all tests otherwise")
    parser.add_argument("--resume", action="store_true",
                        help="--systematic: go on after what an earlier run has found")
    args = parser.parse_args()
    for given, option in ((args.only, "--in"), (args.quick, "--quick"), (args.resume, "--resume")):
        if given and not args.systematic:
            parser.error(f"{option}: with --systematic only")
    directory = Path(args.top) / "tests" / "planted"
    unknown = [name for name in args.names if not (directory / f"{name}.bug").exists()]
    if unknown:
        parser.error("no such bug: " + " ".join(unknown))
    if args.systematic + args.matrix + args.learn > 1:
        parser.error("--learn, --matrix, --systematic: one of them")
    if args.systematic and args.names:
        parser.error("--systematic: takes no names of bugs; --in PATTERN")
    if args.systematic and args.only and not systematic.all_mutants(args.top, args.only):
        parser.error(f"no mutant in {args.only}")
    args.builds = Path(args.builds)
    return args


def finder_of(args):
    dirs = {name: args.builds / name for name in find.OPTIONS}
    return find.Finder(args.top, dirs, args.builds / "planted", args.keep)


def look_for(finder, bug, learn, every):
    """Search for a test that finds @bug."""
    new = bug.apply((finder.top / bug.file).read_text(encoding="utf-8"))
    with finder.attempt(bug.name, bug.file, new, bug.output, bug.model) as attempt:
        found = [] if learn else attempt.by_name(bug.found_by)
        if not found:
            found = attempt.search(bug.builds, bug.rows, every)
        rows = set().union(*(find.rows_of(name, finder.rows_of_scenario) for name in found))
        return find.Found(found, sorted(rows & set(bug.rows)), attempt.seconds(), "")


def best(found, rows, scenarios):
    """Enough of the tests that found a bug: one for each row, or the first of all."""
    chosen = []
    for row in rows:
        named = [name for name in found if row in find.rows_of(name, scenarios)]
        named.sort(key=lambda name: row not in find.rows_of(name))
        chosen += [name for name in named[:1] if name not in chosen]
    return chosen or found[:1]


def plant(args):
    """The chosen bugs. Returns whether all were found."""
    directory = Path(args.top) / "tests" / "planted"
    chosen = bugs.load(directory, args.names)
    wrong = []
    for bug in chosen:
        try:
            bug.apply((Path(args.top) / bug.file).read_text(encoding="utf-8"))
        except bugs.BadBug as error:
            wrong.append(str(error))
    if wrong:
        raise bugs.BadBug("\n".join(wrong))
    if args.check:
        print(f"{len(chosen)} bugs apply")
        return True
    finder = finder_of(args)
    results = {}
    with Pool(args.jobs) as pool:
        jobs = {pool.submit(look_for, finder, bug, args.learn, args.every): bug for bug in chosen}
        for job in concurrent.futures.as_completed(jobs):
            bug = jobs[job]
            try:
                found = job.result()
            except build.BuildError as error:
                found = find.Found([], [], 0, "does not build: " +
                                   str(error).splitlines()[-1])
            results[bug.name] = found
            if args.learn and found.by:
                bugs.write_found_by(directory / f"{bug.name}.bug",
                                    best(found.by, bug.rows, finder.rows_of_scenario))
            print(line_of(bug, found), flush=True)
    report(args, chosen, results, finder)
    for test in finder.broken:
        print(f"planted: fails without a bug: {test}")
    return not finder.broken and all(results[bug.name].by for bug in chosen)


def all_rows(args):
    """Which tests of rows fail with each bug. Returns whether each test has failed with one."""
    directory = Path(args.top) / "tests" / "planted"
    known = bugs.load(directory)
    names = {bug.name for bug in bugs.load(directory, args.names)}
    chosen = [bug for bug in known if bug.name in names]
    table = matrix.read(directory / matrix.NAME)
    tests = matrix.defined(args.top)
    matrix.forget(table, {bug.name for bug in known}, tests)
    finder = finder_of(args)

    def look(bug):
        new = bug.apply((finder.top / bug.file).read_text(encoding="utf-8"))
        with finder.attempt(bug.name, bug.file, new) as attempt:
            return matrix.look(attempt, bug, args.every), attempt.seconds()
    with Pool(args.jobs) as pool:
        jobs = {pool.submit(look, bug): bug for bug in chosen}
        for job in concurrent.futures.as_completed(jobs):
            bug = jobs[job]
            try:
                failed, seconds = job.result()
            except build.BuildError as error:
                raise bugs.BadBug(f"{bug.name} does not build: {error}") from error
            matrix.update(table, bug.name, failed)
            matrix.write(directory / matrix.NAME, table)
            print(f"{bug.name:<34} {seconds:6.1f}  {len(failed)} tests of rows", flush=True)
    matrix.note(directory, table, known)
    left = sorted(tests - {matrix.plain(test) for test in table})
    print(f"tests of rows that were seen to fail: {len(tests) - len(left)} of {len(tests)}")
    for test in left:
        print(f"not seen to fail: {test}")
    for test in finder.broken:
        print(f"planted: fails without a bug: {test}")
    return not left and not finder.broken


def line_of(bug, found):
    rows = " ".join(row if row in found.rows else f"({row})" for row in bug.rows)
    by = found.by[0] if found.by else "NOT FOUND " + found.note
    return f"{bug.name:<34} {rows:<18} {found.seconds:6.1f}  {by}"


def report(args, chosen, results, finder):
    shown = {row: [bug.name for bug in chosen if row in results[bug.name].rows] for row in ROWS}
    caught = sum(bool(results[bug.name].by) for bug in chosen)
    missing = [row for row in ROWS if not shown[row]]
    by_tests = sum(any(not name.startswith("model ") for name in results[bug.name].by)
                   for bug in chosen)
    print(f"{caught} of {len(chosen)} planted bugs found, {by_tests} by tests and "
          f"{caught - by_tests} by a model only; "
          f"rows whose own test was seen to fail: {len(ROWS) - len(missing)} of {len(ROWS)}")
    if missing:
        print("not seen to fail:", " ".join(missing))
    tests = matrix.defined(args.top)
    seen = tests & {matrix.plain(name) for bug in chosen for name in results[bug.name].by}
    print(f"tests of rows that were seen to fail: {len(seen)} of {len(tests)}")
    path = Path(args.json or args.builds / "proof" / "planted.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({
        "schema_version": 1,
        "total": len(chosen),
        "caught": caught,
        "by_tests": by_tests,
        "by_model_only": caught - by_tests,
        "bugs": [{
            "id": bug.name, "file": bug.file, "rows": bug.rows, "story": bug.story,
            "caught": bool(results[bug.name].by), "by": results[bug.name].by,
            "rows_shown": results[bug.name].rows,
            "shown_by": {row: best(results[bug.name].by, [row], finder.rows_of_scenario)[0]
                         for row in results[bug.name].rows},
            "seconds": round(results[bug.name].seconds, 2),
        } for bug in chosen],
        "rows": shown,
        "row_tests": {"total": len(tests), "seen_to_fail": len(seen),
                      "not_seen": sorted(tests - seen)},
        "fails_without_bug": finder.broken,
    }, indent=1) + "\n", encoding="utf-8")


def main():
    args = options()
    try:
        if args.systematic:
            return 0 if systematic.run(args, finder_of(args)) else 1
        if args.matrix:
            return 0 if all_rows(args) else 1
        return 0 if plant(args) else 1
    except (bugs.BadBug, build.NotBuilt, systematic.BadReasons) as error:
        print(f"planted: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

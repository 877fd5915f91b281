# SPDX-License-Identifier: GPL-2.0
"""Each test of a row, and the planted bugs that it has been seen to fail with.

A search for what finds a bug ends with the first test, which says nothing of the others.
Here all tests that are named after a row (r07_...) look at each bug. What came out is kept
in tests/planted/row-tests.txt; and each of them is put into the found-by of one bug, so
that a run of planted.py sees each fail.
"""
import re
from pathlib import Path

from . import bugs, find

NAME = "row-tests.txt"
HEAD = """\
# SPDX-License-Identifier: GPL-2.0
# Each test of a row, and the planted bugs that it has been seen to fail with.
# Made by planted.py --matrix, which is described in README.md.
"""
# All histories of a kind: a minute each, and not looked at unless that is asked for. All failures
# of each operation: only the tests of the bug's rows.
WORLDS = "small-"
FAILURES = "failure_test"
WIDTH = 90
# "static void r07_fork(void **state)" and "def r11_no_architecture_switch("
DEFINED = re.compile(r"^(?:static void|def) (r\d\d_\w+)\(", re.M)


def plain(test):
    """The name of a test alone: without build, program and topology."""
    return test.split(" ")[-1].partition("[")[0]


def defined(top):
    """The names of all tests of rows in the sources."""
    found = set()
    for path in (Path(top) / "tests").rglob("*"):
        if path.suffix in (".c", ".py"):
            found |= set(DEFINED.findall(path.read_text(encoding="utf-8")))
    return found


def look(attempt, bug, every):
    """All tests of rows that fail with a bug: of the text, or in the build with ASan."""
    found = attempt.by_text() if "static" in bug.builds else []
    if {"asan", "faults"} & set(bug.builds):
        attempt.finder.build("asan")
        for name in attempt.finder.programs["asan"]:
            if name.startswith(WORLDS) and not every:
                continue
            patterns = ["r??_*"]
            if name.startswith((WORLDS, FAILURES)):
                patterns = [f"*{row.lower()}_*" for row in bug.rows]
            for pattern in patterns:
                found += [test for test in attempt.each("asan", name, pattern + attempt.where)
                          if test not in found]
    found = [test for test in found if find.rows_of(test)]
    # What was seen by a search, in other builds maybe.
    return found + [test for test in bug.found_by if find.rows_of(test) and test not in found]


# -- What is kept ---------------------------------------------------------------------

def read(path):
    """{test: names of bugs}"""
    table, test = {}, None
    if not Path(path).exists():
        return table
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if line.startswith("\t"):
            table[test] |= set(line.split())
        elif line and not line.startswith("#"):
            test = line
            table[test] = set()
    return table


def write(path, table):
    """The other way round, in an order of its own."""
    out = [HEAD]
    for test in sorted(table, key=lambda test: (plain(test), test)):
        line = ""
        out.append(test + "\n")
        for name in sorted(table[test]):
            if line and len(line) + 1 + len(name) > WIDTH:
                out.append(f"\t{line}\n")
                line = ""
            line += " " + name if line else name
        out.append(f"\t{line}\n")
    Path(path).write_text("".join(out), encoding="utf-8")


def update(table, bug, failed):
    """Put down which tests have failed with a bug, instead of what was known of it."""
    for test in list(table):
        table[test].discard(bug)
        if not table[test]:
            del table[test]
    for test in failed:
        table.setdefault(test, set()).add(bug)


def forget(table, known, tests):
    """Leave out bugs and tests that are not there any more."""
    for bug in set().union(*table.values()) - known:
        update(table, bug, [])
    for test in [test for test in table if plain(test) not in tests]:
        del table[test]


def cover(table, chosen):
    """
    Which tests have to be in a found-by besides those that are: [(bug, test)]. For each, a
    bug of its rows if there is one, and one with which little else fails.
    """
    listed = {plain(test) for bug in chosen for test in bug.found_by}
    failing = {bug.name: sum(bug.name in names for names in table.values()) for bug in chosen}
    more = []
    for name in sorted({plain(test) for test in table} - listed):
        pairs = [(not find.rows_of(test) & set(bug.rows), failing[bug.name], bug.name, test)
                 for bug in chosen for test in table
                 if plain(test) == name and bug.name in table[test]]
        if pairs:
            more.append(min(pairs)[2:])
    return more


def note(directory, table, chosen):
    """Write it all down: the table, and what cover() says."""
    write(directory / NAME, table)
    by_name = {bug.name: bug for bug in chosen}
    for bug, test in cover(table, chosen):
        by_name[bug].found_by.append(test)
        bugs.write_found_by(directory / f"{bug}.bug", by_name[bug].found_by)

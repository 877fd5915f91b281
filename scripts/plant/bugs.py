# SPDX-License-Identifier: GPL-2.0
"""Planted bugs: files of tests/planted/, and what they do to a source file.

	# SPDX-License-Identifier: GPL-2.0
	story: what is wrong, and what comes of it;
		further lines are indented
	file: core/anon_vma_lazy.c
	rows: R07 R42
	builds: asan tsan
	output: missed
	found-by: asan topology r07_fork[lazy]
	in: lazy_anon_vma_fork_mm
	--- old
	lines as they are in the file, whole ones
	+++ new
	lines in their place, or none

Old lines must be there exactly once: in the file, or in the function that the last
"in:" names. Nothing else ties a bug to the file, so it survives changes elsewhere.
One that does not apply is an error: it has to be planted anew.

"builds:" (asan tsan schedules, if it is not there) says where to look, "output:" what
the test that finds it has to say: for bugs that shall show that some checker works.
What no test on this machine can show, a missing barrier most of all, a model may: with
"builds: model", "model: MODEL SWITCH" names it, and the switch that leaves out there what
the edit leaves out here.
"""
import re
from pathlib import Path

from . import ctext

BUILDS = ("asan", "tsan", "schedules", "faults", "static", "model")
KEYS = ("story", "file", "rows", "builds", "found-by", "output", "model")


class BadBug(Exception):
    """The file is wrong, or does not fit the sources any more."""


class Bug:
    """One planted bug. @rows: those that it breaks; @builds: where to look, in order."""

    def __init__(self, name, fields, edits):
        self.name = name
        self.story = fields["story"]
        self.file = fields["file"]
        self.rows = fields["rows"].split()
        self.builds = fields.get("builds", "asan tsan schedules").split()
        self.found_by = [f for f in fields.get("found-by", "").split(", ") if f]
        self.output = fields.get("output")
        self.model = fields.get("model", "").split()
        self.edits = edits

    def apply(self, source):
        """The text of the file with the bug in it."""
        for function, old, new in self.edits:
            start, end = self._region(source, function)
            places = [m.start() for m in re.finditer("^" + re.escape(old), source, re.M)]
            places = [at for at in places if start <= at and at + len(old) <= end]
            if len(places) != 1:
                where = f"{function}() of {self.file}" if function else self.file
                raise BadBug(f"{self.name}: its old lines are {len(places)} times in {where}, "
                             "not once")
            source = source[:places[0]] + new + source[places[0] + len(old):]
        return source

    def _region(self, source, function):
        if not function:
            return 0, len(source)
        try:
            found = ctext.function_named(source, function)
        except ValueError as error:
            raise BadBug(f"{self.name}: {self.file}: {error}") from error
        return found.start, found.end + 1


def parse(path):
    """The bug in a file."""
    fields, edits = {}, []
    function = key = part = None
    for line in Path(path).read_text(encoding="utf-8").splitlines(keepends=True):
        word = line.rstrip("\n")
        if word.startswith("in: "):
            function, part = word[4:], None
        elif word == "--- old":
            part = 1
            edits.append([function, "", ""])
        elif word == "+++ new" and part == 1:
            part = 2
        elif part:
            edits[-1][part] += line
        elif word.startswith("#") or not word:
            continue
        elif word[0] in " \t" and key:
            fields[key] += " " + word.strip()
        else:
            key, colon, value = word.partition(":")
            if not colon or key not in KEYS or key in fields:
                raise BadBug(f"{path}: cannot make sense of: {word}")
            fields[key] = value.strip()
    _check(path, fields, edits)
    return Bug(Path(path).stem, fields, edits)


def _check(path, fields, edits):
    for key in ("story", "file", "rows"):
        if not fields.get(key):
            raise BadBug(f"{path}: no {key}")
    if not edits:
        raise BadBug(f"{path}: nothing is changed")
    for _, old, new in edits:
        if not old.strip() or old == new:
            raise BadBug(f"{path}: a change that changes nothing, or everything")
    for row in fields["rows"].split():
        if not re.fullmatch(r"R\d\d", row):
            raise BadBug(f"{path}: {row} is not a row")
    if ("model" in fields.get("builds", "").split()) != ("model" in fields) or \
       len(fields.get("model", "a b").split()) != 2:
        raise BadBug(f"{path}: a model is named by builds: model, and model: MODEL SWITCH")
    for build in fields.get("builds", "").split():
        if build not in BUILDS:
            raise BadBug(f"{path}: no such build: {build}")


def load(directory, names=()):
    """All bugs of a folder by name, or those named."""
    bugs = [parse(path) for path in sorted(Path(directory).glob("*.bug"))]
    missing = set(names) - {bug.name for bug in bugs}
    if missing:
        raise BadBug("no such bug: " + " ".join(sorted(missing)))
    return [bug for bug in bugs if not names or bug.name in names]


def write_found_by(path, found):
    """Note in the file of a bug which tests found it."""
    lines = Path(path).read_text(encoding="utf-8").splitlines(keepends=True)
    out, skipping = [], False
    for i, line in enumerate(lines):
        if line.startswith("found-by:"):
            skipping = True
            continue
        if skipping and line[0] in " \t":
            continue
        if line.startswith(("in:", "--- old")):
            out.append(_wrapped("found-by: " + ", ".join(found)))
            out += lines[i:]
            break
        skipping = False
        out.append(line)
    Path(path).write_text("".join(out), encoding="utf-8")


def _wrapped(text):
    out, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > 90:
            out.append(line)
            line = "\t" + word
        else:
            line = f"{line} {word}" if line else word
    return "\n".join(out + [line]) + "\n"

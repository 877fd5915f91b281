#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Do the models still stand for the code? models/anchors.txt holds the statements of the
functions that each model was made from; this compares them with the functions as they
are. Any statement that was changed, added, removed or moved fails the function's test,
which says which models to look at. Comments and white space do not count.

When a model has been looked at, and changed if need be:

    tests/models/test_anchors.py --update FUNCTION...

writes the statements as they are into the manifest.

--check-self shows that the comparison can fail: in a copy of each function it removes,
doubles, changes and swaps lines, and each must be noticed.
"""
import argparse
import difflib
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MANIFEST = os.path.join(ROOT, "models", "anchors.txt")
HEAD = re.compile(r"\[(\S+) (\w+): ([\w ]+)\]$")


class Anchor:
    """One function, and the models that were made from it."""

    def __init__(self, path, function, models):
        self.path, self.function, self.models = path, function, models
        self.statements = []

    def head(self):
        return f"[{self.path} {self.function}: {' '.join(self.models)}]"


def read_manifest():
    """Returns (lines before the first anchor, anchors)."""
    intro, anchors = [], []
    with open(MANIFEST) as f:
        for line in f.read().splitlines():
            head = HEAD.match(line)
            if head:
                anchors.append(Anchor(head.group(1), head.group(2), head.group(3).split()))
            elif not anchors:
                intro.append(line)
            elif line.strip():
                anchors[-1].statements.append(line.strip())
    return intro, anchors


def write_manifest(intro, anchors):
    with open(MANIFEST, "w") as f:
        f.write("\n".join(intro).rstrip() + "\n")
        for anchor in anchors:
            f.write("\n" + anchor.head() + "\n")
            for statement in anchor.statements:
                f.write("\t" + statement + "\n")


def without_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)


def body_of(text, function):
    """The lines between the braces of a function that is defined at the left margin."""
    m = re.search(rf"^(?:\w[^\n;]*\b)?{function}\([^;{{]*\)\n\{{\n(.*?)^\}}", text, re.S | re.M)
    return m.group(1).splitlines() if m else None


def statements_of(lines):
    """One line for each statement, or head of one, however it is wrapped."""
    result, open_line = [], ""
    for line in lines:
        line = " ".join(line.split())
        if not line:
            continue
        open_line = f"{open_line} {line}".strip()
        balanced = open_line.count("(") == open_line.count(")")
        if balanced and (re.search(r"[;{}:]$|\belse$", open_line) or
                         re.match(r"(}? ?else|if|for|while|do|#)\b.*[^&|+\-=,?]$", open_line)):
            result.append(open_line)
            open_line = ""
    if open_line:
        result.append(open_line)
    return result


def source_of(anchor):
    """The lines of the function's body, without comments, or None."""
    path = os.path.join(ROOT, anchor.path)
    if not os.path.exists(path):
        return None
    with open(path) as f:
        return body_of(without_comments(f.read()), anchor.function)


def current(anchor):
    lines = source_of(anchor)
    return None if lines is None else statements_of(lines)


def difference(anchor, found):
    """What differs, one line each; empty if nothing does."""
    if found is None:
        return [f"{anchor.path} has no function {anchor.function}() any more"]
    return [line for line in difflib.unified_diff(anchor.statements, found, lineterm="", n=0)
            if not line.startswith(("---", "+++", "@@"))]


def models_differ(anchors):
    """Manifest and models name each other."""
    problems = []
    names = {n[:-4] for n in os.listdir(os.path.dirname(MANIFEST)) if n.endswith(".pml")}
    for name in sorted(names):
        with open(os.path.join(os.path.dirname(MANIFEST), name + ".pml")) as f:
            text = f.read()
        mine = {a.function for a in anchors if name in a.models}
        if not mine:
            problems.append(f"models/{name}.pml stands for nothing in the manifest")
        head = re.search(r"Stands for:(.*?)\*/", text, re.S)
        named = set(re.findall(r"(\w+)\(\)", head.group(1))) if head else set()
        for function in sorted(mine ^ named):
            problems.append(f"{function}(): only in " + ("the manifest" if function in mine else
                            "the head") + f" of models/{name}.pml")
    for anchor in anchors:
        for name in anchor.models:
            if name not in names:
                problems.append(f"{anchor.function}(): there is no models/{name}.pml")
    return problems


def blind_spots(anchors):
    """Changes to the text of a function that the comparison does not notice."""
    missed = []
    for anchor in anchors:
        lines = [line for line in source_of(anchor) or [] if line.strip()]
        for i, line in enumerate(lines):
            changed = [("removed", lines[:i] + lines[i + 1:]),
                       ("doubled", lines[:i + 1] + lines[i:]),
                       ("changed", lines[:i] + ["x" + line.strip()] + lines[i + 1:])]
            if i and lines[i - 1].strip() != line.strip():
                changed.append(("swapped", lines[:i - 1] + [line, lines[i - 1]] + lines[i + 1:]))
            missed += [f"{anchor.function}(): {how}: {line.strip()}" for how, text in changed
                       if not difference(anchor, statements_of(text))]
    return missed


def update(functions):
    intro, anchors = read_manifest()
    for anchor in anchors:
        if anchor.function not in functions and "all" not in functions:
            continue
        found = current(anchor)
        if found is None:
            sys.exit(f"{anchor.path} has no function {anchor.function}()")
        anchor.statements = found
    unknown = set(functions) - {a.function for a in anchors} - {"all"}
    if unknown:
        sys.exit(f"not in the manifest: {' '.join(sorted(unknown))}")
    write_manifest(intro, anchors)


def report(number, name, problems):
    print(f"{'not ok' if problems else 'ok'} {number} - {name}")
    for line in problems:
        print(f"# {line}")
    return 1 if problems else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", nargs="+", metavar="FUNCTION", help="or: all")
    parser.add_argument("--check-self", action="store_true")
    args = parser.parse_args()
    if args.update:
        update(args.update)
        return
    anchors = read_manifest()[1]
    if args.check_self:
        print("1..1")
        sys.exit(report(1, "every change of every statement is noticed", blind_spots(anchors)))
    failed = 0
    print(f"1..{len(anchors) + 1}")
    for number, anchor in enumerate(anchors, 1):
        lines = difference(anchor, current(anchor))
        if lines:
            lines.append("look at " + ", ".join(f"models/{m}.pml" for m in anchor.models) +
                         " and docs/proof-memory.md, then: tests/models/test_anchors.py "
                         f"--update {anchor.function}")
        failed += report(number, f"{anchor.path} {anchor.function}()", lines)
    failed += report(len(anchors) + 1, "models and manifest name the same functions",
                     models_differ(anchors))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

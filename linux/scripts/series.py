#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Make a kernel tree what the series says, touching no file that need not change.

  series.py STOCK TREE [--series DIR] [--state FILE]

STOCK is the unchanged source. TREE is a copy of it, perhaps with an earlier state of the
series; FILE remembers which of its files differ from STOCK. The patches of the series are
applied, in order, to copies of the files that they touch, as strictly as `git am` does; then
those files of TREE that are not as they should be are replaced. So their times change, and
only theirs, and make rebuilds what depends on them. Prints a word that stands for the content
of all files that the series touches.

Header lines "Adds: PATH" of a patch name new files that come with it from outside:
include/linux/X.h from core/include/linux/X.h, mm/X from core/X, others (and those that core/
does not have) from linux/files/PATH.
"""

import argparse
import filecmp
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


class SeriesError(Exception):
    """Something is wrong with the series; the message says what."""


def patches(series):
    """Paths of the patches, in order."""
    if not os.path.isdir(series):
        return []
    return [os.path.join(series, n) for n in sorted(os.listdir(series))
            if re.match(r"\d{4}-.*\.patch$", n)]


def read_patch(path):
    """Returns (header lines, rest): the rest starts with the "---" line or the first diff."""
    with open(path, encoding="utf-8") as f:
        lines = f.read().splitlines(keepends=True)
    for i, line in enumerate(lines):
        if line == "---\n" or re.match(r"diff --git |--- \S", line):
            return lines[:i], lines[i:]
    return lines, []


def added(header):
    """Kernel paths that the header says come with the patch."""
    return [m[1] for m in (re.match(r"Adds:\s*(\S+)\s*$", line) for line in header) if m]


def source_of(kernel_path, patch):
    """The file of this repository that becomes kernel_path."""
    candidates = [os.path.join(TOP, "linux", "files", kernel_path)]
    head, name = os.path.split(kernel_path)
    if head == "include/linux":
        candidates.insert(0, os.path.join(TOP, "core", "include", "linux", name))
    elif head == "mm":
        candidates.insert(0, os.path.join(TOP, "core", name))
    for c in candidates:
        if os.path.isfile(c):
            return c
    raise SeriesError(f"{os.path.basename(patch)}: Adds: {kernel_path}: no such file in "
                      "core/ or linux/files/")


def changed(rest):
    """Kernel paths that the diffs of a patch touch."""
    found = []
    for line in rest:
        m = re.match(r"(?:---|\+\+\+) (?:[ab]/(\S+)|/dev/null)", line)
        if m and m[1] and m[1] not in found:
            found.append(m[1])
    return found


def place(source, target):
    """Copy with a new time, never writing into a file that exists."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    tmp = target + ".new"
    shutil.copyfile(source, tmp)
    shutil.copymode(source, tmp)
    os.rename(tmp, target)


def apply_patch(patch, tree):
    """git apply, in a directory that is not to be taken for part of a repository."""
    env = dict(os.environ, GIT_CEILING_DIRECTORIES=os.path.dirname(tree))
    r = subprocess.run(["git", "apply", "--whitespace=nowarn", patch], cwd=tree, env=env,
                       capture_output=True, text=True, check=False)
    if r.returncode:
        raise SeriesError(f"{os.path.basename(patch)} does not apply:\n{r.stderr.rstrip()}")


def build_files(stock, series, scratch):
    """Put every file that the series touches into scratch, as it is after the last patch.
    Returns their paths, also of those that it removes."""
    touched = []
    todo = []
    for patch in patches(series):
        header, rest = read_patch(patch)
        adds = [(path, source_of(path, patch)) for path in added(header)]
        touched += [p for p in changed(rest) + [a for a, _ in adds] if p not in touched]
        todo.append((patch, adds, bool(rest) and any(l.startswith("@@") or
                                                     l.startswith("new file") for l in rest)))
    for path in touched:
        if os.path.isfile(os.path.join(stock, path)):
            place(os.path.join(stock, path), os.path.join(scratch, path))
    for patch, adds, has_diff in todo:
        for path, source in adds:
            if os.path.exists(os.path.join(scratch, path)):
                raise SeriesError(f"{os.path.basename(patch)}: Adds: {path}: exists already")
            place(source, os.path.join(scratch, path))
        if has_diff:
            apply_patch(patch, scratch)
    return touched


def same(a, b):
    return os.path.isfile(a) == os.path.isfile(b) and (
        not os.path.isfile(a) or filecmp.cmp(a, b, shallow=False))


def update(stock, tree, scratch, touched, before):
    """Returns how many files of the tree were changed."""
    count = 0
    for path in sorted(set(touched) | set(before)):
        want = os.path.join(scratch if path in touched else stock, path)
        have = os.path.join(tree, path)
        if same(want, have):
            continue
        count += 1
        if os.path.isfile(want):
            place(want, have)
        else:
            os.unlink(have)
    return count


def digest(scratch, touched):
    h = hashlib.sha256()
    for path in sorted(touched):
        h.update(path.encode() + b"\0")
        if os.path.isfile(os.path.join(scratch, path)):
            with open(os.path.join(scratch, path), "rb") as f:
                h.update(hashlib.sha256(f.read()).digest())
    return h.hexdigest()[:16]


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("stock")
    p.add_argument("tree")
    p.add_argument("--series", default=os.path.join(TOP, "linux", "series"))
    p.add_argument("--state")
    opts = p.parse_args()

    before = []
    if opts.state and os.path.exists(opts.state):
        with open(opts.state, encoding="utf-8") as f:
            before = json.load(f)
    try:
        with tempfile.TemporaryDirectory(prefix="series-") as scratch:
            scratch = os.path.realpath(scratch)
            touched = build_files(opts.stock, opts.series, scratch)
            if opts.state:
                # Before the tree changes: if this is interrupted, the next run still
                # knows of every file that may differ.
                with open(opts.state, "w", encoding="utf-8") as f:
                    json.dump(sorted(set(touched) | set(before)), f)
            count = update(opts.stock, opts.tree, scratch, touched, before)
            if opts.state:
                with open(opts.state, "w", encoding="utf-8") as f:
                    json.dump(sorted(touched), f)
            print(digest(scratch, touched))
    except SeriesError as e:
        print(f"series: {e}", file=sys.stderr)
        return 1
    print(f"series: {len(patches(opts.series))} patches, {len(touched)} files, "
          f"{count} changed in the tree", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

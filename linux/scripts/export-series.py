#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Write the commits of a kernel git tree as linux/series, for those who work on it.

usage: export-series.py TREE BASE

TREE is a git tree whose commits after BASE are the series, one patch each. What a
commit adds under a path that core/ or linux/files provides is left out of the patch
and named in an "Adds:" line instead; a later commit must not touch it. Context is one
line, as little as git apply can do with.
"""
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def provided(path):
	"""Where in this repository a file of the kernel tree comes from, or None."""
	where = [os.path.join("linux/files", path)]
	if path.startswith("include/linux/"):
		where.append(os.path.join("core", path))
	elif re.fullmatch(r"mm/[^/]+\.[ch]", path):
		where.append(os.path.join("core", path[len("mm/"):]))
	for candidate in where:
		if os.path.exists(os.path.join(TOP, candidate)):
			return candidate
	return None


def split(diff):
	"""The parts of a diff, one a file, as (path, text)."""
	for part in re.split(r"(?m)^(?=diff --git )", diff):
		match = re.match(r"diff --git a/(\S+) b/(\S+)\n", part)
		if match:
			yield match.group(2), part


def main():
	if len(sys.argv) != 3:
		print("usage: export-series.py TREE BASE", file=sys.stderr)
		return 2
	tree, base = sys.argv[1:]
	series = os.path.join(TOP, "linux/series")

	def git(*args):
		return subprocess.run(["git", "-C", tree, *args], check=True, text=True,
				      stdout=subprocess.PIPE).stdout

	os.makedirs(series, exist_ok=True)
	for name in os.listdir(series):
		if name.endswith(".patch"):
			os.unlink(os.path.join(series, name))
	added = set()
	commits = git("rev-list", "--reverse", f"{base}..HEAD").split()
	for number, commit in enumerate(commits, 1):
		head = git("show", "-s", "--format=From: %an <%ae>%nDate: %aD%nSubject: %s%n%n%b",
			   commit).rstrip("\n") + "\n"
		body, adds = "", []
		for path, part in split(git("show", "-U1", "--no-renames", "--format=", commit)):
			if not provided(path):
				body += re.sub(r"(?m)^index .*\n", "", part)
			elif path not in added:
				adds.append(path)
				added.add(path)
		for path in adds:
			head += f"Adds: {path}\n"
		subject = git("show", "-s", "--format=%f", commit).strip()
		name = f"{number:04d}-{subject[:52]}.patch"
		with open(os.path.join(series, name), "w", encoding="utf-8") as out:
			out.write(head + "---\n" + body)
	print(f"{len(commits)} patches, {len(added)} new files from core/ and linux/files/")
	return 0


if __name__ == "__main__":
	sys.exit(main())

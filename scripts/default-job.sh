#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What `make run` records: a parallel build of this project, and a Python program
# that shares work among forked processes. Works in a temporary directory.
set -eu
# The same job everywhere: no wrappers of compilers or interpreters, which are processes, too.
PATH=/usr/bin:/bin
CC=/usr/bin/cc
export PATH CC
unset CFLAGS CPPFLAGS LDFLAGS CC_LD PYTHONPATH PYTHONHOME
src=$(cd "$(dirname "$0")/.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

meson setup -Dtests=false -Dbuildtype=plain "$tmp/build" "$src" >"$tmp/log" 2>&1 ||
	{ cat "$tmp/log" >&2; exit 1; }
ninja -C "$tmp/build" -j2 >"$tmp/log" 2>&1 || { cat "$tmp/log" >&2; exit 1; }
python3 "$src/scripts/default-job.py"

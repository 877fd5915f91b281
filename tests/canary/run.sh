#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run.sh PATCH DIR: build a copy of the sources with a bug planted by PATCH in DIR,
# and run the topology tests. Succeeds if they fail, that is, find the bug.
set -u
patch=$(realpath "$1")
dir=$2
src=$(cd "$(dirname "$0")/../.." && pwd)

rm -rf "$dir"
mkdir -p "$dir/src" || exit 1
for part in core kshim usermm history cli tests bench docs scripts meson.build meson_options.txt; do
	cp -rp "$src/$part" "$dir/src/" || exit 1
done
if ! patch -s -p1 -d "$dir/src" <"$patch"; then
	echo "canary: $patch does not apply" >&2
	exit 1
fi
# No sanitizer: the oracle has to find it, not a crash.
if ! { meson setup -Dbuildtype=debug -Doptimization=1 "$dir/build" "$dir/src" &&
       ninja -C "$dir/build" tests/topology/topology_test; } >"$dir/log" 2>&1; then
	tail -n 20 "$dir/log" >&2
	echo "canary: $patch does not build" >&2
	exit 1
fi
if meson test -C "$dir/build" --no-rebuild topology -t 3 >"$dir/tests" 2>&1; then
	echo "canary: no test found $patch" >&2
	exit 1
fi
grep -q missed "$dir"/build/meson-logs/testlog.txt

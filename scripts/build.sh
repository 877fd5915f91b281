#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# build.sh DIR [MESON OPTION...]: configure DIR if need be, and build it. Quiet
# unless something goes wrong.
set -u
dir=$1
shift
log=$dir.log
mkdir -p "$(dirname "$dir")"

if [ ! -f "$dir/build.ninja" ]; then
	echo "build: configuring $dir" >&2
	rm -rf "$dir"
	if ! meson setup "$@" "$dir" >"$log" 2>&1; then
		tail -n 30 "$log" >&2
		exit 1
	fi
fi
if ! ninja -C "$dir" >"$log" 2>&1; then
	grep -v '^\[' "$log" | tail -n 60 >&2
	echo "build: failed; all of it is in $log" >&2
	exit 1
fi
grep -E 'warning:' "$log" >&2 || true

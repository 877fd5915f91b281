#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Build tools/testing/selftests/mm of a kernel tree, without writing into the tree.
# usage: build-selftests.sh SOURCE OUT
# Programs end up in OUT/bin; what could not be built is in OUT/not-built, one name a line.
set -eu
src=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
jobs=${JOBS:-$(nproc)}
mm=tools/testing/selftests/mm

# Built already from the same files: nothing to do.
stamp=$(sha256sum <"$0"; cd "$src" && find $mm include/uapi arch/x86/include/uapi -type f |
	LC_ALL=C sort | xargs sha256sum | sha256sum)
if [ -f "$out/stamp" ] && [ "$stamp" = "$(cat "$out/stamp")" ]; then
	exit 0
fi
rm -rf "$out/tree" "$out/bin" "$out/stamp"
mkdir -p "$out/bin" "$out/headers"

# Its Makefile writes beside itself: a copy of that directory in a tree of links.
link_all_but() { # DIRECTORY NAME
	mkdir -p "$out/tree/$1"
	for f in "$src/$1"/*; do
		[ "${f##*/}" = "$2" ] || ln -s "$f" "$out/tree/$1/"
	done
}
link_all_but . tools
link_all_but tools testing
link_all_but tools/testing selftests
link_all_but tools/testing/selftests mm
cp -r "$src/$mm" "$out/tree/$mm"

make -s -C "$src" O="$out/headers" headers >"$out/build.log" 2>&1
# khugepaged.c of 6.12.y uses KSFT_SKIP without the header that has it.
make -k -j"$jobs" -C "$out/tree/$mm" OUTPUT="$out/bin" \
	KHDR_INCLUDES="-isystem $out/headers/usr/include" EXTRA_CFLAGS=-DKSFT_SKIP=4 all \
	>>"$out/build.log" 2>&1 || true
cp "$out/tree/$mm"/*.sh "$out/bin/"

sed -n 's/^make: \*\*\* \[.*: \(.*\)\] Error.*/\1/p' "$out/build.log" | sed 's,.*/,,' \
	>"$out/not-built"
[ -x "$out/bin/migration" ] || {
	cat "$out/build.log" >&2
	echo "build-selftests: the mm selftests did not build" >&2
	exit 1
}
printf '%s\n' "$stamp" >"$out/stamp"

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# source.sh [--stock]: make build/kernel/src-stock, Debian's Linux 6.12 source as it is, and
# (without --stock) build/kernel/src, the same with linux/series applied. Does nothing when
# they are what they should be, judged by content. Prints, as its only line on stdout, a word
# that stands for the content of the tree.
#
# LINUX_TARBALL names another source tarball.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
kernel=$top/build/kernel
tarball=${LINUX_TARBALL:-/usr/src/linux-source-6.12.tar.xz}

mkdir -p "$kernel"
exec 9>"$kernel/source.lock"
flock 9

if [ ! -f "$tarball" ]; then
	echo "source: $tarball is missing; scripts/setup.sh scripts/packages-kernel.txt" \
		"installs it" >&2
	exit 3
fi

# The tarball's content, read again only if it looks different.
looks=$(stat -c '%n %s %Y' "$tarball")
if [ "$(head -n 1 "$kernel/tarball.stamp" 2>/dev/null)" = "$looks" ]; then
	sum=$(tail -n 1 "$kernel/tarball.stamp")
else
	sum=$(sha256sum <"$tarball" | cut -c 1-16)
	printf '%s\n%s\n' "$looks" "$sum" >"$kernel/tarball.stamp"
fi

if [ "$(cat "$kernel/src-stock.stamp" 2>/dev/null)" != "$sum" ]; then
	echo "source: unpacking $tarball" >&2
	rm -rf "$kernel/src-stock.stamp" "$kernel/src-stock" "$kernel/unpack"
	mkdir "$kernel/unpack"
	tar -xf "$tarball" -C "$kernel/unpack" --strip-components=1
	mv "$kernel/unpack" "$kernel/src-stock"
	echo "$sum" >"$kernel/src-stock.stamp"
fi
if [ "${1-}" = --stock ]; then
	echo "$sum"
	exit
fi

# src.stamp: what src was copied from; what the series was when it was applied; what came out.
stamp() { # LINE: of src.stamp
	sed -n "$1p" "$kernel/src.stamp" 2>/dev/null || true
}

if [ "$(stamp 1)" != "$sum" ]; then
	echo "source: copying it" >&2
	rm -rf "$kernel/src.stamp" "$kernel/src" "$kernel/series.state" "$kernel/unpack"
	cp -a "$kernel/src-stock" "$kernel/unpack"
	mv "$kernel/unpack" "$kernel/src"
	printf '%s\nbusy\n' "$sum" >"$kernel/src.stamp"
fi

# build/kernel/src is what the series makes it, nothing else: figures are from known source.
if [ "$(stamp 2)" != busy ]; then
	edited=$(find "$kernel/src" -type f -newer "$kernel/src.stamp" | head -n 5)
	if [ -n "$edited" ]; then
		echo "source: changed by hand since the series was applied:" >&2
		echo "$edited" >&2
		echo "source: keep that as a patch in linux/series, and remove build/kernel/src" >&2
		exit 1
	fi
fi

want=$(cd "$top" && find linux/series linux/files core -type f \( -path 'linux/*' -o \
	-name '*.[ch]' \) -print0 2>/dev/null | sort -z | xargs -0 -r sha256sum |
	sha256sum | cut -c 1-16)
if [ "$(stamp 2)" != "$want" ]; then
	printf '%s\nbusy\n' "$sum" >"$kernel/src.stamp"
	came=$("$top/linux/scripts/series.py" "$kernel/src-stock" "$kernel/src" \
		--state "$kernel/series.state") || exit 1
	printf '%s\n%s\n%s\n' "$sum" "$want" "$came" >"$kernel/src.stamp"
fi
echo "$sum-$(stamp 3)"

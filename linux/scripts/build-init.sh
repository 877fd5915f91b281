#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# build-init.sh DIR: build what linux/lab itself needs into DIR, unless it is newer than its
# source: init (the guest's first process, static) and tsc-khz (runs on the host).
set -eu
dir=$1
src=$(cd "$(dirname "$0")/../guest" && pwd)
mkdir -p "$dir"

build() { # NAME [OPTION...]
	name=$1
	shift
	[ "$dir/$name" -nt "$src/$name.c" ] && return
	${CC:-gcc} -std=gnu11 -O2 -Wall -Wextra "$@" -o "$dir/$name.$$" "$src/$name.c"
	mv "$dir/$name.$$" "$dir/$name"
}

build init -static
build tsc-khz

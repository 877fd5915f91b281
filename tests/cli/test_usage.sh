#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Options, help texts, and what is said when they are wrong.
. "$(dirname "$0")/lib.sh"

"$make_trace" "$dir/t" fork 2 || exit 99

try --version
[ $status -eq 0 ] && grep -qE '^anonrmap [0-9]+\.[0-9]+' "$dir/out"
ok $? "--version"
try --help
[ $status -eq 0 ] && [ "$(sed -n 2p "$dir/out")" = EXAMPLES ]
ok $? "--help begins with examples"
grep -q -e "--version" "$dir/out" && grep -q "^Exit status: 0" "$dir/out"
ok $? "--help has options and exit statuses"
first() { grep -n -m 1 -e "$1" "$dir/out" | cut -d: -f1; }
[ "$(first EXAMPLES)" -lt "$(first --version)" ]
ok $? "examples are above the options"
for c in run record replay check show; do
	try --help
	grep -q "anonrmap $c" "$dir/out"
	ok $? "--help shows $c"
	try $c --help
	[ $status -eq 0 ] && head -n 1 "$dir/out" | grep -q "^Usage: anonrmap $c" &&
		[ "$(sed -n 2p "$dir/out")" = EXAMPLES ] && grep -q "  anonrmap $c" "$dir/out"
	ok $? "$c --help begins with examples"
	! sed -n '3,/^$/p' "$dir/out" | grep -qv -e '^  ' -e '^$'
	ok $? "$c --help does not wrap examples"
	[ "$(awk 'length > 79' "$dir/out" | wc -l)" -eq 0 ]
	ok $? "$c --help fits into 79 columns"
	gives 2 "unrecognized option" "$c: unknown option" $c --no-such-option
done

gives 2 "which command?" "no command"
gives 2 "there is no command" "unknown command" frobnicate
gives 2 "unrecognized option" "unknown option" --frobnicate
gives 2 "which file?" "replay without a file" replay
gives 2 "which file?" "show without a file" show
gives 2 "only one file" "show with two files" show "$dir/t" "$dir/t"
gives 2 "which command?" "record without a command" record -o "$dir/x"
gives 2 "where to?" "record without a file" record -- true
gives 2 "where to?" "record with an empty file name" record -o '' -- true
gives 2 "which command?" "run without a command" run
gives 2 "where to?" "run with an empty directory name" run -o '' -- true
for v in '' -1 101 10x 1.5 18446744073709551617 0x10 ' 5' 10%; do
	gives 2 "not a whole number from 0 to 100" "--reclaim '$v'" replay --reclaim="$v" "$dir/t"
	gives 2 "not a whole number from 0 to 100" "--migrate '$v'" replay --migrate="$v" "$dir/t"
done
for v in '' none regular,none regular, ,lazy LAZY 'regular lazy'; do
	gives 2 "no such topology" "--topology '$v'" replay --topology="$v" "$dir/t"
done
gives 2 "named twice" "--topology lazy,lazy" replay --topology lazy,lazy "$dir/t"
for v in '' none FULL 1; do
	gives 2 "not full, sample or off" "--check '$v'" replay --check="$v" "$dir/t"
done
for v in '' -1 x 18446744073709551616; do
	gives 2 "not a whole number" "check --seed '$v'" check --seed="$v"
	gives 2 "not a whole number" "check --ops '$v'" check --ops="$v"
	gives 2 "not a whole number" "check --threads '$v'" check --threads="$v"
done
gives 2 "not a whole number" "check --threads 0" check --threads=0
gives 2 "no such topology" "check --topology none" check --topology none
gives 2 "Too many arguments" "check with an argument" check 7

for v in 0 100 007; do
	try replay --reclaim "$v" --migrate "$v" "$dir/t"
	is 0 $status "--reclaim and --migrate $v"
done
finish

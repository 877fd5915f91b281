#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# All tests but the long ones of make proof. Four builds: gcc with ASan and UBSan and
# every assertion (all tests), gcc with TSan (threaded tests), clang (compiles without a
# warning), and core/ with a bug planted, which the tests must find. Ends with one line,
# "N passed, N failed", and fails if anything did.
set -u
cd "$(dirname "$0")/.." || exit 1
fail=0
total_pass=0
total_fail=0

count() { # LOG: add the TAP results of a meson test run
	set -- "$(scripts/count-tap.py "$1")"
	pass=${1% *}
	bad=${1#* }
	total_pass=$((total_pass + pass))
	total_fail=$((total_fail + bad))
}

suite() { # NAME BUILD [MESON TEST OPTION...]
	name=$1
	dir=$2
	shift 2
	echo "test: $name" >&2
	meson test -C "$dir" --print-errorlogs "$@" >"$dir/test-output.txt" 2>&1
	status=$?
	if [ $status -ne 0 ]; then
		fail=1
		cat "$dir/test-output.txt"
	fi
	grep -E 'SKIP' "$dir/test-output.txt"
	count "$dir/meson-logs/testlog.json"
	[ $status -eq 0 ] || [ "$bad" -gt 0 ] || total_fail=$((total_fail + 1))
}

checked="-Dlockdep=true -Ddebug_slab=true -Ddebug_vm=true"
scripts/build.sh build/asan -Db_sanitize=address,undefined -Dbuildtype=debug \
	-Doptimization=1 $checked || exit 1
suite "gcc, ASan + UBSan, all assertions" build/asan -t 3 --no-suite proof

scripts/build.sh build/tsan -Db_sanitize=thread -Dbuildtype=debug -Doptimization=1 \
	-Drcu_backend=portable $checked || exit 1
suite "gcc, TSan, own RCU" build/tsan --suite threads -t 5

CC=clang scripts/build.sh build/clang -Dwerror=true -Dbuildtype=debug || exit 1
suite "clang, no warnings, liburcu, no assertions" build/clang --suite unit -t 3

# One of the bugs of tests/planted, which shows that the oracle can fail; all of them:
# scripts/planted.py, by way of make proof.
echo "test: canary" >&2
if scripts/planted.py child-not-linked --json build/planted-canary.json; then
	echo "ok - a walk that misses pages was found"
	total_pass=$((total_pass + 1))
else
	echo "not ok - a walk that misses pages was not found"
	total_fail=$((total_fail + 1))
	fail=1
fi

[ $total_fail -eq 0 ] || fail=1
echo "$total_pass passed, $total_fail failed"
exit $fail

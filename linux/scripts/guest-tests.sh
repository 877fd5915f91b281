#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs inside the guest: guest-tests.py with the slab counts before and after it, taken by
# the same shell while nothing else runs. What came to stay is a leak.
# usage: guest-tests.sh RESULTS-DIRECTORY TESTS-DIRECTORY [ARGUMENT OF guest-tests.py...]
set -u
# It kills every process but init and itself.
if [ ! -e /run/anonrmap-guest ]; then
	echo "guest-tests.sh: this is not the guest of linux/lab" >&2
	exit 2
fi
results=$1
tests=$2
shift 2

"$tests/slabs" >"$results/slabs-before"
"$(dirname "$0")/guest-tests.py" --results "$results" --tests "$tests" "$@"
status=$?
# Everybody but this shell and init: nothing else may hold an anon_vma.
for p in /proc/[0-9]*; do
	pid=${p#/proc/}
	if [ "$pid" -ne 1 ] && [ "$pid" -ne $$ ] && [ -n "$(readlink "$p/exe")" ]; then
		kill -KILL "$pid" 2>/dev/null
	fi
done
sleep 1
# The shell's own mappings are not quite the same as before; more than that is a leak.
for try in 1 2 3 4 5; do
	"$tests/slabs" >"$results/slabs-after"
	report=$(paste "$results/slabs-before" "$results/slabs-after" |
		awk '{ printf "%s %d -> %d; ", $1, $2, $4; if ($4 > $2 + 4) bad = 1 }
		     END { exit bad }')
	leak=$?
	[ $leak -eq 0 ] && break
	sleep 2
done
echo "# slabs: $report"
if [ $leak -eq 0 ] && [ -s "$results/slabs-after" ]; then
	echo "ok - slab counts are back to where they were"
else
	echo "not ok - slab counts are back to where they were"
fi
exit $status

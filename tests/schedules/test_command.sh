#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# anonrmap check --schedules and relatives; with toy scenarios, where something has to fail.
. "$(dirname "$0")/../cli/lib.sh"
toys=$4

# toy ARG...: anonrmap check with the toys
toy() {
	ANONRMAP_SCHEDULES=$toys "$anonrmap" check "$@" > "$dir/out" 2> "$dir/err" < /dev/null
	status=$?
}

try check --schedules 0 --scenario reclaim_vs_fork,reclaim_vs_mremap --bound 1
is 0 $status "two scenarios"
[ "$(grep -c "all with 1 preemption" "$dir/out")" -eq 4 ] && grep -q "nothing found" "$dir/out"
ok $? "all schedules, on both topologies"
try check --schedules 5 --scenario reclaim_vs_fork --topology lazy --json
json 'd["schema_version"] == 1 and len(d["scenarios"]) == 1 and d["schedules"] == 5 and
      d["points"] > 0 and d["scenarios"][0]["scenario"] == "reclaim_vs_fork" and
      d["scenarios"][0]["topology"] == "lazy" and not d["scenarios"][0]["complete"] and
      d["scenarios"][0]["findings"] == []' "document of a search that was cut off"
try check --schedules 20 --pct --seed 3 --scenario reclaim_vs_fork --topology lazy
[ $status -eq 0 ] && grep -q "20 schedules" "$dir/out"
ok $? "at random"
try check --schedules 3 --pct --topology lazy --json
json 'd["schedules"] == 3 * len(d["scenarios"]) >= 15 and not any(s["findings"] or s["complete"]
      or s["threads"] < 4 or s["large"] is not True for s in d["scenarios"])' \
     "at random, without names: the large ones"
try check --list --pct
[ $status -eq 0 ] && grep -q "^stress_.* large, " "$dir/out" && ! grep -q " bound " "$dir/out"
ok $? "list of the large ones"
try check --list
! grep -q "^stress_" "$dir/out"
ok $? "the large ones are not among the others"
try check --list
[ $status -eq 0 ] && grep -q "^reclaim_vs_munmap .*regular,lazy" "$dir/out"
ok $? "list"
try check --replay reclaim_vs_fork:lazy:1:0x7,1,0
[ $status -eq 0 ] && grep -q "^thread 1" "$dir/out" && grep -q "nothing found" "$dir/out"
ok $? "a schedule with its trace"

json_schedule() { python3 -c 'import json,sys; print(json.load(sys.stdin)["schedule"])' < "$dir/out"; }
bad=0
for s in walk_vs_fork:lazy:0:1 walk_vs_fork:lazy:2:0x17,1x4,0 reclaim_vs_munmap:regular:1:1x9,0; do
	try check --replay "$s" --json
	went=$(json_schedule)
	try check --replay "$went" --json
	[ $status -eq 0 ] && [ "$went" = "$(json_schedule)" ] && grep -q '"fits":true' "$dir/out" ||
		bad=1
done
ok $bad "what a run says it was, it is again"
for s in walk_vs_fork:lazy:2:0x99999,1x4,0 walk_vs_fork:lazy:9:1,1,1,1,1,1 walk_vs_fork:lazy:2:0x0,1 \
		walk_vs_fork:lazy:1:0; do
	gives 2 "does not fit this code" "a schedule that cannot be followed: $s" check --replay $s
	! grep -q "nothing found" "$dir/out"
	ok $? "... and nothing is said to be found or not"
done
gives 2 "does not fit this code" "nor can it be minimised" \
	check --minimise walk_vs_fork:lazy:2:0x99999,1x4,0
gives 2 "too many preemptions" "too many preemptions" check --replay walk_vs_fork:lazy:99999999999:0
for t in la r "" regular,lazy lazyx; do
	gives 2 "not for that topology" "a schedule with topology '$t'" check --replay walk_vs_fork:$t:0:0
done
mkdir "$dir/tmp"
TMPDIR=$dir/tmp "$anonrmap" check --replay walk_vs_fork:lazy:0:1 2> "$dir/err" | head -n 1 > "$dir/out"
is "" "$(ls "$dir/tmp")" "no trace of a schedule is left behind"
TMPDIR=$dir/none gives 3 "$dir/none" "TMPDIR is where it is made" check --replay walk_vs_fork:lazy:0:1

toy --schedules 0 --scenario abba
is 1 $status "a deadlock: exit status 1"
grep -q "deadlock" "$dir/out" && grep -q "anonrmap check --replay abba:none:1:" "$dir/out"
ok $? "the deadlock, and the command to repeat it"
schedule=$(sed -n 's/.*--replay //p' "$dir/out")
toy --replay "$schedule"
[ $status -eq 1 ] && grep -q "deadlock" "$dir/out" && grep -q "lock_ab()" "$dir/out"
ok $? "it repeats, with the functions that did it"
toy --replay "$schedule" --json
json 'd["failed"] and d["kind"] == "deadlock" and d["schedule"] == "'"$schedule"'"' \
     "document of a schedule"
toy --minimise "$schedule"
[ $status -eq 1 ] && grep -qF -e "--replay $schedule" "$dir/out"
ok $? "it is as short as can be"
toy --schedules 100000 --pct --changes 6 --minimise --scenario stages --json
json 'd["scenarios"][0]["findings"][0]["schedule"].startswith("stages:none:3:") and
      d["scenarios"][0]["findings"][0]["kind"] == "finding"' "found at random, and shortened"
cp "$dir/out" "$dir/first"
toy --schedules 100000 --pct --changes 6 --minimise --scenario stages --json
sed -i '/"seconds"/d' "$dir/first" "$dir/out"
cmp -s "$dir/first" "$dir/out"
ok $? "the same seed, the same result"

gives 2 "there is no scenario nonsense" "a scenario that there is not" check --scenario nonsense
gives 2 "no such topology" "a topology that there is not" check --schedules 1 --topology none
gives 2 "no scenario is for that" "a scenario that is not for the topology" \
	check --schedules 1 --scenario lockless_vs_fork --topology regular
gives 2 "not SCENARIO:TOPOLOGY" "not a schedule" check --replay nonsense
gives 2 "no such thread" "a thread that there is not" check --replay reclaim_vs_fork:lazy:0:7
gives 2 "not a whole number" "no number" check --schedules many
gives 2 "--seed: with --pct only" "a seed of nothing" check --schedules 1 --seed 3
gives 2 "--changes: with --pct only" "changes of nothing" check --schedules 1 --changes 3
gives 2 "--bound: not with --pct" "a bound of what has none" check --schedules 1 --pct --bound 1
for option in --faults "--time 3" "--ops 7" "--threads 2"; do
	gives 2 "${option%% *}: not with --schedules" "schedules, and ${option%% *}" \
		check --schedules 1 --scenario reclaim_vs_fork $option
done
# Every option that is given has to have a use.
for a in "--schedules 1 --replay S" "--replay S --scenario x" "--pct --replay S" "--list --replay S" \
		"--minimise --replay S" "--topology lazy --replay S" "--jobs 1 --replay S" \
		"--bound 1 --minimise S" "--list --bound 1" "--list --schedules 3" "--list --jobs 2"; do
	gives 2 "not with --" "not together: $a" check $a
done
gives 2 "--ops: not with --list" "the option that is blamed was given" check --list --ops 3
gives 2 "how many?" "a bound alone is no search" check --bound 3
gives 2 "how many?" "nor are jobs" check --jobs 3
gives 2 "which SCHEDULE?" "nothing to minimise" check --minimise
gives 2 "where there is no end" "not all by lot" check --pct --schedules 0
gives 2 "there is no scenario nope" "a list of what is not there" check --list --scenario nope
try check --list --json
json 'd["schema_version"] == 1 and any(s["scenario"] == "reclaim_vs_fork" and s["bound"] >= 1 and
      s["topologies"] == "regular,lazy" for s in d["scenarios"])' "list as a document"
try check --schedules 3 --pct --seed 18446744073709551615 --scenario reclaim_vs_fork
is 0 $status "any seed of 64 bits"
grep -q "^1 scenario, 2 with their topologies, 6 schedules" "$dir/out"
ok $? "a scenario counts once"

# No process can be had: that is not found in the code.
if [ "$(id -u)" -eq 0 ] && setpriv --reuid=65534 "$anonrmap" check --list > "$dir/out" \
		2> "$dir/err"; then
	# A search for leaks needs a thread.
	ASAN_OPTIONS=detect_leaks=0 setpriv --reuid=65534 prlimit --nproc=1 "$anonrmap" check --schedules 1 \
		--scenario walk_vs_fork > "$dir/out" 2> "$dir/err"
	is 3 $? "no processes: exit status 3"
	grep -q "no process: " "$dir/out" && grep -q "2 NOT RUN, nothing found" "$dir/out"
	ok $? "... and the reason"
else
	skip "no processes" "not root, or the build is private"
fi

# ^C ends a search, and what was counted is told.
large=$("$anonrmap" check --list --pct | sed -n 's/^\(stress_[a-z_]*\) .*/\1/p' | head -n 1)
for j in "" --json; do
	timeout -s INT 2 "$anonrmap" check --schedules 0 --bound 9 --scenario $large \
		$j > "$dir/out" 2> "$dir/err"
	# timeout(1) has a status of its own.
	is 124 $? "interrupted: it ends${j:+, with $j}"
done
json 'd["interrupted"] and d["schedules"] > 0 and not any(s["findings"] or s["complete"]
      for s in d["scenarios"])' "interrupted: the document"
timeout --preserve-status -s INT 2 "$anonrmap" check --schedules 0 --bound 9 \
	--scenario $large > "$dir/out" 2> "$dir/err"
is 130 $? "interrupted: exit status 130"
grep -q "nothing found; ended early" "$dir/out"
ok $? "interrupted: it says so"

gives 2 "not a whole number" "a bound too large" check --schedules 1 --bound 99
ANONRMAP_SCHEDULES=$dir/none try check --list
is 3 $status "no such program: exit status 3"
"$anonrmap" check --schedules 1 --scenario reclaim_vs_fork > /dev/full 2> "$dir/err"
is 2 $? "full disk"
finish

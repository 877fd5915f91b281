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
gives 2 "not a whole number" "a bound too large" check --schedules 1 --bound 99
ANONRMAP_SCHEDULES=$dir/none try check --list
is 3 $status "no such program: exit status 3"
"$anonrmap" check --schedules 1 --scenario reclaim_vs_fork > /dev/full 2> "$dir/err"
is 2 $? "full disk"
finish

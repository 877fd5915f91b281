#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Random operations.
. "$(dirname "$0")/lib.sh"

try check --seed 5 --ops 3000
is 0 $status "3,000 operations"
grep -q "seed 5" "$dir/out" && grep -q "anonrmap check --seed 5 --ops 3000" "$dir/out"
ok $? "seed and command to repeat"
! grep -q "ratio  saved" "$dir/out"
ok $? "histories that differ are not compared"
try check --ops 200
[ $status -eq 0 ] && grep -qE "anonrmap check --seed [0-9]+ --ops 200" "$dir/out"
ok $? "a seed is made up and printed"
try check --seed 6 --ops 2000 --threads 3 --topology lazy --json
is 0 $status "three threads"
json 'd["schema_version"] == 1 and d["seed"] == 6 and d["ops"] == 2000 and d["threads"] == 3 and
      [t["name"] for t in d["topologies"]] == ["lazy"]' "document"
json 'all(t["walks"]["missed"] == 0 and t["walks"]["folios"] > 0 and t["seconds"] >= 0 and
      set(t["objects"]) == {"vm_area_struct", "anon_vma", "anon_vma_chain"}
      for t in d["topologies"]) and d["trace"]["events"] == 2000' "topologies"
"$blind" check --seed 5 --ops 2000 --topology blind > "$dir/out" 2> "$dir/err"
is 1 $? "a topology that misses mappings: exit status 1"
grep -q "FAILED" "$dir/out"
ok $? "a topology that misses mappings: verdict"
"$anonrmap" check --seed 5 --ops 200 > /dev/full 2> "$dir/err"
is 2 $? "full disk"

# Pages are mapped when everybody stands still, also in a short run.
for threads in 2 4 64; do
	try check --seed 3 --ops 63 --threads $threads --json
	json 'all(t["operations"] >= 63 and t["walks"]["folios"] > 0
	      for t in d["topologies"])' "$threads threads, 63 operations: all done, and checked"
done
try check --seed 3 --time 2 --threads 4 --json
json 'all(t["walks"]["folios"] > 0 for t in d["topologies"])' "four threads for two seconds"
try check --seed 5 --ops 1
[ $status -eq 0 ] && grep -q "nothing was checked" "$dir/out" && ! grep -q "^ok" "$dir/out"
ok $? "no page, no ok"

# Allocations that fail.
try check --seed 5 --ops 400 --faults
is 0 $status "400 operations, each with its allocations failing"
grep -qE "^[1-9][0-9]* allocations failed, and [1-9][0-9]* calls by that" "$dir/out" &&
	grep -q "anonrmap check --seed 5 --ops 400 --faults" "$dir/out"
ok $? "failures are counted, and the command to repeat says --faults"
cp "$dir/out" "$dir/first"
try check --seed 5 --ops 400 --faults
sed -i '/^seconds/d' "$dir/first" "$dir/out"
cmp -s "$dir/first" "$dir/out"
ok $? "the same seed, the same failures"
try check --seed 5 --ops 200 --faults --topology lazy --json
json 'd["random"]["injected"] >= d["random"]["denied"] > 100 and d["random"]["rounds"] == 1 and
      d["random"]["round_seeds"] == [5] and d["random"]["operations"] == 200 and
      d["topologies"][0]["checks"]["findings"] == 0' "document with failures"
try check --seed 3 --ops 300 --faults --topology lazy --json
json '24 < d["random"]["most_of_one_call"] < 1000' "each allocation of a call that makes dozens"
"$blind" check --seed 5 --ops 2000 --topology blind --faults > "$dir/out" 2> "$dir/err"
is 1 $? "failures in a topology that misses mappings: exit status 1"
gives 2 "one thread" "failures and threads exclude each other" check --faults --threads 2

# Rounds.
try check --time 1 --ops 100 --seed 9 --topology lazy --json
is 0 $status "a second of rounds"
json 'd["random"]["rounds"] == len(d["random"]["round_seeds"]) >= 1 and
      d["random"]["round_seeds"][0] == 9 == d["seed"] and
      len(set(d["random"]["round_seeds"])) == d["random"]["rounds"] and
      1 <= d["random"]["last_round_ops"] <= 100 == d["ops"] and
      d["random"]["operations"] == d["trace"]["events"] ==
      100 * (d["random"]["rounds"] - 1) + d["random"]["last_round_ops"] and
      d["repeat"] == "anonrmap check --seed %d --ops %d --topology lazy" %
      (d["random"]["round_seeds"][-1], d["random"]["last_round_ops"])' "rounds, their seeds, and the command for the last"
try check --time 1 --ops 100 --seed 9 --topology lazy
grep -q "^round 1: seed 9$" "$dir/out" && grep -qE "^[0-9]+ rounds, [0-9]+ operations" "$dir/out"
ok $? "rounds are printed as they begin"

# A round that is cut short: hours of it otherwise.
for more in "" --faults "--threads 3"; do
	began=$(date +%s)
	try check --time 3 --ops 100000000 --seed 9 $more --json
	took=$(($(date +%s) - began))
	[ $status -eq 0 ] && [ $took -lt 15 ]
	ok $? "the time is up within a round${more:+, with $more}"
	json 'd["random"]["rounds"] >= 1 and d["random"]["last_round_ops"] < 100000000 and
	      all(t["walks"]["folios"] > 0 for t in d["topologies"]) and
	      "--ops %d" % d["random"]["last_round_ops"] in d["repeat"]' \
	     "all topologies had a share of the time${more:+, with $more}"
done
try check --time 1 --ops 100000000 --seed 9 --topology lazy
grep -q "^1 rounds, .* cut short" "$dir/out"
ok $? "it says so"
sed -n '/^most at/,/^seconds/{/^seconds/!p}' "$dir/out" > "$dir/first"
try $(sed -n 's/^to repeat the last round: anonrmap //p' "$dir/out")
sed -n '/^most at/,/^seconds/{/^seconds/!p}' "$dir/out" > "$dir/again"
[ $status -eq 0 ] && [ -s "$dir/first" ] && cmp -s "$dir/first" "$dir/again"
ok $? "a round that was cut short can be repeated"
"$blind" check --time 60 --ops 1000 --seed 5 --topology blind > "$dir/out" 2> "$dir/err"
is 1 $? "rounds end with the first finding"
grep -q "to repeat the last round: anonrmap check --seed" "$dir/out"
ok $? "the round with the finding can be repeated"
gives 2 "not a whole number" "no time" check --time 0

# ^C ends it with what was counted.
for o in "" --json "--threads 3" "--time 60"; do
	timeout --preserve-status -s INT 2 "$anonrmap" check --ops 100000000 --seed 9 $o \
		> "$dir/out" 2> "$dir/err"
	is 130 $? "interrupted${o:+, with $o}: exit status 130"
	if [ "$o" = --json ]; then
		json 'd["random"]["interrupted"] and d["random"]["operations"] > 0 and
		      d["repeat"].endswith("--ops %d" % d["random"]["last_round_ops"])' \
		     "interrupted: the document"
	else
		grep -q "^interrupted after [1-9]" "$dir/out" && grep -q "^to repeat" "$dir/out"
		ok $? "interrupted${o:+, with $o}: the tally"
	fi
done

# Nothing that is not measured is in the document.
try check --seed 5 --ops 500 --json
json 'all("dead_peak" not in t["anon_vmas"] and "most" not in t["anon_vmas"] and
      "reclaimed" not in t["memory"] and "replayed" not in t and t["operations"] > 0
      for t in d["topologies"]) and "forks" not in d["trace"]' "no false zeros"

# What was found matters more than where it could not be written to.
"$blind" check --seed 5 --ops 2000 --topology blind > /dev/full 2> "$dir/err"
is 1 $? "a finding, and a full disk: exit status 1"
finish

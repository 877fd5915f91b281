#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Random operations.
. "$(dirname "$0")/lib.sh"

try check --seed 5 --ops 3000
is 0 $status "3,000 operations"
grep -q "seed 5" "$dir/out" && grep -q "anonrmap check --seed 5 --ops 3000" "$dir/out"
ok $? "seed and command to repeat"
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
finish

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What replays count, and that they count the same every time.
. "$(dirname "$0")/lib.sh"

# An area and a stack, and three children that copy a page: with the regular topology,
# two anon_vmas and two chain entries in the parent; in each child two more
# anon_vmas, and for each area an entry in the parent's anon_vma and one in its own.
"$make_trace" "$dir/fork" fork 3 || exit 99
try replay --check full --json "$dir/fork"
is 0 $status "three children: all well"
json 'd["schema_version"] == 1 and [t["name"] for t in d["topologies"]] == ["regular", "lazy"]' \
	"both topologies"
json '(d["trace"]["events"], d["trace"]["processes"], d["trace"]["forks"]) == (15, 4, 3) and
      d["trace"]["pages"] == d["trace"]["faults"] == 21' "facts of the trace"
json '[d["topologies"][0]["objects"][o]["peak"] for o in
       ("vm_area_struct", "anon_vma", "anon_vma_chain")] == [8, 8, 14]' "regular: 8, 8, 14"
json '[d["topologies"][1]["objects"][o]["peak"] for o in
       ("vm_area_struct", "anon_vma")] == [8, 4]' "lazy: 8, 4"
# One entry while a stack is being moved.
json 'd["topologies"][1]["objects"]["anon_vma_chain"]["peak"] <= 1' "lazy: no chain"
json 'all(o["live"] == 0 and o["peak_bytes"] == o["peak"] * o["bytes_each"]
      for t in d["topologies"] for o in t["objects"].values())' "nothing is live at the end"
json 'all(t["walks"]["missed"] == 0 and t["walks"]["folios"] > 0 and t["walks"]["visits"] > 0 and
      t["walks"]["mappings"] > 0 and t["checks"]["findings"] == 0 and
      t["checks"]["reads_compared"] > 0 and t["seconds"] >= 0 for t in d["topologies"])' "walks"
json 'd["topologies"][1]["anon_vmas"]["mms_peak"] == 4' "lazy: four mms"
json 'all(v == 0 for t in d["topologies"] for k, v in t["replayed"].items() if k != "events")' \
	"nothing was left out"

"$make_trace" "$dir/fork-cut" fork-cut 3 || exit 99
try replay --json "$dir/fork-cut"
is 0 $status "cut off"
json 'd["trace"]["truncated"] and d["trace"]["forks"] == 3 and
      d["topologies"][1]["objects"]["anon_vma"]["peak"] == 4' "cut off: what is there counts"

"$make_trace" "$dir/chain" chain 200 || exit 99
try replay --check full --reclaim 20 --migrate 20 --json "$dir/chain"
is 0 $status "200 generations under pressure"
json 'd["topologies"][1]["objects"]["anon_vma"]["peak"] <= 34' "lazy: growth is bounded"
json 'd["topologies"][1]["anon_vmas"]["dead_peak"] >= 1' "lazy: dead ones are counted"

for s in kinds misfit huge pages16k; do
	"$make_trace" "$dir/$s" $s || exit 99
	try replay --check full --json "$dir/$s"
	is 0 $status "$s"
	json 'all(t["walks"]["missed"] == 0 and t["checks"]["findings"] == 0 and
	      t["replayed"]["events"] == d["trace"]["events"] for t in d["topologies"])' \
		"$s: nothing missed, all events replayed"
	try replay --check full --reclaim 30 --migrate 30 --json "$dir/$s"
	is 0 $status "$s under pressure"
	json 'all(t["walks"]["missed"] == 0 and t["checks"]["reads_wrong"] == 0
	      for t in d["topologies"])' "$s under pressure: nothing missed"
done
try replay --json "$dir/kinds"
json 'all(v == 0 for t in d["topologies"] for k, v in t["replayed"].items()
      if k not in ("events", "calls_unsupported", "programs_other_abi")) and
      d["topologies"][0]["replayed"]["calls_unsupported"] == 1 and
      d["topologies"][0]["replayed"]["programs_other_abi"] == 1' "kinds: everything fitted"
try replay --json "$dir/misfit"
json 'd["topologies"][0]["replayed"]["repaired"] >= 2 and
      d["topologies"][0]["replayed"]["pages_unmapped"] >= 7 and
      d["topologies"][0]["replayed"]["pages_denied"] >= 4 and
      d["topologies"][0]["replayed"]["calls_refused"] > 0' "misfit: repaired, left out, counted"
try replay "$dir/misfit"
grep -q "left out" "$dir/out"
ok $? "misfit: said in the table"
try replay --json "$dir/pages16k"
json 'd["trace"]["page_size"] == 16384 and d["trace"]["pages"] == 4 and
      all(t["memory"]["pages_peak"] >= 4 for t in d["topologies"]) and
      d["topologies"][0]["replayed"]["pages_unmapped"] == 0' "pages of 16 KiB, high addresses"

for seed in $(seq 1 "${SEEDS:-12}"); do
	"$make_trace" "$dir/random" random $seed || exit 99
	try replay --check full --reclaim 10 --migrate 10 "$dir/random"
	is 0 $status "anything at all: seed $seed"
done

# counts OUT ARG...: the document without the seconds, which vary
counts() {
	out=$1
	shift
	"$anonrmap" replay --json "$@" 2> "$dir/err" |
		sed 's/"seconds":[0-9.]*/"seconds":0/' > "$out"
}

# same NAME ARG...: two replays say the same
same() {
	name=$1
	shift
	for i in 1 2; do
		counts "$dir/run$i" "$@"
	done
	[ -s "$dir/run1" ] && cmp -s "$dir/run1" "$dir/run2"
	ok $? "$name"
}
"$make_trace" "$dir/fork60" fork 60 || exit 99
same "the same twice" "$dir/fork60"
same "the same twice, all kinds" "$dir/kinds"
same "the same twice, under pressure" --reclaim 15 --migrate 15 "$dir/fork60"
same "the same twice, sampled" --check sample --reclaim 15 "$dir/chain"
same "the same twice, unchecked" --check off "$dir/misfit"

# The order of the topologies, and whether there are others, makes no difference.
counts "$dir/one" --topology lazy "$dir/fork60"
counts "$dir/two" --topology regular,lazy "$dir/fork60"
python3 -c 'import json, sys
a, b = (json.load(open(f)) for f in sys.argv[1:])
sys.exit(a["topologies"][0] != b["topologies"][1])' "$dir/one" "$dir/two"
ok $? "a topology's numbers do not depend on others"

# Tables.
try replay "$dir/fork"
is 0 $status "table"
for w in vm_area_struct anon_vma anon_vma_chain "missed by walks" "visits per mapping" \
	"at most one anon_vma per live mm" "ratio" "saved" "checks    full (chosen"; do
	grep -qF "$w" "$dir/out"
	ok $? "table: $w"
done
grep -q '^ok: no walk missed a mapping' "$dir/out"
ok $? "table: verdict"
! grep -q "$(printf '\033')" "$dir/out"
ok $? "no colour in a file"
[ ! -s "$dir/err" ]
ok $? "no progress in a file"
try replay --check off "$dir/fork"
grep -q 'nothing was checked' "$dir/out" && grep -q 'not checked' "$dir/out"
ok $? "table: says that nothing was checked"
try replay --topology lazy "$dir/fork"
[ $status -eq 0 ] && ! grep -q regular "$dir/out"
ok $? "one topology alone"

# On a terminal: colour, unless NO_COLOR; script(1) makes one.
if command -v script > "$dir/where"; then
	esc=$(printf '\033')
	TERM=xterm script -qec "'$anonrmap' replay '$dir/fork'" /dev/null > "$dir/out" < /dev/null
	grep -q "$esc\[1m" "$dir/out"
	ok $? "colour on a terminal"
	TERM=xterm NO_COLOR=1 script -qec "'$anonrmap' replay '$dir/fork' 2>'$dir/err'" /dev/null \
		> "$dir/out" < /dev/null
	! grep -q "$esc" "$dir/out"
	ok $? "NO_COLOR"
	TERM=dumb script -qec "'$anonrmap' replay '$dir/fork'" /dev/null > "$dir/out" < /dev/null
	! grep -q "$esc" "$dir/out"
	ok $? "a dumb terminal"
	TERM=xterm script -qec "'$anonrmap' show '$dir/fork'" /dev/null > "$dir/out" < /dev/null
	grep -q "$esc\[1m" "$dir/out"
	ok $? "show: colour on a terminal"
else
	skip "colour" "no script(1)"
fi

# A topology that walks nowhere: the checks must say so.
"$blind" replay --check full --topology blind --json "$dir/fork" > "$dir/out" 2> "$dir/err"
is 1 $? "missed mappings: exit status 1"
json 'd["topologies"][0]["walks"]["missed"] > 0 and
      d["topologies"][0]["checks"]["findings"] > 0' "missed mappings: in the document"
"$blind" replay --check full --topology regular,blind "$dir/fork" > "$dir/out" 2> "$dir/err"
is 1 $? "missed mappings in one of two: exit status 1"
grep -q '^FAILED' "$dir/out"
ok $? "missed mappings: verdict"
"$blind" replay --check full --topology blind "$dir/fork" "$dir/missing" > "$dir/out" 2> "$dir/err"
is 2 $? "missed mappings and a missing file: the worst"
finish

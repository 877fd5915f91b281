#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Recording, replaying and comparing in one go.
. "$(dirname "$0")/lib.sh"

if ! can_record; then
	echo "1..0 # SKIP $why"
	exit 0
fi

cat > "$dir/job.sh" <<'END'
x=$(seq 1 200 | tr '\n' ' ')
for i in 1 2 3 4; do (y="$x$x"; echo "$y" | wc -c) & done
wait
cat
exit 0
END
cat > "$dir/job.py" <<'END'
import multiprocessing as mp

data = [str(i) for i in range(20000)]

def work(n):
    return sum(len(s) * n for s in data)

if __name__ == "__main__":
    with mp.get_context("fork").Pool(4) as pool:
        print(sum(pool.map(work, range(16))))
END

echo tail | "$anonrmap" run --check full -- sh "$dir/job.sh" > "$dir/out" 2> "$dir/err"
is 0 $? "shell script"
is tail "$(sed -n 5p "$dir/out")" "the command's output comes first"
for w in anon_vma_chain "recording took" "visits per mapping" "checks    full"; do
	grep -qF "$w" "$dir/out"
	ok $? "table: $w"
done
grep -q '^ok: no walk missed a mapping' "$dir/out"
ok $? "shell script: nothing missed"
[ ! -s "$dir/err" ]
ok $? "nothing on stderr"

"$anonrmap" run --check full --reclaim 5 --migrate 5 -o "$dir/kept" --json -- \
	python3 "$dir/job.py" > "$dir/out" 2> "$dir/err"
is 0 $? "python multiprocessing under pressure"
is "$(python3 "$dir/job.py")" "$(head -n 1 "$dir/out")" "python's output"
sed -i 1d "$dir/out"
json 'd["schema_version"] == 1 and d["trace"]["forks"] >= 4 and d["recording"]["status"] == 0 and
      d["recording"]["seconds"] > 0 and d["recording"]["stops"] > 0' "python: document"
json 'all(t["walks"]["missed"] == 0 and t["checks"]["findings"] == 0 and
      t["checks"]["reads_compared"] > 0 and t["walks"]["folios"] > 1000
      for t in d["topologies"])' "python: nothing missed"
json 'd["topologies"][1]["objects"]["anon_vma"]["peak_bytes"] <
      d["topologies"][0]["objects"]["anon_vma"]["peak_bytes"] / 4 and
      d["topologies"][1]["objects"]["anon_vma_chain"]["peak_bytes"] <
      d["topologies"][0]["objects"]["anon_vma_chain"]["peak_bytes"] / 4' "python: less of both"
json 'all(t["replayed"]["pages_unmapped"] + t["replayed"]["calls_refused"] <
      d["trace"]["pages"] / 100 for t in d["topologies"])' "python: it fits"
cmp -s "$dir/out" "$dir/kept/report.json"
ok $? "-o: report.json"
grep -q '^ok: no walk' "$dir/kept/report.txt"
ok $? "-o: report.txt"
try replay --check off --json "$dir/kept/trace.anonrmap"
json 'd["trace"]["forks"] >= 4' "-o: the trace can be replayed"

try run -- sh -c 'exit 7'
is 7 $status "the command's exit status"
grep -q "exit status was 7" "$dir/out"
ok $? "the command's exit status is in the report"
"$blind" run --check full --topology blind -- sh -c 'exit 7' > "$dir/out" 2> "$dir/err"
is 1 $? "missed mappings matter more"
try run -v -- true
[ $status -eq 0 ] && grep -q "replaying" "$dir/err"
ok $? "--verbose"
try run --topology lazy -- true
is 0 $status "one topology"

try run --json -- "$dir/none"
is 127 $status "run --json: not found"
json 'd["schema_version"] == 1 and "cannot run" in d["error"]' "run --json: not found, the document"

# A recording that is not kept does not fit: it is gone, and that is said.
mkdir "$dir/small"
if unshare -m sh -c "mount -t tmpfs -o size=8k none '$dir/small'" 2> "$dir/err"; then
	unshare -m sh -c "mount -t tmpfs -o size=8k none '$dir/small' && TMPDIR='$dir/small' \
		'$anonrmap' run -- sh '$dir/job.sh'" > "$dir/out" 2> "$dir/err" < /dev/null
	is 2 $? "no room in TMPDIR: exit status 2"
	grep -q "the recording is lost: .*No space" "$dir/err" && ! grep -q readable "$dir/err"
	ok $? "no room in TMPDIR: said so"
else
	skip "no room in TMPDIR" "no mounting here"
fi

mkdir "$dir/tmp"
TMPDIR="$dir/tmp" "$anonrmap" run -- true > "$dir/out" 2> "$dir/err"
is "" "$(ls "$dir/tmp")" "no temporary files are left"
TMPDIR="$dir/tmp" "$anonrmap" run -- "$dir/none" > "$dir/out" 2> "$dir/err"
is "" "$(ls "$dir/tmp")" "no temporary files are left when nothing ran"
"$anonrmap" run -- true > /dev/full 2> "$dir/err"
is 2 $? "full disk"
finish

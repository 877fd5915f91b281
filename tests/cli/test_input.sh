#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Files that are no traces, or not whole, and places that cannot be written to.
. "$(dirname "$0")/lib.sh"

# patch OFFSET BYTE: a copy of a good trace with one byte changed
patch() {
	python3 -c 'import sys
b = bytearray(open(sys.argv[1], "rb").read())
b[int(sys.argv[3])] = int(sys.argv[4])
open(sys.argv[2], "wb").write(b)' "$dir/good" "$dir/$1" "$2" "$3"
}

"$make_trace" "$dir/good" fork 40 || exit 99
"$make_trace" "$dir/killed" fork-cut 40 || exit 99
size=$(wc -c < "$dir/good")
: > "$dir/empty"
mkdir "$dir/folder"
echo "#!/bin/sh" > "$dir/script"
head -c 5 "$dir/good" > "$dir/head5"
head -c 20 "$dir/good" > "$dir/head20"
head -c $((size - 20)) "$dir/good" > "$dir/cut"
patch newer 8 99
patch magic 1 0
patch header 30 255
patch body $((size - 9)) 255
cp "$dir/good" "$dir/longer"
echo x >> "$dir/longer"

for c in show replay; do
	gives 2 "cannot open: No such file" "$c: missing file" $c "$dir/missing"
	gives 2 "is a directory" "$c: directory" $c "$dir/folder"
	gives 2 "not a trace" "$c: empty file" $c "$dir/empty"
	gives 2 "not a trace" "$c: another file" $c "$dir/script"
	gives 2 "not a trace" "$c: damaged magic" $c "$dir/magic"
	gives 2 "newer version" "$c: newer version" $c "$dir/newer"
	gives 2 "corrupt" "$c: damaged header" $c "$dir/header"
	gives 2 "corrupt" "$c: damaged body" $c "$dir/body"
	gives 2 "corrupt" "$c: something follows the end" $c "$dir/longer"
	gives 2 "trace" "$c: only a part of the magic" $c "$dir/head5"
	gives 2 "truncated" "$c: only a part of the header" $c "$dir/head20"
	gives 0 "warning: truncated" "$c: no end" $c "$dir/killed"
	grep -q . "$dir/out"
	ok $? "$c: what there is of it is reported"
	if [ "$(id -u)" -ne 0 ]; then
		cp "$dir/good" "$dir/secret"
		chmod 0 "$dir/secret"
		gives 2 "Permission denied" "$c: no permission" $c "$dir/secret"
	fi
	"$anonrmap" $c "$dir/good" > /dev/full 2> "$dir/err"
	is 2 $? "$c: full disk"
	grep -q "cannot write .*No space" "$dir/err"
	ok $? "$c: full disk is told"
	"$anonrmap" $c "$dir/good" >&- 2> "$dir/err"
	is 2 $? "$c: closed stdout"
	is 1 "$(grep -c . "$dir/err")" "$c: full disk is told once"
	mkfifo "$dir/fifo"
	timeout 20 "$anonrmap" $c "$dir/fifo" > "$dir/out" 2> "$dir/err"
	[ $? -eq 2 ] && grep -q "not a regular file" "$dir/err"
	ok $? "$c: a FIFO"
	rm "$dir/fifo"
	cat "$dir/good" | "$anonrmap" $c /dev/stdin > "$dir/out" 2> "$dir/err"
	[ $? -eq 2 ] && grep -q "not a regular file" "$dir/err"
	ok $? "$c: a pipe"
	gives 2 "a?b?c" "$c: control characters in a name" $c "$dir/$(printf 'a\nb\033c')"
	is 1 "$(grep -c . "$dir/err")" "$c: one line"
	try $c --json "$dir/missing"
	json 'd["schema_version"] == 1 and "No such file" in d["error"]' "$c --json: missing file"
	"$anonrmap" $c --json "$dir/good" > /dev/full 2> "$dir/err"
	is 2 $? "$c --json: full disk"
done

# Within the first chunk: there is a header, and no event.
head -c 100 "$dir/good" > "$dir/none"
gives 0 "warning: truncated" "show: no event is whole" show "$dir/none"
gives 2 "truncated" "replay: no event is whole" replay "$dir/none"

# The last events of a chunk may be lost: nothing else may happen.
worst=0
for len in $(seq 1 $((size - 1))); do
	head -c "$len" "$dir/good" > "$dir/part"
	"$anonrmap" replay --check off --topology lazy "$dir/part" > "$dir/out" 2> "$dir/err"
	s=$?
	[ $s -eq 0 ] || [ $s -eq 2 ] || worst=$s
done
is 0 $worst "cut off at any length: read, or refused"

try replay --check off "$dir/good" "$dir/missing" "$dir/killed"
is 2 $status "several files: the worst status"
is 2 "$(grep -c '^command' "$dir/out")" "several files: the good ones are reported"
try replay --check off --json "$dir/good" "$dir/missing"
json 'len(d["reports"]) == 2 and "error" in d["reports"][1] and
      d["reports"][0]["trace"]["forks"] == 40' "several files: one document"

for o in "$dir/folder" "$dir/none/x" /dev/full; do
	gives 2 "" "record -o $(basename "$o")" record -o "$o" -- true
done
gives 2 "cannot make the directory" "run -o where no directory can be" run -o "$dir/none/x" -- true
gives 2 "cannot write" "run -o FILE" run -o "$dir/script" -- true
mkdir "$dir/full"
TMPDIR="$dir/none" "$anonrmap" run -- true > "$dir/out" 2> "$dir/err"
is 2 $? "run: no temporary directory"
"$anonrmap" --help > /dev/full 2> "$dir/err"
is 2 $? "--help: full disk"
"$anonrmap" --version >&- 2> "$dir/err"
is 2 $? "--version: closed stdout"
rmdir "$dir/full"
finish

# SPDX-License-Identifier: GPL-2.0
# Sourced by the tests of the command: $1 anonrmap, $2 make_trace, $3 anonrmap with a
# topology that misses mappings.
anonrmap=$1
make_trace=$2
blind=$3
for f in "$anonrmap" "$make_trace" "$blind"; do
	[ -x "$f" ] || { echo "Bail out! cannot run $f"; exit 99; }
done
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
n=0

# ok STATUS NAME: one result
ok() {
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		for f in out err; do
			[ -s "$dir/$f" ] && sed "s/^/# $f: /" "$dir/$f" | tail -n 20
		done
	fi
}

# is WANT GOT NAME
is() {
	[ "$1" = "$2" ]
	ok $? "$3"
	[ "$1" = "$2" ] || echo "# want: $1, got: $2"
}

skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# try ARG...: run the command; $status, $dir/out and $dir/err
try() {
	"$anonrmap" "$@" > "$dir/out" 2> "$dir/err" < /dev/null
	status=$?
}

# gives STATUS TEXT NAME ARG...: exit status and something that stderr says
gives() {
	want=$1
	text=$2
	name=$3
	shift 3
	try "$@"
	[ $status -eq "$want" ] && grep -qF -e "$text" "$dir/err"
	ok $? "$name"
	[ $status -eq "$want" ] || echo "# want status $want, got $status"
}

# json EXPRESSION NAME: a condition on the document d in $dir/out
json() {
	python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
sys.exit(not eval("(" + sys.argv[2] + ")"))' "$dir/out" "$1" 2> "$dir/err"
	ok $? "$2"
}

# can_record: whether this machine lets us; else $why
can_record() {
	"$anonrmap" record -o "$dir/probe" -- true > "$dir/out" 2> "$dir/err"
	[ $? -ne 3 ] && return 0
	why=$(head -n 1 "$dir/err")
	return 1
}

finish() {
	echo "1..$n"
}

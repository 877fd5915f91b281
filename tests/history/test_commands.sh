#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Real programs under the recorder: output, input and exit status stay as they
# are; what is left when the recorder or the command is killed.
# usage: test_commands.sh RECORD_TOOL PROGRAMS
tool=$1
programs=$2
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
n=0

ok() {
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
	fi
}

skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

"$tool" record "$dir/t" true 2> "$dir/err"
if [ $? -eq 3 ]; then
	echo "1..0 # SKIP $(cat "$dir/err")"
	exit 0
fi

# same NAME COMMAND...: like without the recorder, and the trace is complete.
same() {
	name=$1
	shift
	if ! command -v "$1" > "$dir/where"; then
		skip "$name" "not installed"
		return
	fi
	echo "some input" | "$@" > "$dir/out1" 2> "$dir/err1"
	s1=$?
	echo "some input" | "$tool" record "$dir/t" "$@" > "$dir/out2" 2> "$dir/err2"
	s2=$?
	[ $s1 -eq $s2 ] && cmp -s "$dir/out1" "$dir/out2" && cmp -s "$dir/err1" "$dir/err2" &&
		"$tool" dump "$dir/t" > "$dir/events" &&
		[ "$(tail -n 1 "$dir/events")" = "0 end" ]
	ok $? "$name (exit status $s1)"
}

cat > "$dir/a.c" <<'END'
#include <stdio.h>
int main(void) { puts("hello"); return 4; }
END
cat > "$dir/Makefile" <<'END'
all: ; @cat; echo one; (echo two) ; sh -c 'exit 2'
END
same dash dash -c 'cat; echo out; echo err >&2; (exit 9) | true; exit 3'
same bash bash -c 'read x; echo "$x"; kill -TERM $$'
same make make -C "$dir" -s
same gcc gcc -O2 -o "$dir/a" "$dir/a.c"
same compiled "$dir/a"
same python3 python3 -c 'import subprocess, sys
print(sys.stdin.read()); sys.exit(subprocess.call(["sh", "-c", "exit 11"]))'
same perl perl -e 'print <STDIN>; if (!fork) { exec "true" } wait; exit 12'
same limits-and-signals sh -c 'ulimit -n; ulimit -u; grep -E "Sig(Blk|Ign)" /proc/self/status'
if env --ignore-signal=CHLD true 2> "$dir/err"; then
	# Bit 16: the command inherits it, the recorder must not.
	env --ignore-signal=CHLD "$tool" record "$dir/t" grep '^SigIgn:' /proc/self/status \
		> "$dir/out2"
	[ $? -eq 0 ] && grep -Eq '[13579bdf]....$' "$dir/out2"
	ok $? "a caller that ignores SIGCHLD"
else
	skip "a caller that ignores SIGCHLD" "no env --ignore-signal"
fi
same descriptors sh -c 'ls /proc/self/fd | wc -l'

rm -f "$dir/t"
"$tool" record "$dir/t" "$dir/nothing-there" 2> "$dir/err"
[ $? -eq 127 ] && [ "$(wc -l < "$dir/err")" -eq 1 ] && [ ! -e "$dir/t" ]
ok $? "a command that does not exist"
"$tool" record "$dir/t" "$dir/a.c" 2> "$dir/err"
[ $? -eq 126 ] && [ "$(wc -l < "$dir/err")" -eq 1 ]
ok $? "a command that is not executable"

# A mistyped command must not cost the recording that was there.
"$tool" record "$dir/good" true
cp "$dir/good" "$dir/keep"
ln -s good "$dir/link"
bad=0
for o in "$dir/good" "$dir/link"; do
	for c in "$dir/nothing-there" "$dir/a.c" ""; do
		"$tool" record "$o" "$c" 2> "$dir/err" && bad=1
		cmp -s "$dir/good" "$dir/keep" && [ -L "$dir/link" ] || bad=1
	done
done
ok $bad "what cannot be started leaves an older trace, and a link to it, as they were"

# Not a file: one line, at once, and the command is not run.
mkfifo "$dir/fifo"
bad=0
for o in /dev/full /dev/null "$dir/fifo" "$dir"; do
	"$tool" record "$o" touch "$dir/was-run" 2> "$dir/err"
	[ $? -eq 3 ] && [ "$(wc -l < "$dir/err")" -eq 1 ] && grep -q '^cannot write' "$dir/err" &&
		[ ! -e "$dir/was-run" ] || bad=1
done
ok $bad "a trace must be a regular file"

# A disk that is too small.
mkdir "$dir/small"
if unshare -m sh -c "mount -t tmpfs -o size=64k none '$dir/small'" 2> "$dir/err"; then
	unshare -m sh -c "mount -t tmpfs -o size=64k none '$dir/small' &&
		'$tool' record '$dir/small/t' '$programs/prog_many' 1000
		echo \$? > '$dir/status'; cp '$dir/small/t' '$dir/t'
		ls -A '$dir/small' > '$dir/files'" 2> "$dir/err"
	[ "$(cat "$dir/status")" -eq 3 ] && [ "$(wc -l < "$dir/err")" -eq 1 ] &&
		grep -q 'No space left' "$dir/err" && [ "$(cat "$dir/files")" = t ]
	ok $? "a full disk is told in one line"
	"$tool" dump "$dir/t" > "$dir/events" 2> "$dir/err"
	[ $? -eq 1 ] && grep -q '^truncated trace' "$dir/err" &&
		[ "$(wc -l < "$dir/events")" -gt 300 ]
	ok $? "a full disk leaves a readable trace ($(wc -l < "$dir/events") events)"
else
	skip "a full disk is told in one line" "no mounting here"
	skip "a full disk leaves a readable trace" "no mounting here"
fi

# Over an existing file: replaced, mode and owner kept, nothing left beside it.
mkdir "$dir/own"
seq 100000 > "$dir/own/t"
chmod 604 "$dir/own/t"
"$tool" record "$dir/own/t" true && "$tool" dump "$dir/own/t" > "$dir/events" &&
	grep -q '^0 end' "$dir/events" && [ "$(stat -c %a "$dir/own/t")" = 604 ] &&
	[ "$(ls -A "$dir/own")" = t ]
ok $? "an existing file is replaced"

# The recorder is killed while the command is busy.
"$tool" record "$dir/t" sh -c "echo \$\$ > $dir/pid; while :; do $programs/prog_cow; done" &
recorder=$!
sleep 1
kill -9 $recorder
wait $recorder 2> /dev/null
sleep 0.2
"$tool" dump "$dir/t" > "$dir/events" 2> "$dir/err"
status=$?
[ $status -eq 1 ] && grep -q '^truncated trace' "$dir/err" &&
	[ "$(wc -l < "$dir/err")" -eq 1 ] && [ "$(wc -l < "$dir/events")" -gt 500 ]
ok $? "a killed recorder leaves a readable trace ($(wc -l < "$dir/events") events)"
# Where nobody collects orphans, a dead one stays as a zombie.
grep -s '^State:' "/proc/$(cat "$dir/pid")/status" | grep -qv Z
[ $? -ne 0 ]
ok $? "a killed recorder leaves no process behind"
"$tool" show "$dir/t" > "$dir/shown" 2> "$dir/err"
[ $? -eq 1 ] && grep -q '^Incomplete truncated trace' "$dir/shown" && [ -s "$dir/err" ]
ok $? "a truncated trace is shown as far as it goes"

# An idle command: all that has happened is on file although nothing stops.
"$tool" record "$dir/t" sleep 30 &
recorder=$!
sleep 0.5
"$tool" dump "$dir/t" > "$dir/events" 2> "$dir/err"
grep -q '^0 exec' "$dir/events" && grep -q '^0 brk' "$dir/events"
ok $? "events are on file while the command sleeps"

# ^C reaches recorder and command alike; SIGTERM is passed on.
kill -TERM $recorder
wait $recorder
[ $? -eq 143 ] && "$tool" dump "$dir/t" > "$dir/events" && grep -q '^0 end' "$dir/events"
ok $? "SIGTERM to the recorder ends the command, not the trace"
if command -v python3 > "$dir/where"; then
	python3 - "$tool" "$dir/t" <<'END'
import os, pty, sys, time
pid, fd = pty.fork()
if not pid:
	os.execv(sys.argv[1], [sys.argv[1], "record", sys.argv[2], "sleep", "30"])
time.sleep(0.5)
os.write(fd, b"\x03")
began = time.time()
_, status = os.waitpid(pid, 0)
sys.exit(0 if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 130
	 and time.time() - began < 10 else 1)
END
	[ $? -eq 0 ] && "$tool" dump "$dir/t" > "$dir/events" && grep -q '^0 end' "$dir/events"
	ok $? "^C ends the command, and the trace is complete"
	python3 - "$tool" "$dir/t" <<'END'
import os, pty, signal, sys, time
pid, fd = pty.fork()
if not pid:
	os.execv(sys.argv[1], [sys.argv[1], "record", sys.argv[2], "sleep", "1"])
time.sleep(0.4)
os.write(fd, b"\x1a")
_, status = os.waitpid(pid, os.WUNTRACED)
if not os.WIFSTOPPED(status):
	sys.exit(1)
os.killpg(pid, signal.SIGCONT)
_, status = os.waitpid(pid, 0)
sys.exit(0 if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0 else 1)
END
	ok $? "^Z stops the job, and it can be continued"
else
	skip "^C" "no python3"
	skip "^Z" "no python3"
fi

# The summary.
"$tool" record "$dir/t" sh -c "$programs/prog_cow; true"
"$tool" show "$dir/t" > "$dir/shown"
[ $? -eq 0 ] && grep -q '^    prog_cow \[1\]' "$dir/shown" &&
	grep -q '^      prog_cow \[2\]' "$dir/shown" && grep -Eq '^  exit  *3$' "$dir/shown"
ok $? "show prints a tree"
if command -v python3 > "$dir/where"; then
	"$tool" json "$dir/t" | python3 -c 'import json, sys
t = json.load(sys.stdin)
p = t["processes"]
assert [x["parent"] for x in p] == [None, 0, 1]
assert t["complete"] and t["events"]["fork"] + t["events"]["share"] == 2
assert t["events"]["exit"] == 3
assert sum(t["events"].values()) == t["total_events"]
assert t["pages"]["cow"] == sum(x["pages"]["cow"] for x in p)
assert p[1]["comm"] == "prog_cow" and p[1]["pages"]["anonymous"] > 8'
	ok $? "show prints JSON"
	# A name that is no text must not reach the terminal, nor break the JSON.
	evil=$(printf '%s/a\033[1m\377\n' "$dir")
	cp "$programs/prog_cow" "$evil"
	"$tool" record "$dir/t" "$evil"
	"$tool" show "$dir/t" > "$dir/shown" && ! grep -q "$(printf '\033')" "$dir/shown" &&
		"$tool" json "$dir/t" | python3 -c 'import json, sys
json.loads(sys.stdin.buffer.read().decode("utf-8"))'
	ok $? "names that are no text are made harmless"
else
	skip "show prints JSON" "no python3"
	skip "names that are no text" "no python3"
fi

# Without privileges the recorder works, and says what it could not see.
if [ "$(id -u)" -eq 0 ] && command -v setpriv > "$dir/where"; then
	chmod 777 "$dir"
	rm -f "$dir/t"
	if setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$tool"; then
		setpriv --reuid 65534 --regid 65534 --clear-groups \
			"$tool" record "$dir/t" sh -c 'exit 6'
		[ $? -eq 6 ] && "$tool" json "$dir/t" > "$dir/shown" &&
			grep -q '"exact_cow":false' "$dir/shown" &&
			grep -q '"no_new_privs":true' "$dir/shown"
		ok $? "recording without privileges"
		# The trace may be written, its directory not: it cannot be packed.
		chmod 666 "$dir/own/t"
		setpriv --reuid 65534 --regid 65534 --clear-groups \
			"$tool" record "$dir/own/t" true &&
			"$tool" dump "$dir/own/t" > "$dir/events" &&
			grep -q '^0 end' "$dir/events" && [ "$(ls -A "$dir/own")" = t ]
		ok $? "recording in a directory that cannot be written"
	else
		skip "recording without privileges" "the build is private"
		skip "recording in a directory that cannot be written" "the build is private"
	fi
else
	skip "recording without privileges" "not root"
	skip "recording in a directory that cannot be written" "not root"
fi
echo "1..$n"

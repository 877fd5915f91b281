#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Recording: the command's input, output and exit status are its own; what is left
# when the recorder is killed can be used.
. "$(dirname "$0")/lib.sh"

if ! can_record; then
	echo "1..0 # SKIP $why"
	exit 0
fi
[ -s "$dir/probe" ]
ok $? "there is a trace"

for s in 0 1 2 3 42 255; do
	try record -o "$dir/t" -- sh -c "exit $s"
	is $s $status "exit status $s"
done
try record -o "$dir/t" -- sh -c 'kill -TERM $$'
is 143 $status "killed by a signal"
rm -f "$dir/t"
gives 127 "cannot run" "not found" record -o "$dir/t" -- "$dir/no-such-command"
[ ! -e "$dir/t" ]
ok $? "not found: no trace"
: > "$dir/text"
gives 126 "cannot run" "not executable" record -o "$dir/t" -- "$dir/text"
[ ! -e "$dir/t" ]
ok $? "not executable: no trace"
"$anonrmap" record -o "$dir/good" -- true
cp "$dir/good" "$dir/keep"
gives 127 "cannot run" "not found, over an older trace" record -o "$dir/good" -- "$dir/none"
gives 126 "cannot run" "not executable, over an older trace" record -o "$dir/good" -- "$dir/text"
cmp -s "$dir/good" "$dir/keep"
ok $? "the older trace is as it was"
mkdir "$dir/results"
for f in trace.anonrmap report.txt report.json; do
	echo old > "$dir/results/$f"
done
gives 127 "cannot run" "run: not found, over older results" run -o "$dir/results" -- "$dir/none"
is "old old old" "$(echo $(cat "$dir/results"/*))" "run: the older results are as they were"
gives 127 "cannot run" "run: not found" run -- "$dir/no-such-command"
gives 126 "cannot run" "run: not executable" run -- "$dir/text"

echo hello | "$anonrmap" record -o "$dir/t" -- sh -c 'cat; echo err >&2' > "$dir/out" 2> "$dir/err"
is 0 $? "a pipe"
is hello "$(cat "$dir/out")" "stdin and stdout are the command's"
is err "$(cat "$dir/err")" "stderr is the command's alone"
try record -o "$dir/t" sh -c 'echo "$0" "$@"' -o --json x
is "-o --json x" "$(cat "$dir/out")" "options after the command are the command's"
try record -v -o "$dir/t" -- true
grep -q "events of" "$dir/err"
ok $? "--verbose"
"$anonrmap" record -o "$dir/t" -- sh -c 'echo x 2>/dev/null || exit 9' >&- 2> "$dir/err"
is 9 $? "a closed stdout is closed for the command"

try show "$dir/t"
[ $status -eq 0 ] && grep -q Processes "$dir/out"
ok $? "show"
try show --json "$dir/t"
json 'd["complete"] and d["total_events"] > 0 and len(d["processes"]) == 1' "show --json"

# What outlives the command: it is said, and can be ended. A shell started in the
# background would ignore SIGINT.
cat > "$dir/outlive.py" <<'END'
import signal, subprocess, sys, time
anonrmap, trace, job, signals = sys.argv[1:]
p = subprocess.Popen([anonrmap, "record", "-o", trace, "--", "sh", "-c", job],
                     stderr=subprocess.PIPE, text=True)
line = p.stderr.readline()
if "has ended, but 1 process that it started lives on" not in line:
    sys.exit("said: " + line)
began = time.time()
for s in signals.split():
    p.send_signal(getattr(signal, s))
    time.sleep(0.5)
status = p.wait()
if status != 3 or time.time() - began > 20:
    sys.exit("status %d after %.1f s" % (status, time.time() - began))
END
for s in INT TERM; do
	timeout 60 python3 "$dir/outlive.py" "$anonrmap" "$dir/t" 'setsid sleep 30 & exit 3' \
		SIG$s 2> "$dir/err" && "$anonrmap" show --json "$dir/t" > "$dir/out"
	ok $? "a daemon outlives the command: SIG$s ends it"
	json 'd["complete"] and len(d["processes"]) == 2' "... and the trace is complete"
done
timeout 60 python3 "$dir/outlive.py" "$anonrmap" "$dir/t" \
	"(trap '' TERM; exec setsid sleep 30) & exit 3" "SIGTERM SIGTERM" 2> "$dir/err"
ok $? "a daemon that ignores SIGTERM is killed the second time"

# A recorder under a recorder is what this machine cannot do. A sanitizer's search for
# leaks makes a thread that no ptrace sees, with system calls that the filter refuses.
try record -o "$dir/t" -- env ASAN_OPTIONS=detect_leaks=0 \
	"$anonrmap" record -o "$dir/t2" -- true
is 3 $status "recorded already: exit status 3"
grep -q "recording is not possible" "$dir/err"
ok $? "recorded already: said so"
[ ! -e "$dir/t2" ]
ok $? "recorded already: nothing is left"

# kill -9 in the middle: all but the last moment is there.
"$anonrmap" record -o "$dir/t" -- sh -c 'i=0; while :; do (exit 0); i=$((i + 1)); done' &
pid=$!
sleep 2
kill -9 $pid
wait $pid 2> "$dir/err"
gives 0 "warning: truncated" "killed: show" show "$dir/t"
grep -q Incomplete "$dir/out"
ok $? "killed: show says so"
try replay --check sample --json "$dir/t"
is 0 $status "killed: replay"
json 'd["trace"]["truncated"] and d["trace"]["forks"] > 3 and
      all(t["walks"]["missed"] == 0 for t in d["topologies"])' "killed: the rest is replayed"
finish

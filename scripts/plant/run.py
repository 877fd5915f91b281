# SPDX-License-Identifier: GPL-2.0
"""Running a test program: which of its tests fail.

A program that is stopped by a sanitizer or by an assertion says no "not ok". The
test that it was in is then the one after the last it told of, in the order of a
run without bug. Through a terminal, so that lines come when they are written.
"""
import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections import namedtuple

# names: all tests that were told of, in order; failed: those that were not ok;
# end: "ok", or how the program ended: "failed", "stopped" (by us, after a failure),
# "crashed", "hung", "grew"; output: the end of it.
Result = namedtuple("Result", "names failed end seconds output")

MAX_RSS = 3 << 30
KEPT = 1 << 16
SANITIZERS = {
    # No symbols: they cost a second, and nobody reads them.
    "ASAN_OPTIONS": "symbolize=0:detect_leaks=0:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "halt_on_error=1:symbolize=0",
    "TSAN_OPTIONS": "halt_on_error=1:exitcode=66:symbolize=0:report_bugs=1",
}


def _rss(pid):
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _kill(child):
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()


def run(argv, env, limit, stop_at_failure=True, tap=True, silence=None):
    """Run a test program for at most @limit seconds, or @silence without a word from it."""
    begin = time.monotonic()
    master, slave = pty.openpty()
    child = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=slave,
                             stderr=slave, start_new_session=True,
                             env={**os.environ, **SANITIZERS, **env})
    os.close(slave)
    names, failed, kept, rest, end = [], [], b"", b"", None
    heard = begin
    try:
        while not end:
            if not select.select([master], [], [], 0.2)[0]:
                data = b""
            else:
                try:
                    data = os.read(master, 1 << 16)
                except OSError:
                    data = None
                if not data:
                    break
            heard = time.monotonic() if data else heard
            kept = (kept + data)[-KEPT:]
            *lines, rest = (rest + data).split(b"\n")
            for line in lines if tap else ():
                match = re.match(rb"(not )?ok \d+ - (\S+)", line)
                if match:
                    names.append(match.group(2).decode())
                    if match.group(1):
                        failed.append(names[-1])
            if failed and stop_at_failure:
                end = "stopped"
            elif time.monotonic() - begin > limit or \
                    silence and time.monotonic() - heard > silence:
                end = "hung"
            elif _rss(child.pid) > MAX_RSS:
                end = "grew"
    finally:
        if end:
            _kill(child)
        os.close(master)
    status = child.wait()
    if not end:
        end = "ok" if not status else "failed" if failed else "crashed"
    return Result(names, failed, end, time.monotonic() - begin,
                  kept.decode(errors="replace").replace("\r", ""))


def run_json(argv, limit):
    """Run a program that prints a JSON document. Returns that, or None: it did not."""
    child = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             start_new_session=True)
    try:
        out = child.communicate(timeout=limit)[0]
        return json.loads(out)
    except (subprocess.TimeoutExpired, ValueError):
        return None
    finally:
        _kill(child)


def culprits(result, control):
    """The tests that failed, the one included that a program ended in."""
    failed = list(result.failed)
    if result.end in ("crashed", "hung", "grew"):
        at = len(result.names)
        name = control.names[at] if at < len(control.names) else "end"
        failed.append(name)
    return failed

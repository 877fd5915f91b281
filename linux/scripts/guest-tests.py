#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Runs inside the guest: our tests, the stress, the kernel's mm selftests.

TAP goes to stdout; what the selftests did, as JSON, to --results. Slab counts are taken by
guest-tests.sh, which starts this program and outlives it.
"""
import argparse
import glob
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

RESULT = re.compile(r"^(?:# )*(ok|not ok)\b(.*)")
# uffd-unit-tests and khugepaged have a form of their own.
OTHER_RESULT = re.compile(r"^Testing .*\.\.\. (?P<uffd>done|skipped|failed|ERROR)\b|"
                          r"\.\.\..* (?:\x1b\[\d+m)?(?P<huge>OK|Fail|Skip)(?:\x1b\[0m)?$")
GOOD, BAD = ("done", "OK"), ("failed", "ERROR", "Fail")


class Tap:
    """Numbers the results of many programs through."""

    def __init__(self):
        self.count = 0

    def result(self, good, name, comment=""):
        self.count += 1
        text = f"{'ok' if good else 'not ok'} {self.count} - {name}"
        print(text + (f" # {comment}" if comment else ""), flush=True)

    def note(self, text):
        print(f"# {text}", flush=True)

    def relay(self, line):
        """A line of another program's TAP. True if it was a result."""
        m = re.match(r"(ok|not ok)\b\s*\d*\s*-?\s*([^#]*?)\s*(?:#\s*(.*))?$", line)
        if m and m[2]:
            self.result(m[1] == "ok", m[2], m[3] or "")
            return True
        if line.strip() and not re.match(r"TAP version|1\.\.", line):
            self.note(line.lstrip("# "))
        return False


def write(path, text):
    try:
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return True
    except OSError:
        return False


def run(command, limit, cwd, to=subprocess.PIPE):
    """Returns (exit status, output); the status is None when the limit was hit."""
    process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=to,
                               stderr=subprocess.STDOUT, start_new_session=True)
    try:
        output, _ = process.communicate(timeout=limit)
        status = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        status = None
    try:
        os.killpg(process.pid, signal.SIGKILL)      # what it left behind
    except ProcessLookupError:
        pass
    return status, (output or b"").decode(errors="replace")


def tap_program(tap, command, cwd):
    """One of our own programs, which watches its own time limits."""
    process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True, errors="replace")
    results = 0
    for line in process.stdout:
        results += tap.relay(line.rstrip("\n"))
    if process.wait() not in (0, 1) or not results:
        tap.result(False, f"{os.path.basename(command[0])} ran to its end",
                   f"status {process.returncode}, {results} results")


def canaries(tap, program, slow, cwd):
    """Tests that must fail: they show that the checks look."""
    _, output = run([program, f"--limit={5 * slow}", "--seconds=1"], 300 * slow, cwd)
    for name in subprocess.run([program, "--list"], capture_output=True, text=True,
                               check=True).stdout.split():
        line = re.search(rf"^(ok|not ok) \d+ - {name}\b(.*)", output, re.M)
        if line and "SKIP" in line[2]:
            tap.result(True, f"canary {name} is noticed", line[2].strip(" #"))
        else:
            tap.result(bool(line) and line[1] == "not ok", f"canary {name} is noticed")


def huge_pages(number):
    write("/proc/sys/vm/drop_caches", "3")
    write("/proc/sys/vm/nr_hugepages", str(number))


def count_subtests(output):
    """passed, failed, skipped: the results that a selftest printed."""
    passed = failed = skipped = 0
    for line in output.splitlines():
        m = RESULT.match(line.strip())
        other = OTHER_RESULT.search(line)
        if other:
            word = other["uffd"] or other["huge"]
            passed += word in GOOD
            failed += word in BAD
            skipped += word not in GOOD + BAD
        if not m:
            continue
        if "# SKIP" in m[2].upper():
            skipped += 1
        elif m[1] == "ok":
            passed += 1
        else:
            failed += 1
    return passed, failed, skipped


def selftest(name, command, limit, cwd, logs):
    began = time.monotonic()
    status, output = run(command, limit, cwd)
    word = {0: "pass", 4: "skip", None: "timeout"}.get(status, "fail")
    passed, failed, skipped = count_subtests(output)
    with open(os.path.join(logs, re.sub(r"[^\w.-]+", "_", name) + ".txt"), "w",
              encoding="utf-8") as log:
        log.write(output)
    return {"name": name, "result": word, "status": status, "passed": passed,
            "failed": failed, "skipped": skipped,
            "seconds": round(time.monotonic() - began, 1)}


def selftests(tap, opts, cwd, logs):
    """All of the list; the results are compared, mode with mode, on the host."""
    results = []
    column = 2 if opts.full else 1
    with open(opts.list, encoding="utf-8") as f:
        lines = [l.split("#")[0].strip() for l in f]
    for line in filter(None, lines):
        words = line.split()
        if words[0] == "hugepages":
            huge_pages(int(words[1]))
            continue
        if words[0] == "skip":
            name, _, reason = line[len("skip"):].partition(":")
            results.append({"name": name.strip(), "result": "not run",
                            "reason": reason.strip()})
            continue
        command = shlex.split(line.split(None, 3)[3])
        name = " ".join(c for c in command if not c.startswith("--")).replace("./", "")
        if name.startswith("setpriv "):
            name = name.split()[-1]
        if opts.only and not re.search(opts.only, name):
            continue
        limit = int(words[column]) * opts.slow
        if not limit:
            results.append({"name": name, "result": "not run",
                            "reason": "too long for this form; make kernel-test with --full "
                                      "runs it"})
            continue
        if not shutil.which(command[0]):
            command[0] = "./" + command[0]
        if command[0].startswith("./") and not os.path.exists(os.path.join(cwd, command[0])):
            results.append({"name": name, "result": "not run", "reason": "did not build"})
            continue
        result = selftest(name, command, limit, cwd, logs)
        results.append(result)
        tap.note("selftest {name}: {result}, {passed} passed, {failed} failed, {skipped} "
                 "skipped, {seconds} s".format(**result))
    huge_pages(0)
    return results


def series_selftests(tap, cwd, limit):
    """Those that come with the series: they have to pass in both modes."""
    for program in sorted(glob.glob(os.path.join(cwd, "anon_vma_*"))):
        if not os.access(program, os.X_OK) or not os.path.isfile(program):
            continue
        name = "kselftest " + os.path.basename(program)
        status, output = run([program], limit, cwd)
        results = 0
        for line in output.splitlines():
            m = RESULT.match(line.strip())
            if m:
                results += 1
                tap.relay(re.sub(r"^((?:not )?ok \d+) -? ?", rf"\1 - {name}: ", line.strip()))
            else:
                tap.note(line)
        if status not in (0, 4) or not results:
            tap.result(False, name, f"status {status}, {results} results")


def settings(path, names):
    """The values of files, to put them back after a selftest that dies half way."""
    saved = {}
    for name in names:
        try:
            with open(os.path.join(path, name), encoding="ascii") as f:
                value = f.read().strip()
        except OSError:
            continue
        chosen = re.search(r"\[(\S+)\]", value)
        saved[os.path.join(path, name)] = chosen[1] if chosen else value
    return saved


def lab_has_what_tests_need(tap):
    """Without these, rows and canaries would be skipped one by one, and nothing fail."""
    def text(path):
        with open(path, encoding="ascii") as f:
            return f.read()
    tap.result(len(text("/proc/swaps").splitlines()) > 1, "the guest has swap")
    nodes = text("/sys/devices/system/node/has_memory")
    tap.result(bool(re.search("[-,]", nodes)), "the guest has two memory nodes")
    tap.result(os.access("/sys/kernel/mm/page_idle/bitmap", os.W_OK), "the guest has page_idle")
    tap.result(os.access("/sys/kernel/mm/ksm/run", os.W_OK), "the guest has KSM")
    group = "/sys/fs/cgroup/probe"
    write("/sys/fs/cgroup/cgroup.subtree_control", "+memory")
    os.makedirs(group, exist_ok=True)
    tap.result(os.access(group + "/memory.reclaim", os.W_OK), "the guest has memory.reclaim")
    os.rmdir(group)


def main():
    p = argparse.ArgumentParser(allow_abbrev=False)
    p.add_argument("--tests", required=True)
    p.add_argument("--selftests")
    p.add_argument("--list")
    p.add_argument("--results", required=True)
    p.add_argument("--seconds", default="4")
    p.add_argument("--stress", default="60")
    p.add_argument("--seed", default="1")
    p.add_argument("--slow", type=float, default=1, help="factor on all time limits")
    p.add_argument("--full", action="store_true")
    p.add_argument("--only", help="regular expression: these selftests alone")
    p.add_argument("--parts", default="rows,stress,selftests")
    opts = p.parse_args()

    if not os.path.exists("/run/anonrmap-guest"):
        p.error("this is not the guest of linux/lab")
    tap = Tap()
    work = "/run/kernel-test"
    os.makedirs(work, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", work], check=True)
    logs = os.path.join(opts.results, "selftests")
    os.makedirs(logs, exist_ok=True)
    limit = 90 * opts.slow + 5 * float(opts.seconds)
    results = []
    if "rows" in opts.parts:
        lab_has_what_tests_need(tap)
        canaries(tap, os.path.join(opts.tests, "canaries"), opts.slow, work)
        tap_program(tap, [os.path.join(opts.tests, "krows"), f"--seconds={opts.seconds}",
                          f"--seed={opts.seed}", f"--limit={limit}"], work)
    if "stress" in opts.parts:
        tap_program(tap, [os.path.join(opts.tests, "stress"), f"--seconds={opts.stress}",
                          f"--seed={opts.seed}", f"--limit={limit + float(opts.stress)}"],
                    work)
    if "selftests" in opts.parts and opts.selftests:
        programs = os.path.join(work, "mm")
        shutil.copytree(opts.selftests, programs)
        saved = settings("/proc/sys/vm", ["overcommit_memory", "nr_hugepages"])
        saved.update(settings("/sys/kernel/mm/transparent_hugepage", ["enabled", "defrag"]))
        write("/proc/sys/vm/overcommit_memory", "1")
        results = selftests(tap, opts, programs, logs)
        for path, value in saved.items():
            write(path, value)
        series_selftests(tap, programs, 420)
    with open(os.path.join(opts.results, "selftests.json"), "w", encoding="utf-8") as f:
        json.dump(results, f, indent=1)
    subprocess.run(["umount", work], check=False)
    print("# all done", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The correctness run of the Linux port: boots the guest once in each mode, runs our tests,
the stress and the kernel's own mm selftests there, reads the kernel's log, and compares the
modes. TAP on stdout; the last line is "N passed, N failed". See docs/kernel-tests.md.
"""
import argparse
import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, "build", "kernel")
MODES = ("regular", "lazy")
GUESTS = []         # every linux/lab that was started

sys.path.insert(0, HERE)
check_log = __import__("check-log")

# What each form spends. seconds: for each row; stress: in all; slow: how much longer than
# on the default flavour everything may take; wall: when a boot is given up.
FORMS = {
    ("default", "ci"): {"seconds": 3, "stress": 40, "slow": 1, "wall": 1500, "selftests": True},
    ("default", "full"): {"seconds": 20, "stress": 600, "slow": 2, "wall": 14400,
                          "selftests": True},
    ("debug", "ci"): {"seconds": 10, "stress": 120, "slow": 6, "wall": 7200, "selftests": True},
    ("debug", "full"): {"seconds": 60, "stress": 1200, "slow": 10, "wall": 36000,
                        "selftests": True},
    ("kcsan", "ci"): {"seconds": 10, "stress": 120, "slow": 6, "wall": 7200,
                      "selftests": False},
    ("kcsan", "full"): {"seconds": 60, "stress": 1200, "slow": 10, "wall": 36000,
                        "selftests": False},
}


class Tap:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def result(self, good, name, comment=""):
        count = self.passed + self.failed + self.skipped + 1
        if good and "SKIP" in comment:
            self.skipped += 1
        elif good:
            self.passed += 1
        else:
            self.failed += 1
        print(f"{'ok' if good else 'not ok'} {count} - {name}" +
              (f" # {comment}" if comment else ""), flush=True)

    @staticmethod
    def note(text):
        print(f"# {text}", flush=True)


class Boot:
    """One guest: a mode of a flavour."""

    def __init__(self, flavour, mode, form, opts):
        self.flavour, self.mode, self.form, self.opts = flavour, mode, form, opts
        self.name = mode if flavour == "default" else f"{flavour}, {mode}"
        self.dir = os.path.join(BUILD, "test", f"{flavour}-{mode}")
        self.status = self.took = None
        self.lines = []

    def command(self, extra):
        guest = [os.path.join(HERE, "guest-tests.sh"), self.dir,
                 os.path.join(BUILD, "guest", "tests"), f"--seconds={self.form['seconds']}",
                 f"--stress={self.form['stress']}", f"--seed={self.opts.seed}",
                 f"--slow={self.form['slow']}"]
        if self.form["selftests"]:
            guest += ["--selftests", os.path.join(BUILD, "selftests", "bin"),
                      "--list", os.path.join(TOP, "linux", "selftests.list")]
        if self.opts.full:
            guest.append("--full")
        lab = [os.path.join(TOP, "linux", "lab"), f"--flavour={self.flavour}",
               f"--anon-vma={self.mode}", f"--timeout={self.form['wall']}",
               f"--log={self.log}", f"--writable={self.dir}"]
        if self.opts.kernel:
            lab.append(f"--kernel={self.opts.kernel}")
        return lab + ["--"] + guest + extra

    @property
    def log(self):
        return os.path.join(self.dir, "kernel.log")

    def run(self, extra=()):
        os.makedirs(self.dir, exist_ok=True)
        for old in ("selftests.json", "slabs-before", "slabs-after"):
            if os.path.exists(os.path.join(self.dir, old)):
                os.unlink(os.path.join(self.dir, old))
        began = time.monotonic()
        with open(os.path.join(self.dir, "output.tap"), "w+", encoding="utf-8",
                  errors="replace") as out:
            with subprocess.Popen(self.command(list(extra)), stdin=subprocess.DEVNULL,
                                  stdout=out, stderr=subprocess.STDOUT, cwd=TOP) as lab:
                GUESTS.append(lab)
                self.status = lab.wait()
            out.seek(0)
            self.lines = out.read().splitlines()
        self.took = time.monotonic() - began
        return self

    def selftests(self):
        try:
            with open(os.path.join(self.dir, "selftests.json"), encoding="utf-8") as f:
                return json.load(f)
        except (OSError, ValueError):
            return []


def kunit_results(log):
    """(good, name) of each KUnit test case of the series in a kernel log."""
    suite, results = None, []
    with open(log, encoding="utf-8", errors="replace") as f:
        for line in f:
            line = check_log.without_time(line)
            m = re.match(r"\s*# Subtest: (\S+)", line)
            if m:
                suite = m[1]
                continue
            m = re.match(r"\s+(ok|not ok) \d+ (\S+)(.*)", line)
            if m and suite and "anon_vma" in suite:
                results.append((m[1] == "ok", f"{suite}.{m[2]}", m[3].strip(" #")))
    return results


def report_boot(tap, boot):
    """Everything that one guest said about itself."""
    ended = False
    for line in boot.lines:
        m = re.match(r"(ok|not ok)\b\s*\d*\s*-\s*([^#]*?)\s*(?:# ?(.*))?$", line)
        if m:
            tap.result(m[1] == "ok", f"{boot.name}: {m[2]}", m[3] or "")
        elif line.strip():
            ended = ended or line == "# all done"
            tap.note(f"{boot.name}: {line.lstrip('# ')}")
    tap.result(ended and boot.status == 0, f"{boot.name}: the guest ran to its end",
               "" if ended and boot.status == 0 else f"lab's exit status {boot.status}")
    for good, name, comment in kunit_results(boot.log) if os.path.exists(boot.log) else ():
        tap.result(good, f"{boot.name}: kunit {name}", comment)
    wrong, accepted = check_log.check_file(boot.log) if os.path.exists(boot.log) \
        else ([(0, "no log")], 0)
    for number, text in wrong[:30]:
        tap.note(f"{boot.name}: kernel log, line {number}: {text}")
    tap.result(not wrong, f"{boot.name}: nothing wrong in the kernel log",
               f"{accepted} lines accepted" if accepted else "")
    tap.note(f"{boot.name}: {boot.took:.0f} s in all")


def vma_counts(boot):
    return {m[1]: int(m[2]) for m in (re.match(r"# vmas (\S+) (\d+)$", l) for l in boot.lines)
            if m}


def check_mode(tap, boot):
    """A boot that asked for a topology has to have it."""
    said = [l for l in boot.lines if re.match(r"# (lazy|regular): \d+ VMAs", l)]
    if not said:
        return
    good = said[0].startswith(f"# {boot.mode}:")
    if not good and boot.opts.kernel:
        tap.result(True, f"{boot.name}: the topology that was asked for",
                   "SKIP the kernel that --kernel names has only the regular one")
    else:
        tap.result(good, f"{boot.name}: the topology that was asked for")


def compare_vmas(tap, regular, lazy):
    """R15: VMAs merge at least as often."""
    a, b = vma_counts(regular), vma_counts(lazy)
    more = [f"{name}: {a[name]} regular, {b.get(name)} lazy" for name in a
            if name not in b or b[name] > a[name]]
    for text in more:
        tap.note(f"more VMAs: {text}")
    tap.result(bool(a) and not more, "lazy: r15 no more VMAs than in regular mode",
               f"{sum(b.values())} and {sum(a.values())} over {len(a)} sequences")


def worse(a, b):
    """Is lazy's result @b worse than regular's @a?"""
    if a["result"] == "not run" or b["result"] == "not run":
        return a["result"] != b["result"]
    good = ("pass", "skip")
    return (a["result"] in good and b["result"] not in good) or \
        (a["result"] == "pass" and b["result"] == "skip") or \
        b.get("passed", 0) < a.get("passed", 0) or b.get("failed", 0) > a.get("failed", 0)


def run_again(boot, names):
    """A selftest that came out worse gets two more boots: some are not certain by themselves."""
    only = "|".join("^" + re.escape(n) + "$" for n in names)
    again = Boot(boot.flavour, boot.mode, boot.form, boot.opts)
    again.dir = boot.dir + "-again"
    again.run(["--parts=selftests", f"--only={only}"])
    return again


def compare_selftests(tap, regular, lazy):
    a = {r["name"]: r for r in regular.selftests()}
    b = {r["name"]: r for r in lazy.selftests()}
    if not a:
        tap.result(False, "selftests: no results in regular mode")
        return {}
    for _ in range(2):
        names = [n for n in a if n in b and worse(a[n], b[n])]
        if not names:
            break
        again = run_again(lazy, names)
        for r in again.selftests():
            if r["name"] in names and not worse(a[r["name"]], r):
                r["runs"] = b[r["name"]].get("runs", 1) + 1
                b[r["name"]] = r
        wrong, _ = check_log.check_file(again.log)
        tap.result(not wrong, "lazy: nothing wrong in the kernel log of the second run")
    for name, r in a.items():
        if r["result"] == "not run":
            tap.result(True, f"lazy: mm/{name}", f"SKIP {r.get('reason', '')}")
        else:
            tap.result(name in b and not worse(r, b[name]), f"lazy: mm/{name} as in regular")
    return {"regular": list(a.values()), "lazy": list(b.values())}


def cell(r):
    if not r:
        return "no result"
    if r["result"] == "not run":
        return "not run"
    return f"{r['result']} {r['passed']}/{r['failed']}/{r['skipped']}"


def selftest_table(tap, both):
    if not both:
        return
    lazy = {r["name"]: r for r in both["lazy"]}
    tap.note("mm selftests: result, subtests passed/failed/skipped")
    tap.note(f"{'program':<44} {'regular':<20} {'lazy':<20}")
    for r in both["regular"]:
        tap.note(f"{r['name'][:44]:<44} {cell(r):<20} {cell(lazy.get(r['name'])):<20} "
                 f"{r.get('reason', '')}".rstrip())
    for mode in MODES:
        words = [r["result"] for r in both[mode]]
        tap.note(f"{mode}: " + ", ".join(f"{words.count(w)} {w}" for w in
                                         ("pass", "fail", "timeout", "skip", "not run")))


def build(opts, flavours):
    """Whatever is missing: kernels, guest programs, selftests."""
    source = opts.source or os.path.join(BUILD, "src")
    if not opts.kernel:
        for flavour in flavours:
            subprocess.run([os.path.join(HERE, "build.sh"), flavour], check=True,
                           stdout=sys.stderr)
    subprocess.run(["make", "-s", "-C", os.path.join(TOP, "linux", "guest", "tests"),
                    f"OUT={BUILD}/guest/tests"], check=True, stdout=sys.stderr)
    subprocess.run([os.path.join(HERE, "build-selftests.sh"), source,
                    os.path.join(BUILD, "selftests")], check=True, stdout=sys.stderr)


def self_tests(tap):
    """The comparison and the log checker have to be able to say no."""
    def ran(result, passed=5, failed=0):
        return {"result": result, "passed": passed, "failed": failed}
    for name, a, b, expected in (
            ("the same", ran("pass"), ran("pass"), False),
            ("both fail", ran("fail"), ran("fail"), False),
            ("better", ran("fail", 4, 1), ran("pass"), False),
            ("lazy fails", ran("pass"), ran("fail"), True),
            ("lazy hangs", ran("pass"), ran("timeout"), True),
            ("lazy skips", ran("pass"), ran("skip"), True),
            ("fewer subtests", ran("pass"), ran("pass", 4), True),
            ("more failed subtests", ran("fail", 5, 1), ran("fail", 5, 2), True),
            ("not run in lazy", ran("pass"), {"result": "not run"}, True)):
        tap.result(worse(a, b) == expected, f"compare: {name}")
    out = subprocess.run([os.path.join(HERE, "check-log.py"), "--self-test"],
                         capture_output=True, text=True).stdout
    results = re.findall(r"^(ok|not ok) \d+ - (.*)$", out, re.M)
    for word, name in results:
        tap.result(word == "ok", f"check-log: {name}")
    if not results:
        tap.result(False, "check-log: ran")


def one_flavour(tap, flavour, opts):
    form = FORMS[flavour, "full" if opts.full else "ci"]
    boots = [Boot(flavour, mode, form, opts) for mode in opts.modes]
    if opts.parallel:
        with concurrent.futures.ThreadPoolExecutor(len(boots)) as pool:
            list(pool.map(Boot.run, boots))
    else:
        for boot in boots:
            boot.run()
    for boot in boots:
        report_boot(tap, boot)
        check_mode(tap, boot)
    if len(boots) < 2:
        return
    compare_vmas(tap, *boots)
    if form["selftests"]:
        both = compare_selftests(tap, *boots)
        selftest_table(tap, both)
        name = "selftests.json" if flavour == "default" else f"selftests-{flavour}.json"
        with open(os.path.join(BUILD, name), "w", encoding="utf-8") as f:
            json.dump({"schema_version": 1, "flavour": flavour, **both}, f, indent=1)


def stop(*_):
    """No guest outlives this program."""
    for lab in GUESTS:
        if lab.poll() is None:
            lab.terminate()
    os._exit(1)


def main():
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    p = argparse.ArgumentParser(prog="kernel-test.sh", description=__doc__)
    p.add_argument("--debug", action="store_true", help="the debug and kcsan flavours")
    p.add_argument("--full", action="store_true", help="hours instead of minutes")
    p.add_argument("--ci", dest="full", action="store_false", help="minutes (the default)")
    p.add_argument("--seed", type=int, default=int(time.time()) % 1000000)
    p.add_argument("--modes", type=lambda t: t.split(","), default=list(MODES),
                   help="regular,lazy or one of them")
    p.add_argument("--sequential", dest="parallel", action="store_false",
                   help="one guest after the other")
    p.add_argument("--kernel", metavar="FILE", help="this image instead of building one")
    p.add_argument("--source", metavar="DIR", help="selftests from this tree")
    opts = p.parse_args()

    began = time.monotonic()
    flavours = ["debug", "kcsan"] if opts.debug else ["default"]
    build(opts, flavours)
    print("TAP version 13")
    tap = Tap()
    tap.note(f"seed {opts.seed}")
    self_tests(tap)
    for flavour in flavours:
        one_flavour(tap, flavour, opts)
    print(f"1..{tap.passed + tap.failed + tap.skipped}")
    print(f"# {time.monotonic() - began:.0f} s, {tap.skipped} skipped")
    print(f"{tap.passed} passed, {tap.failed} failed")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())

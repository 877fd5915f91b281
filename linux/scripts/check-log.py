#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Does this kernel log say that something went wrong?

    check-log.py LOG...        prints what it found, exit status 1 if anything
    check-log.py --self-test   each sample beside this program, log-samples/bad-*.log, must be
                               refused, each good-*.log accepted
"""
import glob
import os
import re
import sys

# What fails a run: anything that a kernel prints when it notices a bug of its own.
WRONG = [re.compile(p) for p in (
    r"\bWARNING: ",
    r"\bBUG: ",
    r"\bBUG at ",
    r"\bkernel BUG\b",
    r"^Oops\b|: Oops:|\bOops: ",
    r"general protection fault",
    r"unable to handle",
    r"Kernel panic",
    r"KASAN:|UBSAN:|KFENCE:",
    r"\bINFO: (possible|trying to register|inconsistent|lockdep is turned off)",
    r"possible (circular locking|recursive locking|irq lock inversion|deadlock)",
    r"inconsistent lock state",
    r"bad unlock balance",
    r"DEBUG_LOCKS_WARN_ON",
    r"suspicious RCU usage",
    r"\brcu: INFO: .*(detected|stall)",
    r"rcu_\w+ (kthread starved|self-detected stall)",
    r"\bINFO: task .* blocked for more than",
    r"soft lockup|hard LOCKUP",
    r"sleeping function called from invalid context",
    r"scheduling while atomic",
    r"Bad rss-counter state",
    r"non-zero pgtables_bytes",
    r"Bad page (state|map|cache)",
    r"Bad swap (file|offset)|swap_info_get: |swap_dup: ",
    r"page dumped because",
    r"refcount_t: ",
    r"list_(add|del) (corruption|double)",
    r"ODEBUG: ",
    r"Objects remaining in|Slab cache still has objects|Object already free|\bRedzone overwritten",
    r"kmemleak: \d+ new suspected",
    r"\bOut of memory: Killed process",
    r"\bcut here\b",
    r"\bCall Trace:",
)]

# Lines that look wrong and are not. Each with its reason; keep it tiny.
ACCEPTED = [(re.compile(p), why) for p, why in (
    (r"page dumped because: gup_test: dump_pages\(\) test",
     "the selftest gup_test -c asks the kernel to print pages"),
)]

# A data race counts when one of the functions in its two stacks is the reverse map's; the
# kernel's other races are there without the series too.
OURS = re.compile(r"anon_vma|\bavc_|rmap_|folio_lock_anon|page_vma_mapped|"
                  r"\bvma_(merge|split|expand|shrink|complete|prepare|link|adjust)|"
                  r"unmap_region|copy_vma|detached|ksm")

# A trace after one of these says that an allocation failed, which is what fault injection is
# for; the allocation's caller is who has to cope.
ALLOCATION_FAILED = re.compile(r": (vmalloc error|page allocation failure)")
LINES_BEFORE_A_TRACE = 6

TIME = re.compile(r"^(<\d+>)?\[\s*\d+\.\d+\](\[\s*[TC]\d+\])?\s?")


def without_time(line):
    return TIME.sub("", line.rstrip("\n"))


def kcsan_reports(lines):
    """(first line's number, its lines) of each report, and the numbers of all their lines."""
    reports, inside = [], set()
    number = 0
    while number < len(lines):
        if "BUG: KCSAN:" in lines[number]:
            end = number + 1
            while end < len(lines) and end < number + 80 and \
                    not lines[end].startswith("======"):
                end += 1
            reports.append((number, lines[number:end]))
            inside.update(range(number, end))
            number = end
        number += 1
    return reports, inside


def kcsan_is_ours(report):
    return any(OURS.search(line) for line in report)


def check(lines):
    """What is wrong: a list of (line number from 1, text). And the accepted lines' number."""
    lines = [without_time(line) for line in lines]
    reports, inside = kcsan_reports(lines)
    wrong = [(number + 1, report[0]) for number, report in reports if kcsan_is_ours(report)]
    accepted = len(reports) - len(wrong)
    for number, line in enumerate(lines):
        if number in inside or not any(p.search(line) for p in WRONG):
            continue
        before = lines[max(0, number - LINES_BEFORE_A_TRACE):number]
        if any(p.search(line) for p, _ in ACCEPTED) or \
                ("Call Trace:" in line and any(map(ALLOCATION_FAILED.search, before))):
            accepted += 1
            continue
        wrong.append((number + 1, line))
    return sorted(wrong), accepted


def check_file(name):
    with open(name, encoding="utf-8", errors="replace") as log:
        lines = log.readlines()
    # A log that is empty, or does not begin with a boot, shows nothing: that is no success.
    if not any("Linux version" in line for line in lines):
        return [(0, "no boot message: not a complete kernel log")], 0
    return check(lines)


def self_test():
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "log-samples")
    failed = 0
    samples = sorted(glob.glob(os.path.join(here, "*.log")))
    for number, name in enumerate(samples, 1):
        wrong, _ = check_file(name)
        base = os.path.basename(name)
        right = bool(wrong) == base.startswith("bad-")
        failed += not right
        print(f"{'ok' if right else 'not ok'} {number} - log sample {base}")
    print(f"1..{len(samples)}")
    return 1 if failed or not samples else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    bad = 0
    for name in sys.argv[1:]:
        try:
            wrong, accepted = check_file(name)
        except OSError as e:
            print(f"check-log: {name}: {e.strerror}", file=sys.stderr)
            return 2
        for number, line in wrong[:40]:
            print(f"{name}:{number}: {line}")
        if accepted:
            print(f"{name}: {accepted} lines or reports accepted")
        bad += len(wrong)
    if len(sys.argv) < 2:
        print("usage: check-log.py LOG... | --self-test", file=sys.stderr)
        return 2
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

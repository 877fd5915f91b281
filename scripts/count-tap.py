#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Count the TAP results in meson's testlog.json: prints "PASSED FAILED".

A test program that failed without a "not ok" line (a crash, a sanitizer's
report, a bad plan) counts as one failure.
"""
import json
import re
import sys


def main():
    passed = failed = 0
    with open(sys.argv[1], encoding="utf-8") as log:
        for line in log:
            test = json.loads(line)
            lines = test.get("stdout", "").splitlines()
            good = sum(1 for l in lines if re.match(r"ok\b", l) and "# SKIP" not in l.upper())
            bad = sum(1 for l in lines if re.match(r"not ok\b", l) and "# TODO" not in l.upper())
            if test["result"] not in ("OK", "SKIP", "EXPECTEDFAIL") and not bad:
                bad = 1
            passed += good
            failed += bad
    print(passed, failed)


if __name__ == "__main__":
    main()

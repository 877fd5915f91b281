#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A pool of forked workers that read what their parent made, and make lists."""
import multiprocessing
import sys

WORKERS = 8
TASKS = 32
SHARED = [str(i) for i in range(20000)]


def work(task):
    own = [SHARED[i] * 2 for i in range(task, len(SHARED), 4)]
    return sum(len(text) for text in own)


if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(WORKERS) as pool:
        total = sum(pool.map(work, range(TASKS), chunksize=1))
    sys.exit(0 if total > 0 else 1)

# SPDX-License-Identifier: GPL-2.0
"""A fork-heavy program: a pool of workers over a table that the parent built.

The table is inherited copy-on-write; the workers read all of it, change the
reference counts in it, and so copy a part of its pages.
"""
import hashlib
import multiprocessing

TABLE = {}


def work(job):
    digest = hashlib.sha256()
    scratch = []
    for key in range(job, len(TABLE), 8):
        digest.update(TABLE[key])
        scratch.append(TABLE[key] * 2)
    return job, len(scratch), digest.hexdigest()


def main():
    for i in range(40000):
        TABLE[i] = b"%08d" % i * 4
    context = multiprocessing.get_context("fork")
    # Workers are replaced after two jobs each: many forks of a grown parent.
    with context.Pool(4, maxtasksperchild=2) as pool:
        results = pool.map(work, range(48), chunksize=1)
    total = sum(count for _, count, _ in results)
    print(f"default job: {len(results)} jobs over {total} entries done")


if __name__ == "__main__":
    main()

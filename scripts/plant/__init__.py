# SPDX-License-Identifier: GPL-2.0
"""What scripts/planted.py is made of: see there."""
import concurrent.futures


class Pool(concurrent.futures.ThreadPoolExecutor):
    """Threads that, when something goes wrong, end with the jobs they are at."""

    def __exit__(self, kind, value, trace):
        self.shutdown(wait=True, cancel_futures=kind is not None)
        return False

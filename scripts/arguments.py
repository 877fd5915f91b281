# SPDX-License-Identifier: GPL-2.0
"""What several scripts want of their arguments."""
import argparse


def at_least_1(text):
    """For add_argument(type=): how many at a time."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: not a whole number from 1")
    return int(text)

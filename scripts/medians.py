#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Medians, and lazy/regular ratios, of the lines that bench/scale prints."""
import statistics
import sys


def main():
    values = {}
    for line in sys.stdin:
        head, value_unit = line[:51], line[51:].split(None, 1)
        name, topology, figure = head.split(None, 2)
        key = (name, figure.strip(), value_unit[1].strip())
        values.setdefault(key, {}).setdefault(topology, []).append(float(value_unit[0]))
    print(f"{'':12} {'median of runs':28} {'regular':>14} {'lazy':>14} {'ratio':>7}")
    for (name, figure, unit), by in values.items():
        regular = statistics.median(by["regular"])
        lazy = statistics.median(by["lazy"])
        ratio = f"{lazy / regular:7.3f}" if regular else "      -"
        print(f"{name:12} {figure:28} {regular:14.2f} {lazy:14.2f} {ratio} {unit}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Run the workloads in the guest, in both modes, and compare.

Each part of guest.sh is booted several times per mode. The boots of the two modes take
turns, two at a time: the guest's clock counts instructions and does not depend on what
else the host does. A figure
is the median of its boots; its ratio is that of the medians, its spread the least and
the greatest ratio of a pair of boots. docs/kernel-bench.md explains all of it.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import predict

HERE = os.path.dirname(os.path.abspath(__file__))
LINUX = os.path.dirname(HERE)
TOP = os.path.dirname(LINUX)
MODES = ("regular", "lazy")

# What issue and README promise: lazy / regular at most; LIVE: lazy itself.
LIVE = 64
GOALS = {
    "phone.anon_vma_kb": 0.01,
    "phone.anon_vma_chain_kb": 0.01,
    "phone.vm_area_struct_kb": 1.00,
    "contention.p50": 1.05,
    "contention.p99": 1.10,
    "fork.20": None,
    "fork.1000": 0.80,
    "fork.10000": 0.75,
    "first_fault": 0.90,
    "split_merge": 0.90,
    "munmap": 0.97,
    "mremap_move": 1.02,
    "migrate.exclusive.0": 1.03,
    "migrate.cowed.400": 0.05,
    "migrate.younger.400": 1.03,
    "migrate.shared.24": 1.10,
    "migrate.shared.400": 1.15,
    "pageout.exclusive.0": 1.03,
    "pageout.cowed.400": 0.05,
    "pageout.younger.400": 1.03,
    "pageout.shared.24": 1.10,
    "pageout.shared.400": 1.15,
    "ksm.longest_walk": 0.05,
    "generations.anon_vma": None,
}

# Part of guest.sh, and how often it boots per mode: objects are counted, so that one
# boot gives what the next would.
PARTS = (("times", 5), ("counts", 1))

# Four CPUs that work, two that walk.
LAB = ("--icount", "--cpus=6", "--memory=2G")

# Caches not merged, so that each has its row. Without "fast short strings" the kernel
# clears and copies 8 bytes an instruction, not 1: with a clock that counts instructions,
# clearing a page would else weigh ten times what it does on a real CPU.
APPEND = "slab_nomerge clearcpuid=erms,fsrm,fsrs"


class Failure(Exception):
    """A workload that broke: what is said on stderr."""


def count(text):
    if not re.fullmatch(r"[1-9][0-9]{0,3}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 9999")
    return int(text)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--short", dest="form", action="store_const", const="short",
                      default="short", help="a few minutes (default)")
    form.add_argument("--full", dest="form", action="store_const", const="full")
    parser.add_argument("--boots", type=count, metavar="N",
                        help="boots per mode of what is timed (default 5)")
    parser.add_argument("--parts", default=",".join(part[0] for part in PARTS),
                        help="some of %(default)s")
    parser.add_argument("--kernel", metavar="IMAGE", help="another kernel than the lab's")
    parser.add_argument("--early-stop", metavar="KERNEL-ARGUMENT",
                        help="a third column: regular, with this on its command line")
    parser.add_argument("--serial", action="store_true", help="one guest at a time")
    parser.add_argument("--build", default=os.path.join(TOP, "build", "kernel"),
                        metavar="DIR", help="where results and logs go")
    return parser.parse_args()


class Lab:
    """Boots guests, and collects what they print."""

    def __init__(self, options):
        self.options = options
        self.kernel = None
        self.values = {}  # name -> mode -> values, one a boot
        self.units = {}
        self.took = {}  # workload -> seconds in the guest

    def command(self, mode, part, log):
        append = APPEND
        if mode == "early-stop":
            append += " " + self.options.early_stop
        lab = [os.path.join(LINUX, "lab"),
               "--anon-vma=" + ("lazy" if mode == "lazy" else "regular"),
               *LAB, "--append=" + append,
               "--timeout=" + ("600" if self.options.form == "short" else "7200"),
               "--log=" + log]
        if self.options.kernel:
            lab.append("--kernel=" + self.options.kernel)
        return lab + ["--", os.path.join(LINUX, "guest", "bench", "guest.sh"),
                      os.path.join(self.options.build, "guest", "bench"),
                      self.options.form, part]

    def boot(self, mode, part, boot):
        """One boot; returns its output, or raises Failure."""
        name = f"{part}-{mode}-{boot}"
        logs = os.path.join(self.options.build, "log")
        os.makedirs(logs, exist_ok=True)
        log = os.path.join(logs, f"bench-{name}.log")
        begin = time.monotonic()
        done = subprocess.run(self.command(mode, part, log), check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        print(f"  {name}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
        with open(os.path.join(logs, f"bench-{name}.out"), "w", encoding="utf-8") as out:
            out.write(done.stdout + done.stderr)
        if done.returncode:
            raise Failure(f"{name}: status {done.returncode}, kernel log {log}\n"
                          + done.stderr[-2000:])
        return done.stdout

    def collect(self, mode, output):
        """One boot's figures; of those that it printed several times, the median."""
        figures = {}
        for line in output.splitlines():
            words = line.split()
            if not words:
                continue
            if words[0] == "kernel":
                self.kernel = words[1]
            elif words[0] == "figure" and len(words) == 4:
                figures.setdefault(words[1], []).append(float(words[2]))
                self.units[words[1]] = words[3]
            elif words[0] == "took":
                workload = re.sub(r"/tmp/\S*/", "", " ".join(words[3:]))
                self.took[workload] = float(words[2]) - float(words[1])
        for name, values in figures.items():
            by_mode = self.values.setdefault(name, {})
            by_mode.setdefault(mode, []).append(statistics.median(values))

    def run(self, modes, part, boots):
        """All boots of one part; the order of the modes turns round each time."""
        with ThreadPoolExecutor(1 if self.options.serial else 2) as pool:
            jobs = []
            for boot in range(boots):
                for mode in modes if boot % 2 == 0 else reversed(modes):
                    jobs.append((mode, pool.submit(self.boot, mode, part, boot)))
            failures = []
            for mode, job in jobs:
                try:
                    self.collect(mode, job.result())
                except Failure as failure:
                    failures.append(str(failure))
        if failures:
            raise Failure("\n".join(failures))


def mean_of_forms(values):
    """contention.p50 and .p99, boot by boot: geometric means over threads and tree.

    Of the medians of each call; of the 99th percentile of all calls together.
    """
    for rank, calls in (("p50", r"(mprotect|munmap|mremap)"), ("p99", "all")):
        names = [name for name in values
                 if re.fullmatch(rf"contention\.(threads|tree)\.{calls}\.{rank}", name)]
        for mode in {mode for name in names for mode in values[name]}:
            boots = zip(*(values[name][mode] for name in names))
            values.setdefault(f"contention.{rank}", {})[mode] = [
                statistics.geometric_mean(boot) for boot in boots]


def predictions(lab):
    """Rows that compare the guest's slabs with a replayed recording of the same program."""
    measured = {mode: {} for mode in MODES}
    for row in predict.ROWS:
        for mode, values in lab.values.pop("predict." + row, {}).items():
            if mode in measured:
                measured[mode][row] = values[0]
    if not measured["regular"]:
        return [], 0
    predicted, surplus = predict.predict(
        os.path.join(TOP, "build", "default", "cli", "anonrmap"),
        os.path.join(lab.options.build, "guest", "bench", "predict_tree"))
    return predict.compare(predicted, measured), surplus


def ratio_of(lazy, regular):
    if regular:
        return lazy / regular
    return 1.0 if not lazy else None


def summarise(lab):
    """Rows for results.json and the table, in the order of GOALS, then by name."""
    values = lab.values
    mean_of_forms(values)
    rows = []
    for name in list(GOALS) + sorted(set(values) - set(GOALS)):
        by_mode = values.get(name, {})
        if not all(by_mode.get(mode) for mode in MODES):
            continue
        regular, lazy = (statistics.median(by_mode[mode]) for mode in MODES)
        pairs = [ratio_of(b, a) for a, b in zip(by_mode["regular"], by_mode["lazy"])]
        pairs = [pair for pair in pairs if pair is not None]
        row = {"name": name, "regular": regular, "lazy": lazy,
               "ratio": ratio_of(lazy, regular), "goal": GOALS.get(name),
               "unit": lab.units.get(name, "us"),
               "spread": [min(pairs), max(pairs)] if pairs else None,
               "boots": len(by_mode["lazy"])}
        if by_mode.get("early-stop"):
            row["early_stop"] = statistics.median(by_mode["early-stop"])
        if name == "generations.anon_vma":
            row["at_most"] = LIVE
            row["ok"] = lazy < LIVE
        elif row["goal"] is not None:
            row["ok"] = row["ratio"] is not None and row["ratio"] <= row["goal"]
        rows.append(row)
    return rows


def goal_text(row):
    if "at_most" in row:
        return f"lazy < {row['at_most']}"
    return "" if row["goal"] is None else f"{row['goal']:.2f}"


def number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.1f}"


def print_rows(rows, early_stop):
    stop = f"{'early stop':>12}" if early_stop else ""
    print(f"{'':<36}{'regular':>12}{'lazy':>12}{stop} {'':<8}{'ratio':>7}"
          f"  {'spread':<12} {'goal':>9}")
    for row in rows:
        ratio = "-" if row["ratio"] is None else f"{row['ratio']:.3f}"
        spread = ""
        if row["spread"] and row["boots"] > 1:
            spread = "{:.3f}..{:.3f}".format(*row["spread"])
        stop = f"{number(row.get('early_stop')):>12}" if early_stop else ""
        verdict = {True: "ok", False: "MISS", None: ""}[row.get("ok")]
        print(f"{row['name']:<36}{number(row['regular']):>12}{number(row['lazy']):>12}"
              f"{stop} {row['unit']:<8}{ratio:>7}  {spread:<12} {goal_text(row):>9}"
              f"  {verdict}".rstrip())


def report(rows, lab, seconds):
    boots = max(row["boots"] for row in rows)
    print(f"kernel    {lab.kernel}, one image, anon_vma=regular and anon_vma=lazy")
    print(f"form      {lab.options.form}; medians of {boots} boots per mode, "
          f"{seconds:.0f} s for all")
    print("spread    least and greatest lazy/regular of a pair of boots")
    print()
    main = [row for row in rows if row["name"] in GOALS]
    print_rows(main, lab.options.early_stop)
    print()
    print_rows([row for row in rows if row["name"] not in GOALS], lab.options.early_stop)
    print()
    missed = [row["name"] for row in main if row.get("ok") is False]
    reached = sum(1 for row in main if row.get("ok"))
    print(f"goals     {reached} reached, {len(missed)} missed"
          + (": " + " ".join(missed) if missed else ""))


def main():
    options = parse_arguments()
    chosen = options.parts.split(",")
    unknown = set(chosen) - {part[0] for part in PARTS}
    if unknown:
        sys.exit("bench.py: no such part: " + " ".join(sorted(unknown)))
    modes = MODES + (("early-stop",) if options.early_stop else ())
    lab = Lab(options)
    begin = time.monotonic()
    failure = None
    for part, boots in PARTS:
        if part not in chosen:
            continue
        if boots > 1 and options.boots:
            boots = options.boots
        try:
            lab.run(modes, part, boots)
        except Failure as error:
            failure = error
            print(f"bench.py: {error}", file=sys.stderr)
    predicted, surplus = [], 0
    try:
        predicted, surplus = predictions(lab)
    except (OSError, subprocess.SubprocessError) as error:
        failure = error
        print(f"bench.py: no prediction: {error}", file=sys.stderr)
    rows = summarise(lab)
    if rows:
        report(rows, lab, time.monotonic() - begin)
    if predicted:
        print()
        predict.print_table(predicted, surplus)
    result = os.path.join(options.build, "results.json")
    with open(result, "w", encoding="utf-8") as file:
        json.dump({"schema_version": 1, "kernel": lab.kernel, "form": options.form,
                   "complete": failure is None, "figures": rows + predicted,
                   "guest_seconds": lab.took}, file, indent=1)
        file.write("\n")
    sys.exit(1 if failure else 0)


if __name__ == "__main__":
    main()

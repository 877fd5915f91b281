#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Compare object counts: predicted by replaying a recording, and in a guest's slabs.

The program is linux/guest/bench/predict_tree.c. The recorder runs it on this machine;
each topology replays the recording; `bench spawned` ran the same program in the guest
and counted the objects that it holds (part "counts" of guest.sh).

As a program: predict.py ANONRMAP PREDICT_TREE prints what is predicted. bench.py adds
what was measured, and prints the table.
"""
import json
import os
import subprocess
import sys
import tempfile

ROWS = ("vm_area_struct", "anon_vma", "anon_vma_chain")
LIMIT = 0.01


def special_areas():
    """How many areas the kernel of this machine gives each process for its clock data.

    Linux 6.12 has one, [vvar]; since 6.13 there is a second one, [vvar_vclock].
    """
    with open("/proc/self/maps", encoding="utf-8") as maps:
        return sum("[vvar" in line for line in maps)


def predict(anonrmap, program):
    """Record and replay; returns {topology: {row: objects}} for a 6.12 kernel."""
    with tempfile.TemporaryDirectory() as directory:
        trace = os.path.join(directory, "predict.trace")
        subprocess.run([anonrmap, "record", "-o", trace, "--", program], check=True)
        replay = subprocess.run([anonrmap, "replay", "--check", "off", "--json", trace],
                                check=True, stdout=subprocess.PIPE, text=True)
    report = json.loads(replay.stdout)
    surplus = (special_areas() - 1) * report["trace"]["processes_alive"]
    predicted = {}
    for topology in report["topologies"]:
        objects = {row: topology["objects"][row]["peak"] for row in ROWS}
        objects["vm_area_struct"] -= surplus
        predicted[topology["name"]] = objects
    return predicted, surplus


def compare(predicted, measured):
    """Rows for results.json: predicted and measured, by row and topology."""
    rows = []
    for row in ROWS:
        for topology, objects in predicted.items():
            if measured.get(topology, {}).get(row) is None:
                continue
            want, got = objects[row], measured[topology][row]
            rows.append({"name": f"predict.{row}.{topology}", "unit": "objects",
                         "predicted": want, "measured": got,
                         "regular": got if topology == "regular" else None,
                         "lazy": got if topology == "lazy" else None,
                         "ratio": got / want if want else None, "goal": None,
                         "ok": abs(got - want) <= LIMIT * max(want, got)})
    return rows


def print_table(rows, surplus):
    print(f"{'prediction':<36}{'predicted':>12}{'guest':>12}{'off':>10}")
    for row in rows:
        off = "-" if row["ratio"] is None else f"{100 * row['ratio'] - 100:+.2f} %"
        print(f"{row['name'].removeprefix('predict.'):<36}{row['predicted']:>12,}"
              f"{row['measured']:>12,.0f}{off:>10}  {'ok' if row['ok'] else 'MISS'}")
    if surplus:
        print(f"(less {surplus} areas of clock data, which the kernel of this machine has "
              "and 6.12 has not)")


def main():
    if len(sys.argv) != 3:
        sys.exit("Usage: predict.py ANONRMAP PREDICT_TREE")
    predicted, surplus = predict(sys.argv[1], sys.argv[2])
    json.dump({"predicted": predicted, "surplus_areas": surplus}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Check the models of the protocols, exhaustively: models/*.pml, with spin.

Each model is verified as it is: no error, and the search complete. Then once for each
of its switches, the names that its #if lines ask for: each takes away a barrier or a
step, and the verification must find an error. A switch that finds none fails, as does
a model without switches: a model that cannot fail proves nothing.
"""
import argparse
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from arguments import at_least_1	# noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MODELS = os.path.join(ROOT, "models")
# Not switches: sizes that may be set.
PARAMETERS = {"WALKS"}
# pan gives up at this, which is then a failure, as the search is not complete.
MEGABYTES = 2000
DEPTH = 20000


def switches_of(path):
    """Names that the #if lines of a model ask for, in order."""
    names = []
    with open(path) as f:
        for line in f:
            m = re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b(.*)", line)
            if not m:
                continue
            for name in re.findall(r"[A-Z][A-Z0-9_]+", m.group(2)):
                if name not in PARAMETERS and name not in names:
                    names.append(name)
    return names


def models(wanted):
    names = sorted(n[:-4] for n in os.listdir(MODELS) if n.endswith(".pml"))
    unknown = set(wanted) - set(names)
    if unknown:
        print(f"models.py: no such model: {' '.join(sorted(unknown))}", file=sys.stderr)
        sys.exit(2)
    return [n for n in names if n in wanted or not wanted]


def run(command, cwd):
    return subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")


def verify(build, model, switch):
    """One verification. Returns what came out of it; "error" says why there is no result."""
    work = os.path.join(build, model, switch or "as-it-is")
    result = {"model": model, "switch": switch, "states": 0, "errors": None, "found": None,
              "complete": False, "error": None, "seconds": 0.0}
    started = time.monotonic()
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    for name in (model + ".pml", "primitives.h"):
        shutil.copy(os.path.join(MODELS, name), work)
    define = ["-D" + switch] if switch else []
    steps = [["spin", "-a", *define, model + ".pml"],
             # Most searches are over at once: compiling well would take longer.
             ["gcc", "-O2" if not switch else "-O0", "-w", "-DSAFETY", f"-DMEMLIM={MEGABYTES}",
              "-o", "pan", "pan.c"]]
    for step in steps:
        done = run(step, work)
        if done.returncode or "rror:" in done.stdout or not os.path.exists(
                os.path.join(work, "pan.c")):
            result["error"] = done.stdout.strip().splitlines()[:3]
            return result
    out = run(["./pan", f"-m{DEPTH}", "-w20", "-n"], work).stdout
    m = re.search(r"errors: (\d+)", out)
    if not m:
        result["error"] = out.strip().splitlines()[-3:]
        return result
    result["errors"] = int(m.group(1))
    m = re.search(r"(\d+(?:\.\d+)?(?:e\+\d+)?) states, stored", out)
    result["states"] = int(float(m.group(1))) if m else 0
    m = re.search(r"^pan:1: (.*) \(at depth", out, re.M)
    result["found"] = m.group(1).strip() if m else None
    result["complete"] = not re.search(r"Search not completed|max search depth too small|"
                                       r"out of memory|reached -DMEMLIM", out)
    result["seconds"] = round(time.monotonic() - started, 2)
    return result


def judge(result):
    """Is this as it must be? Returns (bool, words)."""
    if result["error"]:
        return False, "did not run: " + " / ".join(result["error"])
    if result["switch"]:
        if result["errors"]:
            return True, f"found: {result['found']}"
        return False, "the verification finds no error: the model does not see what this removes"
    if result["errors"]:
        return False, f"found: {result['found']}"
    if not result["complete"]:
        return False, "the search is not complete"
    return True, f"{result['states']} states, complete"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="names without .pml; all")
    parser.add_argument("--build", metavar="DIR", help="keep what is built, and trails, here")
    parser.add_argument("--json", metavar="FILE", help="write results here")
    parser.add_argument("-j", "--jobs", type=at_least_1, default=2, metavar="N", help="default: 2")
    args = parser.parse_args()

    for tool in ("spin", "gcc"):
        if not shutil.which(tool):
            print(f"1..0 # SKIP no {tool}")
            sys.exit("models.py: %s is not installed" % tool)

    jobs = [(model, switch) for model in models(args.models)
            for switch in [None] + switches_of(os.path.join(MODELS, model + ".pml"))]
    started = time.monotonic()
    build = args.build or tempfile.mkdtemp(prefix="models-")
    failed, results = 0, []
    try:
        print(f"1..{len(jobs)}", flush=True)
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            runs = [pool.submit(verify, build, *job) for job in jobs]
            for number, done in enumerate(runs, 1):
                result = done.result()
                good, words = judge(result)
                if not good:
                    failed += 1
                name = result["model"] + (f" -D{result['switch']}" if result["switch"] else "")
                print(f"{'ok' if good else 'not ok'} {number} - {name}: {words}", flush=True)
                results.append({**result, "passed": good})
    finally:
        if not args.build:
            shutil.rmtree(build, ignore_errors=True)

    summary = {
        "schema_version": 1,
        "models": [r for r in results if not r["switch"]],
        "switches": [r for r in results if r["switch"]],
        "states": sum(r["states"] for r in results if not r["switch"]),
        "failed": failed,
        "seconds": round(time.monotonic() - started, 1),
    }
    for model in summary["models"]:
        if not any(s["model"] == model["model"] for s in summary["switches"]):
            print(f"# {model['model']}: no switches, so nothing shows that it can fail")
            summary["failed"] += 1
    print(f"# {len(summary['models'])} models, {summary['states']} states, "
          f"{len(summary['switches'])} switches, {summary['failed']} failed, "
          f"{summary['seconds']} s")
    if args.json:
        with open(args.json, "w") as f:
            json.dump(summary, f, indent=1)
            f.write("\n")
    sys.exit(1 if summary["failed"] else 0)


if __name__ == "__main__":
    main()

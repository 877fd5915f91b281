# SPDX-License-Identifier: GPL-2.0
"""All bugs by rule, and the reasons for those that no test finds.

tests/planted/survivors.txt says of each survivor why it changes nothing that can be
seen, or which other means shows it (a model): the key of the mutant on a line, the
reason indented below. "[sometimes]" in front of a reason: threads have to meet for a
test to see it, and do not in every run. A survivor without reason is an error, and so
is a reason for what does not survive, or does not exist any more.
"""
import concurrent.futures
import hashlib
import json
import subprocess
import threading
from pathlib import Path

from . import Pool, build, mutants

SOURCES = ("core/*.c", "core/*.h", "core/include/linux/*.h")
SOMETIMES = "[sometimes]"


class BadReasons(Exception):
    """survivors.txt does not say what it should."""


def read_reasons(path):
    """{key: reason}"""
    reasons, key = {}, None
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line[0] in " \t":
            if not key:
                raise BadReasons(f"{path}:{number}: a reason for nothing")
            reasons[key] = (reasons[key] + " " + line.strip()).strip()
        else:
            key = line.strip()
            if key in reasons:
                raise BadReasons(f"{path}:{number}: twice: {key}")
            reasons[key] = ""
    empty = [key for key, reason in reasons.items() if not reason]
    if empty:
        raise BadReasons(f"{path}: no reason given for: " + "; ".join(empty))
    return reasons


def all_mutants(top, only=None):
    """{key: (mutant, text of the changed file)}"""
    found = {}
    for pattern in SOURCES:
        for path in sorted(Path(top).glob(pattern)):
            name = str(path.relative_to(top))
            source = path.read_text(encoding="utf-8")
            for mutant in mutants.of(name, source):
                if not only or only in mutant.path or only == mutant.function:
                    found[mutant.key] = mutant, mutants.apply(source, mutant)
    return found


def stale(reasons, known, only):
    """Reasons for mutants that do not exist."""
    return [] if only else sorted(set(reasons) - set(known))


def same_code(finder, name, mutant, text):
    """Does the compiler make the same of it?"""
    made = finder.build(name)
    commands = [c for c in made.commands if c["path"] == (finder.top / mutant.path).resolve()]
    if not mutant.path.endswith(".c") or not commands:
        return False
    old = (finder.top / mutant.path).read_text(encoding="utf-8")
    return made.assembly(commands[0], old) == made.assembly(commands[0], text)


def try_one(finder, mutant, text, quick):
    """What finds it: [test], or "same" for what is no change, or []."""
    builds = []
    for name in ("asan", "tsan"):
        try:
            if not same_code(finder, name, mutant, text):
                builds.append(name)
        except build.BuildError:
            return ["the compiler"]
    if not builds:
        return "same"
    builds.append("schedules")
    scratch = hashlib.sha1(mutant.key.encode()).hexdigest()[:12]
    with finder.attempt(scratch, mutant.path, text) as attempt:
        try:
            return attempt.quick(builds) if quick else attempt.search(builds, ())
        except build.BuildError:
            return ["the compiler"]


class Memory:
    """What was found by an earlier run, for the same change of the same file."""

    def __init__(self, path, resume):
        self.path = Path(path)
        self.known = {}
        self.lock = threading.Lock()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if resume and self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                entry = json.loads(line)
                self.known[entry["key"], entry["text"]] = entry["by"]
        else:
            self.path.write_text("", encoding="utf-8")

    @staticmethod
    def _digest(text):
        return hashlib.sha1(text.encode()).hexdigest()

    def get(self, mutant, text):
        return self.known.get((mutant.key, self._digest(text)))

    def put(self, mutant, text, by):
        with self.lock, self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": mutant.key, "text": self._digest(text), "by": by}) + "\n")


def run(args, finder):
    """All mutants. Returns whether the survivors are those with a reason."""
    reasons = read_reasons(finder.top / "tests/planted/survivors.txt")
    chosen = all_mutants(finder.top, args.only)
    bad = [f"a reason for what is not there: {key}" for key in stale(reasons, chosen, args.only)]
    memory = Memory(args.builds / "planted-systematic.jsonl", args.resume)

    def one(item):
        mutant, text = item
        by = memory.get(mutant, text)
        if not by:
            by = try_one(finder, mutant, text, args.quick)
            memory.put(mutant, text, by)
        return mutant.key, by

    results = {}
    with Pool(args.jobs) as pool:
        jobs = [pool.submit(one, item) for item in chosen.values()]
        for job in concurrent.futures.as_completed(jobs):
            key, by = job.result()
            results[key] = by
            print(f"{by if by == 'same' else by[0] if by else 'SURVIVES':<44} {key}", flush=True)
    for key, by in sorted(results.items()):
        survives = by == "same" or not by
        if survives and key not in reasons:
            bad.append(f"survives{' (same code)' if by else ''}, and no reason is given: {key}")
        if not survives and key in reasons and not reasons[key].startswith(SOMETIMES):
            bad.append(f"does not survive ({by[0]}), but a reason is given: {key}")
    left = sum(by == "same" or not by for by in results.values())
    print(f"{len(results) - left} of {len(results)} mutants found; {left} survive, "
          f"{sum(by == 'same' for by in results.values())} of them the same machine code")
    if args.quick:
        return True
    for line in bad:
        print("planted:", line)
    return not bad



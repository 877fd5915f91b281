# SPDX-License-Identifier: GPL-2.0
"""All bugs by rule, and the reasons for those that no test finds.

tests/planted/survivors.txt says of each survivor why it changes nothing that can be
seen, or which other means shows it: the key of the mutant on a line, the reason indented
below. "[sometimes]" in front of a reason: threads have to meet for a test to see it, and
do not in every run. "[model MODEL SWITCH]": what is ordered for other machines is left
out there by that switch, which scripts/models.py sees fail. A survivor without reason is
an error, and so is a reason for what does not survive, or does not exist any more.

Quick tests look at all mutants first, then all tests at what these have left.
"""
import concurrent.futures
import hashlib
import json
import re
import subprocess
import threading
from pathlib import Path

import models	# scripts/models.py

from . import Pool, build, find, mutants

SOURCES = ("core/*.c", "core/*.h", "core/include/linux/*.h")
# What decides whether a mutant is found, but for the changed file.
TESTS = ("core", "kshim", "usermm", "schedules", "tests")
SOMETIMES = "[sometimes]"
MODEL = re.compile(r"\[model (\w+) (\w+)\]")


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
    _check_models(path, reasons)
    return reasons


def _check_models(path, reasons):
    for key, reason in reasons.items():
        for model, switch in MODEL.findall(reason):
            file = Path(models.MODELS) / f"{model}.pml"
            if not file.exists() or switch not in models.switches_of(file):
                raise BadReasons(f"{path}: no model {model} with a switch {switch}: {key}")


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


class Codes:
    """What the compiler makes of the files as they are."""

    def __init__(self, finder):
        self.finder = finder
        self.known = {}
        self.lock = threading.Lock()

    def same(self, name, mutant, text):
        """Does it make the same of a mutant, in all that the tests of a build are made of?"""
        made = self.finder.build(name)
        path = (self.finder.top / mutant.path).resolve()
        commands = [c for c in made.commands if c["path"] == path and
                    any(made.has(p, c["output"]) for p in self.finder.programs[name].values())]
        return mutant.path.endswith(".c") and bool(commands) and \
            all(self._known(name, command) == made.assembly(command, text) for command in commands)

    def _known(self, name, command):
        key = name, command["output"]
        with self.lock:
            if key not in self.known:
                text = command["path"].read_text(encoding="utf-8")
                self.known[key] = self.finder.build(name).assembly(command, text)
            return self.known[key]


def differs(codes, mutant, text):
    """The builds in which the compiler makes something else of a mutant."""
    return [name for name in ("asan", "tsan", "schedules") if not codes.same(name, mutant, text)]


def try_one(finder, codes, mutant, text, quick):
    """
    What of the quick tests, or of the others, finds it: [test], or "same" for what is no
    change, or [].
    """
    scratch = hashlib.sha1(mutant.key.encode()).hexdigest()[:12]
    with finder.attempt(scratch, mutant.path, text) as attempt:
        try:
            # Most are found at once. To compile all others twice more takes longer than that.
            found = attempt.run("asan", find.ORDER[0]) if quick else []
            if found:
                return found
            builds = differs(codes, mutant, text)
            if not builds:
                return "same"
            return attempt.quick(builds) if quick else attempt.rest(builds)
        except build.BuildError:
            return ["the compiler"]


def digest_of_tests(top):
    digest = hashlib.sha1()
    for folder in TESTS:
        for path in sorted((Path(top) / folder).rglob("*.[ch]")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


class Memory:
    """
    What was found by an earlier run, for the same change of the same file; and which tests
    have found nothing, as long as they are the same.
    """

    def __init__(self, path, resume, keep, tests):
        self.path = Path(path)
        self.tests = tests
        self.found, self.tried = {}, set()
        self.lock = threading.Lock()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if resume and self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                self._learn(**json.loads(line))
        elif not keep:
            self.path.write_text("", encoding="utf-8")

    def _learn(self, key, text, by, quick=True, tests=None):
        if by:
            self.found[key, text] = by
        elif tests == self.tests:
            self.tried.add((key, text, quick))

    @staticmethod
    def _digest(text):
        return hashlib.sha1(text.encode()).hexdigest()

    def get(self, mutant, text, quick):
        """What found it; []: those tests have not; None: nobody knows."""
        digest = self._digest(text)
        found = self.found.get((mutant.key, digest))
        return [] if not found and (mutant.key, digest, quick) in self.tried else found

    def put(self, mutant, text, by, quick):
        entry = {"key": mutant.key, "text": self._digest(text), "by": by, "quick": quick,
                 "tests": self.tests}
        with self.lock:
            self._learn(**entry)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")


def look(args, finder, memory, chosen, quick):
    """Run the quick tests, or the others, on mutants. Returns {key: what found it}."""
    codes = Codes(finder)

    def one(item):
        mutant, text = item
        by = memory.get(mutant, text, quick)
        if by is None:
            by = try_one(finder, codes, mutant, text, quick)
            memory.put(mutant, text, by, quick)
        return mutant.key, by

    results = {}
    left = "QUICK TESTS DO NOT FIND IT" if quick else "SURVIVES"
    with Pool(args.jobs) as pool:
        jobs = [pool.submit(one, item) for item in chosen.values()]
        for job in concurrent.futures.as_completed(jobs):
            key, by = job.result()
            results[key] = by
            print(f"{by if by == 'same' else by[0] if by else left:<44} {key}", flush=True)
    return results


def complaints(results, reasons, quick):
    """Survivors without reason, and reasons for others."""
    for key, by in sorted(results.items()):
        survives = by == "same" or not by
        if survives and key not in reasons and not quick:
            yield f"survives{' (same code)' if by else ''}, and no reason is given: {key}"
        if not survives and key in reasons and not reasons[key].startswith(SOMETIMES):
            yield f"does not survive ({by[0]}), but a reason is given: {key}"


def run(args, finder):
    """All mutants. Returns whether the survivors are those with a reason."""
    reasons = read_reasons(finder.top / "tests/planted/survivors.txt")
    chosen = all_mutants(finder.top, args.only)
    bad = [f"a reason for what is not there: {key}" for key in stale(reasons, chosen, args.only)]
    # A part that is looked at again leaves alone what is known of the others.
    memory = Memory(args.builds / "planted-systematic.jsonl", args.resume, args.only,
                    digest_of_tests(finder.top))
    results = look(args, finder, memory, chosen, True)
    if not args.quick:
        left = {key: chosen[key] for key, by in results.items() if not by}
        results |= look(args, finder, memory, left, False)
    bad += complaints(results, reasons, args.quick)
    left = [key for key, by in results.items() if by == "same" or not by]
    print(f"{len(results) - len(left)} of {len(results)} mutants found; {len(left)} survive"
          f"{' the quick tests' if args.quick else ''}, "
          f"{sum(results[key] == 'same' for key in left)} of them the same machine code, "
          f"{sum(key in reasons for key in left)} with a reason")
    for line in bad:
        print("planted:", line)
    for test in finder.broken:
        print(f"planted: fails without a bug: {test}")
    return not bad and not finder.broken

# SPDX-License-Identifier: GPL-2.0
"""Looking for a test that finds a bug.

A test is named "BUILD PROGRAM TEST", as "asan topology r07_fork[lazy]", or, for a
scenario of the schedule explorer, "schedules SCENARIO TOPOLOGY". A test may only say
that a bug is there if it passes without one: each set of tests is run on the unchanged
program too (once), which also says how long it may take.
"""
import importlib.util
import re
import shutil
import subprocess
import threading
import time
from collections import namedtuple
from pathlib import Path

import models	# scripts/models.py

from . import build as building
from . import run as running

# What a search ends with. by: tests that failed; rows: those that they are named after.
Found = namedtuple("Found", "by rows seconds note")

CHECKED = ["-Dlockdep=true", "-Ddebug_slab=true", "-Ddebug_vm=true", "-Dbuildtype=debug",
           "-Doptimization=1"]
OPTIONS = {
    "asan": [*CHECKED, "-Db_sanitize=address,undefined"],
    "tsan": [*CHECKED, "-Db_sanitize=thread", "-Drcu_backend=portable"],
    "schedules": ["-Dbuildtype=debugoptimized"],
}
# Programs of another build, in another way.
FOLDERS = {"faults": "asan"}
# Small: what a bug breaks, it breaks in short tests too, all of whose allocations fail.
ENVIRONMENT = {"faults": {"UM_FAULTS_BUDGET": "1000", "UM_FAULTS_PAIRS": "1"}}
EXPLORER = building.Program("explorer", Path("schedules/anonrmap-schedules"), [], {}, [])
TARGETS = {
    "asan": lambda program: not {"proof", "faults"} & set(program.suites),
    "tsan": lambda program: "threads" in program.suites,
    "schedules": [str(EXPLORER.path)],
    # Each test again for each allocation in it, which fails: their environment says so.
    "faults": lambda program: "faults" in program.suites,
}
# In which order programs are tried when nothing is known: quick ones first.
ORDER = ("core", "topology", "merge_test", "mremap_test", "fault_test", "faults-merge")
SLOW = ("proof-large", "small-", "failure_test", "threads")	# how their names begin
# What test_static.py looks at.
CHECK_TEXT = Path("tests/proof/test_static.py")
TEXT = ("core", "usermm", "kshim/include/linux", "linux/series")
# Which functions the models stand for.
ANCHORS = Path(models.ROOT) / "tests" / "models" / "test_anchors.py"
ENOUGH = 6		# scenarios that fail
MAX_SCHEDULES = 20000	# of one scenario
TOGETHER = 20		# scenarios, in one run of the explorer
MIN_LIMIT = 20
TIMES = 10
MAX_HUNG = 2		# tests of one program, each by itself
SILENCE = 8		# seconds, of one test


def is_slow(program):
    return program.name.startswith(SLOW)


def rows_of(test, scenarios=None):
    """The rows that a test is named after, or a scenario stands for."""
    if scenarios and test.startswith("schedules "):
        return scenarios.get(test.split(" ")[1], set())
    return {row.upper() for row in re.findall(r"(?<![a-z0-9])r\d\d(?=_)", test.split(" ")[-1])}


class Finder:
    """Finds bugs in the sources of @top, with build folders @dirs by name."""

    def __init__(self, top, dirs, scratch, keep=False):
        self.top = Path(top)
        self.dirs = dirs
        self.scratch = Path(scratch)
        self.keep = keep
        self.builds, self.programs, self.controls = {}, {}, {}
        self.rows_of_scenario = {}
        self.broken = []	# tests that fail without a bug
        self.lock = threading.Lock()
        self.control_locks = {}

    def build(self, name):
        with self.lock:
            if name not in self.builds:
                folder = FOLDERS.get(name, name)
                self.builds[name] = building.make(name, self.dirs[folder], self.top,
                                                  OPTIONS[folder], TARGETS[name])
                self.programs[name] = {p.name: p for p in self._sorted(name)}
            return self.builds[name]

    def _sorted(self, name):
        made = self.builds[name]
        if name == "schedules":
            return [EXPLORER._replace(path=made.dir / EXPLORER.path)]
        programs = [p._replace(env=ENVIRONMENT.get(name, {}) | p.env)
                    for p in made.programs() if TARGETS[name](p)]

        def place(program):
            if program.name in ORDER:
                return ORDER.index(program.name)
            return len(ORDER) + is_slow(program)
        return sorted(programs, key=place)

    def control(self, build, program, test):
        """What the unchanged program says; None: it fails, and can show nothing."""
        key = (build, program, test)
        with self.lock:
            lock = self.control_locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self.controls:
                about = self.programs[build][program]
                result = running.run([about.path, *about.args], _env(about, test), 900)
                if result.end != "ok":
                    self.broken.append(f"{build} {program} {test or ''}")
                    result = None
                self.controls[key] = result
            return self.controls[key]

    def scenarios(self):
        """{scenario: its rows}"""
        if not self.rows_of_scenario:
            path = self.programs["schedules"]["explorer"].path
            out = subprocess.run([path, "--list"], stdout=subprocess.PIPE, text=True, check=True)
            for line in out.stdout.splitlines():
                if line[:1].strip():
                    self.rows_of_scenario[line.split()[0]] = set(re.findall(r"\bR\d\d\b", line))
        return self.rows_of_scenario

    def control_schedules(self, scenario, topology, bound):
        """How long it takes without a bug; None: it fails then, too."""
        key = (scenario, topology, bound)
        if key not in self.controls:
            begin = time.monotonic()
            said = explore(self.programs["schedules"]["explorer"].path, [scenario], bound, topology,
                           900)
            self.controls[key] = time.monotonic() - begin if said == [] else None
            if self.controls[key] is None:
                self.broken.append(f"schedules {scenario} {topology}")
        return self.controls[key]

    def mentions(self, build, row):
        """Programs with a test that is named after a row."""
        pattern = f"{row.lower()}_".encode()
        return [p for p in self.programs[build].values() if pattern in p.path.read_bytes()]

    def only_slow(self, row):
        """Are all tests of a row in slow programs, and is there no scenario?"""
        self.build("asan")
        self.build("schedules")
        return not any(row in of for of in self.scenarios().values()) and \
            all(is_slow(program) for program in self.mentions("asan", row))

    def attempt(self, name, path, new, output=None, model=()):
        """
        A file of the sources, changed. @output: what a test has to say that finds it;
        @model: model and switch.
        """
        return Attempt(self, name, str(path), new, output, model)


def explore(path, scenarios, bound, topology, limit):
    """The (scenario, topology) of @scenarios that fail; None: this does not end in time."""
    argv = [path, "--schedules", MAX_SCHEDULES, "--jobs", 1, "--json", "--bound", bound,
            "--scenario", ",".join(scenarios)]
    if topology:
        argv += ["--topology", topology]
    said = running.run_json(argv, limit)
    if said is None:
        return None
    return [(run["scenario"], run["topology"]) for run in said["scenarios"] if run["findings"]]


class Attempt:
    """One changed file, and the programs linked with it."""

    def __init__(self, finder, name, path, new, output, model):
        self.finder = finder
        self.path, self.new, self.output, self.model = path, new, output, model
        # The other topologies do not run this code.
        self.where = "[lazy]" if "anon_vma_lazy" in path else ""
        self.old = (finder.top / path).read_text(encoding="utf-8")
        self.dir = finder.scratch / name
        self.commands, self.objects, self.linked = {}, {}, {}
        self.begin = time.monotonic()

    def __enter__(self):
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True)
        return self

    def __exit__(self, *unused):
        if not self.finder.keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    def seconds(self):
        return time.monotonic() - self.begin

    def objects_for(self, build, program):
        """{output: the changed object} of a program."""
        made = self.finder.build(build)
        if build not in self.commands:
            self.commands[build] = made.objects(self.path, self.old, self.new)
        found = {}
        for command in self.commands[build]:
            output = command["output"]
            if made.has(program, output):
                key = build, output
                if key not in self.objects:
                    self.objects[key] = made.compile(self.path, self.new, command, self.dir)
                found[output] = self.objects[key]
        return found

    def link(self, build, about):
        """The program, linked with what was changed."""
        key = build, about.name
        if key not in self.linked:
            self.linked[key] = self.finder.builds[build].link_with(
                about, self.objects_for(build, about), self.dir)
        return self.linked[key]

    def run(self, build, program, test=None, stop=True):
        """Run a program, or one test of it. Returns the names of what failed."""
        self.finder.build(build)
        about = self.finder.programs[build].get(program)
        if not about:
            return []
        control = self.finder.control(build, program, test)
        if not control or not control.names:
            return []
        result = running.run([self.link(build, about), *about.args], _env(about, test),
                             max(MIN_LIMIT, TIMES * control.seconds), stop)
        if self.finder.keep:
            (self.dir / f"{build}-{program}.out").write_text(result.output, encoding="utf-8")
        if self.output and not re.search(self.output, result.output):
            return []
        return [f"{build} {program} {name}" for name in running.culprits(result, control)]

    def each(self, build, program, pattern):
        """
        All tests of a program that fail, of those that match; each by itself, as one that
        fails may leave something behind that the next one fails by.
        """
        self.finder.build(build)
        about = self.finder.programs[build][program]
        control = self.finder.control(build, program, pattern)
        if not control or not control.names or not self.objects_for(build, about):
            return []
        path = self.link(build, about)

        def run(test):
            return running.run([path, *about.args], _env(about, test),
                               max(MIN_LIMIT, TIMES * control.seconds), stop_at_failure=False,
                               silence=max(SILENCE, control.seconds / 2))
        result = run(pattern)
        suspects = running.culprits(result, control)
        if result.end not in ("ok", "failed"):
            suspects += control.names[len(result.names) + 1:]
        failed, hung = [], 0
        for test in suspects:
            end = run(test).end if test in control.names else "ok"
            failed += [f"{build} {program} {test}"] if end != "ok" else []
            hung += end == "hung"
            if hung == MAX_HUNG:
                break
        return failed

    def explore(self, scenarios, bound, topology=None, stop=False):
        """
        Run scenarios of the schedule explorer. Returns the names of those that fail, with
        @stop a few of them.
        """
        self.finder.build("schedules")
        path = self.link("schedules", self.finder.programs["schedules"]["explorer"])
        self.finder.scenarios()		# by which rows_of() knows their rows
        found = []
        topology = topology or self.where.strip("[]")
        for i in range(0, len(scenarios), TOGETHER):
            found += self._explore(path, scenarios[i:i + TOGETHER], bound, topology)
            if len(found) >= ENOUGH or found and stop:
                break
        return found[:ENOUGH]

    def _explore(self, path, scenarios, bound, topology):
        control = self.finder.control_schedules
        failed = explore(path, scenarios, bound, topology, MIN_LIMIT + 10 * len(scenarios))
        if failed is None and len(scenarios) > 1:
            # One of them does not end; or the machine is busy.
            each = (self._explore(path, [one], bound, topology) for one in scenarios)
            return next(filter(None, each), [])
        if failed is None:
            where = topology or "lazy"
            seconds = control(scenarios[0], where, bound)
            if seconds is None:
                return []
            failed = explore(path, scenarios, bound, where, max(MIN_LIMIT, TIMES * seconds))
            failed = [(scenarios[0], where)] if failed is None else failed
        return [f"schedules {scenario} {where}" for scenario, where in failed[:ENOUGH]
                if control(scenario, where, bound) is not None]

    # -- Ways to look

    def by_name(self, names):
        """Those of the tests @names that fail."""
        found = []
        for name in names:
            build, program, test = name.split(" ", 2)
            if build == "static":
                found += self.by_text()
            elif build == "model":
                found += self.by_model()
            elif build != "schedules":
                found += self.run(build, program, test)
            else:
                found += self.explore([program], 1, test) or self.explore([program], 2, test)
        return found

    def by_rows(self, build, rows, slow, every=False):
        """
        Tests named after @rows that fail, in quick or in @slow programs: the first of each
        row, or with @every, all.
        """
        found = []
        self.finder.build(build)
        for row in rows:
            for program in self.finder.mentions(build, row):
                if build == "asan" and is_slow(program) != slow:
                    continue
                more = self.run(build, program.name, f"*{row.lower()}_*{self.where}", not every)
                found += [name for name in more if name not in found]
                if more and not every:
                    break
        return found

    def by_scenarios(self, rows, bounds=(1, 2)):
        """Scenarios of @rows, None: all of them, that fail; few preemptions first."""
        self.finder.build("schedules")
        chosen = [name for name, of in self.finder.scenarios().items()
                  if rows is None or of & set(rows)]
        for bound in bounds:
            found = self.explore(chosen, bound, stop=rows is None)
            if found:
                return found
        return []

    def by_all(self, build, slow):
        """The first test of all, in quick or in @slow programs, that fails."""
        self.finder.build(build)
        for program in self.finder.programs[build].values():
            if build != "asan" or is_slow(program) == slow:
                found = self.run(build, program.name, self.filter(build, program.name))
                if found:
                    return found
        return []

    def filter(self, build, program):
        """Those tests of a program that may run the changed file; None: all of them."""
        only = self.where and f"*{self.where}"
        control = only and self.finder.control(build, program, only)
        return only if control and control.names else None

    def by_text(self):
        """Checks of the text of the project that fail."""
        copy = self.dir / "tree"
        for part in TEXT:
            shutil.copytree(self.finder.top / part, copy / part)
        (copy / self.path).write_text(self.new, encoding="utf-8")
        result = running.run([self.finder.top / CHECK_TEXT, copy], {}, 60, stop_at_failure=False)
        return [f"static proof-static {name}" for name in result.failed]

    def by_model(self):
        """
        The model, if it stands for a function that the edit changes, holds as it is, and
        fails when the same is left out of it.
        """
        model, switch = self.model
        if not self.leaves(model):
            return []
        results = [models.verify(str(self.dir / "model"), model, one) for one in (None, switch)]
        if all(models.judge(result)[0] for result in results):
            return [f"model {model} {switch}"]
        return []

    def leaves(self, model):
        """Is a function, by the edit, not any more what a model was made from?"""
        spec = importlib.util.spec_from_file_location("test_anchors", ANCHORS)
        anchors = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(anchors)

        def differs(anchor, text):
            body = anchors.body_of(anchors.without_comments(text), anchor.function)
            return anchors.difference(anchor, body and anchors.statements_of(body))
        return any(differs(anchor, self.new) and not differs(anchor, self.old)
                   for anchor in anchors.read_manifest()[1]
                   if anchor.path == self.path and model in anchor.models)

    def quick(self, builds):
        """Quick programs, and scenarios with one preemption."""
        found = self.by_all("asan", False) if "asan" in builds else []
        if not found and "schedules" in builds:
            found = self.by_scenarios(None, (1,))
        return found

    def rest(self, builds):
        """What quick() leaves out."""
        found = self.by_all("tsan", True) if "tsan" in builds else []
        if not found and "schedules" in builds:
            found = self.by_scenarios(None, (2,))
        if not found and "asan" in builds:
            found = self.by_all("asan", True)
        return found

    def search(self, builds, rows, every=False):
        """
        Look for what finds the bug: the tests and scenarios of its rows, then all; quick
        ones first.
        """
        found = self.by_text() if "static" in builds else []
        if "asan" in builds:
            found += self.by_rows("asan", rows, False, every)
        left = [row for row in rows if not any(row in rows_of(name) for name in found)]
        if "schedules" in builds and left:
            found += self.by_scenarios(left, (1,))
        lone = [row for row in rows if self.finder.only_slow(row)]
        later = [
            ("asan", lambda: self.by_rows("asan", lone, True, every)),
            ("asan", lambda: self.by_all("asan", False)),
            ("faults", lambda: self.by_rows("faults", rows, True, every)),
            ("schedules", lambda: self.by_scenarios(rows, (2,))),
            ("tsan", lambda: self.by_rows("tsan", rows, True, every)),
            ("schedules", lambda: self.by_scenarios(None, (1,))),
            ("tsan", lambda: self.by_all("tsan", True)),
            ("schedules", lambda: self.by_scenarios(None, (2,))),
            ("asan", lambda: self.by_all("asan", True)),
            ("faults", lambda: self.by_all("faults", True)),
        ]
        later.append(("model", self.by_model))
        for build, look in later:
            if not found and build in builds:
                found = look()
        return found


def _env(program, test):
    return {**program.env, "TEST_FILTER": test} if test else dict(program.env)

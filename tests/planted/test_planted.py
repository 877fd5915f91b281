#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of scripts/planted.py: what it reads, what it makes, what it takes for found."""
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

TOP = Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(TOP / "scripts"), str(TOP / "tests" / "lib")]
import tap	# noqa: E402
from plant import bugs, build, ctext, find, matrix, mutants, run, systematic	# noqa: E402

SOURCE = """\
/* if (comment) { */
#define MACRO(x) do { \\
	f(x); \\
} while (0)
static const struct ops ops = {
	.name = "a { string",
};

DEFINE_TREE(a, b)

int first(int a,
	  int b)
{
	struct s s = { .a = 1, .b = { 2 } };

	if (!a)
		return 1;
	for (;;) {
		/* spin_lock(x); */
		if (a && (b ||
			  s.a))
			get_anon_vma(x);
		else
			x->num_children--;
	}
	list_for_each_entry(p, &head, node)
		list_del(&p->node);
out:
	spin_lock(&a->lock);
	if (a) {
		spin_unlock(&a->lock);
		return 2;
	}
	smp_store_release(&vma->anon_vma,
			  make(f(1, 2), 3));
	spin_unlock(&a->lock);
	do {
		smp_rmb();
	} while (again(a));
	return 0;
}

void second(void)
{
	spin_lock(&a->lock);
	spin_unlock(&a->lock);
}
"""

CONDITIONS = """\
static inline bool f(int a, const struct p *p)
{
	unsigned long b = b || g(a, b) ? 0 :
			  1;
	bool done = false;

	VM_WARN_ON_ONCE(a && (b ? 1 : 2));
	for (a = 0; a < 3 && !done; a++)
		x(1, p->done ? 2 : 3);	/* ? && */
	for (;;)
		p->done = g(a, b);
	if (done)
		return true;
	done = h(a);
	return !a || (b ? a != 1 : b);
}
"""

BUG = """\
# SPDX-License-Identifier: GPL-2.0
story: One line
	and another.
file: core/a.c
rows: R01 R42
builds: tsan
found-by: asan core a[lazy], tsan threads r01_b
in: second
--- old
	spin_lock(&a->lock);
+++ new
--- old
	spin_unlock(&a->lock);
+++ new
	spin_unlock(&b->lock);
"""


class Text(unittest.TestCase):
    def test_functions(self):
        self.assertEqual([f.name for f in ctext.functions(SOURCE)], ["first", "second"])
        first = ctext.function_named(SOURCE, "first")
        self.assertTrue(SOURCE[first.start:].startswith("int first("))
        self.assertTrue(SOURCE[:first.end].endswith("return 0;\n}"))
        with self.assertRaises(ValueError):
            ctext.function_named(SOURCE, "third")

    def test_statements(self):
        first = ctext.function_named(SOURCE, "first")
        found = [s.text for s in ctext.statements(SOURCE, first)]
        self.assertEqual(found, [
            "struct s s = { .a = 1, .b = { 2 } };", "return 1;", "get_anon_vma(x);",
            "x->num_children--;", "list_del(&p->node);", "spin_lock(&a->lock);",
            "spin_unlock(&a->lock);", "return 2;",
            "smp_store_release(&vma->anon_vma, make(f(1, 2), 3));", "spin_unlock(&a->lock);",
            "smp_rmb();", "return 0;"])
        for statement in ctext.statements(SOURCE, first):
            self.assertEqual(ctext.squeeze(SOURCE[statement.start:statement.end]), statement.text)

    def test_conditions(self):
        first = ctext.function_named(SOURCE, "first")
        found = [(c.keyword, c.text) for c in ctext.conditions(SOURCE, first)]
        self.assertEqual(found, [("if", "!a"), ("if", "a && (b || s.a)"), ("operand", "a"),
                                 ("operand", "(b || s.a)"), ("operand", "b"), ("operand", "s.a"),
                                 ("if", "a"), ("while", "again(a)")])

    def test_more_conditions(self):
        function, = ctext.functions(CONDITIONS)
        self.assertEqual(
            [(c.keyword, c.text) for c in ctext.conditions(CONDITIONS, function)],
            [("?:", "b || g(a, b)"), ("operand", "b"), ("operand", "g(a, b)"),
             ("for", "a < 3 && !done"), ("operand", "a < 3"), ("operand", "!done"),
             ("?:", "p->done"), ("if", "done"), ("set", "h(a)"),
             ("return", "!a || (b ? a != 1 : b)"), ("operand", "!a"),
             ("operand", "(b ? a != 1 : b)"), ("?:", "b")])

    def test_sources_are_understood(self):
        for path in (TOP / "core").rglob("*.[ch]"):
            text = path.read_text(encoding="utf-8")
            for function in ctext.functions(text):
                last = [s.text for s in ctext.statements(text, function)]
                self.assertTrue(all(s.endswith(";") and s.count("(") == s.count(")")
                                    for s in last), (path, function.name, last))


class Mutants(unittest.TestCase):
    def setUp(self):
        self.all = {m.key: m for m in mutants.of("a.c", SOURCE)}

    def text(self, key):
        return mutants.apply(SOURCE, self.all["a.c: " + key])

    def test_keys(self):
        self.assertEqual(sorted(key[5:] for key in self.all), sorted([
            "first: delete count: get_anon_vma(x);",
            "first: delete count: x->num_children--;",
            "first: delete link: list_del(&p->node);",
            "first: delete link: smp_store_release(&vma->anon_vma, make(f(1, 2), 3));",
            "first: delete lock: spin_lock(&a->lock);",
            "first: delete lock and its partner: spin_lock(&a->lock);",
            "first: delete lock: spin_unlock(&a->lock);",
            "first: delete lock: spin_unlock(&a->lock); #2",
            "first: delete barrier: smp_rmb();",
            "first: plain: smp_store_release(&vma->anon_vma, make(f(1, 2), 3))",
            "first: negate if: !a", "first: negate if: a && (b || s.a)", "first: negate if: a",
            "first: negate operand: a", "first: negate operand: (b || s.a)",
            "first: negate operand: b", "first: negate operand: s.a",
            "first: negate while: again(a)",
            "second: delete lock: spin_lock(&a->lock);",
            "second: delete lock and its partner: spin_lock(&a->lock);",
            "second: delete lock: spin_unlock(&a->lock);",
        ]))

    def test_lines_stay(self):
        for key in self.all:
            self.assertEqual(self.text(key[5:]).count("\n"), SOURCE.count("\n"))

    def test_texts(self):
        self.assertIn("if (!(a && (b ||\n\t\t\t  s.a)))",
                      self.text("first: negate if: a && (b || s.a)"))
        self.assertIn("if (a && (!(b) ||\n", self.text("first: negate operand: b"))
        self.assertIn("if (a && !((b ||\n\t\t\t  s.a)))",
                      self.text("first: negate operand: (b || s.a)"))
        self.assertIn("WRITE_ONCE(*(&vma->anon_vma), make(f(1, 2), 3))\n;",
                      self.text("first: plain: smp_store_release(&vma->anon_vma, "
                                "make(f(1, 2), 3))"))
        both = self.text("first: delete lock and its partner: spin_lock(&a->lock);")
        self.assertEqual(both.count("spin_lock(&a"), 1)	# that of second()
        self.assertEqual(both.count("spin_unlock(&a"), 1)
        self.assertIn("\t\t\t;\n\t\telse\n", self.text("first: delete count: get_anon_vma(x);"))


class Bugs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "name.bug"

    def tearDown(self):
        self.folder.cleanup()

    def parse(self, text):
        self.path.write_text(text, encoding="utf-8")
        return bugs.parse(self.path)

    def test_fields(self):
        bug = self.parse(BUG)
        self.assertEqual((bug.name, bug.story, bug.file), ("name", "One line and another.",
                                                           "core/a.c"))
        self.assertEqual((bug.rows, bug.builds), (["R01", "R42"], ["tsan"]))
        self.assertEqual(bug.found_by, ["asan core a[lazy]", "tsan threads r01_b"])

    def test_applies_in_its_function(self):
        text = self.parse(BUG).apply(SOURCE)
        self.assertTrue(text.endswith("void second(void)\n{\n\tspin_unlock(&b->lock);\n}\n"))
        self.assertEqual(text.partition("void second")[0], SOURCE.partition("void second")[0])

    def test_does_not_apply(self):
        for old, new in (("in: second\n", ""),		# three times in the file
                         ("in: second", "in: third"), ("\tspin_lock(&a", "\tspin_lock(&b")):
            with self.assertRaises(bugs.BadBug):
                self.parse(BUG.replace(old, new)).apply(SOURCE)

    def test_refuses(self):
        for old, new in (("story:", "storey:"), ("R42", "r42"), ("builds: tsan", "builds: tin"),
                         ("file: core/a.c\n", ""), ("\tspin_lock(&a->lock);\n", ""),
                         ("+++ new", "+++ now")):
            with self.assertRaises(bugs.BadBug, msg=new):
                bug = self.parse(BUG.replace(old, new))
                bug.apply(SOURCE)

    def test_found_by_is_written(self):
        bug = self.parse(BUG)
        names = [f"asan core r{i:02}_a_test_with_a_long_name[regular]" for i in range(5)]
        bugs.write_found_by(self.path, names)
        again = bugs.parse(self.path)
        self.assertEqual(again.found_by, names)
        self.assertEqual((again.story, again.edits), (bug.story, bug.edits))

    def test_all_apply(self):
        chosen = bugs.load(TOP / "tests" / "planted")
        self.assertGreaterEqual(len(chosen), 50)
        for bug in chosen:
            source = (TOP / bug.file).read_text(encoding="utf-8")
            self.assertNotEqual(bug.apply(source), source)
            self.assertTrue(bug.found_by, f"{bug.name}: nobody has seen it found")


class Programs(unittest.TestCase):
    @staticmethod
    def run_script(script, limit=20, **more):
        return run.run(["sh", "-c", script], {}, limit, **more)

    def test_ends(self):
        self.assertEqual(self.run_script("echo ok 1 - a; echo ok 2 - b").end, "ok")
        self.assertEqual(self.run_script("echo ok 1 - a; kill -9 $$").end, "crashed")
        self.assertEqual(self.run_script("echo not ok 1 - a; exit 1", stop_at_failure=False).end,
                         "failed")
        hung = self.run_script("echo ok 1 - a; sleep 60", limit=0.3)
        self.assertEqual((hung.end, hung.names), ("hung", ["a"]))
        silent = self.run_script("echo ok 1 - a; sleep 60", silence=0.3)
        self.assertEqual((silent.end, silent.names), ("hung", ["a"]))
        stopped = self.run_script("echo not ok 1 - a why; sleep 60")
        self.assertEqual((stopped.end, stopped.failed), ("stopped", ["a"]))
        self.assertLess(stopped.seconds, 20)

    def test_culprits(self):
        control = self.run_script("echo ok 1 - a; echo ok 2 - b; echo ok 3 - c")
        self.assertEqual(run.culprits(self.run_script("echo ok 1 - a; exit 3"), control), ["b"])
        self.assertEqual(run.culprits(self.run_script("echo ok 1 - a; echo not ok 2 - b; echo "
                                                      "ok 3 - c; exit 1", stop_at_failure=False),
                                      control), ["b"])
        self.assertEqual(run.culprits(control, control), [])

    def test_rows_of_a_test(self):
        self.assertEqual(find.rows_of("asan failure_test r16_r31_fork[lazy]"), {"R16", "R31"})
        self.assertEqual(find.rows_of("asan core r2_x"), set())
        self.assertEqual(find.rows_of("tsan r07_prog other12_r"), set())


class Faults(unittest.TestCase):
    """Programs of another build's folder, which run in another way."""

    def test_programs(self):
        program = build.Program("merge", Path("m"), ["unit"], {"A": "1"}, [])
        failing = program._replace(name="faults-merge", suites=["proof", "faults"],
                                   env={"UM_FAULTS": "1", "UM_FAULTS_PAIRS": "7"})
        finder = find.Finder(TOP, {"asan": "folder"}, TOP)
        made = mock.Mock(programs=lambda: [program, failing])
        with mock.patch.object(find.building, "make", return_value=made) as make:
            finder.build("asan")
            finder.build("faults")
        self.assertEqual([call.args[1] for call in make.call_args_list], ["folder", "folder"])
        self.assertEqual(finder.programs["asan"], {"merge": program})
        env = {**find.ENVIRONMENT["faults"], **failing.env}
        self.assertEqual(finder.programs["faults"], {"faults-merge": failing._replace(env=env)})


class Scenarios(unittest.TestCase):
    """Which scenarios count as failed: @ends says of a program which of them do not end."""

    def explore(self, ends):
        def explore(path, scenarios, _bound, topology, _limit):
            if any(ends(path, one) is None for one in scenarios):
                return None
            return [(one, topology) for one in scenarios if ends(path, one)]

        finder = find.Finder(TOP, {}, TOP)
        finder.programs["schedules"] = {"explorer": find.EXPLORER}
        attempt = finder.attempt("name", "core/anon_vma_lazy.c", "")
        with mock.patch.object(find, "explore", explore):
            return attempt._explore("mutant", ["a", "b", "c"], 1, "lazy"), finder.broken

    def test_failures(self):
        found, broken = self.explore(lambda path, one: path == "mutant" and one != "b")
        self.assertEqual((found, broken), (["schedules a lazy", "schedules c lazy"], []))

    def test_does_not_end(self):
        found, broken = self.explore(lambda path, one: None if path == "mutant" and one == "b"
                                     else False)
        self.assertEqual((found, broken), (["schedules b lazy"], []))

    def test_does_not_end_without_bug(self):
        # The others are tried all the same.
        found, broken = self.explore(lambda path, one: None if one == "b" else
                                     path == "mutant" and one == "c")
        self.assertEqual((found, broken), (["schedules c lazy"], ["schedules b lazy"]))


class Models(unittest.TestCase):
    """When does a model find a bug? The search of the model itself is for models.py."""
    PATH = "core/anon_vma_lazy_walk.c"
    STATEMENT = "\tsmp_rmb();\n"	# of lazy_next(), for which fork_walk stands

    def by_model(self, old, new, errors=1, path=PATH):
        """What is said of an edit, if leaving out the same makes the model find @errors."""
        source = (TOP / path).read_text(encoding="utf-8")
        self.assertIn(old, source)

        def verify(_build, model, switch):
            self.assertIn((model, switch), [("fork_walk", None), ("fork_walk", "NO_RMB")])
            return {"model": model, "switch": switch, "states": 9, "error": None, "found": "it",
                    "errors": errors if switch else 0, "complete": True}
        finder = find.Finder(TOP, {}, TOP)
        attempt = finder.attempt("name", path, source.replace(old, new, 1),
                                 model=("fork_walk", "NO_RMB"))
        with mock.patch.object(find.models, "verify", verify):
            return attempt.by_model()

    def test_edit_of_what_it_stands_for(self):
        self.assertEqual(self.by_model(self.STATEMENT, ""), ["model fork_walk NO_RMB"])

    def test_only_a_comment(self):
        self.assertEqual(self.by_model(self.STATEMENT, "\t/* In order. */\n" + self.STATEMENT), [])
        self.assertEqual(self.by_model(self.STATEMENT, self.STATEMENT[:-1] + "\t// why\n"), [])

    def test_other_function(self):
        # Of the same file, of which a walk with locks does nothing in this one.
        self.assertEqual(self.by_model("\twalk->next_address = walk->high + 1;\n", ""), [])
        # The model stands for a part of this file, too.
        self.assertEqual(self.by_model("\tlazy->depth = 0;\n", "", path="core/anon_vma_lazy.c"),
                         [])

    def test_model_that_does_not_care(self):
        self.assertEqual(self.by_model(self.STATEMENT, "", errors=0), [])


class Matrix(unittest.TestCase):
    """Which tests of rows have been seen to fail."""

    def test_table(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "t.txt"
            self.assertEqual(matrix.read(path), {})
            table = {"asan p r01_b[lazy]": {f"bug-with-a-long-name-{i}" for i in range(9)},
                     "tsan q r02_a[regular]": {"one"}}
            matrix.write(path, table)
            self.assertEqual(matrix.read(path), table)
            self.assertLessEqual(max(map(len, path.read_text(encoding="utf-8").splitlines())),
                                 100)

    def test_update(self):
        table = {"a p r01_a[lazy]": {"one"}, "a p r01_b[lazy]": {"one", "two"}}
        matrix.update(table, "one", ["a p r01_c[lazy]"])
        self.assertEqual(table, {"a p r01_b[lazy]": {"two"}, "a p r01_c[lazy]": {"one"}})
        table["a p r01_d[lazy]"] = {"one"}
        matrix.forget(table, {"one"}, {"r01_b", "r01_c"})
        self.assertEqual(table, {"a p r01_c[lazy]": {"one"}})

    def test_cover(self):
        bug = {name: mock.Mock(rows=rows, found_by=by) for name, rows, by in (
            ("much", ["R01"], ["a p r01_seen[lazy]"]), ("little", ["R02"], []),
            ("own", ["R01"], []))}
        for name, one in bug.items():
            one.name = name
        table = {"a p r01_seen[regular]": {"little"}, "a p r01_a[lazy]": {"much", "own", "little"},
                 "a p r03_b[lazy]": {"much", "little"}, "a p r01_c[lazy]": {"much"}}
        self.assertEqual(matrix.cover(table, bug.values()),
                         [("own", "a p r01_a[lazy]"), ("much", "a p r01_c[lazy]"),
                          ("little", "a p r03_b[lazy]")])

    def each(self, together, alone):
        """
        What is said to fail of the tests a, b, c, d, if a run of all has come to @together,
        and runs of one end as in @alone.
        """
        names = ["a", "b", "c", "d"]

        def program(_argv, env, *_args, **_more):
            test = env["TEST_FILTER"]
            return together if test == "r*" else run.Result([], [], alone[test], 1, "")
        finder = find.Finder(TOP, {}, TOP)
        finder.builds["asan"] = mock.Mock(objects=lambda *_: [{"output": "o"}],
                                          has=lambda *_: True, compile=lambda *_: "o")
        finder.programs["asan"] = {"p": build.Program("p", Path("p"), [], {}, [])}
        attempt = finder.attempt("name", "core/regular.c", "")
        control = run.Result(names, [], "ok", 1, "")
        with mock.patch.object(finder, "control", lambda *_: control), \
                mock.patch.object(find.running, "run", program):
            return attempt.each("asan", "p", "r*")

    def test_one_fails_by_another(self):
        together = run.Result(["a", "b", "c", "d"], ["a", "c"], "failed", 1, "")
        self.assertEqual(self.each(together, {"a": "failed", "c": "ok"}), ["asan p a"])

    def test_what_comes_after_the_end(self):
        together = run.Result(["a"], [], "crashed", 1, "")
        self.assertEqual(self.each(together, {"b": "crashed", "c": "ok", "d": "failed"}),
                         ["asan p b", "asan p d"])

    def test_too_many_do_not_end(self):
        together = run.Result([], [], "hung", 1, "")
        alone = {"a": "hung", "b": "failed", "c": "hung", "d": "hung"}
        self.assertEqual(self.each(together, alone), ["asan p a", "asan p b", "asan p c"])

    def test_every_test_of_a_row_was_seen_to_fail(self):
        table = matrix.read(TOP / "tests" / "planted" / matrix.NAME)
        known = {bug.name: bug for bug in bugs.load(TOP / "tests" / "planted")}
        self.assertEqual(set().union(*table.values()) - set(known), set())
        tests = matrix.defined(TOP)
        self.assertGreater(len(tests), 90)
        self.assertEqual({matrix.plain(test) for test in table}, tests)
        # In every run of planted.py: see matrix.cover().
        by = {matrix.plain(test) for bug in known.values() for test in bug.found_by}
        self.assertEqual(tests - by, set())


class Headers(unittest.TestCase):
    def test_affected_names(self):
        made = build.Build.__new__(build.Build)
        made.headers = [("outer", {"inner", "x"}), ("MACRO", {"outer"}), ("apart", {"y"})]
        old = "#define N 1\nstatic int inner(void)\n{\n\treturn 1;\n}\nstruct s { int a; };\n"
        new = old.replace("return 1", "return 2")
        self.assertEqual(made._affected(old, new), {"inner", "outer", "MACRO"})
        self.assertEqual(made._affected(old, old.replace("N 1", "N 2")), {"N"})
        self.assertIsNone(made._affected(old, old.replace("int a", "long a")))


class SameCode(unittest.TestCase):
    """Objects of one source: @b shows more of it than @a, and @other is of no test program."""

    def test_objects_of_programs(self):
        path = TOP / "core" / "regular.c"
        made = mock.Mock(
            commands=[{"path": path, "output": name} for name in ("other", "a", "b")],
            has=lambda program, output: output in program,
            assembly=lambda command, text: text[:100] if command["output"] == "a" else text)
        finder = mock.Mock(top=TOP, build=lambda name: made,
                           programs={"asan": {"p": "a"}, "tsan": {"p": "a", "q": "b"},
                                     "schedules": {}})
        codes = systematic.Codes(finder)
        text = path.read_text(encoding="utf-8")
        mutant = mutants.Mutant("key", "core/regular.c", "f", [])
        self.assertEqual(systematic.differs(codes, mutant, text), ["schedules"])
        self.assertEqual(systematic.differs(codes, mutant, text + ";"), ["tsan", "schedules"])
        self.assertEqual(systematic.differs(codes, mutant, ";" + text),
                         ["asan", "tsan", "schedules"])
        header = mutant._replace(path="core/anon_vma_lazy_internal.h")
        self.assertFalse(codes.same("asan", header, text))


class Survivors(unittest.TestCase):
    def test_reasons_are_for_something(self):
        reasons = systematic.read_reasons(TOP / "tests" / "planted" / "survivors.txt")
        self.assertEqual(systematic.stale(reasons, systematic.all_mutants(TOP), None), [])

    def test_bad_reasons(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "s.txt"
            for text in ("\treason\n", "key\n", "key\n\ta\nkey\n\tb\n"):
                path.write_text(text, encoding="utf-8")
                with self.assertRaises(systematic.BadReasons):
                    systematic.read_reasons(path)
            for switch in ("fork_walk NO_SUCH", "no_such NO_RMB"):
                path.write_text(f"key\n\t[model {switch}] a\n", encoding="utf-8")
                with self.assertRaises(systematic.BadReasons):
                    systematic.read_reasons(path)
            path.write_text("# c\n\nkey\n\ta\n\tb\nk2\n\t[model fork_walk NO_RMB] c\n",
                            encoding="utf-8")
            self.assertEqual(systematic.read_reasons(path),
                             {"key": "a b", "k2": "[model fork_walk NO_RMB] c"})

    def test_complaints(self):
        results = {"found": ["a"], "same": "same", "left": [], "at times": ["b"], "why": ["c"],
                   "known": [], "known same": "same"}
        reasons = {"known": "x", "known same": "x", "at times": "[sometimes] x", "why": "x"}
        bad = list(systematic.complaints(results, reasons, False))
        self.assertEqual([line.rpartition(": ")[2] for line in bad], ["left", "same", "why"])
        # What quick tests do not find needs no reason yet.
        bad = list(systematic.complaints(results, reasons, True))
        self.assertEqual([line.rpartition(": ")[2] for line in bad], ["why"])

    def test_memory(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "m.jsonl"
            one, two = (mutants.Mutant(key, "a.c", "f", []) for key in ("one", "two"))
            memory = systematic.Memory(path, False, False, "tests")
            self.assertIsNone(memory.get(one, "text", True))
            memory.put(one, "text", ["test"], True)
            memory.put(two, "text", [], True)
            for known in (memory, systematic.Memory(path, True, False, "tests")):
                self.assertEqual(known.get(one, "text", True), ["test"])
                self.assertIsNone(known.get(one, "other text", True))
                self.assertEqual(known.get(two, "text", True), [])
                self.assertIsNone(known.get(two, "text", False))
            # What was found stays found; what was not is looked for by other tests.
            known = systematic.Memory(path, True, False, "other tests")
            self.assertEqual(known.get(one, "text", True), ["test"])
            self.assertIsNone(known.get(two, "text", True))
            # A part is looked at again; what is known of all the others stays.
            known = systematic.Memory(path, False, True, "tests")
            self.assertIsNone(known.get(one, "text", True))
            self.assertGreater(path.stat().st_size, 0)
            self.assertIsNone(systematic.Memory(path, False, False, "tests").get(one, "text", True))


if __name__ == "__main__":
    tap.main(sys.modules["__main__"])

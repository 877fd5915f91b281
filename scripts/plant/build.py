# SPDX-License-Identifier: GPL-2.0
"""Test programs with one source file exchanged, without building everything again.

Meson has said how each object is compiled (compile_commands.json) and ninja how each
program is linked. Only the objects that the changed file goes into are compiled,
into a folder of their own, and put into the link command before the archives: the
linker then has no use for the archive's old ones.
"""
import json
import shlex
import subprocess
from collections import namedtuple
from pathlib import Path

from . import ctext

Program = namedtuple("Program", "name path suites env args")
HEADERS = ("core", "kshim", "usermm", "tests", "schedules")


class BuildError(Exception):
    """A compiler or linker said no."""


class NotBuilt(Exception):
    """The sources as they are do not build."""


def _run(argv, cwd):
    done = subprocess.run(argv, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", check=False)
    if done.returncode:
        raise BuildError(f"{argv[0]} failed:\n{done.stdout[-4000:]}")
    return done.stdout


class Build:
    """A configured and up-to-date build folder of the sources in @top."""

    def __init__(self, name, directory, top):
        self.name = name
        self.dir = Path(directory).resolve()
        self.top = Path(top).resolve()
        with open(self.dir / "compile_commands.json", encoding="utf-8") as file:
            self.commands = json.load(file)
        for command in self.commands:
            command["path"] = (self.dir / command["file"]).resolve()
        self.links = {}
        self.deps = None
        self.headers = None

    def programs(self):
        """Test programs that core/ is linked into."""
        found = []
        for test in json.loads(_run(["meson", "introspect", "--tests", str(self.dir)], self.dir)):
            path = Path(test["cmd"][0])
            if test["protocol"] != "tap" or self.dir not in path.parents:
                continue
            if "core/libcore.a" in self.link(str(path.relative_to(self.dir))):
                suites = [s.rpartition(":")[2] for s in test["suite"]]
                found.append(Program(test["name"], path, suites, test["env"], test["cmd"][1:]))
        return found

    def link(self, target):
        """The command that links a program."""
        if target not in self.links:
            out = _run(["ninja", "-t", "commands", "-s", target], self.dir)
            self.links[target] = shlex.split(out.strip().splitlines()[-1])
        return self.links[target]

    # -- What a changed file goes into

    def objects(self, path, old, new):
        """Compile commands of the objects that differ when @path, @old, becomes @new."""
        path = (self.top / path).resolve()
        if path.suffix == ".c":
            return [c for c in self.commands if c["path"] == path]
        names = self._affected(old, new)
        found = []
        for command in self._including(path):
            if names is None or names & ctext.identifiers(ctext.blank(command["path"].read_text())):
                found.append(command)
        return found

    def _including(self, header):
        if self.deps is None:
            self.deps = {}
            output = None
            for line in _run(["ninja", "-t", "deps"], self.dir).splitlines():
                if line.startswith(" "):
                    self.deps[output].add((self.dir / line.strip()).resolve())
                elif ":" in line:
                    output = line.partition(":")[0]
                    self.deps[output] = set()
        return [c for c in self.commands if header in self.deps.get(c["output"], ())]

    def _affected(self, old, new):
        """
        Names by which other files get hold of what differs in a header: functions and
        macros that were edited, and all in headers that use those. None: anything may differ.
        """
        names = set()
        blanked = [ctext.blank(old), ctext.blank(new)]
        units = [{f.name: t[f.start:f.end] for f in ctext.functions(t)} |
                 dict(ctext.macros(t)) for t in blanked]
        rests = []
        for text, unit in zip(blanked, units):
            for part in unit.values():
                text = text.replace(part, "")
            rests.append(ctext.squeeze(text))
        if rests[0] != rests[1] or units[0].keys() != units[1].keys():
            return None
        names = {name for name in units[0] if units[0][name] != units[1][name]}
        if self.headers is None:
            self.headers = self._header_units()
        grown = True
        while grown:
            more = {name for name, used in self.headers if name not in names and used & names}
            names |= more
            grown = bool(more)
        return names

    def _header_units(self):
        units = []
        for folder in HEADERS:
            for path in (self.top / folder).rglob("*.h"):
                text = ctext.blank(path.read_text(encoding="utf-8"))
                units += [(f.name, ctext.identifiers(text[f.body:f.end]))
                          for f in ctext.functions(text)]
                units += [(name, ctext.identifiers(body)) for name, body in ctext.macros(text)]
        return units

    # -- Compiling and linking

    def compile(self, path, new, command, scratch):
        """Compile one object with @path's text being @new. Returns the changed object."""
        path = Path(path)
        copy = Path(scratch) / "src" / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(new, encoding="utf-8")
        out = Path(scratch) / self.name / "objects" / command["output"]
        out.parent.mkdir(parents=True, exist_ok=True)
        _run(self._compile_argv(command, path, copy, out), self.dir)
        return out

    def has(self, program, output):
        """Is an object a part of a program?"""
        argv = self.link(str(program.path.relative_to(self.dir)))
        return output in argv or output.rpartition(".p/")[0] in argv

    def _compile_argv(self, command, path, copy, out):
        argv = shlex.split(command["command"])
        source = command["path"]
        if path.suffix == ".c":
            source = copy
        else:
            # "name.h" is looked for beside the file that includes it, so copy that too.
            folder = copy.parent
            if source.parent == (self.top / path).resolve().parent:
                source = folder / source.name
                source.write_text(command["path"].read_text(encoding="utf-8"), encoding="utf-8")
            include = folder
            tops = ("include", "src", "core", "usermm")
            while include.name not in tops and include != folder.root:
                include = include.parent
            first = next(i for i, word in enumerate(argv) if word.startswith("-I"))
            argv.insert(first, f"-I{include}")
        result, skip = [], False
        for word in argv:
            if skip:
                skip = False
            elif word in ("-o", "-MF", "-MQ", "-c"):
                skip = True
            elif word not in ("-MD", "-g"):
                result.append(word)
        # "x.h" beside the original, after the copies.
        return result + [f"-iquote{command['path'].parent}", "-w", "-o", str(out),
                         "-c", str(source)]

    def assembly(self, command, text):
        """What the compiler makes of a text in the place of a file."""
        argv = [word for word in self._compile_argv(command, command["path"], command["path"], "-")
                if not word.startswith("-fsanitize=address")]
        argv[argv.index("-c"):] = ["-S", "-x", "c", "-"]
        done = subprocess.run(argv, cwd=self.dir, input=f'#line 1 "{command["path"]}"\n{text}',
                              capture_output=True, text=True, check=False)
        if done.returncode:
            raise BuildError(done.stderr[-4000:])
        return done.stdout

    def link_with(self, program, objects, scratch):
        """Link a test program with changed objects, {output: the changed one}."""
        target = str(program.path.relative_to(self.dir))
        argv = list(self.link(target))
        out = Path(scratch) / self.name / program.path.name
        first = next(i for i, word in enumerate(argv) if i > 2 and word.endswith(".o"))
        for output, changed in objects.items():
            if output in argv:
                argv[argv.index(output)] = str(changed)
            else:
                argv.insert(first, str(changed))
        argv[argv.index("-o") + 1] = str(out)
        _run(argv, self.dir)
        return out


def make(name, directory, top, options, targets=None):
    """
    Configure a build folder if need be, and bring @targets of it up to date: files, or a
    function that chooses among all test programs.
    """
    directory = Path(directory).resolve()
    try:
        if not (directory / "build.ninja").exists():
            _run(["meson", "setup", *options, str(directory)], top)
        _run(["ninja", "-C", str(directory), "build.ninja"], top)
        made = Build(name, directory, top)
        if callable(targets):
            targets = [str(p.path.relative_to(made.dir)) for p in made.programs() if targets(p)]
        _run(["ninja", "-j2", "-C", str(directory), *targets], top)
    except BuildError as error:
        raise NotBuilt(f"{directory}: {error}") from error
    return made

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Rows about the text of the project: R01 (no reference on VMAs), R11, R12, R13, R18; and
whether docs/proof.md tells of all rows, by names of tests that exist.

  test_static.py TREE [NAME...]

Each check looks at files of TREE only, and prints one TAP line; NAME picks some of them.
test_static_fails.py shows on scratch copies that each can fail.
"""

import fnmatch
import glob
import os
import re
import sys

# Lines added to, and removed from, files that Linux has, by all patches together. Raise it
# only with a reason: the smaller, the easier to read. (From 660: that VMAs which are all
# in place may merge is seen without a call, 2 % of an mprotect that splits and merges.)
MAX_ADDED = 680
MAX_REMOVED = 330

ARCHITECTURES = ("alpha arc arm arm64 csky hexagon loongarch m68k microblaze mips nios2 "
                 "openrisc parisc powerpc ppc riscv s390 sh sparc um x86 xtensa").split()

# Where the argument for an operation of the lazy topology stands: beside its code, or in the
# section "Why a walk misses nothing" that opens anon_vma_lazy.c, under this word. The text
# is a part of it that must be there.
ARGUMENTS = {
    "prepare": ("beside", "Correct because"),
    "clone": ("beside", "Correct because"),
    "fork": ("beside", "Correct because"),
    "unlink": ("beside", "Correct because"),
    "exit_mm": ("beside", "Correct because"),
    "mergeable": ("beside", "No page loses its owner"),
    "fork_mm": ("fork", "linked before its first PTE is copied"),
    "fork_failed": ("dup_mmap", "walks stop at"),
    "detach": ("unmap", "until its last PTE is gone"),
    "reattach": ("unmap", "under the write lock"),
    "detach_done": ("unmap", "until its last PTE is gone"),
    "pre_update": ("beside", "out of the interval tree while its key changes"),
    "post_update": ("beside", "with the new range"),
    "owner": ("beside", "Every mm that maps a folio is in the subtree of its owner"),
    "covers": ("beside", "not an ancestor"),
}
# Part of a set that is complete by its nature: the locks, as published with the series.
COMPLETE_SET = {"anon_vma_tree_trylock_read"}
# Not operations on VMAs: steps of walks, and the end of an owner.
NO_ARGUMENT = {"release", "walk_next", "walk_end"}


class Tree:
    """Files of the tree, by relative path."""

    def __init__(self, top):
        self.top = top

    def read(self, path):
        with open(os.path.join(self.top, path), encoding="utf-8") as f:
            return f.read()

    def files(self, *patterns):
        found = []
        for pattern in patterns:
            found += glob.glob(os.path.join(self.top, pattern), recursive=True)
        return sorted(os.path.relpath(f, self.top) for f in found if os.path.isfile(f))

    def core(self):
        return self.files("core/*.[ch]", "core/include/**/*.h")

    def patches(self):
        """(patch, file, is new, added lines, removed lines) of each file of each patch."""
        for patch in self.files("linux/series/*.patch"):
            name = new = None
            added, removed = [], []
            for line in self.read(patch).splitlines():
                match = re.match(r"diff --git a/\S+ b/(\S+)", line)
                if match:
                    if name:
                        yield patch, name, new, added, removed
                    name, new, added, removed = match[1], False, [], []
                elif line.startswith("--- "):
                    new = new or line == "--- /dev/null"
                elif line.startswith("+++ ") or line == "-- ":
                    pass
                elif name and line.startswith("+"):
                    added.append(line[1:])
                elif name and line.startswith("-"):
                    removed.append(line[1:])
            if name:
                yield patch, name, new, added, removed


def code(text):
    """Without comments and strings."""
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text, flags=re.S)
    return re.sub(r'"(\\.|[^"\\])*"', '""', text)


def function_names(text):
    return re.findall(r"^(?:static )?(?:inline )?[\w \*]*?\b(\w+)\([^;]*?\)\n\{", code(text),
                      flags=re.M)


def comment_of(text, function):
    """The comment right above a function's definition, without its decoration."""
    match = re.search(r"/\*((?:(?!\*/).)*)\*/\n[\w \*]*\b" + function + r"\([^;{]*\)\n\{", text,
                      flags=re.S)
    return re.sub(r"\s*\n \*\s*", " ", match[1]) if match else ""


def hooks(tree, topology):
    match = re.search(topology + r"_topology = \{(.*?)\n\};", tree.read("core/regular.c"), re.S)
    return dict(re.findall(r"\.(\w+) = (\w+),", match[1])) if match else {}


# -- The checks: each returns a list of complaints ------------------------------------------


def r01_no_reference_on_vmas(tree):
    """No VMA reference count: not in the type, not in core/, not in the series."""
    words = re.compile(r"\b(vma_get|vma_put|get_vma|put_vma|vma_refcount_\w+|vm_refcnt|"
                       r"vm_ref_count|vma_tryget|vma_ref\w*)\b")
    bad = []
    for path in tree.core() + tree.files("usermm/*.[ch]", "kshim/include/linux/mm*.h"):
        for i, line in enumerate(code(tree.read(path)).splitlines(), 1):
            if words.search(line):
                bad.append(f"{path}:{i}: {line.strip()}")
    struct = re.search(r"struct vm_area_struct \{.*?\n\};",
                       code(tree.read("kshim/include/linux/mm_types.h")), re.S)[0]
    bad += [f"struct vm_area_struct: {line.strip()}" for line in struct.splitlines()
            if re.search(r"refcount|\bkref\b|_count\b|_users\b", line)]
    for patch, path, _, added, _ in tree.patches():
        if path.startswith(("tools/", "Documentation/")):
            continue
        bad += [f"{patch}: {path}: {line.strip()}" for line in code("\n".join(added)).splitlines()
                if words.search(line)]
        # The VMA struct gets no field: that of the word changes its type, and the head by
        # which a VMA is freed may move.
        if path == "include/linux/mm_types.h":
            bad += [f"{patch}: {line.strip()}" for line in added
                    if re.search(r"\bvm_(?!rcu\b)\w+;|refcount_t|\bkref\b", line)]
    return bad


def r11_no_architecture_switch(tree):
    """No architecture is named where code is chosen."""
    names = "(" + "|".join(a.upper() for a in ARCHITECTURES) + r")(_?(32|64))?\b"
    macros = re.compile(r"\bCONFIG_" + names + r"|"
                        r"__(x86_64|i386|aarch64|arm|riscv|powerpc64?|s390x?|mips|sparc|"
                        r"loongarch\w*)__\b")
    kconfig = re.compile(r"^\s*(depends on|select|default \w+ if|if)\b.*\b" + names)
    bad = []
    for path in tree.core():
        for i, line in enumerate(code(tree.read(path)).splitlines(), 1):
            if macros.search(line):
                bad.append(f"{path}:{i}: {line.strip()}")
    arch = []
    for patch, path, _, added, _ in tree.patches():
        bad += [f"{patch}: {path}: {line.strip()}" for line in added
                if macros.search(line) or (path.endswith("Kconfig") and kconfig.search(line))]
        if path.startswith("arch/"):
            arch.append((path, added))
    # Patch 19, off by default, needs page tables to be freed after a grace period where they
    # are not yet: this one function. It is no switch: by the option, not the architecture.
    for path, added in arch:
        if path != "arch/x86/kernel/paravirt.c" or len(added) > 4 or \
           not any("CONFIG_ANON_VMA_LOCKLESS" in line for line in added):
            bad.append(f"the series touches {path}")
    return bad


def r12_written_arguments(tree):
    """Each operation of the lazy topology has its argument, where ARGUMENTS says."""
    text = tree.read("core/anon_vma_lazy.c")
    head = text[:text.index("*/\n#include")]
    start = head.find("Why a walk misses nothing")
    sections, name = {}, None
    for line in head[start:].splitlines()[1:] if start >= 0 else []:
        match = re.match(r" \* ?(\w+)\t+(.*)", line)
        if match:
            name = match[1]
            sections[name] = match[2]
        elif name and line.startswith(" *\t"):
            sections[name] += " " + line[2:].strip()
    bad = []
    for hook, function in hooks(tree, "lazy").items():
        if hook in NO_ARGUMENT:
            continue
        if hook not in ARGUMENTS:
            bad.append(f"{hook}: an operation that has no argument (see ARGUMENTS)")
            continue
        where, words = ARGUMENTS[hook]
        argument = comment_of(text, function) if where == "beside" else sections.get(where, "")
        if words not in re.sub(r"\s+", " ", argument):
            bad.append(f"{hook}: no \"{words}\" in the comment of {function}()"
                       if where == "beside" else
                       f"{hook}: no \"{words}\" under \"{where}\" at the head of the file")
    if not hooks(tree, "lazy"):
        bad.append("core/regular.c: lazy_topology not found")
    # What an operation's code asks of its caller is said as well.
    for hook, function in hooks(tree, "lazy").items():
        if hook in ARGUMENTS and not comment_of(text, function):
            bad.append(f"{function}(): no comment")
    return bad


def r13_wrappers_and_size(tree):
    """Each wrapper is used, each hook differs, the diff to Linux's own files is small."""
    bad = []
    sources = {path: code(tree.read(path)) for path in
               tree.core() + tree.files("usermm/*.[ch]", "kshim/include/linux/*.h")}
    series = "\n".join(line for _, _, _, added, _ in tree.patches() for line in added)
    for path in tree.files("core/include/linux/anon_vma_*.h"):
        for name in function_names(tree.read(path)):
            uses = sum(len(re.findall(r"\b" + name + r"\b", text)) for text in sources.values())
            uses += len(re.findall(r"\b" + name + r"\(", series))
            if uses < 2 and name not in COMPLETE_SET:
                bad.append(f"{path}: {name}() is used by nobody")
    regular, lazy = hooks(tree, "regular"), hooks(tree, "lazy")
    bad += [f"{hook}: {function}() in both topologies" for hook, function in regular.items()
            if lazy.get(hook) == function]
    added = removed = 0
    for _, path, new, more, fewer in tree.patches():
        if not new and not path.startswith(("Documentation/", "tools/")) and \
           "anon_vma_topology" not in path:
            added += len(more)
            removed += len(fewer)
    if added > MAX_ADDED or removed > MAX_REMOVED:
        bad.append(f"the series adds {added} lines to Linux's files, and removes {removed}: "
                   f"more than {MAX_ADDED} and {MAX_REMOVED}")
    if not added:
        bad.append("there is no series")
    return bad


def r18_switch_read_at_boot_only(tree):
    """One choice: at boot in Linux, when a world is made in user space."""
    bad = []
    added = {}
    for patch, path, _, more, _ in tree.patches():
        if path.startswith(("tools/", "Documentation/")):
            continue
        added.setdefault(path, []).extend(more)
        for line in more:
            if re.search(r"\b(module_param\w*|core_param|sysctl\w*|proc_create\w*|debugfs_\w+|"
                         r"sysfs_create\w*|__ATTR\w*|static_branch_(disable|dec)\w*|"
                         r"static_key_(disable|slow_dec)\w*)\b", code(line)):
                bad.append(f"{patch}: {path}: {line.strip()}")
    text = "\n".join(added.get("mm/anon_vma_topology.c", []))
    if "DEFINE_STATIC_KEY_FALSE_RO(anon_vma_lazy_key)" not in text:
        bad.append("the key is not read-only after boot")
    if not re.search(r'early_param\("anon_vma",', text):
        bad.append("anon_vma= is not an early parameter")
    if not re.search(r"static bool lazy_wanted __initdata", text):
        bad.append("what was asked for outlives boot")
    everything = "\n".join("\n".join(lines) for lines in added.values())
    enables = re.findall(r"static_branch_enable\(&anon_vma_lazy_key\)", everything)
    body = re.search(r"void __init anon_vma_topology_init\(void\)\n\{(.*?)\n\}", text, re.S)
    if len(enables) != 1 or not body or "static_branch_enable" not in body[1]:
        bad.append("the key is set elsewhere than in anon_vma_topology_init(), which is __init")
    # User space: a world's topology is set when it is made, an mm's from its world.
    for path in tree.core() + tree.files("usermm/*.[ch]"):
        for i, line in enumerate(code(tree.read(path)).splitlines(), 1):
            if re.search(r"(world|mm)->topology = ", line) and \
               not re.search(r"world->topology = \*found;|mm->topology = world->topology;", line):
                bad.append(f"{path}:{i}: {line.strip()}")
    return bad


ROW_TEST = r"(?:r\d\d_)+[a-z0-9_]*"


def without_braces(pattern):
    """a_{b,c} is a_b and a_c."""
    match = re.search(r"\{([^{}]*)\}", pattern)
    if not match:
        return [pattern]
    return [name for part in match[1].split(",")
            for name in without_braces(pattern[:match.start()] + part + pattern[match.end():])]


def proof_is_told(tree):
    """Each row has its argument, its tests, and what they leave out; no test is made up."""
    text, bad = tree.read("docs/proof.md"), []
    paragraphs = [p for p in text.split("\n\n") if re.match(r"\*\*R\d\d", p)]
    told = [row for p in paragraphs for row in re.findall(r"\bR(\d\d)\b", p.partition("*Tests:*")[0])]
    bad += [f"docs/proof.md: nothing about R{row:02}" for row in range(1, 44)
            if f"{row:02}" not in told]
    bad += [f"docs/proof.md: {p[:20]}...: not one *Tests:* and one *Not covered:*"
            for p in paragraphs if p.count("*Tests:*") != 1 or p.count("*Not covered:*") != 1]

    tests = {name for path in tree.files("tests/*/*.c")
             for name in re.findall(rf"\b({ROW_TEST})\(void \*\*state\)", tree.read(path))}
    tests |= {check.__name__ for check in CHECKS if re.match(ROW_TEST, check.__name__)}
    tests |= set(re.findall(rf"\bROW[A-Z_]*\(({ROW_TEST})", "".join(
        tree.read(path) for path in tree.files("tests/*/*.c"))))
    scenarios = set(re.findall(r"\bS\((\w+)\)", tree.read("schedules/scenarios.c")))
    unnamed = set(tests)
    for quoted in re.findall(r"`([^`\s]+)`", " ".join(paragraphs)):
        for pattern in without_braces(quoted):
            known = tests if re.match("r\\d\\d_", pattern) else \
                scenarios if "_vs_" in pattern else None
            found = fnmatch.filter(known or (), pattern)
            unnamed -= set(found)
            if known and not found:
                bad.append(f"docs/proof.md: there is no {pattern}")
    return bad + [f"docs/proof.md: {name} is not named" for name in sorted(unnamed)]


CHECKS = [r01_no_reference_on_vmas, r11_no_architecture_switch, r12_written_arguments,
          r13_wrappers_and_size, r18_switch_read_at_boot_only, proof_is_told]


def main(argv):
    if len(argv) < 2 or not os.path.isdir(os.path.join(argv[1], "core")):
        print(__doc__, file=sys.stderr)
        return 2
    tree, failed = Tree(argv[1]), 0
    checks = [c for c in CHECKS if len(argv) == 2 or c.__name__ in argv[2:]]
    print(f"1..{len(checks)}")
    for i, check in enumerate(checks, 1):
        bad = check(tree)
        failed += bool(bad)
        print(f"{'not ' if bad else ''}ok {i} - {check.__name__}")
        for line in bad[:20]:
            print(f"# {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))

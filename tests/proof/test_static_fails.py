#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Can the checks of test_static.py fail? Each of these edits of a copy must be noticed.

  test_static_fails.py TREE
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
PARTS = ("core", "usermm", "kshim/include/linux", "linux/series", "docs", "tests", "schedules")


def replace(pattern, text):
    def edit(content):
        new = re.sub(pattern, lambda m: text, content, count=1, flags=re.M | re.S)
        if new == content:
            raise SystemExit(f"not found: {pattern}")
        return new
    return edit


def append(text):
    return lambda content: content + text


# (check, what is done, file, edit)
EDITS = [
    ("r01_no_reference_on_vmas", "a reference on a VMA in core/",
     "core/anon_vma_lazy_walk.c", append("static void f(void)\n{\n\tvma_get(vma);\n}\n")),
    ("r01_no_reference_on_vmas", "a count in struct vm_area_struct",
     "kshim/include/linux/mm_types.h",
     replace(r"\tchar \*anon_name;", "\tatomic_t vm_refcount;\n\tchar *anon_name;")),
    ("r01_no_reference_on_vmas", "a count in the series' VMA struct",
     "linux/series/0002-mm-make-vma-anon_vma-a-tagged-word.patch",
     replace(r"^\+\tanon_vma_tree_t anon_vma;",
             "+\trefcount_t vm_refs;\n+\tanon_vma_tree_t anon_vma;")),
    ("r11_no_architecture_switch", "a choice by CONFIG_X86_64 in core/",
     "core/rmap_walk.c", append("#ifdef CONFIG_X86_64\n#endif\n")),
    ("r11_no_architecture_switch", "a Kconfig line in the series",
     "linux/series/0008-mm-add-the-lazy-topology-of-the-anonymous-reverse-ma.patch",
     replace(r"^\+\tdepends on MMU$", "+\tdepends on MMU && ARM64")),
    ("r11_no_architecture_switch", "a file under arch/",
     "linux/series/0009-mm-free-VMAs-after-a-grace-period-wherever-the-topol.patch",
     append("diff --git a/arch/arm64/mm/mmu.c b/arch/arm64/mm/mmu.c\n+x\n")),
    ("r12_written_arguments", "fork's argument goes",
     "core/anon_vma_lazy.c",
     replace(r"Correct because: the pages that will be copied", "The pages that will be copied")),
    ("r12_written_arguments", "the head's word on unmap goes",
     "core/anon_vma_lazy.c", replace(r"^ \* unmap\t", " * umap\t")),
    ("r12_written_arguments", "a new operation comes",
     "core/regular.c", replace(r"\t\.prepare = lazy_anon_vma_prepare,",
                               "\t.prepare = lazy_anon_vma_prepare,\n\t.grow = lazy_grow,")),
    ("r13_wrappers_and_size", "a wrapper that nobody needs",
     "core/include/linux/anon_vma_tree.h",
     replace(r"#endif\n\Z",
             "static inline int anon_vma_tree_nop(int x)\n{\n\treturn x;\n}\n\n#endif\n")),
    ("r13_wrappers_and_size", "the series grows",
     "linux/series/0016-mm-fork-and-exit-in-the-lazy-topology.patch",
     append("diff --git a/mm/mmap.c b/mm/mmap.c\n" + "+x\n" * 400)),
    ("r13_wrappers_and_size", "a hook that is the same in both",
     "core/regular.c", replace(r"\.prepare = regular_\w+", ".prepare = lazy_anon_vma_prepare")),
    ("r18_switch_read_at_boot_only", "a module parameter",
     "linux/series/0019-mm-choose-the-topology-of-the-anonymous-reverse-map-.patch",
     replace(r"^\+early_param\(.*?$", '+module_param(lazy_wanted, bool, 0644);')),
    ("r18_switch_read_at_boot_only", "the key is set by somebody else",
     "linux/series/0016-mm-fork-and-exit-in-the-lazy-topology.patch",
     append("diff --git a/mm/mmap.c b/mm/mmap.c\n+\tstatic_branch_enable(&anon_vma_lazy_key);\n")),
    ("r18_switch_read_at_boot_only", "an mm changes its topology",
     "usermm/fork.c", append("static void f(void)\n{\n\tmm->topology = &lazy_topology;\n}\n")),
    ("proof_is_told", "a row without an argument",
     "docs/proof.md", replace(r"^\*\*R09, exit\.\*\*", "**Exit.**")),
    ("proof_is_told", "a row that leaves nothing out, nor says so",
     "docs/proof.md", replace(r"^\*Not covered:\* stacks.*$", "")),
    ("proof_is_told", "a test that does not exist",
     "docs/proof.md", replace(r"`r38_exit_in_any_order`", "`r38_exit_in_each_order`")),
    ("proof_is_told", "a scenario that does not exist",
     "docs/proof.md", replace(r"`swapin_vs_ksm`", "`swapin_vs_thp`")),
    ("proof_is_told", "a test that is not told of",
     "tests/topology/topology_test.c",
     append("static void r20_is_new(void **state)\n{\n\t(void)state;\n}\n")),
]


def main(argv):
    if len(argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    failed = 0
    print(f"1..{len(EDITS)}")
    for i, (check, what, path, edit) in enumerate(EDITS, 1):
        with tempfile.TemporaryDirectory() as scratch:
            for part in PARTS:
                shutil.copytree(os.path.join(argv[1], part), os.path.join(scratch, part))
            target = os.path.join(scratch, path)
            with open(target, encoding="utf-8") as f:
                content = edit(f.read())
            with open(target, "w", encoding="utf-8") as f:
                f.write(content)
            run = subprocess.run([sys.executable, os.path.join(HERE, "test_static.py"), scratch,
                                  check], capture_output=True, text=True, check=False)
            noticed = run.returncode == 1 and f"not ok 1 - {check}" in run.stdout
        failed += not noticed
        print(f"{'' if noticed else 'not '}ok {i} - {check}: {what}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))

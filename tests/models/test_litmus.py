#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
The form of models/litmus/*.litmus, where herd7 is not there to run them: names, expected
result, what each processor declares and uses, balance, the final condition; and that
models, switches and functions that are referred to exist.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LITMUS = os.path.join(ROOT, "models", "litmus")
CALLS = {"READ_ONCE", "WRITE_ONCE", "smp_store_release", "smp_load_acquire", "smp_mb",
         "smp_rmb", "smp_wmb", "cmpxchg", "cmpxchg_acquire", "cmpxchg_relaxed", "spin_lock",
         "spin_unlock", "if"}


def functions():
    """Words of the code that the comments may refer to as function()."""
    done = subprocess.run(["grep", "-rhoE", r"\b[a-z_]\w+\(", os.path.join(ROOT, "core"),
                           os.path.join(ROOT, "kshim", "include", "linux"),
                           os.path.join(ROOT, "usermm")], stdout=subprocess.PIPE, text=True,
                          check=True)
    return {word[:-1] for word in done.stdout.split()}


def check_processor(number, args, body):
    problems = []
    names = set(re.findall(r"(\w+)(?:,|$)", args))
    declared = re.findall(r"^\tint \*?(\w+);$", body, re.M)
    code = re.sub(r"^\tint \*?\w+;$", "", body, flags=re.M)
    for call in set(re.findall(r"(\w+)\(", code)) - CALLS:
        problems.append(f"P{number}: {call}() is not of the memory model")
    for word in set(re.findall(r"\b[a-z]\w*\b", code)) - names - set(declared) - CALLS:
        problems.append(f"P{number}: {word} is not declared")
    for word in set(declared) | names:
        if not re.search(rf"\b{word}\b", code):
            problems.append(f"P{number}: {word} is not used")
    for line in code.splitlines():
        if line.strip() and not re.search(r"[;{}]$", line.strip()) and "if (" not in line:
            problems.append(f"P{number}: no end of statement: {line.strip()}")
    return problems, declared


def check(path, known):
    name = os.path.basename(path)[:-len(".litmus")]
    with open(path) as f:
        text = f.read()
    m = re.match(r"C (\S+)\n\n\(\*\n(.*?)\*\)\n\n\{(.*?)\}\n(.*)\nexists \((.*)\)\n$", text, re.S)
    if not m:
        return ["not of the form: C name, comment, {init}, processors, exists"]
    problems = []
    if m.group(1) != name:
        problems.append(f"is called {m.group(1)}")
    comment = m.group(2)
    if not re.search(r"^ \* Result: (Never|Sometimes)$", comment, re.M):
        problems.append("no expected result")
    model = re.search(r"Model:\s+(?:\*\s+)?(\w+)\.pml(?:,\s+(?:\*\s+)?(\w+))?", comment)
    if model:
        with open(os.path.join(ROOT, "models", model.group(1) + ".pml")) as f:
            if model.group(2) and not re.search(rf"\b{model.group(2)}\b", f.read()):
                problems.append(f"models/{model.group(1)}.pml has no {model.group(2)}")
    for function in re.findall(r"(\w+)\(\)", comment):
        if function not in known and not function.startswith("__put"):
            problems.append(f"there is no {function}()")
    if text.count("(") != text.count(")") or text.count("{") != text.count("}"):
        problems.append("parentheses or braces do not balance")
    processors = re.findall(r"^P(\d)\(([^)]*)\)\n\{\n(.*?)^\}$", m.group(4), re.S | re.M)
    if [p[0] for p in processors] != [str(i) for i in range(len(processors))] or \
       len(processors) < 2:
        problems.append("processors are not P0, P1, ...")
    registers = set()
    for number, args, body in processors:
        more, declared = check_processor(number, args, body)
        problems += more
        registers |= {f"{number}:{word}" for word in declared}
    for used in re.findall(r"(\d:\w+)=", m.group(5)):
        if used not in registers:
            problems.append(f"exists: no register {used}")
    return problems


def main():
    known = functions()
    paths = sorted(os.path.join(LITMUS, n) for n in os.listdir(LITMUS))
    failed = 0
    print(f"1..{len(paths)}")
    for number, path in enumerate(paths, 1):
        problems = check(path, known)
        failed += bool(problems)
        print(f"{'not ok' if problems else 'ok'} {number} - {os.path.basename(path)}")
        for line in problems:
            print(f"# {line}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Make the seed corpus: make-corpus.py BUILD

BUILD is a meson build directory with tests. corpus/ops: the scenarios of scenarios.txt,
and recordings of the recorder's test programs, turned into operations. corpus/trace: these
recordings as they are, and shortened ones. Files whose names begin with "found-" are
findings of earlier runs, and stay.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
RECORD = 6
# Programs of tests/history/programs that are short, and what they are for is in them.
PROGRAMS = ["calls", "cow", "holes", "huge", "lengths", "signals", "spawn", "threads"]
# Inputs that are longer take more time than they find.
MAX_OPERATIONS = 120
MAX_TRACE = 16384


def operations():
    """Names of ops.h, in order."""
    with open(os.path.join(HERE, "ops.h")) as f:
        text = f.read()
    return [name for block in re.findall(r"#define FUZZ_\w+\(X\)((?:.*\\\n)*.*\n)", text)
            for name in re.findall(r"\bX\((\w+)\)", block)]


def scenarios():
    """Yields (name, bytes)."""
    numbers = {name: i for i, name in enumerate(operations())}
    name, data = None, b""
    with open(os.path.join(HERE, "scenarios.txt")) as f:
        for line in f:
            words = line.split("#")[0].split()
            head = re.match(r"\[([\w-]+)\]", line)
            if head:
                if name:
                    yield name, data
                name, data = head.group(1), b""
            elif words:
                values = [int(word) for word in words[1:]]
                data += bytes([numbers[words[0]]] + values + [0] * (RECORD - 1 - len(values)))
    yield name, data


def write(directory, name, data):
    with open(os.path.join(HERE, "corpus", directory, name), "wb") as f:
        f.write(data)


def record(build):
    """Yields (program, trace)."""
    tests = os.path.join(build, "tests", "history")
    with tempfile.TemporaryDirectory() as scratch:
        for program in PROGRAMS:
            path = os.path.join(scratch, program)
            subprocess.run([os.path.join(tests, "record_tool"), "record", path,
                            os.path.join(tests, "prog_" + program)],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            if os.path.exists(path):
                yield program, path


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    for directory in ("ops", "trace"):
        os.makedirs(os.path.join(HERE, "corpus", directory), exist_ok=True)
        for path in glob.glob(os.path.join(HERE, "corpus", directory, "*")):
            if not os.path.basename(path).startswith("found-"):
                os.remove(path)
    for name, data in scenarios():
        write("ops", name, data)
    for program, path in record(sys.argv[1]):
        done = subprocess.run([os.path.join(sys.argv[1], "fuzz", "from_trace"), path],
                              stdout=subprocess.PIPE, check=True)
        # What comes first in all of them is the start of a program, and its stack and
        # heap: let there be memory instead.
        memory = b"".join(bytes([operations().index("mmap"), 0, start, 15, 0, 0])
                          for start in range(0, 64, 16))
        write("ops", "recorded-" + program, memory + done.stdout[-MAX_OPERATIONS * RECORD:])
        with open(path, "rb") as f:
            trace = f.read()
        if len(trace) <= MAX_TRACE:
            write("trace", program, trace)
        write("trace", program + "-cut", trace[:min(len(trace), MAX_TRACE) * 2 // 3])


if __name__ == "__main__":
    main()

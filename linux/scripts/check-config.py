#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Does a .config have what was asked for?

  check-config.py TREE CONFIG FRAGMENT... [--if-known FRAGMENT...]

Kconfig drops an option whose dependencies are not met without a word. This compares every line
of the fragments (a later one wins) with CONFIG, prints what is different, and fails. Options of
a fragment after --if-known are passed over if no Kconfig file of TREE has them.
"""

import os
import re
import sys


def read(path):
    """{option: value}, with "n" for options that are not set."""
    values = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            m = re.match(r"(CONFIG_\w+)=(.*)$", line)
            if m:
                values[m[1]] = m[2]
            m = re.match(r"# (CONFIG_\w+) is not set$", line)
            if m:
                values[m[1]] = "n"
    return values


def known(tree):
    """Options that mm/ and lib/ of the tree define: where the series puts its own."""
    found = set()
    for folder in ("mm", "lib"):
        for name in os.listdir(os.path.join(tree, folder)):
            if name.startswith("Kconfig"):
                with open(os.path.join(tree, folder, name), encoding="utf-8") as f:
                    found |= {"CONFIG_" + w for w in
                              re.findall(r"^(?:menu)?config (\w+)$", f.read(), re.M)}
    return found


def main():
    if len(sys.argv) < 4:
        print(__doc__, file=sys.stderr)
        return 2
    tree, config, *fragments = sys.argv[1:]
    split = fragments.index("--if-known") if "--if-known" in fragments else len(fragments)
    want = {}
    for fragment in fragments[:split]:
        want.update(read(fragment))
    for fragment in fragments[split + 1:]:
        names = known(tree)
        want.update({k: v for k, v in read(fragment).items() if k in names})
    have = read(config)
    wrong = {k: v for k, v in want.items() if have.get(k, "n") != v}
    for k, v in sorted(wrong.items()):
        print(f"config: {k}: asked for {v}, got {have.get(k, 'n')}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

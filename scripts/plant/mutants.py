# SPDX-License-Identifier: GPL-2.0
"""Bugs by rule: what can be left out of a source file, or turned round.

For each function: every statement that takes or drops a lock (alone, and with its
partner), is a barrier, links or unlinks, gets or puts a reference, or belongs to RCU,
is deleted; every acquire and release is made a plain access; every condition is negated:
of if, while, for and ?:, what a function returns as a bool or stores in one of its own, and
each operand of && and || alone. What is asserted stays as it is: an assertion is a test.
A mutant is known by file, function, what was done and the text it was done to, so that it
keeps its name when the file changes elsewhere.
"""
import re
from collections import namedtuple

from . import ctext

# edits: [(start, end, replacement)], not overlapping.
Mutant = namedtuple("Mutant", "key path function edits")

PAIRS = {
    "spin_lock": "spin_unlock",
    "lazy_lock": "lazy_unlock",
    "anon_vma_lock_write": "anon_vma_unlock_write",
    "anon_vma_lock_read": "anon_vma_unlock_read",
    "down_write": "up_write",
    "down_write_nested": "up_write",
    "down_read": "up_read",
    "down_read_nested": "up_read",
    "rcu_read_lock": "rcu_read_unlock",
    "raw_write_seqcount_begin": "raw_write_seqcount_end",
    "lazy_anon_vma_adjust_begin": "lazy_anon_vma_adjust_end",
}
KINDS = (
    ("rcu", r"(rcu_\w+|call_rcu|synchronize_rcu)\("),
    ("lock", r"(spin|lazy|anon_vma)_(un)?lock(_write|_read)?\(|(up|down)_(read|write)\w*\("),
    ("barrier", r"smp_\w*mb\w*\(|raw_write_seqcount_\w+\(|lazy_anon_vma_adjust_\w+\("),
    ("wait", r"lazy_wait_for_readers\(|lazy_walk_leave\(|lazy_anon_vma_unlink\("),
    ("link", r"list_(add|del)\w*\(|INIT_LIST_HEAD\(|\w*tree_(insert|remove)\(|"
             r"(WRITE_ONCE|smp_store_release)\(&?\w+->anon_vma,|\w+->anon_vma = |"
             r"lazy_mark_batch\("),
    ("count", r"_*(get|put)_anon_vma\(|atomic\w*_(inc|dec|set)\w*\(|"
              r"[\w()>.-]*->num_(children|active_vmas)\s*(\+\+|--|=)|kmem_cache_free\(|"
              r"\w+_chain_free\("),
)
WEAKER = {
    "smp_store_release": lambda args: f"WRITE_ONCE(*({args[0]}), {args[1]})",
    "smp_load_acquire": lambda args: f"READ_ONCE(*({args[0]}))",
    "atomic_set_release": lambda args: f"atomic_set({args[0]}, {args[1]})",
}


def kind_of(text):
    for kind, pattern in KINDS:
        if re.match(pattern, text):
            return kind
    return None


def _callee(text):
    match = re.match(r"(\w+)\(", text)
    return match.group(1) if match else None


def _arguments(text):
    """Split at the commas that no bracket holds."""
    found, depth, last = [], 0, 0
    for i, c in enumerate(text):
        depth += (c in "([{") - (c in ")]}")
        if c == "," and not depth:
            found.append(text[last:i])
            last = i + 1
    return [part.strip() for part in found + [text[last:]]]


def _gone(source, statement):
    """An empty statement of as many lines, so that the numbers of the others stay."""
    return statement.start, statement.end, ";" + "\n" * source[statement.start:
                                                               statement.end].count("\n")


def _deletions(source, statements):
    for i, statement in enumerate(statements):
        kind = kind_of(statement.text)
        if not kind:
            continue
        yield f"delete {kind}: {statement.text}", [_gone(source, statement)]
        callee = _callee(statement.text)
        if callee in PAIRS:
            group = [statement]
            for other in statements[i + 1:]:
                if _callee(other.text) == callee:
                    break
                if _callee(other.text) == PAIRS[callee]:
                    group.append(other)
            if len(group) > 1:
                yield (f"delete {kind} and its partner: {statement.text}",
                       [_gone(source, one) for one in group])


def _weaker(source, function):
    text = ctext.blank(source)
    for match in re.finditer(r"\b(" + "|".join(WEAKER) + r")\(", text[function.body:function.end]):
        start = function.body + match.start()
        opened = function.body + match.end() - 1
        closed = ctext.closing(text, opened)
        lines = text[start:closed].count("\n")
        new = WEAKER[match.group(1)](_arguments(text[opened + 1:closed]))
        yield (f"plain: {ctext.squeeze(text[start:closed + 1])}",
               [(start, closed + 1, ctext.squeeze(new) + "\n" * lines)])


def _negations(source, function):
    for condition in ctext.conditions(source, function):
        yield (f"negate {condition.keyword}: {condition.text}",
               [(condition.start, condition.start, "!("), (condition.end, condition.end, ")")])


def of(path, source):
    """All mutants of a file."""
    seen = {}
    for function in ctext.functions(source):
        statements = ctext.statements(source, function)
        for what, edits in (*_deletions(source, statements), *_weaker(source, function),
                            *_negations(source, function)):
            key = f"{path}: {function.name}: {what}"
            seen[key] = seen.get(key, 0) + 1
            if seen[key] > 1:
                key += f" #{seen[key]}"
            yield Mutant(key, path, function.name, edits)


def apply(source, mutant):
    for start, end, new in sorted(mutant.edits, reverse=True):
        source = source[:start] + new + source[end:]
    return source

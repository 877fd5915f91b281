# SPDX-License-Identifier: GPL-2.0
"""C as text: where functions, statements and conditions begin and end.

Not a parser. It knows comments, strings, brackets and the keywords that have a
statement after them, which is enough for code in kernel style, and needs no
preprocessing, so that what it finds can be edited where it stands.
"""
import re
from collections import namedtuple

Function = namedtuple("Function", "name start body end")	# body: from its "{" on
Statement = namedtuple("Statement", "function start end text")	# text: blanks squeezed
Condition = namedtuple("Condition", "function keyword start end text")

IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
# What comes before the brackets of a statement that has another one after them.
CONTROL = re.compile(r"\s*(else\s+)?(if|while|for|switch|\w*for_each\w*)\s*")
LABEL = re.compile(r"\s*(case\s+[\w()\s]+|default|[A-Za-z_]\w*)\s*")


def blank(text):
    """@text with comments, string and character constants blanked, place for place."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def blank_directives(text):
    """Preprocessor lines blanked as well, with their continuations."""
    pattern = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def squeeze(text):
    return " ".join(text.split())


def closing(text, at):
    """The place of the bracket that closes the one at @at."""
    pairs = {"(": ")", "{": "}", "[": "]"}
    opened, closed = text[at], pairs[text[at]]
    depth = 0
    for i in range(at, len(text)):
        if text[i] == opened:
            depth += 1
        elif text[i] == closed:
            depth -= 1
            if not depth:
                return i
    raise ValueError(f"no {closed} for the {opened} at {at}")


def opening(text, at):
    """The place of the round bracket that the one at @at closes."""
    depth = 0
    for i in range(at, -1, -1):
        if text[i] == ")":
            depth += 1
        elif text[i] == "(":
            depth -= 1
            if not depth:
                return i
    raise ValueError(f"no ( for the ) at {at}")


def functions(source):
    """All function definitions, in order."""
    text = blank_directives(blank(source))
    found = []
    i = 0
    while i < len(text):
        if text[i] == "{":
            end = closing(text, i)
            head = text[:i].rstrip()
            if head.endswith(")"):
                bracket = opening(text, len(head) - 1)
                name = re.search(r"([A-Za-z_]\w*)\s*$", text[:bracket])
                start = max(text.rfind("\n\n", 0, bracket), text.rfind("}", 0, bracket)) + 1
                start += len(text[start:]) - len(text[start:].lstrip())
                found.append(Function(name.group(1), start, i, end + 1))
            i = end
        i += 1
    return found


def function_named(source, name):
    found = [f for f in functions(source) if f.name == name]
    if len(found) != 1:
        raise ValueError(f"{len(found)} functions are named {name}")
    return found[0]


def macros(source):
    """(name, text) of each macro."""
    pattern = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)((?:[^\n]*\\\n)*[^\n]*)", re.M)
    return [(m.group(1), m.group(2)) for m in pattern.finditer(blank(source))]


def statements(source, function):
    """Simple statements ("...;") of a function, declarations and jumps included."""
    text = blank_directives(blank(source))
    found = []
    i = start = function.body + 1
    while i < function.end - 1:
        head = text[start:i]
        c = text[i]
        if c == "(":
            i = closing(text, i)
            if CONTROL.fullmatch(head):
                start = i + 1
        elif c == "{":
            if head.strip() in ("", "do", "else"):
                start = i + 1
            else:
                i = closing(text, i)	# an initializer
        elif c == "}":
            start = i + 1
        elif c == ";":
            begin = start + re.match(r"\s*(?:else\b|do\b)?\s*", head).end()
            if begin < i:
                found.append(Statement(function.name, begin, i + 1, squeeze(text[begin:i + 1])))
            start = i + 1
        elif c == ":" and LABEL.fullmatch(head):
            start = i + 1
        i += 1
    return found


def conditions(source, function):
    """The conditions of if and while, without their brackets."""
    text = blank_directives(blank(source))
    found = []
    for match in re.finditer(r"\b(if|while)\s*\(", text[function.body:function.end]):
        opened = function.body + match.end() - 1
        closed = closing(text, opened)
        found.append(Condition(function.name, match.group(1), opened + 1, closed,
                               squeeze(text[opened + 1:closed])))
    return found


def identifiers(text):
    return set(IDENTIFIER.findall(text))

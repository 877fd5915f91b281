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
ASSERTION = re.compile(r"\b(VM_)?(WARN|BUG)_ON\w*\s*\(")
# What logical expressions are made of, and what they end at.
LOGIC = re.compile(r"&&|\|\||[?:;,(){}[\]]|(?<![=!<>])=(?!=)|\breturn\b")


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


def _condition(function, keyword, text, start, end):
    """What stands in @text from @start to @end, without the blanks around it."""
    start += len(text[start:end]) - len(text[start:end].lstrip())
    return Condition(function.name, keyword, start, start + len(text[start:end].rstrip()),
                     squeeze(text[start:end]))


def _blank_assertions(text):
    """@text without what is asserted in it."""
    for match in ASSERTION.finditer(text):
        end = closing(text, match.end() - 1)
        text = text[:match.end()] + re.sub(r"[^\n]", " ", text[match.end():end]) + text[end:]
    return text


def _headers(text, function):
    """The conditions of if, while and for."""
    for match in re.finditer(r"\b(if|while|for)\s*\(", text[function.body:function.end]):
        opened = function.body + match.end() - 1
        begin, end = opened + 1, closing(text, opened)
        if match.group(1) == "for":
            begin = text.index(";", begin) + 1
            end = text.index(";", begin)
        yield _condition(function, match.group(1), text, begin, end)


def _bools(text, function):
    """What a function that returns bool returns, and what its own bools are set to."""
    places = [("set", rf"(?<![\w.>]){name}\s*=(?!=)") for name in
              re.findall(r"\bbool\s+(\w+)", text[function.start:function.end])]
    if re.match(rf"[\w\s]*\bbool\s+{function.name}\b", text[function.start:function.body]):
        places.append(("return", r"\breturn\b"))
    for keyword, pattern in places:
        for match in re.finditer(pattern, text[function.body:function.end]):
            begin = function.body + match.end()
            yield _condition(function, keyword, text, begin, text.index(";", begin))


def _logic(text, function):
    """The conditions of ?:, and the operands of && and ||."""
    begin, part, logical, outer = function.body, function.body, False, []
    for match in LOGIC.finditer(text, function.body, function.end):
        token = match.group()
        if token in "([{":
            outer.append((begin, part, logical))
        elif logical or token in ("&&", "||"):
            yield _condition(function, "operand", text, part, match.start())
        if token == "?":
            yield _condition(function, "?:", text, begin, match.start())
        if token in ("&&", "||"):
            part, logical = match.end(), True
        elif token in (")", "]"):
            begin, part, logical = outer.pop()
        else:
            if token == "}":
                outer.pop()
            begin, part, logical = match.end(), match.end(), False


def conditions(source, function):
    """
    What is asked: the conditions of if, while and for, without their brackets, and of ?:;
    what is returned or stored as a bool; each operand of && and ||. Not what is asserted,
    and no constants.
    """
    text = _blank_assertions(blank_directives(blank(source)))
    found = (*_headers(text, function), *_bools(text, function), *_logic(text, function))
    return sorted((c for c in found if c.text not in ("", "true", "false")),
                  key=lambda c: (c.start, -c.end))


def identifiers(text):
    return set(IDENTIFIER.findall(text))

"""Words, numbers and signs of a C text, with the little of the preprocessor that circuit files use.

A tokenizer of one regular expression and a parser by hand (``c_syntax``) were chosen over a grammar that a
library interprets: expressions are all that is deep in these files, a table of precedences says all about
them, and hundreds of files are to be read in seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from axsim.circuits.formats.options import ReadOptions
from axsim.errors import NetlistFileError

MAX_TEXT = 4 << 20
"""Longest text that is read, in characters: circuits of 16 x 16 bits take a tenth of it."""

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\f\v\n]+|//[^\n]*|/\*[\s\S]*?\*/|\\\r?\n)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<number>0[xX][0-9a-fA-F]+[uUlL]*|0[bB][01]+[uUlL]*|\d+[uUlL]*)(?![\w.])
    |(?P<op><<=|>>=|\+\+|--|&&|\|\||<<|>>|[-+*/%&|^<>=!]=|/(?!\*)|[-+*%&|^~!<>=?:;,(){}\[\]])
    |(?P<directive>\#)
    |(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)+')""",
    re.VERBOSE | re.ASCII,
)
_DIRECTIVE = re.compile(r"#[ \t]*([A-Za-z]*)((?:[^\n\\/]|\\\r?\n|\\|/(?!\*|/)|/\*[\s\S]*?\*/)*)")
_KEPT_OUT = frozenset(("include", "pragma", "line"))
_MAX_MACRO_TOKENS = 1_000_000
_MAX_MACROS_WITHIN = 100
MAX_DEPTH = 150
"""Most brackets, blocks and operators within each other."""

_MAX_ROW = 2 * MAX_DEPTH + 50  # operators and brackets between two names or numbers


class Token(NamedTuple):
    """A token: what it is ("name", "number", "op", "text" or "end"), its characters, and where it starts."""

    kind: str
    text: str
    at: int


class Source:
    """A text, and errors that say where in it something is wrong."""

    def __init__(self, text: str, options: ReadOptions, kind: str) -> None:
        self.text = text
        self.path = str(options.path) if options.path else kind
        if len(text) > MAX_TEXT:
            raise NetlistFileError(
                f"the text has {len(text)} characters, expected at most {MAX_TEXT}: is it a circuit?",
                path=self.path,
            )

    def fail(self, at: int, what: str) -> NoReturn:
        """Raise NetlistFileError with file, line and column of the character number ``at``."""
        start = self.text.rfind("\n", 0, at) + 1
        line = self.text.count("\n", 0, at) + 1
        raise NetlistFileError(what, path=self.path, line=line, column=at - start + 1)


def tokenize(source: Source) -> list[Token]:
    """The tokens of a C text, comments and directives taken out and macros put in; the last is of kind "end".

    ``#include``, ``#pragma`` and ``#line`` are passed over, ``#define NAME tokens`` is known, and so are
    ``#ifdef``, ``#ifndef``, ``#else`` and ``#endif`` (no name is defined at the start). Raises
    NetlistFileError for anything else.
    """
    macros: dict[str, list[Token]] = {}
    tokens: list[Token] = []
    for token in _shallow(source, _included(source, macros)):
        if token.kind == "name" and token.text in macros:
            tokens += _expanded(source, token, macros)
            if len(tokens) > _MAX_MACRO_TOKENS:
                source.fail(token.at, "the macros make a text of more than a million words")
        else:
            tokens.append(token)
    tokens.append(Token("end", "the end of the text", len(source.text)))
    return tokens


def _shallow(source: Source, tokens: Iterator[Token]) -> Iterator[Token]:
    """The tokens, as long as they are not nested too deeply: what is refused is refused at once."""
    depth = row = 0
    for token in tokens:
        if token.kind == "op":
            if token.text in "({[":
                depth += 1
            elif token.text in ")}]":
                depth -= 1
            row += 1
            if depth > MAX_DEPTH:
                source.fail(token.at, f"more than {MAX_DEPTH} brackets or blocks within each other")
            if row > _MAX_ROW:
                source.fail(token.at, f"more than {_MAX_ROW} operators and brackets within each other")
        else:
            row = 0
        yield token


def _included(source: Source, macros: dict[str, list[Token]]) -> Iterator[Token]:
    """Tokens outside directives and outside what #ifdef leaves out; #define enters ``macros``."""
    text, at, match = source.text, 0, _TOKEN.match
    taken: list[bool] = []  # of each open #ifdef
    while at < len(text):
        found = match(text, at)
        if found is None:
            source.fail(at, f"{_shown(text, at)} came, expected C: a name, a number or an operator")
        kind = found.lastgroup or ""
        if kind == "directive":
            directive = _DIRECTIVE.match(text, at)
            assert directive is not None
            _direct(source, directive, at, taken, macros)
            at = directive.end()
            continue
        if kind != "space" and all(taken):
            yield Token(kind, found[0], at)
        at = found.end()
    if taken:
        source.fail(len(text), "the text ends within #ifdef or #ifndef, expected #endif")


def _direct(
    source: Source, found: re.Match[str], at: int, taken: list[bool], macros: dict[str, list[Token]]
) -> None:
    """Do what a directive says."""
    keyword, rest = found[1], found[2]
    words = rest.split()
    if keyword in ("ifdef", "ifndef") and len(words) >= 1:
        taken.append((words[0] in macros) == (keyword == "ifdef"))
    elif keyword in ("else", "endif") and taken:
        outcome = taken.pop()
        if keyword == "else":
            taken.append(not outcome)
    elif not all(taken) or keyword in _KEPT_OUT:
        pass
    elif keyword == "define" and (named := re.match(r"\s+([A-Za-z_]\w*)(\()?", rest)):
        if named[2]:
            source.fail(
                at, f"#define {named[1]}(...) came; macros with parameters are not read: write a function"
            )
        macros[named[1]] = _macro_body(source, found.start(2) + named.end(), found.end(2))
    elif keyword == "undef" and words:
        macros.pop(words[0], None)
    else:
        source.fail(at, f"#{keyword} came, expected #include, #define NAME value, #ifdef, #else or #endif")


def _macro_body(source: Source, at: int, end: int) -> list[Token]:
    tokens = []
    while at < end:
        found = _TOKEN.match(source.text, at, end)
        if found is None or found.lastgroup == "directive":
            source.fail(at, f"{_shown(source.text, at)} came in a macro, expected C")
        if found.lastgroup != "space":
            tokens.append(Token(found.lastgroup or "", found[0], at))
        at = found.end()
    return tokens


def _expanded(
    source: Source, token: Token, macros: dict[str, list[Token]], within: tuple[str, ...] = ()
) -> list[Token]:
    """The tokens that a macro's name stands for, each at the place of the name; ``within`` other macros."""
    if token.text in within:
        source.fail(token.at, f"macro {token.text!r} is defined by itself")
    if len(within) > _MAX_MACROS_WITHIN:
        source.fail(token.at, f"more than {_MAX_MACROS_WITHIN} macros within each other")
    out: list[Token] = []
    for part in macros[token.text]:
        if part.kind == "name" and part.text in macros:
            inner = Token("name", part.text, token.at)
            out += _expanded(source, inner, macros, (*within, token.text))
        else:
            out.append(Token(part.kind, part.text, token.at))
        if len(out) > _MAX_MACRO_TOKENS:
            source.fail(token.at, "the macros make a text of more than a million words")
    return out


def _shown(text: str, at: int) -> str:
    """The character at ``at``, quoted, or the unended comment or string that starts there."""
    if text.startswith("/*", at):
        return "a comment without an end"
    found = re.compile(r"[\w.]+").match(text, at)
    return repr(found[0][:40] if found else text[at])

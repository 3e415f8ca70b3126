"""Verilog text to tokens: comments and specify blocks left out, directives and macros carried out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from axsim.circuits.formats.verilog.sources import Sources
from axsim.circuits.formats.verilog.tokens import REFUSED, TOKEN, TYPES, Token
from axsim.errors import NetlistFileError

MAX_MACRO_TOKENS = 2_000_000
"""Most words and marks that macros may become, all uses together."""
_MAX_NESTING = 50  # of macros and of included files

_IGNORED = frozenset(
    [
        "timescale",
        "celldefine",
        "endcelldefine",
        "resetall",
        "line",
        "pragma",
        "unconnected_drive",
        "nounconnected_drive",
        "begin_keywords",
        "end_keywords",
        "protect",
        "endprotect",
    ]
)
_REST_OF_LINE = re.compile(r"(?:[^\n\\]|\\\r?\n|\\.)*")
_DEFINITION = re.compile(r"[ \t]+([A-Za-z_][\w$]*|\\\S+)(\([^()\n]*\))?", re.ASCII)
_WORD = re.compile(r"[ \t]+([A-Za-z_][\w$]*)", re.ASCII)
_FILE = re.compile(r'[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)')
_LINE_COMMENT = re.compile(r"//[^\n]*|/\*(?s:.*?)\*/")


@dataclass(slots=True)
class _Macro:
    parameters: list[str] | None
    body: list[Token]


class Preprocessor:
    """Makes tokens for a parser.

    Args:
        terminals: for each word or mark of the grammar its terminal.
        sources: takes the texts.
    """

    def __init__(self, terminals: Mapping[str, str], sources: Sources) -> None:
        self._types = {**terminals, **TYPES}
        self._sources = sources
        self._macros: dict[str, _Macro] = {}
        self._left = MAX_MACRO_TOKENS
        self.implicit_nets = True  # as the last `default_nettype says

    def tokens(self, text: str, base: int) -> Iterator[Token]:
        """Yield the tokens of a text whose first character has position ``base``."""
        raw = self._raw(text, base, 0)
        for token in raw:
            if token.type == "DIRECTIVE":
                yield from self._expand(token, raw, ())
            elif token.value == "specify" and token.type == "NAME":
                self._skip_specify(token, raw)
            else:
                yield token

    def _skip_specify(self, start: Token, raw: Iterator[Token]) -> None:
        for token in raw:
            if token.value == "endspecify":
                return
        raise self._sources.fault("specify without endspecify", start.pos)

    def _raw(self, text: str, base: int, depth: int) -> Iterator[Token]:
        """Tokens of one file and those it includes; macros still to be expanded."""
        types = self._types
        conditions: list[tuple[bool, bool, int]] = []  # (this branch is on, one was on, position)
        active = True
        offset = 0
        while offset < len(text):
            jump = None
            for match in TOKEN.finditer(text, offset):
                kind = match.lastgroup
                if match.start() != offset and active:
                    break
                offset = match.end()
                if kind == "skip":
                    continue
                word = match[0]
                pos = base + match.start()
                if kind == "directive":
                    name = word[1:]
                    if name in ("ifdef", "ifndef", "elsif", "else", "endif"):
                        jump = self._condition(name, text, offset, pos, conditions)
                        active = all(on for on, _, _ in conditions)
                        break
                    if not active:
                        continue
                    if name == "include":
                        included, jump = self._included(text, offset, pos, depth)
                        yield from included
                        break
                    if (jump := self._directive(name, text, offset, pos)) is not None:
                        break
                    yield Token("DIRECTIVE", name, pos)
                elif active:
                    if kind == "name" or kind == "mark":
                        yield Token(types.get(word, "NAME" if word not in REFUSED else "REFUSED"), word, pos)
                    elif kind == "integer" or kind == "number":
                        yield Token("NUMBER", word, pos)
                    elif kind == "escaped":
                        yield Token("NAME", word[1:], pos)
                    else:
                        assert kind is not None
                        yield Token(kind.upper(), word, pos)
            else:
                if offset < len(text) and active:
                    raise self._strange(text, offset, base)
                break
            if jump is not None:
                offset = jump
            else:
                raise self._strange(text, offset, base)
        if conditions:
            raise self._sources.fault("`ifdef without `endif", conditions[-1][2])

    def _strange(self, text: str, offset: int, base: int) -> NetlistFileError:
        what = {'"': "a string without an end", "/": "a comment without an end"}.get(text[offset])
        return self._sources.fault(what or f"{text[offset]!r} is no part of Verilog", base + offset)

    def _condition(
        self, name: str, text: str, offset: int, pos: int, conditions: list[tuple[bool, bool, int]]
    ) -> int:
        if name in ("ifdef", "ifndef", "elsif"):
            word = _WORD.match(text, offset)
            if word is None:
                raise self._sources.fault(f"`{name} without a name", pos)
            offset = word.end()
            defined = (word[1] in self._macros) == (name != "ifndef")
        if name in ("ifdef", "ifndef"):
            conditions.append((defined, defined, pos))
            return offset
        if not conditions:
            raise self._sources.fault(f"`{name} without `ifdef", pos)
        _, before, start = conditions.pop()
        if name == "elsif":
            conditions.append((defined and not before, before or defined, start))
        elif name == "else":
            conditions.append((not before, True, start))
        return offset

    def _included(self, text: str, offset: int, pos: int, depth: int) -> tuple[Iterator[Token], int]:
        file = _FILE.match(text, offset)
        if file is None:
            raise self._sources.fault("`include without a file's name in quotes", pos)
        if depth >= _MAX_NESTING:
            raise self._sources.fault(f"files include each other more than {_MAX_NESTING} deep", pos)
        inner, base = self._sources.include(file[1] or file[2], pos)
        return self._raw(inner, base, depth + 1), file.end()

    def _directive(self, name: str, text: str, offset: int, pos: int) -> int | None:
        """Carry out a directive and return where the text goes on; None for a macro."""
        if name == "define":
            return self._define(text, offset, pos)
        if name in ("undef", "default_nettype"):
            word = _WORD.match(text, offset)
            if word is None:
                raise self._sources.fault(f"`{name} without a name", pos)
            if name == "undef":
                self._macros.pop(word[1], None)
            else:
                self.implicit_nets = word[1] != "none"
            return word.end()
        if name in _IGNORED:
            end = text.find("\n", offset)
            return len(text) if end < 0 else end
        return None

    def _define(self, text: str, offset: int, pos: int) -> int:
        head = _DEFINITION.match(text, offset)
        if head is None:
            raise self._sources.fault("`define without a name", pos)
        parameters = None
        if head[2] is not None:
            parameters = [word.strip() for word in head[2][1:-1].split(",")]
            if not all(re.fullmatch(r"[A-Za-z_][\w$]*", word, re.ASCII) for word in parameters):
                raise self._sources.fault(f"`define {head[1]}: parameters are names, without defaults", pos)
        rest = _REST_OF_LINE.match(text, head.end())
        assert rest is not None
        body = _LINE_COMMENT.sub(" ", rest[0]).replace("\\\r\n", "\n").replace("\\\n", "\n")
        tokens = [Token(token.type, token.value, pos) for token in self._raw_body(body, pos)]
        self._macros[head[1]] = _Macro(parameters, tokens)
        return rest.end()

    def _raw_body(self, body: str, pos: int) -> Iterator[Token]:
        offset = 0
        for match in TOKEN.finditer(body):
            if match.start() != offset:
                break
            offset = match.end()
            kind, word = match.lastgroup, match[0]
            if kind == "skip":
                continue
            if kind in ("name", "mark"):
                yield Token(self._types.get(word, "NAME" if word not in REFUSED else "REFUSED"), word, pos)
            elif kind == "directive":
                yield Token("DIRECTIVE", word[1:], pos)
            else:
                types = {"integer": "NUMBER", "escaped": "NAME"}
                yield Token(types.get(kind or "", (kind or "").upper()), word.removeprefix("\\"), pos)
        if offset != len(body):
            raise self._sources.fault(f"{body[offset]!r} in a macro is no part of Verilog", pos)

    def _expand(self, use: Token, rest: Iterator[Token], inside: tuple[str, ...]) -> Iterator[Token]:
        macro = self._macros.get(use.value)
        if macro is None:
            raise self._sources.fault(f"`{use.value} is neither a directive nor defined", use.pos)
        if use.value in inside or len(inside) >= _MAX_NESTING:
            raise self._sources.fault(f"macro `{use.value} contains itself", use.pos)
        arguments = {} if macro.parameters is None else self._arguments(use, macro.parameters, rest)
        body = iter(
            [
                replaced
                for token in macro.body
                for replaced in (arguments.get(token.value, (token,)) if token.type == "NAME" else (token,))
            ]
        )
        for token in body:
            self._left -= 1
            if self._left < 0:
                raise self._sources.fault(
                    f"macros become more than {MAX_MACRO_TOKENS:,} words and marks", use.pos
                )
            if token.type == "DIRECTIVE":
                yield from self._expand(Token("DIRECTIVE", token.value, use.pos), body, (*inside, use.value))
            else:
                yield Token(token.type, token.value, use.pos)

    def _arguments(self, use: Token, names: list[str], rest: Iterator[Token]) -> dict[str, list[Token]]:
        given: list[list[Token]] = [[]]
        depth = 0
        for token in rest:
            if token.value in ("(", "[", "{"):
                depth += 1
                if depth == 1:
                    continue
            elif token.value in (")", "]", "}"):
                depth -= 1
                if depth == 0:
                    break
            if depth == 0:
                raise self._sources.fault(f"macro `{use.value} needs its arguments in parentheses", use.pos)
            if token.value == "," and depth == 1:
                given.append([])
            else:
                given[-1].append(token)
        if depth or len(given) != len(names):
            raise self._sources.fault(
                f"macro `{use.value} has {len(names)} arguments, {len(given)} came", use.pos
            )
        return dict(zip(names, given, strict=True))

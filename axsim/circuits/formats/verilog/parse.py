"""Verilog text to modules, each read by itself: what nobody needs may be beyond us."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import chain, islice

from lark import Lark, UnexpectedToken
from lark.lexer import PatternStr

from axsim.circuits.formats.buses import shorten
from axsim.circuits.formats.verilog.ast import Module
from axsim.circuits.formats.verilog.preprocess import Preprocessor
from axsim.circuits.formats.verilog.sources import Sources
from axsim.circuits.formats.verilog.tokens import REFUSED, Token
from axsim.circuits.formats.verilog.tree import MeaningError, TreeBuilder
from axsim.errors import NetlistFileError

_MAX_STACK = 4_000  # what the parser has begun and not ended: some 600 levels of parentheses
_VHDL = re.compile(
    r"\A\s*(?:--[^\n]*\n\s*)*(?:library\s+\w+\s*(?:,\s*\w+\s*)*;|use\s+\w+\.|entity\s+\w+\s+is\b|package\s+\w+\s+is\b)",
    re.IGNORECASE,
)


@dataclass
class Parsed:
    """The modules of a text.

    Attributes:
        modules: by name, in the text's order.
        failed: those that could not be read, by name, and why.
        ignored: names of modules without ports: test benches.
    """

    modules: dict[str, Module] = field(default_factory=dict)
    failed: dict[str, NetlistFileError] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)


@cache
def _grammar() -> tuple[Lark, dict[str, str]]:
    grammar = (files("axsim.circuits.formats.verilog") / "grammar.lark").read_text(encoding="utf-8")
    parser = Lark(grammar, parser="lalr", lexer="basic", start="module", transformer=TreeBuilder())
    words = {t.pattern.value: t.name for t in parser.terminals if isinstance(t.pattern, PatternStr)}
    return parser, words


def parse(text: str, base: int, sources: Sources) -> Parsed:
    """Return the modules of a text that ``sources`` has at ``base``.

    Raises:
        NetlistFileError: for VHDL, for what stands outside modules and is no module, for words and marks that
            are no Verilog. What is wrong inside a module is told by ``failed``.
    """
    if _VHDL.match(text):
        raise sources.fault(
            "this is VHDL; convert it to Verilog: ghdl synth --out=verilog NAME (or yosys with ghdl)",
            base,
        )
    preprocessor = Preprocessor(_grammar()[1], sources)
    tokens = preprocessor.tokens(text.removeprefix("\ufeff"), base)
    parsed = Parsed()
    for token in tokens:
        if token.value == "macromodule":
            token = Token("MODULE", "module", token.pos)
        if token.type != "MODULE":
            if token.value == "primitive":
                _skip(tokens, "endprimitive", token, sources)
            elif token.value != ";":
                raise sources.fault(
                    f"{shorten(token.value)!r} came, expected 'module'{_reason(token)}", token.pos
                )
            continue
        _read_module(token, tokens, sources, preprocessor.implicit_nets, parsed)
    return parsed


class _TooDeepError(NetlistFileError):
    """A text that is refused as a whole, whichever module was meant."""


def _reason(token: Token) -> str:
    return f": {REFUSED[token.value]}" if token.value in REFUSED else ""


def _skip(tokens: Iterator[Token], end: str, start: Token, sources: Sources) -> None:
    for token in tokens:
        if token.value == end:
            return
        if token.type == "MODULE":
            break
    raise sources.fault(f"{start.value!r} without {end!r}", start.pos)


def _read_module(
    start: Token, tokens: Iterator[Token], sources: Sources, implicit_nets: bool, parsed: Parsed
) -> None:
    head = list(islice(tokens, 4))
    if not head or head[0].type != "NAME":
        raise sources.fault("'module' without a name behind it", start.pos)
    name = head[0]
    rest = chain(head, tokens)
    marks = [token.value for token in head[1:]]
    if marks[:1] == [";"] or marks == ["(", ")", ";"]:
        if not any(token.type == "ENDMODULE" for token in head):
            _skip(rest, "endmodule", start, sources)
        parsed.ignored.append(name.value)
        return
    try:
        module = _parse_module(start, rest, sources)
    except _TooDeepError:
        raise  # what follows is no circuit, and may be long
    except NetlistFileError as error:
        parsed.failed.setdefault(name.value, error)
        return
    if name.value in parsed.modules:
        first = sources.line(parsed.modules[name.value].pos)
        raise sources.fault(f"a second module {name.value!r}; the first is on line {first}", name.pos)
    module.implicit_nets = implicit_nets
    parsed.modules[name.value] = module


def _parse_module(start: Token, tokens: Iterator[Token], sources: Sources) -> Module:
    interactive = _grammar()[0].parse_interactive()
    state = interactive.parser_state
    token = before = start
    try:
        interactive.feed_token(start)  # type: ignore[arg-type]
        for token in tokens:
            state.feed_token(token)  # type: ignore[arg-type]
            before = token
            if len(state.state_stack) > _MAX_STACK:
                deep = sources.fault("this is nested too deeply", token.pos)
                raise _TooDeepError(deep.what, path=deep.path, line=deep.line, column=deep.column)
            if token.type == "ENDMODULE":
                return interactive.feed_eof()  # type: ignore[no-untyped-call,no-any-return]
        raise sources.fault("'module' without 'endmodule'; is the text cut short?", start.pos)
    except UnexpectedToken as error:
        expected = interactive.accepts() or error.expected  # type: ignore[no-untyped-call]
        if _lacks_semicolon(before, token, expected, sources):
            behind = before.pos + len(before.value)
            fault = sources.fault(f"a ';' is missing behind {shorten(before.value)!r}", behind)
        else:
            fault = sources.fault(_unexpected(token, expected), token.pos)
    except MeaningError as error:
        fault = sources.fault(error.what, error.pos)
    if token.type != "ENDMODULE":
        for later in tokens:
            if later.type == "ENDMODULE":
                break
    raise fault


def _lacks_semicolon(before: Token, token: Token, expected: set[str], sources: Sources) -> bool:
    """Whether a statement could end before a token that begins a line, or that is a word of the language."""
    if token.value in REFUSED or "SEMICOLON" not in expected:
        return False
    is_keyword = token.value.isalpha() and token.type != "NAME"
    return is_keyword or sources.line(before.pos) < sources.line(token.pos)


def _unexpected(token: Token, expected: set[str]) -> str:
    if token.value in REFUSED:
        return f"{token.value!r} cannot be read: {REFUSED[token.value]}"
    if token.value == ".":
        return "a name with '.' (of something in another instance or block) cannot be read; use ports"
    words = sorted({_WORDS.get(name, name.lower()) for name in expected})
    listed = ", ".join(words[:12]) + (", ..." if len(words) > 12 else "")
    return f"{shorten(token.value)!r} came, expected {listed}"


_WORDS = {
    "NAME": "a name",
    "NUMBER": "a number",
    "DIRECTION": "input, output",
    "NET_TYPE": "wire, reg",
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "[",
    "RSQB": "]",
    "LBRACE": "{",
    "RBRACE": "}",
    "SEMICOLON": ";",
    "COMMA": "','",
    "COLON": ":",
    "EQUAL": "=",
    "HASH": "#",
    "DOT": ".",
    "AT": "@",
    "QMARK": "?",
    "QUOTE": "'(",
    "STAR": "*",
    "LESS_EQUAL": "<=",
    "GATE": "a gate",
    "BOTH": "an operator",
    "BINARY": "an operator",
    "UNARY": "an operator",
    "SYSTEM": "a $function",
    "REAL": "a number",
    "STRING": "a string",
    "INTEGER_TYPE": "integer",
    "PARAMETER": "parameter",
    "SIGN": "signed",
    "PART": "+:",
    "CHANGE": "+=",
    "INCREMENT": "++",
    "CASE": "case",
    "EDGE": "an expression",
}

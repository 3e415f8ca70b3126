"""The syntax of C's types and expressions, and what its parser needs of tokens."""

from __future__ import annotations

from typing import NoReturn

from axsim.circuits.formats import c_sequence
from axsim.circuits.formats.c_tokens import MAX_DEPTH, Source, Token
from axsim.circuits.formats.c_tree import (
    INT,
    Assign,
    Call,
    Cast,
    Chain,
    Conditional,
    CType,
    Expression,
    Name,
    Number,
    Unary,
)
from axsim.circuits.formats.c_types import NAMED_TYPES, WORDS_OF_TYPES, number

_QUALIFIERS = frozenset(
    ("const", "static", "inline", "register", "volatile", "extern", "__inline", "__inline__")
)
_PRECEDENCE = {
    op: level
    for level, ops in enumerate(("||", "&&", "|", "^", "&", "== !=", "< > <= >=", "<< >>", "+ -", "* / %"), 1)
    for op in ops.split()
}
_ASSIGNMENTS = frozenset(("=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="))
_REFUSED = frozenset(
    (
        "float",
        "double",
        "struct",
        "union",
        "enum",
        "typedef",
        "goto",
        "switch",
        "sizeof",
        "asm",
        "case",
        "default",
    )
)


class ExpressionParser:
    """Parses types and expressions by recursive descent from the token that comes next."""

    def __init__(self, source: Source, tokens: list[Token]) -> None:
        self._source = source
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._assigned = 0

    # -- types

    def _starts_type(self, token: Token) -> bool:
        text = token.text
        return token.kind == "name" and (text in NAMED_TYPES or text in WORDS_OF_TYPES or text in _QUALIFIERS)

    def _type(self) -> CType:
        first, named = self._peek(), None
        words: list[str] = []
        while self._starts_type(token := self._peek()):
            if token.text in NAMED_TYPES:
                if named is not None or words:
                    self._fail("one type")
                named = NAMED_TYPES[token.text]
            elif token.text in WORDS_OF_TYPES:
                words.append(token.text)
            self._at += 1
        if self._peek().text == "*":
            self._fail("a value: pointers are not read; pass arrays as name[]")
        if named is not None and not words:
            return named
        if not words or named is not None:
            if first.text in _REFUSED:
                self._refuse(first)
            self._fail("a type of integers, such as uint8_t or unsigned int")
        bits = 8 if "char" in words else 16 if "short" in words else 64 if "long" in words else 32
        return CType(bits, "unsigned" not in words)

    # -- expressions

    def _bracketed(self) -> Expression:
        self._expect("(")
        found = self._expression()
        self._expect(")")
        return found

    def _expression(self) -> Expression:
        """An assignment, or what binds tighter."""
        self._enter()
        before = self._assigned
        left = self._chain(1)
        token = self._peek()
        if token.text == "?" and token.kind == "op":
            self._at += 1
            then = self._expression()
            self._expect(":")
            left = Conditional(left, then, self._expression())
        elif token.text in _ASSIGNMENTS and token.kind == "op":
            self._at += 1
            if not isinstance(left, Name):
                self._source.fail(token.at, f"{token.text!r} came after what is no variable")
            left = self._change(left, token.text[:-1], self._expression(), token.at)
        self._depth -= 1
        if self._assigned - before > int(isinstance(left, Assign)):  # there is one within another expression
            self._check_order(left)
        return left

    def _change(self, target: Name, op: str, value: Expression, at: int, *, after: bool = False) -> Assign:
        self._assigned += 1
        return Assign(target, op, value, at, after)

    def _check_order(self, expression: Expression) -> None:
        try:
            c_sequence.check(expression)
        except c_sequence.UnsequencedError as problem:
            assign = problem.assign
            self._source.fail(
                assign.at,
                f"{assign.target.name!r} is changed here and used elsewhere in the expression, in an order "
                "that C leaves open: write two statements",
            )

    def _chain(self, level: int) -> Expression:
        """Operators of precedence ``level`` and above."""
        left = self._unary()
        while True:
            token = self._tokens[self._at]
            found = _PRECEDENCE.get(token.text, 0) if token.kind == "op" else 0
            if found < level:
                return left
            rest: list[tuple[str, Expression, int]] = []
            while token.kind == "op" and _PRECEDENCE.get(token.text) == found:
                self._at += 1
                self._enter()
                rest.append((token.text, self._chain(found + 1), token.at))
                self._depth -= 1
                token = self._tokens[self._at]
            left = Chain(left, rest)

    def _unary(self) -> Expression:
        token = self._next()
        if token.kind == "number":
            return number(self._source, token)
        if token.kind == "name":
            return self._named(token)
        if token.text == "(":
            if self._starts_type(self._peek()):
                type_ = self._type()
                self._expect(")")
                self._enter()
                cast = Cast(type_, self._unary())
                self._depth -= 1
                return cast
            inner = self._expression()
            self._expect(")")
            return inner
        if token.text in ("~", "!", "-", "+"):
            self._enter()
            unary = Unary(token.text, self._unary(), token.at)
            self._depth -= 1
            return unary
        if token.text in ("++", "--"):
            target = self._unary()
            if not isinstance(target, Name):
                self._source.fail(token.at, f"{token.text!r} came before what is no variable")
            return self._change(target, token.text[0], Number(1, INT, token.at), token.at)
        self._at -= token.kind != "end"
        hint = "; pointers are not read" if token.text in ("*", "&") else ""
        return self._fail("a variable, a number or an opening bracket" + hint)

    def _named(self, token: Token) -> Expression:
        if token.text in _REFUSED:
            self._refuse(token)
        following = self._tokens[self._at].text
        if following == "(":
            self._at += 1
            arguments: list[Expression] = []
            while not self._accept(")"):
                if arguments:
                    self._expect(",")
                arguments.append(self._expression())
            return Call(token.text, arguments, token.at)
        name = Name(token.text, [], token.at)
        while self._accept("["):
            name.indices.append(self._expression())
            self._expect("]")
        following = self._tokens[self._at].text
        if following in ("++", "--"):
            step = self._next()
            return self._change(name, step.text[0], Number(1, INT, step.at), step.at, after=True)
        return name

    # -- tokens

    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        if token.kind != "end":
            self._at += 1
        return token

    def _accept(self, text: str) -> bool:
        token = self._tokens[self._at]
        if token.text != text or token.kind == "text":
            return False
        self._at += 1
        return True

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            if text == ";":
                self._check_semicolon()
            self._fail(repr(text))

    def _check_semicolon(self) -> None:
        """Say that a semicolon is missing where the line or the block ends instead."""
        before, token = self._tokens[self._at - 1], self._peek()
        if token.text == "}" or "\n" in self._source.text[before.at : token.at]:
            self._source.fail(before.at + len(before.text), f"a ';' is missing behind {before.text[:40]!r}")

    def _name(self, what: str) -> Token:
        token = self._peek()
        if token.kind != "name" or token.text in _REFUSED or self._starts_type(token):
            self._fail(f"the name of {what}")
        return self._next()

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._source.fail(self._peek().at, f"more than {MAX_DEPTH} brackets or blocks within each other")

    def _refuse(self, token: Token) -> NoReturn:
        self._source.fail(
            token.at, f"{token.text!r} came; of C, integers, arrays, functions, if and loops are read"
        )

    def _fail(self, expected: str) -> NoReturn:
        token = self._peek()
        shown = token.text if token.kind == "end" else repr(token.text[:40])
        self._source.fail(token.at, f"{shown} came, expected {expected}")

"""The syntax of C as circuit files use it: functions of integers, without pointers, structures and floats."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from axsim.circuits.formats.c_expression_syntax import ExpressionParser
from axsim.circuits.formats.c_tokens import Token
from axsim.circuits.formats.c_tree import (
    Block,
    CType,
    Declare,
    Evaluate,
    Expression,
    Function,
    If,
    Initializer,
    Leave,
    Loop,
    Parameter,
    Statement,
    Unit,
)


class Parser(ExpressionParser):
    """Parses the tokens of a C text by recursive descent; raises NetlistFileError where it is not such C."""

    # -- the text as a whole

    def unit(self) -> Unit:
        """All functions and global declarations."""
        unit = Unit({}, [])
        while self._peek().kind != "end":
            if self._accept(";"):
                continue
            if self._peek().text == "extern" and self._tokens[self._at + 1].kind == "text":
                self._fail('a plain function (extern "C" belongs within #ifdef __cplusplus)')
            type_ = self._type()
            name = self._name("a function or a variable")
            if self._peek().text == "(":
                self._function(unit, name, type_)
            else:
                unit.globals += self._declarators(type_, name)
        return unit

    def body(self, function: Function) -> Block:
        """The statements of a function."""
        self._at, self._depth = function.start, 0
        return self._block()

    def called(self, functions: Iterable[Function]) -> set[str]:
        """Names of functions that others, other than ``main``, call."""
        names = set()
        for function in functions:
            tokens = self._tokens[function.start : function.end]
            for token, following in pairwise(tokens):
                if (
                    following.text == "("
                    and token.kind == "name"
                    and function.name not in ("main", token.text)
                ):
                    names.add(token.text)
        return names

    def _function(self, unit: Unit, name: Token, type_: CType) -> None:
        self._expect("(")
        parameters: list[Parameter] = []
        if self._peek().text == "void" and self._tokens[self._at + 1].text == ")":
            self._at += 1
        while not self._accept(")"):
            if parameters:
                self._expect(",")
            parameters.append(self._parameter())
        if self._accept(";"):
            return
        self._expect("{")
        start = self._at
        self._skip_body(name)
        if name.text in unit.functions:
            self._source.fail(name.at, f"function {name.text!r} is defined twice")
        unit.functions[name.text] = Function(name.text, type_, parameters, start, self._at, name.at)

    def _parameter(self) -> Parameter:
        start = self._at
        type_ = self._type()
        declared = " ".join(token.text for token in self._tokens[start : self._at])
        token = self._peek()
        name = self._next().text if token.kind == "name" else ""
        is_array = False
        while self._accept("["):
            is_array = True
            if not self._accept("]"):
                self._expression()
                self._expect("]")
        return Parameter(name, type_, declared, is_array, token.at)

    def _skip_body(self, name: Token) -> None:
        depth = 1
        while depth:
            token = self._next()
            if token.kind == "end":
                self._source.fail(name.at, f"function {name.text!r} has no end, expected another }}")
            depth += (token.text == "{") - (token.text == "}") if token.kind == "op" else 0

    # -- statements

    def _block(self) -> Block:
        body: list[Statement] = []
        while not self._accept("}"):
            body += self._statement()
        return Block(body)

    def _statement(self) -> list[Statement]:
        self._enter()
        token = self._peek()
        statements = self._statement_of(token)
        self._depth -= 1
        return statements

    def _statement_of(self, token: Token) -> list[Statement]:
        if token.text == ";":
            self._at += 1
            return []
        if token.text == "{":
            self._at += 1
            return [self._block()]
        if self._starts_type(token):
            type_ = self._type()
            return [*self._declarators(type_, self._name("a variable"))]
        if token.text == "if":
            return [self._if()]
        if token.text in ("for", "while", "do"):
            self._at += 1
            return [{"for": self._for, "while": self._while, "do": self._do}[token.text](token)]
        if token.text in ("return", "break", "continue"):
            self._at += 1
            has_value = token.text == "return" and self._peek().text != ";"
            leave = Leave(token.text, self._expression() if has_value else None, token.at)
            self._expect(";")
            return [leave]
        statements = self._evaluations()
        self._expect(";")
        return statements

    def _if(self) -> If:
        branches: list[tuple[Expression, Statement]] = []
        while self._accept("if"):
            condition = self._bracketed()
            branches.append((condition, Block(self._statement())))
            if not self._accept("else"):
                return If(branches, None)
        return If(branches, Block(self._statement()))

    def _evaluations(self) -> list[Statement]:
        """Expressions between commas."""
        found: list[Statement] = [Evaluate(self._expression())]
        while self._accept(","):
            found.append(Evaluate(self._expression()))
        return found

    def _for(self, token: Token) -> Loop:
        self._expect("(")
        start: list[Statement] = []
        if self._starts_type(self._peek()):
            type_ = self._type()
            start += self._declarators(type_, self._name("a variable"))
        elif not self._accept(";"):
            start = self._evaluations()
            self._expect(";")
        condition = None if self._peek().text == ";" else self._expression()
        self._expect(";")
        step = [] if self._peek().text == ")" else self._evaluations()
        self._expect(")")
        return Loop(start, condition, step, Block(self._statement()), True, token.at)

    def _while(self, token: Token) -> Loop:
        condition = self._bracketed()
        return Loop([], condition, [], Block(self._statement()), True, token.at)

    def _do(self, token: Token) -> Loop:
        body = Block(self._statement())
        self._expect("while")
        condition = self._bracketed()
        self._expect(";")
        return Loop([], condition, [], body, False, token.at)

    def _declarators(self, type_: CType, name: Token) -> list[Declare]:
        """The rest of a declaration, after its first name, up to the semicolon."""
        found = []
        while True:
            sizes: list[Expression | None] = []
            while self._accept("["):
                sizes.append(None if self._peek().text == "]" else self._expression())
                self._expect("]")
            initial = self._initial() if self._accept("=") else None
            found.append(Declare(name.text, type_, sizes, initial, name.at))
            if self._accept(";"):
                return found
            if not self._accept(","):
                self._check_semicolon()
                self._fail("',' or ';'")
            name = self._name("a variable")

    def _initial(self) -> Expression | Initializer:
        token = self._peek()
        if token.text != "{":
            return self._expression()
        self._enter()
        self._at += 1
        values: list[Expression | Initializer] = []
        while not self._accept("}"):
            if values:
                self._expect(",")
                if self._accept("}"):
                    break
            values.append(self._initial())
        self._depth -= 1
        return Initializer(values, token.at)

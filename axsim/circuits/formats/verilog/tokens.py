"""Words, numbers and marks of Verilog text."""

from __future__ import annotations

import re
from collections.abc import Mapping

TOKEN = re.compile(
    r"""
      (?P<skip> [ \t\r\n\f\v\x85\xa0]+ | //[^\n]* | /\*(?s:.*?)\*/ | \(\*(?!\s*\))(?s:.*?)\*\) )
    | (?P<name> [A-Za-z_][A-Za-z0-9_$]* ) | (?P<number> (?: [0-9][0-9_]* \s*)?
    '[sS]?[bBoOdDhH]\s*[0-9a-fA-FxXzZ?_]+ | '[01xXzZ](?![0-9A-Za-z_]) ) | (?P<real> [0-9][0-9_]* (?:
    \.[0-9][0-9_]*(?:[eE][+-]?[0-9]+)? | [eE][+-]?[0-9]+ ) ) | (?P<integer> [0-9][0-9_]* ) | (?P<mark>
    <<<|>>>|===|!==|\*\*|&&|\|\||==|!=|<=|>=|<<|>>|~&|~\||~\^|\^~|\+:|-:|\+\+|--|\+=|-=|\*=|&=|\|=|\^=
              | [-+*%&|^~!<>=?:;,.@\#()\[\]{}] | /(?!\*) | '(?=\s*\() )
    | (?P<directive> `[A-Za-z_][A-Za-z0-9_$]* )
    | (?P<escaped> \\[^\s]+ )
    | (?P<system> \$[A-Za-z_][A-Za-z0-9_$]* )
    | (?P<string> "(?:[^"\\\n]|\\.)*" )
    """,
    re.VERBOSE,
)


class Token:
    """What the parser takes: ``type`` is the name of a terminal of the grammar."""

    __slots__ = ("pos", "type", "value")

    def __init__(self, type: str, value: str, pos: int) -> None:
        self.type, self.value, self.pos = type, value, pos

    def __repr__(self) -> str:
        return f"Token({self.type!r}, {self.value!r}, {self.pos})"


def _types(**words: str) -> Mapping[str, str]:
    return {word: name for name, listed in words.items() for word in listed.split()}


TYPES = _types(
    DIRECTION="input output",
    NET_TYPE="wire tri reg logic supply0 supply1 uwire",
    INTEGER_TYPE="integer int genvar",
    GATE="and nand or nor xor xnor buf not",
    CASE="case casez casex",
    PARAMETER="parameter localparam",
    EDGE="posedge negedge",
    SIGN="signed unsigned",
    BOTH="+ - & | ^ ~^ ^~",
    UNARY="~ ! ~& ~|",
    BINARY="/ % ** == != === !== && || < > >= << >> <<< >>>",
    PART="+: -:",
    INCREMENT="++ --",
    CHANGE="+= -= *= &= |= ^=",
)
"""Words and marks that stand for a terminal together with others."""

_SEQUENTIAL = "axsim reads combinational circuits: no clocks, no state, no time"
_TRISTATE = "every net has one driver here, and the values 0 and 1"
_SYSTEM_VERILOG = (
    "this part of SystemVerilog is not read; convert the file to Verilog (sv2v, or yosys -p write_verilog)"
)


def _reasons(*pairs: tuple[str, str]) -> Mapping[str, str]:
    return {word: reason for words, reason in pairs for word in words.split()}


REFUSED = _reasons(
    (
        "initial always_ff always_latch event wait force release deassign disable fork forever edge",
        _SEQUENTIAL,
    ),
    ("time realtime real shortreal", "only integers of bits are read, no times and no real numbers"),
    ("task", "a function can take a task's place in a combinational circuit"),
    ("inout bufif0 bufif1 notif0 notif1 tri0 tri1 triand trior trireg wand wor pullup pulldown", _TRISTATE),
    ("nmos pmos cmos rnmos rpmos rcmos tran tranif0 tranif1 rtran rtranif0 rtranif1", _TRISTATE),
    ("primitive table", "describe the primitive by a module of gates"),
    ("defparam", "give parameters with the instance: #(.NAME(value))"),
    ("strong0 strong1 pull0 pull1 weak0 weak1 highz0 highz1 small medium large scalared vectored", _TRISTATE),
    ("interface package import typedef enum struct union class program assert property", _SYSTEM_VERILOG),
    (
        "return break continue do foreach unique priority byte shortint longint bit var modport",
        _SYSTEM_VERILOG,
    ),
)
"""Words of the language that no circuit may use here, and why."""

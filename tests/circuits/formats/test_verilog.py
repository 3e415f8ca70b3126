"""Verilog: what people write is read as simulators read it, one file a fact; all else is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from axsim.circuits import Netlist
from axsim.circuits.formats import verilog
from axsim.circuits.formats.options import ReadOptions
from axsim.circuits.formats.verilog import elaborate, preprocess
from axsim.errors import NetlistFileError

TEXTS = Path(__file__).parent / "texts"


def signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


def parity(value: int) -> int:
    return value.bit_count() & 1


def _always_case(a: int, b: int) -> int:
    return [b, b << 1, b << 2, 0xF0 | (~b & 15)][a & 3]


def _signed_rules(a: int, b: int) -> int:
    # $unsigned(b) makes all of the sum unsigned: x and y get zeros in front; the comparison is signed
    x, y = signed(a, 4), signed(b, 4)
    first = (a - b) if x < y else a >> 1
    return first + a * b + 9


def _operators(a: int, b: int) -> int:
    bits = [1 - parity(a), parity(b), int(a == 15 or b == 0), int((a, b) != (15, 15))]
    bits += [1 - (a >> 1 & 1 ^ b >> 1 & 1)] * 2
    bits += [int((a == 0 and b != 0) or a == b), int(a != b) ^ int(a >= b)]
    return int("".join(map(str, bits)), 2)


def _selects(a: int, b: int) -> int:
    p = a >> 3 << 7 | (a >> (b & 3) & 1) << 6 | (b & 3) << 4 | (b >> 2) << 2 | 1
    p |= 1 << (a & 7)
    start = 2 * (b & 1)
    return p & ~(3 << start) | (a & 3) << start


def _concatenated(a: int, b: int) -> int:
    whole = ((a + b) & 15) << 5 | (a + b) >> 4 << 4 | a
    return (whole & 255) << 1 | whole >> 8


def _nested(a: int, b: int) -> int:
    q = a if a > b else b if a < b else 9 if a & 1 else 1
    return 5 if a == 0 else 6 if b == 0 else q


def _division(a: int, b: int) -> int:
    # what is between { } makes all of the sum unsigned: s and t get zeros in front, and -3 is 2**32 - 3
    return ((a // b if b else 0) << 4 | (a % b if b else a)) + a // (b | 1) * 3 + a % (2**32 - 3) + a // 10


def _generate_case(a: int, b: int) -> int:
    bits = [a & b & 1, (a | b) & 2, (a | b) & 4, (a ^ b) & 8]
    return sum(bits)


FUNCTIONS: dict[str, Callable[[int, int], int]] = {
    "helper_first": lambda a, b: a + b,
    "helper_last": lambda a, b: a * b,
    "test_bench_beside": lambda a, b: a * b,
    "array_of_gates": lambda a, b: (a if b & 1 else 0) ^ b,
    "array_of_instances": lambda a, b: a ^ (15 if b & 2 else 0),
    "cells": lambda a, b: a + b,
    "ports_from_one": lambda a, b: a << 4 | b,
    "seventeen_bits": lambda a, b: a * b + (a * b >> 1),
    "parameters": lambda a, b: a * b,
    "generate_case": _generate_case,
    "always_case": _always_case,
    "full_case_without_default": lambda a, b: [b, ~b, 3, b + 1][a],
    "casez_priority": lambda a, b: 8 if a & 8 else b if a & 4 else a + b if a & 2 else 0,
    "loops": lambda a, b: a * b,
    "functions": lambda a, b: a * b,
    "system_verilog": lambda a, b: a * b,
    "preprocessor": lambda a, b: a * b,
    "division": _division,
    "signed_ports": lambda a, b: a * b,
    "signed_rules": _signed_rules,
    "operators": _operators,
    "selects": _selects,
    "nonblocking": lambda a, b: b if b & 1 else a,
    "concatenated_targets": _concatenated,
    "single_bits": lambda a, b: a + b,
    "supplies": lambda a, b: (
        (3 if a & 2 else 0) << 3 | (1 - (b & 1)) << 2 | (1 - (a & b & 1)) << 1 | (1 - ((a | b >> 1) & 1))
    ),
    "ripple_in_one_vector": lambda a, b: a + b,
    "local_variables": lambda a, b: (a ^ b) ** 2,
    "nested_conditions": _nested,
}


def read_file(name: str, **options: object) -> Netlist:
    path = TEXTS / f"{name}.v"
    return verilog.read(path.read_text(), ReadOptions(path=path, **options))  # type: ignore[arg-type]


def test_every_text_has_its_function() -> None:
    assert sorted(FUNCTIONS) == sorted(path.stem for path in TEXTS.glob("*.v"))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_text(name: str) -> None:
    netlist = read_file(name)
    table = netlist.exhaustive()
    for row in range(table.shape[0]):
        for column in range(table.shape[1]):
            a, b = (signed(value, netlist.a_bits) for value in (row, column))
            a, b = (a, b) if netlist.signed else (row, column)
            expected = FUNCTIONS[name](a, b) & ((1 << netlist.out_bits) - 1)
            assert int(table[row, column]) & ((1 << netlist.out_bits) - 1) == expected, (a, b)


def test_sign_and_order_of_ports() -> None:
    assert read_file("signed_ports").signed
    assert not read_file("signed_ports", signed=False).signed
    assert read_file("helper_last").operands == ("a", "b")
    assert read_file("ports_from_one").operands == ("A", "B")
    assert read_file("ports_from_one", operands=("B", "A")).operands == ("B", "A")
    mixed = "module m(input signed [3:0] a, input [3:0] b, output [7:0] p); assign p = a * b; endmodule"
    with pytest.raises(
        NetlistFileError, match="text:1:8: some inputs are signed and some are not; say signed="
    ):
        verilog.read(mixed)
    assert verilog.read(mixed, ReadOptions(signed=True)).signed


HEAD = "module m(input [3:0] a, b, output [3:0] p);\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no module with ports"),
        ("module m; endmodule", "no module with ports; m have no ports"),
        ("entity mul is\nend;", r"1:1: this is VHDL; convert it to Verilog: ghdl synth --out=verilog"),
        ("-- by hand\nlibrary ieee;\nuse ieee.std_logic_1164.all;", "this is VHDL"),
        ("int main() {}", "1:1: 'int' came, expected 'module'"),
        (HEAD, "1:1: 'module' without 'endmodule'; is the text cut short"),
        (HEAD + "assign p = a +;\nendmodule", r"2:15: ';' came, expected \("),
        (HEAD + "assign p = a * b\nendmodule", "2:17: a ';' is missing behind 'b'$"),
        (HEAD + "wire [3:0] x // sum\nassign p = a * b;\nendmodule", "2:13: a ';' is missing behind 'x'$"),
        (HEAD.replace(";", "") + "assign p = a * b;\nendmodule", r"1:43: a ';' is missing behind '\)'$"),
        (
            HEAD + "reg q; always @* if (a) q = 1 else q = 0;\nendmodule",
            "2:30: a ';' is missing behind '1'$",
        ),
        (HEAD + "assign p = a b;\nendmodule", "2:14: 'b' came, expected .*;, <=, .*an operator"),
        (HEAD + "assign p = (a\nendmodule", r"3:1: 'endmodule' came, expected .*\), "),
        (HEAD + "assign p = a $ b;\nendmodule", r"2:14: '\$' is no part of Verilog"),
        (HEAD + "/* open\nendmodule", "2:1: a comment without an end"),
        (HEAD + 'assign p = "a;\nendmodule', "2:12: a string without an end"),
        (HEAD + 'assign p = "a";\nendmodule', '2:12: \'"a"\' is no number of bits|2:12: "a" is no number'),
        (HEAD + "assign p = 1.5;\nendmodule", "2:12: 1.5 is no number of bits"),
        (
            HEAD + "reg [3:0] q;\nalways @(posedge a[0]) q <= b;\nassign p = q;\nendmodule",
            "'posedge': .*no clocks",
        ),
        (HEAD + "initial p = 0;\nendmodule", "2:1: 'initial' cannot be read: axsim reads combinational"),
        (HEAD + "task t; endtask\nendmodule", "2:1: 'task' cannot be read: a function"),
        (HEAD + "real r;\nendmodule", "2:1: 'real' cannot be read: only integers"),
        (
            HEAD + "bufif1 (p[0], a[0], b[0]);\nendmodule",
            "2:1: 'bufif1' cannot be read: every net has one driver",
        ),
        (HEAD + "assign p = u.x;\nendmodule", r"2:13: a name with '\.'"),
        (HEAD + "assign p = c;\nendmodule", "2:12: 'c' is not declared"),
        (
            HEAD + "`default_nettype none\nendmodule\nmodule n(input a, output p); assign q = a; endmodule",
            "which module",
        ),
        (
            "`default_nettype none\n" + HEAD + "assign q = a; endmodule",
            "'q' is not declared .`default_nettype none",
        ),
        (HEAD + "foo u(a, b, p);\nendmodule", "2:1: module 'foo' is defined nowhere and is no cell"),
        (
            HEAD + "FAX1 u(a[0], b[0], 1'b0, p[0], p[1]);\nendmodule",
            "2:6: the pins of cell 'FAX1' must be named",
        ),
        (
            HEAD + "FAX1 u(.A(a[0]), .B(b[0]), .CI(1'b0));\nendmodule",
            "2:29: cell 'FAX1' has no 'CI'; it has A, B, C",
        ),
        (HEAD + "assign p = a; assign p[1] = b[0];\nendmodule", r"2:22: p\[1\] is driven already"),
        (HEAD + "assign a = b;\nassign p = a;\nendmodule", "2:8: input 'a' is driven inside its module"),
        (HEAD + "assign p[2:0] = a;\nendmodule", r"1:41: nothing drives p\[3\]"),
        (
            HEAD + "wire t;\nassign p = a + t;\nendmodule",
            r"2:6: nothing drives t, and the circuit's output p\[0\]",
        ),
        (HEAD + "assign p = 4'b1x00;\nendmodule", r"2:12: a literal has x or z bits"),
        (
            HEAD + "wire t = ~t;\nassign p = {4{t}};\nendmodule",
            "2:6: the circuit has a cycle, or keeps a value .*: t -> t",
        ),
        (
            HEAD + "reg [3:0] q;\nalways @* if (a[0]) q = b;\nassign p = q;\nendmodule",
            "a latch: not every case",
        ),
        (
            HEAD + "reg [3:0] q;\nalways @(a) q = a + b;\nassign p = q;\nendmodule",
            "3:21: 'b' is read and not in the sens",
        ),
        (
            HEAD + "reg [3:0] q = 0;\nendmodule",
            "2:11: 'q' gets a first value, which only circuits with a state",
        ),
        (
            HEAD + "integer i;\nreg [3:0] q;\nalways @* for (i = 0; i < a; i = i + 1) q = i;\nendmodule",
            "4:16: a loop's cond",
        ),
        (HEAD + "assign p = a * (1'bx * 0);\nendmodule", "2:17: a literal has x or z bits"),
        (HEAD + "assign p = -{a[3:1], 1'bx} & 8;\nendmodule", "2:22: a literal has x or z bits"),
        (
            HEAD + "reg [3:0] q;\nalways @* casez (a) 4 <= 'b01zz: q = b; default: q = 0; endcase\n"
            "assign p = q;\nendmodule",
            "3:26: a literal has x or z bits",
        ),
        (
            HEAD + "reg [3:0] q;\nalways @* casez (a) 4 >>> 'b1???: q = b; default: q = 0; endcase\n"
            "assign p = q;\nendmodule",
            "3:27: a literal has x or z bits",
        ),
        (HEAD + "assign p = a ** b;\nendmodule", r"2:17: this must be a constant"),
        (HEAD + "assign p = a[4];\nendmodule", r"2:14: a\[4\] is outside a\[3:0\]"),
        (HEAD + "assign p = a[0:3];\nendmodule", "2:14: a slice of .* the wrong way round"),
        (HEAD + "assign p = {a, 1};\nendmodule", "2:16: a number within { } needs its width"),
        (HEAD + "assign p = {0{a}};\nendmodule", "2:13: 0 copies within { }; 1 to 65536"),
        (HEAD + "assign p = 4'b12;\nendmodule", "2:12: .*digits that are not of its base"),
        (
            HEAD + "assign p = a == 4294967296;\nendmodule",
            "2:17: '4294967296' needs more than 32 bits; write its",
        ),
        (HEAD + "assign p = 'h1_0000_0000;\nendmodule", "2:12: .* needs more than 32 bits"),
        (
            HEAD + "reg [3:0] q;\nalways @* begin q = a[q[1:0]]; q[1:0] = b; end\nassign p = q;\nendmodule",
            r"3:23: q\[[01]\] is read before the block assigns it",
        ),
        (
            HEAD + "reg [3:0] q;\nalways @* begin q = 0; q[b +: 2] = a; end\nassign p = q;\nendmodule",
            "3:24: a slice that may lie partly outside its vector cannot be assigned",
        ),
        (HEAD + "assign p = 99999'd1;\nendmodule", "2:12: .* has 99999 bits; 1 to 65536"),
        (HEAD + "wire [99999:0] t;\nendmodule", "2:7: the range .* has more than 65,536 elements"),
        (HEAD + "assign p = f(a);\nendmodule", "2:12: there is no function 'f'"),
        (HEAD + "assign p = $random;\nendmodule", r"2:19: ';' came, expected \("),
        (HEAD + "assign p = $time();\nendmodule", r"2:12: there is no function '\$time'"),
        (HEAD + "wire [3:0] a;\nwire t, t;\nendmodule", "3:9: 't' is declared already"),
        (HEAD + "wire [1:0] a;\nendmodule", "2:12: port 'a' is declared with two widths"),
        ("module m(a, b, p); input a, b; endmodule", "1:16: port 'p' is neither input nor output"),
        (
            "module m(a, p); input a, b; output p; assign p = a; endmodule",
            "1:26: 'b' is not in the module's list",
        ),
        ("module m(input [64:0] a, output p); assign p = a[0]; endmodule", "1:23: port 'a' has 65 bits"),
        ("module m(output p); assign p = 1; endmodule", "1:8: module 'm' has no input"),
        ("module m(input a, output p); m u(a, p); endmodule", "which module is the circuit"),
        (HEAD + "endmodule\n" + HEAD + "endmodule", "4:8|3:8: a second module 'm'; the first is on line 1"),
        ("module m(inout a, output p); endmodule", "1:10: 'inout' cannot be read"),
        ('`include "x.v"', "1:1: `include 'x.v': there is no such file; looked in no folder"),
        ("`foo\n", "1:1: `foo is neither a directive nor defined"),
        ("`ifdef A\n", "1:1: `ifdef without `endif"),
        ("`define F(x) x\nmodule m(input a, `F(output p, 1)); endmodule", "`F has 1 arguments, 2 came"),
        ("`define A `B\n`define B `A\n`A", "3:1: macro `[AB] contains itself"),
        (
            "primitive u(q, a); table 0:1; endtable\nmodule m(input a, output p); endmodule",
            "'primitive' without",
        ),
    ],
)
def test_refused(text: str, words: str) -> None:
    with pytest.raises(NetlistFileError, match=words):
        verilog.read(text)


def test_a_module_that_cannot_be_read_matters_only_if_it_is_needed() -> None:
    clocked = "module r(input c, d, output reg q); always @(posedge c) q <= d; initial q = 0; endmodule\n"
    plain = HEAD + "assign p = a & b; endmodule\n"
    with pytest.raises(NetlistFileError, match="text:1:65: 'initial' cannot be read"):
        verilog.read(clocked + plain)
    assert verilog.read(clocked + plain, ReadOptions(top="m"))(12, 10) == 8
    with pytest.raises(NetlistFileError, match="'initial' cannot be read"):
        verilog.read(clocked + HEAD + "r u(a[0], b[0], p[0]); endmodule", ReadOptions(top="m"))


def test_top(tmp_path: Path) -> None:
    two = "module x(input a, b, output p); assign p = a & b; endmodule\n"
    two += "module y(input a, b, output p); assign p = a | b; endmodule\n"
    with pytest.raises(
        NetlistFileError, match=r"which module is the circuit\? x, y are used by no other; say top="
    ):
        verilog.read(two)
    assert verilog.read(two, ReadOptions(path=tmp_path / "y.v")).name == "y"
    assert verilog.read(two, ReadOptions(top="x")).name == "x"
    with pytest.raises(NetlistFileError, match="no module 'z'; there are x, y"):
        verilog.read(two, ReadOptions(top="z"))


def test_casts() -> None:
    """As IEEE Std 1800 has them: what is within keeps its own width and sign, and is extended by its sign."""
    a, b = np.meshgrid(np.arange(16), np.arange(16), indexing="ij")
    s = np.where(a > 7, a - 16, a)
    for body, expected in (
        ("assign p = 5'(a) + b;", a + b),
        ("assign p = 4'(a + b);", (a + b) & 15),
        ("assign p = 8'(signed'(a)) >> 4;", (s & 255) >> 4),
        ("parameter W = 6; assign p = W '(a) - b;", (a - b) & 255),
        ("assign p = unsigned'(-4'sd1) + 8'(b[2:0] & 3'd5);", 15 + (b & 5)),
    ):
        netlist = verilog.read(f"module m(input [3:0] a, b, output [7:0] p); {body} endmodule")
        assert np.array_equal(netlist.exhaustive(), expected), body
    with pytest.raises(NetlistFileError, match="2:12: 0 bits; 1 to 65536 are expected"):
        verilog.read(HEAD + "assign p = 0'(a);\nendmodule")


def test_library_and_includes(tmp_path: Path) -> None:
    text = 'module m(input a, b, output p); `include "body.vh"\nendmodule'
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "body.vh").write_text("mine u(.X(a), .Y(b), .Z(p));\n")
    options = {"path": tmp_path / "m.v", "include": (tmp_path / "inner",)}
    genlib = "GATE mine 1 Z=X*!Y;"
    modules = (
        "module mine(input X, Y, output Z); assign Z = X & ~Y; endmodule module spare(input a); endmodule"
    )
    for library in (genlib, modules):
        netlist = verilog.read(text, ReadOptions(library=library, **options))  # type: ignore[arg-type]
        assert netlist.gate_counts() == {"andnot": 1}
    with pytest.raises(NetlistFileError, match=r"body\.vh:1:1: module 'mine' is defined nowhere"):
        verilog.read(text, ReadOptions(**options))  # type: ignore[arg-type]
    with pytest.raises(NetlistFileError, match="a path within the circuit's folders"):
        verilog.read('`include "/etc/passwd"')


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "assign p = " + "(" * 100_000 + "a" + ")" * 100_000 + ";endmodule",
        HEAD + "assign p = " + "~" * 100_000 + "a;endmodule",
        HEAD + "assign p = " + "a ? b : (" * 3_000 + "a" + ")" * 3_000 + ";endmodule",
        HEAD + "assign p = " + "{" * 900 + "a" + "}" * 900 + ";endmodule",
        HEAD + "reg [3:0] q; always @* " + "begin " * 50_000 + "q = a;" + "end " * 50_000 + "endmodule",
        HEAD + "reg [3:0] q; always @* " + "if (a) " * 20_000 + "q = a; endmodule",
        HEAD + "generate " + "if (1) begin " * 20_000 + "end " * 20_000 + "endgenerate endmodule",
        HEAD + "wire [65535:0] x = a, y = b, z = x * y; assign p = z;endmodule",
        HEAD + "integer i; reg q; always @* for (i = 0; i >= 0; i = i) q = 1; endmodule",
        HEAD + "genvar i; generate for (i = 0; i < 1; i = i) assign p = a; endgenerate endmodule",
        HEAD + "function f(input x); f = f(x); endfunction assign p = f(a[0]); endmodule",
        "`define A0 a a a a\n"
        + "".join(f"`define A{k} `A{k - 1} `A{k - 1} `A{k - 1} `A{k - 1}\n" for k in range(1, 20))
        + HEAD
        + "`A19 endmodule",
        "module n(input [3:0] a, b, output [3:0] p); n x(a, b, p), y(a, b, p); endmodule "
        + HEAD
        + "n u(a, b, p); endmodule",
        "".join(f"module m{k}(input a, output p); m{k + 1} x(a, t), y(t, p); endmodule\n" for k in range(50))
        + "module m50(input a, output p); assign p = ~a; endmodule",
        HEAD + "wire [7:0] t [0:60000]; endmodule",
        "// " + "x" * (65 << 20),
    ],
    ids=range(16),
)
def test_what_grows_without_bound_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (preprocess.MAX_MACRO_TOKENS, elaborate.MAX_INSTANCES) == (2_000_000, 50_000)
    monkeypatch.setattr(preprocess, "MAX_MACRO_TOKENS", 200_000)
    monkeypatch.setattr(elaborate, "MAX_INSTANCES", 5_000)
    with pytest.raises(NetlistFileError) as caught:
        verilog.read(text)
    assert len(str(caught.value)) < 400


def test_long_chains_are_no_depth() -> None:
    terms = " ^ ".join(f"a[{k % 4}] & b[{k % 3}]" for k in range(2_000))
    choice = "".join(f"a == {k} ? {15 - k} : " for k in range(16)) * 20 + "0"
    branches = "".join(f"if (b == {k % 16}) q = {k % 16}; else " for k in range(300)) + "q = 0;"
    text = f"{HEAD}wire x = {terms}; reg [3:0] q; always @* {branches}"
    text += f"assign p = ({choice}) ^ {{3'b0, x}} ^ q ^ b; endmodule"
    counts = [(k % 4, k % 3) for k in range(2_000)]
    a, b = np.meshgrid(np.arange(16), np.arange(16), indexing="ij")
    x = sum((a >> i & 1) & (b >> j & 1) for i, j in counts) & 1
    assert np.array_equal(verilog.read(text).exhaustive(), (15 - a) ^ x)


def test_a_table_as_a_case_is_a_tree() -> None:
    rows = "".join(f"{{4'd{a}, 4'd{b}}}: q = {a * b};" for a in range(16) for b in range(16))
    text = (
        "module m(input [3:0] a, b, output [7:0] p); reg [7:0] q;"
        f" always @* case ({{a, b}}) {rows} default: q = 8'bx; endcase assign p = q; endmodule"
    )
    netlist = verilog.read(text)
    assert np.array_equal(netlist.exhaustive(), np.multiply.outer(np.arange(16), np.arange(16)))


@pytest.mark.parametrize("mark", ["(", "{", "~(", "begin "])
def test_deep_nesting_is_named_and_the_rest_is_not_looked_at(
    mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from axsim.circuits.formats.verilog.preprocess import Preprocessor

    looked_at = []
    tokens = Preprocessor.tokens
    monkeypatch.setattr(
        Preprocessor, "tokens", lambda *given: (looked_at.append(t) or t for t in tokens(*given))
    )
    start = "always @* " if mark == "begin " else "assign p = "
    text = f"module m(input a, b, output p); {start}" + mark * 100_000 + "a; endmodule"
    with pytest.raises(NetlistFileError, match=r":1:\d+: this is nested too deeply"):
        verilog.read(text)
    assert len(looked_at) < 10_000


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("p = {a[3], p[b[1:0]], b[1:0], b[3:2], 2'b01}; p[a[2:0]] = 1;", r"p\[\d\] is read before the block"),
        ("p[0] = p[b[1:0]]; p[7:1] = {a, b[2:0]};", r"p\[\d\] is read before the block"),
        (
            "p = 0; end always @(a & b) begin p[0] = a[0] ^ b[0];",
            "'a' is read and not in the sensitivity list as a whole",
        ),
        (
            "p = 0; end always @(a[0] or b) begin p[0] = a[0] ^ b[0];",
            "'a' is read and not in the sensitivity list as a whole",
        ),
        ("case (a) 1: p = b; default: p = 0; default: p = 1; endcase", "'case' with more than one default"),
        ("casez (a) default: p = 0; 4'b1?: p = 1; default: p = 1; endcase", "'casez' with more than one"),
    ],
)
def test_what_simulators_and_synthesis_take_for_different_things(body: str, says: str) -> None:
    text = f"module m(input [3:0] a, b, output reg [7:0] p);\nalways @* begin {body} end\nendmodule\n"
    with pytest.raises(NetlistFileError, match=f"Verilog text:2:.*{says}"):
        verilog.read(text)


def test_a_computed_place_in_what_the_block_has_assigned() -> None:
    text = """module m(input [3:0] a, b, output reg [7:0] p);
    reg [3:0] t;
    always @* begin t = a ^ b; p = 0; p[1] = t[b[1:0]]; p[7:4] = p[b[0] +: 2]; end
    endmodule"""
    found = verilog.read(text)(5, 6)  # t is 3; bit 2 of it 0
    assert found == 0

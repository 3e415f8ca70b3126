"""Division in Verilog, against Python's integers and against Icarus Verilog where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from axsim.circuits import Netlist
from axsim.circuits.formats import testbench, verilog
from axsim.errors import NetlistFileError


def rounded_to_0(a: int, b: int) -> tuple[int, int]:
    """Quotient and remainder as the language has them."""
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return quotient, a - quotient * b


def read(body: str, bits: int = 4, signed: bool = False) -> tuple[str, Netlist]:
    sign = "signed " if signed else ""
    text = f"module m(input {sign}[{bits - 1}:0] a, b, output {sign}[{2 * bits - 1}:0] p); {body} endmodule\n"
    return text, verilog.read(text)


def check_by_icarus(text: str, netlist: Netlist, folder: Path) -> None:
    if shutil.which("iverilog") is None or shutil.which("vvp") is None:
        pytest.skip("needs iverilog and vvp")
    (folder / "m.v").write_text(text)
    (folder / "tb.v").write_text(testbench.write(netlist))
    subprocess.run(["iverilog", "-g2012", "-o", "tb", "tb.v", "m.v"], cwd=folder, check=True)
    done = subprocess.run(["vvp", "-n", "tb"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["PASS"], text


POSITIVE = [*range(1, 8), 10, 12, 15]


@pytest.mark.parametrize(
    ("divisor", "signed"), [*product(POSITIVE, (False, True)), *product((-1, -2, -3, -8), (True,))]
)
def test_by_a_constant(divisor: int, signed: bool) -> None:
    for operator in (0, 1):
        _, netlist = read(f"assign p = a {'/%'[operator]} {divisor};", signed=signed)
        for a in range(16):
            value = a - 16 if signed and a > 7 else a
            assert netlist(value, 0) == rounded_to_0(value, divisor)[operator], (value, divisor)


@pytest.mark.parametrize(
    ("bits", "signed"), [(1, False), (3, False), (4, False), (6, False), (2, True), (4, True), (6, True)]
)
def test_by_a_variable(bits: int, signed: bool) -> None:
    low = -(1 << (bits - 1)) if signed else 0
    for operator in (0, 1):
        _, netlist = read(f"assign p = b == 0 ? a : a {'/%'[operator]} b;", bits, signed)
        expected = [
            [a if b == 0 else rounded_to_0(a, b)[operator] for b in range(low, low + (1 << bits))]
            for a in range(low, low + (1 << bits))
        ]
        values = np.arange(low, low + (1 << bits))
        assert netlist(values[:, None], values).tolist() == expected


def test_a_quotient_of_its_own_width_wraps() -> None:
    text = "module m(input signed [3:0] a, b, output signed [3:0] p); assign p = a / (b | 4'sd1); endmodule"
    assert verilog.read(text)(-8, -1) == -8


@pytest.mark.parametrize(
    ("body", "signed"),
    [
        ("assign p = b == 0 ? 0 : a / b;", False),
        ("assign p = b == 0 ? 0 : a / b;", True),
        ("assign p = b ? a % b : a;", True),
        ("assign p = {a / 4'd3, b % 4'd5};", False),
        ("assign p = a / -3 * b % 7;", True),
        ("assign p = 100 / (b | 1) - a / 2;", True),
        ("reg [7:0] q; always @* if (b > 2) q = a / (b - 2); else q = a * b; assign p = q;", False),
    ],
)
def test_icarus_divides_alike(body: str, signed: bool, tmp_path: Path) -> None:
    text, netlist = read(body, signed=signed)
    check_by_icarus(text, netlist, tmp_path)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("assign p = a / b;", r"1:\d+: a division by 0 gives x, .* p\[0\] .* where a = 0, b = 0: write"),
        ("assign p = a % (b - 2);", r"gives x, .* for example where a = 0, b = 2: write"),
        ("assign p = b[1] ? a / b[1:0] : a % b;", "where a = 0, b = 0"),
        ("assign p = b < 14 ? a : a / (15 - b);", "where a = 0, b = 15"),
        ("assign p = a / 0;", "a division by 0 gives x"),
        ("assign p = 3 / 0;", "division by 0"),
    ],
)
def test_a_division_by_0_that_is_seen_is_refused(body: str, words: str) -> None:
    with pytest.raises(NetlistFileError, match=words):
        read(body)


def test_a_division_by_0_that_nothing_sees_is_none() -> None:
    for body, function in (
        ("wire [3:0] q = a / b; assign p = b ? q : a;", lambda a, b: a // b if b else a),
        ("wire [3:0] q = a / b; assign p = a & {4{b[2]}} & (q | 4'd15);", lambda a, b: a if b & 4 else 0),
        ("assign p = a / (b < 2 ? 2 : b);", lambda a, b: a // max(b, 2)),
    ):
        _, netlist = read(body)
        assert netlist.exhaustive().tolist() == [[function(a, b) for b in range(16)] for a in range(16)]


def test_wide_divisors() -> None:
    """Beyond what can be tried, it must be plain that no divisor is 0."""
    _, netlist = read("assign p = b == 0 ? 0 : a / b;", 24)
    a, b = np.random.default_rng(3).integers(0, 1 << 24, (2, 1_000))
    assert np.array_equal(netlist(a, b >> 12), np.where(b >> 12 == 0, 0, a // np.maximum(b >> 12, 1)))
    with pytest.raises(NetlistFileError, match="at most 20 bits of operands, 24 bits came: make"):
        read("assign p = b > 5 ? a / (b - 3) : 0;", 24)

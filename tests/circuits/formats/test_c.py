"""C circuits: each fact about published files as a small file, gcc as the second opinion."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from c_styles import STYLES, masked_bits
from gcc_programs import Compiled
from hypothesis import given, settings
from hypothesis import strategies as st

from axsim import circuits
from axsim.circuits import Netlist, load_library
from axsim.circuits.formats import c, c_expressions
from axsim.circuits.formats.options import ReadOptions
from axsim.errors import NetlistError, NetlistFileError
from axsim.multipliers import get


def grid(netlist: Netlist) -> tuple[np.ndarray, np.ndarray]:
    """All operand values, in the order of bit patterns."""
    values = []
    for bits in (netlist.a_bits, netlist.b_bits):
        patterns = np.arange(1 << bits)
        values.append(patterns - (patterns >> (bits - 1) << bits) if netlist.signed else patterns)
    return np.meshgrid(*values, indexing="ij")


def same(netlist: Netlist, other: Netlist) -> bool:
    return netlist.signed == other.signed and np.array_equal(netlist.exhaustive(), other.exhaustive())


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", ["mul8u_L40", "mul8u_JV3", "mul8u_1JFF"])
def test_styles(name: str, style: str) -> None:
    netlist = load_library(name)
    text = STYLES[style](netlist)
    read, notes = c.read_noted(text)
    assert (read.name, read.a_bits, read.b_bits, read.out_bits) == (name, 8, 8, 16)
    assert same(read, netlist)
    assert notes.parameters == (("A", "B") if style == "arrays" else ("B", "A"))


@pytest.mark.parametrize("name", circuits.library())
def test_every_built_in_circuit_comes_back(name: str) -> None:
    netlist = load_library(name)
    read = c.read(c.write(netlist))
    assert same(read, netlist)
    assert read.n_gates <= netlist.n_gates + 8  # an inverter beside its gate, of xnor
    assert same(c.read(masked_bits(netlist)), netlist)


FAMILIES = [
    "exact1",
    "exact4x3",
    "exact3x9",
    "exact4s",
    "exact8s",
    "trunc8_7",
    "bam8_h2_v4",
    "kulkarni8",
    "exact1s",
]


@pytest.mark.parametrize("name", FAMILIES)
def test_families_come_back_and_gcc_agrees(name: str, tmp_path: Path) -> None:
    netlist = get(name).netlist
    text = c.write(netlist)
    read = c.read(text)
    assert (read.a_bits, read.b_bits, read.out_bits, read.operands) == (
        netlist.a_bits,
        netlist.b_bits,
        netlist.out_bits,
        netlist.operands,
    )
    assert same(read, netlist)
    types = re.search(r"\((\w+) a, (\w+) b\)", text)
    compiled = Compiled(text, tmp_path, {netlist.name: types.groups()})
    np.testing.assert_array_equal(compiled(netlist.name, *grid(netlist)), netlist.exhaustive())


@pytest.mark.parametrize("style", STYLES)
def test_gcc_agrees_on_styles(style: str, tmp_path: Path) -> None:
    netlist = load_library("mul8u_17KS")
    text = STYLES[style](netlist)
    types = ("uint8_t", "uint8_t") if style == "dirty_words" else ("unsigned", "unsigned")
    out = Compiled(text, tmp_path, {netlist.name: types})(netlist.name, *grid(netlist))
    np.testing.assert_array_equal(out & 0xFFFF, netlist.exhaustive())


def test_names_that_c_cannot_spell() -> None:
    netlist = Netlist("8x-1", {"x1": 1, "int": 2}, {"x1'": (2, 3, 4)}, [], np.zeros((0, 2), int))
    text = c.write(netlist)
    assert "c_8x_1(uint8_t x1_, uint8_t int_)" in text
    assert same(c.read(text), netlist)


def test_what_is_no_multiplier_cannot_be_written() -> None:
    with pytest.raises(NetlistError, match="two input buses"):
        c.write(Netlist("one", {"a": 1}, {"p": (2,)}, [], np.zeros((0, 2), int)))


# -- operand order, widths and sign

ORDER = "uint16_t mul8u_x(uint8_t B, uint8_t A) { return (B & 0xF0) * A; }"


def test_first_parameter_is_the_left_operand_whatever_its_name() -> None:
    netlist = c.read(ORDER)
    assert netlist.operands == ("B", "A")
    assert (netlist(255, 1), netlist(1, 255)) == (240, 0)
    exchanged = c.read(ORDER, ReadOptions(operands=("A", "B")))
    assert exchanged.operands == ("A", "B")
    assert np.array_equal(exchanged.exhaustive(), netlist.exhaustive().T)


def test_small_letters_in_reverse_keep_their_order() -> None:
    netlist = c.read(ORDER.replace("B", "b").replace("A", "a"))
    assert np.array_equal(netlist.exhaustive(), c.read(ORDER).exhaustive())
    exchanged = c.read(ORDER.replace("B", "b").replace("A", "a"), ReadOptions(operands=("a", "b")))
    assert np.array_equal(exchanged.exhaustive(), c.read(ORDER).exhaustive().T)


@pytest.mark.parametrize("names", [("x", "y"), ("a", "b"), ("A", "B"), ("b", "a")])
def test_operands_can_be_exchanged_whatever_they_are_called(names: tuple[str, str]) -> None:
    text = f"int mul3u_f(int {names[0]}, int {names[1]}) {{ return ({names[0]} & 6) * {names[1]}; }}"
    expected = np.multiply.outer(np.arange(8) & 6, np.arange(8))
    assert np.array_equal(c.read(text).exhaustive(), expected)
    assert np.array_equal(c.read(text, ReadOptions(operands=names)).exhaustive(), expected)
    assert np.array_equal(c.read(text, ReadOptions(operands=names[::-1])).exhaustive(), expected.T)


def test_operands_that_are_no_parameters() -> None:
    with pytest.raises(NetlistFileError, match=r"parameters B, A, and operands=\('A', 'C'\)"):
        c.read(ORDER, ReadOptions(operands=("A", "C")))


@pytest.mark.parametrize(
    ("text", "widths", "signed"),
    [
        ("uint64_t mul8x4u_0(uint64_t A, uint64_t B) { return A * B; }", (8, 4, 12), False),
        ("uint64_t mul8x2u_0(uint64_t B, uint64_t A) { return (A & 255) * (B & 3); }", (2, 8, 10), False),
        ("uint64_t mul8x2u_0(uint64_t A, uint64_t B) { return (A & 255) * (B & 3); }", (8, 2, 10), False),
        ("uint64_t mul7u_x(uint64_t A, uint64_t B) { return A * B; }", (7, 7, 14), False),
        ("uint64_t mul11u_x(uint64_t A, uint64_t B) { return A * B; }", (11, 11, 22), False),
        ("uint64_t mul12s_x(int64_t A, int64_t B) { return A * B; }", (12, 12, 24), True),
        ("int32_t mul16s_x(int16_t A, int16_t B) { return A * B; }", (16, 16, 32), True),
        ("uint32_t mul16u_x(uint16_t A, uint16_t B) { return (uint32_t)A * B; }", (16, 16, 32), False),
        ("int16_t f(int8_t A, int8_t B) { return A * B; }", (8, 8, 16), True),
        ("int f(uint8_t A, uint8_t B) { return A * B; }", (8, 8, 16), False),
        ("int f(int A, int B) { return (A & 7) * (B & 31); }", (3, 5, 8), False),
        ("uint64_t add8u_x(uint64_t A, uint64_t B) { return A + B; }", (8, 8, 9), False),
        ("int64_t f(int64_t A, int64_t B) { return (A & 1) & (B >> 2); }", (1, 3, 4), True),
    ],
)
def test_widths_and_sign(text: str, widths: tuple[int, int, int], signed: bool) -> None:
    netlist = c.read(text)
    assert (netlist.a_bits, netlist.b_bits, netlist.out_bits, netlist.signed) == (*widths, signed)
    rng = np.random.default_rng(1)
    low = [-(1 << (bits - 1)) if signed else 0 for bits in widths[:2]]
    x, y = (
        rng.integers(least, least + (1 << bits), 500) for least, bits in zip(low, widths[:2], strict=True)
    )
    if "(A & 1)" not in text:
        np.testing.assert_array_equal(netlist(x, y), x + y if "add" in text else x * y)


def test_signed_circuit_with_unsigned_types() -> None:
    """The operands are bit patterns, and so is the product: bits above it do not count."""
    text = """uint64_t mul4s_x(uint64_t A, uint64_t B) {
        int64_t a = (int64_t)((A ^ 8) - 8), b = (int64_t)((B ^ 8) - 8); return (uint64_t)(a * b) & 0xFF; }"""
    for source in (text, text.replace(" & 0xFF", "")):
        netlist = c.read(source)
        assert netlist.signed
        assert netlist(-8, 7) == -56
        assert netlist(-8, -8) == 64


def test_sign_and_widths_can_be_said() -> None:
    text = "int f(int a, int b) { return a * b; }"
    with pytest.raises(
        NetlistFileError, match=r"f.c:1:5: function 'f' does not say how wide.*widths=\(8, 8\)"
    ):
        c.read(text, ReadOptions(path=Path("f.c")))
    netlist = c.read(text, ReadOptions(widths=(5, 4), signed=True))
    assert (netlist.a_bits, netlist.b_bits, netlist.out_bits, netlist.signed) == (5, 4, 9, True)
    assert netlist(-16, -8) == 128


def test_the_name_of_the_file_says_widths_too() -> None:
    text = "int f(int a, int b) { return a * b; }"
    assert c.read(text, ReadOptions(path=Path("mul6u_T.c"))).a_bits == 6


def test_a_product_of_seventeen_bits_is_kept() -> None:
    text = "uint32_t f(uint8_t a, uint8_t b) { return (uint32_t)a * b + ((a & b & 1u) << 16); }"
    assert c.read(text).out_bits == 17
    assert c.read(text)(1, 1) == 65537


def test_dirt_above_the_product_is_cut_off_and_said() -> None:
    text = "uint64_t mul1u_x(uint64_t A, uint64_t B) { return ((A & B) & 1) | (~(A & B) << 1); }"
    netlist, notes = c.read_noted(text)
    assert netlist.exhaustive().tolist() == [[2, 2], [2, 1]]
    assert "above bit 1 are cut off" in " ".join(notes.sentences)


# -- which function


def test_top_function_is_the_one_that_no_other_calls() -> None:
    text = "int g(int x, int y) { return x & y; }\nint f(uint8_t x, uint8_t y) { return g(x, y); }"
    main = '\nint main(void) { printf("%d\\n", f(1, 2)); float x = 1.5e3; return 0; }'.replace("1.5e3", "1")
    for source in (text, text + main, "int f(uint8_t x, uint8_t y);" + text):
        assert c.read(source).name == "f"
    assert c.read(text, ReadOptions(top="g", widths=(2, 2))).name == "g"


def test_several_functions_that_may_be_meant() -> None:
    text = "uint8_t mul4u_1(uint8_t a, uint8_t b) {return a;} uint8_t other(uint8_t a, uint8_t b) {return b;}"
    assert c.read(text).name == "mul4u_1"
    assert c.read(text, ReadOptions(path=Path("other.c"))).name == "other"
    helpers = "uint8_t g(uint8_t a, uint8_t b) {return a;} uint8_t unused(uint8_t a, uint8_t b) {return b;}"
    assert c.read(helpers + "uint8_t f(uint8_t a, uint8_t b) {return g(a, b);}").name == "f"
    both = text.replace("other", "mul4u_2")
    with pytest.raises(NetlistFileError, match="mul4u_1, mul4u_2 may be the circuit: say which by top="):
        c.read(both)
    with pytest.raises(NetlistFileError, match="no function 'g'; there are mul4u_1, mul4u_2"):
        c.read(both, ReadOptions(top="g"))


# -- statements, compared with gcc

PROGRAMS = {
    "loop": """uint16_t r = 0; for (int i = 0; i < 8; i++) { if ((b >> i) & 1) r += a << i; } return r;""",
    "loops": """uint32_t r = 0; int i, j; for (i = 0; i < 8; ++i) for (j = 7; j >= 0; j--)
        r += ((a >> i & 1) & (b >> j & 1)) << (i + j); return r;""",
    "leading": """int k = 0; while (a >> k > 1) k++; int m = 7; while (m > 0 && !(b >> m & 1)) --m;
        return k * 16 + m;""",
    "repeated": """int r = 0; b &= 15; while (b--) r += a; return r;""",
    "do": """int n = 0; do { n += 2; if (n > (a & 15)) break; if (n & 4) continue; n++;
        } while (n < 20); return n + b;""",
    "early": """if (a == 0 || b == 0) return 0; if (a > 200) { if (b < 10) return 7; return a;
        } return a * b;""",
    "ladder": """int s; if (a >= 128) s = 4; else if (a >= 64) s = 3; else if (a >= 32) s = 2; else s = 0;
        return ((a >> s) * b) << s;""",
    "ternary": """return (a > b ? a : b) * (a != b ? 3u : (b ? b : 1));""",
    "array": """int w[8]; uint8_t v[2][3] = {{1, 2, 3}, {4, 5}}; for (int i = 0; i < 8;
        i++) w[i] = (a >> i) & 1;
        int s = 0; for (int i = 0; i < 8; i += 1) s |= w[7 - i] << i; return s * v[1][b & 1] + v[0][2];""",
    "indexed": """int t[4] = {3, 1, 4, 1}; t[a & 3] = 9; return t[b & 3] * a;""",
    "signed": """int8_t x = a, y = b; int z = x * y; return z >> 3;""",
    "narrow": """uint8_t x = a + b; int8_t y = x; unsigned char q = ~x;
        return x * 256 + (y < 0 ? 5 : 6) + q;""",
    "wide": """uint64_t x = (uint64_t)a << 40; x |= (uint64_t)b << 33; return (x >> 35) ^ (x * 3 >> 41);""",
    "compare": """unsigned u = a; int i = -1;
        return (u < i) + 2 * (a < -1) + 4 * (-a <= -b) + 8 * ((int8_t)a >= (int8_t)b);""",
    "steps": """int x = a; int y = x++ + b; y += --x; y -= x--; y *= 3; y ^= x; y <<= 2; y >>= 1;
        y &= 0xffff; return y | 1;""",
    "divide": """return a / 4 + b % 8 + (a * 7) / 1 + 100 / 7 - 100 % 7;""",
    "quotients": """int x = (int8_t)a, y = (int8_t)b | 1; unsigned u = ~a, v = b + 3u; if (b) x += a / b;
        return x / y + x % y * 7 + (u / v ^ u % v) + a / 10 + a % 6 * b / 3 + (x * 1000) / (b - 300);""",
    "shifts": """return (a << (b & 7)) + (b >> (a & 7)) + ((1 << (a & 3)) - 1) + ((int8_t)b >> (a & 3));""",
    "octal": """return a + 010 + 0x1F + 0b101 + (b & 0xFFul) - 3ull;""",
    "boolean": """_Bool t = a & 0xF0; bool f = !b; return t * 2 + f + (a && b) + (a || b) + !!a;""",
    "negative": """return -a - -b + ~a * -3;""",
    "macro": """return (a & MASK) * (b & MASK);""",
    "comma": """int i, j, s = 0; for (i = 0, j = 7; i < j;
        i++, j--) { s = s * 2 + ((a >> i ^ b >> j) & 1); ; } return s;""",
    "helper": """return twice(a, 3) + twice(b, a) + total((a & 3));""",
    "global": """return a * table[b & 1] + table[2];""",
    "void": """int w[4] = {0, 0, 0, 0}; put(w, a & 3, b); return w[0] + 2 * w[1] + 4 * w[2] + 8 * w[3];""",
}
HEAD = """#include <stdint.h>
#include <stdbool.h>
#ifndef MASK
#define MASK (0x7F & \\
   0xFC) // cut
#else
#error no
#endif
#ifdef __cplusplus
extern "C" {
#endif
static const int table[3] = {7, 11};
int twice(int x, int y) { if (x > y) return x + x; return 2 * x + y; }
static unsigned total(unsigned n) { return n ? n + 1 : 0; }
void put(int w[], int i, int x) { w[i] = x; w[0] += 1; }
#ifdef __cplusplus
}
#endif
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    functions = "".join(
        f"uint32_t f_{name}(uint8_t a, uint8_t b) {{ {body} }}\n" for name, body in PROGRAMS.items()
    )
    names = {f"f_{name}": ("uint8_t", "uint8_t") for name in PROGRAMS}
    return Compiled(HEAD + functions, tmp_path_factory.mktemp("c"), names)


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_give_what_gcc_gives(name: str, programs: Compiled) -> None:
    text = f"{HEAD}uint32_t f_{name}(uint8_t a, uint8_t b) {{ {PROGRAMS[name]} }}\n"
    netlist = c.read(text, ReadOptions(top=f"f_{name}"))
    a, b = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    expected = programs(f"f_{name}", a, b) & 0xFFFFFFFF
    np.testing.assert_array_equal(netlist(a, b), expected)


# -- refusals: file, line, column, what is wrong

REFUSED = [
    ("", 1, 1, "no function of two integers"),
    ("int f(uint8_t a, uint8_t b) { return a @ b; }", 1, 40, "'@' came"),
    ("int f(uint8_t a, uint8_t b) {\n  return a +; }", 2, 13, "';' came, expected a variable"),
    ("int f(uint8_t a, uint8_t b) {\n  return a * c; }", 2, 14, "'c' is not declared"),
    ("int f(uint8_t a, uint8_t b) { return a", 1, 5, "has no end"),
    ("int f(uint8_t a, uint8_t *b) { return a; }", 1, 26, "pointers are not read"),
    ("int f(uint8_t a, uint8_t b) { return *a; }", 1, 38, "pointers are not read"),
    ("float f(float a, float b) { return a; }", 1, 1, "'float' came; of C, integers"),
    ("int f(uint8_t a, uint8_t b) { double x; return a; }", 1, 31, "'double' came"),
    ("int f(uint8_t a, uint8_t b) { return a * 1.5; }", 1, 42, "'1.5' came"),
    ("int f(uint8_t a, uint8_t b) { return g(a); }", 1, 38, "function 'g' is not in this text"),
    ("int f(uint8_t a, uint8_t b) { int x; return x + a; }", 1, 45, "'x' is used before it has a value"),
    ("int f(uint8_t a, uint8_t b) { return a << 32; }", 1, 40, "a shift of 32 bits by 32, which C does not"),
    ("int f(uint8_t a, uint8_t b) { return a << b; }", 1, 40, "happens for a=0, b=32; C does not define it"),
    (
        "int f(uint8_t a, uint8_t b) { int x; if (a) x = 1; return x; }",
        1,
        59,
        "'x' is used before.*for a=0, b=0",
    ),
    ("int f(uint8_t a, uint8_t b) { int w[3]; return w[3]; }", 1, 48, "index 3 of 'w', expected 0 to 2"),
    (
        "int f(uint8_t a, uint8_t b) { int w[3] = {0}; return w[a]; }",
        1,
        54,
        "beyond its 3 elements happens for a=3",
    ),
    ("int f(uint8_t a, uint8_t b) { int w[3] = {0}; return w[a - 1]; }", 1, 54, "happens for a=0"),
    (
        "int f(uint8_t a, uint8_t b) { if (a) return 1; }",
        1,
        5,
        "ends without returning a value happens for a=0",
    ),
    ("int f(uint8_t a, uint8_t b) { return a * b }", 1, 43, "a ';' is missing behind 'b'"),
    ("int f(uint8_t a, uint8_t b) { int x = a\n return x * b; }", 1, 40, "a ';' is missing behind 'a'"),
    ("int f(uint8_t a, uint8_t b) { int x = a b; return x; }", 1, 41, "'b' came, expected ',' or ';'"),
    ("int f(uint8_t a, uint8_t b) { return a b; }", 1, 40, "'b' came, expected ';'"),
    ("int f(uint8_t a, uint8_t b) { return a / 0; }", 1, 40, "a division by 0"),
    ("int f(uint8_t a, uint8_t b) { return a / b; }", 1, 40, "a division by 0"),
    ("int f(uint8_t a, uint8_t b) { return b > 3 ? 0 : a % (b - 2); }", 1, 52, "a division by 0"),
    (
        "int f(uint8_t a, uint8_t b) { return (int)((unsigned)a << 31) / (b - 1 | 1); }",
        *(1, 63, "a quotient of 32 bits that is too large"),
    ),
    ("int f(uint8_t a, uint8_t b) { for (;;) a++; }", 1, 31, "more than 100000 gates"),
    ("int f(uint8_t a, uint8_t b) { for (;;) ; }", 1, 31, "does a loop never end"),
    ("int f(uint8_t a, uint8_t b) { while (a > 1) b + 1; return b; }", 1, 31, "does a loop never end"),
    (
        "// axsim: 0 x 2 -> 2 bits, unsigned\nint f(uint8_t a, uint8_t b) { return b; }",
        2,
        5,
        "operands of 0 and 2",
    ),
    ("int g(int x) { return g(x); } int f(uint8_t a, uint8_t b) { return g(a); }", 1, 23, "calls deep"),
    ("int f(uint8_t a, uint8_t b) { int w[99999999]; return a; }", 1, 35, "99999999 elements"),
    ("int f(uint8_t a, uint8_t b) { int w[a]; return a; }", 1, 35, "depends on the operands"),
    ("int f(uint8_t a, uint8_t b) { a = 1; 3 = a; }", 1, 40, "'=' came after what is no variable"),
    ("int f(uint8_t a, uint8_t b) { return 099; }", 1, 38, "no number to base 8"),
    ("int f(uint8_t a, uint8_t b) { return 99999999999999999999; }", 1, 38, "does not fit 64 bits"),
    ("int f(uint8_t a, uint8_t b) { return 1ulul; }", 1, 38, "no integer of C"),
    ("#define SQ(x) ((x)*(x))\nint f(uint8_t a, uint8_t b) { return a; }", 1, 1, "macros with parameters"),
    ("#if 1\nint f(uint8_t a, uint8_t b) { return a; }\n#endif", 1, 1, "#if came, expected"),
    ("#define X Y\n#define Y X\nint f(uint8_t a, uint8_t b) { return X; }", 3, 38, "defined by itself"),
    ("int f(uint8_t a, uint8_t b) { return a; } /* open", 1, 43, "a comment without an end"),
    ("int f(uint8_t a, uint8_t b) { switch (a) {} return a; }", 1, 31, "'switch' came"),
    ("int f(uint8_t a[4], uint8_t b) { return b; }", 1, 5, "an array as a parameter"),
    ("#ifdef X\nint f(uint8_t a, uint8_t b) { return b; }", 2, 42, "expected #endif"),
    ("void f(uint8_t a, uint8_t b) { return; }", 1, 1, "no function of two integers"),
    ("int f(uint8_t a, uint8_t b) { return a[0]; }", 1, 38, "is no array"),
    (
        "int f(uint8_t a, uint8_t b) { int x = a; x = x++ + b; return x; }",
        1,
        44,
        "'x' is changed here and used",
    ),
    ("int f(uint8_t a, uint8_t b) { int x = a++ + a; return x; }", 1, 40, "in an order that C leaves open"),
    ("int f(uint8_t a, uint8_t b) { int x = b + --a * a; return x; }", 1, 43, "'a' is changed here"),
    ("int f(uint8_t a, uint8_t b) { int x; x = (x = a) + b; return x; }", 1, 40, "'x' is changed here"),
    (
        "int f(uint8_t a, uint8_t b) { int w[9] = {1}, i = 0; w[i] = i++; return w[0]; }",
        1,
        62,
        "'i' is changed",
    ),
    (
        "int g(int x, int y) { return x + y; } int f(uint8_t a, uint8_t b) { return g(a++, a); }",
        1,
        79,
        "'a' is",
    ),
    ("int f(uint8_t a, uint8_t b) { return a > 3 ? b++ + b : 0; }", 1, 47, "'b' is changed here"),
    ("int f(uint8_t a, uint8_t b) { if ((a += 1) * (a += 1)) return b; return 0; }", 1, 38, "'a' is changed"),
]

IN_ORDER = {
    "in a chain": "int x, y; x = y = a; return x + y * b;",
    "after a condition": "int i = 0; return a > 3 && i++ == 0 && i == 1 ? b : i;",
    "branches": "int i = b; return a & 1 ? i++ : i--;",
    "as an index": "int w[4] = {3, 1, 4, 1}, i = 0, s = 0; while (i < 4) s += w[i++] * a; return s + i * b;",
    "another": "int i = 0, j = 1; return a * i++ + b * j++ + 2;",
}


@pytest.mark.parametrize("name", IN_ORDER)
def test_changes_whose_order_is_stated_are_read(name: str, tmp_path: Path) -> None:
    text = f"#include <stdint.h>\nint f(uint8_t a, uint8_t b) {{ {IN_ORDER[name]} }}\n"
    a, b = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    expected = Compiled(text, tmp_path, {"f": ("uint8_t", "uint8_t")})("f", a, b) & 0xFFFF
    np.testing.assert_array_equal(c.read(text)(a, b) & 0xFFFF, expected)


def test_macros_within_each_other() -> None:
    chain = "#define M0 a * b\n" + "".join(f"#define M{i} M{i - 1}\n" for i in range(1, 60))
    function = "int f(uint8_t a, uint8_t b) { return M59; }"
    assert c.read(chain + function)(7, 9) == 63
    deeper = "".join(f"#define M{i} M{i - 1}\n" for i in range(60, 200))
    with pytest.raises(NetlistFileError, match="more than 100 macros within each other"):
        c.read(chain + deeper + function.replace("M59", "M199"))


def test_a_byte_order_mark_is_no_c() -> None:
    text = "\ufeff// größe\nint f(uint8_t a, uint8_t b) { return a * b; }".encode()
    assert c.read(text)(7, 9) == 63


@pytest.mark.parametrize(("text", "line", "column", "message"), REFUSED)
def test_refusals_name_the_place(
    text: str, line: int, column: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "while" in text:  # what never ends and makes no gates takes longest
        monkeypatch.setattr(c_expressions, "MAX_STEPS", 10_000)
    with pytest.raises(NetlistFileError, match=message) as refused:
        c.read(text, ReadOptions(path=Path("mine.c")))
    assert str(refused.value).startswith(f"mine.c:{line}:{column}: ")


def test_a_chain_of_conditions_is_no_depth(tmp_path: Path) -> None:
    """A table by hand: a row is not within the row before it."""
    rows = "".join(f"if (a == {k}) r = {(k * 37) & 255} * b; else " for k in range(256))
    text = f"uint16_t f(uint8_t a, uint8_t b) {{ int r; {rows}r = 0; return r; }}"
    netlist = c.read(text)
    a, b = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    assert np.array_equal(netlist.exhaustive(), (a * 37 & 255) * b)
    early = "".join(f"if (a == {k}) return {k + 1}; else " for k in range(200)) + "if (b) return 7; return 8;"
    text = f"#include <stdint.h>\nuint16_t g(uint8_t a, uint8_t b) {{ {early} }}"
    expected = np.where(a < 200, a + 1, np.where(b > 0, 7, 8))
    assert np.array_equal(c.read(text).exhaustive(), expected)
    assert np.array_equal(Compiled(text, tmp_path, {"g": ("uint8_t", "uint8_t")})("g", a, b), expected)


def test_depth_and_size_are_bounded() -> None:
    deep = "int f(uint8_t a, uint8_t b) { return %s; }"
    assert c.read(deep % ("a" + " + b" * 100)).out_bits >= 16
    for inner in (
        "(" * 100_000 + "a",
        "~" * 100_000 + "a",
        "-(" * 500 + "a" + ")" * 500,
        "a?b:" * 10_000 + "a",
    ):
        with pytest.raises(NetlistFileError, match="within each other"):
            c.read(deep % inner)
    blocks = "int f(uint8_t a, uint8_t b) { %s return a; %s }"
    for opening in ("{", "if (a) ", "if (a) ; else for (;;) "):
        with pytest.raises(NetlistFileError, match="within each other"):
            c.read(blocks % (opening * 100_000, "}" * 100_000 if opening == "{" else ""))
    with pytest.raises(NetlistFileError, match="expected at most"):
        c.read(" " * (9 << 20))


# -- random programs against gcc


@st.composite
def expressions(draw: st.DrawFn, depth: int = 4) -> str:
    if depth == 0 or draw(st.integers(0, 5)) == 0:
        return draw(
            st.sampled_from(
                ["a", "b", "(int8_t)a", "(int16_t)b", "3", "0x80u", "255", "-1", "7ull", "(char)b"]
            )
        )
    kind = draw(st.integers(0, 9))
    x = draw(expressions(depth=depth - 1))
    if kind == 0:
        return f"{draw(st.sampled_from(['~', '-', '!', '+']))}({x})"
    if kind == 1:
        return f"({x} {draw(st.sampled_from(['<<', '>>']))} {draw(st.integers(0, 9))})"
    if kind == 2:
        types = ["uint8_t", "int8_t", "uint16_t", "int", "uint64_t", "int64_t", "_Bool"]
        return f"({draw(st.sampled_from(types))})({x})"
    y = draw(expressions(depth=depth - 1))
    if kind == 3:
        return f"({x} ? {y} : {draw(expressions(depth=depth - 1))})"
    if kind == 4:
        return f"({x} {draw(st.sampled_from(['/', '%']))} ((({y}) & 63) + 1))"
    ops = ["+", "-", "*", "&", "|", "^", "<", "<=", ">", ">=", "==", "!=", "&&", "||"]
    return f"({x} {draw(st.sampled_from(ops))} {y})"


@given(st.lists(expressions(), min_size=12, max_size=12))
@settings(max_examples=8)
def test_random_expressions_give_what_gcc_gives(
    tmp_path_factory: pytest.TempPathFactory, found: list[str]
) -> None:
    text = "".join(f"int64_t f{k}(uint8_t a, uint8_t b) {{ return {e}; }}\n" for k, e in enumerate(found))
    calls = {f"f{k}": ("uint8_t", "uint8_t") for k in range(len(found))}
    compiled = Compiled("#include <stdint.h>\n" + text, tmp_path_factory.mktemp("random"), calls)
    rng = np.random.default_rng(5)
    a, b = rng.integers(0, 256, (2, 2000))
    for k in range(len(found)):
        header = "// axsim: 8 x 8 -> 64 bits, unsigned\n"
        netlist = c.read(header + text, ReadOptions(top=f"f{k}"))
        np.testing.assert_array_equal(netlist(a, b).view(np.int64), compiled(f"f{k}", a, b), err_msg=found[k])


@pytest.mark.parametrize("mark", ["(", "{", "[", "!", "~", "- "])
def test_deep_nesting_is_refused_where_it_begins(mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest, which may be long, is not looked at."""
    from axsim.circuits.formats import c_tokens

    looked_at = []
    included = c_tokens._included
    monkeypatch.setattr(
        c_tokens, "_included", lambda *given: (looked_at.append(t) or t for t in included(*given))
    )
    text = "int mul4u_f(int a, int b) { return " + mark * 100_000 + "a; }"
    with pytest.raises(NetlistFileError, match=r"^C text:1:\d{2,3}: more than \d+ (brackets|operators)"):
        c.read(text.encode())
    assert len(looked_at) < 500

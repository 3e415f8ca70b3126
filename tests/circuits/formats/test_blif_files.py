"""BLIF as other programs write it: hierarchy, cells, names of bits, bytes, and what must not be believed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from axsim.circuits import exact, read_blif, write_blif
from axsim.circuits.formats import blif, verilog
from axsim.circuits.formats.options import ReadOptions
from axsim.errors import BlifError, NetlistError, NetlistFileError

flatten = import_module("axsim.circuits.formats.blif.flatten")  # a function of its package has that name, too
AND = ".names x y z\n11 1\n"
HALF = ".model half\n.inputs x y\n.outputs s c\n.names x y s\n10 1\n01 1\n.names x y c\n11 1\n"
TWO_BITS = (  # a 2x2 multiplier of half adders
    ".model mul2\n.inputs a0 a1 b0 b1\n.outputs p0 p1 p2 p3\n.names a0 b0 p0\n11 1\n"
    ".names a1 b0 m\n11 1\n.names a0 b1 n\n11 1\n.names a1 b1 o\n11 1\n"
    ".subckt half x=m y=n s=p1 c=k\n.subckt half x=o y=k s=p2 c=p3\n"
)


@pytest.mark.parametrize(
    "text",
    [
        TWO_BITS + ".end\n" + HALF + ".end\n",
        HALF + ".end\n" + TWO_BITS + ".end\n",
        HALF + TWO_BITS,
        TWO_BITS + HALF,
        TWO_BITS + ".end\n\n# helper\n" + HALF + ".end",
    ],
)
def test_models_in_any_order_and_without_end(text):
    netlist = read_blif(text)
    assert netlist.name == "mul2"
    assert np.array_equal(netlist.exhaustive(), exact(2).exhaustive())


def test_top_is_chosen_or_asked_for(tmp_path):
    both = HALF + HALF.replace("half", "other")
    assert read_blif(both).name == "half"  # the format: the first one
    assert blif.read(both, ReadOptions(top="other")).name == "other"
    path = tmp_path / "other.blif"
    path.write_text(both)
    assert read_blif(path).name == "other"
    with pytest.raises(BlifError, match=r"no model 'nix'; there are half, other"):
        blif.read(both, ReadOptions(top="nix"))
    loop = ".model m\n.inputs x\n.outputs z\n.subckt m x=x z=z\n"
    with pytest.raises(BlifError, match=r"which model is the circuit"):
        read_blif(loop)
    with pytest.raises(BlifError, match=r"text:4:9: model 'm' is an instance in itself"):
        blif.read(loop, ReadOptions(top="m"))
    helper_first = ".model spare\n.inputs x\n.outputs z\n.names x z\n1 1\n" + HALF + TWO_BITS
    assert read_blif(helper_first).name == "spare"


def test_yosys_constants_and_connections():
    text = (
        ".model m\n.inputs a[0] a[1] b\n.outputs p[0] p[1] p[2] p[3] p[4]\n"
        ".conn a[0] p[0]\n.barbuf a[1] p[1]\n"
        ".names $true p[2]\n1 1\n.names $false p[3]\n1 1\n.names $undef p[4]\n1 1\n"
    )
    assert read_blif(text)([0, 1, 2, 3], 0).tolist() == [4, 5, 6, 7]
    defined = text + ".names $false\n.names $true\n1\n.names $undef\n"
    assert read_blif(defined + ".end\n")([0, 3], 1).tolist() == [4, 7]


def test_cells_shipped_and_given():
    head = ".model m\n.inputs a b c\n.outputs s co\n"
    shipped = head + ".gate FAX1 A=a B=b C=c YS=s YC=co\n.end\n"
    netlist = read_blif(shipped)
    rows = [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    got = netlist.simulate(a=[r[0] for r in rows], b=[r[1] for r in rows], c=[r[2] for r in rows])
    assert (got["s"] + 2 * got["co"]).tolist() == [sum(row) for row in rows]
    library = (
        'GATE "maj" 2.0 o=x*y+(x+y)*z; PIN * INV 1 999 1 1 1 1\nGATE odd 3 o = x ^ y ^ z;\nLATCH d 1 Q=D;\n'
    )
    given = head + ".gate maj x=a y=b z=c o=co\n.gate odd x=a y=b z=c o=s\n.end\n"
    copy = blif.read(given, ReadOptions(library=library))
    assert np.array_equal(copy.simulate(a=1, b=[0, 1], c=1)["co"], [1, 1])
    with pytest.raises(
        BlifError, match=r"text:4:7: 'maj' is no model of this text and no cell that is known"
    ):
        read_blif(given)
    with pytest.raises(BlifError, match=r"4:7: cell 'maj' has no pin 'w'; its pins are x, y, z, o"):
        blif.read(given.replace("x=a", "w=a", 1), ReadOptions(library=library))
    with pytest.raises(BlifError, match=r"4:7: cell 'maj' needs its pin 'z' connected"):
        blif.read(given.replace(" z=c", "", 1), ReadOptions(library=library))
    with pytest.raises(NetlistFileError, match=r"library:1:1: 'nonsense' came, expected GATE, PIN or LATCH"):
        blif.read(given, ReadOptions(library="nonsense"))


@pytest.mark.parametrize(
    "statement",
    [
        *(".default_input_arrival 0.1 0.1", ".default_output_required 0 0", ".wire_load_slope 0.5"),
        *(".area 12", ".delay a INV 1 1 1 1 1 1", ".attr src mul.v:3", ".param W 8", ".cname u1"),
        *(".input_drive a 1 1", ".output_load p 2", ".clock clk"),
    ],
)
def test_statements_that_change_no_function(statement):
    text = f".model m\n{statement}\n.inputs a b\n.outputs p\n.names a b p\n11 1\n{statement}\n.end\n"
    assert read_blif(text).gate_counts() == {"and": 1}


def test_dont_cares_are_passed_over():
    text = HALF + ".exdc\n.inputs x y\n.outputs s\n.names x y s\n11 1\n.end\n"
    assert read_blif(text).gate_counts() == {"and": 1, "xor": 1}


@pytest.mark.parametrize(
    "forms",
    [
        *(
            ["a[{}]"] * 3,
            ["a{}"] * 3,
            ["a{:02}"] * 3,
            ["a<{}>"] * 3,
            ["a({})"] * 3,
            ["a_{}"] * 3,
            ["a~{}"] * 3,
        ),
    ],
)
@pytest.mark.parametrize("start", [0, 1])
def test_styles_of_names(forms, start):
    names = [
        [form.replace("a", bus).format(k + start) for k in range(2)]
        for bus, form in zip("abp", forms, strict=True)
    ]
    inputs = " ".join([*names[0], *names[1]])
    low, high = names[2]
    text = f".inputs {inputs}\n.outputs {low} {high}\n.names {inputs} {low}\n1-1- 1\n.names {high}\n.end\n"
    netlist = read_blif(text)
    assert (dict(netlist.inputs), list(netlist.outputs), netlist.out_bits) == ({"a": 2, "b": 2}, ["p"], 2)
    assert netlist([1, 2, 3], [3, 3, 1]).tolist() == [1, 0, 1]


def test_other_names():
    text = ".inputs top^a~0 top^a~1 top^b\n.outputs top^p\n.names top^a~1 top^b top^p\n11 1\n"
    assert dict(read_blif(text).inputs) == {"a": 2, "b": 1}
    in1 = ".inputs IN1[0] IN1[1] IN2[0]\n.outputs O\n.names IN1[1] IN2[0] O\n11 1\n"
    assert dict(read_blif(in1).inputs) == {"IN1": 2, "IN2": 1}
    one_bus = ".inputs x[0] x[1] x[2] x[3]\n.outputs y\n.names x[0] x[3] y\n11 1\n"
    assert dict(read_blif(one_bus).inputs) == {"x": 4}
    halves = blif.read(one_bus, ReadOptions(operands=("x[1:0]", "x[3:2]")))
    assert halves([1, 1, 2], [2, 1, 3]).tolist() == [1, 0, 0]
    swapped = blif.read(one_bus, ReadOptions(operands=("x[3:2]", "x[1:0]")))
    assert swapped([2, 1, 3], [1, 1, 2]).tolist() == [1, 0, 0]
    numbered = ".inputs n0 n1 n2\n.outputs n7 n8\n.names n0 n1 n7\n11 1\n.names n2 n8\n0 1\n"
    assert list(read_blif(numbered).outputs) == ["n_out"]
    through = ".inputs a b\n.outputs a\n"
    assert read_blif(through)([0, 1], 1).tolist() == [0, 1]


def test_operands_are_chosen_by_name():
    text = ".inputs B1 B0 A0\n.outputs O\n.names B0 A0 O\n11 1\n"
    assert read_blif(text).operands == ("B", "A")
    chosen = blif.read(text, ReadOptions(operands=("A", "B")))
    assert (chosen.operands, chosen.a_bits, chosen.b_bits) == (("A", "B"), 1, 2)
    assert chosen.exhaustive().tolist() == read_blif(text).exhaustive().T.tolist()
    with pytest.raises(BlifError, match=r"no input bus 'C'; there are B, A"):
        blif.read(text, ReadOptions(operands=("A", "C")))
    with pytest.raises(BlifError, match=r"must be all inputs, each once"):
        blif.read(text, ReadOptions(operands=("A", "A")))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            ".inputs a1 a2 b0 b1\n.outputs p\n.names p\n.end\n",
            "input bus 'a' lacks bit 0; its bits are 1 to 2",
        ),
        (".inputs a0\n.outputs p2 p3\n.names p2\n.names p3\n1\n", "output bus 'p' lacks bit 0"),
        (
            ".inputs a" + "1" * 5000 + "\n.outputs p\n.names p\n1\n",
            "2:9: 'a1111.*has an index of 5000 digits",
        ),
    ],
)
def test_bits_that_are_missing(text, words):
    with pytest.raises(BlifError, match=words):
        read_blif(".model m\n" + text)


def test_only_plain_digits_count():
    netlist = read_blif(".inputs a\u0661 b\n.outputs p\n.names a\u0661 b p\n11 1\n")
    assert dict(netlist.inputs) == {"a\u0661": 1, "b": 1}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_bytes(tmp_path: Path, encoding: str, end: str):
    text = (
        HALF.replace(".model half", f"# größe \x0c form feed \x85 next line{chr(10)}.model half") + ".end\n"
    )
    path = tmp_path / "größe.blif"
    path.write_bytes(text.replace("\n", end).encode(encoding))
    assert read_blif(path).name == "half"


@pytest.mark.parametrize("control", ["\x00", "\v", "\f", "\x1c", "\x1f", "\x7f"])
def test_a_control_character_is_no_blank(control):
    """The format does not say which characters are blanks, and programs differ: Yosys's form feed is none."""
    text = f".inputs a b\n.outputs p\n.names a b p\n11{control}1\n"
    with pytest.raises(
        BlifError, match=rf"text:4:3: the control character U\+{ord(control):04X}: a blank for"
    ):
        read_blif(text)
    assert read_blif(text.replace(f"11{control}1", f"11\t1 # {control}"))(1, 1) == 1


def test_a_name_may_be_left_out(tmp_path):
    path = tmp_path / "my mult.blif"
    path.write_text(write_blif(exact(2)).replace(".model exact2", ".model"))
    assert read_blif(path).name == "my_mult"
    path.write_text(write_blif(exact(2)).replace(".model exact2\n", ""))
    assert read_blif(path)(3, 3) == 9


def test_a_long_cycle_makes_a_short_message():
    nets = "".join(f".names n{k} n{(k + 1) % 5000}\n1 1\n" for k in range(5000))
    with pytest.raises(BlifError, match=r"\.\.\. 4,992 nets more -> ") as caught:
        read_blif(f".inputs a\n.outputs p\n{nets}.names n7 p\n1 1\n")
    assert len(str(caught.value)) < 300


def test_what_grows_without_bound_is_refused(monkeypatch):
    assert flatten.MAX_INSTANCES == 200_000
    monkeypatch.setattr(flatten, "MAX_INSTANCES", 10_000)
    deep = "".join(
        f".model m{k}\n.inputs x y\n.outputs z\n.subckt m{k + 1} x=x y=y z=t\n.subckt m{k + 1} x=t y=x z=z\n"
        for k in range(40)
    )
    with pytest.raises(BlifError, match=r"more than 10,000 instances"):
        read_blif(deep + ".model m40\n.inputs x y\n.outputs z\n.names x y z\n11 1\n")
    with pytest.raises(BlifError, match=r"67,108,864 are read"):
        read_blif("#" * (65 << 20) + "\n")
    assert flatten.MAX_NODES == 2_000_000


def test_only_regular_files_are_opened(tmp_path):
    with pytest.raises(BlifError, match=r"/dev/zero: this is no regular file"):
        read_blif("/dev/zero")
    large = tmp_path / "large.blif"
    with large.open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(BlifError, match=r"100,000,000 bytes; at most"):
        read_blif(large)


def test_hierarchy_is_checked():
    for change, words in [
        (("x=m", "w=m"), "text:12:1: model 'half' has no pin 'w'; its pins are x, y, s, c"),
        ((" y=n", ""), "text:12:9: input 'y' of model 'half' is not connected"),
        (("x=m", "x"), "text:12:14: 'x' in a .subckt; expected FORMAL=ACTUAL"),
        (("c=k", "c=p1"), "net 'p1' is driven twice"),
        (("x=m", "x=q"), "nothing drives net 'q'"),
        (("y=n", "y=n y=m"), "pin 'y' is connected to two nets"),
    ]:
        text = TWO_BITS.replace(*change, 1) + HALF
        with pytest.raises(NetlistError, match=words):
            read_blif(text)
    with pytest.raises(BlifError, match=r"net 'b' is driven twice, it is an input on line 1"):
        read_blif(".inputs a b\n.outputs p\n.subckt half x=a y=a s=b c=p\n" + HALF)
    assert read_blif(TWO_BITS.replace("y=n", "y=n y=n") + HALF)(3, 3) == 9  # as ariths-gen writes it
    with pytest.raises(BlifError, match=r"a second model 'half'; the first is on line 1"):
        read_blif(HALF + HALF)
    with pytest.raises(BlifError, match=r"text:4:1: cannot read '\.latch x': axsim simulates"):
        read_blif(HALF.replace(".names x y s\n10 1\n01 1\n", ".latch x y\n", 1) + TWO_BITS)


NET_NUMBERS = dict(
    zip(
        ("a[0]", "a[1]", "b[0]", "b[1]", "p[0]", "p[1]", "p[2]", "p[3]"),
        ("N1", "N18", "N35", "N52", "N545", "N1581", "N6288", "N6287"),
        strict=True,
    )
)


@pytest.mark.parametrize("form", ["blif", "verilog"])
def test_numbers_of_nets_tell_no_order_and_a_model_around_does(form):
    """As in ISCAS-85's c6288, whose outputs 6287 and 6288 stand the other way round."""
    bits = list(NET_NUMBERS)
    if form == "blif":
        text, read = write_blif(exact(2)), read_blif
        for bit, net in NET_NUMBERS.items():
            plain = bit.replace("[", "").replace("]", "")
            text = " ".join(net if word == plain else word for word in text.replace("\n", " \n ").split(" "))
        names = [bit.replace("[", "").replace("]", "") for bit in bits]
        around = (
            f".model around\n.inputs {' '.join(names[:4])}\n.outputs {' '.join(names[4:])}\n.subckt exact2"
        )
        around += "".join(f" {NET_NUMBERS[bit]}={name}" for bit, name in zip(bits, names, strict=True)) + "\n"
    else:
        nets = list(NET_NUMBERS.values())
        low, high = "{N18, N1}", "{N52, N35}"
        text = f"module m(input {', '.join(nets[:4])}, output {', '.join(nets[4:])});\n"
        text += f"assign {{N6287, N6288, N1581, N545}} = {low} * {high};\nendmodule\n"
        read = verilog.read
        around = "module around(input [1:0] a, b, output [3:0] p); m u("
        around += ", ".join(f".{net}({bit})" for bit, net in NET_NUMBERS.items()) + "); endmodule\n"
    with pytest.raises(NetlistError, match=r"lacks bit .* numbers of nets, whose order tells no .*a0, a1, "):
        read(text)
    assert np.array_equal(read(text + around).exhaustive(), exact(2).exhaustive())

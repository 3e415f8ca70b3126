"""BLIF: what is written is read back, other programs' files are understood, and broken ones refused."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_netlists import netlists, vectors

from axsim.circuits import Netlist, baugh_wooley, exact, library, load_library, read_blif, write_blif
from axsim.errors import BlifError

HEAD = ".model m\n.inputs a b\n.outputs p\n"


@given(st.data())
def test_round_trip_of_any_circuit(data):
    netlist = data.draw(netlists())
    copy = read_blif(write_blif(netlist), signed=netlist.signed)
    assert (copy.name, copy.inputs, copy.signed) == (netlist.name, netlist.inputs, netlist.signed)
    operands = data.draw(vectors(netlist))
    expected, got = netlist.simulate(**operands), copy.simulate(**operands)
    assert list(expected) == list(got)
    for name, values in expected.items():
        assert np.array_equal(got[name], values)


@pytest.mark.parametrize("name", [*library(), "exact", "signed"])
def test_round_trip_is_gate_for_gate(name):
    netlist = {"exact": exact(5, 3), "signed": baugh_wooley(4)}.get(name) or load_library(name)
    copy = read_blif(write_blif(netlist), signed=netlist.signed)
    assert np.array_equal(copy.ops, netlist.ops)
    assert np.array_equal(copy.sources, netlist.sources)
    assert copy.outputs == netlist.outputs


def test_names_that_could_be_mistaken():
    # a bus "n" beside gates n0, n1 ...; a bus "n_"; buses "x1" and "x" with bits x10 and x1[0]
    ops = np.array([6, 8, 14])
    netlist = Netlist(
        *("m", {"n": 2, "n_": 1, "x1": 2, "x": 11}, {"y1": (18, 19, 20), "y": (2, 0, 1)}),
        *(ops, np.array([(2, 4), (5, 17), (7, 18)])),
    )
    copy = read_blif(write_blif(netlist))
    assert (copy.inputs, copy.outputs) == (netlist.inputs, netlist.outputs)
    assert np.array_equal(copy.sources, netlist.sources)


def truth(rows: str, inputs: int) -> list[int]:
    """Outputs of one .names for all its inputs, the first on top."""
    names = [f"a{k}" for k in range(inputs)]
    text = f".model m\n.inputs {' '.join(names)}\n.outputs p\n.names {' '.join(names)} p\n{rows}\n.end\n"
    netlist = read_blif(text)
    vectors = [sum(bit << k for k, bit in enumerate(bits)) for bits in product((0, 1), repeat=inputs)]
    return netlist.simulate(a=vectors)["p"].tolist()


@pytest.mark.parametrize(
    ("inputs", "rows", "function"),
    [
        (1, "0 1", lambda x: not x),
        (1, "1 1", lambda x: x),
        (1, "- 1", lambda x: True),
        (1, "1 0", lambda x: not x),
        (2, "1- 1", lambda x, y: x),
        (2, "1- 1\n01 1", lambda x, y: x or y),
        (2, "10 1", lambda x, y: x and not y),
        (2, "10 0", lambda x, y: not (x and not y)),
        (2, "00 0\n11 0", lambda x, y: x != y),
        (2, "", lambda x, y: False),
        (3, "1-0 1\n011 1", lambda x, y, z: (x and not z) or (not x and y and z)),
        (3, "-11 0", lambda x, y, z: not (y and z)),
        (4, "1--- 1\n-011 1", lambda w, x, y, z: w or (not x and y and z)),
        (4, "1--0 0\n0-1- 0", lambda w, x, y, z: not ((w and not z) or (not w and y))),
        (5, "", lambda *bits: False),
        (5, "----- 1", lambda *bits: True),
        (5, "----- 0", lambda *bits: False),
        (6, "111111 1\n000000 1", lambda *bits: len(set(bits)) == 1),
        (7, "1------ 0\n-1----- 0\n------1 0", lambda *bits: not (bits[0] or bits[1] or bits[6])),
    ],
)
def test_covers(inputs, rows, function):
    expected = [int(bool(function(*bits))) for bits in product((0, 1), repeat=inputs)]
    assert truth(rows, inputs) == expected


@given(st.integers(1, 6), st.data())
def test_any_cover(inputs, data):
    patterns = data.draw(st.lists(st.text("01-", min_size=inputs, max_size=inputs), max_size=6))
    value = data.draw(st.sampled_from([0, 1]))
    expected = [
        value
        if any(all(want in ("-", str(got)) for want, got in zip(row, bits, strict=True)) for row in patterns)
        else (1 - value if patterns else 0)
        for bits in product((0, 1), repeat=inputs)
    ]
    assert truth("\n".join(f"{row} {value}" for row in patterns), inputs) == expected


def test_constants():
    for rows, value in [("", 0), ("0", 0), ("1", 1)]:
        assert read_blif(f"{HEAD}.names p\n{rows}\n.end\n")(0, 1) == value


def test_two_input_cover_is_one_gate_as_written():
    text = ".model m\n.inputs a b\n.outputs p1 p0\n.names b a p0\n10 1\n.names b a p1\n1- 1\n.end\n"
    netlist = read_blif(text)
    assert netlist.ops.tolist() == [0b0100, 0b1100]
    assert netlist.sources.tolist() == [[3, 2], [3, 2]]
    assert netlist.outputs == {"p": (4, 5)}


def test_comments_continuations_and_layout():
    text = (
        "# by hand\r\n\r\n.model m # the name\r\n.inputs \\\r\n  a[1] a[0] \\\n b0\n.inputs b1\n"
        ".outputs p1 \\ # comment after\n p0\n"
        "  .names a[0] \\\n\tb0 p0\n\t 11\t1 # both\n\n.names p1\n# a constant\n1\n.end\n\n# done\n"
    ).replace("\\ # comment after", "\\")
    netlist = read_blif(text)
    assert netlist.inputs == {"a": 2, "b": 2}
    assert netlist([3, 2], 1).tolist() == [3, 2]


def test_gates_in_any_order():
    forwards = write_blif(exact(4))
    head, *covers = forwards.removesuffix(".end\n").split(".names")
    backwards = head + "".join(f".names{cover}" for cover in reversed(covers)) + ".end\n"
    assert np.array_equal(read_blif(backwards).exhaustive(), exact(4).exhaustive())
    assert read_blif(backwards).n_gates == exact(4).n_gates


def test_buses_in_any_bit_order_and_single_bits():
    text = ".model m\n.inputs b1 cin a[1] b0 a[0]\n.outputs s\n.names a[1] b0 cin s\n111 1\n.end\n"
    netlist = read_blif(text)
    assert netlist.inputs == {"b": 2, "cin": 1, "a": 2}
    assert netlist.simulate(a=[2, 1, 2], b=[1, 1, 2], cin=1)["s"].tolist() == [1, 0, 0]


def test_unused_gates_are_left_out():
    assert read_blif(f"{HEAD}.names a b n\n11 1\n.names a b p\n10 1\n.end\n").n_gates == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "BLIF text:1:1: the text is empty"),
        ("\n# nothing\n\n", "the text is empty"),
        (".inputs a\n", "there is no output"),
        (".model\n.end\n", "there is no input"),
        (".model m n\n.end\n", "text:1:10: one .model with one name is needed, 2 names came"),
        (
            HEAD + ".names p\n",
            "text:4:1: the text ends behind a .names without rows and without .end; is it cut",
        ),
        (HEAD + ".names p\n.end\n.names q\n1\n", "text:6:1: '.names' came behind .end, where only .model"),
        (
            HEAD + ".gate nand2 A=a B=b O=p\n.end\n",
            r"text:4:7: 'nand2' is no model of this text and no cell that is known; .*genlib",
        ),
        (HEAD + ".latch a p re clk 0\n.end\n", r"text:4:\d+: cannot read '.latch a': .* combinational"),
        (HEAD + ".subckt half x=a y=b z=p\n.end\n", r"text:4:9: 'half' is no model of this text"),
        (HEAD + ".nmaes a b p\n11 1\n.end\n", r"text:4:\d+: cannot read '.nmaes a': known are .model"),
        (HEAD + ".names\n.end\n", r"text:4:\d+: .names without an output net"),
        (HEAD + "11 1\n.end\n", r"text:4:\d+: '11' stands outside a .names"),
        (HEAD + ".names a b p\n1 1\n.end\n", r"text:5:\d+: malformed cover row '1 1': expected 2 characters"),
        (HEAD + ".names a b p\n111 1\n.end\n", r"text:5:\d+: malformed cover row '111 1'"),
        (HEAD + ".names a b p\n1x 1\n.end\n", r"text:5:\d+: malformed cover row '1x 1'"),
        (HEAD + ".names a b p\n1 1 1\n.end\n", r"text:5:\d+: malformed cover row '1 1 1'"),
        (HEAD + ".names a b p\n11\n.end\n", r"text:5:\d+: malformed cover row '11'"),
        (
            HEAD + ".names a b p\n11 -\n.end\n",
            r"text:5:\d+: malformed cover row '11 -': the output value is 0 or 1",
        ),
        (
            HEAD + ".names a b p\n11 1\n00 0\n.end\n",
            r"text:6:\d+: a cover has rows for output 1 or for output 0",
        ),
        (
            HEAD + ".names a b p\n11 1\n.names p\n.end\n",
            r"text:6:\d+: net 'p' is driven twice, first on line 4",
        ),
        (
            HEAD + ".names b a\n1 1\n.names a p\n1 1\n.end\n",
            r"text:4:\d+: net 'a' is driven twice, .* input on line 2",
        ),
        (HEAD + ".names a \\\n c \\\n p\n11 1\n.end\n", r"text:5:2: nothing drives net 'c'"),
        (HEAD + ".names \\\n a b p\n11 1\n1 1\n.end\n", r"text:7:\d+: malformed cover row '1 1'"),
        (HEAD + ".names a c p\n11 1\n.end\n", r"text:4:\d+: nothing drives net 'c'"),
        (HEAD + ".end\n", r"text:3:\d+: nothing drives net 'p'"),
        (HEAD + ".names a p p\n11 1\n.end\n", r"text:4:\d+: the circuit has a cycle: p -> p"),
        (
            ".model m\n.inputs a\n.outputs p\n.names p\n.end\\",
            r"text:5:\d+: the text ends in a continued line",
        ),
        (
            ".model m\n.inputs a0 a2\n.outputs p\n.names p\n.end\n",
            r"input bus 'a' lacks bit 1; its bits are 0 to 2",
        ),
        (
            ".model m\n.inputs a0 a1\n.outputs p1 p2\n.names p1\n.names p2\n.end\n",
            "output bus 'p' lacks bit 0; its bits are 1 to 2",
        ),
        (
            ".model m\n.inputs a0 a0\n.outputs p\n.names p\n.end\n",
            r"text:2:\d+: input 'a0' of model 'm' is there twice",
        ),
        (
            ".model m\n.inputs a0 a[0]\n.outputs p\n.names p\n.end\n",
            r"text:2:\d+: input 'a\[0\]' is bit 0 of bus 'a'",
        ),
        (
            f".model m\n.inputs {' '.join(f'a{k}' for k in range(65))}\n.outputs p\n.names p\n.end\n",
            "input bus 'a' has 65 bits; buses have at most 64 bits",
        ),
        (".model m\n.outputs p\n.names p\n.end\n", "there is no input"),
        (".model m\n.inputs a\n.end\n", "there is no output"),
    ],
)
def test_broken_texts(text, words):
    with pytest.raises(BlifError, match=words):
        read_blif(text if "\n" in text or not text else text + "\n")


def test_cycle_names_its_nets():
    text = HEAD + ".names x a p\n11 1\n.names y b x\n11 1\n.names z y\n0 1\n.names x z\n1 1\n.end\n"
    with pytest.raises(BlifError, match=r"text:[4-9]:\d+: the circuit has a cycle: ") as caught:
        read_blif(text)
    cycle = str(caught.value).split(": ")[-1]
    nets = cycle.split(" -> ")
    assert nets[0] == nets[-1]
    assert set(nets) == {"x", "y", "z"}
    assert " -> ".join(nets[:-1]) in ("x -> z -> y", "z -> y -> x", "y -> x -> z")  # along the signal


@pytest.mark.parametrize("name", ["mul8u_JV3", "mul8u_FTA"])
def test_text_cut_short_anywhere_is_refused(name):
    text = write_blif(load_library(name))
    lines = text.splitlines(keepends=True)
    for end in range(0, len(lines), 7):
        if end == len(lines) - 1:
            continue  # all but .end, which may be missing
        with pytest.raises(BlifError):
            read_blif("".join(lines[:end]))


def test_files(tmp_path):
    path = tmp_path / "exact3.blif"
    text = write_blif(exact(3), path)
    assert path.read_text() == text
    for where in (path, str(path)):
        assert np.array_equal(read_blif(where).exhaustive(), exact(3).exhaustive())
    write_blif(exact(2), path)
    assert read_blif(path).name == "exact2"
    assert [file.name for file in tmp_path.iterdir()] == ["exact3.blif"]


def test_errors_name_the_file(tmp_path):
    path = tmp_path / "broken.blif"
    path.write_text(".model m\n.latch\n")
    with pytest.raises(BlifError, match=r"broken\.blif:2:1: cannot read '.latch'"):
        read_blif(path)
    with pytest.raises(FileNotFoundError):
        read_blif(tmp_path / "absent.blif")


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "circuit.blif"
    path.write_text("before")

    def fail(source, target):
        raise OSError(28, "disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_blif(exact(2), path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OSError, match=r"circuit\.blif cannot be written: File exists"):
        write_blif(exact(2), path / "circuit.blif")

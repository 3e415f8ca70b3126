"""The fast simulation equals plain evaluation, and no malformed circuit can be made."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_netlists import evaluate, netlists, vectors

from axsim.circuits import Netlist, array_multiplier, baugh_wooley, exact, load_library
from axsim.circuits.netlist import GATE_NAMES
from axsim.errors import NetlistError

XOR, AND = 6, 8


def half_adder(**changes) -> Netlist:
    parts = {
        "name": "ha",
        "inputs": {"a": 1, "b": 1},
        "outputs": {"p": (4, 5)},
        "ops": np.array([XOR, AND]),
        "sources": np.array([(2, 3), (2, 3)]),
    }
    return Netlist(**(parts | changes))


@given(st.data())
def test_simulation_equals_plain_evaluation(data):
    netlist = data.draw(netlists())
    operands = data.draw(vectors(netlist))
    simulated = netlist.simulate(**operands)
    assert simulated.keys() == netlist.outputs.keys()
    size = operands["b"].size
    expected = [evaluate(netlist, {name: int(x[k]) for name, x in operands.items()}) for k in range(size)]
    for name, values in simulated.items():
        assert values.dtype == np.int64
        assert values.tolist() == [one[name] for one in expected]


@pytest.mark.parametrize("op", range(16))
def test_every_two_input_function(op):
    gate = Netlist("g", {"a": 1, "b": 1}, {"p": (4,)}, np.array([op]), np.array([(2, 3)]))
    assert gate.exhaustive().ravel().tolist() == [op >> index & 1 for index in range(4)]
    meaning = {
        "const": lambda x, y: 0,
        "not": lambda x, y: 1 - x,
        "buf": lambda x, y: x,
        "and": lambda x, y: x & y,
        "or": lambda x, y: x | y,
        "xor": lambda x, y: x ^ y,
        "nand": lambda x, y: 1 - (x & y),
        "nor": lambda x, y: 1 - (x | y),
        "xnor": lambda x, y: 1 - (x ^ y),
        "andnot": lambda x, y: x & (1 - y),
        "ornot": lambda x, y: x | (1 - y),
    }[GATE_NAMES[op]]
    straight = [meaning(x, y) for x in (0, 1) for y in (0, 1)]
    swapped = [meaning(y, x) for x in (0, 1) for y in (0, 1)]
    inverted = [1 - bit for bit in straight] if GATE_NAMES[op] == "const" else straight
    assert gate.exhaustive().ravel().tolist() in (straight, swapped, inverted)


@pytest.mark.parametrize("size", [1, 63, 64, 65, 65_536, 65_537, 200_001])
def test_any_number_of_vectors(size):
    rng = np.random.default_rng(size)
    a, b = rng.integers(0, 2**12, size), rng.integers(0, 2**9, size)
    assert np.array_equal(exact(12, 9)(a, b), a * b)


def test_products_of_64_bits():
    corners = np.array([0, 1, 2, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1], np.uint64)
    product = exact(32)(corners[:, np.newaxis], corners)
    assert product.dtype == np.uint64
    assert product.tolist() == [[int(a) * int(b) for b in corners] for a in corners]

    signed = np.array([-(2**31), -(2**31) + 1, -1, 0, 1, 2**31 - 1])
    product = baugh_wooley(32)(signed[:, np.newaxis], signed)
    assert product.dtype == np.int64
    assert product.tolist() == [[int(a) * int(b) for b in signed] for a in signed]


def test_buses_of_64_bits_keep_every_bit():
    for signed, values in [
        (False, np.array([0, 1, 2**63, 2**64 - 1], np.uint64)),
        (True, np.array([-(2**63), -1, 0, 2**63 - 1])),
    ]:
        wire = Netlist("wire", {"x": 64}, {"y": tuple(range(2, 66))}, np.array([]), np.array([]), signed)
        assert wire.simulate(x=values)["y"].tolist() == values.tolist()
        assert wire.simulate(x=values)["y"].dtype == values.dtype


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (7, 9),
        (np.uint8(200), np.arange(256, dtype=np.uint8)),
        (np.arange(256)[:, np.newaxis], np.arange(256, dtype=np.uint16)),
        (np.arange(256)[::-3], np.uint64(255)),
        (np.broadcast_to(np.arange(8).reshape(2, 1, 4), (2, 3, 4)), np.arange(3).reshape(3, 1)),
        (np.zeros((0, 5), np.int32), np.ones(5, np.int8)),
    ],
)
def test_operands_of_any_integer_type_are_broadcast(a, b):
    product = exact(8)(a, b)
    expected = np.asarray(a, dtype=np.int64) * np.asarray(b, dtype=np.int64)
    assert product.dtype == np.int64
    assert product.shape == expected.shape
    assert np.array_equal(product, expected)


def test_exhaustive_is_indexed_by_bit_patterns():
    table = array_multiplier(3, 2, cell="ama5").exhaustive()
    assert table.shape == (8, 4)
    assert table[5, 3] == array_multiplier(3, 2, cell="ama5")(5, 3) != table[3, 2]
    signed = baugh_wooley(3, 2).exhaustive()
    assert signed[0b111, 0b10] == -1 * -2
    assert signed[0b100, 0b01] == -4


def test_left_operand_is_the_first_bus_or_the_one_named_a():
    named = half_adder(inputs={"b": 2, "a": 1}, outputs={"p": (4, 2)}, ops=[], sources=[])
    assert (named.operands, named.a_bits, named.b_bits, named.out_bits) == (("a", "b"), 1, 2, 2)
    assert named(1, 2) == named.simulate(a=1, b=2)["p"] == 1
    other = half_adder(inputs={"y": 2, "x": 1}, outputs={"p": (4, 2)}, ops=[], sources=[])
    assert other.operands == ("y", "x")
    assert other(2, 1) == 1


def test_largest_library_circuit():
    netlist = load_library("mul8u_96D")
    assert netlist.n_gates == 836
    assert netlist.exhaustive()[200, 13] == netlist(200, 13)


def test_circuit_without_inputs():
    one = Netlist("one", {}, {"p": (1, 0, 1)}, np.array([]), np.array([]))
    assert one.simulate()["p"] == 5


@pytest.mark.parametrize(
    ("operands", "error", "words"),
    [
        ({"a": 0.5, "b": 1}, TypeError, "operand 'a' must be integers, not float64"),
        ({"a": 1, "b": True}, TypeError, "operand 'b' must be integers, not bool"),
        ({"a": [0, 2], "b": 1}, ValueError, "operand 'a' has values from 0 to 2, .* holds 0 to 1"),
        ({"a": 1, "b": -1}, ValueError, "operand 'b' has values from -1 to -1"),
        ({"a": 1}, TypeError, r"operands \['a'\] given, \['a', 'b'\] expected"),
        ({"a": 1, "b": 1, "c": 1}, TypeError, r"\['a', 'b', 'c'\] given"),
        ({"a": [1, 0], "b": [1, 0, 1]}, ValueError, "broadcast"),
    ],
)
def test_bad_operands(operands, error, words):
    with pytest.raises(error, match=words):
        half_adder().simulate(**operands)


def test_signed_operands_out_of_range():
    with pytest.raises(
        ValueError, match=r"operand 'a' has values from 128 to 128, .* signed bus holds -128 to 127"
    ):
        baugh_wooley(8)(128, 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sources": np.array([(2, 3), (2, 5)])}, r"gate 1, net 5, reads nets \[2, 5\]"),
        ({"sources": np.array([(4, 3), (2, 3)])}, r"gate 0, net 4, reads nets \[4, 3\]"),
        ({"sources": np.array([(2, 3), (2, -1)])}, "sources must be 0 to 6; they are -1 to 3"),
        ({"sources": np.array([(2, 3)])}, r"sources must have shape \(2, 2\), not \(1, 2\)"),
        ({"sources": []}, r"sources must have shape \(2, 2\), not \(0, 2\)"),
        ({"sources": np.array([(2.0, 3.0), (2.0, 3.0)])}, "sources must be integers, not float64"),
        ({"ops": np.array([6, 16])}, "ops must be 0 to 15"),
        ({"ops": np.array([[6, 8]])}, r"ops must have shape \(-1,\)"),
        ({"outputs": {"p": (4, 6)}}, "nets of 'p' must be 0 to 5"),
        ({"outputs": {"p": (-1,)}}, "nets of 'p' must be 0 to 5"),
        ({"outputs": {"p": ()}}, "'p' has 0 bits; expected 1 to 64"),
        ({"outputs": {"p": (4,) * 65}}, "'p' has 65 bits; expected 1 to 64"),
        ({"outputs": {"a": (4,)}}, "bus 'a' is both an input and an output"),
        ({"inputs": {"a": 0, "b": 2}}, "width of 'a' must be 1 to 64"),
        ({"inputs": {"a": 65, "b": 1}}, "width of 'a' must be 1 to 64"),
        ({"inputs": {"a": 1.5, "b": 1}}, "width of 'a' must be integers"),
        ({"inputs": {"a b": 1, "b": 1}}, "'a b' is no name"),
        ({"inputs": {"": 1, "b": 1}}, "'' is no name"),
        ({"name": "half adder"}, "'half adder' is no name"),
    ],
)
def test_malformed_circuits(changes, words):
    with pytest.raises(NetlistError, match=words):
        half_adder(**changes)


def test_two_operand_interface_needs_two_operands_and_one_product():
    three = half_adder(
        inputs={"a": 1, "b": 1, "c": 1}, sources=np.array([(2, 3), (2, 4)]), outputs={"p": (5,)}
    )
    with pytest.raises(NetlistError, match="two input buses are needed"):
        three(1, 1)
    with pytest.raises(NetlistError, match="one output bus is needed"):
        half_adder(outputs={"s": (4,), "c": (5,)})(1, 1)


def test_exhaustive_refuses_what_would_not_fit():
    with pytest.raises(NetlistError, match="all products of 13 by 12 bits are too many"):
        exact(13, 12).exhaustive()


def test_a_netlist_cannot_be_changed():
    ops = np.array([XOR, AND], np.uint8)
    netlist = half_adder(ops=ops)
    ops[0] = AND
    assert netlist(1, 1) == 2
    with pytest.raises(ValueError, match="read-only"):
        netlist.ops[0] = AND
    with pytest.raises(ValueError, match="read-only"):
        netlist.sources[0, 0] = 0
    with pytest.raises(TypeError):
        netlist.inputs["a"] = 2
    with pytest.raises(AttributeError):
        netlist.name = "other"


@given(netlists())
def test_pickling(netlist):
    copy = pickle.loads(pickle.dumps(netlist))
    assert (copy.name, copy.inputs, copy.outputs) == (netlist.name, netlist.inputs, netlist.outputs)
    assert copy.signed == netlist.signed
    assert np.array_equal(copy.ops, netlist.ops)
    assert np.array_equal(copy.sources, netlist.sources)
    assert not copy.ops.flags.writeable


@given(st.data())
def test_prune_removes_exactly_the_dead_gates(data):
    netlist = data.draw(netlists())
    pruned = netlist.prune()
    operands = data.draw(vectors(netlist))
    before, after = netlist.simulate(**operands), pruned.simulate(**operands)
    assert before.keys() == after.keys()
    for name in before:
        assert np.array_equal(before[name], after[name])
    used = {net for nets in pruned.outputs.values() for net in nets} | set(pruned.sources.ravel().tolist())
    assert used >= set(range(pruned.first_gate, pruned.first_gate + pruned.n_gates))
    assert (pruned.n_gates, pruned.depth) == (pruned.prune().n_gates, netlist.depth)


def test_prune_keeps_the_order_of_gates():
    netlist = half_adder(
        ops=np.array([14, XOR, 7, AND]), sources=np.array([(2, 3)] * 4), outputs={"p": (5, 7)}
    )
    pruned = netlist.prune()
    assert pruned.ops.tolist() == [XOR, AND]
    assert pruned.outputs == {"p": (4, 5)}


def test_depth_and_gate_counts():
    assert half_adder().depth == 1
    assert half_adder().gate_counts() == {"and": 1, "xor": 1}
    chain = half_adder(ops=np.full(5, 7), sources=np.array([(2, 3), (4, 4), (2, 5), (6, 3), (3, 3)]))
    assert half_adder(outputs={"p": (0, 2)}).depth == 0
    assert Netlist("c", {"a": 1, "b": 1}, {"p": (8, 7)}, chain.ops, chain.sources).depth == 4
    assert repr(half_adder()) == "<Netlist ha: a[1], b[1] -> p[2], unsigned, 2 gates>"

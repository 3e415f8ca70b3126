"""The builder computes what was asked, with as few gates as it promises."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_netlists import evaluate, netlists, vectors

from axsim.circuits import CELLS, Builder, exact
from axsim.errors import NetlistError


def three_inputs() -> tuple[Builder, list[int]]:
    builder = Builder("b")
    return builder, builder.input("x", 3)


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 30), st.integers(0, 30)), max_size=25))
def test_simplified_gates_compute_what_was_asked(steps):
    builder, inputs = three_inputs()
    nets = [builder.const0, builder.const1, *inputs]
    gates = []
    for op, x, y in steps:
        x, y = x % len(nets), y % len(nets)
        gates.append((op, x, y))
        nets.append(builder.gate(op, nets[x], nets[y]))
    builder.output("p", nets)
    netlist = builder.build()
    for vector in range(8):
        values = [0, 1, vector & 1, vector >> 1 & 1, vector >> 2]
        for op, x, y in gates:
            values.append(op >> (2 * values[x] + values[y]) & 1)
        assert evaluate(netlist, {"x": vector})["p"] == sum(bit << k for k, bit in enumerate(values))
    assert_no_redundant_gate(netlist)


def assert_no_redundant_gate(netlist) -> None:
    """No two gates compute the same function of the same nets, and none has a constant or needless input."""
    signatures = set()
    inverters = set()
    for net, (op, (x, y)) in enumerate(
        zip(netlist.ops.tolist(), netlist.sources.tolist(), strict=True), netlist.first_gate
    ):
        assert (op, x, y) not in signatures
        signatures.add((op, x, y))
        assert x not in inverters
        assert y not in inverters
        if (op, y) == (3, 0):
            inverters.add(net)
            assert x > 1
        else:
            assert 1 < x < y
            assert (15 - op, x, y) not in signatures
            assert op not in (0, 3, 5, 10, 12, 15)


def test_simplifications():
    builder, (x, y, _) = three_inputs()
    zero, one = builder.const0, builder.const1
    assert builder.and_(x, zero) == zero
    assert builder.and_(one, x) == x
    assert builder.or_(x, one) == one
    assert builder.or_(zero, x) == x
    assert builder.xor(x, x) == zero
    assert builder.xnor(x, x) == one
    assert builder.and_(x, x) == x
    assert builder.nand(x, x) == builder.nor(x, x) == builder.xor(x, one) == builder.not_(x)
    assert builder.not_(builder.not_(x)) == x
    assert builder.not_(zero) == one
    assert builder.and_(x, builder.not_(x)) == zero
    assert builder.and_(x, y) == builder.and_(y, x)
    assert builder.nand(x, y) == builder.not_(builder.and_(y, x))
    assert builder.gate(4, x, y) == builder.gate(2, y, x) == builder.and_(x, builder.not_(y))
    assert builder.nor(builder.not_(x), builder.not_(y)) == builder.and_(x, y)


@pytest.mark.parametrize("truth", [f"{value:08b}" for value in range(256)])
def test_every_function_of_three_nets(truth):
    builder, (a, b, c) = three_inputs()
    builder.output("p", [builder.lut3(truth, a, b, c)])
    netlist = builder.build()
    # a is bit 0 of x, the truth table's index has a on top
    outputs = [evaluate(netlist, {"x": a + 2 * b + 4 * c})["p"] for a, b, c in product((0, 1), repeat=3)]
    assert outputs == [int(bit) for bit in truth]
    assert netlist.n_gates <= 4  # no function of three variables needs more
    support = [any(truth[i] != truth[i ^ weight] for i in range(8)) for weight in (4, 2, 1)]
    assert netlist.n_gates >= sum(support) - 1


@given(st.integers(0, 255), st.tuples(*[st.integers(0, 4)] * 3))
def test_lut3_of_constant_or_repeated_nets(value, nets):
    builder, inputs = three_inputs()
    known = [builder.const0, builder.const1, *inputs]
    bits = [value >> index & 1 for index in range(8)]
    builder.output("p", [builder.lut3(bits, *(known[net] for net in nets))])
    netlist = builder.build()
    for vector in range(8):
        values = [0, 1, vector & 1, vector >> 1 & 1, vector >> 2]
        a, b, c = (values[net] for net in nets)
        assert evaluate(netlist, {"x": vector})["p"] == bits[4 * a + 2 * b + c]


def test_trials_of_lut3_leave_nothing_behind():
    builder, (a, b, c) = three_inputs()
    net = builder.lut3("00010111", a, b, c)
    builder.output("p", [net])
    assert net == builder.build().first_gate + builder.build().n_gates - 1
    assert builder.lut3("11101000", a, b, c) == builder.not_(net)
    assert builder.lut3("00010111", a, b, c) == net


@pytest.mark.parametrize(
    ("cell", "gates"),
    [("exact", 5), ("ama1", 4), ("ama2", 5), ("ama3", 3), ("ama4", 2), ("ama5", 0), ("or", 2)],
)
def test_cells_as_gates(cell, gates):
    builder, nets = three_inputs()
    builder.output("p", builder.full_adder(*nets, CELLS[cell]))
    netlist = builder.build()
    for a, b, c in product((0, 1), repeat=3):
        result = evaluate(netlist, {"x": a + 2 * b + 4 * c})["p"]
        index = 4 * a + 2 * b + c
        assert result == int(CELLS[cell].sum[index]) + 2 * int(CELLS[cell].carry[index])
    assert netlist.n_gates == gates


def test_half_adder():
    builder, (a, b, _) = three_inputs()
    builder.output("p", builder.half_adder(a, b))
    assert [evaluate(builder.build(), {"x": x})["p"] for x in range(4)] == [0, 1, 1, 2]


@given(st.lists(st.lists(st.integers(0, 7), max_size=6), min_size=1, max_size=8), st.integers(0, 63))
def test_add_columns(columns, vector):
    builder = Builder("sum")
    nets = [builder.const0, builder.const1, *builder.input("x", 6)]
    values = [0, 1, *(vector >> bit & 1 for bit in range(6))]
    builder.output("p", builder.add_columns([[nets[one] for one in column] for column in columns]))
    total = sum(values[one] << weight for weight, column in enumerate(columns) for one in column)
    assert evaluate(builder.build(), {"x": vector})["p"] == total % 2 ** len(columns)


@given(st.data())
def test_instance_computes_the_same(data):
    netlist = data.draw(netlists())
    builder = Builder("copy", netlist.signed)
    inputs = {name: builder.input(name, width) for name, width in netlist.inputs.items()}
    for name, nets in builder.instance(netlist, inputs).items():
        builder.output(name, nets)
    copy = builder.build()
    operands = data.draw(vectors(netlist))
    for name, values in netlist.simulate(**operands).items():
        assert np.array_equal(copy.simulate(**operands)[name], values)
    assert copy.n_gates <= netlist.prune().n_gates


def test_instance_of_wrong_width():
    builder = Builder("b")
    nets = builder.input("x", 4)
    with pytest.raises(NetlistError, match=r"inputs \{'a': 2, 'b': 1\} given, \{'a': 2, 'b': 2\} expected"):
        builder.instance(exact(2), {"a": nets[:2], "b": nets[2:3]})


def test_misuse():
    builder, (x, y, _) = three_inputs()
    with pytest.raises(NetlistError, match="there is an input 'x' already"):
        builder.input("x", 2)
    with pytest.raises(NetlistError, match="there is no net 17 yet"):
        builder.and_(x, 17)
    with pytest.raises(NetlistError, match="there is no net -1 yet"):
        builder.not_(-1)
    with pytest.raises(ValueError, match="truth must be eight bits"):
        builder.lut3("0110", x, y, 0)
    with pytest.raises(ValueError, match="truth must be eight bits"):
        builder.lut3([0, 1, 2, 0, 0, 0, 0, 0], x, y, 0)
    builder.output("p", [builder.and_(x, y)])
    with pytest.raises(NetlistError, match="there is an output 'p' already"):
        builder.output("p", [x])
    with pytest.raises(NetlistError, match="input 'z' must be declared before the first gate"):
        builder.input("z", 1)

"""Random circuits, and the slow and plain evaluator that the fast one is compared with."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from axsim.circuits import Netlist


def evaluate(netlist: Netlist, operands: dict[str, int]) -> dict[str, int]:
    """Output values for one vector of input values: one gate at a time, one bit at a time."""
    nets = [0, 1]
    for name, width in netlist.inputs.items():
        nets += [operands[name] >> bit & 1 for bit in range(width)]
    for op, (x, y) in zip(netlist.ops.tolist(), netlist.sources.tolist(), strict=True):
        nets.append(op >> (2 * nets[x] + nets[y]) & 1)
    values = {}
    for name, bits in netlist.outputs.items():
        value = sum(nets[net] << weight for weight, net in enumerate(bits))
        negative = netlist.signed and value >> (len(bits) - 1)
        values[name] = value - (1 << len(bits)) if negative else value
    return values


@st.composite
def netlists(draw: st.DrawFn, max_width: int = 11, max_gates: int = 40) -> Netlist:
    """Any valid circuit: gates of all 16 kinds, dead ones, repeated and constant sources, several buses."""
    widths = draw(st.lists(st.integers(1, max_width), min_size=1, max_size=3))
    inputs = dict(zip(("b", "a", "x1"), widths, strict=False))
    first_gate = 2 + sum(widths)
    n_gates = draw(st.integers(0, max_gates))
    ops = draw(st.lists(st.integers(0, 15), min_size=n_gates, max_size=n_gates))
    sources = [
        (draw(st.integers(0, net - 1)), draw(st.integers(0, net - 1)))
        for net in range(first_gate, first_gate + n_gates)
    ]
    any_net = st.integers(0, first_gate + n_gates - 1)
    outputs = {
        name: tuple(draw(st.lists(any_net, min_size=1, max_size=max_width)))
        for name in ("p", "n")[: draw(st.integers(1, 2))]
    }
    return Netlist("random", inputs, outputs, np.array(ops), np.array(sources), draw(st.booleans()))


@st.composite
def vectors(draw: st.DrawFn, netlist: Netlist, max_size: int = 150) -> dict[str, np.ndarray]:
    """Random values for every input bus of a circuit: arrays of one length, not only multiples of 64."""
    size = draw(st.integers(0, max_size))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    operands = {}
    for name, width in netlist.inputs.items():
        low = -(1 << (width - 1)) if netlist.signed else 0
        operands[name] = rng.integers(low, low + (1 << width), size)
    return operands

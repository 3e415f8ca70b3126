"""Covers of BLIF to gates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from axsim.circuits.builder import Builder
from axsim.circuits.formats.blif.parse import truth_of
from axsim.circuits.netlist import CONST0, CONST1

_MAX_TABLE_INPUTS = 3


@dataclass(slots=True)
class Function:
    """A cover: a truth table for up to three inputs, its patterns for more."""

    n_inputs: int
    truth: int
    patterns: list[str]
    value: str

    @property
    def size(self) -> int:
        """Literals of the cover, at least one."""
        return 1 + self.n_inputs * len(self.patterns)

    def place(self, builder: Builder, inputs: list[int]) -> int:
        """Add the cover's gates and return the output's net; two inputs are one gate, exactly as written."""
        if self.n_inputs == 2:
            return builder.raw_gate(self.truth, inputs[0], inputs[1])
        if self.n_inputs == 1:
            return builder.gate(self.truth, CONST0, inputs[0])
        if self.n_inputs == 0:
            return CONST1 if self.truth else CONST0
        if self.n_inputs == 3:
            a, b, c = inputs
            return builder.lut3([self.truth >> index & 1 for index in range(8)], a, b, c)
        products = [
            _tree(
                builder.and_,
                CONST1,
                [
                    net if bit == "1" else builder.not_(net)
                    for net, bit in zip(inputs, row, strict=True)
                    if bit != "-"
                ],
            )
            for row in self.patterns
        ]
        result = _tree(builder.or_, CONST0, products)
        return result if self.value == "1" else builder.not_(result)


def function_of(rows: list[str], n_inputs: int) -> Function:
    """Return the function of a cover; ValueError as :func:`truth_of` for a malformed row.

    >>> bin(function_of(["01 1", "10 1"], 2).truth)
    '0b110'
    """
    patterns, value = truth_of(rows, n_inputs)
    if n_inputs > _MAX_TABLE_INPUTS:
        return Function(n_inputs, 0, patterns, value)
    matched = {
        index
        for index in range(1 << n_inputs)
        for row in patterns
        if all(want == "-" or int(want) == index >> (n_inputs - 1 - bit) & 1 for bit, want in enumerate(row))
    }
    listed = sum(1 << index for index in matched)
    truth = listed if value == "1" else ((1 << (1 << n_inputs)) - 1) ^ listed
    return Function(n_inputs, truth, patterns, value)


def _tree(combine: Callable[[int, int], int], neutral: int, nets: list[int]) -> int:
    """Combine nets pairwise, then the results pairwise, and so on: as shallow as possible."""
    while len(nets) > 1:
        odd = nets[len(nets) & ~1 :]
        nets = [combine(x, y) for x, y in zip(nets[::2], nets[1::2], strict=False)] + odd
    return nets[0] if nets else neutral

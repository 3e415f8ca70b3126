"""Families of multipliers whose names carry their parameters: ``trunc8_3``, ``exact8x4``, ``drum8_4``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from axsim import circuits
from axsim.circuits import Netlist
from axsim.errors import UnknownMultiplierError
from axsim.multipliers.integer import Multiplier
from axsim.tables.product import MAX_INPUT_BITS, ProductTable


@dataclass(frozen=True)
class Family:
    """One family: how its names are spelled, which parameters they may carry, what makes a member.

    Attributes:
        template: a name with its parameters in braces; ``{n}`` is the width (of the left operand alone where
            there is an ``{m}``).
        make: the function of ``axsim.circuits`` that takes the parameters in the template's order.
        ranges: for each parameter the values that go with a width n.
        examples: parameters of the members that are listed and built into table files.
        citation: the paper that the family comes from.
        block: for parameters, those of the member that this one is tiled from, or None.
        gates: whether ``make`` returns a netlist; else it returns a function of two operand arrays.
        signed: whether operands are two's complement.
    """

    template: str
    make: Callable[..., Any]
    ranges: Mapping[str, Callable[[int], range]]
    examples: Sequence[tuple[int, ...]]
    citation: str
    gates: bool = True
    signed: bool = False
    block: Callable[[int], int | None] = lambda n: None

    def parameters(self, name: str) -> dict[str, int] | None:
        """The parameters in a lower-case name, in or out of range; None for another family's name."""
        pattern = re.sub(r"{(\w)}", r"(?P<\1>0|[1-9][0-9]*)", self.template)
        found = re.fullmatch(pattern, name, re.ASCII)
        return {key: int(digits) for key, digits in found.groupdict().items()} if found else None

    def example_members(self) -> list[Multiplier]:
        """The members that are listed."""
        named = [dict(zip(self.ranges, values, strict=True)) for values in self.examples]
        return [self.member(self.template.format(**parameters), parameters) for parameters in named]

    def member(self, name: str, parameters: Mapping[str, int]) -> Multiplier:
        """The member called ``name``; UnknownMultiplierError, saying the range, for a bad parameter."""
        for key, value in parameters.items():
            allowed = self.ranges[key](parameters["n"])
            if value not in allowed:
                raise UnknownMultiplierError(f"{name}: {key} is {value}, expected {_spelled(allowed)}")
        a_bits, values = parameters["n"], tuple(parameters.values())
        b_bits = parameters.get("m", a_bits)
        return Multiplier(
            name=name,
            a_bits=a_bits,
            b_bits=b_bits,
            signed=self.signed,
            simulate=partial(_simulate, self.make, values, a_bits, b_bits),
            make_netlist=partial(self.make, *values) if self.gates else None,
            source=f"axsim.circuits.{self.make.__name__}({', '.join(map(str, values))})",
            citation=self.citation,
            block=self._block(parameters["n"]),
        )

    def _block(self, n: int) -> Multiplier | None:
        width = self.block(n)
        return None if width is None else self.member(self.template.format(n=width), {"n": width})


def resolve(name: str) -> Multiplier | None:
    """The family member of a lower-case name; None if no family spells its names so.

    Raises:
        UnknownMultiplierError: a family does, but a parameter is out of its range.

    >>> resolve("trunc8_3").source
    'axsim.circuits.truncated(8, 3)'
    """
    for family in FAMILIES:
        if (parameters := family.parameters(name)) is not None:
            return family.member(name, parameters)
    return None


def _simulate(
    make: Callable[..., Any], parameters: tuple[int, ...], a_bits: int, b_bits: int
) -> ProductTable:
    circuit = make(*parameters)
    if isinstance(circuit, Netlist):
        return ProductTable.from_netlist(circuit)
    return ProductTable.from_function(circuit, a_bits, b_bits)


def _spelled(allowed: range) -> str:
    if allowed.step == 1:
        return f"{allowed[0]} to {allowed[-1]}"
    return ", ".join(map(str, allowed))


MAX_BITS = 16
"""Widest operands of members made of gates; those of functions are as wide as a table can be."""


def _any_width(n: int) -> range:
    return range(1, MAX_BITS + 1)


def _narrow(n: int) -> range:
    return range(1, MAX_INPUT_BITS // 2 + 1)


def _tile(n: int) -> int | None:
    """The widest even part of n bits that a table can be made of, if n is wider than that."""
    return None if n <= 8 else max(part for part in range(2, 9, 2) if n % part == 0)


def _any_weight(n: int) -> range:
    return range(2 * n)


FAMILIES: tuple[Family, ...] = (
    Family(
        template="exact{n}",
        make=circuits.exact,
        ranges={"n": _any_width},
        examples=[(8,)],
        citation="the array multiplier of full adders",
    ),
    Family(
        template="exact{n}x{m}",
        make=circuits.exact,
        ranges={"n": _any_width, "m": _any_width},
        examples=[],
        citation="the array multiplier of full adders",
    ),
    Family(
        template="exact{n}s",
        make=circuits.baugh_wooley,
        ranges={"n": _any_width},
        examples=[(8,)],
        citation='C. R. Baugh, B. A. Wooley, "A two\'s complement parallel array multiplication algorithm", '
        "IEEE Trans. Computers C-22(12), 1973, doi 10.1109/T-C.1973.223648",
        signed=True,
    ),
    Family(
        template="trunc{n}_{k}",
        make=circuits.truncated,
        ranges={"n": _any_width, "k": _any_weight},
        examples=[(8, k) for k in range(1, 8)],
        citation='M. J. Schulte, E. E. Swartzlander, "Truncated multiplication with correction constant", '
        "VLSI Signal Processing VI, 1993, doi 10.1109/VLSISP.1993.404467 (here without the correction)",
    ),
    Family(
        template="bam{n}_h{h}_v{v}",
        make=circuits.broken_array,
        ranges={"n": _any_width, "h": lambda n: range(n + 1), "v": _any_weight},
        examples=[(8, 1, 3), (8, 1, 5), (8, 2, 4), (8, 2, 6), (8, 3, 7)],
        citation='H. R. Mahdiani, A. Ahmadi, S. M. Fakhraie, C. Lucas, "Bio-inspired imprecise computational '
        'blocks for efficient VLSI implementation of soft-computing applications", IEEE TCAS-I 57(4), 2010, '
        "doi 10.1109/TCSI.2009.2027626",
    ),
    Family(
        template="drum{n}_{k}",
        make=circuits.drum,
        ranges={"n": _narrow, "k": lambda n: range(min(2, n), n + 1)},
        examples=[(8, k) for k in range(3, 8)],
        citation='S. Hashemi, R. I. Bahar, S. Reda, "DRUM: A dynamic range unbiased multiplier for '
        'approximate applications", ICCAD 2015, doi 10.1109/ICCAD.2015.7372600',
        gates=False,
    ),
    Family(
        template="mitchell{n}",
        make=circuits.mitchell,
        ranges={"n": _narrow},
        examples=[(8,)],
        citation='J. N. Mitchell, "Computer multiplication and division using binary logarithms", IRE Trans. '
        "Electronic Computers EC-11(4), 1962, doi 10.1109/TEC.1962.5219391",
        gates=False,
    ),
    Family(
        template="kulkarni{n}",
        make=circuits.kulkarni,
        ranges={"n": lambda n: range(2, MAX_BITS + 1, 2)},
        block=_tile,
        examples=[(8,)],
        citation='P. Kulkarni, P. Gupta, M. Ercegovac, "Trading accuracy for power with an underdesigned '
        'multiplier architecture", VLSI Design 2011, doi 10.1109/VLSID.2011.51',
    ),
)

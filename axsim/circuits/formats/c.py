"""Circuits as C functions: ``uint64_t mul8u(uint64_t A, uint64_t B)``.

Read is C of integers: expressions, arrays, ``if``, loops, functions of integers. The function is run on nets
(``c_elaborate``), so that a netlist comes out of single-bit expressions and of word arithmetic alike; no
compiler is run. The first parameter is the left operand, whatever it is called.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from axsim.circuits.builder import Builder
from axsim.circuits.formats.buses import with_operands
from axsim.circuits.formats.c_elaborate import Elaborator
from axsim.circuits.formats.c_expressions import Undefined
from axsim.circuits.formats.c_syntax import Parser
from axsim.circuits.formats.c_tokens import Source, tokenize
from axsim.circuits.formats.c_tree import CType, Function, Parameter, Unit
from axsim.circuits.formats.c_words import Word, word
from axsim.circuits.formats.c_write import write
from axsim.circuits.formats.names import Named, named
from axsim.circuits.formats.options import DEFAULTS, ReadOptions
from axsim.circuits.formats.text import decode
from axsim.circuits.netlist import CONST0, CONST1, Netlist
from axsim.circuits.operands import MAX_WIDTH, operand_range
from axsim.errors import NetlistError, NetlistFileError

__all__ = ["Notes", "read", "read_noted", "write"]

_PROBED_WIDTH = 64
_WIDEST_GUESS = 16
_CHECKED_BITS = 20
_SAMPLES = 1 << 18
_HEADER = re.compile(r"^// axsim: (\d+) x (\d+) -> (\d+) bits, (signed|unsigned)\s*$", re.MULTILINE)


class Notes(NamedTuple):
    """What reading a C text concluded, beside the circuit."""

    function: str
    parameters: tuple[str, str]  # in the order of the text
    sentences: tuple[str, ...]


def read(text: str | bytes, options: ReadOptions = DEFAULTS) -> Netlist:
    """The circuit that a C function of two integers describes.

    Args:
        text: C: functions of integers, ``if``, loops, arrays; no pointers, floats or structures.
        options: ``top`` names the function (default: the one of two parameters that no other calls);
            ``operands`` names the parameters that are left and right (default: first and second); ``signed``
            and ``widths`` say what neither a name such as ``mul8s_1KV8`` nor the types tell.

    Returns:
        Input buses are the parameters. The product has as many bits as both operands together, or one more
        than the wider for an adder (``add8u``), or more where the function returns more.

    Raises:
        NetlistFileError: for what is not such C, or what C leaves undefined for some operands. Signed sums
            and products that overflow are not refused: they wrap around, as with ``gcc -fwrapv``.

    >>> netlist = read("unsigned short mul8u_x(unsigned char B, unsigned char A) { return (B & ~1) * A; }")
    >>> netlist, int(netlist(3, 100))
    (<Netlist mul8u_x: B[8], A[8] -> p[16], unsigned, 277 gates>, 200)
    """
    return read_noted(text, options)[0]


def read_noted(text: str | bytes, options: ReadOptions = DEFAULTS) -> tuple[Netlist, Notes]:
    """As :func:`read`, with what was concluded on the way."""
    source = Source(decode(text) if isinstance(text, bytes) else text, options, "C text")
    try:
        parser = Parser(source, tokenize(source))
        reader = _Reader(source, parser, parser.unit(), options)
        return reader.netlist()
    except RecursionError as error:
        raise NetlistFileError("functions and brackets nest too deeply", path=source.path) from error
    except NetlistFileError:
        raise
    except NetlistError as error:
        raise NetlistFileError(str(error), path=source.path) from error


class _Reader:
    """Chooses function, widths and sign, and makes the netlist."""

    def __init__(self, source: Source, parser: Parser, unit: Unit, options: ReadOptions) -> None:
        self._source, self._parser, self._unit, self._options = source, parser, unit, options
        self._sentences: list[str] = []
        self._function = self._top()
        if any(parameter.is_array for parameter in self._function.parameters):
            self._fail("has an array as a parameter, expected two integers")
        first, second = self._function.parameters
        self._parameters = (first, second)
        header = _HEADER.search(source.text)
        self._header = tuple(map(int, header.group(1, 2, 3))) if header else None
        stem = options.path.name if options.path else ""
        self._named = named(self._function.name) or named(stem) or Named()
        if header:
            self._named = replace(self._named, signed=header[4] == "signed")
        self._signed = self._sign()

    def netlist(self) -> tuple[Netlist, Notes]:
        """The circuit, and what was concluded."""
        widths = self._widths()
        if not all(1 <= width <= MAX_WIDTH for width in widths):
            self._fail(f"has operands of {widths[0]} and {widths[1]} bits, expected 1 to {MAX_WIDTH}")
        names = self._bus_names()
        builder, result, undefined = self._elaborated(widths, names)
        product = "p" if "p" not in names else "product"
        builder.output(product, self._product(result, widths))
        netlist = _without_inverters(builder.build())
        # The first parameter is left, even if they are called b and a, where a netlist takes a for it.
        operands = self._options.operands or names
        if sorted(operands) != sorted(names):
            self._fail(f"has the parameters {_listed(names)}, and operands={operands} names others")
        if undefined:
            self._check(builder, undefined, netlist)
        notes = Notes(
            self._function.name, (self._parameters[0].name, self._parameters[1].name), tuple(self._sentences)
        )
        return with_operands(netlist, operands), notes

    def _top(self) -> Function:
        functions = self._unit.functions
        wanted = self._options.top
        if wanted is not None:
            if wanted not in functions:
                self._source.fail(0, f"there is no function {wanted!r}; there are {_listed(functions)}")
            top = functions[wanted]
            if len(top.parameters) != 2:
                self._source.fail(top.at, f"function {wanted!r} has {len(top.parameters)} parameters, not 2")
            return top
        called = self._parser.called(functions.values())
        found = [
            f for f in functions.values() if len(f.parameters) == 2 and f.name not in called and f.type.bits
        ]
        stem = self._options.path.stem if self._options.path else ""
        for choose in (
            lambda f: f.name == stem,
            lambda f: named(f.name) is not None,
            lambda f: bool(self._parser.called([f]) & functions.keys()),  # others are helpers left over
        ):
            if len(found) > 1 and any(map(choose, found)):
                found = [f for f in found if choose(f)]
        if not found:
            self._source.fail(0, "there is no function of two integers that no other calls: name it by top=")
        if len(found) > 1:
            names = _listed(f.name for f in found)
            self._source.fail(found[1].at, f"{names} may be the circuit: say which by top=")
        return found[0]

    def _sign(self) -> bool:
        if self._options.signed is not None:
            return self._options.signed
        if self._named.signed is not None:
            return self._named.signed
        # A plain int is what people write for any number; int8_t is meant.
        return all(p.type.signed and p.declared.split()[-1].endswith("_t") for p in self._parameters)

    def _bus_names(self) -> tuple[str, str]:
        first, second = (p.name or f"operand{i}" for i, p in enumerate(self._parameters, 1))
        if first == second:
            self._fail("has two parameters of one name")
        return first, second

    def _widths(self) -> tuple[int, int]:
        if self._options.widths is not None:
            return self._options.widths
        if self._header is not None:
            return self._header[0], self._header[1]
        if self._named.widths is not None:
            return self._named_widths(*self._named.widths)
        if all(p.type.bits <= 8 for p in self._parameters):
            return self._parameters[0].type.bits, self._parameters[1].type.bits
        used = self._used(_PROBED_WIDTH)
        first, second = (
            p.type.bits if p.type.bits <= 8 else bits for p, bits in zip(self._parameters, used, strict=True)
        )
        if max(first, second) > _WIDEST_GUESS or min(first, second) < 1:
            self._fail(
                "does not say how wide its operands are (of their types' bits it uses "
                f"{used[0]} and {used[1]}): give widths=(8, 8), or call it mul8u_name, or take uint8_t"
            )
        self._sentences.append(
            f"The operands have {first} and {second} bits: no higher ones are used by the function."
        )
        return first, second

    def _named_widths(self, first: int, second: int) -> tuple[int, int]:
        """Widths from a name such as mul8x4u, which does not say in which order A and B are parameters."""
        if first == second:
            return first, second
        used = self._used(max(first, second))
        straight = used[0] <= first and used[1] <= second
        crossed = used[0] <= second and used[1] <= first
        return (second, first) if crossed and not straight else (first, second)

    def _used(self, width: int) -> tuple[int, int]:
        """How many of the lowest bits of each parameter the function uses."""
        first, second = (min(p.type.bits, width) for p in self._parameters)
        builder, result, _ = self._elaborated((first, second), ("x", "y"))
        bits = (*result.bits, result.fill)[: min(64, len(result.bits) + 1)]
        builder.output("p", bits)
        netlist = builder.build()
        nets = {*netlist.sources.reshape(-1).tolist(), *netlist.outputs["p"]}
        used = []
        for start, count in ((2, first), (2 + first, second)):
            used.append(max((net - start + 1 for net in nets if start <= net < start + count), default=0))
        return used[0], used[1]

    def _elaborated(
        self, widths: tuple[int, int], names: tuple[str, str]
    ) -> tuple[Builder, Word, list[Undefined]]:
        builder = Builder(self._function.name, self._signed)
        nets = [builder.input(name, width) for name, width in zip(names, widths, strict=True)]
        arguments = [
            self._argument(bits, parameter) for bits, parameter in zip(nets, self._parameters, strict=True)
        ]
        elaborator = Elaborator(self._source, self._parser, self._unit, builder)
        result = elaborator.call(self._function, arguments, self._function.at)
        return builder, result, elaborator.undefined

    def _argument(self, nets: list[int], parameter: Parameter) -> Word:
        """The operand as a value: by its sign in a signed type, by its bit pattern in an unsigned one."""
        bits = parameter.type.bits
        if len(nets) > bits:
            self._fail(f"has a parameter {parameter.name!r} of {bits} bits for an operand of {len(nets)}")
        fill = nets[-1] if self._signed and parameter.type.signed else CONST0
        return word(nets, fill, CType(bits, parameter.type.signed))

    def _product(self, result: Word, widths: tuple[int, int]) -> list[int]:
        """The nets of the output bus: as wide as is usual, or wider where the function returns more."""
        usual = min(self._named.out_bits(widths) if self._header is None else self._header[2], 64)
        has_sign = self._signed and result.type.signed
        bits, fill = result.bits, result.fill
        if not self._signed and fill > CONST1:  # a negative number that was made unsigned
            bits, fill = (*bits, *[fill] * (result.type.bits - len(bits))), CONST0
        needed = len(bits) + has_sign
        if needed > usual or (not self._signed and fill != CONST0):
            high = bits[usual - has_sign :]
            if self._signed and not has_sign:  # a bit pattern, perhaps with copies of its sign above it
                is_sound = all(bit == bits[usual - 1] for bit in high)
                needed = usual
            else:
                # Where ~ is not masked, constants remain; and a name such as mul8u says the result's width.
                is_sound = has_sign or (fill == CONST0 and any(bit > CONST1 for bit in high))
                is_sound &= self._header is None and (self._named.widths is None or needed == usual + 1)
            if not is_sound:
                self._sentences.append(
                    f"The bits that the function returns above bit {usual - 1} are cut off."
                )
                needed = usual
        places = max(usual, needed)
        return [*bits[:places], *[fill] * (places - len(bits))]

    def _check(self, builder: Builder, undefined: list[Undefined], netlist: Netlist) -> None:
        """Raise NetlistFileError if something that C does not define happens for some operands."""
        kept = undefined[:64]
        if len(undefined) > 64:
            nets = CONST0
            for one in undefined[63:]:
                nets = builder.or_(nets, one.net)
            kept = [*undefined[:63], replace(undefined[63], net=nets)]
        builder.output("undefined", [one.net for one in kept])
        check = builder.build()
        for operands in _operands(netlist):
            found = check.simulate(**operands)["undefined"].reshape(-1)
            if found.any():
                where = int(np.flatnonzero(found)[0])
                bit = int(found[where]) & -int(found[where])
                one = kept[bit.bit_length() - 1]
                values = ", ".join(f"{name}={values.reshape(-1)[where]}" for name, values in operands.items())
                self._source.fail(one.at, f"{one.what} happens for {values}; C does not define it")
        if sum(netlist.inputs.values()) > _CHECKED_BITS:
            self._sentences.append(
                f"What C leaves undefined did not happen for {_SAMPLES} operand pairs; the rest is unchecked."
            )

    def _fail(self, what: str) -> tuple[int, int]:
        return self._source.fail(self._function.at, f"function {self._function.name!r} {what}")


def _without_inverters(netlist: Netlist) -> Netlist:
    """The circuit with each gate that only an inverter reads made its own complement: a NAND is one gate."""
    first = netlist.first_gate
    ops, sources = netlist.ops.copy(), netlist.sources.copy()
    read = np.bincount(sources.reshape(-1), minlength=first + len(ops))
    for nets in netlist.outputs.values():
        np.add.at(read, list(nets), 1)
    for gate in np.flatnonzero((ops == 3) & (sources[:, 1] == CONST0)):
        inner = sources[gate, 0] - first
        if inner >= 0 and read[sources[gate, 0]] == 1:
            ops[gate], sources[gate] = 15 - ops[inner], sources[inner]
    return Netlist(netlist.name, netlist.inputs, netlist.outputs, ops, sources, netlist.signed).prune()


def _operands(netlist: Netlist) -> Iterator[dict[str, np.ndarray]]:
    """All operands of a small circuit, or many of a large one."""
    ranges = {name: operand_range(width, netlist.signed) for name, width in netlist.inputs.items()}
    names = list(ranges)
    if sum(netlist.inputs.values()) <= _CHECKED_BITS:
        x, y = (np.arange(low, high + 1) for low, high in ranges.values())
        grid = np.meshgrid(x, y, indexing="ij")
        yield {name: values.reshape(-1) for name, values in zip(names, grid, strict=True)}
        return
    rng = np.random.default_rng(0)
    yield {name: rng.integers(low, high, _SAMPLES, endpoint=True) for name, (low, high) in ranges.items()}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"

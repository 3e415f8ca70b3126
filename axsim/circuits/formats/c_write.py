"""Writing circuits as C functions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from axsim.circuits.netlist import Netlist

_GATES = (
    *("0", "~({x} | {y}) & 1", "~{x} & {y}", "~{x} & 1", "{x} & ~{y}", "~{y} & 1", "{x} ^ {y}"),
    *("~({x} & {y}) & 1", "{x} & {y}", "~({x} ^ {y}) & 1", "{y}", "(~{x} | {y}) & 1", "{x}"),
    *("({x} | ~{y}) & 1", "{x} | {y}", "1"),
)  # of bits, by op of a netlist


_RESERVED = re.compile(
    r"[nxy]\d+|auto|break|case|char|const|continue|default|do|double|else|enum|extern|float|for|"
    r"goto|if|inline|int|long|main|register|restrict|return|short|signed|sizeof|static|struct|"
    r"switch|typedef|union|unsigned|void|volatile|while|asm|bool|true|false"
)


def write(netlist: Netlist) -> str:
    """A circuit of two operands as a C function of single bits; its first parameter is the left operand.

    Parameters and result are of the smallest types that hold them. A signed circuit takes and returns signed
    types; all higher bits of its operands are ignored. A comment says widths and sign, and reading heeds it.

    Raises:
        NetlistError: the circuit has not two input buses and one output bus.

    >>> from axsim.circuits import exact
    >>> print(write(exact(1)), end="")
    #include <stdint.h>
    // axsim: 1 x 1 -> 2 bits, unsigned
    <BLANKLINE>
    uint8_t exact1(uint8_t a, uint8_t b)
    {
        const uint8_t x0 = a >> 0 & 1;
        const uint8_t y0 = b >> 0 & 1;
        const uint8_t n0 = x0 & y0;
        uint64_t p = 0;
        p |= (uint64_t)n0 << 0;
        p |= (uint64_t)0 << 1;
        return (uint8_t)p;
    }
    """
    return "".join(f"{line}\n" for line in _lines(netlist))


def _lines(netlist: Netlist) -> Iterator[str]:
    buses, product = netlist.operands, netlist.outputs[netlist.product]
    function, left, right, result = _identifiers([netlist.name, *buses, netlist.product])
    sign = "signed" if netlist.signed else "unsigned"
    yield "#include <stdint.h>"
    yield f"// axsim: {netlist.a_bits} x {netlist.b_bits} -> {len(product)} bits, {sign}"
    yield ""
    types = [_type(bits, netlist.signed) for bits in (netlist.a_bits, netlist.b_bits, len(product))]
    yield f"{types[2]} {function}({types[0]} {left}, {types[1]} {right})"
    yield "{"
    parameters = dict(zip(buses, (left, right), strict=True))
    letters = dict(zip(buses, "xy", strict=True))
    nets = ["0", "1"]
    for bus, width in netlist.inputs.items():
        for bit in range(width):
            nets.append(f"{letters[bus]}{bit}")
            yield f"    const uint8_t {nets[-1]} = {parameters[bus]} >> {bit} & 1;"
    for gate, (op, (x, y)) in enumerate(zip(netlist.ops.tolist(), netlist.sources.tolist(), strict=True)):
        yield f"    const uint8_t n{gate} = {_GATES[op].format(x=nets[x], y=nets[y])};"
        nets.append(f"n{gate}")
    yield f"    uint64_t {result} = 0;"
    for bit, net in enumerate(product):
        yield f"    {result} |= (uint64_t){nets[net]} << {bit};"
    if netlist.signed and len(product) < 64:
        spare = 64 - len(product)
        yield f"    return ({types[2]})((int64_t)({result} << {spare}) >> {spare});"
    else:
        yield f"    return ({types[2]}){result};"
    yield "}"


def _type(bits: int, signed: bool) -> str:
    return f"{'' if signed else 'u'}int{next(n for n in (8, 16, 32, 64) if bits <= n)}_t"


def _identifiers(names: list[str]) -> list[str]:
    """The names as C can spell them, all different, and different from those of bits and gates."""
    found: list[str] = []
    for name in names:
        spelled = re.sub(r"\W", "_", name, flags=re.ASCII)
        if not re.match("[A-Za-z_]", spelled):
            spelled = f"c_{spelled}"
        while spelled in found or _RESERVED.fullmatch(spelled):
            spelled += "_"
        found.append(spelled)
    return found

"""Prints circuits as C in the styles that libraries of circuits are published in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from axsim.circuits import Netlist

# By op of a netlist: gates of words whose bit 0 counts.
_WORDS = (
    *("0", "~({x} | {y})", "(~{x}) & {y}", "~{x}", "{x} & (~{y})", "~{y}", "{x} ^ {y}", "~({x} & {y})"),
    *("{x} & {y}", "~({x} ^ {y})", "{y}", "(~{x}) | {y}", "{x}", "{x} | (~{y})", "{x} | {y}", "1"),
)
_HELPERS = {"and": 8, "or": 14, "xor": 6, "nand": 7, "nor": 1, "xnor": 9}


def masked_bits(netlist: Netlist) -> str:
    """Single bits: ``sig_20 = ((A >> 0) & 1) & ((B >> 1) & 1);`` with every inverter masked."""

    def bit(parameter: str, k: int) -> str:
        return f"(({parameter} >> {k}) & 1)"

    def gate(op: int, x: str, y: str) -> str:
        return f"({_WORDS[op].format(x=x, y=y)}) & 1"

    return _function(netlist, "uint64_t", "uint64_t", bit, gate, "int", "O |= (uint64_t)({net}&1) << {k};")


def dirty_words(netlist: Netlist) -> str:
    """Words of which bit 0 counts: ``~`` leaves dirt above it, and the last bit is not masked."""

    def bit(parameter: str, k: int) -> str:
        return f"({parameter} >> {k})"

    def gate(op: int, x: str, y: str) -> str:
        return _WORDS[op].format(x=x, y=y)

    last = len(netlist.outputs[netlist.product]) - 1
    text = _function(netlist, "uint8_t", "uint64_t", bit, gate, "uint64_t", "O |= ({net} & 0x1) << {k};")
    return text.replace(f" & 0x1) << {last};", f") << {last};")


def arrays(netlist: Netlist) -> str:
    """Operands as arrays of bits, nets as elements of one array, a sum of shifted bits at the end."""
    left, right = netlist.operands
    widths = netlist.inputs
    lines = [f"unsigned int {netlist.name}(unsigned int A, unsigned int B)", "{"]
    lines += [
        f"  int wa[{widths[left]}], wb[{widths[right]}], n[{netlist.n_gates or 1}];",
        "  unsigned int y = 0;",
    ]
    names = {left: ("A", "wa"), right: ("B", "wb")}
    nets = ["0", "1"]
    for bus, width in widths.items():
        for k in range(width):
            nets.append(f"{names[bus][1]}[{k}]")
            lines.append(f"  {nets[-1]} = ({names[bus][0]} >> {k}) & 0x01;")
    for g, (op, (x, y)) in enumerate(zip(netlist.ops.tolist(), netlist.sources.tolist(), strict=True)):
        lines.append(f"  n[{g}] = ({_WORDS[op].format(x=nets[x], y=nets[y])}) & 1;")
        nets.append(f"n[{g}]")
    product = netlist.outputs[netlist.product]
    lines.append(
        "  y = " + " + ".join(f"((unsigned){nets[net]} << {k})" for k, net in enumerate(product)) + ";"
    )
    return "\n".join([*lines, "  return y;", "}", ""])


def helpers(netlist: Netlist) -> str:
    """A function for each kind of gate, called for each gate; the circuit comes first of all."""

    def bit(parameter: str, k: int) -> str:
        return f"(({parameter} >> {k}) & 0x01)"

    def gate(op: int, x: str, y: str) -> str:
        for name, value in _HELPERS.items():
            if op == value:
                return f"{name}_gate({x}, {y})"
        return f"({_WORDS[op].format(x=x, y=y)}) & 0x01"

    prototypes = "".join(f"uint8_t {name}_gate(uint8_t a, uint8_t b);\n" for name in _HELPERS)
    functions = "".join(
        f"uint8_t {name}_gate(uint8_t a, uint8_t b) {{ return ({_WORDS[op].format(x='a', y='b')}) & 1; }}\n"
        for name, op in _HELPERS.items()
    )
    text = _function(netlist, "uint64_t", "uint64_t", bit, gate, "uint8_t", "O |= ({net} & 0x01ull) << {k};")
    return text.replace("#include <stdint.h>\n", "#include <stdint.h>\n" + prototypes) + functions


STYLES: dict[str, Callable[[Netlist], str]] = {
    "masked_bits": masked_bits,
    "dirty_words": dirty_words,
    "arrays": arrays,
    "helpers": helpers,
}


def _function(
    netlist: Netlist,
    operand: str,
    result: str,
    bit: Callable[[str, int], str],
    gate: Callable[[int, str, str], str],
    net_type: str,
    last: str,
) -> str:
    return "\n".join(_lines(netlist, operand, result, bit, gate, net_type, last)) + "\n"


def _lines(
    netlist: Netlist,
    operand: str,
    result: str,
    bit: Callable[[str, int], str],
    gate: Callable[[int, str, str], str],
    net_type: str,
    last: str,
) -> Iterator[str]:
    """The left operand is the first parameter and is called B, as in the published files."""
    left, right = netlist.operands
    yield "// A circuit in the public domain: 1 > 0\n#include <stdint.h>\n#include <stdlib.h>"
    yield f"{result} {netlist.name}(const {operand} B,const {operand} A)\n{{"
    names = {left: "B", right: "A"}
    nets = ["0", "1"]
    nets += [bit(names[bus], k) for bus, width in netlist.inputs.items() for k in range(width)]
    if netlist.n_gates:
        yield f"  {net_type} " + ", ".join(f"sig_{g}" for g in range(netlist.n_gates)) + ";"
    yield f"  {result} O = 0;"
    for g, (op, (x, y)) in enumerate(zip(netlist.ops.tolist(), netlist.sources.tolist(), strict=True)):
        yield f"  sig_{g} = {gate(op, nets[x], nets[y])};"
        nets.append(f"sig_{g}")
    for k, net in enumerate(netlist.outputs[netlist.product]):
        yield "  " + last.format(net=nets[net], k=k)
    yield "  return O;\n}"

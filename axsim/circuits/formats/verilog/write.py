"""Netlists to Verilog text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from axsim.circuits.formats.verilog.tokens import REFUSED, TYPES
from axsim.circuits.netlist import CONST0, CONST1, Netlist

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*", re.ASCII)
_WORDS = frozenset(
    [
        "module",
        "macromodule",
        "endmodule",
        "assign",
        "always",
        "always_comb",
        "function",
        "endfunction",
        "generate",
        "endgenerate",
        "for",
        "if",
        "else",
        "case",
        "endcase",
        "default",
        "begin",
        "end",
        "while",
        "repeat",
        "automatic",
        "specify",
        "endspecify",
        "specparam",
        "endtask",
        "endprimitive",
        "config",
        "endconfig",
        "design",
        "instance",
        "liblist",
        "library",
        "use",
        "cell",
        "incdir",
        "include",
        "ifnone",
        "noshowcancelled",
        "pulsestyle_onevent",
        "pulsestyle_ondetect",
        "showcancelled",
        "endtable",
    ]
)
_FORMS = (
    *("1'b0", "~({x} | {y})", "~{x} & {y}", "~{x}", "{x} & ~{y}", "~{y}", "{x} ^ {y}", "~({x} & {y})"),
    *("{x} & {y}", "~({x} ^ {y})", "{y}", "~{x} | {y}", "{x}", "{x} | ~{y}", "{x} | {y}", "1'b1"),
)
"""The 16 functions of two bits, as expressions."""


def write(netlist: Netlist) -> str:
    """Return a circuit as one structural Verilog module: an ``assign`` a gate.

    Buses are vectors ``[width-1:0]``, ``signed`` where the circuit is; names that Verilog does not allow are
    escaped. What is read back is the same function.

    >>> from axsim.circuits import exact
    >>> print(write(exact(1)))
    module exact1(a, b, p);
      input [0:0] a;
      input [0:0] b;
      output [1:0] p;
      wire n0;
      assign n0 = a[0] & b[0];
      assign p = {1'b0, n0};
    endmodule
    """
    return "".join(f"{line}\n" for line in _lines(netlist))


def _lines(netlist: Netlist) -> Iterator[str]:
    taken = {*netlist.inputs, *netlist.outputs}
    outputs = {bus: bus for bus in netlist.outputs}
    for bus in netlist.outputs:
        while outputs[bus] in netlist.inputs:
            outputs[bus] += "_out"
    prefix = "n"
    while any(name.startswith(prefix) for name in taken):
        prefix += "_"
    sign = "signed " if netlist.signed else ""
    ports = [_identifier(name) for name in (*netlist.inputs, *outputs.values())]
    yield f"module {_identifier(netlist.name)}({', '.join(ports)});"
    nets = {CONST0: "1'b0", CONST1: "1'b1"}
    number = 2
    for bus, width in netlist.inputs.items():
        yield f"  input {sign}[{width - 1}:0] {_identifier(bus)};"
        for bit in range(width):
            nets[number + bit] = f"{_identifier(bus)}[{bit}]"
        number += width
    for bus, bits in netlist.outputs.items():
        yield f"  output {sign}[{len(bits) - 1}:0] {_identifier(outputs[bus])};"
    gates = zip(netlist.ops.tolist(), netlist.sources.tolist(), strict=True)
    for gate, (op, (x, y)) in enumerate(gates):
        nets[number + gate] = f"{prefix}{gate}"
        yield f"  wire {prefix}{gate};"
        yield f"  assign {prefix}{gate} = {_FORMS[op].format(x=nets[x], y=nets[y])};"
    for bus, bits in netlist.outputs.items():
        listed = ", ".join(nets[net] for net in reversed(bits))
        yield f"  assign {_identifier(outputs[bus])} = {{{listed}}};"
    yield "endmodule"


def _identifier(name: str) -> str:
    """A name as Verilog has it: escaped, with the space that ends it, where it is no plain one."""
    is_word = name in TYPES or name in REFUSED or name in _WORDS
    return name if _PLAIN.fullmatch(name) and not is_word else f"\\{name} "

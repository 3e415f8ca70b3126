"""Circuits as strings of Cartesian genetic programming, as generators of arithmetic circuits write them.

::

    {inputs,outputs,columns,rows,2,1,levels back}([id]x,y,function)([id]x,y,function)...(output,output,...)

Nodes 0 and 1 are the constants, inputs start at 2, gates come after them; where the first gate's number says
so, there are no constants and inputs start at 0. Functions: 0 x, 1 not x, 2 and, 3 or, 4 xor, 5 nand, 6 nor,
7 xnor, 8 true, 9 false. The first half of the inputs is the left operand. Lowest bits come first everywhere.
J. F. Miller, P. Thomson, "Cartesian genetic programming", EuroGP 2000, doi 10.1007/978-3-540-46239-2_9.
"""

from __future__ import annotations

import re

from axsim.circuits.builder import Builder
from axsim.circuits.formats.buses import with_operands
from axsim.circuits.formats.c_tokens import Source
from axsim.circuits.formats.options import DEFAULTS, ReadOptions
from axsim.circuits.formats.text import decode
from axsim.circuits.netlist import CONST0, CONST1, Netlist
from axsim.circuits.operands import MAX_WIDTH
from axsim.errors import NetlistError, NetlistFileError

_NUMBER = r"([0-9]{1,9})"
_COMMA = r"\s*,\s*"
_SPACE = re.compile(r"(?:\s|\#[^\n]*)*", re.ASCII)
_HEADER = re.compile(r"\{\s*([0-9]{1,9}(?:\s*,\s*[0-9]{1,9}){6})\s*\}", re.ASCII)
_NODE = re.compile(rf"\(\s*\[\s*{_NUMBER}\s*\]\s*{_NUMBER}{_COMMA}{_NUMBER}{_COMMA}{_NUMBER}\s*\)", re.ASCII)
_OUTPUTS = re.compile(r"\(\s*([0-9]{1,9}(?:\s*,\s*[0-9]{1,9})*)\s*\)", re.ASCII)

_OPS = {2: 8, 3: 14, 4: 6, 5: 7, 6: 1, 7: 9}  # of functions: ops of a netlist


def read(text: str | bytes, options: ReadOptions = DEFAULTS) -> Netlist:
    """The circuit that a CGP string describes, with input buses ``a`` and ``b`` and output bus ``p``.

    Args:
        text: the string; lines that start with # are comments.
        options: ``widths`` of the operands, if they differ; ``operands=("b", "a")`` makes the second half of
            the inputs the left operand; ``signed``.

    Raises:
        NetlistFileError: for anything else than such a string, a node that reads a later one, or an odd
            number of inputs without ``widths``.

    >>> print(read("{2,2,2,1,2,1,0}([4]2,3,4)([5]2,3,2)(4,5)")([0, 1, 1], [1, 0, 1]))
    [1 1 2]
    """
    source = Source(decode(text) if isinstance(text, bytes) else text, options, "CGP string")
    try:
        return with_operands(_netlist(source, options), options.operands)
    except NetlistFileError:
        raise
    except NetlistError as problem:
        raise NetlistFileError(str(problem), path=source.path) from problem


def _netlist(source: Source, options: ReadOptions) -> Netlist:
    text = source.text
    found, at = _next(_HEADER, source, 0, "{inputs,outputs,columns,rows,2,1,levels back}")
    n_inputs, n_outputs, *_, node_inputs, node_outputs, _ = (int(word) for word in found[1].split(","))
    if (node_inputs, node_outputs) != (2, 1):
        source.fail(
            found.start(), f"nodes of {node_inputs} inputs and {node_outputs} outputs, expected 2 and 1"
        )
    widths = _widths(source, n_inputs, options)
    builder = Builder(options.path.stem.replace(" ", "_") if options.path else "cgp", bool(options.signed))
    inputs = [*builder.input("a", widths[0]), *builder.input("b", widths[1])]
    first = _NODE.match(text, at)
    has_constants = first is None or int(first[1]) != n_inputs
    nets = [*([CONST0, CONST1] if has_constants else []), *inputs]
    while (node := _NODE.match(text, at)) is not None:
        number, x, y, function = map(int, node.groups())
        if number != len(nets):
            source.fail(at, f"node {number} came, expected node {len(nets)}")
        if max(x, y) >= number:
            source.fail(at, f"node {number} reads node {max(x, y)}, expected nodes before it")
        nets.append(_node(builder, function, nets[x], nets[y]))
        if nets[-1] < 0:
            source.fail(at, f"node {number} has function {function}, expected 0 to 9")
        at = _skipped(text, node.end())
    found, at = _next(_OUTPUTS, source, at, "a node ([id]x,y,function) or the outputs (id,id,...)")
    outputs = [int(word) for word in found[1].split(",")]
    if len(outputs) != n_outputs or max(outputs) >= len(nets):
        source.fail(
            found.start(),
            f"{len(outputs)} outputs up to node {max(outputs)} came, expected {n_outputs} "
            f"below node {len(nets)}",
        )
    if at != len(text):
        source.fail(at, f"{text[at]!r} came, expected the end of the text")
    builder.output("p", [nets[number] for number in outputs])
    return builder.build()


def _widths(source: Source, n_inputs: int, options: ReadOptions) -> tuple[int, int]:
    first, second = options.widths or (n_inputs // 2, n_inputs // 2)
    if first + second != n_inputs or not (1 <= first <= MAX_WIDTH and 1 <= second <= MAX_WIDTH):
        source.fail(
            0,
            f"{n_inputs} inputs for operands of {first} and {second} bits: "
            "say others by widths=(a_bits, b_bits)",
        )
    return first, second


def _node(builder: Builder, function: int, x: int, y: int) -> int:
    """The net of a node, or -1 where there is no such function."""
    if function in _OPS:
        return builder.raw_gate(_OPS[function], x, y)
    if function == 1:
        return builder.not_(x)
    return {0: x, 8: CONST1, 9: CONST0}.get(function, -1)


def _next(pattern: re.Pattern[str], source: Source, at: int, what: str) -> tuple[re.Match[str], int]:
    """What stands at ``at``, and where it ends, spaces and comments included."""
    at = _skipped(source.text, at)
    found = pattern.match(source.text, at)
    if found is None:
        shown = repr(source.text[at : at + 20]) if at < len(source.text) else "the end of the text"
        source.fail(at, f"{shown} came, expected {what}")
    return found, _skipped(source.text, found.end())


def _skipped(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def write(netlist: Netlist) -> str:
    """A circuit of two operands as a CGP string; the left operand's bits come first.

    The format has no place for names and for the sign.

    Raises:
        NetlistError: the circuit has not two input buses and one output bus.

    >>> from axsim.circuits import exact
    >>> write(exact(1))
    '{2,2,1,1,2,1,0}([4]2,3,2)(4,0)'
    """
    left, right = netlist.operands
    outputs = netlist.outputs[netlist.product]
    start, first = {}, 2
    for bus, width in netlist.inputs.items():
        start[bus], first = first, first + width
    bits = [
        *range(start[left], start[left] + netlist.a_bits),
        *range(start[right], start[right] + netlist.b_bits),
    ]
    number = dict(zip([CONST0, CONST1, *bits], range(first), strict=True))
    nodes: list[str] = []

    def node(x: int, y: int, function: int) -> int:
        nodes.append(f"([{first + len(nodes)}]{x},{y},{function})")
        return first + len(nodes) - 1

    functions = {op: function for function, op in _OPS.items()}
    gates = zip(netlist.ops.tolist(), netlist.sources.tolist(), strict=True)
    for net, (op, (net_x, net_y)) in enumerate(gates, netlist.first_gate):
        x, y = number[net_x], number[net_y]
        if op in functions:
            number[net] = node(x, y, functions[op])
        elif op in (0, 15):
            number[net] = int(op == 15)
        elif op in (10, 12):
            number[net] = y if op == 10 else x
        elif op in (3, 5):
            source = x if op == 3 else y
            number[net] = node(source, source, 1)
        else:  # one of the sources inverted: not x and y, x and not y, not x or y, x or not y
            inverted = node(y, y, 1) if op in (4, 13) else node(x, x, 1)
            number[net] = node(x if op in (4, 13) else y, inverted, 2 if op in (2, 4) else 3)
    head = f"{{{first - 2},{len(outputs)},{max(len(nodes), 1)},1,2,1,0}}"
    return head + "".join(nodes) + f"({','.join(str(number[net]) for net in outputs)})"

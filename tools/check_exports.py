"""Evaluate exported circuits in other programs, for all operands, and compare with their tables.

    python tools/check_exports.py

Verilog goes to Icarus Verilog; BLIF goes to Yosys, which reads it and writes Verilog of its own, and that to
Icarus. For circuits of 8x8 bits that is a proof: all 65,536 products are there. Prints a line for each
circuit and exits with status 1 where a product differs. Needs iverilog, vvp and yosys.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from axsim.circuits import Netlist
from axsim.circuits.formats import blif, verilog
from axsim.multipliers import Multiplier, get, list_multipliers

_MEMORY = 4 << 20  # KiB: a fault in another program does not take this machine's


def by_icarus(text: str, netlist: Netlist, pins: str) -> NDArray[np.int64]:
    """The patterns of all products (a, b) that Icarus computes of a Verilog text."""
    (left, a_bits), (right, b_bits) = ((name, netlist.inputs[name]) for name in netlist.operands)
    bench = (
        f"module bench; reg [{a_bits - 1}:0] a; reg [{b_bits - 1}:0] b; wire [{netlist.out_bits - 1}:0] p;\n"
        f"integer i; {netlist.name} dut({pins.format(left=left, right=right)});\n"
        f"initial for (i = 0; i < {1 << (a_bits + b_bits)}; i = i + 1) begin\n"
        '{a, b} = i; #1 $display("%b", p); end\nendmodule\n'
    )
    with tempfile.TemporaryDirectory() as name:
        Path(name, "circuit.v").write_text(text, encoding="utf-8")
        Path(name, "bench.v").write_text(bench, encoding="utf-8")
        _run(["iverilog", "-g2005", "-o", "bench", "-s", "bench", "bench.v", "circuit.v"], name)
        lines = _run(["vvp", "-n", "bench"], name).split()
    products = np.array([int(line, 2) for line in lines], np.int64)  # ValueError for x
    return products.reshape(1 << a_bits, 1 << b_bits)


def of_verilog(netlist: Netlist) -> NDArray[np.int64]:
    """All products of a circuit written as Verilog."""
    return by_icarus(verilog.write(netlist), netlist, f".{{left}}(a), .{{right}}(b), .{netlist.product}(p)")


def of_blif(netlist: Netlist) -> NDArray[np.int64]:
    """All products of a circuit written as BLIF, which Yosys reads."""
    with tempfile.TemporaryDirectory() as name:
        Path(name, "circuit.blif").write_text(blif.write(netlist), encoding="utf-8")
        _run(["yosys", "-q", "-p", "read_blif circuit.blif; check -assert; write_verilog circuit.v"], name)
        text = Path(name, "circuit.v").read_text(encoding="utf-8")
    wires = {bus: "ab"[bus == netlist.operands[1]] for bus in netlist.inputs} | {netlist.product: "p"}
    widths = {**netlist.inputs, netlist.product: netlist.out_bits}
    pins = [f".{bus}{k}({wire}[{k}])" for bus, wire in wires.items() for k in range(widths[bus])]
    return by_icarus(text, netlist, ", ".join(pins))


FORMATS: dict[str, Callable[[Netlist], NDArray[np.int64]]] = {"Verilog": of_verilog, "BLIF": of_blif}


def differing(multiplier: Multiplier, products: NDArray[np.int64]) -> int:
    """How many products are not those of the table."""
    values = multiplier.table.values.astype(np.int64)
    return int(np.count_nonzero(products != values & ((1 << multiplier.table.out_bits) - 1)))


def _run(command: list[str], folder: str) -> str:
    limited = ["sh", "-c", f'ulimit -v {_MEMORY}; exec "$@"', "sh", *command]
    return subprocess.run(limited, cwd=folder, capture_output=True, text=True, check=True).stdout


def main(
    names: Annotated[list[str] | None, typer.Argument(help="All with gates if none is given.")] = None,
) -> None:
    """Evaluate what is written of circuits in other programs."""
    wrong = 0
    print(f"| circuit | gates | {' | '.join(FORMATS)} |\n|---|---|{'---|' * len(FORMATS)}")
    for name in names or list_multipliers():
        multiplier = get(name)
        if not isinstance(multiplier, Multiplier) or multiplier.netlist is None:
            continue
        counts = [differing(multiplier, evaluate(multiplier.netlist)) for evaluate in FORMATS.values()]
        wrong += sum(counts)
        total = multiplier.table.values.size
        cells = " | ".join(f"{total - count} of {total}" for count in counts)
        print(f"| {multiplier.name} | {multiplier.netlist.n_gates} | {cells} |", flush=True)
    if wrong:
        print(f"{wrong} products differ")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)

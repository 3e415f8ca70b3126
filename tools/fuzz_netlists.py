"""Read thousands of damaged circuit files: each must be refused by name, or read as simulators read it.

    python tools/fuzz_netlists.py tests/circuits/formats/texts/*.v --mutants 100000 --compare

Every mutant is one of the files with a few changes: characters, words, numbers, or parts of another file.
Reading it may raise NetlistFileError (or another ValueError) and nothing else, and must end in time. With
--compare what is still read is also given to Icarus Verilog or, if it is BLIF, to Yosys; where that takes it
too, both must agree.
"""

from __future__ import annotations

import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Annotated

import numpy as np
import typer

from axsim.circuits import Netlist
from axsim.circuits.formats import blif, verilog

READERS: dict[str, Callable[[str], Netlist]] = {".v": verilog.read, ".blif": blif.read}

_PARTS = re.compile(r"\s+|[A-Za-z_$`\\.][\w$]*|\d+|.", re.DOTALL)
_VERILOG = """
a b p c s i 0 1 2 3 4 7 8 16 32 33 64 4'd5 2'b1x 8'shF0 3'b?01 'bz '0 4294967296 -1 ( ) [ ] { } ; , : ? = <= <
> == != === & | ^ ~ ! + - * / % << >> >>> <<< ** && || ~& ~^ @ # . +: -: [3:0] [0:3] [4:1] signed unsigned reg
wire integer logic input output inout assign always @* begin end if else case casez casex endcase default for
while repeat function endfunction generate endgenerate genvar module endmodule parameter localparam posedge
initial and or not xor $signed $unsigned $clog2 `define `W `ifdef `endif `include "x" // /* */ (* *) FAX1 half
\\x
"""
_BLIF = """
.model .inputs .outputs .names .subckt .gate .latch .end .exdc .conn .barbuf .search .attr .area $false
$true a b p x y s c m n 0 1 - 11 10 1- -- 2 a[0] a[1] a<0> a0=b x=a A=a Y=m AND2X1 half \\ # =
"""
_WORDS = {".v": _VERILOG.split(), ".blif": _BLIF.split()}
_STRANGE = "\x00\x0c\x85\xa0\u2028\ufeff\u0661\"'`\\\t\r\n#;"
_SECONDS = 20
_LONG = "64'd100000000000"  # longer than any delay that a mutant has
_VECTORS = 128


def mutate(texts: Sequence[str], suffix: str, rng: random.Random) -> str:
    """Return one of the texts with one to four changes."""
    parts = _PARTS.findall(rng.choice(texts))
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4))):
        k = rng.randrange(len(parts) + 1)
        match rng.randrange(9):
            case 0:
                del parts[k : k + rng.choice((1, 1, 1, 2, 5, 40))]
            case 1:
                parts.insert(k, f" {rng.choice(_WORDS[suffix])} ")
            case 2:
                parts[k : k + 1] = [rng.choice(_WORDS[suffix])]
            case 3:
                parts[k:k] = parts[k : k + rng.choice((1, 3, 10, 50))]
            case 4 if parts:
                other = rng.randrange(len(parts))
                k = min(k, len(parts) - 1)
                parts[k], parts[other] = parts[other], parts[k]
            case 5:
                numbers = [place for place, part in enumerate(parts) if part.isdecimal()]
                if numbers:
                    parts[rng.choice(numbers)] = str(rng.choice((0, 1, 2, 3, 5, 7, 8, 9, 15, 31, 65, 10**6)))
            case 6:
                donor = _PARTS.findall(rng.choice(texts))
                start = rng.randrange(len(donor))
                parts[k:k] = donor[start : start + rng.choice((2, 8, 30))]
            case 7:
                parts.insert(k, rng.choice(_STRANGE))
            case 8:
                names = [place for place, part in enumerate(parts) if part[:1].isalpha()]
                if names:
                    parts[rng.choice(names)] = parts[rng.choice(names)]
        parts = parts or [" "]
    return "".join(parts)


def read_mutant(text: str, suffix: str) -> Netlist | None:
    """Return the circuit of a text, or None where it is refused by a ValueError; anything else is a fault."""
    try:
        return READERS[suffix](text)
    except ValueError as error:
        if len(str(error)) > 2_000:
            raise AssertionError(f"a message of {len(str(error))} characters") from error
        return None


def vectors(netlist: Netlist) -> list[int]:
    """Values of all input bits together: all of them where they are few."""
    bits = sum(netlist.inputs.values())
    rng = random.Random(0)
    return (
        list(range(1 << bits)) if 1 << bits <= _VECTORS else [rng.getrandbits(bits) for _ in range(_VECTORS)]
    )


def outputs(netlist: Netlist, values: Sequence[int]) -> list[list[str]]:
    """What our circuit answers: the bits of each output bus, for each vector."""
    start, operands = 0, {}
    for bus, width in netlist.inputs.items():
        operands[bus] = np.array([value >> start & ((1 << width) - 1) for value in values], np.uint64)
        start += width
    results = replace(netlist, signed=False).simulate(**operands)
    return [
        [f"{int(results[bus][k]):0{len(bits)}b}" for bus, bits in netlist.outputs.items()]
        for k in range(len(values))
    ]


def bench(netlist: Netlist, values: Sequence[int], connections: str) -> str:
    """A Verilog test bench that prints the outputs for each vector."""
    total = sum(netlist.inputs.values())
    wires = "".join(f"wire [{len(bits) - 1}:0] o_{k};" for k, bits in enumerate(netlist.outputs.values()))
    shown = ", ".join(f"o_{k}" for k in range(len(netlist.outputs)))
    form = " ".join("%b" for _ in netlist.outputs)
    steps = "".join(f'all = {total}\'d{value}; #({_LONG}) $display("{form}", {shown});\n' for value in values)
    return (
        f"module bench__; reg [{total - 1}:0] all; {wires}\n\\{netlist.name} dut({connections});\n"
        f"initial begin {steps} end endmodule\n"
    )


def by_icarus(text: str, netlist: Netlist, values: Sequence[int], connections: str) -> list[list[str]] | None:
    """What Icarus Verilog answers; None where it refuses the text."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "circuit.v").write_text(text, encoding="utf-8")
        (folder / "bench.v").write_text(bench(netlist, values, connections), encoding="utf-8")
        command = ["iverilog", "-g2012", "-o", "bench", "circuit.v", "bench.v", "-s", "bench__"]
        try:
            if subprocess.run(
                command, cwd=folder, capture_output=True, timeout=_SECONDS, check=False
            ).returncode:
                return None
            done = subprocess.run(
                ["vvp", "-n", "bench"], cwd=folder, capture_output=True, timeout=_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return None
    if done.returncode:
        return None  # it compiled what it cannot run
    lines = done.stdout.decode("latin-1").splitlines()
    return [line.split() for line in lines if line and set(line) <= set("01xz ")]


def compare(text: str, suffix: str, netlist: Netlist) -> str:
    """Say how an outside reader's circuit compares: equal, refused by it, or different."""
    values = vectors(netlist)
    if suffix == ".v":
        start, pins = 0, []
        for bus, width in netlist.inputs.items():
            pins.append(f".\\{bus} (all[{start + width - 1}:{start}])")
            start += width
        pins += [f".\\{bus} (o_{k})" for k, bus in enumerate(netlist.outputs)]
        answer = by_icarus(text, netlist, values, ", ".join(pins))
    else:
        answer = by_yosys(text, netlist, values)
    if answer is None:
        return "read here, refused by the other"
    return "equal" if answer == outputs(netlist, values) else "DIFFERENT"


def by_yosys(text: str, netlist: Netlist, values: Sequence[int]) -> list[list[str]] | None:
    """What Yosys makes of a BLIF text, as Verilog, and Icarus of that; None where Yosys refuses it."""
    if not re.fullmatch(r"[\w$.]+", netlist.name, re.ASCII):
        return None  # its scripts take no other names
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "circuit.blif").write_text(re.sub("#.*", "", text), encoding="utf-8")  # it knows none
        (folder / "cells.v").write_text(
            "module AND2X1(input A, B, output Y); assign Y = A & B; endmodule", encoding="utf-8"
        )
        (folder / "ours.blif").write_text(blif.write(replace(netlist, name="ours__")), encoding="utf-8")
        script = (
            f"read_verilog cells.v; read_blif circuit.blif; hierarchy -check -top {netlist.name}; flatten; "
            f"check -assert; "
            f"rename {netlist.name} gold; read_blif ours.blif; miter -equiv -flatten gold ours__ m; "
            "sat -verify -prove trigger 0 -set-def-inputs m"
        )
        done = subprocess.run(
            ["yosys", "-q", "-p", script], cwd=folder, capture_output=True, timeout=60, check=False
        )
    if done.returncode == 0:
        return outputs(netlist, values)
    return [["not proved"]] if b"proof" in done.stdout + done.stderr else None


def run(
    files: Annotated[
        list[Path], typer.Argument(help="Circuit files that are damaged (.v or .blif, one kind).")
    ],
    mutants: Annotated[int, typer.Option(help="How many mutants.")] = 2_000,
    seed: Annotated[int, typer.Option(help="Of the random numbers.")] = 1,
    compare_too: Annotated[bool, typer.Option("--compare", help="With an outside reader.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for mutants that show a fault.")] = None,
) -> None:
    """Read mutants of files and count what happens."""
    texts = [path.read_text(encoding="utf-8") for path in files]
    suffix = files[0].suffix
    counts: Counter[str] = Counter()
    slowest = 0.0
    for number, text in enumerate(mutations(texts, suffix, mutants, seed)):
        begin = time.process_time()
        signal.setitimer(signal.ITIMER_VIRTUAL, _SECONDS)
        try:
            netlist = read_mutant(text, suffix)
            result = "refused" if netlist is None else "read"
        except BaseException as error:
            result = f"FAULT {type(error).__name__}: {str(error)[:100]}"
            netlist = None
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        slowest = max(slowest, time.process_time() - begin)
        if netlist is not None and compare_too:
            result = compare(text, suffix, netlist)
        counts[result] += 1
        if result.startswith(("FAULT", "DIFFERENT")) and out is not None:
            out.mkdir(parents=True, exist_ok=True)
            (out / f"{seed}_{number}{suffix}").write_text(text, encoding="utf-8")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for result, count in counts.most_common():
        typer.echo(f"{count:8} {result}")
    typer.echo(f"slowest {slowest:.2f} s of the processor, memory at most {memory:.0f} MiB")
    if any(result.startswith(("FAULT", "DIFFERENT")) for result in counts):
        raise typer.Exit(1)


def mutations(texts: Sequence[str], suffix: str, count: int, seed: int) -> Iterator[str]:
    """Yield mutants, the same for the same seed."""
    rng = random.Random(seed)
    for _ in range(count):
        yield mutate(texts, suffix, rng)


def _too_long(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"reading took more than {_SECONDS} s of the processor")


if __name__ == "__main__":
    signal.signal(signal.SIGVTALRM, _too_long)
    sys.setrecursionlimit(1_000)
    typer.run(run)

"""Instructions and shared-memory wavefronts of a look-up, from the machine code of ``gather_columns.cu``.

    .venv/bin/python tools/gpu_counts.py [--compiler nvcc] [--arch sm_90] [--groups 4] [--rows 22]

NVRTC (what users get) or nvcc compiles the kernel that has the table in shared memory; NVIDIA's cuobjdump and
nvdisasm list what it became, both on PATH (``pip install nvidia-cuda-cuobjdump nvidia-cuda-nvdisasm`` brings
them). No GPU is needed, and nothing is timed. A multiprocessor takes a wavefront a cycle from shared memory
and starts an instruction of four warps: the counts say what a cycle can do at most.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).parents[1]))

from axsim.engines.gpu.runtime.compiler import OPTIONS
from axsim.engines.gpu.runtime.sources import source_text
from axsim.results import print_table

_FUNCTION = re.compile(r"Function : (\w+)")
_INSTRUCTION = re.compile(r"\s+/\*([0-9a-f]+)\*/\s+(?:@!?U?P\w+\s+)?(.*?)\s*;")
_BRANCH = re.compile(r"BRA\S*\s.*?(0x[0-9a-f]+)")
_WAVEFRONTS = {"128": 4, "64": 2}  # of a warp's access without conflicts, by bits; 1 for less

Listing = list[tuple[int, str]]  # addresses and instructions, without their predicates


@dataclass(frozen=True)
class Counts:
    """What a warp does in one round of a loop.

    Attributes:
        instructions: in all.
        wavefronts: of shared memory, if no two threads' words meet in a bank.
        kinds: instructions by the first part of their name.
    """

    instructions: int
    wavefronts: int
    kinds: Counter[str]


def listings(text: str) -> dict[str, Listing]:
    """The kernels in what ``cuobjdump -sass`` prints."""
    found: dict[str, Listing] = {}
    now: Listing = []
    for line in text.splitlines():
        if function := _FUNCTION.search(line):
            now = found.setdefault(function[1], [])
        elif instruction := _INSTRUCTION.match(line):
            now.append((int(instruction[1], 16), instruction[2]))
    return found


def inner_loop(code: Listing) -> Listing:
    """The shortest loop that has the most loads of 16 bytes from shared memory.

    Raises:
        ValueError: no loop has one.
    """
    place = {address: i for i, (address, _) in enumerate(code)}
    loops = []
    for end, (address, instruction) in enumerate(code):
        branch = _BRANCH.match(instruction)
        if branch and int(branch[1], 16) <= address:
            body = code[place[int(branch[1], 16)] : end + 1]
            loops.append((sum(text.startswith("LDS.128") for _, text in body), -len(body), body))
    most, _, body = max(loops, default=(0, 0, []))
    if not most:
        raise ValueError("no loop of the kernel reads 16 bytes at a time from shared memory")
    return body


def of_one_warp(body: Listing) -> Listing:
    """A loop's body without its second part that stores 16 bytes at a time and is jumped over.

    Each warp fills its share of a buffer once, half of them before they look up and half after.
    """
    place = {address: i for i, (address, _) in enumerate(body)}
    parts = []
    for i, (_, instruction) in enumerate(body):
        branch = _BRANCH.match(instruction)
        end = place.get(int(branch[1], 16), 0) if branch else 0
        if any(text.startswith("STS.128") for _, text in body[i + 1 : end]):
            parts.append((i + 1, end))
    return body[: parts[1][0]] + body[parts[1][1] :] if len(parts) == 2 else body


def counts(body: Listing) -> Counts:
    """Of a loop's body."""
    names = [text.split()[0].split(".") for _, text in body]
    accesses = [name for name in names if name[0] in ("LDS", "STS")]
    wavefronts = sum(max(_WAVEFRONTS.get(part, 1) for part in name) for name in accesses)
    return Counts(len(body), wavefronts, Counter(name[0] for name in names))


def machine_code(compiler: str, architecture: str, macros: list[str]) -> bytes:
    """The kernel as that compiler makes it."""
    text, options = source_text("gather_columns.cu"), (*OPTIONS, *macros, f"-arch={architecture}")
    if compiler == "nvrtc":
        from tests import nvrtc

        return nvrtc.compiled(text, options)
    with TemporaryDirectory() as folder:
        source, made = Path(folder, "kernel.cu"), Path(folder, "kernel.cubin")
        source.write_text(text, encoding="utf-8")
        subprocess.run(["nvcc", *options, "-cubin", "-o", str(made), str(source)], check=True)
        return made.read_bytes()


def disassembled(code: bytes) -> str:
    """What cuobjdump prints of it."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "kernel.cubin")
        path.write_bytes(code)
        command = ["cuobjdump", "-sass", str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main(
    compiler: Annotated[str, typer.Option(help="nvrtc or nvcc.")] = "nvrtc",
    arch: Annotated[list[str] | None, typer.Option(help="Architectures.")] = None,
    groups: Annotated[int, typer.Option(help="GROUPS of the kernel.")] = 4,
    rows: Annotated[int, typer.Option(help="ROWS of the kernel.")] = 22,
) -> None:
    """Print the counts."""
    missing = [name for name in ("cuobjdump", "nvdisasm") if shutil.which(name) is None]
    if missing:
        typer.echo(f"error: {' and '.join(missing)} must be on PATH", err=True)
        raise typer.Exit(2)
    variant = {"ROWS": rows, "GROUPS": groups, "BUFFERS": 2, "TABLE_SHARED": 1, "ENTRY_BYTES": 2}
    macros = [f"-D{name}={value}" for name, value in (variant | {"OUT_BYTES": 4, "PATCHES": 0}).items()]
    look_ups = 32 * rows * 8  # of a warp and term
    lines = []
    for architecture in arch or ["sm_80", "sm_90", "sm_120"]:
        (code,) = listings(disassembled(machine_code(compiler, architecture, macros))).values()
        found = counts(of_one_warp(inner_loop(code)))
        lines.append(
            (
                architecture,
                str(found.instructions),
                str(found.wavefronts),
                f"{32 * found.instructions / look_ups:.2f}",
                f"{look_ups / found.wavefronts:.1f}",
            )
        )
    print_table(
        f"{compiler}, {groups} groups, {rows} rows: a warp and term",
        ("architecture", "instructions", "wavefronts", "instructions a look-up", "look-ups a wavefront"),
        lines,
    )


if __name__ == "__main__":
    typer.run(main)

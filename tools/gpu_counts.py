"""Instructions and shared-memory wavefronts of a look-up, from the machine code of ``gather_columns.cu``.

    .venv/bin/python tools/gpu_counts.py [--compiler nvcc] [--arch sm_90] [--groups 4] [--rows 22]
        [--no-table-shared]

NVRTC (what users get) or nvcc compiles the kernel, the table in shared memory or not; NVIDIA's cuobjdump and
nvdisasm list what it became, both on PATH (``pip install nvidia-cuda-cuobjdump nvidia-cuda-nvdisasm`` brings
them). No GPU is needed, and nothing is timed. A multiprocessor takes a wavefront a cycle from shared memory
and starts an instruction of four warps: the counts say what a cycle can do at most.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).parents[1]))

from axsim.cli.app import plain_errors
from axsim.results import print_table
from benchmarks.gpu_code import counts, disassembled, halves, inner_loop, listings, machine_code, macros_of


@plain_errors
def main(
    compiler: Annotated[str, typer.Option(help="nvrtc or nvcc.")] = "nvrtc",
    arch: Annotated[list[str] | None, typer.Option(help="Architectures.")] = None,
    groups: Annotated[int, typer.Option(help="GROUPS of the kernel.")] = 4,
    rows: Annotated[int, typer.Option(help="ROWS of the kernel.")] = 22,
    table_shared: Annotated[bool, typer.Option(help="The table is in shared memory.")] = True,
) -> None:
    """Print the counts."""
    macros = macros_of(groups, rows, table_shared)
    look_ups = 32 * rows * 8  # of a warp and term
    lines = []
    for architecture in arch or ["sm_80", "sm_90", "sm_120"]:
        (code,) = listings(disassembled(machine_code(compiler, architecture, macros))).values()
        found = counts(halves(inner_loop(code))[0])
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

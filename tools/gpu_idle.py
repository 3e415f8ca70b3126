"""How long shared memory is idle while ``gather_columns.cu`` looks up: a model that runs its machine code.

    .venv/bin/python tools/gpu_idle.py [--compiler nvcc] [--arch sm_90] [--groups 4] [--rows 22]
        [--no-table-shared]

Eight warps go through the inner loop of the code that NVRTC or nvcc made, on four schedulers, each of which
starts an instruction a cycle, in order, and not before what the code itself says must be waited for: the
compiler writes into every instruction how many cycles to stall and which scoreboards to set and to wait for
(bits 105 to 125 of its 128). Integer units take an instruction every other cycle, and memory a wavefront a
cycle. What is assumed: latencies of memory (several are tried, and the mean told), a queue of six accesses at
each scheduler, no bank conflicts. It is a model, checked against no GPU: its use is to compare two versions
of the kernel. Needs what ``tools/gpu_counts.py`` needs.
"""

from __future__ import annotations

import heapq
import re
import statistics
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).parents[1]))

from axsim.cli.app import plain_errors
from axsim.results import print_table
from benchmarks.gpu_code import counts, disassembled, halves, inner_loop, listings, machine_code, macros_of

WARPS, SCHEDULERS, QUEUE, TERMS = 8, 4, 6, 12
SHARED_LATENCIES = (21, 24, 27, 30, 33)  # cycles from the last wavefront to the registers
GLOBAL_LATENCY, OTHER_LATENCY, BARRIER = 200, 20, 8
_ENCODED = re.compile(r"\s+/\*([0-9a-f]{4,})\*/.*/\* (0x[0-9a-f]{16}) \*/")
_UPPER_HALF = re.compile(r"\s+/\* (0x[0-9a-f]{16}) \*/")
_MOST_CYCLES = 1_000_000


@dataclass(frozen=True)
class Instruction:
    """What of an instruction takes time.

    Attributes:
        kind: "memory", "barrier", "integer", "multiply" or "other".
        wavefronts: that it takes of memory.
        latency: cycles from there to its results; None for shared memory's.
        stall: cycles until the warp's next instruction.
        sets: scoreboards that its results, and that its operands, hold until they are there or read; 7: none.
        waits: for these scoreboards, a bit each.
    """

    kind: str
    wavefronts: int
    latency: int | None
    stall: int
    sets: tuple[int, int]
    waits: int


def controls(text: str) -> dict[int, int]:
    """The upper halves of the instructions in what ``cuobjdump -sass`` prints of a kernel, by address."""
    found: dict[int, int] = {}
    address = None
    for line in text.splitlines():
        if first := _ENCODED.match(line):
            address = int(first[1], 16)
        elif (second := _UPPER_HALF.match(line)) and address is not None:
            found[address], address = int(second[1], 16), None
    return found


def instruction(text: str, control: int) -> Instruction:
    """An instruction by its text and the upper half of its code."""
    name = text.split()[0].split(".")[0]
    shared, memory = name in ("LDS", "STS"), name in ("LDS", "STS", "LDG")
    integer = name in ("IADD3", "ISETP", "LEA", "LOP3", "MOV", "PLOP3", "PRMT", "SEL", "SHF", "VIADD")
    kinds = {"BAR": "barrier", "IMAD": "multiply"}
    return Instruction(
        kind="memory" if memory else "integer" if integer else kinds.get(name, "other"),
        wavefronts=counts([(0, text)]).wavefronts,
        latency=None if shared else GLOBAL_LATENCY if memory else OTHER_LATENCY,
        stall=max(1, control >> 41 & 15),
        sets=(control >> 46 & 7, control >> 49 & 7),
        waits=control >> 52 & 63,
    )


def simulated(
    ways: Sequence[Sequence[Instruction]], shared_latency: int, terms: int = TERMS
) -> tuple[float, float]:
    """Cycles of a term, and those of them in which memory takes a wavefront.

    Args:
        ways: what each warp goes through in a term; it ends with a barrier.
        shared_latency: cycles from an access's last wavefront until registers have what was read.
        terms: how many are run through, beside two that are not counted.

    Raises:
        RuntimeError: the warps wait for each other.
    """
    schedulers = range(min(SCHEDULERS, len(ways)))
    places, ready, waiting = [0] * len(ways), [0] * len(ways), [False] * len(ways)
    boards = [[0] * 8 for _ in ways]
    done: list[tuple[int, int, int]] = []  # when, of which warp, which scoreboard
    queues: list[deque[tuple[int, Instruction]]] = [deque() for _ in schedulers]
    units = dict.fromkeys(((s, kind) for s in schedulers for kind in ("integer", "multiply")), 0)
    memory_free = busy = barriers = turn = 0
    last, begin = [0] * len(queues), (0, 0)

    def finish(when: int, warp: int, board: int) -> None:
        if board != 7:
            heapq.heappush(done, (when, warp, board))

    for now in range(_MOST_CYCLES):
        while done and done[0][0] <= now:
            _, warp, board = heapq.heappop(done)
            boards[warp][board] -= 1
        if memory_free <= now and (some := [s for s in schedulers if queues[s]]):
            turn = min(some, key=lambda s: (s - turn - 1) % len(queues))
            warp, what = queues[turn].popleft()
            memory_free = now + what.wavefronts
            busy += what.wavefronts
            latency = shared_latency if what.latency is None else what.latency
            finish(memory_free + latency, warp, what.sets[0])
            finish(memory_free + 6, warp, what.sets[1])
        for s in schedulers:
            for warp in sorted(range(s, len(ways), SCHEDULERS), key=lambda w: w != last[s]):
                what = ways[warp][places[warp]]
                held = any(what.waits >> board & 1 and boards[warp][board] for board in range(6))
                if waiting[warp] or ready[warp] > now or held or units.get((s, what.kind), 0) > now:
                    continue
                if what.kind == "memory":
                    if len(queues[s]) == QUEUE:
                        continue
                    queues[s].append((warp, what))
                for board in what.sets:
                    boards[warp][board] += board != 7
                    if what.kind != "memory":
                        finish(now + OTHER_LATENCY, warp, board)
                if (s, what.kind) in units:
                    units[s, what.kind] = now + 2
                ready[warp], last[s] = now + what.stall, warp
                waiting[warp] = what.kind == "barrier"
                places[warp] = (places[warp] + 1) % len(ways[warp])
                break
        if all(waiting):
            waiting, ready = [False] * len(ways), [max(at, now + BARRIER) for at in ready]
            barriers += 1
            if barriers == 2:
                begin = now, busy
            elif barriers == terms + 2:
                return (now - begin[0]) / terms, (busy - begin[1]) / terms
    raise RuntimeError(f"no end after {_MOST_CYCLES} cycles: {barriers} barriers passed")


@plain_errors
def main(
    compiler: Annotated[str, typer.Option(help="nvrtc or nvcc.")] = "nvrtc",
    arch: Annotated[str, typer.Option(help="Architecture; units are those of 8.0 and 9.0.")] = "sm_90",
    groups: Annotated[int, typer.Option(help="GROUPS of the kernel.")] = 4,
    rows: Annotated[int, typer.Option(help="ROWS of the kernel.")] = 22,
    table_shared: Annotated[bool, typer.Option(help="The table is in shared memory.")] = True,
) -> None:
    """Print cycles of a term, by the model."""
    text = disassembled(machine_code(compiler, arch, macros_of(groups, rows, table_shared)))
    (code,), upper = listings(text).values(), controls(text)
    ways = [
        [instruction(text, upper[address]) for address, text in half] for half in halves(inner_loop(code))
    ]
    found = [simulated([ways[w * 2 // WARPS] for w in range(WARPS)], latency) for latency in SHARED_LATENCIES]
    cycles, busy = (statistics.mean(values) for values in zip(*found, strict=True))
    look_ups = WARPS * 32 * rows * 8
    print_table(
        f"{compiler}, {arch}, {groups} groups, {rows} rows, table {'' if table_shared else 'not '}shared",
        ("cycles of a term", "memory is idle", "least and most", "look-ups a cycle"),
        [
            (
                f"{cycles:.0f}",
                f"{cycles - busy:.0f}",
                f"{min(c - b for c, b in found):.0f} to {max(c - b for c, b in found):.0f}",
                f"{look_ups / cycles:.1f}",
            )
        ],
    )


if __name__ == "__main__":
    typer.run(main)

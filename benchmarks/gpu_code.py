"""Machine code of ``gather_columns.cu``: compiled without a GPU, listed, its inner loop found and counted.

NVRTC (what users get) or nvcc compiles the kernel; NVIDIA's cuobjdump and nvdisasm list what it became,
both on PATH (``pip install nvidia-cuda-cuobjdump nvidia-cuda-nvdisasm`` brings them).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from axsim.engines.gpu.runtime.compiler import OPTIONS
from axsim.engines.gpu.runtime.sources import source_text

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


def halves(body: Listing) -> tuple[Listing, Listing]:
    """What either half of the warps goes through: each fills before or after it looks up.

    Where a loop has two parts that store 16 bytes at a time and are jumped over, either half leaves one out.
    """
    place = {address: i for i, (address, _) in enumerate(body)}
    parts = []
    for i, (_, instruction) in enumerate(body):
        branch = _BRANCH.match(instruction)
        end = place.get(int(branch[1], 16), 0) if branch else 0
        if any(text.startswith("STS.128") for _, text in body[i + 1 : end]):
            parts.append((i + 1, end))
    if len(parts) != 2:
        return body, body
    early, late = parts
    return body[: late[0]] + body[late[1] :], body[: early[0]] + body[early[1] :]


def counts(body: Listing) -> Counts:
    """Of a loop's body."""
    names = [text.split()[0].split(".") for _, text in body]
    accesses = [
        name for name in names if name[0] in ("LDS", "STS", "LDG")
    ]  # the first level is the same memory
    wavefronts = sum(max(_WAVEFRONTS.get(part, 1) for part in name) for name in accesses)
    return Counts(len(body), wavefronts, Counter(name[0] for name in names))


def machine_code(compiler: str, architecture: str, macros: list[str]) -> bytes:
    """The kernel as that compiler makes it.

    Raises:
        ValueError: it is neither nvrtc nor nvcc.
        FileNotFoundError: nvcc is not on PATH.
    """
    if compiler not in ("nvrtc", "nvcc"):
        raise ValueError(f"compiler is {compiler!r}, expected 'nvrtc' or 'nvcc'")
    if compiler == "nvcc" and shutil.which("nvcc") is None:
        raise FileNotFoundError("nvcc must be on PATH")
    text, options = source_text("gather_columns.cu"), (*OPTIONS, *macros, f"-arch={architecture}")
    if compiler == "nvrtc":
        from tests import nvrtc

        return nvrtc.compiled(text, options)
    with TemporaryDirectory() as folder:
        source, made = Path(folder, "kernel.cu"), Path(folder, "kernel.cubin")
        source.write_text(text, encoding="utf-8")
        subprocess.run(["nvcc", *options, "-cubin", "-o", str(made), str(source)], check=True)
        return made.read_bytes()


def macros_of(groups: int, rows: int, table_shared: bool) -> list[str]:
    """Of the kernel that fills one buffer while it looks up in the other, 16-bit entries, int32 sums."""
    variant = {"ROWS": rows, "GROUPS": groups, "BUFFERS": 2, "TABLE_SHARED": int(table_shared)}
    fixed = {"ENTRY_BYTES": 2, "OUT_BYTES": 4, "PATCHES": 0}
    return [f"-D{name}={value}" for name, value in (variant | fixed).items()]


def disassembled(code: bytes) -> str:
    """What cuobjdump prints of it.

    Raises:
        FileNotFoundError: a tool is not on PATH.
    """
    if missing := [name for name in ("cuobjdump", "nvdisasm") if shutil.which(name) is None]:
        raise FileNotFoundError(f"{' and '.join(missing)} must be on PATH")
    with TemporaryDirectory() as folder:
        path = Path(folder, "kernel.cubin")
        path.write_bytes(code)
        command = ["cuobjdump", "-sass", str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

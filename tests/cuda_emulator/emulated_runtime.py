"""The runtime of the GPU engines on the CPU: the same CUDA sources, compiled by g++ and emulated."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from weakref import finalize

import numpy as np

from axsim.engines.gpu.runtime.constants import Constants
from axsim.engines.gpu.runtime.interface import NO_DEFINES, Device, Host
from axsim.engines.gpu.runtime.products import Products
from axsim.engines.gpu.runtime.sources import source_text
from tests.cuda_emulator.device_arrays import POISON, DeviceArray, EmulatedCupy, HostWaitsError, on_device
from tests.cuda_emulator.emulated_cublas import EmulatedCublas

HERE = Path(__file__).parent
MAX_THREADS = 1024
MAX_BLOCK = (1024, 1024, 64)
MAX_GRID = (2**31 - 1, 65535, 65535)
STATIC_SHARED = 48 << 10
STREAM, WORKSPACE = 0x57EA, 1 << 10

TURING = Device("emulated T4", (7, 5), 40, 64 << 10, 64 << 10, 4 << 20, 1.59e9)
AMPERE = Device("emulated A100", (8, 0), 108, 163 << 10, 164 << 10, 40 << 20, 1.41e9)
GAMING = Device("emulated RTX 3080", (8, 6), 68, 99 << 10, 100 << 10, 5 << 20, 1.71e9)
ADA = Device("emulated RTX 4090", (8, 9), 128, 99 << 10, 100 << 10, 72 << 20, 2.52e9)
HOPPER = Device("emulated H100", (9, 0), 132, 227 << 10, 228 << 10, 50 << 20, 1.98e9)
BLACKWELL = Device("emulated B200", (10, 0), 148, 227 << 10, 228 << 10, 126 << 20, 1.965e9)
GEFORCE = Device("emulated RTX 5090", (12, 0), 170, 99 << 10, 100 << 10, 96 << 20, 2.407e9)
DEVICES = (TURING, AMPERE, GAMING, ADA, HOPPER, BLACKWELL, GEFORCE)

_FLAGS = (
    "-std=c++17", "-O1", "-g1", "-fPIC", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off",
    "-fno-strict-aliasing", "-Wno-unknown-pragmas",
)  # fmt: skip
# What is undefined in CUDA C++ too, and every access to memory, are reported to the emulator.
_CHECKS = (
    "-fsanitize=alignment,shift,signed-integer-overflow,integer-divide-by-zero,bounds",
    "-fno-sanitize-recover=all",
    "-fsanitize=thread",
)


class EmulatorError(AssertionError):
    """A mistake in a kernel or a launch that the emulator saw."""


class _Index(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint) for name in "xyz"]


class _Array(ctypes.Structure):
    _fields_ = [
        ("host", ctypes.c_void_p),
        ("bytes", ctypes.c_size_t),
        ("misalignment", ctypes.c_size_t),
        ("read_only", ctypes.c_int),
        ("address", ctypes.c_void_p),
    ]


class _Settings(ctypes.Structure):
    _fields_ = [
        ("grid", _Index),
        ("block", _Index),
        ("dynamic_shared", ctypes.c_size_t),
        ("static_limit", ctypes.c_size_t),
        ("total_limit", ctypes.c_size_t),
        ("seed", ctypes.c_uint64),
    ]


class _Parameter(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_char), ("size", ctypes.c_ubyte), ("pointee", ctypes.c_char)]


class EmulatedRuntime:
    """``axsim.engines.gpu.runtime.interface.Runtime`` without a GPU.

    Args:
        builds: folder for what is compiled, by content.
        device: the GPU whose limits launches are held to.
        seed: of the order in which threads run.

    Attributes:
        capturing_now: set it to try a call as if the stream were captured: compiling, copies from and to the
            host and new constants raise then.
        launches: names of the kernels launched, in order.
        constants_made: how many arrays were copied to the device to stay there.
        carveouts: by kernel, what share of memory it last preferred for shared memory.
    """

    def __init__(self, builds: Path, device: Device = HOPPER, seed: int = 0) -> None:
        self.builds = builds
        self.device = device
        self.capturing_now = False
        self.launches: list[str] = []
        self.carveouts: dict[str, int | None] = {}
        self.constants_made = 0
        self.xp = EmulatedCupy(self.capturing)
        self._random = np.random.default_rng(seed)
        self._libraries: dict[Hashable, Library] = {}
        self._kernels: dict[Hashable, EmulatedKernel] = {}
        self.cublas = EmulatedCublas(self.capturing)
        self._products = Products(
            self.xp,
            lambda: self.cublas,
            lambda: STREAM,
            lambda: self._refuse_while_capturing("cuBLAS is set up"),
            WORKSPACE,
        )
        self._memory = Memory()
        self._constants = Constants(self._place, self.capturing, lambda: None)
        self._graph: list[Callable[[], None]] = []

    def on(self, device: Device) -> EmulatedRuntime:
        """Another GPU, with the kernels that are compiled already."""
        return EmulatedRuntime(self.builds, device, int(self._random.integers(2**32)))

    def kernel(
        self, source: str | Path, name: str, defines: Mapping[str, int | str] = NO_DEFINES
    ) -> EmulatedKernel:
        key = source, name, tuple(defines.items())
        if key not in self._kernels:
            self._refuse_while_capturing(f"the kernel {name} is compiled")
            variant = source, tuple(defines.items())
            if variant not in self._libraries:
                self._libraries[variant] = Library(self.builds, source, defines)
            self._kernels[key] = EmulatedKernel(self, name, self._libraries[variant])
        return self._kernels[key]

    def capturing(self) -> bool:
        return self.capturing_now

    def int8_products(self, left: Any, right: Any, out: Any) -> None:
        self._products.int8(left, right, out)

    def half_products(self, left: Any, right: Any, out: Any) -> None:
        self._products.half(left, right, out)

    def half_is_exact(self) -> bool:
        return self._products.half_is_exact()

    def constant(self, host: Host, owner: object, key: Hashable = None) -> Any:
        return self._constants.get(host, owner, key)

    def _place(self, host: Host) -> Any:
        self._refuse_while_capturing("a constant is copied to the device")
        self.constants_made += 1
        array = on_device(self._memory.copy(np.array(host() if callable(host) else host, order="C")))
        array.flags.writeable = False
        return array

    @contextmanager
    def capture(self) -> Iterator[list[Callable[[], None]]]:
        """Within it the stream is captured: launches of kernels come into the list, to be called again.

        A launch knows constants by their addresses alone, as a CUDA graph does, and keeps all other arrays.
        """
        self.capturing_now, self._graph = True, []
        try:
            yield self._graph
        finally:
            self.capturing_now = False

    def launched(self, launch: Callable[[tuple[Any, ...]], None], args: tuple[Any, ...]) -> None:
        """Note a launch of a kernel, if the stream is captured."""
        if self.capturing_now:
            self._graph.append(partial(launch, tuple(map(self._memory.by_address, args))))

    def next_seed(self) -> int:
        """A new order of threads for every launch."""
        return int(self._random.integers(2**63))

    def _refuse_while_capturing(self, what: str) -> None:
        if self.capturing_now:
            raise HostWaitsError(f"{what} while the stream is captured; the first call must do that")


class Memory:
    """The device's memory for constants: what is freed is overwritten, and given to nobody again."""

    def __init__(self) -> None:
        self._blocks: list[Any] = []  # never less: a graph may read from any of them

    def copy(self, host: np.ndarray) -> np.ndarray:
        """The array in a block of its own, which is freed with the last view of it."""
        block = np.empty(max(host.nbytes, 1), np.uint8)
        self._blocks.append(block)
        owner = (ctypes.c_ubyte * block.size).from_address(block.ctypes.data)
        finalize(owner, block.fill, POISON).atexit = False
        array = np.frombuffer(owner, np.uint8)[: host.nbytes].view(host.dtype).reshape(host.shape)
        array[...] = host
        return array

    def by_address(self, arg: Any) -> Any:
        """An array in one of the blocks as one that does not keep it from being freed."""
        if not isinstance(arg, DeviceArray):
            return arg
        address = arg.__array_interface__["data"][0]
        if not any(0 <= address - block.ctypes.data < block.size for block in self._blocks):
            return arg
        memory = (ctypes.c_ubyte * arg.nbytes).from_address(address)
        array = on_device(np.frombuffer(memory, arg.dtype).reshape(arg.shape))
        array.flags.writeable = False
        return array


class EmulatedKernel:
    """A kernel compiled for the CPU."""

    def __init__(self, runtime: EmulatedRuntime, name: str, library: Library) -> None:
        self.name = name
        self._runtime = runtime
        if name not in library.kernels:
            raise EmulatorError(f"no kernel {name}, only {', '.join(library.kernels)}")
        call, self._parameters, self._most_threads = library.kernels[name]
        self._call = ctypes.cast(call, ctypes.c_void_p)

    def __call__(
        self,
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        args: tuple[Any, ...],
        *,
        shared: int = 0,
        carveout: int | None = None,
    ) -> None:
        device = self._runtime.device
        self._runtime.launched(lambda args: self(grid, block, args, shared=shared), args)
        self._runtime.carveouts[self.name] = carveout
        self._check_launch(grid, block, shared)
        if len(args) != len(self._parameters):
            raise EmulatorError(f"{self.name} takes {len(self._parameters)} arguments, got {len(args)}")
        for i, (arg, parameter) in enumerate(zip(args, self._parameters, strict=True)):
            _check_argument(self.name, i, arg, *parameter)
        placed = _place(args)
        used = {id(array): array for array in placed if array is not None}
        scalars = [
            np.array(arg if isinstance(arg, np.generic) else 0) for arg in args
        ]  # keeps what the pointers point to
        values = [
            scalar.ctypes.data if p is None else ctypes.addressof(p) + _Array.address.offset
            for scalar, p in zip(scalars, placed, strict=True)
        ]
        settings = _Settings(
            _Index(*grid),
            _Index(*block),
            shared,
            STATIC_SHARED,
            device.shared_per_block,
            self._runtime.next_seed(),
        )
        arrays = (ctypes.POINTER(_Array) * len(used))(*map(ctypes.pointer, used.values()))
        pointers = (ctypes.c_void_p * max(len(values), 1))(*values)
        machine = emulator(self._runtime.builds)
        self._runtime.launches.append(self.name)
        if machine.emulator_launch(ctypes.byref(settings), self._call, pointers, arrays, len(used)):
            raise EmulatorError(f"{self.name}: {machine.emulator_message().decode()}{_culprit(machine)}")

    def _check_launch(self, grid: tuple[int, ...], block: tuple[int, ...], shared: int) -> None:
        limits = (("grid", grid, MAX_GRID), ("block", block, MAX_BLOCK))
        for what, size, most in limits:
            if len(size) != 3 or not all(
                type(n) is int and 1 <= n <= m for n, m in zip(size, most, strict=True)
            ):
                raise EmulatorError(f"{self.name}: {what} is {size}, expected 1 to {most}")
        threads = int(np.prod(block))
        if threads > MAX_THREADS:
            raise EmulatorError(f"{self.name}: block {block} has more than {MAX_THREADS} threads")
        if threads > self._most_threads:
            raise EmulatorError(
                f"{self.name}: {threads} threads, its __launch_bounds__ allow {self._most_threads}"
            )
        if not 0 <= shared <= self._runtime.device.shared_per_block:
            raise EmulatorError(
                f"{self.name}: {shared} bytes of dynamic shared memory, the device has "
                f"{self._runtime.device.shared_per_block}"
            )


def _check_argument(kernel: str, i: int, arg: Any, kind: str, size: int, pointee: str) -> None:
    """TypeError unless the argument is what CUDA would have to be given for the parameter."""
    if kind == "p":
        if not isinstance(arg, DeviceArray):
            raise TypeError(f"{kernel}: argument {i} is {type(arg).__name__}, expected a device array")
        if not arg.flags.c_contiguous:
            raise TypeError(f"{kernel}: argument {i} is not C-contiguous")
        same_kind = (pointee == "f") == (arg.dtype.kind == "f")
        if size and (arg.itemsize != size or not same_kind):
            raise TypeError(
                f"{kernel}: argument {i} is {arg.dtype}, its parameter points to {pointee}{8 * size}"
            )
        return
    if not isinstance(arg, np.generic) or arg.dtype.kind != kind or arg.itemsize != size:
        given = arg.dtype if isinstance(arg, np.generic) else type(arg).__name__
        raise TypeError(f"{kernel}: argument {i} is {given}, its parameter is {kind}{8 * size}")


def _place(args: tuple[Any, ...]) -> list[_Array | None]:
    """For each array its description; the same one for the same memory."""
    placed: list[_Array | None] = []
    seen: list[tuple[DeviceArray, _Array]] = []
    for i, arg in enumerate(args):
        if not isinstance(arg, DeviceArray):
            placed.append(None)
            continue
        address = arg.__array_interface__["data"][0]
        for other, description in seen:
            if np.may_share_memory(arg, other):
                if (description.host, description.bytes) != (address, arg.nbytes):
                    raise EmulatorError(f"argument {i} overlaps another one without being the same")
                placed.append(description)
                break
        else:
            description = _Array(address, arg.nbytes, address - _allocation(arg), not arg.flags.writeable)
            seen.append((arg, description))
            placed.append(description)
    return placed


def _allocation(array: Any) -> int:
    """Where the memory begins that the array is part of; on a GPU that is well aligned."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return int(array.__array_interface__["data"][0])


def _culprit(machine: ctypes.CDLL) -> str:
    """The source line at fault, where it is known and not in the message already."""
    offset = ctypes.c_size_t()
    library = machine.emulator_culprit(ctypes.byref(offset))
    if library is None or shutil.which("addr2line") is None:
        return ""
    command = ("addr2line", "-s", "-i", "-e", library.decode(), hex(offset.value))
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
    kernels = [line for line in lines if ".cu" in line]
    return f" ({', from '.join(kernels)})" if kernels else ""


class Library:
    """A source compiled for the CPU.

    Attributes:
        kernels: for each kernel its function for the emulator, its parameters and its most threads.
    """

    def __init__(self, builds: Path, source: str | Path, defines: Mapping[str, int | str]) -> None:
        emulator(builds)  # its symbols must be there when the library is loaded
        macros = ("-DAXSIM_EMULATED", *(f"-D{key}={value}" for key, value in defines.items()))
        text = source_text(source)
        path = _build(builds, Path(source).name, text, (*_FLAGS, *_CHECKS, *macros), kernels=True)
        names = path.with_suffix(".txt").read_text(encoding="utf-8").split()
        library = ctypes.CDLL(str(path))
        self.kernels = {name: (library[f"axsim_call_{name}"], *_described(library, name)) for name in names}


def _described(library: ctypes.CDLL, name: str) -> tuple[list[tuple[str, int, str]], int]:
    parameters = (_Parameter * 64)()
    describe, bounds = library[f"axsim_describe_{name}"], library[f"axsim_bounds_{name}"]
    describe.restype = ctypes.c_size_t
    count = describe(parameters)
    return [(p.kind.decode(), p.size, p.pointee.decode()) for p in parameters[:count]], bounds()


_KERNEL = re.compile(
    r"__global__\s+void\s+__launch_bounds__\s*(?P<bounds>\((?:[^()]|\([^()]*\))*\))\s*(?P<name>\w+)\s*\("
)


def _with_entries(text: str, preprocessed: str) -> tuple[str, list[str]]:
    """The text and what Python calls for each of its kernels; their names."""
    kernels = {found["name"]: found["bounds"] for found in _KERNEL.finditer(preprocessed)}
    if len(kernels) != preprocessed.count("__global__"):
        raise EmulatorError(
            'kernels are written: extern "C" __global__ void __launch_bounds__(...) name(...)'
        )
    entries = "\n".join(f"AXSIM_ENTRY({name}, {bounds})" for name, bounds in kernels.items())
    return f"{text}\n{entries}\n", list(kernels)


@cache
def emulator(builds: Path) -> ctypes.CDLL:
    """The emulator itself, for all kernels."""
    text = (HERE / "emulator.cpp").read_text(encoding="utf-8")
    library = _build(builds, "emulator.cpp", text, (*_FLAGS, f"-I{HERE}", "-O2"), kernels=False)
    machine = ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    machine.emulator_message.restype = ctypes.c_char_p
    machine.emulator_culprit.restype = ctypes.c_char_p
    return machine


def compiler() -> str | None:
    """The C++ compiler's path, if there is one."""
    return shutil.which(os.environ.get("CXX", "g++"))


def _build(builds: Path, name: str, text: str, flags: tuple[str, ...], *, kernels: bool) -> Path:
    """The library made of a text, if it is not there already; beside it a file with its kernels' names."""
    cxx = compiler()
    assert cxx is not None
    headers = "".join((HERE / name).read_text(encoding="utf-8") for name in ("emulator.h", "cuda_on_cpu.h"))
    digest = hashlib.sha256("\0".join((cxx, headers, text, *flags)).encode()).hexdigest()[:24]
    library = builds / f"{digest}.so"
    if library.exists():
        return library
    with TemporaryDirectory(dir=builds) as folder:
        source, binary, made, names = (Path(folder) / n for n in (name, "binary.o", "made.so", "names.txt"))
        source.write_text(text, encoding="utf-8")
        if kernels:
            whole, found = _with_entries(text, _run(cxx, *flags, "-E", "-P", "-x", "c++", str(source)))
            source.write_text(whole, encoding="utf-8")
            names.write_text("\n".join(found), encoding="utf-8")
            names.replace(library.with_suffix(".txt"))
            flags = (*flags, "-include", str(HERE / "cuda_on_cpu.h"))
        _run(cxx, *flags, "-c", "-x", "c++", str(source), "-o", str(binary))
        # Linked without -fsanitize: no run-time library but the emulator's own reports.
        _run(cxx, "-shared", str(binary), "-o", str(made))
        made.replace(library)
    return library


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise EmulatorError(f"g++ does not take the source:\n{done.stderr}")
    return done.stdout

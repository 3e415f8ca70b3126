"""CUDA sources as NVRTC takes them, and the files that machine code is kept in."""

from __future__ import annotations

import errno
import os
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from test_nvcc import SAMPLES

from axsim import files
from axsim.engines.gpu.runtime import compiler
from axsim.engines.gpu.runtime.sources import SOURCES, source_text
from tests import nvrtc


class RecordedCupy:
    """What ``loaded`` uses of CuPy; it counts compilations."""

    __version__ = "1.2.3"

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.nvrtc, self.driver = (12, 9), 12090
        self.cuda = SimpleNamespace(
            compiler=SimpleNamespace(compile_using_nvrtc=self.compile),
            nvrtc=SimpleNamespace(getVersion=lambda: self.nvrtc),
            runtime=SimpleNamespace(driverGetVersion=lambda: self.driver),
            driver=SimpleNamespace(CUDADriverError=ZeroDivisionError),
        )

    def compile(self, *call: Any, cache_in_memory: bool) -> tuple[bytes, None]:
        assert cache_in_memory
        self.calls.append(call)
        return b"code %d" % len(self.calls), None


def file_of(cupy: Any, text: str, macros: tuple[str, ...], capability: tuple[int, int]) -> Path:
    """The file that is loaded."""
    return compiler.loaded(cupy, text, macros, capability, lambda path: path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("AXSIM_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(files, "_warned", set())
    folders: list[Any] = []
    monkeypatch.setattr(compiler, "_folders", folders)
    monkeypatch.setattr(compiler, "_made_here", {})
    yield tmp_path
    for own in folders:
        own.cleanup()


def test_code_is_compiled_once_for_text_macros_capability_and_versions(folder: Path) -> None:
    cupy = RecordedCupy()
    first = file_of(cupy, "text", ("-DA=1",), (9, 0))
    assert first.parent == folder / "kernels"
    assert first.read_bytes() == b"code 1\0"
    assert file_of(cupy, "text", ("-DA=1",), (9, 0)) == first
    assert cupy.calls == [("text", (*compiler.OPTIONS, "-DA=1"))]
    others = [("text2", ("-DA=1",), (9, 0)), ("text", ("-DA=2",), (9, 0)), ("text", ("-DA=1",), (8, 0))]
    assert len({first, *(file_of(cupy, *other) for other in others)}) == 4
    cupy.__version__ = "1.2.4"
    assert file_of(cupy, "text", ("-DA=1",), (9, 0)).read_bytes() == b"code 5\0"
    cupy.nvrtc = 13, 0
    assert file_of(cupy, "text", ("-DA=1",), (9, 0)).read_bytes() == b"code 6\0"
    cupy.driver = 13000
    assert file_of(cupy, "text", ("-DA=1",), (9, 0)).read_bytes() == b"code 7\0"
    assert not [path for path in first.parent.iterdir() if path.suffix != ".cubin"]


def test_subnormal_numbers_are_not_flushed(folder: Path) -> None:
    assert not [option for option in compiler.OPTIONS if "ftz" in option or "fast" in option]


def test_without_a_home_folder_code_is_compiled(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "cache_directory", lambda: None)
    cupy = RecordedCupy()
    with pytest.warns(RuntimeWarning, match="there is no home folder"):
        path = file_of(cupy, "homeless", (), (9, 0))
    assert file_of(cupy, "homeless", (), (9, 0)) == path
    assert len(cupy.calls) == 1


@pytest.mark.parametrize("kind", ["pipe", "device", "empty", "folder"])
def test_what_is_no_file_of_code_is_not_opened(folder: Path, kind: str) -> None:
    cupy = RecordedCupy()
    path = file_of(cupy, "text", (), (9, 0))
    path.unlink()
    make = {
        "pipe": lambda: os.mkfifo(path),
        "device": lambda: path.symlink_to("/dev/zero"),
        "empty": path.touch,
        "folder": path.mkdir,
    }
    make[kind]()
    if kind == "folder":  # which no file can replace
        with pytest.warns(RuntimeWarning, match="compiled anew"):
            path = file_of(cupy, "text", (), (9, 0))
    else:
        assert file_of(cupy, "text", (), (9, 0)) == path
    assert path.read_bytes() == b"code 2\0"


def test_a_cache_that_cannot_be_written_costs_a_compilation_in_every_process(folder: Path) -> None:
    (folder / "kernels").write_text("in the way of the directory")
    cupy = RecordedCupy()
    with pytest.warns(RuntimeWarning, match=r"compiled anew in every process.*AXSIM_CACHE_DIR"):
        path = file_of(cupy, "text", (), (9, 0))
    other = file_of(cupy, "other text", (), (9, 0))  # and no second warning
    assert other.read_bytes() == b"code 2\0"
    assert path.read_bytes() == b"code 1\0"
    assert folder not in path.parents
    assert file_of(cupy, "text", (), (9, 0)) == path
    assert len(cupy.calls) == 2


def test_an_unreadable_cache_costs_a_compilation_in_every_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(function: Any) -> Any:
        def call(path: Any, *args: Any, **kwargs: Any) -> Any:
            if folder in Path(path).parents:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return function(path, *args, **kwargs)

        return call

    for name in ("stat", "mkdir", "open"):  # whoever runs the tests may be allowed everything
        monkeypatch.setattr(os, name, refused(getattr(os, name)))
    cupy = RecordedCupy()
    with pytest.warns(RuntimeWarning, match=r"compiled anew in every process.*Permission denied"):
        path = file_of(cupy, "text", (), (9, 0))
    assert folder not in path.parents
    assert file_of(cupy, "text", (), (9, 0)) == path
    assert len(cupy.calls) == 1


def test_a_damaged_file_that_cannot_be_replaced_is_made_once_for_this_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cupy = RecordedCupy()
    kept = file_of(cupy, "text", (), (9, 0))
    kept.write_bytes(b"damaged")
    replace = compiler.replace_file

    def only_elsewhere(path: Path, code: bytes) -> Path:
        if folder in path.parents:
            raise OSError(f"{path} cannot be written: Read-only file system")
        return replace(path, code)

    def load(path: Path) -> Path:
        if path.read_bytes() == b"damaged":
            raise ZeroDivisionError
        return path

    monkeypatch.setattr(compiler, "replace_file", only_elsewhere)
    with pytest.warns(RuntimeWarning, match="Read-only"):
        path = compiler.loaded(cupy, "text", (), (9, 0), load)
    assert path.read_bytes() == b"code 2\0"
    assert compiler.loaded(cupy, "text", (), (9, 0), load) == path
    assert len(cupy.calls) == 2


def test_no_temporary_folder_is_made_that_nothing_is_put_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "no such folder"))
    path = file_of(RecordedCupy(), "text", (), (9, 0))
    assert path.parent == folder / "kernels"


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """CuPy, where it finds NVRTC, as if there were an H100; that needs no GPU."""
    found = pytest.importorskip("cupy")
    try:
        found.cuda.compiler._get_nvrtc_version()
    except (ImportError, RuntimeError, OSError) as problem:
        pytest.skip(f"CuPy finds no NVRTC: {str(problem).splitlines()[0]}")
    monkeypatch.setattr(
        found.cuda.compiler, "_get_arch_for_options_for_nvrtc", lambda arch=None: ("-arch=sm_90", "cubin")
    )
    return found


@pytest.fixture
def as_cupy() -> Any:
    """NVRTC alone, which answers as CuPy does."""
    if nvrtc.library() is None:
        pytest.skip("NVRTC is not installed: pip install nvidia-cuda-nvrtc-cu12, or the CUDA toolkit")
    return nvrtc.as_cupy("sm_90")


def beyond_the_end(image: bytes) -> list[str]:
    """The parts of a 64-bit ELF image that its headers place beyond its last byte."""
    assert image.startswith(b"\x7fELF\x02\x01")
    segments, sections = struct.unpack_from("<QQ", image, 32)
    size, count, section_size, section_count = struct.unpack_from("<HHHH", image, 54)
    parts = {
        "program headers": segments + size * count,
        "section headers": sections + section_size * section_count,
    }
    if not any(end > len(image) for end in parts.values()):
        for i in range(section_count):
            kind, offset, length = struct.unpack_from("<4xI16xQQ", image, sections + i * section_size)
            parts[f"section {i}"] = 0 if kind == 8 else offset + length  # SHT_NOBITS takes no place
        for i in range(count):
            offset, length = struct.unpack_from("<8xQ16xQ", image, segments + i * size)
            parts[f"segment {i}"] = offset + length
    return [f"{part} ends at {end} of {len(image)}" for part, end in parts.items() if end > len(image)]


def macros_of(source: str) -> tuple[str, ...]:
    return tuple(f"-D{define}" for define in SAMPLES[source][0].split(",") if define)


@pytest.mark.parametrize("source", sorted(path.name for path in SOURCES.glob("*.cu")))
def test_files_of_code_are_whole(as_cupy: Any, source: str, folder: Path) -> None:
    path = file_of(as_cupy, source_text(source), macros_of(source), (9, 0))
    assert beyond_the_end(path.read_bytes()) == []


def test_files_of_code_are_whole_from_cupy(cupy: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "no such folder"))  # nor does CuPy make one
    path = file_of(cupy, source_text("quantize.cu"), macros_of("quantize.cu"), (9, 0))
    assert beyond_the_end(path.read_bytes()) == []


def test_cupy_takes_the_last_byte_away(cupy: Any, as_cupy: Any) -> None:
    """Or else axsim need not bring it back."""
    text = 'extern "C" __global__ void nothing() {}'
    for place in (cupy, as_cupy):
        code, _ = place.cuda.compiler.compile_using_nvrtc(text, compiler.OPTIONS)
        assert beyond_the_end(code)
        assert beyond_the_end(code + b"\0") == []

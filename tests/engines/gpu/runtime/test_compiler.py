"""CUDA sources as NVRTC takes them, and the files that machine code is kept in."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from test_nvcc import SAMPLES

from axsim import files
from axsim.engines.gpu.runtime import compiler
from axsim.engines.gpu.runtime.sources import SOURCES, source_text


class RecordedCupy:
    """What ``machine_code`` uses of CuPy; it counts compilations."""

    __version__ = "1.2.3"

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.cuda = SimpleNamespace(compiler=SimpleNamespace(compile_using_nvrtc=self.compile))

    def compile(self, *call: Any) -> tuple[bytes, None]:
        self.calls.append(call)
        return b"code %d" % len(self.calls), None


@pytest.fixture
def folder(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AXSIM_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(files, "_warned", set())
    of_this_process = SimpleNamespace(name=str(tmp_path_factory.mktemp("own")))
    monkeypatch.setattr(compiler, "_own", lambda: of_this_process)
    return tmp_path


def test_code_is_compiled_once_for_text_macros_capability_and_version(folder: Path) -> None:
    cupy = RecordedCupy()
    first = compiler.machine_code(cupy, "text", ("-DA=1",), (9, 0))
    assert first.parent == folder / "kernels"
    assert first.read_bytes() == b"code 1"
    assert compiler.machine_code(cupy, "text", ("-DA=1",), (9, 0)) == first
    assert cupy.calls == [("text", (*compiler.OPTIONS, "-DA=1"))]
    others = [("text2", ("-DA=1",), (9, 0)), ("text", ("-DA=2",), (9, 0)), ("text", ("-DA=1",), (8, 0))]
    assert len({first, *(compiler.machine_code(cupy, *other) for other in others)}) == 4
    cupy.__version__ = "1.2.4"
    assert compiler.machine_code(cupy, "text", ("-DA=1",), (9, 0)).read_bytes() == b"code 5"
    assert not [path for path in first.parent.iterdir() if path.suffix != ".cubin"]


def test_subnormal_numbers_are_not_flushed(folder: Path) -> None:
    assert not [option for option in compiler.OPTIONS if "ftz" in option or "fast" in option]


def test_without_a_home_folder_code_is_compiled(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "cache_directory", lambda: None)
    cupy = RecordedCupy()
    with pytest.warns(RuntimeWarning, match="there is no home folder"):
        path = compiler.machine_code(cupy, "homeless", (), (9, 0))
    assert compiler.machine_code(cupy, "homeless", (), (9, 0)) == path
    assert len(cupy.calls) == 1


@pytest.mark.parametrize("kind", ["pipe", "device", "empty", "folder"])
def test_what_is_no_file_of_code_is_not_opened(folder: Path, kind: str) -> None:
    cupy = RecordedCupy()
    path = compiler.machine_code(cupy, "text", (), (9, 0))
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
            path = compiler.machine_code(cupy, "text", (), (9, 0))
    else:
        assert compiler.machine_code(cupy, "text", (), (9, 0)) == path
    assert path.read_bytes() == b"code 2"


def test_a_cache_that_cannot_be_written_costs_a_compilation_in_every_process(folder: Path) -> None:
    (folder / "kernels").write_text("in the way of the directory")
    cupy = RecordedCupy()
    with pytest.warns(RuntimeWarning, match=r"compiled anew in every process.*AXSIM_CACHE_DIR"):
        path = compiler.machine_code(cupy, "text", (), (9, 0))
    other = compiler.machine_code(cupy, "other text", (), (9, 0))  # and no second warning
    assert other.read_bytes() == b"code 2"
    assert path.read_bytes() == b"code 1"
    assert folder not in path.parents
    assert compiler.machine_code(cupy, "text", (), (9, 0)) == path
    assert len(cupy.calls) == 2


@pytest.fixture(scope="module")
def cupy() -> Any:
    """CuPy, where it finds NVRTC; that needs no GPU."""
    found = pytest.importorskip("cupy")
    try:
        found.cuda.compiler._get_nvrtc_version()
    except (ImportError, RuntimeError, OSError) as problem:
        pytest.skip(f"CuPy finds no NVRTC: {str(problem).splitlines()[0]}")
    return found


@pytest.mark.parametrize("source", sorted(path.name for path in SOURCES.glob("*.cu")))
def test_nvrtc(cupy: Any, source: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the runtime has it compiled, as if there were an H100."""
    monkeypatch.setattr(
        cupy.cuda.compiler, "_get_arch_for_options_for_nvrtc", lambda arch=None: ("-arch=sm_90", "cubin")
    )
    macros = tuple(f"-D{define}" for define in SAMPLES[source][0].split(",") if define)
    path = compiler.machine_code(cupy, source_text(source), macros, (9, 0))
    assert path.read_bytes().startswith(b"\x7fELF")

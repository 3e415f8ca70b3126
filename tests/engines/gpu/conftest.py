"""The emulated GPU of this folder's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from axsim.engines.gpu.runtime.current import using
from tests.cuda_emulator.emulated_runtime import EmulatedRuntime, compiler


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where kernels that were compiled for the CPU are kept; the processes of one run share it."""
    if compiler() is None:
        pytest.skip("no C++ compiler: the CUDA sources cannot be compiled for the CPU")
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if base.name.startswith("popen-") else base) / "cuda-on-cpu"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def emulated(builds: Path) -> Iterator[EmulatedRuntime]:
    """An emulated H100, which ``current()`` gives; ``emulated.on(device)`` is another GPU."""
    with using(EmulatedRuntime(builds)) as runtime:
        yield runtime

"""What `axsim doctor` says of a GPU, and where there is none."""

from __future__ import annotations

import pytest

from axsim.cli import doctor
from axsim.engines.gpu.report import findings
from axsim.engines.gpu.runtime import cupy_runtime
from axsim.errors import GpuUnavailableError
from tests.cuda_emulator.emulated_runtime import HOPPER, TURING


def test_limits_and_the_kernels_chosen() -> None:
    (subject, gpu), *look_ups = findings(HOPPER)
    assert subject == "GPU"
    for expected in ("emulated H100, capability 9.0, 132 multiprocessors", "227 KiB of shared memory for a"):
        assert expected in gpu
    assert {subject for subject, _ in look_ups} == {"GPU look-ups"}
    assert any(
        "4096 x 4096 by 4096 x 4096: gather_columns, tiles of 1408 by 32, the table in shared" in finding
        for _, finding in look_ups
    )
    assert all("the table in global memory" in finding for _, finding in findings(TURING)[1:])


def test_the_doctor_says_why_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise GpuUnavailableError("CuPy is on holiday")

    monkeypatch.setattr(cupy_runtime, "current_device_runtime", refuse)
    assert dict(doctor.report())["GPU"] == "none in use: CuPy is on holiday"
    with pytest.raises(GpuUnavailableError, match="holiday; `axsim doctor` says more"):
        refuse()

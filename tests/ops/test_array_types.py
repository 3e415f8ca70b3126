"""Which arrays operations take, and what comes back (axsim/arrays.py)."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from drawn_arrays import integers

import axsim
from axsim.engines.backend import accept

A, B = integers(1, (3, 4), np.uint8), integers(2, (4, 5), np.uint8)


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


def test_numpy_arrays_are_passed_through() -> None:
    a, b = accept(a=A, b=B).arrays
    assert a is A
    assert b is B


def test_scalars_in_scalar_out() -> None:
    product = axsim.multiply(np.uint8(7), np.uint8(9))
    assert isinstance(product, np.int32)
    assert product == 63


def test_memory_maps_and_views_are_arrays(tmp_path: Any) -> None:
    np.save(tmp_path / "a.npy", A)
    assert np.array_equal(axsim.matmul(np.load(tmp_path / "a.npy", mmap_mode="r"), B), axsim.matmul(A, B))


def test_tensors_in_tensors_out(torch: Any) -> None:
    a, b = torch.from_numpy(A), torch.from_numpy(B)
    out = axsim.matmul(a, b, "L40")
    assert out.dtype == torch.int32
    assert np.array_equal(out.numpy(), axsim.matmul(A, B, "L40"))
    assert axsim.matmul(a.float(), b.float()).dtype == torch.float32
    assert axsim.matmul(a.double(), b.double(), out_dtype=torch.float32).dtype == torch.float32
    assert axsim.matmul(a, b, out_dtype=torch.int64).dtype == torch.int64
    assert axsim.multiply(a[0, 0], b[0, 0]).shape == ()
    x, w = torch.zeros(2, 3, 8, 8, dtype=torch.uint8), torch.zeros(4, 3, 3, 3, dtype=torch.int8)
    assert axsim.conv2d(x, w, bias=torch.ones(4, dtype=torch.int32)).shape == (2, 4, 6, 6)


def test_tensors_of_any_strides(torch: Any) -> None:
    a, b = torch.from_numpy(A).T.contiguous().T, torch.from_numpy(B)
    assert np.array_equal(axsim.matmul(a, b).numpy(), axsim.matmul(A, B))
    x = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    w = torch.randint(0, 256, (4, 3, 3, 3), dtype=torch.uint8)
    last = x.to(memory_format=torch.channels_last)
    assert torch.equal(axsim.conv2d(last, w, "L40"), axsim.conv2d(x, w, "L40"))


def test_tensors_share_memory_on_the_way_in(torch: Any) -> None:
    tensor = torch.from_numpy(A)
    (a,) = accept(a=tensor).arrays
    assert a.ctypes.data == tensor.data_ptr()


def test_mixing_is_refused(torch: Any) -> None:
    with pytest.raises(
        TypeError, match=r"b is a numpy.ndarray, but a is a torch tensor.*torch.from_numpy\(b\)"
    ):
        axsim.matmul(torch.from_numpy(A), B)
    with pytest.raises(TypeError, match=r"a is a numpy.ndarray, but b is a torch tensor"):
        axsim.multiply(A, torch.from_numpy(A))


def test_gradients_are_not_dropped_in_silence(torch: Any) -> None:
    a = torch.ones(3, 4, requires_grad=True)
    with pytest.raises(TypeError, match=r"a requires gradients.*a.detach\(\)"):
        axsim.matmul(a, torch.ones(4, 2))
    assert axsim.matmul(a.detach(), torch.ones(4, 2)).shape == (3, 2)


def test_other_devices_are_refused(torch: Any) -> None:
    with pytest.raises(TypeError, match=r"a is on device meta.*a.cpu\(\)"):
        axsim.matmul(torch.ones(3, 4, device="meta"), torch.ones(4, 2))


def test_types_that_numpy_has_not_are_refused(torch: Any) -> None:
    with pytest.raises(TypeError, match=r"a is float8_e4m3fn.*expected uint8, int8, float32 or float64"):
        axsim.matmul(torch.ones(3, 4).to(torch.float8_e4m3fn), torch.ones(4, 2))


@pytest.mark.parametrize("bad", [[[1, 2]], 3, None, "12"])
def test_what_is_no_array_is_refused(bad: Any) -> None:
    with pytest.raises(TypeError, match=r"a is a .*expected a NumPy array, a torch tensor or a CuPy array"):
        axsim.multiply(bad, B)


def test_masks_are_not_ignored_in_silence() -> None:
    with pytest.raises(TypeError, match=r"b is a masked array.*b.filled\(0\)"):
        axsim.multiply(B, np.ma.masked_array(B))


def test_torch_is_not_imported_for_numpy() -> None:
    code = (
        "import sys, numpy, axsim; a = numpy.ones((2, 2), numpy.float32); axsim.matmul(a, a); "
        "sys.exit(any(m in sys.modules for m in ('torch', 'cupy', 'matplotlib', 'sklearn')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

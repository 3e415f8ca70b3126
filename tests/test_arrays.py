"""The door for arrays: every function that takes arrays takes them through it (axsim/arrays.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import axsim
from axsim import circuits
from axsim.arrays import as_array, on_host, widened
from axsim.multipliers.float_formats import BFLOAT16
from axsim.tables import ProductTable
from axsim.tables.factor import Factors

BYTES = np.arange(16, dtype=np.uint8).reshape(4, 4)
FLOATS = BYTES.astype(np.float32)
IMAGE, FILTERS = BYTES[None, None], BYTES[None, None, :2, :2]
PARAMS = axsim.quantize.QuantParams(1.0, 0, 0, 255)

Call = Callable[[Any], Any]

# A call of each function with one array, and an array that it takes.
ENTRANCES: dict[str, tuple[Call, np.ndarray]] = {
    "matmul a": (lambda x: axsim.matmul(x, BYTES), BYTES),
    "matmul b": (lambda x: axsim.matmul(BYTES, x), BYTES),
    "multiply": (lambda x: axsim.multiply(x, BYTES), BYTES),
    "conv2d x": (lambda x: axsim.conv2d(x, FILTERS), IMAGE),
    "conv2d w": (lambda x: axsim.conv2d(IMAGE, x), FILTERS),
    "conv2d bias": (lambda x: axsim.conv2d(IMAGE, FILTERS, bias=x), np.zeros(1, np.int32)),
    "float matmul": (lambda x: axsim.matmul(x, FLOATS, "axfpm"), FLOATS),
    "explain": (lambda x: axsim.explain(x, BYTES), BYTES),
    "affine": (axsim.quantize.affine, FLOATS),
    "symmetric": (axsim.quantize.symmetric, FLOATS),
    "quantize": (lambda x: axsim.quantize.quantize(x, PARAMS), FLOATS),
    "dequantize": (lambda x: axsim.quantize.dequantize(x, PARAMS), BYTES),
    "QuantParams scale": (lambda x: axsim.quantize.QuantParams(x, [0, 0], 0, 255, 0), np.ones(2)),
    "QuantParams zero_point": (lambda x: axsim.quantize.QuantParams([1, 1], x, 0, 255, 0), np.zeros(2, int)),
    "Multiplier a": (lambda x: axsim.get("L40")(x, BYTES), BYTES),
    "Multiplier b": (lambda x: axsim.get("L40")(BYTES, x), BYTES),
    "FloatMultiplier a": (lambda x: axsim.get("axfpm")(x, FLOATS), FLOATS),
    "FloatMultiplier b": (lambda x: axsim.get("axfpm")(FLOATS, x), FLOATS),
    "FloatMultiplier.operand": (axsim.get("bfloat16").operand, FLOATS),
    "significand_product": (lambda x: axsim.get("axfpm").significand_product(x, 3), BYTES),
    "FloatFormat.round": (BFLOAT16.round, FLOATS),
    "FloatFormat.decompose": (BFLOAT16.decompose, FLOATS),
    "register": (lambda x: axsim.register("door", x, overwrite=True), BYTES),
    "register a function": (
        lambda x: axsim.register("door", lambda a, b: x, a_bits=2, b_bits=2, overwrite=True),
        BYTES,
    ),
    "ProductTable": (lambda x: ProductTable(x, 2, 2, 8), BYTES),
    "ProductTable.from_array": (ProductTable.from_array, BYTES),
    "Factors": (lambda x: Factors(x, BYTES, np.zeros(4, int)), BYTES),
    "Netlist": (lambda x: circuits.exact(8)(x, BYTES), BYTES),
}


@pytest.fixture(autouse=True)
def _empty_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(axsim.multipliers.registry, "_registered", {})


@pytest.mark.parametrize(("call", "array"), ENTRANCES.values(), ids=ENTRANCES)
def test_no_mask_is_ignored(call: Call, array: np.ndarray) -> None:
    call(array)
    with pytest.raises(TypeError, match=r"is a masked array.*filled\(0\)"):
        call(np.ma.masked_array(array, array > 9))


@pytest.mark.parametrize(
    "name", ["affine", "symmetric", "quantize", "FloatMultiplier a", "FloatMultiplier b", "FloatFormat.round"]
)
def test_tensors_that_require_gradients_are_refused_while_these_are_recorded(name: str) -> None:
    torch = pytest.importorskip("torch")
    call, array = ENTRANCES[name]
    with pytest.raises(TypeError, match="requires gradients"):
        call(torch.nn.Parameter(torch.from_numpy(array)))


def test_masks_in_lists_are_seen() -> None:
    masked = np.ma.masked_array([1, 2], [True, False])
    with pytest.raises(TypeError, match=r"^a\[1\]\[0\] is a masked array"):
        axsim.get("L40")([[3], [masked]], 3)


def test_arrays_share_their_memory_and_lists_become_arrays() -> None:
    assert as_array("x", BYTES) is BYTES
    assert as_array("x", [1, 2]).tolist() == [1, 2]
    assert as_array("x", 3).shape == ()


def bfloat16_of(bits: np.ndarray) -> list[Any]:
    """The numbers with these bits in each library that has bfloat16."""
    torch = pytest.importorskip("torch")
    arrays = [torch.from_numpy(bits.view(np.int16)).view(torch.bfloat16)]
    try:
        import ml_dtypes
    except ImportError:
        return arrays
    return [*arrays, bits.view(ml_dtypes.bfloat16)]


def test_all_bfloat16_numbers_come_in_as_they_are() -> None:
    bits = np.arange(2**16, dtype=np.uint16).reshape(256, 256)
    expected = (bits.astype(np.uint32) << 16).view(np.float32)
    for array in bfloat16_of(bits):
        (found,), _ = on_host(x=array)
        assert found.dtype == np.float32
        assert np.array_equal(found.view(np.uint32), expected.view(np.uint32))
        assert np.array_equal(as_array("x", array[::2].T).view(np.uint32), expected[::2].T.view(np.uint32))
    assert np.array_equal(widened(bits).view(np.uint32), expected.view(np.uint32))


def test_bfloat16_operands() -> None:
    a = np.linspace(-3, 3, 12, dtype=np.float32).reshape(3, 4)
    a = BFLOAT16.round(a).astype(np.float32)
    expected = axsim.matmul(a, a.T, "bfloat16")
    bits = (a.view(np.uint32) >> 16).astype(np.uint16)
    for left in bfloat16_of(bits):
        assert np.array_equal(axsim.matmul(left, left.T, "bfloat16"), expected)
        assert np.array_equal(axsim.get("bfloat16")(left, left), axsim.get("bfloat16")(a, a))
        # Quantised like the float32 numbers that they are.
        assert np.array_equal(axsim.matmul(left, left.T, "L40"), axsim.matmul(a, a.T, "L40"))
        assert axsim.quantize.affine(left).scale == axsim.quantize.affine(a).scale


def test_parameters_are_tensors_while_no_gradients_are_recorded() -> None:
    torch = pytest.importorskip("torch")
    x, weight = torch.ones(2, 3), torch.nn.Parameter(torch.full((3, 2), 0.5))
    with torch.no_grad():
        out = axsim.matmul(x, weight, "L40")
    assert torch.equal(out, axsim.matmul(x, weight.detach(), "L40"))
    with torch.inference_mode():
        assert torch.equal(axsim.matmul(x, weight, "L40"), out)
    with pytest.raises(TypeError, match=r"b requires gradients.*torch.no_grad\(\)"):
        axsim.matmul(x, weight, "L40")


def test_a_conjugates_sign_is_not_lost() -> None:
    torch = pytest.importorskip("torch")
    x = torch.complex(torch.ones(2, 2), torch.full((2, 2), 3.0)).conj().imag
    assert x.is_neg()
    assert torch.equal(axsim.multiply(x, x, "float32"), torch.full((2, 2), 9.0))
    assert torch.equal(axsim.multiply(x, torch.ones(2, 2), "float32"), torch.full((2, 2), -3.0))

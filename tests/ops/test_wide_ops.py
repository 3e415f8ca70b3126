"""Operations through circuits with operands wider than a byte."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

import axsim
from axsim.circuits import baugh_wooley, exact, truncated
from axsim.errors import AccumulatorOverflowError
from axsim.multipliers import registry

RNG = np.random.default_rng(7)


def integers(low: int, high: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return RNG.integers(low, high, shape, endpoint=True).astype(dtype)


@pytest.mark.parametrize(
    ("name", "low", "high", "dtype"),
    [
        ("exact9x8", -255, 255, "int16"),
        ("exact12", -4095, 4095, "int16"),
        ("exact10s", -512, 511, "int16"),
        ("exact16", -65535, 65535, "int32"),
        ("exact16s", -32768, 32767, "int32"),
        ("tiled16[exact8]", -65535, 65535, "int32"),
        ("exact12x4", -15, 15, "int16"),
    ],
)
def test_exact_circuits_give_numpys_products(name: str, low: int, high: int, dtype: str) -> None:
    a, b = integers(low, high, (2, 5, 6), dtype), integers(low, high, (6, 3), dtype)
    expected = a.astype(np.int64) @ b.astype(np.int64)
    for engine in ("auto", "reference"):
        found = axsim.matmul(a, b, name, out_dtype="int64", engine=engine)
        assert found.dtype == np.int64
        np.testing.assert_array_equal(found, expected)
    bias = np.array([1, -2, 3])
    np.testing.assert_array_equal(axsim.matmul(a, b, name, bias=bias, out_dtype="int64"), expected + bias)
    np.testing.assert_array_equal(axsim.matmul(a[0, 0], b[:, 0], name, out_dtype="int64"), expected[0, 0, 0])
    wide = axsim.multiply(a[..., :3], a[..., 3:], name, out_dtype="int64")
    np.testing.assert_array_equal(wide, a[..., :3].astype(np.int64) * a[..., 3:])
    prepared = axsim.prepare(b, name)
    assert pickle.loads(pickle.dumps(prepared)).values.dtype == dtype
    np.testing.assert_array_equal(axsim.matmul(a, prepared, out_dtype="int64"), expected)


def test_tables_of_bytes_and_wide_ones_agree() -> None:
    a, b = integers(0, 255, (9, 8), "uint8"), integers(-15, 15, (8, 4), "int8")
    by_bytes = axsim.matmul(a, b, "exact12x4")
    np.testing.assert_array_equal(axsim.matmul(a.astype("int16"), b, "exact12x4"), by_bytes)
    np.testing.assert_array_equal(axsim.matmul(a.astype("int32"), b.astype("int32"), "exact12x4"), by_bytes)


def test_conv2d() -> None:
    x, w = integers(-4095, 4095, (2, 4, 6, 5), "int16"), integers(-4095, 4095, (6, 2, 3, 3), "int16")
    torch = pytest.importorskip("torch")
    wanted = torch.nn.functional.conv2d(
        torch.from_numpy(x).double(), torch.from_numpy(w).double(), padding=1, stride=2, groups=2
    )
    bias = np.arange(6)
    options = {"padding": 1, "stride": 2, "groups": 2, "out_dtype": "int64"}
    expected = wanted.numpy().astype(np.int64)
    np.testing.assert_array_equal(axsim.conv2d(x, w, "exact12", **options), expected)
    np.testing.assert_array_equal(
        axsim.conv2d(x, w, "exact12", bias=bias, **options), expected + bias[:, None, None]
    )
    prepared = axsim.prepare(w, "exact12", operation="conv2d", groups=2)
    np.testing.assert_array_equal(axsim.conv2d(x, prepared, **options), expected)
    from_torch = axsim.conv2d(torch.from_numpy(x), torch.from_numpy(w), "exact12", **options)
    assert from_torch.dtype == torch.int64
    np.testing.assert_array_equal(from_torch.numpy(), expected)


@pytest.mark.parametrize("name", ["trunc12_5", "tiled16[L40]", "exact10s", "exact16"])
@pytest.mark.parametrize("quantization", [None, "symmetric", "sign-magnitude"])
def test_floats_follow_the_same_rules(name: str, quantization: str | None) -> None:
    """Quantised by hand and summed as integers, with the zero points' part, they are the same numbers."""
    a, b = RNG.normal(size=(5, 7)).astype(np.float32), RNG.normal(size=(7, 3)).astype(np.float32)
    found = axsim.matmul(a, b, name, a_quant=quantization, b_quant=quantization)
    m = axsim.get(name)
    if quantization is None:
        params = [axsim.quantize.affine(side, signed=m.signed) for side in (a, b)]
    else:
        wide_sign = quantization == "sign-magnitude" and not m.signed
        params = [axsim.quantize.symmetric(side, bits=9 if wide_sign else 8) for side in (a, b)]
    qa, qb = (axsim.quantize.quantize(side, p) for side, p in zip((a, b), params, strict=True))
    za, zb = (int(p.zero_point) for p in params)
    sums = axsim.matmul(qa, qb, name, out_dtype="int64")
    rows, columns = qa.astype(np.int64).sum(1)[:, None], qb.astype(np.int64).sum(0)
    bracket = sums - zb * rows - za * columns + 7 * za * zb
    expected = (bracket * params[0].scale * params[1].scale).astype(np.float32)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32
    prepared = axsim.prepare(b, name, b_quant=quantization)
    np.testing.assert_array_equal(axsim.matmul(a, prepared, a_quant=quantization), found)
    pair = (qb, params[1])
    np.testing.assert_array_equal(axsim.matmul(a, pair, name, a_quant=quantization), found)


def test_padding_of_floats_is_the_zero_point() -> None:
    x = RNG.random((1, 1, 4, 4)).astype(np.float32) - 0.3
    w = RNG.normal(size=(2, 1, 3, 3)).astype(np.float32)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    for name in ("trunc12_5", "tiled16[L40]"):
        found = axsim.conv2d(x, w, name, padding=1)
        np.testing.assert_array_equal(found, axsim.conv2d(padded, w, name))


def test_a_circuit_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "wide.blif"
    axsim.circuits.write_blif(truncated(11, 6), path)
    mine = axsim.read(path)
    a, b = integers(0, 2047, (3, 4), "int16"), integers(0, 2047, (4, 2), "int16")
    expected = truncated(11, 6)(a[:, :, None], b).sum(axis=1)
    np.testing.assert_array_equal(axsim.matmul(a, b, mine, out_dtype="int64"), expected)


@pytest.mark.parametrize(
    ("a", "says"),
    [
        (np.array([[4096]], np.int16), "a holds 4096, but exact12 takes -4095 to 4095 from int16"),
        (np.array([[-5000]], np.int32), "a holds -5000, but exact12 takes -4095 to 4095 from int32"),
    ],
)
def test_operands_out_of_range(a: np.ndarray, says: str) -> None:
    for call in (axsim.matmul, axsim.multiply):
        with pytest.raises(ValueError, match=says):
            call(a, np.array([[1]], np.int16), "exact12")
    with pytest.raises(ValueError, match=says.replace("a holds", "w holds")):
        axsim.prepare(a, "exact12")


def test_signed_wide_circuits_take_twos_complement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    axsim.register("s12x4", baugh_wooley(12, 4))
    a = np.array([-2048, 2047], np.int16)
    b = np.array([-8, 7], np.int8)
    assert axsim.multiply(a, b, "s12x4").tolist() == [16384, 14329]
    with pytest.raises(ValueError, match="b holds 8, but s12x4 takes -8 to 7 from int16"):
        axsim.multiply(a, np.array([8, 8], np.int16), "s12x4")


def test_types_that_are_refused() -> None:
    ones = np.ones((2, 2), np.int64)
    with pytest.raises(TypeError, match=r"a is int64, expected .* cast it to int32 if the values fit"):
        axsim.matmul(ones, ones, "exact12")
    with pytest.raises(TypeError, match="a is uint16"):
        axsim.matmul(ones.astype("uint16"), ones.astype("int16"), "exact12")
    with pytest.raises(TypeError, match="a is int32"):
        axsim.matmul(ones.astype("int32"), ones.astype("int32"), "L40")
    with pytest.raises(TypeError, match="a is float32 and b is int16"):
        axsim.matmul(ones.astype("float32"), ones.astype("int16"), "exact12")
    with pytest.raises(TypeError, match="out_dtype is float32"):
        axsim.matmul(ones.astype("int16"), ones.astype("int16"), "exact12", out_dtype="float32")


def test_sums_that_could_overflow_are_refused() -> None:
    a = np.ones((2, 200), np.int16)
    assert axsim.matmul(a[:, :128], a[:, :128].T, "exact12").dtype == np.int32
    with pytest.raises(AccumulatorOverflowError, match="200 products of exact12, each up to 16769025"):
        axsim.matmul(a, a.T, "exact12")
    with pytest.raises(AccumulatorOverflowError, match="pass out_dtype='int64'"):
        axsim.multiply(a, a, "exact16")
    assert axsim.multiply(a, a, "exact16", out_dtype="int64").sum() == 400
    with pytest.raises(AccumulatorOverflowError, match="and a bias of up to"):
        axsim.matmul(a[:, :128], a[:, :128].T, "exact12", bias=np.array([2**31 - 1, 0]))


@pytest.mark.parametrize("engine", ["native", "factored", "gather", "quick"])
def test_engines_of_bytes_are_refused(engine: str) -> None:
    a = np.ones((2, 2), np.int16)
    with pytest.raises(ValueError, match=f"engine is '{engine}'"):
        axsim.matmul(a, a, "exact12", engine=engine)


def test_explain_says_where_products_come_from() -> None:
    a = np.full((4, 4), -3, np.int16)
    for name, choice, word in (
        ("exact12", "table", "16777216 products"),
        ("exact13", "gates", "a simulation of the gates"),
        ("tiled16[L40]", "digits", "4 tiles of mul8u_L40"),
    ):
        plan = axsim.explain(a, a, name, out_dtype="int64")
        assert plan.choice == choice
        (chosen,) = (candidate for candidate in plan.candidates if candidate.engine == choice)
        assert chosen.usable
        assert word in chosen.note
        assert "wider than the bytes" in str(plan)
    plan = axsim.explain(a.reshape(1, 1, 4, 4), a.reshape(1, 1, 4, 4), "exact12", operation="conv2d")
    assert plan.choice == "table"


def test_empty_operands() -> None:
    a = np.zeros((3, 0), np.int16)
    assert axsim.matmul(a, a.T, "exact12").tolist() == [[0] * 3] * 3
    assert axsim.multiply(a, a, "tiled16[L40]", out_dtype="int64").shape == (3, 0)
    assert exact(12).out_bits == 24


@pytest.mark.parametrize("name", ["trunc12_5", "tiled16[L40]"])
def test_layers_of_networks_take_wide_circuits(name: str) -> None:
    from axsim.engines.shapes.geometry import geometry
    from axsim.ops.bound import Bound

    x = RNG.normal(size=(2, 3, 5, 5)).astype(np.float32)
    w = RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)
    by = axsim.quantize.affine(x)
    prepared = axsim.prepare(w, name, operation="conv2d")
    where = geometry(x_shape=x.shape, w_shape=w.shape, padding=1)
    found = Bound(prepared, where)(x, None, by)
    np.testing.assert_array_equal(found, axsim.conv2d(x, prepared, padding=1, a_quant=by))
    rows = Bound(axsim.prepare(w.reshape(4, -1).T, name))(x.reshape(2, -1)[:, :27], None, by)
    assert rows.shape == (2, 4)

"""Error figures: against plain loops, and against the published digits."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axsim.circuits import baugh_wooley, load_library
from axsim.multipliers import evoapprox
from axsim.tables import ProductTable
from axsim.tables.metrics import PUBLISHED_LABELS, compare, compute, round_like

FIGURES = json.loads((Path(evoapprox.__file__).parent / "evoapprox8b.json").read_text())["circuits"]
EIGHT = {"MAE", "MAE%", "WCE", "WCE%", "EP%", "MRE%", "WCRE%", "MSE"}


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_published_digits(name: str) -> None:
    metrics = compute(ProductTable.from_netlist(load_library(name)))
    comparisons = compare(metrics, FIGURES[name]["published"])
    assert {c.label for c in comparisons} == EIGHT
    assert [c for c in comparisons if not c.agrees] == []


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_figures_recomputed_elsewhere(name: str, shared: Path) -> None:
    reference = json.loads((shared / "evoapprox8b" / "metrics.json").read_text())["circuits"][name]
    assert reference["published"] == FIGURES[name]["published"]
    assert reference["table_sha256_little_endian"] == FIGURES[name]["sha256"]
    metrics = compute(ProductTable.from_netlist(load_library(name)))
    computed = reference["computed_from_table"]
    for label, attribute in (*PUBLISHED_LABELS.items(), ("mean_signed_error", "bias")):
        assert getattr(metrics, attribute) == pytest.approx(computed[label], rel=1e-13), label


def test_errors_at_exact_product_0_do_not_count_as_relative_errors() -> None:
    table = ProductTable.from_netlist(load_library("mul8u_2P7"))
    assert np.count_nonzero(table.error[table.exact == 0]) == 128
    assert compute(table).wcre_percent == 100


@st.composite
def tables(draw: st.DrawFn) -> ProductTable:
    signed = draw(st.booleans())
    a_bits, b_bits = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    low, high = (-64, 63) if signed else (0, 127)
    count = 2 ** (a_bits + b_bits)
    values = draw(st.lists(st.integers(low, high), min_size=count, max_size=count))
    return ProductTable.from_array(np.reshape(values, (2**a_bits, -1)), signed, out_bits=7)


@given(tables())
def test_metrics_equal_plain_loops(table: ProductTable) -> None:
    def value(pattern: int, bits: int) -> int:
        return pattern - 2**bits if table.signed and pattern >= 2 ** (bits - 1) else pattern

    errors, relative, largest = [], [], 0
    for a, b in product(range(2**table.a_bits), range(2**table.b_bits)):
        exact = value(a, table.a_bits) * value(b, table.b_bits)
        errors.append(int(table.values[a, b]) - exact)
        largest = max(largest, abs(exact))
        if exact != 0:
            relative.append(abs(errors[-1]) / abs(exact))
    n = len(errors)
    mae = sum(map(abs, errors)) / n
    mse = sum(e * e for e in errors) / n
    bias = sum(errors) / n
    expected = {
        "mae": mae,
        "mae_percent": 100 * mae / 128,
        "wce": max(map(abs, errors)),
        "wce_percent": 100 * max(map(abs, errors)) / 128,
        "ep_percent": 100 * sum(e != 0 for e in errors) / n,
        "mre_percent": 100 * sum(relative) / len(relative),
        "wcre_percent": 100 * max(relative),
        "mse": mse,
        "bias": bias,
        "error_variance": sum((e - bias) ** 2 for e in errors) / n,
        "nmed": mae / largest,
        "mred": sum(relative) / len(relative),
    }
    assert vars(compute(table)) == pytest.approx(expected)
    assert compute(table).error_variance == pytest.approx(mse - bias**2, abs=1e-9)


def test_nmed_is_relative_to_the_largest_exact_product() -> None:
    off_by_one = ProductTable.from_function(lambda a, b: a * b + 1, 8, 4)
    assert compute(off_by_one).nmed == pytest.approx(1 / (255 * 15))
    signed = ProductTable.from_function(lambda a, b: a * b - 1, 8, 4, signed=True)
    assert compute(signed).nmed == pytest.approx(1 / (128 * 8))


def test_exact_multiplier_has_no_error() -> None:
    assert set(vars(compute(ProductTable.from_netlist(baugh_wooley(8)))).values()) == {0}


def test_large_errors_do_not_overflow() -> None:
    values = np.full((256, 256), 2**31 - 1)
    metrics = compute(ProductTable.from_array(values))
    assert metrics.mse == pytest.approx(float(2**31 - 1 - 127.5**2) ** 2, rel=1e-4)
    assert metrics.wce == 2**31 - 1


@pytest.mark.parametrize(
    ("value", "text", "rounded"),
    [
        (12684.5, "12684", "12684"),
        (103.125, "103.12", "103.12"),
        (9.375, "9.38", "9.38"),
        (1.875, "1.9", "1.9"),
        (0.4999, "0", "0"),
        (5576768.0, "55767.68e2", "5576768"),
        (3689282.484375, "36892.825e2", "3689282.5"),
        (3689282.44, "36892.825e2", "3689282.4"),
        (12.346, "12.34", "12.35"),
    ],
)
def test_round_like(value: float, text: str, rounded: str) -> None:
    assert round_like(value, text) == Decimal(rounded)


def test_a_digit_off_does_not_agree() -> None:
    metrics = compute(ProductTable.from_netlist(load_library("mul8u_L40")))
    published = {
        "MAE": {"text": "1012", "value": 1012.0, "unit": "1"},
        "EP%": {"text": "74.91", "value": 74.91, "unit": "%"},
    }
    assert [(c.label, c.agrees) for c in compare(metrics, published)] == [("MAE", False), ("EP%", True)]

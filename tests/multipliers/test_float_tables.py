"""The content of axfpm.h5: enough to multiply with, without any of axsim's classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from axsim.multipliers.float_tables import FILE, block_record, float_plan, segment_record
from axsim.multipliers.floating import axfpm
from axsim.tables.build import build_tables, check_tables
from axsim.tables.store import read_table


def test_tables_are_the_published_blocks(shared: Path) -> None:
    with np.load(shared / "axfpm" / "integer_blocks.npz") as blocks:
        assert np.array_equal(block_record().table.values, blocks["mul4x4"])
        assert np.array_equal(segment_record().table.values, blocks["mul8x8"])


def test_the_segment_table_needs_17_bits() -> None:
    table = segment_record().table
    assert (table.values.dtype, table.out_bits, int(table.values.max())) == (np.uint32, 17, 69_071)
    assert int((table.values > 0xFFFF).sum()) == 628


def test_the_file_alone_is_enough_to_multiply_significands(tmp_path: Path) -> None:
    build_tables(float_plan(), tmp_path)
    record = read_table(tmp_path / FILE, "axfpm_segment8x8")
    a, b = np.random.default_rng(4).integers(1 << 23, 1 << 24, (2, 10_000))
    from_products, from_errors = 0, a * b
    for i in range(3):
        for j in range(3):
            weight, shift = (record.attributes[f"pair_{i}_{j}_{key}"] for key in ("weight", "shift"))
            assert weight == 1 << shift
            index = a >> 8 * i & 255, b >> 8 * j & 255
            from_products = from_products + record.table.values[index].astype(np.int64) * weight
            from_errors = from_errors + record.table.error[index].astype(np.int64) * weight
    assert np.array_equal(from_products, axfpm().significand_product(a, b))
    assert np.array_equal(from_errors, from_products)


def test_attributes_are_the_rules_of_axfpm() -> None:
    attributes = segment_record().attributes
    multiplier = axfpm()
    assert attributes["format"] == multiplier.format.name
    assert (attributes["exponent_bits"], attributes["fraction_bits"]) == (8, 23)
    assert attributes["normaliser"] == multiplier.normaliser == "published"
    assert attributes["rounding"] == multiplier.rounding == "truncate"
    assert attributes["underflow"] == multiplier.special.underflow
    assert attributes["zero_below"] == multiplier.special.zero_below == 1e-36
    assert attributes["zero_sign"] == "positive"
    assert "10.1145/3445814.3446747" in attributes["citation"]


def test_building_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    build_tables(float_plan(), tmp_path)
    first = (tmp_path / FILE).read_bytes()
    assert check_tables(float_plan(), tmp_path) == []
    build_tables(float_plan(), tmp_path)
    assert (tmp_path / FILE).read_bytes() == first

"""Tiles add up exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axsim.circuits import Builder, array_multiplier, baugh_wooley, exact, load_library, tiled


@settings(max_examples=40)
@given(st.data())
def test_exact_blocks_tile_exactly(data):
    a_bits, b_bits = data.draw(st.sampled_from([(1, 1), (2, 2), (4, 4), (3, 3), (2, 4), (6, 1), (8, 8)]))
    step = np.lcm(a_bits, b_bits)
    bits = int(step) * data.draw(st.integers(1, 24 // step))
    netlist = tiled(exact(a_bits, b_bits), bits)
    a, b = (data.draw(st.integers(0, 2**bits - 1)) for _ in range(2))
    assert netlist(a, b) == a * b
    assert (netlist.a_bits, netlist.b_bits, netlist.out_bits) == (bits, bits, 2 * bits)


def test_exact_32_bits_from_16():
    corners = np.array([0, 1, 2**16 - 1, 2**16, 2**32 - 1], np.uint64)
    product = tiled(exact(8), 32)(corners[:, np.newaxis], corners)
    assert product.tolist() == [[int(a) * int(b) for b in corners] for a in corners]


def sum_of_tiles(table: np.ndarray, a, b, bits: int, a_step: int, b_step: int):
    return sum(
        table[a >> i & (2**a_step - 1), b >> j & (2**b_step - 1)] << (i + j)
        for i in range(0, bits, a_step)
        for j in range(0, bits, b_step)
    )


@pytest.mark.parametrize(
    ("block", "bits"),
    [
        (load_library("mul8u_L40"), 16),
        (load_library("mul8u_JV3"), 24),
        (array_multiplier(4, cell="ama2"), 8),
        (array_multiplier(2, 4, cell="ama1"), 12),
        (array_multiplier(4, 2, cell="ama1", wiring="sum-pp"), 12),
        (tiled(array_multiplier(4, cell="ama5"), 8), 24),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_tiles_of_any_block(block, bits):
    rng = np.random.default_rng(bits)
    a, b = np.concatenate([rng.integers(0, 2**bits, (2, 3000)), np.full((2, 1), 2**bits - 1)], axis=1)
    expected = sum_of_tiles(block.exhaustive(), a, b, bits, block.a_bits, block.b_bits)
    assert np.array_equal(tiled(block, bits)(a, b), expected)


def ax_fpm_significand_product(a, b):
    return (a & 0x111111) * b + 2 * (a & 0xEEEEEE) * (b & 0x888888)


def test_ama5_tiles_of_24_bits_are_the_ax_fpm_product():
    netlist = tiled(array_multiplier(4, cell="ama5"), 24)
    assert netlist.out_bits == 49
    rng = np.random.default_rng(49)
    corners = np.array([0, 1, 0x111111, 0x888888, 0xEEEEEE, 2**23, 2**23 + 1, 2**24 - 1])
    for a, b in [(corners[:, np.newaxis], corners), rng.integers(0, 2**24, (2, 200_000))]:
        assert np.array_equal(netlist(a, b), ax_fpm_significand_product(a, b))
    assert netlist(2**24 - 1, 2**24 - 1) >= 2**48  # the 49th bit is in use


def test_ama5_tiles_equal_the_published_blocks(shared):
    published = np.load(shared / "axfpm" / "integer_blocks.npz")
    block = array_multiplier(4, cell="ama5")
    assert np.array_equal(block.exhaustive(), published["mul4x4"])
    assert np.array_equal(tiled(block, 8).exhaustive(), published["mul8x8"])
    assert tiled(block, 8).out_bits == 17


def test_ama5_tiles_equal_the_published_24_bit_products(shared):
    vectors = np.load(shared / "axfpm" / "vectors.npz")
    significands = [
        (vectors[name].view(np.uint32) & 0x7FFFFF).astype(np.int64) | 0x800000 for name in ("a", "b")
    ]
    product = tiled(array_multiplier(4, cell="ama5"), 24)(*significands)
    assert np.array_equal(product, vectors["integer_product"].astype(np.int64))


def test_block_with_too_many_inputs_to_list():
    block = exact(12)
    netlist = tiled(block, 24)
    assert netlist(2**24 - 1, 2**24 - 3) == (2**24 - 1) * (2**24 - 3)


def test_operand_order_of_a_block_with_other_names():
    builder = Builder("left")
    x, y = builder.input("y", 2), builder.input("x", 2)
    builder.output("p", [x[0], builder.and_(x[1], y[1])])
    block = builder.build()
    a, b = np.arange(16)[:, np.newaxis], np.arange(16)
    assert np.array_equal(tiled(block, 4)(a, b), sum_of_tiles(block.exhaustive(), a, b, 4, 2, 2))


def test_bad_arguments():
    with pytest.raises(ValueError, match="block exact4s is signed"):
        tiled(baugh_wooley(4), 8)
    with pytest.raises(ValueError, match="bits must be a multiple of 4 and 2, the block's widths, not 6"):
        tiled(exact(4, 2), 6)
    with pytest.raises(ValueError, match="bits must be from 1 to 32, not 40"):
        tiled(exact(4), 40)
    assert tiled(exact(4), 8).name == "exact4_tiled8"
    assert tiled(exact(4), 8, name="mine").name == "mine"

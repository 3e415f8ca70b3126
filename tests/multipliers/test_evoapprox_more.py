"""The EvoApprox8b circuits that come as tables are the published functions, with the published figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from axsim.errors import TableError
from axsim.multipliers import evoapprox_more as module
from axsim.multipliers import get
from axsim.multipliers.evoapprox import evoapprox
from axsim.multipliers.evoapprox_more import evoapprox_more
from axsim.tables.metrics import compare

# Their authors rounded twice: 1.25 to 1.2, 4.25 to 4.2, 36.535 to 36.5 to 36; percentages follow.
ROUNDED_TWICE = {("mul8s_1KRC", "MAE"), ("mul8s_1KVA", "MAE%"), ("mul8s_1KVB", "MAE%")}


def test_twenty_four_unsigned_and_thirteen_signed() -> None:
    signs = [multiplier.signed for multiplier in evoapprox_more().values()]
    assert (signs.count(False), signs.count(True)) == (24, 13)
    assert not evoapprox().keys() & evoapprox_more().keys()


@pytest.mark.parametrize("name", list(evoapprox_more()))
def test_products_are_those_of_the_published_function(name: str, shared: Path) -> None:
    file = "tables_signed.npz" if name.startswith("mul8s") else "tables_more.npz"
    with np.load(shared / "evoapprox8b" / file) as published:
        np.testing.assert_array_equal(get(name).table.values, published[name])


@pytest.mark.parametrize("name", list(evoapprox_more()))
def test_figures_are_those_that_were_published(name: str) -> None:
    multiplier = get(name)
    comparisons = compare(multiplier.metrics(), multiplier.published)
    assert len(comparisons) == 8
    wrong = {(name, figure.label) for figure in comparisons if not figure.agrees}
    assert wrong == {known for known in ROUNDED_TWICE if known[0] == name}
    assert {"PDK45_PWR", "PDK45_AREA", "PDK45_DELAY"} <= multiplier.published.keys()


def test_names_signs_and_citations() -> None:
    assert get("1kv8") is get("mul8s_1KV8")
    assert get("2AC").name == "mul8u_2AC"
    assert get("1KV8")(-128, -128) == 16384
    assert get("E9R").table == get("199Z").table
    assert "TVLSI.2018.2856362" in get("1KV8").citation
    assert "DATE.2017.7926993" in get("2AC").citation


def test_operand_order_of_the_published_files() -> None:
    assert "which that file calls B, and the port B of the published Verilog" in get("2AC").operand_order
    assert "calls B, and the port B" in get("L40").operand_order
    assert "which that file calls A" in get("1KVA").operand_order


def test_an_altered_table_is_refused() -> None:
    with pytest.raises(TableError, match="mul8u_2AC: the table is altered"):
        module._table("mul8u_2AC", "0" * 64)
    with pytest.raises(TableError, match="mul8u_none: its table cannot be read"):
        module._table("mul8u_none", "")


def test_coefficients_are_those_of_sums_of_products_of_bits() -> None:
    coefficients = np.random.default_rng(3).integers(-9, 9, 65536, dtype=np.int32)
    table = module.from_coefficients(coefficients)
    for a, b in [(0, 0), (3, 5), (255, 1), (200, 77)]:
        sets = np.flatnonzero((np.arange(65536) & (256 * a + b)) == np.arange(65536))
        assert table[a, b] == coefficients[sets].sum()

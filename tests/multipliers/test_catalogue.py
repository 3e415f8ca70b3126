"""Which tables stand in which file."""

from __future__ import annotations

import pytest

from axsim.errors import UnknownMultiplierError
from axsim.multipliers import get, list_multipliers, register, registry
from axsim.multipliers.catalogue import plan, record


def test_every_built_in_multiplier_stands_in_one_file() -> None:
    names = [name for tables in plan().values() for name in tables]
    assert sorted(names) == sorted(set(names))
    assert set(names) - set(list_multipliers()) == {"axfpm_block4x4", "axfpm_segment8x8"}
    assert len(names) == 76


def test_makers_make_the_record_of_their_name() -> None:
    for tables in plan(["L40", "drum8_4", "exact8s"]).values():
        for name, make in tables.items():
            assert make() == record(get(name))
            assert make().name == name
            assert make().table == get(name).table


def test_names_that_stand_in_no_file() -> None:
    with pytest.raises(ValueError, match="trunc7_2: in no table file"):
        plan(["L40", "trunc7_2"])
    with pytest.raises(ValueError, match=r"axfpm: a float multiplier.*axfpm_block4x4 and axfpm_segment"):
        plan(["axfpm"])
    with pytest.raises(UnknownMultiplierError):
        plan(["L41"])


def test_a_registered_multiplier_never_stands_for_a_built_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    expected = get("L40").table
    register("mul8u_L40", lambda a, b: a * b, overwrite=True)
    assert plan()["evoapprox8b.h5"]["mul8u_L40"]().table == expected


def test_records_bring_the_factors_that_are_known() -> None:
    terms = {name: record(get(name)).factors for name in ("1446", "exact8s", "L40", "trunc7_2")}
    assert {name: found and len(found) for name, found in terms.items()} == {
        "1446": 2,
        "exact8s": 1,
        "L40": None,
        "trunc7_2": None,
    }

"""Layers by glob patterns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axsim.nn.patterns import matched

NAMES = ["conv1", "features.0", "features.3.conv", "fc"]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ({}, {}),
        ({"*": 1}, dict.fromkeys(NAMES, 1)),
        ({"features.*": 1, "features.3.*": 2}, {"features.0": 1, "features.3.conv": 2}),
        ({"features.3.*": 2, "features.*": 1}, {"features.0": 1, "features.3.conv": 2}),
        ({"fc": 1, "[f]c*": 2}, {"fc": 1}),
        ({"c*": 1, "*1": 1}, {"conv1": 1}),
    ],
)
def test_the_longest_match_counts(patterns: dict[str, int], expected: dict[str, int]) -> None:
    assert matched(patterns, NAMES, "layers") == expected


@given(st.permutations(NAMES))
def test_names_match_themselves(names: list[str]) -> None:
    assert matched({name: name for name in names}, NAMES, "layers") == {name: name for name in NAMES}


def test_refused() -> None:
    with pytest.raises(
        ValueError, match="layers holds 'x', which matches no layer; the model's layers are 'conv1'"
    ):
        matched({"x": 1}, NAMES, "layers")
    with pytest.raises(ValueError, match=r"'c\*' and '\*1', which match 'conv1' alike"):
        matched({"c*": 1, "*1": 2}, NAMES, "layers")
    with pytest.raises(TypeError, match="layers holds 3"):
        matched({3: 1}, NAMES, "layers")  # type: ignore[dict-item]

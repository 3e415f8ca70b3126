"""The module that stands in for the compiled one when its stub is checked (`make lint` runs the check)."""

from __future__ import annotations

import inspect

import pytest

_native = pytest.importorskip("axsim._native", reason="the compiled module is not built")


def test_stand_in_has_the_names_and_signatures_of_the_compiled_module() -> None:
    from tools import check_stubs

    made = check_stubs.stand_in(_native)
    public = {name for name in dir(_native) if not name.startswith("_")}
    assert {name for name in dir(made) if not name.startswith("_")} == public
    assert "conv2d" in public
    parameters = inspect.signature(made.conv2d).parameters
    assert list(parameters)[:4] == ["table", "x", "w", "out"]
    assert "groups" in parameters
    assert inspect.isclass(made.Table)

"""Signal-to-noise ratios, against sums by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

import axsim.nn  # noqa: E402

X = torch.randn(16, 6, generator=torch.Generator().manual_seed(0))


def network() -> Any:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))


def decibels(exact: Tensor, other: Tensor) -> float:
    y, z = exact.double(), other.double()
    return float(10 * torch.log10((y**2).sum() / ((z - y) ** 2).sum()))


def test_ratios_are_those_of_the_definition() -> None:
    model = network()
    approx = axsim.nn.approximate(model, "JV3", calibrate=[X])
    found = {row.name: row for row in axsim.nn.compare(model, approx, X).layers}
    assert model.training
    assert approx.training
    with torch.no_grad():
        first, seen = model[0](X), approx[0](X)
        last = model[3](first.relu())
        assert list(found) == ["0", "3", "output"]
        assert found["0"].alone == found["0"].in_network == pytest.approx(decibels(first, seen))
        assert found["3"].alone == pytest.approx(decibels(last, approx[3](first.relu())))
        assert found["3"].in_network == pytest.approx(decibels(last, approx[3](seen.relu())))
        assert found["output"].in_network == found["3"].in_network
        gain = float((first.double() * seen).sum() / (first.double() ** 2).sum())
        assert found["0"].gain == pytest.approx(gain)
    assert found["0"].multiplier == "mul8u_JV3"


def test_the_worst_layer_is_named() -> None:
    model = network()
    approx = axsim.nn.approximate(model, "exact8", per_layer={"3": "JV3"}, calibrate=[X])
    assert axsim.nn.compare(model, approx, X).worst.name == "3"


def test_equal_networks_differ_in_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    approx = axsim.nn.approximate(network(), "L40", calibrate=[X])
    found = axsim.nn.compare(approx, approx, X)
    assert [row.alone for row in found.layers] == [math.inf] * 3
    content = json.loads(found.to_json(tmp_path / "c.json"))
    assert content == json.loads((tmp_path / "c.json").read_text())
    assert content["layers"][0] == {
        "name": "0", "multiplier": "mul8u_L40", "in_network": None, "alone": None, "gain": 1.0
    }  # fmt: skip
    found.print("equal")
    assert "inf" in capsys.readouterr().out


class Twice(nn.Module):
    def __init__(self, times: int = 2) -> None:
        super().__init__()
        self.inner, self.times = nn.Linear(6, 6), times

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.times):
            x = self.inner(x).relu()
        return x


def test_a_layer_that_is_called_twice_has_the_sums_of_both_calls() -> None:
    model = Twice()
    approx = axsim.nn.approximate(model, "L40", calibrate=[X])
    row = axsim.nn.compare(model, approx, X).layers[0]
    with torch.no_grad():
        exact = [model.inner(X), model.inner(model.inner(X).relu())]
        seen = [approx.inner(X), approx.inner(approx.inner(X).relu())]
        alone = [seen[0], approx.inner(exact[0].relu())]
    assert row.in_network == pytest.approx(decibels(torch.cat(exact), torch.cat(seen)))
    assert row.alone == pytest.approx(decibels(torch.cat(exact), torch.cat(alone)))


def test_what_does_not_go_together() -> None:
    model, approx = network(), axsim.nn.approximate(network(), "L40")
    with pytest.raises(ValueError, match="approx has no approximate layer"):
        axsim.nn.compare(model, model, X)
    with pytest.raises(ValueError, match="model has no layer 3"):
        axsim.nn.compare(nn.Sequential(nn.Linear(6, 3)), approx, X)
    with pytest.raises(TypeError, match="approx is a str"):
        axsim.nn.compare(model, "L40", X)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="single layer"):
        axsim.nn.compare(model[0], approx[0], X)
    once, thrice = Twice(1), Twice(3)
    with pytest.raises(ValueError, match="inner: approx calls it more often"):
        axsim.nn.compare(once, axsim.nn.approximate(thrice, "L40"), X)
    with pytest.raises(ValueError, match="inner: model calls it more often"):
        axsim.nn.compare(thrice, axsim.nn.approximate(once, "L40"), X)


def test_hooks_and_modes_are_as_before_when_it_fails() -> None:
    model, approx = network(), axsim.nn.approximate(network(), "L40")
    with pytest.raises(ValueError, match="NaN"):
        axsim.nn.compare(model, approx, torch.full((2, 6), torch.nan))
    assert model.training
    assert approx.training
    assert not any(m._forward_hooks for m in (*model.modules(), *approx.modules()))

"""What a summary says of a network, and that it cannot be fooled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import axsim.nn  # noqa: E402
from axsim.nn.summary import LayerSummary, Summary  # noqa: E402


def network() -> Any:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 8), nn.Linear(8, 2)
    ).eval()


def by_name(found: Summary) -> dict[str, LayerSummary]:
    return {layer.name: layer for layer in found.layers}


X = torch.rand(5, 1, 6, 6)


def test_a_network_before_and_after_it_ran() -> None:
    approx = axsim.nn.approximate(network(), "L40", per_layer={"0": "axfpm", "4": None}, calibrate=[X])
    before = axsim.nn.summary(approx)
    assert before.idle == ("0", "3")
    assert before.products is None
    assert before.relative_energy == {}
    approx(X)
    approx(X[:2])
    layers = by_name(axsim.nn.summary(approx))
    conv, full, last = layers["0"], layers["3"], layers["4"]
    assert (conv.kind, conv.multiplier, conv.activations, conv.ran) == ("Conv2d", "axfpm", "", True)
    assert (conv.in_shape, conv.out_shape) == ((2, 1, 6, 6), (2, 4, 6, 6))
    assert conv.products == 4 * 36 * 9
    assert (full.activations, full.weights) == ("affine8, static", "sign-magnitude8, tensor")
    assert full.ranges == approx[3].calibration != {}
    assert (full.calls, full.products, full.multiplied) == (2, 4 * 36 * 8, 7 * 4 * 36 * 8)
    assert (last.multiplier, last.calls, last.energy, last.ran) == (None, 0, None, False)
    axsim.nn.reset_counts(approx)
    assert axsim.nn.summary(approx).idle == ("0", "3")


def test_with_inputs_exact_layers_have_shapes_too() -> None:
    approx = axsim.nn.approximate(network(), "L40", layers="0").train()
    approx(X)
    found = axsim.nn.summary(approx, X)
    assert approx.training
    layers = by_name(found)
    assert layers["0"].calls == 1  # of this run alone
    assert layers["0"].activations == "affine8, dynamic"
    assert [(n, layer.in_shape, layer.products) for n, layer in layers.items()] == [
        ("0", (5, 1, 6, 6), 1296),
        ("3", (5, 144), 1152),
        ("4", (5, 8), 16),
    ]
    assert found.products == 2464
    assert found.approximate_share == pytest.approx(1296 / 2464)


def test_energy_is_weighted_by_products_and_families_stay_apart() -> None:
    approx = axsim.nn.approximate(network(), "JV3", per_layer={"0": "axfpm", "4": "KEM"})
    energy = axsim.nn.summary(approx, X).relative_energy
    whole = 0.391 * 1.43
    assert energy == {
        "exact floating-point multiplier": pytest.approx(0.487),
        "mul8u_1JFF": pytest.approx((1152 * 0.034 * 0.58 + 16 * 0.370 * 1.40) / whole / 1168),
    }


def test_a_multiplier_that_is_not_in_use_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    class Bypassing(nn.Module):
        """Uses the weight of its layer, not the layer."""

        def __init__(self) -> None:
            super().__init__()
            self.used, self.bypassed = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.linear(self.used(x), self.bypassed.weight)

    found = axsim.nn.summary(axsim.nn.approximate(Bypassing(), "L40"), torch.rand(3, 8))
    assert found.idle == ("bypassed",)
    found.print("a network")
    printed = capsys.readouterr().out
    assert "did not multiply since the last reset: bypassed" in printed
    assert "NO" in printed
    assert "mul8u_L40" in printed
    assert "sign-magnitude8" in printed


def test_a_layer_that_is_used_twice_is_one_row() -> None:
    shared = nn.Linear(8, 8)
    found = axsim.nn.summary(axsim.nn.approximate(nn.Sequential(shared, shared), "L40"), torch.rand(3, 8))
    assert [(layer.calls, layer.products) for layer in found.layers] == [(2, 128)]


def test_json(tmp_path: Path) -> None:
    found = axsim.nn.summary(axsim.nn.approximate(network(), "L40"), X)
    assert json.loads(found.to_json(tmp_path / "summary.json")) == json.loads(
        (tmp_path / "summary.json").read_text()
    )
    content = json.loads(found.to_json())
    assert content["layers"][0]["multiplier"] == "mul8u_L40"
    assert content["layers"][0]["ran"] is True
    assert content["relative_energy"] == {"mul8u_1JFF": pytest.approx(0.5, abs=0.01)}


def test_a_recording_is_summarised_too() -> None:
    rows = axsim.nn.summary(axsim.nn.approximate(network(), "L40"), X).layers

    class Recorded:
        def layer_summaries(self) -> tuple[LayerSummary, ...]:
            return rows

    assert axsim.nn.summary(Recorded()).layers == rows


def test_what_is_no_network() -> None:
    with pytest.raises(TypeError, match="model is a str, expected"):
        axsim.nn.summary("L40")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^x is a int, expected a tensor"):
        axsim.nn.summary(network(), 3)


def test_an_empty_batch() -> None:
    found = axsim.nn.summary(axsim.nn.approximate(network(), "L40"), X[:0])
    assert [layer.products for layer in found.layers] == [0, 0, 0]
    assert found.approximate_share is None


class Several(nn.Module):
    """A network one of whose layers is never called, and of layers that multiply several times."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Linear(3, 3)
        self.attn = nn.MultiheadAttention(6, 2, batch_first=True)
        self.rnn = nn.GRU(6, 5)

    def forward(self, x: Any) -> Any:
        return self.rnn(self.attn(x, x, x)[0])[0]


def test_layers_of_several_products() -> None:
    x = torch.randn(3, 2, 6)
    found = axsim.nn.summary(axsim.nn.approximate(Several(), "L40", per_layer={"rnn": "axfpm"}), x)
    layers = by_name(found)
    # An attention has six products; a recurrent layer one for its inputs, and one for each of three steps.
    assert {name: layer.calls for name, layer in layers.items()} == {"unused": 0, "attn": 6, "rnn": 4}
    assert layers["attn"].multiplied == 3 * (4 * 2 * 36 + 2 * (2 * 2 * 6))
    assert layers["rnn"].multiplied == 3 * 2 * (6 * 15 + 5 * 15)
    assert found.idle == ("unused",)


def test_of_an_interception() -> None:
    x = torch.rand(3, 4)
    with torch.no_grad(), axsim.nn.through("L40", layers=":matmul*") as seen:
        _ = x @ x.T
        _ = torch.mm(x, x.T)
    found = axsim.nn.summary(seen)
    made, left = found.layers
    assert (made.name, made.kind, made.multiplier, made.calls) == (":matmul", "matmul", "mul8u_L40", 1)
    assert (made.products, made.multiplied, made.in_shape, made.out_shape) == (36, 36, (3, 4), ())
    assert (made.activations, made.weights) == ("affine8, dynamic", "sign-magnitude8, tensor")
    assert (left.name, left.kind, left.multiplier, left.products) == (
        ":mm", "mm: not among the layers", None, None
    )  # fmt: skip
    assert found.relative_energy == {"mul8u_1JFF": pytest.approx(made.energy.relative)}  # type: ignore[union-attr]

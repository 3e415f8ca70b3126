"""What multiplies where, and whether it really does."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import axsim
from axsim.nn import Quantization, approximate, summary, through
from axsim.nn.energy import power, relative_energy


class Half(nn.Module):
    """A network one of whose layers is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, groups=2)
        self.up = nn.ConvTranspose2d(4, 2, 2)
        self.unused = nn.Linear(3, 3)
        self.attn = nn.MultiheadAttention(6, 2, batch_first=True)
        self.rnn = nn.GRU(6, 5)
        self.exact = nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.up(self.conv(x)).flatten(2)[..., :6]
        h = self.attn(h, h, h)[0]
        out: Tensor = self.exact(self.rnn(h)[0])
        return out


def test_of_a_model() -> None:
    model = approximate(Half(), "L40", per_layer={"rnn": "axfpm", "exact": None, "up": "exact8"})
    model.train()
    x = torch.randn(3, 2, 6, 6)
    found = summary(model, [x, x])
    assert model.training
    assert [line.name for line in found.lines] == ["conv", "up", "unused", "attn", "rnn", "exact"]
    assert [line.kind for line in found.lines] == [
        "Conv2d", "ConvTranspose2d", "Linear", "MultiheadAttention", "GRU", "Linear"
    ]  # fmt: skip
    assert [line.multiplier for line in found.lines] == [
        "mul8u_L40", "exact8", "mul8u_L40", "mul8u_L40", "axfpm", None
    ]  # fmt: skip
    conv = 3 * 4 * 16 * 9
    up = 3 * 4 * 16 * 2 * 4
    attn = 3 * (4 * 2 * 36 + 2 * (2 * 2 * 6))
    rnn = 3 * 2 * (6 * 15 + 5 * 15)
    assert [line.macs for line in found.lines] == [2 * n for n in (conv, up, 0, attn, rnn)] + [None]
    # An attention has six products; a recurrent layer one for its inputs, and one for each of three steps.
    assert [line.calls for line in found.lines] == [2, 2, 0, 12, 8, None]
    assert found.unused == ("unused",)
    assert found.macs == 2 * (conv + up + attn + rnn)
    energy = ((conv + attn) * 0.189 / 0.391 + up + rnn * 0.487) / (conv + up + attn + rnn)
    assert found.relative_energy == pytest.approx(energy)
    assert found.lines[0].coding == "a=affine8 w=sign-magnitude8,tensor"
    assert found.lines[4].coding == ""


def test_what_is_not_run_is_not_known() -> None:
    found = summary(approximate(nn.Linear(4, 2), "KEM"))
    (line,) = found.lines
    assert (line.name, line.shape, line.calls, line.macs) == ("linear", ((2, 4),), None, None)
    assert (found.macs, found.relative_energy, found.unused) == (0, None, ())


def test_ranges() -> None:
    x = torch.rand(2, 4)
    for quantize, calibrate, expected in (
        (Quantization(), None, "dynamic"),
        (Quantization(), [x], "static"),
        (Quantization(activations="dynamic"), [x], "dynamic"),
    ):
        model = approximate(nn.Linear(4, 2), "L40", quantize=quantize, calibrate=calibrate)
        assert summary(model).lines[0].ranges == expected


def test_of_an_interception() -> None:
    x = torch.rand(3, 4)
    with torch.no_grad(), through("L40", layers=":matmul*") as seen:
        _ = x @ x.T
        _ = torch.mm(x, x.T)
    found = summary(seen)
    assert [(line.name, line.multiplier, line.macs) for line in found.lines] == [
        (":matmul", "mul8u_L40", 36), (":mm", None, 0)
    ]  # fmt: skip
    assert found.lines[1].why == "not among the layers"
    assert found.relative_energy == pytest.approx(0.189 / 0.391)


def test_printed(capsys: pytest.CaptureFixture[str]) -> None:
    model = approximate(nn.Sequential(nn.Linear(4, 2), nn.Linear(2, 2)), "L40", per_layer={"1": None})
    summary(model, [torch.rand(5, 4)]).print()
    said = capsys.readouterr().out
    assert "| 0 " in said
    assert "2x4 | mul8u_L40 | a=affine8 w=sign-magnitude8,tensor dynamic |" in " ".join(said.split())
    assert "40 products by multipliers, at 0.483 of the energy of exact ones of their families." in said
    assert "Never used" not in said
    summary(approximate(Half(), "drum6_3"), lambda m: m.conv(torch.rand(1, 2, 6, 6))).print()
    said = capsys.readouterr().out
    assert "Never used: up, unused, attn, rnn, exact." in said
    assert "products by multipliers." in said


def test_arguments_are_checked() -> None:
    with pytest.raises(TypeError, match="model is a int"):
        summary(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="batches are for a model"):
        summary(through(), [torch.rand(1)])
    with pytest.raises(ValueError, match="batches holds no batches"):
        summary(approximate(nn.Linear(1, 1)), [])


def test_energy() -> None:
    assert power(axsim.get("mul8s_1L2D")) == 0.2
    assert relative_energy(axsim.get("mul8s_1L2D")) == pytest.approx(0.2 / 0.425)
    assert relative_energy(axsim.get("bfloat16")) == 0.4
    assert relative_energy(axsim.get("1JFF")) == 1.0
    for unknown in ("drum6_3", "float32[L40]", "heap_like"):
        assert relative_energy(axsim.get(unknown)) is None
    assert not math.isnan(relative_energy(axsim.get("exact7")) or math.nan)

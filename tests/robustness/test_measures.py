"""Measures against plain formulas."""

from __future__ import annotations

import math

import pytest
import torch
from small_networks import digits_network

from axsim.robustness.attacks import get
from axsim.robustness.measures import (
    accuracy,
    confidence,
    noise,
    predictions,
    relative_confidence,
    robustness_curve,
    shares_above,
    zero_gradients,
)
from axsim.robustness.threats import craft


def test_noise_is_what_the_formulas_say() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.rand((3, 2, 4, 4), generator=generator), torch.rand((3, 2, 4, 4), generator=generator)
    b[1] = a[1]
    found = noise(a, b, peak=0.5)
    for row in (0, 2):
        mse = float((a[row] - b[row]).double().square().mean())
        assert float(found.mse[row]) == pytest.approx(mse, rel=1e-6)
        assert float(found.psnr[row]) == pytest.approx(20 * math.log10(0.5 / math.sqrt(mse)), rel=1e-6)
        assert float(found.l0[row]) == 16
    assert float(found.psnr[1]) == math.inf
    assert [float(x[1]) for x in (found.l0, found.l2, found.linf, found.mse)] == [0] * 4
    with pytest.raises(ValueError, match="shape"):
        noise(a, b[:2])


def test_predictions_do_not_depend_on_the_batch() -> None:
    network, images, labels = digits_network()
    assert torch.equal(predictions(network, images, batch=7), predictions(network, images))
    assert predictions(network, images[:0]).shape == (0,)
    assert accuracy(network, images, labels).value == 1
    assert accuracy(network, images[:0], labels[:0]).of == 0


def test_predictions_leave_the_network_in_its_mode() -> None:
    network, images, _ = digits_network()
    network.train()
    try:
        predictions(network, images[:3])
        assert network.training
    finally:
        network.eval()


def test_the_curve_falls_and_budget_zero_is_the_accuracy() -> None:
    network, images, labels = digits_network()
    labels = labels[:60].clone()
    labels[:6] = (labels[:6] + 1) % 10
    rates = robustness_curve(get("fgsm"), network, network, images[:60], labels, [0, 0.05, 0.15, 0.4])
    assert rates[0].count == 54
    assert rates[0].value > rates[1].value > rates[2].value > rates[3].value


def test_confidence_by_temperature_and_scale() -> None:
    logits = torch.tensor([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0]])
    labels = torch.tensor([0, 0])
    p = logits.softmax(1)
    expected = torch.stack([p[0, 0] - p[0, 1], p[1, 0] - p[1, 1]])
    torch.testing.assert_close(confidence(logits, labels), expected)
    assert confidence(logits, labels, temperature=None).tolist() == [2, -2]
    # Logits of four times the size look surer, unless temperature or scale is taken out.
    assert confidence(4 * logits, labels)[0] > confidence(logits, labels)[0]
    torch.testing.assert_close(confidence(4 * logits, labels, temperature=4.0), confidence(logits, labels))
    torch.testing.assert_close(relative_confidence(4 * logits, labels), relative_confidence(logits, labels))
    assert relative_confidence(0 * logits, labels).tolist() == [0, 0]
    with pytest.raises(ValueError, match="temperature"):
        confidence(logits, labels, temperature=0.0)


def test_halves_are_as_sure_as_floats() -> None:
    logits, labels = torch.tensor([[9.3, 1.1, 0.7], [2.4, 1.9, -3.0]]), torch.tensor([0, 1])
    for kind in (torch.float16, torch.bfloat16):
        rounded = logits.to(kind)
        assert torch.equal(confidence(rounded, labels), confidence(rounded.float(), labels))
        assert torch.equal(relative_confidence(rounded, labels), relative_confidence(rounded.float(), labels))
    assert confidence(logits.double(), labels).dtype == torch.float64


def test_no_image_has_no_confidence() -> None:
    logits, labels = torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)
    assert len(confidence(logits, labels)) == len(relative_confidence(logits, labels)) == 0


def test_labels_are_one_for_each_image() -> None:
    """Others would be broadcast: the share of something else."""
    network, images, labels = digits_network()
    for wrong in (labels[:, None], labels[:1], labels[:-1]):
        with pytest.raises(ValueError, match="labels: shape"):
            accuracy(network, images, wrong)
        with pytest.raises(ValueError, match="labels: shape"):
            confidence(network(images), wrong)


def test_what_is_no_number_says_nothing_of_a_class() -> None:
    """Its largest would be the first NaN: of a network that gives nothing else, class 0, and never fooled."""
    network, images, labels = digits_network()

    class Broken(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            z = network(x)
            return torch.where(z.argmax(1, keepdim=True) == 3, z * math.nan, z)

    count = int((predictions(network, images) == 3).sum())
    with pytest.raises(ValueError, match=f"NaN for {count} of {len(images)} images"):
        accuracy(Broken(), images, labels)
    with pytest.raises(ValueError, match="NaN"):
        craft(get("lsa"), Broken(), images[:20], labels[:20])


def test_shares_above_are_a_distribution() -> None:
    shares = shares_above(torch.tensor([0.1, 0.5, 0.9, 0.95]), [0.0, 0.8, 0.99])
    assert [share.count for share in shares] == [4, 2, 0]


def test_zero_gradients_of_saturated_logits() -> None:
    network, images, labels = digits_network()

    class Loud(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 1000 * network(x)

    assert not zero_gradients(network, images, labels).all()
    assert zero_gradients(Loud(), images, labels).float().mean() > 0.9
    plain = zero_gradients(Loud(), images, labels, loss=lambda z, y: z.gather(1, y[:, None])[:, 0])
    assert plain.float().mean() < 0.05

"""Sounds and the measure of the benchmark of a pretrained network; the network itself is not here."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from benchmarks import pretrained  # noqa: E402


def test_tones_repeat_after_a_period() -> None:
    sound, pitch = pretrained.tones(20, 3)
    assert sound.shape == (20, pretrained.SAMPLES)
    assert ((pitch >= 70) & (pitch <= 800)).all()
    np.testing.assert_allclose(sound.std(1, correction=0), 1, atol=1e-5)
    for wave, hertz in zip(sound.numpy(), pitch, strict=True):
        spectrum = np.abs(np.fft.rfft(wave, 1 << 16))
        harmonics = np.arange(1, pretrained.HARMONICS + 1) * hertz / pretrained.RATE * (1 << 16)
        loudest = spectrum.argmax()
        assert np.abs(harmonics - loudest).min() < 40  # 10 Hz


def test_errors_are_in_cents() -> None:
    bins = torch.zeros(2, pretrained.BINS)
    bins[0, 100] = 1
    bins[1, 200:202] = 0.5
    hertz = 10 * 2 ** (pretrained.CENTS[[100, 200]].numpy() / 1200)
    np.testing.assert_allclose(pretrained.error(bins, hertz), [0, 10], atol=0.01)

"""The photograph of the demonstration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import correlate

from axsim.cli.demo import photograph

pytest.importorskip("skimage")


def test_exact_filters_are_the_usual_ones() -> None:
    image = photograph.photograph()
    wide = image.astype(np.int64)
    blurred = (correlate(wide, photograph.GAUSSIAN.astype(np.int64), mode="constant") + 128) >> 8
    np.testing.assert_array_equal(photograph.blur(image, "exact8"), blurred)
    kernel = photograph.SOBEL_X // photograph.SOBEL_SCALE
    dx, dy = (correlate(wide, k.astype(np.int64), mode="constant") for k in (kernel, kernel.T))
    np.testing.assert_array_equal(
        photograph.sobel_edges(image, "exact8"), np.clip(np.hypot(dx, dy) / 4, 0, 255).astype(np.uint8)
    )


def test_quality_falls_with_the_multiplier() -> None:
    exact, results = photograph.filter_photograph(["exact8", "KEM", "JV3"])
    assert exact.blur_ssim == results[0].blur_ssim == 1
    psnr = [r.blur_psnr for r in results]
    assert psnr[0] == np.inf
    assert psnr[1] > 50 > 20 > psnr[2] > 5

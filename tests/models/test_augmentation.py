"""Images moved and mirrored."""

from __future__ import annotations

import pytest
import torch

from axsim.models.augmentation import crop_flip, shift


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_every_shift_is_one_of_the_25(dtype: torch.dtype) -> None:
    image = torch.arange(1, 2 * 6 * 5 + 1).reshape(1, 2, 6, 5).to(dtype)
    padded = torch.nn.functional.pad(image[0], (2, 2, 2, 2))
    every = {(r, c): padded[:, r : r + 6, c : c + 5] for r in range(5) for c in range(5)}
    torch.manual_seed(0)
    moved = shift(image.expand(400, -1, -1, -1))
    assert moved.dtype == dtype
    found = [next(k for k, v in every.items() if torch.equal(v, one)) for one in moved]
    assert set(found) == set(every)  # and both directions are drawn apart from each other


def test_half_are_mirrored() -> None:
    image = torch.zeros(1, 1, 16, 16)
    image[..., 6:10, 6] = 1
    image[..., 6, 6:9] = 1  # a shape that knows left from right
    torch.manual_seed(0)
    moved = crop_flip(image.expand(300, -1, -1, -1))
    assert moved.sum((1, 2, 3)).unique().tolist() == [6.0]  # 4 pixels move nothing out of the image
    left = sum(bool((one.argmax() % 16) == one[0].sum(0).argmax()) for one in moved)
    assert 110 < left < 190

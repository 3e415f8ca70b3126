"""A data set: images, labels, and where they came from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from axsim.errors import DatasetError

if TYPE_CHECKING:
    import torch

Part = Literal["train", "test"]


class Reading(NamedTuple):
    """What a layout's reader found: images ``(N, C, H, W)`` uint8 and labels ``(N,)``, not yet checked.

    ``source`` says which files, ``note`` what a report must say of them ("" for the published ones).
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[Any]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[Any]
    source: str
    note: str


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images with labels, in a part to train on and a part to test with.

    Attributes:
        name: such as "mnist".
        train_images, test_images: ``(N, C, H, W)``, uint8 from 0 to 255 or float32 from 0 to 1.
        train_labels, test_labels: ``(N,)`` int64, numbers of classes.
        classes: their names.
        source: the files, or the library, that the images came from.
        note: what a report on them must say, such as that they are a JPEG copy. "" for images as published.

    Raises:
        DatasetError: images and labels that do not fit together, or a label without a class.

    >>> images = np.arange(16, dtype=np.uint8).reshape(4, 1, 2, 2)
    >>> data = Dataset("mine", images, np.array([0, 1, 0, 1]), images[:2], np.array([0, 1]), ("even", "odd"))
    >>> data
    <Dataset 'mine': 4 train, 2 test, images 1 x 2 x 2 uint8, 2 classes>
    """

    name: str
    train_images: NDArray[Any]
    train_labels: NDArray[np.int64]
    test_images: NDArray[Any]
    test_labels: NDArray[np.int64]
    classes: tuple[str, ...]
    source: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            if images.ndim != 4 or images.dtype not in (np.uint8, np.float32):
                raise DatasetError(
                    f"{self.name}: {part} images are {images.dtype} {images.shape}; uint8 or float32 (N, C, "
                    "H, W) was expected"
                )
            if labels.shape != (len(images),):
                raise DatasetError(
                    f"{self.name}: there are {len(images)} {part} images and labels {labels.shape}; one for "
                    "each image was expected"
                )
            if len(labels) and not (labels.min() >= 0 and labels.max() < len(self.classes)):
                raise DatasetError(
                    f"{self.name}: {part} labels go from {labels.min()} to {labels.max()}; 0 to "
                    f"{len(self.classes) - 1} were expected"
                )
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            raise DatasetError(
                f"{self.name}: train images are {self.train_images.shape[1:]}, test images "
                f"{self.test_images.shape[1:]}; the same was expected"
            )

    def __repr__(self) -> str:
        channels, height, width = self.test_images.shape[1:]
        return (
            f"<Dataset {self.name!r}: {len(self.train_images)} train, {len(self.test_images)} test, images "
            f"{channels} x {height} x {width} {self.test_images.dtype}, {len(self.classes)} classes>"
        )

    @property
    def options(self) -> dict[str, int]:
        """What a network must know of the images: options of :func:`axsim.models.get`.

        ValueError for images that are not square.
        """
        channels, height, width = self.test_images.shape[1:]
        if height != width:
            raise ValueError(
                f"{self.name} has images of {height} x {width} pixels; square ones were expected"
            )
        return {"in_channels": channels, "size": height, "classes": len(self.classes)}

    def as_float(self) -> Dataset:
        """The same with images as float32 from 0 to 1: uint8 divided by 255."""
        if self.test_images.dtype == np.float32:
            return self
        scaled = [images / np.float32(255) for images in (self.train_images, self.test_images)]
        return replace(self, train_images=scaled[0], test_images=scaled[1])

    def tensors(self, part: Part = "test", first: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Images float32 ``(N, C, H, W)`` from 0 to 1 and labels int64 ``(N,)`` as torch tensors.

        Args:
            part: "train" or "test". Default: "test".
            first: how many, from the beginning. Default: all.

        Raises:
            ValueError: an unknown part.
        """
        import torch

        if part not in ("train", "test"):
            raise ValueError(f"part is {part!r}; 'train' or 'test' was expected")
        images, labels = getattr(self, f"{part}_images")[:first], getattr(self, f"{part}_labels")[:first]
        scaled = images / np.float32(255) if images.dtype == np.uint8 else images.copy()
        return torch.from_numpy(scaled), torch.from_numpy(labels.copy())

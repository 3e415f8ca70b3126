"""Images that networks are measured on: by name, from a folder or a download, as NumPy arrays.

>>> import axsim.datasets
>>> digits = axsim.datasets.load("digits", dtype="float32")
>>> digits.test_images.shape, digits.test_images.dtype, digits.classes[:3]
((719, 1, 8, 8), dtype('float32'), ('0', '1', '2'))
"""

from __future__ import annotations

from axsim.datasets.dataset import Dataset
from axsim.datasets.loading import list_datasets, load

__all__ = ["Dataset", "list_datasets", "load"]

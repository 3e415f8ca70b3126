"""Networks of PyTorch through approximate multipliers: any trained one, in one call, fast, and trainable.

>>> import torch, axsim.nn
>>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
>>> approx = axsim.nn.approximate(model, "L40", calibrate=[torch.rand(16, 4)])
>>> approx(torch.rand(3, 4)).shape
torch.Size([3, 2])
"""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("torch") is None or find_spec("xxhash") is None:
    raise ImportError("axsim.nn needs PyTorch: pip install 'axsim[torch]'")

from axsim.nn import gradients, layers, observers
from axsim.nn.compare import Comparison, LayerComparison, compare
from axsim.nn.convert import approximate
from axsim.nn.fold import fold_batch_norm
from axsim.nn.gradients import STE
from axsim.nn.looking import calibrate_through
from axsim.nn.quantization import Quantization
from axsim.nn.ranges import calibrate, calibration, load_calibration
from axsim.nn.summary import LayerSummary, Summary, reset_counts, summary
from axsim.nn.through import through

__all__ = [
    "STE",
    "Comparison",
    "LayerComparison",
    "LayerSummary",
    "Quantization",
    "Summary",
    "approximate",
    "calibrate",
    "calibrate_through",
    "calibration",
    "compare",
    "fold_batch_norm",
    "gradients",
    "layers",
    "load_calibration",
    "observers",
    "reset_counts",
    "summary",
    "through",
]

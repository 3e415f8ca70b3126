"""Networks on which approximate multipliers are measured: exact, plain ``torch.nn``, by name; trained ones
too.

Needs the extra ``torch``. Every network takes images ``(N, in_channels, size, size)``, float32 in [0, 1]
without any further scaling, and gives scores ``(N, classes)`` without a softmax.

>>> import axsim.models
>>> axsim.models.load("lenet5", "mnist")
LeNet5(
  (conv1): Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))
  (conv2): Conv2d(6, 16, kernel_size=(5, 5), stride=(1, 1))
  (linear1): Linear(in_features=400, out_features=120, bias=True)
  (linear2): Linear(in_features=120, out_features=10, bias=True)
)
"""

from __future__ import annotations

try:
    import torch as _torch  # noqa: F401
except ImportError as _problem:
    raise ImportError("axsim.models needs torch: pip install 'axsim[torch]'") from _problem

from axsim.models.alexnet import AlexNet, alexnet_average
from axsim.models.cleverhans import CleverhansCNN
from axsim.models.feedforward import FFNN
from axsim.models.lenet5 import LeNet5, LeNet5Average, lenet5_da
from axsim.models.names import cost, get, list_models
from axsim.models.recipe import Recipe
from axsim.models.resnet import ResNet, resnet18, resnet20
from axsim.models.stored import halved, list_trained, load, load_npz, record, save
from axsim.models.training import Epoch, accuracy, fingerprint, train
from axsim.models.vit import ViT

__all__ = [
    "FFNN",
    "AlexNet",
    "CleverhansCNN",
    "Epoch",
    "LeNet5",
    "LeNet5Average",
    "Recipe",
    "ResNet",
    "ViT",
    "accuracy",
    "alexnet_average",
    "cost",
    "fingerprint",
    "get",
    "halved",
    "lenet5_da",
    "list_models",
    "list_trained",
    "load",
    "load_npz",
    "record",
    "resnet18",
    "resnet20",
    "save",
    "train",
]

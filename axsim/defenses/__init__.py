"""Defences to compare with: plain torch modules, so that they stand beside or before approximate layers.

``defended(dorefa(model), QuantizationLayer(4))`` has all three; approximate multipliers come last, as they
read the weights that others have quantised.
"""

from axsim.defenses.bfloat16 import bfloat16, to_bfloat16
from axsim.defenses.dorefa import QuantizedReLU, QuantizedWeight, dorefa
from axsim.defenses.dorefa_network import quantization_network
from axsim.defenses.qusecnets import QuantizationLayer, cost, defended, train_thresholds
from axsim.defenses.squeezing import BitDepth, MedianSmoothing, squeezing_distance

__all__ = [
    "BitDepth",
    "MedianSmoothing",
    "QuantizationLayer",
    "QuantizedReLU",
    "QuantizedWeight",
    "bfloat16",
    "cost",
    "defended",
    "dorefa",
    "quantization_network",
    "squeezing_distance",
    "to_bfloat16",
    "train_thresholds",
]

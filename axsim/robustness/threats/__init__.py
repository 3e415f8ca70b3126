"""Threat models: what an attacker has, and on which network what they made is tried."""

from axsim.robustness.threats.black_box import BlackBox, black_box
from axsim.robustness.threats.crafting import Crafted, craft
from axsim.robustness.threats.substitute import Substitute, train_substitute
from axsim.robustness.threats.transfer import Outcome, transfer
from axsim.robustness.threats.white_box import WhiteBox, white_box

__all__ = [
    "BlackBox",
    "Crafted",
    "Outcome",
    "Substitute",
    "WhiteBox",
    "black_box",
    "craft",
    "train_substitute",
    "transfer",
    "white_box",
]

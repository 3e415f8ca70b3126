"""The kinds of experiments that there are; importing this makes them known to experiment files.

======================  ===============================================================================
``transfer``            crafted on one network, asked of another
``black_box``           crafted on a substitute that was trained on the victim's answers
``white_box``           crafted on the network itself, with the checks that a defence must pass
``curve``               robust accuracy at a budget
``confidence``          how far the right class is ahead of the next
``accuracy``            without any attack
======================  ===============================================================================
"""

from axsim.robustness.experiments import register
from axsim.robustness.kinds import accuracy, black_box, confidence, curve, transfer, white_box

KINDS = tuple(
    register(kind.EXPERIMENT) for kind in (transfer, black_box, white_box, curve, confidence, accuracy)
)
"""All of them."""

__all__ = ["KINDS"]

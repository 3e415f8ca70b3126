"""Attacks by name: ``get("pgd_linf")`` gives one, ``list_attacks()`` all names."""

from axsim.robustness.attacks.attack import Attack, AttackResult, NamedAttack
from axsim.robustness.attacks.eot import EOT, MeanOf
from axsim.robustness.attacks.registry import get, list_attacks
from axsim.robustness.attacks.worst import worst_case

__all__ = ["EOT", "Attack", "AttackResult", "MeanOf", "NamedAttack", "get", "list_attacks", "worst_case"]

"""What the scripts share: the paper's figures and the multipliers by name."""

from __future__ import annotations

import json
from pathlib import Path

from axsim.errors import UnknownMultiplierError
from axsim.multipliers import get
from axsim.multipliers.floating import FloatMultiplier, float_names

_NAMES = {"axfpm": "Ax-FPM", "heap_like": "HEAP"}
_FIGURES = json.loads(Path(__file__).with_name("published.json").read_text(encoding="utf-8"))["figures"]
PUBLISHED = {
    name: {_NAMES[entry["settings"]["variant"]]: entry["value"] for entry in _FIGURES[name]["values"]}
    for name in ("higher", "mred", "nmed")
}
"""``PUBLISHED[figure][multiplier]``: figure "higher" (share of products above the exact one in magnitude),
"mred" or "nmed"; multiplier "Ax-FPM" or "HEAP"."""

QUICK_PRODUCTS = 1 << 18


def float_multiplier(name: str) -> FloatMultiplier:
    """The float multiplier called ``name``; ValueError if there is none."""
    try:
        multiplier = get(name)
    except UnknownMultiplierError:
        multiplier = None
    if not isinstance(multiplier, FloatMultiplier):
        raise ValueError(f"no float multiplier is called {name!r}; some are {', '.join(float_names())}")
    return multiplier

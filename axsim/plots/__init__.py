"""Pictures and pages about multipliers, drawn with matplotlib (extra ``plot``) without a display."""

from __future__ import annotations

from axsim.plots.errors import ErrorScale, comparison_picture, error_panel, error_picture
from axsim.plots.figures import check_ending, new_figure, save_figure
from axsim.plots.fronts import pareto_picture
from axsim.plots.layers import layers_picture

__all__ = [
    "ErrorScale",
    "check_ending",
    "comparison_picture",
    "error_panel",
    "error_picture",
    "layers_picture",
    "new_figure",
    "pareto_picture",
    "save_figure",
]

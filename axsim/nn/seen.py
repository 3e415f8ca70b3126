"""Ranges for calls that are intercepted: what a calibration saw, by the names of calls."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from axsim.nn.arithmetic import Arithmetic
from axsim.nn.observers import Observer, Range, Seen, observer_of


@dataclass(frozen=True, eq=False)
class Calibrated:
    """What ``axsim.nn.calibrate_through`` returns, for any multiplier; it can be pickled.

    Attributes:
        observer: how a range is made of what was seen.
        seen: by the names of sites: that of the call, and which operand where there are several.
        right: the sites of right operands, which are coded as weights are.
    """

    observer: str | Observer
    seen: Mapping[str, Seen]
    right: frozenset[str]
    _model: weakref.ref[nn.Module] | None = None
    _made: dict[tuple[str, str], Range] = field(default_factory=dict, repr=False)

    @property
    def model(self) -> nn.Module | None:
        """The model that was run, as long as it lives, in this process."""
        return None if self._model is None else self._model()

    def range(self, site: str, by: Arithmetic) -> Range:
        """The range of a site for an arithmetic of integers.

        Raises:
            ValueError: the calibration never came there.
        """
        key = site, by.key
        if key not in self._made:
            seen, rule = self.seen.get(site), by.right if site in self.right else by.left
            if seen is None or rule is None:
                names = list(self.seen)
                shown = ", ".join(map(repr, names[:6])) + (", ..." if len(names) > 6 else "")
                raise ValueError(
                    f"{site}: the calibration never came here, but to {shown}. Names count a module's calls "
                    "of a function, and outside of modules those since the with statement. Calibrate with "
                    "batches that come here, leave the call out (layers=), or give no ranges"
                )
            self._made[key] = observer_of(self.observer).range(seen, rule)
        return self._made[key]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_model": None, "_made": {}}

"""The command line: ``axsim list``, ``info``, ``plot``, ``build``, ``doctor`` and ``demo``."""

from __future__ import annotations

from axsim.cli import machine, multipliers, tables
from axsim.cli.app import app

__all__ = ["app", "machine", "multipliers", "tables"]

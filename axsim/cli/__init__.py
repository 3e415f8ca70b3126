"""The command line: ``axsim list``, ``info``, ``import``, ``build`` ...; a file for each group of them."""

from __future__ import annotations

from axsim.cli import files, machine, multipliers, robustness, tables
from axsim.cli.app import app

__all__ = ["app", "files", "machine", "multipliers", "robustness", "tables"]

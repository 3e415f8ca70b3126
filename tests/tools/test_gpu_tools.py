"""Tools that read machine code say in one line what they lack or do not know."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.mark.parametrize("tool", ["gpu_counts.py", "gpu_idle.py"])
@pytest.mark.parametrize(
    ("compiler", "message"),
    [("nvcc", "nvcc must be on PATH"), ("gcc", "compiler is 'gcc', expected 'nvrtc' or 'nvcc'")],
)
def test_errors_are_one_line(tool: str, compiler: str, message: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, TOOLS / tool, "--compiler", compiler],
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 2
    assert done.stderr == f"axsim: {message}\n"

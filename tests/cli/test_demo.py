"""The whole demonstration."""

from __future__ import annotations

from pathlib import Path

import pytest

from axsim.cli import demo
from axsim.multipliers.evoapprox import evoapprox

pytest.importorskip("matplotlib")
pytest.importorskip("torch")


def test_both_parts_are_printed_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo.run(tmp_path)
    printed = capsys.readouterr().out
    named = (*demo.photograph.IMAGE_MULTIPLIERS, *evoapprox(), "float32", "exact8", "axfpm")
    assert [name for name in named if name not in printed] == []
    for picture in ("photograph.png", "digits.png"):
        assert str(tmp_path / picture) in printed
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")

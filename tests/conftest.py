"""What all tests share: the folder of outside reference data, and Hypothesis settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("axsim", deadline=None, print_blob=True)
settings.load_profile("axsim")

REFERENCE_DATA = Path(os.environ.get("AXSIM_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of published tables, vectors and data sets; tests that need it skip where it is absent."""
    if not (REFERENCE_DATA / "README.md").is_file():
        pytest.skip(f"reference data not found in {REFERENCE_DATA}; set AXSIM_SHARED to its folder")
    return REFERENCE_DATA


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests never read or write the user's cache directory."""
    monkeypatch.setenv("AXSIM_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "axsim-cache"))


@pytest.fixture(autouse=True)
def _one_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """Networks that are attacked are tiny: several threads would only wait for each other."""
    if not {"robustness", "defenses", "docs"} & set(request.path.parts):
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

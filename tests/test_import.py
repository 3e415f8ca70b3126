"""What `import axsim` brings along."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "cupy", "matplotlib", "h5py", "sklearn", "skimage", "rich", "typer", "platformdirs")

PROBE = f"""
import sys
import axsim
print([m for m in {HEAVY!r} if m in sys.modules])
"""


def test_import_is_light() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

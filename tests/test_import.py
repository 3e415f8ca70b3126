"""What `import axsim` costs and brings along."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = ("torch", "cupy", "matplotlib", "h5py", "sklearn", "skimage", "rich", "typer", "platformdirs")

PROBE = f"""
import sys, time
start = time.process_time()
import axsim
print(__import__("json").dumps([time.process_time() - start, [m for m in {HEAVY!r} if m in sys.modules]]))
"""


def probe() -> tuple[float, list[str]]:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    seconds, heavy = json.loads(done.stdout)
    return seconds, heavy


def test_import_is_quick_and_light() -> None:
    runs = [probe() for _ in range(5)]
    assert all(heavy == [] for _, heavy in runs)
    # Processor time, and the least: the machine that runs the tests may be busy with others.
    assert min(seconds for seconds, _ in runs) < 0.3

"""What CMake is told: all sources, and what to say where there is no compiler."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from compiled_programs import NATIVE, compiler

ROOT = NATIVE.parent


def test_every_source_is_listed() -> None:
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    listed = re.findall(r"^  (\S+\.cpp)\)?$", text, re.MULTILINE)
    assert sorted(listed) == sorted(str(path.relative_to(NATIVE)) for path in NATIVE.rglob("*.cpp"))


def test_without_a_compiler_the_message_names_the_switch(tmp_path: Path) -> None:
    command = [compiler("cmake"), "-S", str(ROOT), "-B", str(tmp_path), "-DCMAKE_CXX_COMPILER=NOTFOUND"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "AXSIM_NATIVE=0 pip install" in done.stderr
    switch = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("if.env.AXSIM_NATIVE")[2]
    assert switch.partition("[")[2].partition("\n[")[0].find("wheel.cmake = false") != -1

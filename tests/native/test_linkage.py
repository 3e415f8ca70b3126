"""Code for one instruction set must never run in another's place.

Where two files define the same function that may be defined often (an inline function, a template's
instance), the linker keeps one copy: it could keep the one that was compiled for AVX-512, for the whole
program. So a file for an instruction set defines nothing of that kind; compiled without optimisation, nothing
hides by being inlined.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from compiled_programs import NATIVE, X86, compiler, library, run, set_of

AVX512 = ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma")
OPTIONS = {
    "avx2": ("-mavx2", "-mfma"),
    "avx512": AVX512,
    "vbmi": (*AVX512, "-mavx512vbmi"),
    "vnni": (*AVX512, "-mavx512vnni"),
}
FILES = [source for source in library() if set_of(source)]


@pytest.mark.skipif(not X86, reason="these instruction sets are x86's")
@pytest.mark.parametrize("source", FILES, ids=lambda path: str(path.relative_to(NATIVE)))
def test_nothing_that_the_linker_could_merge(source: Path, tmp_path: Path) -> None:
    made = str(tmp_path / "object.o")
    options = OPTIONS[set_of(source) or ""]
    run([compiler(), "-std=c++17", "-O0", "-I", str(NATIVE), *options, "-c", str(source), "-o", made])
    symbols = [line.split(maxsplit=2) for line in run([compiler("nm"), "-C", made]).splitlines()]
    defined = {name: kind for address, kind, name in (line for line in symbols if len(line) == 3)}
    merged = [name for name, kind in defined.items() if kind in "wWvVu" and not name.startswith("DW.ref.")]
    assert merged == []
    functions = [name for name, kind in defined.items() if kind == "T"]
    assert len(functions) == 1  # the one that gives the file's kernels
    assert functions[0].startswith("axsim::")


def test_every_family_has_such_files() -> None:
    assert {source.parent.name for source in FILES} == {
        "factored",
        "floating",
        "lookup",
        "quantise",
        "weighted",
    }

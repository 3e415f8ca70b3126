"""All checks on a GPU: ``python -m pytest tests/gpu -q --out FOLDER``."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import gpu_checks as checks
import pytest
from gpu_places import Kind, Place, gpu

from axsim.errors import GpuUnavailableError

try:
    PLACE = gpu()
except GpuUnavailableError as problem:
    pytest.skip(f"no GPU to check: {problem}", allow_module_level=True)

NAMES = checks.integer_names()
SOME = ("mul8u_L40", "mul8u_JQQ", "mul8u_1446", "exact8s", "drawn16", "drawn17")
EDGES = (0, 1, 2, 15, 16, 17, 31, 33, 63, 64, 65, 255, 256, 257)
LONG_EDGES = (639, 641, 703, 704, 705, 1023, 1024, 1025, 1279, 1281, 1407, 1409)


@pytest.fixture
def place() -> Place:
    return PLACE


@pytest.fixture(params=PLACE.kinds, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


# --- integers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*NAMES, *checks.DRAWN])
def test_every_pair_of_operands(place: Place, name: str) -> None:
    checks.check_every_pair(place, name)


@pytest.mark.parametrize("name", [*NAMES, *checks.DRAWN])
def test_matmul(place: Place, name: str) -> None:
    for types in checks.TYPES:
        checks.check_matmul(place, name, (131, 77, 259), types)
    checks.check_matmul(place, name, (70, 33, 67), checks.TYPES[0], "int64")


@pytest.mark.parametrize("name", [*NAMES, *checks.DRAWN])
def test_conv2d(place: Place, name: str) -> None:
    for case, types in zip(("3x3", "depthwise", "groups"), checks.TYPES, strict=True):
        checks.check_conv2d(place, name, case, types)


@pytest.mark.parametrize("name", SOME)
def test_edges(place: Place, name: str) -> None:
    random = checks.np.random.default_rng(1)
    shapes = {(m, 9, n) for m, n in product(EDGES[:4] + EDGES[8:11], repeat=2)}
    shapes |= {(int(random.choice(LONG_EDGES)), 5, n) for n in EDGES} | {(n, 5, 769) for n in EDGES}
    shapes |= {(33, k, 65) for k in EDGES} | {(1, 4097, 1), (2, 1500, 3)}
    for shape in sorted(shapes):
        checks.check_matmul(place, name, shape, checks.TYPES[shape[0] % 3])


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("shapes", checks.BATCHES, ids=str)
def test_batches(place: Place, name: str, shapes: Any) -> None:
    checks.check_batches(place, name, *shapes)


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("case", checks.CONVOLUTIONS)
def test_convolutions(place: Place, name: str, case: str) -> None:
    checks.check_conv2d(place, name, case)
    checks.check_conv2d(place, name, case, out_dtype="int64")


@pytest.mark.parametrize("name", SOME)
def test_sums_beyond_32_bits(place: Place, name: str) -> None:
    checks.check_matmul(place, name, (3, 300_000, 2), checks.TYPES[0], "int64")
    checks.check_matmul(place, name, (40, 90_000, 33), checks.TYPES[0], "int64")


@pytest.mark.parametrize(
    ("name", "engine"),
    [("mul8u_L40", "gather"), ("drawn17", "gather"), ("mul8u_1446", "factored"), ("mul8u_JQQ", "factored")],
)
@pytest.mark.parametrize("shape", [(4096, 4096, 4096), (4099, 1031, 2053), (64, 9000, 20000)])
def test_large_matmul(place: Place, name: str, engine: str, shape: checks.Shape) -> None:
    checks.check_large_matmul(place, name, shape, checks.TYPES[0], engine)


@pytest.mark.parametrize(("name", "engine"), [("mul8u_L40", "gather"), ("mul8u_JQQ", "factored")])
def test_large_conv2d(place: Place, name: str, engine: str) -> None:
    checks.check_large_conv2d(place, name, (32, 64, 56, 56), (64, 64, 3, 3), engine, padding=1)
    checks.check_large_conv2d(place, name, (32, 3, 224, 224), (64, 3, 7, 7), engine, padding=3, stride=2)
    checks.check_large_conv2d(place, name, (64, 96, 56, 56), (96, 1, 3, 3), "gather", padding=1, groups=96)


# --- floats -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mul8u_L40", "mul8u_1446", "exact8s"])
@pytest.mark.parametrize("engine", ["auto", "gather", "factored"])
def test_quantised_floats(place: Place, kind: Kind, name: str, engine: str) -> None:
    if engine == "factored" and checks.form_of(checks.integer_multiplier(name), checks.TYPES[0]) is None:
        pytest.skip("the table has no factors")
    checks.check_quantised(place, kind, name, engine)


@pytest.mark.parametrize("name", checks.float_names())
def test_float_multiplier(place: Place, name: str) -> None:
    checks.check_float_multiplier(place, name)


@pytest.mark.parametrize("name", ["axfpm", "heap_like", "bfloat16"])
@pytest.mark.parametrize("tile", [0, 1, 2])
def test_float_tiles(place: Place, name: str, tile: int) -> None:
    for shape in ((63, 17, 65), (64, 8, 64), (65, 7, 31), (33, 9, 32), (257, 5, 3), (255, 4, 5), (1, 40, 1)):
        checks.check_float_tiles(place, name, shape, tile)


@pytest.mark.parametrize("name", ["axfpm", "bfloat16[L40]", "float32[L40]"])
def test_float_edges(place: Place, name: str) -> None:
    for shape in ((0, 3, 2), (2, 0, 3), (511, 5, 9), (513, 3, 7), (8, 6, 512), (512, 2, 8), (3, 700, 2)):
        checks.check_float_tiles(place, name, shape, None)


@pytest.mark.parametrize("name", ["axfpm", "heap_like", "bfloat16", "float32[L40]", "bfloat16[L40]"])
@pytest.mark.parametrize("shape", [(2048, 2048, 2048), (1027, 517, 771)])
def test_large_floats(place: Place, name: str, shape: checks.Shape) -> None:
    checks.check_large_float(place, name, shape)


# --- circumstances ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", checks.operations())
def test_layouts(place: Place, kind: Kind, operation: str) -> None:
    checks.check_layouts(place, kind, operation)


@pytest.mark.parametrize("operation", checks.operations())
def test_streams(place: Place, kind: Kind, operation: str) -> None:
    checks.check_stream(place, kind, operation)


@pytest.mark.parametrize("operation", checks.operations())
def test_results_on_a_side_stream(place: Place, kind: Kind, operation: str) -> None:
    if kind.name != "torch":
        pytest.skip("CuPy keeps no record of the streams that use an array")
    checks.check_record_stream(place, kind, operation)


@pytest.mark.parametrize("operation", checks.operations())
def test_graphs(place: Place, kind: Kind, operation: str) -> None:
    checks.check_graph(place, kind, operation)


def test_threads(place: Place, kind: Kind) -> None:
    checks.check_threads(place, kind)


def test_refusals(place: Place, kind: Kind) -> None:
    checks.check_refusals(place, kind)


def test_kernels_compiled_afresh_and_from_the_cache(tmp_path: Path) -> None:
    """Two processes, one empty folder for compiled kernels: same numbers, and the second compiles nothing."""
    command = (sys.executable, str(Path(__file__).with_name("gpu_first_call.py")))
    modules = os.pathsep.join(map(str, Path(__file__).parents[:3]))  # where pytest finds those of tests
    path = os.pathsep.join((modules, *filter(None, [os.environ.get("PYTHONPATH")])))
    caches = {"CUPY_CACHE_DIR": str(tmp_path / "cupy"), "AXSIM_CACHE_DIR": str(tmp_path / "axsim")}
    environment = {**os.environ, "PYTHONPATH": path, **caches}
    written = []
    for _ in range(2):
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        files = (tmp_path / "axsim" / "kernels").glob("*.cubin")
        written.append({path.name: path.stat().st_mtime_ns for path in files})
    assert written[0]  # what is compiled again is written again
    assert written[1] == written[0]


# --- last, for they take minutes to compile ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["drawn16", "drawn17"])
@pytest.mark.parametrize("out_dtype", ["int32", "int64"])
@pytest.mark.parametrize("case", ["matmul", "wider than a tile", "few windows, many filters"])
def test_every_variant_of_the_kernels(place: Place, name: str, out_dtype: str, case: str) -> None:
    checks.check_variants(place, name, out_dtype, case)

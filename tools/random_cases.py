"""Compares engines with the reference on random calls: python tools/random_cases.py [--cases N] [--seed S]

Every case draws an operation, a multiplier, shapes, geometry, dtypes, memory layouts, quantisation, bias, an
engine, an instruction set and a number of threads; half of the cases take prepared weights. What one way
refuses, the other must refuse, too. Prints a line with the counts, and the seed of every case that differs
(exit status 1).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

import axsim
from axsim.engines.isa import runnable_isas
from axsim.progress import track
from axsim.tables import ProductTable

Array = NDArray[Any]

NAMES = (
    "L40",
    "JQQ",
    "1446",
    "KEM",
    "JV3",
    "12N4",
    "exact8s",
    "exact5",
    "exact8x4",
    "drum8_4",
    "any",
    "any signed",
)
FLOAT_NAMES = ("axfpm", "axfpm_normalized", "heap_like", "float32", "bfloat16[L40]", "axbf16")
INTEGERS = {"uint8": (0, 255), "int8": (-128, 127), "int16": (-255, 255)}
QUANTS = (None, "affine", "symmetric", "sign-magnitude")


def multipliers() -> dict[str, Any]:
    """By name; two have tables that have nothing to do with multiplication."""
    random, made = np.random.default_rng(0), {}
    for name, low, high, signed in (("any", 0, 65535, False), ("any signed", -32768, 32767, True)):
        table = ProductTable.from_array(random.integers(low, high + 1, (256, 256)), signed)
        made[name] = axsim.Multiplier(name, 8, 8, signed, simulate=partial(_itself, table))
    return made


def _itself(table: ProductTable) -> ProductTable:
    return table


def operand(random: np.random.Generator, shape: tuple[int, ...], dtype: str, mult: Any) -> Array:
    """Numbers of the dtype, most of them such as the multiplier takes, in some memory layout."""
    if dtype in INTEGERS:
        low, high = INTEGERS[dtype]
        top = 2 ** (min(mult.a_bits, mult.b_bits) - mult.signed) - 1
        if random.random() < 0.95:
            low, high = max(low, -top), min(high, top)
        array = random.integers(low, high + 1, shape).astype(dtype)
    else:
        array = (random.normal(size=shape) * 10.0 ** random.integers(-2, 3)).astype(dtype)
        if random.random() < 0.3:
            array = np.abs(array)
    layout = random.integers(4)
    if layout == 1:
        return np.asfortranarray(array)
    if layout == 2:
        return np.ascontiguousarray(array[..., ::-1])[..., ::-1]
    if layout == 3:
        array.flags.writeable = False
    return array


def matmul_case(
    random: np.random.Generator, mult: Any, floats: bool
) -> tuple[Callable[..., Any], Array, Array, dict[str, Any]]:
    sizes = [int(random.choice([1, 2, 3, 7, 16, 33, 64, 70, 130])) for _ in range(3)]
    if random.random() < 0.03:
        sizes[random.integers(3)] = 0
    m, k, n = sizes
    batches = [((), ()), ((2,), ()), ((2,), (1,)), ((), (3,)), ((2, 1), (3,))][random.integers(5)]
    a, b = (
        operand(random, shape, kind(random, floats, mult), mult)
        for shape in ((*batches[0], m, k), (*batches[1], k, n))
    )
    return axsim.matmul, a, b, {}


def conv2d_case(
    random: np.random.Generator, mult: Any, floats: bool
) -> tuple[Callable[..., Any], Array, Array, dict[str, Any]]:

    def pair(low: int, high: int) -> tuple[int, ...]:
        return tuple(int(v) for v in random.integers(low, high + 1, 2))

    groups, kernel, dilation = int(random.choice([1, 1, 2, 4])), pair(1, 4), pair(1, 2)
    channels, filters = groups * int(random.integers(1, 5)), groups * int(random.integers(1, 9))
    size = [(kernel[i] - 1) * dilation[i] + 1 + int(random.integers(0, 12)) for i in range(2)]
    options = {
        "stride": pair(1, 3),
        "padding": (pair(0, 2), pair(0, 2)),
        "dilation": dilation,
        "groups": groups,
    }
    x = operand(random, (int(random.integers(1, 4)), channels, *size), kind(random, floats, mult), mult)
    w = operand(random, (filters, channels // groups, *kernel), kind(random, floats, mult), mult)
    return axsim.conv2d, x, w, options


def kind(random: np.random.Generator, floats: bool, mult: Any) -> str:
    """A dtype that the multiplier takes."""
    if not isinstance(mult, axsim.Multiplier):
        return str(random.choice(["float32", "float32", "float16"]))
    return str(random.choice(["float32", "float64"] if floats else ["uint8", "int8", "int16"]))


def outcome(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """The result, or the type of the error."""
    try:
        return function(*args, **options)
    except (TypeError, ValueError) as error:
        return type(error)


def same(a: Any, b: Any) -> bool:
    """Alike to the bit, NaN included."""
    if isinstance(a, type) or isinstance(b, type):
        return a is b
    return bool(
        a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    )


def run(seed: int, own: dict[str, Any], isas: list[str]) -> tuple[str, bool]:
    """One case: what it was, and whether the results agree."""
    random = np.random.default_rng(seed)
    name = str(random.choice(FLOAT_NAMES if random.random() < 0.25 else NAMES))
    mult = own.get(name) or axsim.get(name)
    whole = isinstance(mult, axsim.Multiplier)
    floats = not whole or random.random() < 0.6
    case = matmul_case if random.random() < 0.5 else conv2d_case
    function, left, right, options = case(random, mult, floats)
    if whole and floats:
        options |= {"a_quant": QUANTS[random.integers(4)]}
    b_quant = QUANTS[random.integers(4)] if whole and floats else None
    if random.random() < 0.4 and right.ndim != 3:
        count = right.shape[-1] if function is axsim.matmul else len(right)
        bias = random.normal(size=count) * 100
        options["bias"] = bias.astype(np.float32 if floats else np.int32)
    engine = (
        str(random.choice(["auto", "native", "factored"]))
        if whole
        else str(random.choice(["auto", "native"]))
    )
    expected = outcome(function, left, right, mult, b_quant=b_quant, engine="reference", **options)
    os.environ["AXSIM_ISA"] = str(random.choice(isas))
    axsim.set_num_threads(int(random.integers(1, 5)))
    prepared, weights = random.random() < 0.5, right
    if prepared:
        operation = "matmul" if function is axsim.matmul else "conv2d"
        groups = options.get("groups", 1)
        weights = outcome(axsim.prepare, right, mult, operation=operation, b_quant=b_quant, groups=groups)
        b_quant = None
    if isinstance(weights, type):
        got: Any = weights
    else:
        got = outcome(function, left, weights, mult, b_quant=b_quant, engine=engine, **options)
    del os.environ["AXSIM_ISA"]
    if engine == "factored" and got is ValueError:  # a table without factors
        return "refused", True
    what = (
        "refused"
        if isinstance(expected, type)
        else f"{function.__name__} {'prepared' if prepared else 'plain'}"
    )
    if prepared and isinstance(got, type) and isinstance(expected, type):
        return what, True  # of two faults, prepare meets that of the weights first
    return what, same(got, expected)


def main(
    cases: Annotated[int, typer.Option(min=1, help="How many.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the first case; the next has the next one.")] = 0,
) -> None:
    """Compare engines with the reference on random calls."""
    own, isas, counts, wrong = multipliers(), runnable_isas() or [""], Counter[str](), []
    for number in track(range(seed, seed + cases), "cases", cases):
        what, agrees = run(number, own, isas)
        counts[what] += 1
        if not agrees:
            wrong.append(number)
            print(f"differs: --seed {number} --cases 1 ({what})")
    print(", ".join(f"{what}: {count}" for what, count in sorted(counts.items())) + f"; {len(wrong)} differ")
    raise typer.Exit(bool(wrong))


if __name__ == "__main__":
    typer.run(main)

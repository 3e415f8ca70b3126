"""What is timed on a GPU, the most important first, and how each result is checked before it is timed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

import axsim
from axsim.engines.forms.factored_table import known_form
from axsim.engines.forms.folded import fold
from axsim.engines.gpu import factored_terms
from axsim.engines.shapes.geometry import geometry
from axsim.multipliers import Multiplier
from axsim.multipliers.evoapprox import evoapprox
from axsim.tables.product import ProductTable
from benchmarks.gpu_clock import Call, Gpu
from benchmarks.gpu_limits import Limit, Rates, exact_products, float_products, look_ups
from benchmarks.layers import HEADLINE, Layer, resnet18
from tests.gpu.gpu_oracle import float_sums, some, table_sums, table_windows

U8, I8 = np.uint8, np.int8
FLOAT32, TF32, FLOAT16 = "torch float32", "torch float32, TF32", "torch float16"
MOST_SETS = 64  # of operands, taken in turn
TAKES = {"mul8u_L40": "gather", "mul8u_12N4": "gather"}


@dataclass(frozen=True)
class Sizes:
    """Of what is timed.

    Attributes:
        large, medium, small: rows, columns and depth of products.
        plain: of the exact products that the tensor cores' rate is taken from.
        steps, copied, blocks: as ``gpu_limits.rates`` takes them.
        batch: images.
        layers: for each network its layers, by how often it has each.
        depthwise, windows: layers; the latter for profiles.
        latency: rows, columns and depth of small products.
        full: whether the targets are for these sizes.
    """

    large: int
    medium: int
    small: int
    plain: int
    steps: int
    copied: int
    blocks: int
    batch: int
    layers: Mapping[str, Mapping[Layer, int]]
    depthwise: Layer
    windows: Layer
    latency: tuple[int, ...]
    full: bool = False


def counted(layers: tuple[Layer, ...]) -> dict[Layer, int]:
    """Convolutions of different shapes, and how often each occurs; named as its first."""
    found: dict[tuple[Any, ...], tuple[Layer, int]] = {}
    for layer in layers:
        if layer.kernel:
            shape = layer.channels, layer.filters, layer.side, layer.kernel, layer.stride
            first, count = found.get(shape, (layer, 0))
            found[shape] = first, count + 1
    return dict(found.values())


RESNETS = {f"ResNet-18, {side} px": counted(resnet18(side)) for side in (224, 32)}
DEPTHWISE = Layer("", 256, 256, 56, 3, padding=1, groups=256)
FULL = Sizes(
    *(4096, 2048, 1024, 8192, 20_000, 1 << 30, 8, 256),
    RESNETS, DEPTHWISE, HEADLINE, (64, 128, 256, 512), full=True,
)  # fmt: skip
QUICK = Sizes(
    *(2048, 1024, 512, 4096, 5_000, 1 << 28, 8, 32),
    {name: dict(list(layers.items())[:3]) for name, layers in RESNETS.items()},
    DEPTHWISE, HEADLINE, (64, 256),
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """What a figure should reach: at least so many products a second, or at most so many times float32."""

    least_rate: float | None = None
    most_ratio: float | None = None


@dataclass(frozen=True)
class Work:
    """A case, ready to be timed.

    Attributes:
        calls: what is timed, by name.
        products: of one call.
        check: raises AssertionError unless the results of all calls of axsim are right.
        limits: for calls of axsim, what bounds them.
        facts: what else the JSON file says.
        not_captured: calls that should have become CUDA graphs, and why they did not.
    """

    calls: dict[str, Call]
    products: int
    check: Callable[[], None]
    limits: dict[str, Limit | None] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    not_captured: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """Something to be timed.

    Attributes:
        name: different for each.
        group: of the table.
        prepare: makes its operands.
        targets: for calls, by name.
    """

    name: str
    group: str
    prepare: Callable[[Gpu, Rates], Work]
    targets: Mapping[str, Target] = field(default_factory=dict)


def cases(sizes: Sizes) -> list[Case]:
    """All, the most important first."""
    large, medium, small = sizes.large, sizes.medium, sizes.small
    rate = Target(least_rate=1.5e12)

    def product(name: str, n: int, **targets: Target) -> Case:
        return Case(f"{name}, {n}^3", "products", partial(integer_product, name, n), targets)

    def floats(name: str, n: int, **targets: Target) -> Case:
        return Case(f"{name}, {n}^3", "float products", partial(float_product, name, n), targets)

    def layers(network: str, part: slice) -> list[Case]:
        chosen = list(sizes.layers[network].items())[part]
        return [
            Case(
                f"{network}: {layer}",
                "convolutions",
                partial(convolution, layer, sizes.batch, count),
                {"mul8u_L40 gather": Target(most_ratio=10)},
            )
            for layer, count in chosen
        ]

    others = [name for name in evoapprox() if name not in ("mul8u_1446", "mul8u_JQQ", *TAKES)]
    networks = list(sizes.layers)
    return [
        product("mul8u_L40", large, gather=rate),
        product("mul8u_1446", large, factored=Target(least_rate=100e12), gather=rate),
        product("mul8u_JQQ", large, factored=Target(least_rate=50e12), gather=rate),
        floats("axfpm", large, axsim=Target(least_rate=1e12)),
        *layers(networks[0], slice(0, 2)),
        product("mul8u_12N4", large, gather=rate),
        product(WIDE.name, large, gather=rate),
        *(product(name, large, gather=rate) for name in others),
        *layers(networks[0], slice(2, None)),
        *(case for network in networks[1:] for case in layers(network, slice(None))),
        floats("axfpm", medium, axsim=Target(least_rate=1e12)),
        *(floats(name, medium) for name in ("bfloat16", "bfloat16[L40]", "float32[L40]")),
        Case(f"{sizes.depthwise}", "convolutions", partial(convolution, sizes.depthwise, sizes.batch, 1)),
        *(Case(f"latency, {n}^3", "latency", partial(latency, n)) for n in sizes.latency),
        product("mul8u_L40", small),
        product("mul8u_12N4", small),
        *(floats(name, medium) for name in ("heap_like", "axfpm_mono", "float16[drum8_4]")),
        Case(f"quantised floats, {medium}^3", "products", partial(quantised_product, medium)),
    ]


# An operand pair in sixteen has a product of 17 bits: no 16-bit entries, no table in shared memory.
WIDE = Multiplier(
    "17 bits",
    8,
    8,
    False,
    simulate=lambda: ProductTable.from_function(lambda a, b: a * b + ((a ^ b) % 16 == 0) * 66_000, 8, 8),
)


def integer_product(name: str, n: int, gpu: Gpu, rates: Rates) -> Work:
    """uint8 by uint8, int32 sums: looked up, factored if it can be; what ``auto`` takes is a fact."""
    mult = WIDE if name == WIDE.name else evoapprox()[name]
    a, b = _sets(gpu, ((n, n), U8), ((n, n), U8))
    folded, form = _table(mult, U8, U8)
    plan = axsim.explain(a[0], b[0], mult)
    engines = ["gather", "factored"] if form is not None else ["gather"]

    def call(engine: str, i: int) -> Any:
        return axsim.matmul(a[i % len(a)], b[i % len(b)], mult, engine=engine)

    def check() -> None:
        rows = np.array(some(n))
        for i in (0, len(a) - 1):
            left = a[i][gpu.xp.asarray(rows)]
            expected = table_sums(gpu.xp, gpu.xp.asarray(folded.values), left, b[i])
            for engine in engines:
                gpu.poison(4 * n * n)
                _compare(gpu, call(engine, i)[gpu.xp.asarray(rows)], expected, f"{name}, {engine}")

    limits: dict[str, Limit | None] = {"gather": look_ups(gpu, folded)}
    if form is not None:
        limits["factored"] = _factored_limit(rates, form, plan)
    return Work(
        {engine: partial(call, engine) for engine in engines},
        n**3,
        check,
        limits,
        {
            "auto": plan.choice,
            "predicted": {c.engine: c.seconds for c in plan.candidates},
            **_rotation(gpu, a, b),
        },
    )


def float_product(name: str, n: int, gpu: Gpu, rates: Rates) -> Work:
    """float32 operands through a float multiplier, beside torch's float32."""
    mult = axsim.get(name)
    assert isinstance(mult, axsim.FloatMultiplier)
    a, b = _sets(gpu, ((n, n), np.float32), ((n, n), np.float32))

    def call(i: int) -> Any:
        return axsim.matmul(a[i % len(a)], b[i % len(b)], mult)

    def check() -> None:
        rows = gpu.xp.asarray(np.array(some(n)))
        gpu.poison(4 * n * n)
        found = call(0)[rows]
        sums = float_sums(gpu.xp, lambda x, y: axsim.multiply(x, y, mult), a[0][rows], b[0])
        _compare(gpu, found, sums.astype(np.float32), name)

    calls: dict[str, Call] = {"axsim": call}
    if gpu.torch:
        left, right = _tensors(gpu, a), _tensors(gpu, b)
        calls[FLOAT32] = _torch(gpu, lambda i: left[i % len(left)] @ right[i % len(right)], tf32=False)
    return Work(calls, n**3, check, {"axsim": float_products(gpu, rates, mult)}, _rotation(gpu, a, b))


def convolution(layer: Layer, batch: int, count: int, gpu: Gpu, rates: Rates) -> Work:
    """uint8 pixels by int8 weights, int32 sums, beside torch's float32 (TF32 off and on) and float16."""
    shapes = layer.x_shape(batch), layer.w_shape
    x, w = _sets(gpu, (shapes[0], U8), (shapes[1], I8))
    options: dict[str, Any] = {"stride": layer.stride, "padding": layer.padding, "groups": layer.groups}
    where = geometry(x_shape=shapes[0], w_shape=shapes[1], **options)
    todo = {"mul8u_L40 gather": ("mul8u_L40", "gather"), "mul8u_JQQ auto": ("mul8u_JQQ", "auto")}
    plan = axsim.explain(x[0], w[0], "mul8u_JQQ", operation="conv2d", **options)

    def call(name: str, engine: str, i: int) -> Any:
        return axsim.conv2d(x[i % len(x)], w[i % len(w)], name, engine=engine, **options)

    def check() -> None:
        images = gpu.xp.asarray(np.array(sorted({0, batch - 1})))
        for name, engine in todo.values():
            gpu.poison(4 * layer.products(batch) // math.prod(layer.w_shape[1:]))
            found = call(name, engine, 0)[images]
            values = gpu.xp.asarray(_table(evoapprox()[name], U8, I8)[0].values)
            expected = table_windows(gpu.xp, values, x[0][images], w[0].view(U8), where, 0)
            _compare(gpu, found, expected, f"{layer}, {name}, {engine}")

    folded, form = _table(evoapprox()["mul8u_JQQ"], U8, I8)
    limits: dict[str, Limit | None] = {
        "mul8u_L40 gather": look_ups(gpu, _table(evoapprox()["mul8u_L40"], U8, I8)[0])
    }
    limits["mul8u_JQQ auto"] = (
        look_ups(gpu, folded) if plan.choice == "gather" else _factored_limit(rates, form, plan)
    )
    calls: dict[str, Call] = {what: partial(call, *how) for what, how in todo.items()}
    return Work(
        calls | (_torch_convolutions(gpu, x, w, options) if gpu.torch else {}),
        layer.products(batch),
        check,
        limits,
        {"batch": batch, "layers_of_this_shape": count, "JQQ_auto": plan.choice, **_rotation(gpu, x, w)},
    )


def latency(n: int, gpu: Gpu, rates: Rates) -> Work:
    """Small products through look-ups, factors and Ax-FPM: as calls, and as replays of a CUDA graph."""
    a, b = _sets(gpu, ((n, n), U8), ((n, n), U8))
    x, y = _sets(gpu, ((n, n), np.float32), ((n, n), np.float32))

    def integers(name: str, engine: str, i: int) -> Any:
        return axsim.matmul(a[i % len(a)], b[i % len(b)], name, engine=engine)

    calls: dict[str, Call] = {
        "mul8u_L40 gather": partial(integers, "mul8u_L40", "gather"),
        "mul8u_1446 factored": partial(integers, "mul8u_1446", "factored"),
        "axfpm": lambda i: axsim.matmul(x[i % len(x)], y[i % len(y)], "axfpm"),
    }
    expected = {
        "mul8u_L40 gather": lambda: _sums(gpu, evoapprox()["mul8u_L40"], a[0], b[0]),
        "mul8u_1446 factored": lambda: _sums(gpu, evoapprox()["mul8u_1446"], a[0], b[0]),
        "axfpm": lambda: float_sums(gpu.xp, lambda u, v: axsim.multiply(u, v, "axfpm"), x[0], y[0]).astype(
            np.float32
        ),
    }
    graphs, not_captured = {}, {}
    for name, call in calls.items():
        try:
            graphs[name] = gpu.graph(partial(call, 0))
        except Exception as problem:  # the calls themselves are timed all the same
            not_captured[f"{name}, graph"] = f"{type(problem).__name__}: {problem}"

    def check() -> None:
        for name, call in calls.items():
            gpu.poison(4 * n * n)
            _compare(gpu, call(0), expected[name](), name)
        for name in graphs:
            result: Any = graphs[name]()
            result[...] = 77
            graphs[name]()
            _compare(gpu, result, expected[name](), f"{name}, graph")

    replays: dict[str, Call] = {f"{name}, graph": lambda i, g=g: g() for name, g in graphs.items()}  # type: ignore[misc]
    exact: dict[str, Call] = {}
    if gpu.torch:
        left, right = _tensors(gpu, x), _tensors(gpu, y)
        exact[FLOAT32] = _torch(gpu, lambda i: left[i % len(left)] @ right[i % len(right)], tf32=False)
    return Work(calls | replays | exact, n**3, check, facts=_rotation(gpu, a, b), not_captured=not_captured)


def quantised_product(n: int, gpu: Gpu, rates: Rates) -> Work:
    """float32 operands through integer multipliers, the host looking for NaN once in a call."""
    a, b = _sets(gpu, ((n, n), np.float32), ((n, n), np.float32))
    names = ("mul8u_L40", "mul8u_1446")

    def call(name: str, i: int) -> Any:
        return axsim.matmul(a[i % len(a)], b[i % len(b)], name)

    def check() -> None:
        rows = some(n, max(1, n // 16))  # few: the CPU makes them
        left, right = gpu.xp.asnumpy(a[0]), gpu.xp.asnumpy(b[0])
        by = axsim.quantize.affine(left)
        for name in names:
            gpu.poison(4 * n * n)
            found = gpu.xp.asnumpy(call(name, 0))[rows]
            expected = axsim.matmul(left[rows], right, name, a_quant=by)
            if not np.array_equal(found, expected):
                raise AssertionError(f"quantised product through {name}: not the CPU's numbers")

    return Work({name: partial(call, name) for name in names}, n**3, check, facts=_rotation(gpu, a, b))


def _torch_convolutions(gpu: Gpu, x: list[Any], w: list[Any], options: dict[str, Any]) -> dict[str, Call]:
    torch = gpu.torch
    float32 = [_tensors(gpu, [array.astype(np.float32) for array in side]) for side in (x, w)]
    float16 = [[t.half().contiguous(memory_format=torch.channels_last) for t in side] for side in float32]

    def through(operands: list[list[Any]], i: int) -> Any:
        pixels, weights = (side[i % len(side)] for side in operands)
        return torch.nn.functional.conv2d(pixels, weights, None, **options)

    return {
        FLOAT32: _torch(gpu, partial(through, float32), tf32=False),
        TF32: _torch(gpu, partial(through, float32), tf32=True),
        FLOAT16: _torch(gpu, partial(through, float16), tf32=False),
    }


def _torch(gpu: Gpu, call: Call, tf32: bool) -> Call:
    """The call with torch's tensor cores for float32 on or off, and cuDNN trying out its algorithms."""
    backends = gpu.torch.backends

    def set_up(i: int) -> object:
        backends.cuda.matmul.allow_tf32 = backends.cudnn.allow_tf32 = tf32
        backends.cudnn.benchmark = True
        return call(i)

    return set_up


def _tensors(gpu: Gpu, arrays: list[Any]) -> list[Any]:
    return [gpu.torch.from_dlpack(array) for array in arrays]


def _sets(gpu: Gpu, *operands: tuple[tuple[int, ...], Any]) -> list[list[Any]]:
    """Random operands, in as many sets as exceed the second-level cache twice; a list for each operand."""
    size = sum(math.prod(shape) * np.dtype(dtype).itemsize for shape, dtype in operands)
    count = min(MOST_SETS, 2 * gpu.runtime.device.l2_bytes // max(size, 1) + 2)
    random = np.random.default_rng(0)

    def drawn(shape: tuple[int, ...], dtype: Any) -> Any:
        if dtype is np.float32:
            return gpu.xp.asarray(random.standard_normal(shape, np.float32))
        info = np.iinfo(dtype)
        return gpu.xp.asarray(random.integers(info.min, info.max + 1, shape, dtype))

    return [[drawn(shape, dtype) for _ in range(count)] for shape, dtype in operands]


def _rotation(gpu: Gpu, *operands: list[Any]) -> dict[str, Any]:
    size = sum(array.nbytes for arrays in operands for array in arrays)
    return {
        "operand_sets": len(operands[0]),
        "operand_bytes": size,
        "past_the_cache": size > gpu.runtime.device.l2_bytes,
    }


def _table(mult: Multiplier, a: type[Any], b: type[Any]) -> tuple[Any, Any]:
    """The folded table and its factors, if they are known."""
    a_type, b_type = np.dtype(a), np.dtype(b)
    folded = fold(mult.table, a_type, b_type)
    return folded, known_form(mult.table, folded, a_type, b_type)


def _sums(gpu: Gpu, mult: Multiplier, a: Any, b: Any) -> Any:
    return table_sums(gpu.xp, gpu.xp.asarray(_table(mult, U8, U8)[0].values), a, b)


def _factored_limit(rates: Rates, form: Any, plan: Any) -> Limit | None:
    """For the compute_type that engine "factored" takes: the faster by prediction."""
    seconds = {c.engine: c.seconds for c in plan.candidates if c.seconds is not None and c.engine != "gather"}
    compute_type = min(seconds, key=seconds.__getitem__).removeprefix("factored ")
    return exact_products(
        rates, compute_type, sum(terms.count for terms in factored_terms.terms_of(form, compute_type))
    )


def _compare(gpu: Gpu, found: Any, expected: Any, what: str) -> None:
    wrong = int(gpu.xp.asnumpy((found != expected).sum()))
    if wrong:
        raise AssertionError(f"{what}: {wrong} of {found.size} numbers checked are wrong")

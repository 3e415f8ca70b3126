"""``axsim.explain``."""

from __future__ import annotations

from typing import Any

from axsim.engines.plan import Plan
from axsim.engines.shapes.geometry import geometry
from axsim.entrance import entrance
from axsim.multipliers import Multiplier
from axsim.ops.operations import kind_of, matrices, take
from axsim.ops.options import Options, Quantization
from axsim.ops.prepared import Mult


@entrance
def explain(
    a: Any,
    b: Any,
    mult: Mult | None = None,
    *,
    operation: str = "matmul",
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    a_quant: Quantization = None,
    b_quant: Quantization = None,
    out_dtype: Any = None,
) -> Plan:
    """Which engine ``engine="auto"`` takes for these operands, and why; ``print`` shows it as a table.

    Args:
        a, b: the operands of ``matmul``; or with ``operation="conv2d"`` x and w. ``b`` may be prepared.
        mult: an integer multiplier or its name.
        operation: "matmul" or "conv2d".
        stride, padding, dilation, groups: as for ``conv2d``, and for that alone.
        a_quant, b_quant, out_dtype: as for the operation.

    Returns:
        An ``axsim.engines.plan.Plan``: the candidates, whether each can be used, the choice, and the
        rule that made it.

    Raises:
        TypeError, ValueError, AccumulatorOverflowError: as for the operation; or ``mult`` is a float
            multiplier.

    >>> import numpy as np
    >>> operand = np.zeros((32, 32), np.uint8)
    >>> plan = explain(operand, operand, "L40")
    >>> [(c.engine, c.note) for c in plan.candidates if not c.usable]
    [('factored', 'the table has no exact factors of at most 32 terms')]
    """
    if operation not in ("matmul", "conv2d"):
        raise ValueError(f"operation is {operation!r}, expected 'matmul' or 'conv2d'")
    accepted, multiplier, (a, b, _) = take(("a", a), ("b", b), mult, operation, groups=groups)
    if not isinstance(multiplier, Multiplier):
        raise TypeError(
            f"mult is {multiplier.name}, a float multiplier, expected an integer one: nothing is "
            "chosen for float multipliers, which have one engine for each kind of array"
        )
    options = Options(a_quant, b_quant, out_dtype)
    if operation == "matmul":
        a2, b2 = matrices(a, b, b_quant)
        with accepted.context:
            kind = kind_of(multiplier, a2, b2)
            plan: Plan = kind.explain_matmul(accepted.backend, multiplier, a2, b2, options)
            return plan
    where = geometry(
        x_shape=a.shape, w_shape=b.shape, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    with accepted.context:
        kind = kind_of(multiplier, a, b)
        of_windows: Plan = kind.explain_conv2d(accepted.backend, multiplier, a, b, where, options)
    return of_windows

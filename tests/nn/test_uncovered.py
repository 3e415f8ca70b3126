"""What no multiplier is put into is recorded; groups of rows, the experts of a mixture, are multiplied."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from nn_sequences import by_ops
from torch import Tensor

from axsim.nn import calibrate_through, through
from axsim.nn.intercepted import HANDLERS
from axsim.nn.uncovered import EXACT, those_of

torch.manual_seed(3)
A, SQUARE = torch.randn(7, 8), torch.randn(4, 4)
EXPERTS = torch.randn(4, 8, 4)
ENDS = torch.tensor([2, 2, 6, 7], dtype=torch.int32)  # the second has no rows


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("matrix_power", lambda: torch.linalg.matrix_power(SQUARE, 3)),
        ("matrix_power", lambda: SQUARE.matrix_power(3)),
        ("aten.mm", lambda: torch.ops.aten.mm(SQUARE, SQUARE)),
        ("aten.linear", lambda: torch.ops.aten.linear.default(SQUARE, SQUARE)),
        ("conv_tbc", lambda: torch.conv_tbc(A[:, None], torch.ones(1, 8, 2), torch.ones(2))),
    ],
)
def test_recorded(name: str, call: Callable[[], Tensor]) -> None:
    exact = call()
    with through("L40") as seen:
        assert torch.equal(call(), exact)
    (met,) = seen.calls
    assert (met.name, met.multiplier, met.why) == (f":{name}", None, "multipliers have no such function")


def test_nothing_is_both() -> None:
    assert not set(EXACT) & set(HANDLERS)


def test_functions_that_a_version_lacks() -> None:
    assert those_of(torch, "mm", "no_such_function") == [torch.mm]


grouped = pytest.mark.skipif(not those_of(torch, "_grouped_mm"), reason="this torch has no grouped product")


@grouped
@pytest.mark.parametrize("mult", ["L40", "exact8", "axfpm", "float32"])
def test_groups_of_rows(mult: str) -> None:
    """Each group is a product of its own, with its own ranges."""
    starts = [0, 2, 2, 6]
    expected = torch.cat(
        [by_ops(A[i:j], w.contiguous(), mult) for i, j, w in zip(starts, ENDS, EXPERTS, strict=True) if j > i]
    )
    for call in (*those_of(F, "grouped_mm"), *those_of(torch, "_grouped_mm")):
        with torch.no_grad(), through(mult) as seen:
            found = call(A, EXPERTS, offs=ENDS)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=2e-5)
        (met,) = seen.calls
        assert (met.name, met.macs, met.why) == (":grouped_mm", 7 * 8 * 4, "")


@grouped
def test_groups_of_matrices_and_calibrated_groups() -> None:
    with torch.no_grad(), through("L40") as seen:
        found = torch._grouped_mm(A[None, :4].repeat(4, 1, 1), EXPERTS)
    assert seen.calls[0].macs == 4 * 4 * 8 * 4
    torch.testing.assert_close(
        found, by_ops(A[None, :4].repeat(4, 1, 1), EXPERTS, "L40"), rtol=1e-5, atol=2e-5
    )
    calibrated = calibrate_through(lambda x: torch._grouped_mm(x, EXPERTS, ENDS), [A])
    assert sorted(calibrated.seen) == [":grouped_mm a", ":grouped_mm b"]
    with torch.no_grad(), through("exact8", calibrated=calibrated):
        found = torch._grouped_mm(A, EXPERTS, ENDS)
    assert (found - torch._grouped_mm(A, EXPERTS, ENDS)).abs().max() < 0.5


@grouped
def test_other_groups_are_left() -> None:
    wide = torch.randn(8, 16)
    ends = torch.tensor([8, 16], dtype=torch.int32)
    with torch.no_grad(), through("L40") as seen:
        torch._grouped_mm(wide, wide.T.contiguous(), ends)
    assert [(met.multiplier, met.why) for met in seen.calls] == [(None, "groups that are not of rows")]

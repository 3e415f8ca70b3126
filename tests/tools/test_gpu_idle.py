"""The model of a multiprocessor that runs a loop's machine code."""

from __future__ import annotations

import pytest

from tools import gpu_idle
from tools.gpu_idle import Instruction, controls, instruction, simulated

LISTING = """
	code for sm_90
		Function : gather
        /*0010*/                   LDS.128 R4, [R0] ;               /* 0x0000000000047984 */
                                                                    /* 0x000e620000000c00 */
        /*0020*/              @P0 BRA 0x10 ;                        /* 0xfffffffc00f80947 */
                                                                    /* 0x002fea000383ffff */
"""


def coded(stall: int, sets: tuple[int, int] = (7, 7), waits: int = 0) -> int:
    return stall << 41 | sets[0] << 46 | sets[1] << 49 | waits << 52


def test_what_must_be_waited_for_is_read_from_the_code() -> None:
    upper = controls(LISTING)
    assert sorted(upper) == [0x10, 0x20]
    load = instruction("LDS.128 R4, [R0]", upper[0x10])
    assert load == Instruction("memory", 4, None, 1, (1, 7), 0)
    branch = instruction("BRA 0x10", upper[0x20])
    assert (branch.stall, branch.waits) == (5, 0b10)
    kinds = ("LDG.E.64 R2, [R4]", "BAR.SYNC 0x0", "IMAD.IADD R1, R2, 0x1, R3", "LEA.HI R1, R2, R3, RZ, 0x10")
    assert [instruction(text, coded(2)).kind for text in kinds] == [
        "memory",
        "barrier",
        "multiply",
        "integer",
    ]


def loop(*more: str) -> list[Instruction]:
    """A load whose result is waited for, other instructions, a barrier."""
    load = instruction("LDS.128 R4, [R0]", coded(1, (0, 7)))
    use = instruction("IADD3 R8, R4, R5, R6", coded(4, waits=1))
    return [load, use, *(instruction(text, coded(1)) for text in more), instruction("BAR.SYNC 0x0", coded(1))]


def test_memory_takes_a_wavefront_a_cycle() -> None:
    cycles, busy = simulated([loop()] * 8, 20)
    assert busy == 8 * 4
    assert cycles > 8 * 4 + 20  # the last result comes so late


def test_latency_is_waited_for_unless_another_warp_has_work() -> None:
    alone = [simulated([loop()], latency)[0] for latency in (20, 30)]
    assert alone[1] - alone[0] == 10
    many = ["LDS.128 R12, [R0]"] * 40
    hidden = [simulated([loop(*many)] * 8, latency)[0] for latency in (20, 30)]
    assert hidden[1] - hidden[0] < 10


def test_integer_units_take_every_other_cycle() -> None:
    one, two = (simulated([loop(*["IADD3 R1, R2, R3, R4"] * count)] * 8, 20)[0] for count in (100, 200))
    assert two - one == pytest.approx(2 * 100 * 2, abs=8)


def test_a_loop_without_a_barrier_has_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_idle, "_MOST_CYCLES", 1000)
    with pytest.raises(RuntimeError, match="no end after 1000 cycles: 0 barriers"):
        simulated([loop()[:-1]], 20)

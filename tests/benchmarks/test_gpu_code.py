"""Counting instructions and wavefronts in a listing of machine code."""

from __future__ import annotations

import pytest

from benchmarks.gpu_code import counts, halves, inner_loop, listings

LISTING = """
	code for sm_90
		Function : gather
	.headerflags	@"EF_CUDA_SM90"
        /*0000*/                   LDC R1, c[0x0][0x28] ;           /* 0x00000a00ff017b82 */
                                                                    /* 0x000fe20000000800 */
        /*0010*/                   LDS.128 R4, [R0] ;               /* 0x1 */
        /*0020*/              @P0 BRA 0x10 ;                        /* 0x2 */
        /*0030*/                   LDS.U8 R2, [R3+0x5] ;            /* 0x3 */
        /*0040*/                   LDS.64 R8, [R3] ;                /* 0x4 */
        /*0050*/                   LDS.128 R4, [R2] ;               /* 0x5 */
        /*0060*/             @!UP1 LDS.128 R12, [R2+0x80] ;         /* 0x6 */
        /*0070*/                   IMAD.IADD R9, R9, 0x1, R4 ;      /* 0x7 */
        /*0080*/                   LEA.HI R10, R4, R10, RZ, 0x10 ;  /* 0x8 */
        /*0090*/               @P1 STS.128 [R7], R12 ;              /* 0x9 */
        /*00a0*/                   BAR.SYNC.DEFER_BLOCKING 0x0 ;    /* 0xa */
        /*00b0*/              @!P2 BRA `(.L_x_1) ;                  /* 0xb */
        /*00c0*/               @P3 BRA 0x30 ;                       /* 0xc */
        /*00d0*/                   EXIT ;                           /* 0xd */
		Function : other
        /*0000*/                   BRA 0x0;                         /* 0x1 */
"""


def test_the_loop_with_the_most_look_ups_is_counted() -> None:
    code = listings(LISTING)
    assert {name: len(listing) for name, listing in code.items()} == {"gather": 14, "other": 1}
    body = inner_loop(code["gather"])
    assert (body[0][0], body[-1][0]) == (0x30, 0xC0)
    found = counts(body)
    assert found.instructions == 10
    assert found.wavefronts == 1 + 2 + 4 + 4 + 4
    assert found.kinds["LDS"] == 4
    assert found.kinds["IMAD"] == found.kinds["LEA"] == 1


def test_a_kernel_without_look_ups_is_refused() -> None:
    with pytest.raises(ValueError, match="no loop of the kernel reads 16 bytes"):
        inner_loop(listings(LISTING)["other"])


def test_either_half_of_the_warps_goes_through_one_of_two_parts_that_fill() -> None:
    texts = [
        *("@P0 BRA 0x30", "LDS.64 R8, [R3]", "STS.128 [R7], R12", "LDS.128 R4, [R2]"),
        *("@!P0 BRA 0x80", "LDS.64 R8, [R3]", "PRMT R1, R1, R1, R1", "STS.128 [R7], R12", "BAR.SYNC 0x0"),
    ]
    body = [(16 * i, text.removeprefix("@P0 ").removeprefix("@!P0 ")) for i, text in enumerate(texts)]
    assert halves(body) == (body[:5] + body[8:], body[:1] + body[3:])
    assert halves(body[:5]) == (body[:5], body[:5])

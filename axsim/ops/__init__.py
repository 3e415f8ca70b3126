"""Array operations whose every product goes through an approximate multiplier.

The left operand (``a``, ``x``: activations) is the first operand of the circuit, the right one (``b``, ``w``:
weights) the second: approximate multipliers seldom commute. Integer sums are exact.

**Integers.** Operands are uint8, int8 or int16, each on its own. An unsigned circuit takes int8 operands in
sign and magnitude, ``sign(a) sign(b) T[|a|, |b|]``, and so it does int16 ones, from -255 to 255: a sign
beside all eight bits of magnitude, of which int8 leaves half unused. A signed circuit takes int8 operands as
they are, and uint8 ones as far as the values fit. Results are int32, or int64 with ``out_dtype="int64"``.

==========  ============================================  ==================================================
dtype       unsigned circuit of n bits                    signed circuit of n bits
==========  ============================================  ==================================================
uint8       0 to 2**n - 1                                 0 to 2**(n - 1) - 1
int8        sign and magnitude, up to 2**n - 1 (n < 8),   two's complement, -2**(n - 1) to 2**(n - 1) - 1
            -128 to 127 (n >= 8)
int16       sign and magnitude, up to 2**n - 1 (255)      refused
==========  ============================================  ==================================================

**Wide circuits**, with an operand of more than 8 bits (``exact12``, ``tiled16[L40]``, a 16x16 netlist from a
file), take int16 operands, too, and int32 ones where 16 bits do not hold them; the same rules hold:

==========  ============================================  ==================================================
dtype       unsigned circuit of n bits                    signed circuit of n bits
==========  ============================================  ==================================================
uint8       0 to 2**n - 1, at most 255                    the same, up to 2**(n - 1) - 1
int8        sign and magnitude, from -128 to 127          two's complement, from -128 to 127
int16,      sign and magnitude, up to 2**n - 1, as far    two's complement, -2**(n - 1) to 2**(n - 1) - 1,
int32       as the type reaches                           as far as the type reaches
==========  ============================================  ==================================================

Their products come from the tiles that the circuit is made of (``tiled16[L40]``, ``kulkarni16``), added
exactly, or from a table of all products (up to 24 input bits: 16 million, which takes seconds to make and is
kept), or from a simulation of the gates, in main memory and slower than through tables of bytes; ``explain``
says which. Sums are checked against int32 and int64 by the largest product: 16x16 bits need
``out_dtype="int64"``. Floats become integers of up to 8 bits here as well.

**Floats.** Both operands float32 or float64: each is quantised to integers ``q = clip(round_half_even(x / s)
+ z, qmin, qmax)``, and the result is

    y = s_b (s_a ( sum T[q_a, q_b] - z_b sum q_a - z_a sum q_b + K z_a z_b ))  (+ bias)

with the bracket exact in integers. It is made float64 and multiplied by s_a, then by s_b (s_a s_b alone could
overflow or vanish), and the bias added, each step rounded to float64; the result is rounded once to the
operands' type (Jacob et al., CVPR 2018, doi 10.1109/CVPR.2018.00286). A padded pixel is a real 0, so it is
``z_a`` and goes through the table like any other operand, as it does in hardware. What ``a_quant`` and
``b_quant`` choose, for a circuit whose operand has n bits (8, if it has more):

==================  =====================================  ===================================================
quantisation        unsigned circuit                       signed circuit
==================  =====================================  ===================================================
None, "affine"      uint8, 0 to 2**n - 1                   int8, -2**(n - 1) to 2**(n - 1) - 1
"symmetric"         int8, magnitudes up to 2**n - 1 (127   int8, magnitudes up to 2**(n - 1) - 1
                    for n = 8), z = 0: sign and magnitude
"sign-magnitude"    int16, magnitudes up to 2**n - 1, z =  as "symmetric"
                    0: a sign beside all of the bits
QuantParams         the integers that they make            the same
==================  =====================================  ===================================================

``QuantParams`` are made by ``axsim.quantize.affine`` and ``symmetric``: other bits, percentiles, known
ranges; for ``b`` and ``w`` also for each output channel (the last axis of ``b``, axis 0 of ``w``).

None and the strings take one pair of parameters from the least and greatest element of the whole array: an
image's result then depends on the other images of its batch; ``a_quant=QuantParams(...)``, known before, does
not. Activations that are never negative with ``b_quant="sign-magnitude"`` (no zero points at all) are the
common choice for inference.

**Prepared operands.** What ``axsim.prepare`` makes of weights stands in the right operand's place, and gives
the same numbers without quantising them again in each call. So does a pair (integers, ``QuantParams``):
integers that stand for floats. Both go with float left operands; a prepared operand of plain integers goes
with integers.

**Float multipliers** (``axfpm``, ``float32[L40]``) take float32 and float16 operands as they are.
Every product is exact to the bit; sums are made in float64, in ascending order of k, and rounded once to
float32 (``out_dtype="float64"`` leaves them unrounded). Bias is added before the rounding. A padded pixel is
0.0.

**Arrays.** NumPy arrays in, NumPy arrays out; torch tensors in, torch tensors out; CuPy arrays in, CuPy
arrays out. Any strides, also read-only. Gradients do not flow.

**GPUs.** CuPy arrays and torch tensors on a CUDA device are multiplied there, with the same numbers, if CuPy
is installed; all operands must be on one device. Nothing is copied, work goes to the caller's stream, and
memory comes from the caller's allocator. The host waits for the GPU once in a call that quantises floats (to
raise for NaN and infinity), that has integers for a circuit narrower than their type (to check that they
fit), or that has a bias whose type could overflow the result's; never otherwise, and never while a CUDA graph
is captured. Calls can be captured after one call with the same shapes and types. NaN or infinity in float
operands then gives NaN, and what cannot be done without looking at values is refused. Capture torch tensors
with ``torch.cuda.graph``, whose memory pool holds all that a call allocates; for CuPy's graphs axsim keeps
that memory itself, for good.
"""

from __future__ import annotations

from axsim.ops.explanation import explain
from axsim.ops.operations import conv2d, matmul, multiply
from axsim.ops.prepared import Prepared, prepare

__all__ = ["Prepared", "conv2d", "explain", "matmul", "multiply", "prepare"]

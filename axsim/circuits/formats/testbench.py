"""Verilog testbenches that try all operands of a circuit."""

from __future__ import annotations

import numpy as np

from axsim.circuits.netlist import Netlist

_MULTIPLIER = 6364136223846793005  # of a linear congruential generator modulo 2**64 (Knuth, TAOCP 2, 3.3.4)
_MASK = (1 << 64) - 1


def fingerprint(values: np.ndarray) -> int:
    """What the testbench computes of all products in order: ``h = (h + product) * multiplier + 1`` from 0.

    >>> hex(fingerprint(np.array([0, 0, 0, 1])))
    '0x2407ea738cdfd539'
    """
    h = 0
    for value in values.reshape(-1).tolist():
        h = ((h + value) * _MULTIPLIER + 1) & _MASK
    return h


def write(netlist: Netlist) -> str:
    """A testbench for a module of the circuit's name, whose ports are called as its buses are.

    It tries all operands, the left one slowest, and compares a 64-bit fingerprint of all products, bit
    patterns, with the one computed here: it prints PASS, or FAIL and ends with an error.

    Raises:
        NetlistError: the circuit is no two-operand one, or has more than 24 input bits.

    >>> from axsim.circuits import exact
    >>> print(write(exact(1)).splitlines()[2])
    module exact1_tb;
    """
    left, right = netlist.operands
    product, bits = netlist.product, netlist.out_bits
    expected = fingerprint(netlist.exhaustive().astype(np.int64) & ((1 << min(bits, 63)) - 1))
    a_last, b_last = (1 << netlist.a_bits) - 1, (1 << netlist.b_bits) - 1
    return f"""\
// Tries all operands of {netlist.name} and compares a fingerprint of its products.
`timescale 1ns/1ps
module {netlist.name}_tb;
  reg [{netlist.a_bits - 1}:0] {left};
  reg [{netlist.b_bits - 1}:0] {right};
  wire [{bits - 1}:0] {product};
  reg [63:0] found;
  integer i, j;

  {netlist.name} dut (.{left}({left}), .{right}({right}), .{product}({product}));

  initial begin
    found = 64'd0;
    for (i = 0; i <= {a_last}; i = i + 1)
      for (j = 0; j <= {b_last}; j = j + 1) begin
        {left} = i;
        {right} = j;
        #1 found = (found + {product}) * 64'd{_MULTIPLIER} + 64'd1;
      end
    if (found === 64'h{expected:016x})
      $display("PASS");
    else begin
      $display("FAIL: fingerprint %h, expected {expected:016x}", found);
      $fatal;
    end
    $finish;
  end
endmodule
"""

module operators(input [3:0] a, b, output [7:0] p);
  assign p = {~^a, ^b, &a | ~|b, ~&{a, b}, {2{a[1] ~^ b[1]}}, !a && b || a == b, a !== b ^ a >= b};
endmodule

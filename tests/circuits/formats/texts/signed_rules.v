module signed_rules(input [3:0] a, b, output [7:0] p);
  wire signed [3:0] x = a, y = b;
  assign p = (x < y ? x - y : x >>> 1) + ($signed(a) * $unsigned(b)) + 4'sd9;
endmodule

module concatenated_targets(input [3:0] a, b, output [8:0] p);
  wire c;
  wire [3:0] s;
  assign {c, s} = a + b, {p[0], p[8:1]} = {s, c, a};
endmodule

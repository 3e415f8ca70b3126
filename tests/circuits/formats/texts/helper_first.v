module full_adder(input a, b, c, output s, co);
  assign {co, s} = a + b + c;
endmodule
module helper_first(input [1:0] a, b, output [2:0] p);
  wire c;
  full_adder f0(a[0], b[0], 1'b0, p[0], c), f1(.a(a[1]), .b(b[1]), .c(c), .s(p[1]), .co(p[2]));
endmodule

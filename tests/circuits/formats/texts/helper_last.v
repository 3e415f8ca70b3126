`timescale 1ns / 1ps
module top(p, a, b);          // the output comes first; old list of ports
  output [3:0] p;
  input [1:0] a;
  input [1:0] b;
  half u0(.s(p[1]), .c(k), .x(a[1] & b[0]), .y(a[0] & b[1]));  // k is declared by its use
  half u1(a[1] & b[1], k, p[2], p[3]);                          // expressions at ports, by position
  and (p[0], a[0], b[0]);
endmodule
module half(x, y, s, c);
  input x, y;
  output s, c;
  xor #2 g0(s, x, y);
  and #(1, 2) g1(c, x, y);
endmodule

module cell1(input x, y, output z); assign z = x ^ y; endmodule
module array_of_instances(input [3:0] a, b, output [3:0] p);
  cell1 u[3:0](.x(a), .y(b[1]), .z(p));
endmodule

module supplies(input [1:0] a, b, output [4:0] p);
  supply1 one; supply0 zero;
  buf (p[4], p[3], a[1]);
  not (p[2], b[0]);
  nand (p[1], a[0], b[0], one);
  nor (p[0], a[0], b[1], zero);
endmodule

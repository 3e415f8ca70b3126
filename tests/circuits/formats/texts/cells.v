module cells(input [2:0] a, b, output [3:0] p);
  wire c0, c1, t;
  HAX1 u0(.A(a[0]), .B(b[0]), .YS(p[0]), .YC(c0));
  FAX1 u1(.A(a[1]), .B(b[1]), .C(c0), .YC(c1), .YS(p[1]));
  PDKGENFAX1 u2(.A(a[2]), .B(b[2]), .C(c1), .YC(t), .YS(p[2]));
  INV_X4 u3(.A(n), .ZN(p[3]));
  NAND2X1 u4(.A(t), .B(1'b1), .Y(n));
endmodule

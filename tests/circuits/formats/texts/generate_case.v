module pick #(parameter K = 0) (input x, y, output z);
  case (K)
    0: and (z, x, y);
    1, 2: or (z, x, y);
    default: xor (z, x, y);
  endcase
endmodule
module generate_case(input [3:0] a, b, output [3:0] p);
  genvar k;
  for (k = 0; k < 4; k = k + 1) pick #(k) u(a[k], b[k], p[k]);
endmodule

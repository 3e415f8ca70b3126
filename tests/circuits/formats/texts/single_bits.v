module single_bits(a1, a0, b1, b0, \p[2] , \p[1] , \p[0] );
  input a0, a1, b0, b1;
  output \p[2] , \p[1] , \p[0] ;
  assign {\p[2] , \p[1] , \p[0] } = {a1, a0} + {b1, b0};
endmodule

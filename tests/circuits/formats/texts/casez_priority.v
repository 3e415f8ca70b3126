module casez_priority(input [3:0] a, b, output reg [3:0] p);
  always_comb
    casez (a)
      4'b1???: p = 8;
      4'b01zz: p = b;
      4'b001?: p = a + b;
      default: p = 0;
    endcase
endmodule

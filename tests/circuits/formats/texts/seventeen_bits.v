module seventeen_bits(input [7:0] a, input [7:0] b, output [16:0] p);
  assign p = (a * b) + ((a * b) >> 1);
endmodule

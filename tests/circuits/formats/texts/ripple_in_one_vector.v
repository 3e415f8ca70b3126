module ripple_in_one_vector(input [3:0] a, b, output [4:0] p);
  wire [4:0] c;
  assign c[0] = 1'b0;
  assign c[4:1] = (a & b) | (c[3:0] & (a ^ b));
  assign p = {c[4], a ^ b ^ c[3:0]};
endmodule

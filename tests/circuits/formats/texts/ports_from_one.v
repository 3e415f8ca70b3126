module ports_from_one(input [4:1] A, input [1:4] B, output [8:1] O);
  assign O[8:5] = A;
  assign {O[4], O[3:1]} = {B[1], B[2:4]};
endmodule

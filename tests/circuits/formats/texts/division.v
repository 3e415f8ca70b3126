module division(input [3:0] a, b, output [7:0] p);
  wire [3:0] q = b == 0 ? 4'd0 : a / b;
  wire signed [3:0] s = a, t = b | 1;
  reg [3:0] r;
  always @*
    if (b) r = a % b;
    else r = a;
  assign p = {q, r} + s / t * 3 + s % -3 + a / 10;
endmodule

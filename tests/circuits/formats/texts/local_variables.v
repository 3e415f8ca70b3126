module local_variables(input [3:0] a, b, output reg [7:0] p);
  always @* begin : block
    reg [3:0] t;
    t = a ^ b;
    p = t * t;
  end
endmodule

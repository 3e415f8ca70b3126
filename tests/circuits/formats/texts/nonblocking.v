module nonblocking(input [3:0] a, b, output reg [7:0] p);
  always @(*) begin
    p <= a;
    if (b[0]) p <= b;
  end
endmodule

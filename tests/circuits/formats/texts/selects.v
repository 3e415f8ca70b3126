module selects(input [3:0] a, b, output reg [7:0] p);
  always @* begin
    p = {a[3], a[b[1:0]], b[0 +: 2], b[3 -: 2], 2'b01};
    p[a[2:0]] = 1'b1;
    p[{b[0], 1'b0} +: 2] = a[1:0];
  end
endmodule

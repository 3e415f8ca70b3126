module nested_conditions(input [3:0] a, b, output [3:0] p);
  reg [3:0] q;
  always @(a, b)
    if (a > b) q = a;
    else if (a == b) begin
      if (a[0]) q = 4'd9; else q = 4'd1;
    end else q = b;
  assign p = a == 0 ? 4'd5 : b == 0 ? 4'd6 : q;
endmodule

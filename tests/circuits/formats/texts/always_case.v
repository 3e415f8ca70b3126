module always_case(input [3:0] a, b, output reg [7:0] p);
  always @(*)
    case (a[1:0])
      2'b00: p = b;
      2'd1, 2'd2: p = b << a[1:0];
      default: begin
        p = 8'hFF;
        p[3:0] = ~b;
      end
    endcase
endmodule

module full_case_without_default(input [1:0] a, b, output reg [1:0] p);
  always @* case (a)
    2'd0: p = b;
    2'd1: p = ~b;
    2'd2: p = 2'd3;
    2'd3: p = b + 1;
  endcase
endmodule

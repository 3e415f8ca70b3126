module shift_add #(parameter N = 4, parameter [0:0] INVERT = 0, localparam W = 2 * N)
                  (input [N-1:0] x, y, output [W-1:0] z);
  wire [W-1:0] sum [0:N];
  assign sum[0] = {W{1'b0}};
  genvar i;
  generate
    for (i = 0; i < N; i = i + 1) begin : row
      assign sum[i + 1] = sum[i] + ((y[i] ? x : 0) << i);
    end
    if (INVERT) begin
      assign z = ~sum[N];
    end else
      assign z = sum[N];
  endgenerate
endmodule
module parameters(input [2:0] a, b, output [5:0] p);
  wire [5:0] q;
  shift_add #(.N(3), .INVERT(1'b1)) u(a, b, q);
  assign p = ~q;
endmodule

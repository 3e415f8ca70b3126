`default_nettype none
`define WIDTH 4
`define MUL(x, y) ((x) * (y)) // a comment
`define LONG \
  `MUL(a, b) \
  + 0
`ifdef WIDTH
(* keep *) module preprocessor(input wire [`WIDTH-1:0] a, b, output wire [2*`WIDTH-1:0] p);
`else
module wrong(input a, output p, 'nonsense
`endif
`ifndef WIDTH
  "nothing
`elsif NEVER
  nothing
`else
  assign p = `LONG;
`endif
  specify (a => p) = 3; endspecify
endmodule
`undef WIDTH

module system_verilog(input logic [3:0] a, b, output logic [7:0] p);
  logic [7:0] q;
  always_comb begin
    q = '0;
    for (int k = 0; k < 4; k++) q += a[k] ? b << k : '0;
    p = q;
  end
endmodule

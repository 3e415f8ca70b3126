module test_bench_beside(input [3:0] a, input [3:0] b, output [7:0] p);
  assign #5 p = a * b;
endmodule
module test;
  reg [3:0] a, b; wire [7:0] p;
  test_bench_beside dut(a, b, p);
  initial begin a = 0; b = 0; #10 $display("%d", p); $finish; end
endmodule

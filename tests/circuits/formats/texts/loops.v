module loops(input [3:0] a, b, output reg [7:0] p);
  integer i, j;
  reg [7:0] sum;
  always @(a or b) begin
    sum = 0;
    for (i = 0; i < 4; i = i + 1)
      for (j = 0; j < 4; j = j + 1)
        sum = sum + ((a[i] & b[j]) << (i + j));
    i = 0;
    while (i < 2) begin
      repeat (2) sum[7] = ~sum[7];
      i = i + 1;
    end
    p = sum;
  end
endmodule

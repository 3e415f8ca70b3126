module functions(input [3:0] a, b, output [7:0] p);
  function automatic [7:0] times(input [3:0] x, y);
    integer k;
    begin
      times = 0;
      for (k = 0; k < 4; k = k + 1)
        if (x[k]) times = times + (y << k);
    end
  endfunction
  function integer two;
    input integer n;
    two = n == 0 ? 1 : 2;
  endfunction
  localparam TWO = two(1);
  assign p = times(a, b) + TWO - 2;
endmodule

"""Figure 13: error of bfloat16 against the exact product, operands uniform on [-1, 1]."""

from benchmarks.papers.defensive_approximation.scatter import command

if __name__ == "__main__":
    command("figure13", "bfloat16", -1, 1)

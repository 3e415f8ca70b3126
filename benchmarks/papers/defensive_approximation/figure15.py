"""Figure 15: error of Ax-FPM against the exact product, operands uniform on [0, 1]."""

from benchmarks.papers.defensive_approximation.common import PUBLISHED
from benchmarks.papers.defensive_approximation.scatter import command

if __name__ == "__main__":
    command("figure15", "axfpm", 0, 1, PUBLISHED["higher"]["Ax-FPM"])

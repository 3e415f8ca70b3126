"""Figures and a table of "Defensive Approximation", on axsim's float multipliers.

A. Guesmi et al., "Defensive Approximation: Securing CNNs Using Approximate Computing", ASPLOS 2021, doi
10.1145/3445814.3446747. Each script is run as ``python -m benchmarks.papers.defensive_approximation.figure3
--out DIR [--quick]``; it prints its figures beside the published ones (``published.json``) and writes a JSON
file and a picture:

=========  ===================================================================================================
figure3    error of Ax-FPM against the exact product, 10**8 products of operands uniform on [-1, 1]
figure4    a filter convolved with six images of rising similarity to it, exact and with Ax-FPM
figure13   as figure 3, bfloat16
figure15   as figure 3, operands uniform on [0, 1]
table8     MRED and NMED of Ax-FPM under each definition of it, and of HEAP's stand-in
=========  ===================================================================================================
"""

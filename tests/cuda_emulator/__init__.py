"""CUDA sources on the CPU: compiled by g++, every thread of a block a fibre, mistakes reported."""

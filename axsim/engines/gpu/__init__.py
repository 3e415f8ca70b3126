"""GPU engines: the sums of ``axsim.engines`` on NVIDIA GPUs, through CuPy.

``runtime`` is all that knows CuPy: it compiles the CUDA C++ in ``sources``, launches kernels and multiplies
exact matrices. The engines beside it are plain Python on top of that interface, and so they run in tests on a
computer without a GPU, where the same sources are compiled for the CPU.

Importing this package imports no CuPy and needs no GPU.
"""

"""How many threads the native kernels may use."""

from __future__ import annotations

import operator
import os

_chosen: int | None = None


def set_num_threads(n: int | None) -> None:
    """Let the native kernels use up to ``n`` threads; None: the default of :func:`get_num_threads`.

    Raises:
        TypeError: ``n`` is not an integer.
        ValueError: ``n`` is less than 1.
    """
    global _chosen
    if n is not None:
        try:
            n = operator.index(n)
        except TypeError:
            raise TypeError(f"n is {n!r}, expected a number of threads, or None for the default") from None
        if n < 1:
            raise ValueError(f"n is {n}, expected at least 1 thread, or None for the default")
    _chosen = n


def get_num_threads() -> int:
    """The number of threads that the native kernels may use.

    It is what :func:`set_num_threads` said; else the environment variable ``AXSIM_NUM_THREADS``; else the
    first number of ``OMP_NUM_THREADS``; else the number of CPUs that this process may run on. Small calls use
    fewer: a thread is started only for work that outweighs starting it.

    Raises:
        ValueError: ``AXSIM_NUM_THREADS`` is not a positive integer.

    >>> set_num_threads(2)
    >>> get_num_threads()
    2
    >>> set_num_threads(None)
    """
    if _chosen is not None:
        return _chosen
    if own := os.environ.get("AXSIM_NUM_THREADS"):
        if not own.isdecimal() or int(own) < 1:
            raise ValueError(f"AXSIM_NUM_THREADS is {own!r}, expected a positive integer")
        return int(own)
    # OpenMP's variable may be a list, one number for each level of nesting. What it does not define is
    # ignored.
    openmp = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if openmp.isdecimal() and int(openmp) > 0:
        return int(openmp)
    return _usable_cpus()


def _usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

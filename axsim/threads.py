"""How many threads the native kernels may use."""

from __future__ import annotations

import operator
import os
import sys

MOST = 1 << 16  # threads that can be asked for: far more than any machine has processors, and an int in C

_chosen: int | None = None


def set_num_threads(n: int | None) -> None:
    """Let the native kernels use up to ``n`` threads; None: the default of :func:`get_num_threads`.

    Raises:
        TypeError: ``n`` is not an integer.
        ValueError: ``n`` is not from 1 to 65536.
    """
    global _chosen
    if n is not None:
        try:
            n = operator.index(n)
        except TypeError:
            raise TypeError(f"n is {n!r}, expected a number of threads, or None for the default") from None
        if not 1 <= n <= MOST:
            raise ValueError(f"n is {_shortened(n)}, expected 1 to {MOST} threads, or None for the default")
    _chosen = n


def get_num_threads() -> int:
    """The number of threads that the native kernels may use.

    It is what :func:`set_num_threads` said; else the environment variable ``AXSIM_NUM_THREADS``; else the
    first number of ``OMP_NUM_THREADS``, or the number of CPUs that this process may run on, but no more than
    ``torch.get_num_threads()`` where torch is loaded (it is 1 in the workers of a DataLoader). Small calls
    use fewer: a thread is started only for work that outweighs starting it.

    Raises:
        ValueError: ``AXSIM_NUM_THREADS`` is not an integer from 1 to 65536.

    >>> set_num_threads(2)
    >>> get_num_threads()
    2
    >>> set_num_threads(None)
    """
    if _chosen is not None:
        return _chosen
    if own := os.environ.get("AXSIM_NUM_THREADS"):
        if (count := _count(own)) is None:
            raise ValueError(
                f"AXSIM_NUM_THREADS is {_shortened(own)!r}, expected an integer from 1 to {MOST}"
            )
        return count
    # OpenMP's variable may be a list, one number for each level of nesting. What it does not define is
    # ignored.
    openmp = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    count = _count(openmp) or _usable_cpus()
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):  # it has not, while it is being imported
        count = min(count, torch.get_num_threads())
    return count


def _count(text: str) -> int | None:
    """A number of threads; None for all that is none."""
    digits = text.lstrip("0")
    if not text.isascii() or not text.isdecimal() or len(digits) > len(str(MOST)):
        return None
    count = int(digits or "0")
    return count if 1 <= count <= MOST else None


def _shortened(value: object) -> str:
    try:
        text = str(value)
    except ValueError:  # Python spells no integers of thousands of digits
        return "an integer of thousands of digits"
    return text if len(text) <= 40 else f"{text[:40]}..."


def _usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

"""Measuring the engines' costs by itself, once a machine, where there is work enough to be worth it.

Small programs never wait for it: it happens once the planned calls of a process are predicted to have taken
``WORTH`` seconds, says so on standard error, and keeps the costs for all processes to come. Never in a worker
process, never in two processes at once, and not at all with AXSIM_CALIBRATE=0 or where the cache directory
cannot be written.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from axsim.engines import costs
from axsim.tables.cache import cache_directory
from axsim.threads import get_num_threads

ENVIRONMENT_VARIABLE = "AXSIM_CALIBRATE"
WORTH = 1.0
ABANDONED = 60.0  # seconds after which a lock belongs to a process that died

_lock = threading.Lock()
_planned = 0.0
_unwritable = False
_importing_process = os.getpid()


def measured_after(seconds: float) -> bool:
    """Count the predicted seconds of a call that was planned without measured costs.

    Returns:
        Whether there are measured costs now, of this process or of another that was quicker.
    """
    global _planned
    with _lock:
        _planned += seconds
        if _planned < WORTH or not allowed():
            return False
        _planned = 0.0
    costs.forget_costs()
    return costs.current_costs().measured or _measure()


def allowed() -> bool:
    """Whether this process may measure: not forbidden, and no worker of another."""
    if os.environ.get(ENVIRONMENT_VARIABLE, "").strip().lower() in ("0", "off", "no", "false") or _unwritable:
        return False
    if os.getpid() != _importing_process:
        return False
    workers = sys.modules.get("multiprocessing.process")  # a worker has loaded it
    return workers is None or workers.parent_process() is None


def _measure() -> bool:
    global _unwritable
    from axsim.engines.calibrate import calibrate, is_busy, multipliers_to_time

    threads = get_num_threads()
    try:
        with _alone(cache_directory() / "measuring") as alone:
            if not alone or is_busy():
                return False
            print(
                "axsim: measuring this machine's engines once, in under two seconds "
                f"({ENVIRONMENT_VARIABLE}=0 turns this off)",
                file=sys.stderr,
                flush=True,
            )
            measured = calibrate(multipliers_to_time())
            costs.save_costs({threads: measured.seconds}, measured.isa)
            return True
    except OSError:  # the costs could not be kept: the next process would measure again, and so on
        _unwritable = True
        return False


@contextmanager
def _alone(lock: Path) -> Iterator[bool]:
    """Whether nobody else, in any process, is in here for the same file.

    Raises:
        OSError: the file cannot be made.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        with suppress(FileNotFoundError):
            if time.time() - lock.stat().st_mtime > ABANDONED:
                lock.unlink()  # the next one may enter
        yield False
        return
    try:
        yield True
    finally:
        lock.unlink(missing_ok=True)

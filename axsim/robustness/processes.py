"""Where the cells of a sweep are measured: processes of this machine, or of a cluster that is there."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from axsim.threads import MOST, set_num_threads

T = TypeVar("T")

ANSWER = 20.0  # seconds in which a cluster must answer
_LOOK = 1.0  # seconds between two looks at whether the process that gave the work is still there
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "AXSIM_NUM_THREADS")


@dataclass(frozen=True)
class Terms:
    """What a working process is told with each cell.

    Attributes:
        share: the processes that share its machine, so that each takes its part of the CPUs.
        owner: the process that it ends with; None where that is not its parent.
    """

    share: int
    owner: int | None = None


class Processes(Protocol):
    """What a sweep needs of the processes that measure its cells: a context manager that ends them."""

    terms: Terms

    def slots(self) -> int:
        """How many cells may be under way now."""

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """Let one of the processes call ``function``.

        The future has a ConnectionError where all of them were lost, another error where the one died.
        """

    def __enter__(self) -> Processes: ...

    def __exit__(self, *error: object) -> None: ...


class Local:
    """``jobs`` processes of this machine, made anew; each ends when the process that made it does.

    No more than ``most`` are made, where there is less to do; each has the part of the CPUs that it would
    have beside all others, since results can depend on the number of threads.

    Raises:
        TypeError, ValueError: ``jobs`` is no number of processes from 1 on.
    """

    def __init__(self, jobs: int, most: int = MOST) -> None:
        if not isinstance(jobs, int) or isinstance(jobs, bool):
            raise TypeError(f"jobs is {jobs!r}, expected a number of processes")
        if not 1 <= jobs <= MOST:
            raise ValueError(f"jobs is {jobs}, expected 1 to {MOST} processes")
        self.jobs = jobs
        self.most = max(1, min(jobs, most))
        self.terms = Terms(share=jobs, owner=os.getpid())

    def slots(self) -> int:
        return self.most

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        future: Future[T] = self._pool.submit(function, *arguments)
        return future

    def __enter__(self) -> Local:
        loky = _needed("loky", "sweeps need loky: pip install 'axsim[robustness]'")
        threads = str(_part(self.jobs))
        # A process keeps the networks that it used last, which loky takes for a leak and starts another.
        warnings.filterwarnings("ignore", "A worker was restarted", UserWarning)
        self._pool = loky.ProcessPoolExecutor(self.most, env=dict.fromkeys(_THREADS, threads))
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(kill_workers=True)


class Dask:
    """The workers of a Dask cluster that is there; what a dead worker had is done by another.

    Args:
        address: of its scheduler, such as ``tcp://host:8786``.

    Raises:
        ImportError: ``distributed`` is not installed.
        OSError: nothing answers there.
        ValueError: a worker has several threads: cells set the threads and seeds of their whole process.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.terms = Terms(share=1)

    def slots(self) -> int:
        return max(1, len(self._client.nthreads())) + 1  # one lies ready

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        future: Future[T] = Future()
        task = self._client.submit(function, *arguments, pure=False)

        def hand_over(done: Any) -> None:
            if done.status == "finished":
                future.set_result(done.result())
            elif done.status == "error":
                future.set_exception(done.exception())
            else:
                future.set_exception(ConnectionError(f"the Dask scheduler at {self.address} was lost"))

        task.add_done_callback(hand_over)
        return future

    def __enter__(self) -> Dask:
        distributed = _needed("distributed", "--dask needs distributed: pip install 'axsim[cluster]'")
        try:
            self._client = distributed.Client(self.address, set_as_default=False, timeout=ANSWER)
        except (OSError, ValueError) as problem:
            raise OSError(f"no Dask scheduler answers at {self.address!r}: {problem}") from problem
        threads: Mapping[str, int] = self._client.nthreads()
        if many := sorted(name for name, count in threads.items() if count > 1):
            self._client.close()
            raise ValueError(
                f"the Dask worker {many[0]} has {threads[many[0]]} threads, and a cell needs a process to "
                "itself: start workers with --nthreads 1"
            )
        hosts = [name.rpartition(":")[0] for name in threads]
        self.terms = Terms(share=max(map(hosts.count, hosts), default=1))
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()


class Ray:
    """The processes of a Ray cluster, by the address that RAY_ADDRESS names, else of one on this machine.

    Raises:
        ImportError: ``ray`` is not installed.
    """

    def __init__(self) -> None:
        self.terms = Terms(share=MOST)  # Ray gives a task one CPU

    def slots(self) -> int:
        return max(1, int(self._ray.cluster_resources().get("CPU", 1))) + 1

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        # What a dead process had is done by another, up to twice.
        remote = self._ray.remote(num_cpus=1, max_retries=2)(_call)
        future: Future[T] = remote.remote(function, *arguments).future()
        return future

    def __enter__(self) -> Ray:
        self._ray = _needed("ray", "--ray needs Ray: pip install ray")
        self._ray.init(ignore_reinit_error=True, log_to_driver=False)
        return self

    def __exit__(self, *error: object) -> None:
        self._ray.shutdown()


def _call(function: Callable[..., T], *arguments: Any) -> T:
    """A function by itself, which Ray asks for where a method came."""
    return function(*arguments)


def _needed(module: str, message: str) -> Any:
    try:
        return __import__(module)
    except ImportError as error:
        raise ImportError(message) from error


def cpus() -> int:
    """How many CPUs this process may use, cgroups' limits minded."""
    loky = _needed("loky", "sweeps need loky: pip install 'axsim[robustness]'")
    return int(loky.cpu_count())


def _part(share: int) -> int:
    return max(1, cpus() // share)


def accept(terms: Terms) -> None:
    """Called in a working process, at each cell: use as many threads as one's share, end with one's owner."""
    threads = _part(terms.share)
    if _accepted.get("threads") != threads:
        _use_threads(threads)
        _accepted["threads"] = threads
    if terms.owner is not None and "watched" not in _accepted:
        _accepted["watched"] = terms.owner
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is its owner's affair, who ends this process
        threading.Thread(target=_end_with, args=(terms.owner,), daemon=True).start()


_accepted: dict[str, int] = {}


def _use_threads(threads: int) -> None:
    from threadpoolctl import threadpool_limits

    os.environ.update(dict.fromkeys(_THREADS, str(threads)))  # for what is not loaded yet
    set_num_threads(threads)
    threadpool_limits(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def _end_with(owner: int) -> None:
    """End this process when its parent is no longer ``owner``: that was killed, and nobody waits for us."""
    while os.getppid() == owner:
        time.sleep(_LOOK)
    os._exit(1)

"""The folder of a sweep: an atomic file for every cell, and arrays that cells share."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from axsim.files import replace_file, warn_once
from axsim.robustness.cells import Cell, canonical

if TYPE_CHECKING:
    from filelock import BaseFileLock

FORMAT = 1
_MOST = 1 << 30  # bytes of a file that is read

Arrays = Mapping[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Measured:
    """What came of one cell.

    Attributes:
        cell: its settings.
        results: what was measured, by name: plain values (NaN and infinity too) and NumPy arrays, nested in
            lists, mappings and dataclasses, which come back as mappings; None where it failed.
        error: the traceback where it failed, or "".
        seconds: how long it took.
        machine: on what it was measured.
    """

    cell: Cell
    results: Mapping[str, Any] | None
    error: str = ""
    seconds: float = 0.0
    machine: Mapping[str, Any] = field(default_factory=dict)


class DamagedFileError(ValueError):
    """A file of the store that is not as it was written, or that another version of axsim wrote."""


class Store:
    """The results of a sweep in a folder: ``cells/KEY.json`` for each cell that was measured.

    The key is made of a cell's settings and of ``code``, so what other code measured is never taken for ours:
    it stays where it is, and :meth:`others` counts it. Every file is whole or not there, and has a digest of
    its own.

    Args:
        folder: made when something is first written.
        code: what names the code that results depend on; see :func:`axsim.robustness.cells.code_hash`.

    >>> import tempfile
    >>> store = Store(Path(tempfile.mkdtemp()), "1")
    >>> cell = Cell({"budget": 0.5})
    >>> store.read(cell) is None
    True
    >>> _ = store.write(Measured(cell, {"accuracy": 0.9}))
    >>> store.read(cell).results
    {'accuracy': 0.9}
    """

    def __init__(self, folder: Path, code: str) -> None:
        self.folder, self.code = Path(folder), code

    def path(self, cell: Cell) -> Path:
        """Where the results of a cell are, or will be."""
        return self.folder / "cells" / f"{cell.key(self.code)}.json"

    def write(self, measured: Measured) -> Path:
        """Keep what came of a cell, in place of what was there.

        Raises:
            OSError: it cannot be written; what was there is left.
            TypeError, ValueError: results that are no plain values; the message names their place.
        """
        body = {
            "cell": measured.cell.settings,
            "code": self.code,
            "results": None if measured.results is None else encode(measured.results),
            "error": measured.error,
            "seconds": measured.seconds,
            "machine": dict(measured.machine),
        }
        text = json.dumps({"format": FORMAT, "digest": _digest(body), **body}, indent=1, allow_nan=False)
        return replace_file(self.path(measured.cell), f"{text}\n".encode())

    def read(self, cell: Cell) -> Measured | None:
        """What is kept of a cell; None if nothing is.

        Raises:
            DamagedFileError: there is a file, and not one that this version wrote; the message says why.
        """
        path = self.path(cell)
        try:
            content = _load(path)
        except FileNotFoundError:
            return None
        if Cell(content["cell"]) != cell or content["code"] != self.code:
            raise DamagedFileError(f"{path} is of another cell or of other code")
        return _measured(content)

    def others(self, cells: Sequence[Cell]) -> int:
        """How many files of the folder are of none of ``cells``: of other settings, or of other code."""
        ours = {self.path(cell).name for cell in cells}
        return sum(path.name not in ours for path in (self.folder / "cells").glob("*.json"))

    def lock(self, cell: Cell) -> BaseFileLock:
        """A lock that one process at a time holds while it measures the cell; its owner's death frees it."""
        return lock_file(self.folder / "locks" / f"{cell.key(self.code)}.lock")


class Shared:
    """Arrays that several cells need, such as crafted examples: made once, kept in a folder.

    Several processes may want the same ones at a time: the first makes them, the others wait for it; where
    its process dies, the next one makes them.

    Args:
        folder: of the files, ``KEY.npz``; made when something is first written.
        code: as in :class:`Store`.

    >>> import tempfile
    >>> shared = Shared(Path(tempfile.mkdtemp()), "1")
    >>> make = lambda: print("made") or {"images": np.zeros(2)}
    >>> [shared.get({"attack": "pgd"}, make)["images"].tolist() for _ in range(2)]
    made
    [[0.0, 0.0], [0.0, 0.0]]
    """

    def __init__(self, folder: Path, code: str) -> None:
        self.folder, self.code = Path(folder), code

    def get(self, settings: Mapping[str, Any], make: Callable[[], Arrays]) -> dict[str, np.ndarray[Any, Any]]:
        """The arrays that ``make`` makes, or has made, with these settings.

        ``settings`` must say all that the arrays depend on, but for the code. A damaged file is reported by a
        RuntimeWarning and made again; where there is no room to keep them, that is said and they are
        returned all the same.

        Raises:
            OSError: the folder cannot be made or read.
            TypeError, ValueError: settings that are no plain values, or arrays of Python objects.
        """
        cell = Cell(settings)
        path = self.folder / f"{cell.key(self.code)}.npz"
        with lock_file(path.with_suffix(".lock")) as lock:
            remove_leftovers(path)
            try:
                found = _load_arrays(path, cell)
            except FileNotFoundError:
                pass
            except DamagedFileError as problem:
                warnings.warn(f"{problem}: made again", RuntimeWarning, stacklevel=2)
            else:
                return found
            made = {name: np.asarray(array) for name, array in make().items()}
            content = _npz(made, cell)
            try:
                replace_file(path, content)
            except OSError as problem:
                warn_once(str(self.folder), f"{problem}; what cells share is made for each of them")
            else:
                Path(lock.lock_file).unlink(missing_ok=True)  # whoever still waits for it finds the arrays
            return made


def remove_leftovers(path: Path) -> None:
    """Remove what a process left that was killed while it wrote the file; for the owner of its lock."""
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        leftover.unlink(missing_ok=True)


def lock_file(path: Path) -> BaseFileLock:
    """A lock between processes that the operating system frees when its owner ends, however that ends."""
    try:
        from filelock import FileLock
    except ImportError as error:
        raise ImportError("sweeps need filelock: pip install 'axsim[robustness]'") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path)


def _load(path: Path) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            content = json.loads(file.read(_MOST))
        if content["format"] != FORMAT:
            raise DamagedFileError(f"{path} is of format {content['format']!r}, expected {FORMAT}")
        digest = content.pop("digest")
        del content["format"]
    except (ValueError, TypeError, KeyError, RecursionError) as problem:
        if isinstance(problem, DamagedFileError):
            raise
        raise DamagedFileError(f"{path} is damaged: it cannot be read as the JSON of a cell") from problem
    if digest != _digest(content):
        raise DamagedFileError(f"{path} is damaged: its digest is not that of its content")
    return dict(content)


def _measured(content: Mapping[str, Any]) -> Measured:
    results = content["results"]
    return Measured(
        Cell(content["cell"]),
        None if results is None else decode(results),
        content["error"],
        content["seconds"],
        content["machine"],
    )


def _digest(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def encode(value: Any, place: str = "results") -> Any:
    """Results as JSON knows them: arrays as base64 of NumPy's own file, NaN and infinity by name.

    Raises ``TypeError`` or ``ValueError`` for what cannot be kept; the message names its place.

    >>> encode({"psnr": float("inf"), "rate": np.float32(0.5)})
    {'psnr': {'$float': 'inf'}, 'rate': 0.5}
    """
    if isinstance(value, np.generic):
        value = value.item()
    if is_dataclass(value) and not isinstance(value, type):
        value = {part.name: getattr(value, part.name) for part in fields(value)}
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError(f"{place} is an array of Python objects, expected one of numbers")
        file = io.BytesIO()
        np.save(file, value, allow_pickle=False)
        return {"$npy": base64.b64encode(file.getvalue()).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str) or name.startswith("$"):
                raise ValueError(f"{place} has the key {name!r}, expected a str that does not begin with $")
        return {name: encode(item, f"{place}.{name}") for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item, f"{place}[{i}]") for i, item in enumerate(value)]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(
        f"{place} is a {type(value).__name__}, expected plain values and NumPy arrays, nested in lists and "
        "mappings; .numpy(force=True) makes a torch tensor an array"
    )


def decode(value: Any) -> Any:
    """What :func:`encode` made JSON of; tuples come back as lists."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$npy" in value:
        return np.load(io.BytesIO(base64.b64decode(value["$npy"])), allow_pickle=False)
    return float(value["$float"]) if "$float" in value else {name: decode(v) for name, v in value.items()}


_SETTINGS = "settings.json"  # beside the arrays: what they were made of


def _npz(arrays: Arrays, cell: Cell) -> bytes:
    if _SETTINGS in arrays:
        raise ValueError(f"an array is called {_SETTINGS!r}, which is where their settings are kept")
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise TypeError(f"{name} is an array of Python objects, expected one of numbers")
    file = io.BytesIO()
    digest = _arrays_digest(arrays)
    np.savez(file, **{_SETTINGS: np.array([cell.text, digest])}, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def _load_arrays(path: Path, cell: Cell) -> dict[str, np.ndarray[Any, Any]]:
    try:
        with open(path, "rb") as file:
            content = file.read()
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        text, digest = arrays.pop(_SETTINGS).tolist()
    except FileNotFoundError:
        raise
    except Exception as problem:  # zipfile, zlib and NumPy have many, none of them for damage alone
        raise DamagedFileError(f"{path} is damaged: {problem}") from problem
    if text != cell.text or digest != _arrays_digest(arrays):
        raise DamagedFileError(f"{path} is damaged: its digest or its settings are not those of its content")
    return arrays


def _arrays_digest(arrays: Arrays) -> str:
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        total.update(canonical([name, array.dtype.str, list(array.shape)]).encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()

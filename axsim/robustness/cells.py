"""A cell: the settings of one measurement, and the key that its results are kept under."""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WHOLE = 2.0**53  # up to here a whole float and the integer are one number


@dataclass(frozen=True, init=False, order=True)
class Cell:
    """The settings of one measurement: frozen, hashable, equal where all settings are.

    Settings are nested plain values: None, bool, int, float, str, and lists (or tuples) and mappings with
    str keys of such. Their order does not matter, and ``1.0`` is ``1``.

    Args:
        settings: a name and a value for each setting, such as network, multiplier, attack, budget, seed.

    Attributes:
        text: the settings as canonical JSON: sorted, without spaces, in ASCII.

    Raises:
        TypeError: a value that is no plain one; the message names its place.
        ValueError: NaN or infinity, which JSON does not know.

    >>> cell = Cell({"budget": 1.0, "attack": {"name": "pgd", "steps": 40}})
    >>> cell.text
    '{"attack":{"name":"pgd","steps":40},"budget":1}'
    >>> cell == Cell({"attack": {"steps": 40, "name": "pgd"}, "budget": 1})
    True
    >>> cell["attack"]["steps"]
    40
    """

    text: str

    def __init__(self, settings: Mapping[str, Any]) -> None:
        if not isinstance(settings, Mapping):
            raise TypeError(f"settings is {settings!r}, expected a mapping of names to values")
        object.__setattr__(self, "text", canonical(settings))

    @property
    def settings(self) -> dict[str, Any]:
        """The settings, as a new dict at each call."""
        found: dict[str, Any] = json.loads(self.text)
        return found

    def __getitem__(self, name: str) -> Any:
        return self.settings[name]

    def key(self, code: str) -> str:
        """What names this measurement made by this code: 64 hexadecimal digits.

        ``code`` is a string that changes with whatever code the results depend on, as :func:`code_hash` does.

        >>> Cell({"seed": 0}).key("1") == Cell({"seed": 0}).key("2")
        False
        """
        return hashlib.sha256(f"{code}\n{self.text}".encode()).hexdigest()

    def __str__(self) -> str:
        return ", ".join(f"{name}={_short(value)}" for name, value in self.settings.items())


def canonical(value: Any) -> str:
    """A plain value as JSON that is the same text for equal values.

    Raises ``TypeError`` and ``ValueError`` as :class:`Cell` does.

    >>> canonical({"b": (1, 2.5), "a": None})
    '{"a":null,"b":[1,2.5]}'
    """
    return json.dumps(_plain(value, ""), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _plain(value: Any, place: str) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{place or 'value'} is {value}, expected a finite number")
        return int(value) if value.is_integer() and abs(value) <= _WHOLE else float(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{place}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise TypeError(f"{place or 'value'} has the key {name!r}, expected a str")
        return {name: _plain(item, f"{place}.{name}" if place else name) for name, item in value.items()}
    raise TypeError(
        f"{place or 'value'} is a {type(value).__name__}, expected None, bool, int, float, str, or lists and "
        "mappings of such; .item() makes a NumPy or torch number one, .tolist() an array"
    )


def _short(value: Any) -> str:
    if isinstance(value, dict) and isinstance(name := value.get("name"), str):
        rest = ", ".join(f"{key}={_short(item)}" for key, item in value.items() if key != "name")
        return f"{name}({rest})" if rest else name
    return value if isinstance(value, str) else canonical(value)


def code_hash(*names: str) -> str:
    """A hash of all files of the named modules: 64 hexadecimal digits that change with any of their bytes.

    Of a package, all files below its folder count, data files too; caches of compiled Python do not.

    Raises:
        ValueError: a module that cannot be found, or that has no file (such as ``sys``).

    >>> code_hash("axsim.files") == code_hash("axsim.files", "axsim.files")
    True
    >>> code_hash("axsim.filse")
    Traceback (most recent call last):
        ...
    ValueError: there is no module 'axsim.filse' whose code could be hashed
    """
    total = hashlib.sha256()
    for name in sorted(set(names)):
        for label, path in sorted(_files(name)):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            total.update(f"{name}/{label} {content}\n".encode())
    return total.hexdigest()


def _files(name: str) -> Iterator[tuple[str, Path]]:
    try:
        spec = importlib.util.find_spec(name)
    except (ModuleNotFoundError, ValueError):
        spec = None
    if spec is None or (spec.origin in (None, "built-in", "frozen") and not spec.submodule_search_locations):
        raise ValueError(f"there is no module {name!r} whose code could be hashed")
    if not spec.submodule_search_locations:
        assert spec.origin is not None
        # The name of a compiled module's file tells Python's version, which is not what it computes.
        yield Path(spec.origin).name.partition(".")[0], Path(spec.origin)
        return
    compiled = tuple(importlib.machinery.BYTECODE_SUFFIXES)
    for folder in map(Path, spec.submodule_search_locations):
        for path in folder.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and not path.name.endswith(compiled):
                yield path.relative_to(folder).as_posix(), path

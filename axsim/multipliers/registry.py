"""Multipliers by name."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.circuits import Netlist
from axsim.entrance import entrance
from axsim.errors import UnknownMultiplierError
from axsim.multipliers import floating, tiles
from axsim.multipliers.evoapprox import evoapprox
from axsim.multipliers.evoapprox_more import evoapprox_more
from axsim.multipliers.families import FAMILIES, resolve
from axsim.multipliers.float_multiplier import FloatMultiplier
from axsim.multipliers.integer import Multiplier
from axsim.once import Kept
from axsim.tables.product import MAX_INPUT_BITS, ProductTable

# By canonical key, in order of registration. Looked at first, so that an overwritten name means the new one.
# Threads share it without a lock, which a forked child might find held for ever: each step on it is one of
# the dictionary's own, which are whole or not done.
_registered: dict[str, Multiplier] = {}
_members: Kept[Multiplier | None] = Kept(256)  # a sweep over a family's parameters need not keep every table


@entrance
def get(name: str | Multiplier | FloatMultiplier) -> Multiplier | FloatMultiplier:
    """The multiplier of that name; upper and lower case are the same. A multiplier is returned as it is.

    EvoApprox8b circuits answer to ``"L40"`` and ``"mul8u_L40"``. Families have their parameters in the name
    (n and m are widths, up to 16): ``exact{n}``, ``exact{n}x{m}``, ``exact{n}s`` (signed), ``trunc{n}_{k}``,
    ``bam{n}_h{h}_v{v}``, ``kulkarni{n}``; and up to 8 ``drum{n}_{k}``, ``mitchell{n}``. ``exact`` is
    ``exact8``. ``tiled{n}[L40]`` is a wide one whose digits L40 multiplies. A name with ``~`` at its end,
    ``L40~``, means the operands exchanged. Float multipliers (``axfpm``, ``float32[L40]``): see
    ``axsim.multipliers.floating``.

    Raises:
        UnknownMultiplierError: nothing has that name (the message suggests near ones), or a parameter is out
            of range (it says the range).
        ValueError: the brackets of a float multiplier hold another than an unsigned 8x8 one.
        TypeError: ``name`` is neither a string nor a multiplier.

    >>> get("l40"), get("Trunc8_3").metrics().wce
    (Multiplier('mul8u_L40', 8x8 bits, unsigned), 17)
    """
    if isinstance(name, Multiplier | FloatMultiplier):
        return name
    if not isinstance(name, str):
        raise TypeError(
            f"expected the name of a multiplier, such as 'L40', or a multiplier, not {type(name).__name__}"
            + ("; axsim.register gives a table a name" if isinstance(name, np.ndarray | ProductTable) else "")
        )
    key = _canonical(name)
    found = _registered.get(key) or _swapped(key) or _built_in(key) or _composed(name)
    if found is None:
        raise UnknownMultiplierError(f"no multiplier is called {name!r}; {_hint(name)}{_worker_hint()}")
    return found


@entrance
def list_multipliers() -> tuple[str, ...]:
    """Names of the EvoApprox8b circuits, of usual members of each family, of the float multipliers, and of
    registered ones.

    >>> list_multipliers()[:3]
    ('mul8u_1JFF', 'mul8u_96D', 'mul8u_12N4')
    """
    families = (member.name for family in FAMILIES for member in family.example_members())
    built_in = [*evoapprox(), *evoapprox_more(), *families, *floating.float_names()]
    registered = dict(_registered)
    kept = [name for name in built_in if name.lower() not in registered]
    return (*kept, *(multiplier.name for multiplier in registered.values()))


@entrance
def register(
    name: str,
    product: Multiplier | ProductTable | Netlist | NDArray[Any] | Callable[..., Any],
    *,
    a_bits: int | None = None,
    b_bits: int | None = None,
    signed: bool | None = None,
    overwrite: bool = False,
) -> Multiplier:
    """Give a multiplier of your own a name that ``get`` and all operations understand.

    Args:
        name: letters, digits and ``_ . + -``, starting with a letter or digit.
        product: a Multiplier, as :func:`read` returns; a ProductTable; a Netlist with two input buses and one
            output bus; an integer array of shape ``(2**a_bits, 2**b_bits)`` indexed by bit patterns; or a
            function of two int64 operand arrays of the same shape that returns their products.
        a_bits, b_bits: operand widths. For a function 8 unless given; otherwise ``product`` says them.
        signed: whether operands are two's complement. For a function or an array False unless given;
            otherwise ``product`` says it.
        overwrite: replace a multiplier of that name, under all its names, instead of refusing.

    Raises:
        ValueError: the name is taken or malformed, or ``product`` does not fit the widths.
        TypeError: ``product`` is something else, or does not give integers.

    >>> mine = register("no_lsb", lambda a, b: a * b & ~1)
    >>> int(get("no_lsb")(3, 5))
    14
    """
    if isinstance(product, Multiplier):
        _check_options(product, a_bits=a_bits, b_bits=b_bits, signed=signed)
        return add(replace(product, name=name, aliases=()), overwrite=overwrite)
    _check_name(name)
    if isinstance(product, Netlist) and product.a_bits + product.b_bits > MAX_INPUT_BITS:
        _check_options(product, a_bits=a_bits, b_bits=b_bits, signed=signed)
        return add(_wide(name, product), overwrite=overwrite)
    table = _table(product, a_bits, b_bits, signed)
    multiplier = Multiplier(
        name=name,
        a_bits=table.a_bits,
        b_bits=table.b_bits,
        signed=table.signed,
        simulate=partial(_same, table),
        make_netlist=partial(_same, product) if isinstance(product, Netlist) else None,
        source="registered",
    )
    return add(multiplier, overwrite=overwrite)


def add(multiplier: Multiplier, *, overwrite: bool = False) -> Multiplier:
    """Register a multiplier under its own name; errors as for :func:`register`."""
    name = multiplier.name
    _check_name(name)
    key = _canonical(name)
    if overwrite:
        _registered[key] = multiplier
    elif _is_built_in(name) or _registered.setdefault(key, multiplier) is not multiplier:
        raise ValueError(f"the name {name!r} is taken by {get(name)}; choose another, or pass overwrite=True")
    return multiplier


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][\w.+-]*", name, re.ASCII):
        raise ValueError(f"name is {name!r}, expected letters, digits and _ . + -")


def _canonical(name: str) -> str:
    """The key that all names of one multiplier share."""
    key = name.lower()
    if key.startswith("exact"):
        key = re.sub(r"^exact(\d+)x\1(?=s?$)", r"exact\1", key)
    return _aliases().get(key, key)


@cache
def _aliases() -> dict[str, str]:
    circuits = {alias.lower(): name for name, circuit in _circuits().items() for alias in circuit.aliases}
    return {"exact": "exact8", **circuits}


@cache
def _circuits() -> dict[str, Multiplier]:
    """All circuits of EvoApprox8b."""
    published = {**evoapprox(), **evoapprox_more()}
    return {name.lower(): multiplier for name, multiplier in published.items()}


def _built_in(key: str) -> Multiplier | None:
    return _circuits().get(key) or _members.get(key, lambda: _made(key))


def _made(key: str) -> Multiplier | None:
    if key.endswith("~"):
        inner = _built_in(_canonical(key[:-1]))
        return inner and inner.swapped()
    return resolve(key)


def _composed(name: str) -> Multiplier | FloatMultiplier | None:
    """What is made of other multipliers, in brackets."""
    if name.endswith("~") and (tiled := tiles.resolve(name[:-1], get)) is not None:
        return tiled.swapped()
    return tiles.resolve(name, get) or floating.resolve(name, get)


def _swapped(key: str) -> Multiplier | None:
    """The registered multiplier ``key``, less its ~, with its operands exchanged."""
    registered = _registered.get(_canonical(key[:-1])) if key.endswith("~") else None
    return registered and registered.swapped()


def is_taken(name: str) -> bool:
    """Whether :func:`get` knows the name."""
    return _canonical(name) in _registered or _is_built_in(name)


def is_built_in(multiplier: Multiplier | FloatMultiplier) -> bool:
    """Whether the multiplier's name means it in every process: it comes with axsim, and was not replaced.

    >>> is_built_in(get("L40")), is_built_in(register("mine", lambda a, b: a * b))
    (True, False)
    """
    try:
        own = get(multiplier.name)
    except (UnknownMultiplierError, ValueError):
        return False
    if _canonical(multiplier.name) in _registered:
        return False
    if isinstance(own, Multiplier) and isinstance(multiplier, Multiplier):
        return own is multiplier or _same_products(own, multiplier)
    return own == multiplier


def _same_products(one: Multiplier, other: Multiplier) -> bool:
    widths = (one.a_bits, one.b_bits, one.signed) == (other.a_bits, other.b_bits, other.signed)
    return widths and not one.is_wide and np.array_equal(one.table.values, other.table.values)


def _is_built_in(name: str) -> bool:
    try:
        return bool(_built_in(_canonical(name)) or _composed(name))
    except UnknownMultiplierError:
        return False


def _hint(name: str) -> str:
    if "[" in name:
        return "a float multiplier is written format[multiplier], as in float32[L40], bfloat16[drum8_4]"
    if os.path.splitext(name)[1] and os.path.isfile(name):  # pathlib's raises for what can be no path
        return f"but there is such a file: axsim.read({name!r}) makes a multiplier of it"
    known = {n.lower(): n for n in list_multipliers()}
    known |= {alias.lower(): alias for circuit in _circuits().values() for alias in circuit.aliases}
    plain = name.lower().replace("-", "").replace("_", "")
    near = [known[key] for key in known if key.replace("_", "").startswith(plain)][:3]
    near = near or [known[key] for key in get_close_matches(name.lower(), known)]
    return f"did you mean {' or '.join(near)}?" if near else "axsim.list_multipliers() lists them"


def _worker_hint() -> str:
    """What to say in a process that another one started: its registered names stayed there."""
    processes = sys.modules.get("multiprocessing.process")
    if processes is None:
        return ""
    if processes.parent_process() is None and processes.current_process().name == "MainProcess":
        return ""
    return (
        ". This is a worker process, which does not know what was registered in the process that started it: "
        "hand it the multiplier itself, axsim.get(name), in the name's place"
    )


def _table(product: Any, a_bits: int | None, b_bits: int | None, signed: bool | None) -> ProductTable:
    if isinstance(product, ProductTable):
        table = product
    elif isinstance(product, Netlist):
        table = ProductTable.from_netlist(product)
    elif isinstance(product, np.ndarray):
        table = ProductTable.from_array(product, bool(signed))
    elif callable(product):
        widths = [8 if bits is None else bits for bits in (a_bits, b_bits)]
        return ProductTable.from_function(product, widths[0], widths[1], signed=bool(signed))
    else:
        raise TypeError(
            f"product is a {type(product).__name__}, expected a ProductTable, a Netlist, an integer array "
            "or a function of two operand arrays"
            + ("; axsim.read reads a file" if isinstance(product, str) else "")
        )
    _check_options(table, a_bits=a_bits, b_bits=b_bits, signed=signed)
    return table


def _wide(name: str, netlist: Netlist) -> Multiplier:
    return Multiplier(
        name=name,
        a_bits=netlist.a_bits,
        b_bits=netlist.b_bits,
        signed=netlist.signed,
        simulate=partial(ProductTable.from_netlist, netlist),
        make_netlist=partial(_same, netlist),
        source="registered",
    )


def _check_options(product: ProductTable | Multiplier | Netlist, **options: int | None) -> None:
    for label, given in options.items():
        if given is not None and given != getattr(product, label):
            raise ValueError(
                f"{label} is {given}, but the product given has {label} {getattr(product, label)}"
            )


def _same(thing: Any) -> Any:
    return thing

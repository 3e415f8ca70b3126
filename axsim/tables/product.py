"""The exhaustive product table of a two-operand circuit with at most 16 input bits."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axsim.arrays import as_array, is_masked
from axsim.circuits.operands import operand_range
from axsim.once import cached_property

if TYPE_CHECKING:
    from axsim.circuits import Netlist

_T = TypeVar("_T", bound=np.generic)

MAX_INPUT_BITS = 16
MAX_OUT_BITS = 31  # so that every product and every error fits int32, the type that sums are made of


def operands(bits: int, signed: bool = False) -> NDArray[np.int64]:
    """The value of every bit pattern of a ``bits``-wide operand: int64, shape ``(2**bits,)``.

    >>> operands(2).tolist(), operands(2, signed=True).tolist()
    ([0, 1, 2, 3], [0, 1, -2, -1])
    """
    patterns = np.arange(1 << bits)
    return np.where(patterns >> (bits - 1), patterns - (1 << bits), patterns) if signed else patterns


@dataclass(frozen=True, eq=False, repr=False)
class ProductTable:
    """All products of a multiplier: ``values[a, b]``, indexed by the operands' bit patterns.

    For a signed multiplier the patterns are two's complement: row 255 of an 8-bit one is a = -1. The left
    operand is the row; approximate multipliers seldom commute. Immutable; equal tables compare equal, and so
    do a table and an array of its products. ``numpy.asarray(table)`` is ``values``.

    Attributes:
        values: products, shape ``(2**a_bits, 2**b_bits)``, read-only, C-contiguous, little-endian, of the
            smallest of uint8/16/32 (signed: int8/16/32) that holds ``out_bits``.
        a_bits, b_bits: operand widths, 16 bits together at most.
        out_bits: width of the product, at most 31.
        signed: whether operands and products are two's complement.

    Raises:
        TypeError: ``values`` are not integers.
        ValueError: a width is out of range, the shape does not fit the widths, or a product needs more than
            ``out_bits``.

    >>> table = ProductTable.from_function(lambda a, b: a * b & ~1, 4, 4)
    >>> int(table.values[3, 5]), int(table.error[3, 5]), table.symmetric
    (14, -1, True)
    """

    values: NDArray[np.integer[Any]]
    a_bits: int
    b_bits: int
    out_bits: int
    signed: bool = False

    def __post_init__(self) -> None:
        check_widths(self.a_bits, self.b_bits)
        if not 1 <= self.out_bits <= MAX_OUT_BITS:
            raise ValueError(f"out_bits is {self.out_bits}, expected 1 to {MAX_OUT_BITS}")
        raw = as_array("values", self.values)
        if raw.dtype.kind not in "iu":
            raise TypeError(f"values are {raw.dtype}, expected integers: a table holds exact products")
        shape = (1 << self.a_bits, 1 << self.b_bits)
        if raw.shape != shape:
            raise ValueError(
                f"values have shape {raw.shape}, expected {shape} "
                f"for {self.a_bits}- and {self.b_bits}-bit operands"
            )
        low, high = operand_range(self.out_bits, self.signed)
        bad = np.argwhere((raw < low) | (raw > high))
        if len(bad):
            a, b = (int(i) for i in bad[0])
            hint = "; negative products need signed=True" if raw[a, b] < 0 and not self.signed else ""
            raise ValueError(
                f"values[{a}, {b}] = {raw[a, b]} does not fit {self.out_bits} "
                f"{'signed' if self.signed else 'unsigned'} output bits ({low} to {high}){hint}"
            )
        values = np.array(raw, dtype=_storage_dtype(self.out_bits, self.signed), order="C")
        object.__setattr__(self, "values", _frozen(values))

    @classmethod
    def from_array(
        cls, values: ArrayLike, signed: bool = False, *, out_bits: int | None = None
    ) -> ProductTable:
        """A table from an integer array of shape ``(2**a_bits, 2**b_bits)``; the shape gives the widths.

        ``out_bits`` is ``a_bits + b_bits`` unless given, or more where a product needs more.

        Raises:
            TypeError: ``values`` are not integers.
            ValueError: the shape is not two powers of two, or a product does not fit.

        >>> ProductTable.from_array([[0, 0], [0, 1]])
        ProductTable(1x1 -> 2 bits, unsigned, sha256 b40711a8...)
        """
        raw = as_array("values", values)
        if raw.ndim != 2 or any(n < 2 or n & (n - 1) for n in raw.shape):
            raise ValueError(f"values have shape {raw.shape}, expected (2**a_bits, 2**b_bits)")
        if raw.dtype.kind not in "iu":
            raise TypeError(f"values are {raw.dtype}, expected integers: a table holds exact products")
        a_bits, b_bits = (n.bit_length() - 1 for n in raw.shape)
        needed = max(_bits_needed(int(v), signed) for v in (raw.min(), raw.max()))
        if needed > MAX_OUT_BITS:
            raise ValueError(
                f"products run from {raw.min()} to {raw.max()}, expected at most {MAX_OUT_BITS} bits: int32"
            )
        return cls(raw, a_bits, b_bits, out_bits or max(a_bits + b_bits, needed), signed)

    @classmethod
    def from_function(
        cls,
        function: Callable[[NDArray[np.int64], NDArray[np.int64]], ArrayLike],
        a_bits: int,
        b_bits: int,
        out_bits: int | None = None,
        signed: bool = False,
    ) -> ProductTable:
        """A table of a function of two int64 arrays of equal shape ``(2**a_bits, 2**b_bits)``, or two ints.

        The function receives operand values (negative ones too where ``signed``) and returns the products.
        One that fails for arrays with a TypeError or ValueError is called for each pair of ints instead.

        Raises:
            TypeError: the function does not return integers.
            ValueError: the function's result has another shape, or a product does not fit.

        >>> table = ProductTable.from_function(lambda a, b: 0 if a == 0 else a * b + 1, 4, 4)
        >>> int(table.values[0, 5]), int(table.values[3, 5])
        (0, 16)
        """
        check_widths(a_bits, b_bits)
        a, b = np.meshgrid(operands(a_bits, signed), operands(b_bits, signed), indexing="ij")
        values = as_array("the function's result", _called(function, a, b))
        if values.shape != a.shape:
            raise ValueError(
                f"the function returned shape {values.shape} for operands of shape {a.shape}; "
                "it must be vectorised (numpy.vectorize wraps one that is not)"
            )
        if values.dtype.kind == "f":
            raise TypeError(
                f"the function returned {values.dtype}, expected integers, as a circuit gives: divide by // "
                "instead of /, or round, as in np.floor(product).astype(int)"
            )
        return cls.from_array(values, signed, out_bits=out_bits)

    @classmethod
    def from_netlist(cls, netlist: Netlist) -> ProductTable:
        """The table of a netlist with two input buses and one output bus, by simulating all operand pairs.

        Raises:
            ValueError: the circuit has more than 16 input bits or 31 output bits.
        """
        check_widths(netlist.a_bits, netlist.b_bits)
        return cls(netlist.exhaustive(), netlist.a_bits, netlist.b_bits, netlist.out_bits, netlist.signed)

    @cached_property
    def exact(self) -> NDArray[np.int32]:
        """Exact products of the operands: int32, shaped like ``values``, read-only."""
        a, b = operands(self.a_bits, self.signed), operands(self.b_bits, self.signed)
        return _frozen(np.multiply.outer(a, b).astype(np.int32))

    @cached_property
    def error(self) -> NDArray[np.int32]:
        """The error table ``values - exact``: int32, shaped like ``values``, read-only."""
        return _frozen(self.values.astype(np.int32) - self.exact)

    @cached_property
    def symmetric(self) -> bool:
        """Whether the operands can be exchanged: ``values[a, b] == values[b, a]`` throughout."""
        return bool(np.array_equal(self.values, self.values.T))

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the little-endian bytes of ``values``, row after row, in hexadecimal."""
        return hashlib.sha256(self.values.tobytes()).hexdigest()

    def _key(self) -> tuple[object, ...]:
        return self.a_bits, self.b_bits, self.out_bits, self.signed, self.sha256

    # So that ``array == table`` asks the table, too.
    __array_priority__ = 1.0

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        converted = dtype is not None and np.dtype(dtype) != self.values.dtype
        if converted and copy is False:
            raise ValueError(
                f"a table of {self.values.dtype} cannot be had as {np.dtype(dtype)} without a copy"
            )
        return np.array(self.values, dtype) if converted or copy else self.values

    def __eq__(self, other: object) -> bool:
        if isinstance(other, np.ndarray):
            return not is_masked(other) and bool(np.array_equal(self.values, other))
        return self._key() == other._key() if isinstance(other, ProductTable) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[object, ...]:
        # Through the constructor: arrays lose their read-only flag when they are pickled.
        return ProductTable, (np.asarray(self.values), self.a_bits, self.b_bits, self.out_bits, self.signed)

    def __repr__(self) -> str:
        return (
            f"ProductTable({self.a_bits}x{self.b_bits} -> {self.out_bits} bits, "
            f"{'signed' if self.signed else 'unsigned'}, sha256 {self.sha256[:8]}...)"
        )


def _called(function: Callable[..., Any], a: NDArray[np.int64], b: NDArray[np.int64]) -> Any:
    """What the function makes of two arrays; of each pair of their elements, if it takes no arrays."""
    try:
        return function(a, b)
    except (TypeError, ValueError) as of_arrays:
        try:
            products = np.frompyfunc(function, 2, 1)(a, b)  # as Python's own ints
        except Exception as of_ints:
            raise of_ints from of_arrays
    return np.array(products.tolist())


def check_widths(a_bits: int, b_bits: int) -> None:
    """Raise ValueError unless a table of these operand widths can be built."""
    if a_bits < 1 or b_bits < 1 or a_bits + b_bits > MAX_INPUT_BITS:
        raise ValueError(
            f"a_bits={a_bits}, b_bits={b_bits}: expected 1 or more each and at most {MAX_INPUT_BITS} "
            "together, because a table holds every product"
        )


def _bits_needed(value: int, signed: bool) -> int:
    return (value if value >= 0 else ~value).bit_length() + signed


def _storage_dtype(bits: int, signed: bool) -> np.dtype[np.integer[Any]]:
    size = next(n for n in (1, 2, 4) if bits <= 8 * n)
    return np.dtype(f"<{'i' if signed else 'u'}{size}")


def _frozen(array: NDArray[_T]) -> NDArray[_T]:
    array.flags.writeable = False
    return array

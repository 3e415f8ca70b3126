"""Product tables as arrays of numbers: raw ``.bin`` files, ``.npy``, ``.npz`` and axsim's HDF5.

Rows are the left operand. In ``.npy`` and ``.npz`` files rows and columns are bit patterns, as in
``ProductTable``. Raw files hold uint16 products, row after row; those of signed circuits start at the least
operand, -128, and their products have 32768 added to them, so that none is negative.
"""

from __future__ import annotations

import io
import math
import tempfile
import zipfile
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from axsim.circuits.formats.names import named
from axsim.circuits.formats.options import DEFAULTS, ReadOptions
from axsim.errors import NetlistFileError, TableError
from axsim.tables.product import MAX_INPUT_BITS, ProductTable
from axsim.tables.store import list_tables, read_table

MAX_BYTES = 64 << 20
"""Largest file of a table that is read: 16 input bits take 512 KiB in 64-bit integers."""

_OFFSET = 1 << 15


def read_npy(data: bytes, options: ReadOptions = DEFAULTS) -> ProductTable:
    """The table of a NumPy file: integers of shape ``(2**a_bits, 2**b_bits)``.

    It is signed if ``options.signed`` says so or a product is negative.

    Raises:
        NetlistFileError: for a damaged file, or an array of another shape or type.

    >>> read_npy(write_npy(ProductTable.from_array([[0, 0], [0, 1]])))
    ProductTable(1x1 -> 2 bits, unsigned, sha256 b40711a8...)
    """
    return from_integers(_array(data, options), options)


def read_npz(data: bytes, options: ReadOptions = DEFAULTS) -> ProductTable:
    """The table of an ``.npz`` archive: its only array, or the one that ``options.top`` names.

    Raises as :func:`read_npy`, and for an archive of several arrays where none is named.
    """
    _check_size(len(data), "the file", options)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            name = _chosen(list(sizes), options, "arrays")
            _check_size(sizes[name].file_size, f"array {name!r}", options)
            member = archive.read(sizes[name])
    except NetlistFileError:
        raise
    # zipfile names no errors, and damaged archives raise many.
    except Exception as problem:
        fail(options, f"this is no .npz archive, or a damaged one: {problem}")
    values = _array(member, options)
    return from_integers(values, options)


def read_hdf5(data: bytes, options: ReadOptions = DEFAULTS) -> ProductTable:
    """The only table of an HDF5 file that axsim wrote, or the one that ``options.top`` names.

    Raises NetlistFileError for a damaged file, or one of several tables where none is named.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (options.path.name if options.path else "tables.h5")
        path.write_bytes(data)
        try:
            name = _chosen(list(list_tables(path)), options, "tables")
            table = read_table(path, name).table
        except TableError as problem:
            fail(options, str(problem).replace(str(path), path.name))
    if options.signed not in (None, table.signed):
        fail(options, f"table {name!r} says that it is {'' if table.signed else 'un'}signed")
    return table


def read_bin(data: bytes, options: ReadOptions = DEFAULTS) -> ProductTable:
    """The table of a raw file of uint16, little-endian: n x n bits for a file of ``2 * 4**n`` bytes.

    It is signed if ``options.signed`` says so; where that is None, if the file's name does (``mul8s_1KV8``),
    and else if the products lie nearer to exact ones so.

    Raises NetlistFileError for any other length.

    >>> table = ProductTable.from_function(lambda a, b: a * b, 8, 8, signed=True)
    >>> read_bin(write_bin(table)) == table
    True
    """
    bits = (len(data).bit_length() - 2) // 2
    if not 1 <= bits <= MAX_INPUT_BITS // 2 or len(data) != 2 << (2 * bits):
        fail(options, f"the file has {len(data)} bytes, expected 2 * 4**n for n x n bits: 131072 for 8 x 8")
    unsigned = np.frombuffer(data, "<u2").reshape(1 << bits, 1 << bits)
    signed = np.fft.ifftshift(unsigned.astype(np.int32) - _OFFSET)
    is_signed = options.signed
    if is_signed is None and options.path is not None and (found := named(options.path.name)):
        is_signed = found.signed
    tables = {
        flag: ProductTable.from_array(values, flag, out_bits=16 if bits == 8 else None)
        for flag, values in ((False, unsigned), (True, signed))
        if is_signed in (None, flag)
    }
    return min(tables.values(), key=distance)


def distance(table: ProductTable) -> float:
    """How far products are from exact ones: the mean absolute error over the mean of exact magnitudes."""
    return float(np.abs(table.error.astype(np.int64)).mean() / np.abs(table.exact).mean())


def write_npy(table: ProductTable) -> bytes:
    """The table as a NumPy file."""
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asarray(table.values), allow_pickle=False)
    return out.getvalue()


def write_bin(table: ProductTable) -> bytes:
    """The table as raw uint16; see the module's docstring.

    Raises:
        ValueError: the operands differ in width, or a product does not fit.
    """
    if table.a_bits != table.b_bits:
        raise ValueError(f"a .bin file is square; the operands have {table.a_bits} and {table.b_bits} bits")
    values = table.values.astype(np.int64)
    if table.signed:
        values = np.fft.fftshift(values) + _OFFSET
    if values.min() < 0 or values.max() >= 1 << 16:
        raise ValueError(
            f"products run from {table.values.min()} to {table.values.max()}, "
            f"expected those of 16 bits: write .npy instead"
        )
    return values.astype("<u2").tobytes()


def from_integers(values: NDArray[Any], options: ReadOptions) -> ProductTable:
    """The table of an array indexed by bit patterns; NetlistFileError if it is none."""
    if (
        values.ndim == 1
        and values.size
        and (root := 1 << (values.size.bit_length() // 2)) ** 2 == values.size
    ):
        values = values.reshape(root, root)
    if values.ndim != 2 or any(n < 2 or n & (n - 1) for n in values.shape):
        fail(options, f"an array of shape {values.shape} came, expected (2**a_bits, 2**b_bits)")
    if values.dtype.kind not in "iu":
        fail(options, f"an array of {values.dtype} came, expected integers")
    if values.size > 1 << MAX_INPUT_BITS:
        fail(options, f"an array of shape {values.shape} came, expected at most 2**{MAX_INPUT_BITS} products")
    signed = bool(values.min() < 0) if options.signed is None else options.signed
    try:
        return ProductTable.from_array(_in_range(values, signed), signed)
    except ValueError as problem:
        fail(options, str(problem))


def _in_range(values: NDArray[Any], signed: bool) -> NDArray[Any]:
    """Bit patterns of products as numbers, where the reader is told that an unsigned array is signed."""
    bits = values.shape[0].bit_length() + values.shape[1].bit_length() - 2
    if signed and values.dtype.kind == "u" and int(values.max()) >> bits == 0:
        wide = values.astype(np.int64)
        return np.where(wide >> (bits - 1), wide - (1 << bits), wide)
    return values


def _check_size(size: int, what: str, options: ReadOptions) -> None:
    if size > MAX_BYTES:
        fail(options, f"{what} has {size} bytes, expected at most {MAX_BYTES}")


def _array(data: bytes, options: ReadOptions) -> NDArray[Any]:
    """The array of a ``.npy`` file, whose header is believed only if it fits the file's length."""
    _check_size(len(data), "the file", options)
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, by_columns, dtype = read_header(stream)
    # NumPy names no errors, and damaged headers raise many: of its own, of ast and of tokenize.
    except Exception as problem:
        fail(options, f"this is no .npy file, or a damaged one: {problem}")
    count, body = math.prod(shape), data[stream.tell() :]
    if dtype.hasobject:
        fail(options, f"an array of {dtype} came, expected integers")
    if count * dtype.itemsize != len(body):
        fail(options, f"{len(body)} bytes of products came, expected an array of {dtype} of shape {shape}")
    values = np.frombuffer(body, dtype)
    return values.reshape(shape, order="F" if by_columns else "C")


def _chosen(names: list[str], options: ReadOptions, what: str) -> str:
    listed = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    if options.top is not None:
        if options.top not in names:
            fail(options, f"it has no {options.top!r}; its {what} are {listed}")
        return options.top
    if len(names) != 1:
        fail(options, f"it has {len(names)} {what} ({listed}): name one by top=")
    return names[0]


def fail(options: ReadOptions, what: str, line: int | None = None, column: int | None = None) -> NoReturn:
    """Raise NetlistFileError, naming the file."""
    raise NetlistFileError(what, path=options.path or "table", line=line, column=column)

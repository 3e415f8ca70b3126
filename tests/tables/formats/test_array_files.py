"""Tables as arrays of numbers."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from axsim.circuits.formats.options import ReadOptions
from axsim.errors import NetlistFileError
from axsim.multipliers import get
from axsim.tables import ProductTable, TableRecord, write_tables
from axsim.tables.formats import array_files

NAMES = [
    "mul8u_L40",
    "mul8s_1KVA",
    "exact8s",
    "exact8",
    "exact6",
    "exact6s",
    "drum8_4",
    "bam8_h2_v4",
    "mul8u_E9R",
]


def npz(**named: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, **named)
    return out.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_round_trips(name: str) -> None:
    table = get(name).table
    signed = ReadOptions(signed=table.signed)
    assert array_files.read_npy(array_files.write_npy(table), signed) == table
    assert array_files.read_npz(npz(table=table.values), signed) == table
    read = array_files.read_bin(array_files.write_bin(table), signed)
    assert (read.signed, read.a_bits) == (table.signed, table.a_bits)
    np.testing.assert_array_equal(read.values, table.values)


@pytest.mark.parametrize("name", NAMES)
def test_sign_of_a_raw_file_is_seen_from_its_name_or_its_products(name: str) -> None:
    table = get(name).table
    data = array_files.write_bin(table)
    if name != "mul8u_E9R":  # constant 0 is as far from one as from the other
        np.testing.assert_array_equal(array_files.read_bin(data).values, table.values)
    told = ReadOptions(path=Path(f"{name}.bin"))
    np.testing.assert_array_equal(array_files.read_bin(data, told).values, table.values)


def test_raw_files_start_at_the_least_operand() -> None:
    data = np.frombuffer(array_files.write_bin(get("exact8s").table), "<u2").reshape(256, 256)
    assert data[0, 0] == 32768 + 128 * 128
    assert data[0, 255] == 32768 - 128 * 127
    assert data[129, 130] == 32768 + 2
    plain = np.frombuffer(array_files.write_bin(get("L40").table), "<u2").reshape(256, 256)
    assert plain[13, 200] == get("L40")(13, 200)


def test_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "own.h5"
    records = [TableRecord(name, get(name).table) for name in ("mul8u_L40", "exact8s")]
    write_tables(path, records[:1])
    assert array_files.read_hdf5(path.read_bytes(), ReadOptions(path=path)) == get("L40").table
    write_tables(path, records)
    data = path.read_bytes()
    assert array_files.read_hdf5(data, ReadOptions(top="exact8s")) == get("exact8s").table
    with pytest.raises(NetlistFileError, match=r"own.h5: it has 2 tables \(exact8s, mul8u_L40\): name one"):
        array_files.read_hdf5(data, ReadOptions(path=path))
    with pytest.raises(NetlistFileError, match="says that it is signed"):
        array_files.read_hdf5(data, ReadOptions(top="exact8s", signed=False))
    for damaged in (b"", data[:1000], data[:-1], data[:600] + b"x" + data[601:]):
        with pytest.raises(NetlistFileError, match=r"own\.h5"):
            array_files.read_hdf5(damaged, ReadOptions(path=path))


def test_what_is_signed_is_indexed_by_bit_patterns() -> None:
    values = get("exact8s").table.values
    assert array_files.read_npy(array_files.write_npy(get("exact8s").table)).signed
    patterns = (values.astype(np.int64) & 0xFFFF).astype(np.uint16)
    told = array_files.from_integers(patterns, ReadOptions(signed=True))
    assert told == get("exact8s").table
    assert not array_files.from_integers(patterns, ReadOptions()).signed


def test_flat_arrays_of_all_pairs_are_square() -> None:
    flat = get("L40").table.values.reshape(-1)
    assert array_files.from_integers(flat, ReadOptions()) == get("L40").table


def test_an_archive_of_several_arrays() -> None:
    data = npz(one=np.zeros((4, 4), int), two=get("L40").table.values)
    assert array_files.read_npz(data, ReadOptions(top="two")) == get("L40").table
    with pytest.raises(NetlistFileError, match=r"2 arrays \(one, two\): name one by top="):
        array_files.read_npz(data)
    with pytest.raises(NetlistFileError, match=r"no 'three'; its arrays are one, two"):
        array_files.read_npz(data, ReadOptions(top="three"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((3, 4), int), r"shape \(3, 4\) came, expected \(2\*\*a_bits, 2\*\*b_bits\)"),
        (np.zeros((4, 4)), "float64 came, expected integers"),
        (np.full((4, 4), None), "object came, expected integers"),
        (np.zeros((4, 4, 4), int), r"shape \(4, 4, 4\)"),
        (np.zeros((512, 256), int), "at most"),
        (np.full((4, 4), 1 << 40), "at most 31 bits"),
    ],
)
def test_arrays_that_are_no_tables(values: np.ndarray, message: str) -> None:
    out = io.BytesIO()
    np.save(out, values)
    with pytest.raises(NetlistFileError, match=message):
        array_files.read_npy(out.getvalue(), ReadOptions(path=Path("x.npy")))


def test_damaged_files() -> None:
    pickled = io.BytesIO()
    np.save(pickled, np.array([{}], object), allow_pickle=True)
    whole = array_files.write_npy(get("exact4").table)
    for data in (
        b"",
        b"\x93NUMPY",
        whole[:100],
        whole[:-1],
        pickled.getvalue(),
        b"PK\x03\x04",
        npz(a=np.eye(2))[:80],
    ):
        with pytest.raises(NetlistFileError):
            array_files.read_npy(data)
        with pytest.raises(NetlistFileError):
            array_files.read_npz(data)
    with pytest.raises(NetlistFileError, match=r"this is no \.npz archive"):
        array_files.read_npz(whole)
    with pytest.raises(NetlistFileError, match=r"this is no \.npy file"):
        array_files.read_npy(npz(a=np.zeros((2, 2), int)))
    with pytest.raises(NetlistFileError, match="131072 for 8 x 8"):
        array_files.read_bin(b"123")
    with pytest.raises(NetlistFileError, match="at most"):
        array_files.read_npy(bytes(65 << 20))
    bomb = npz(a=np.zeros((4, 4), int))
    with pytest.raises(NetlistFileError):
        array_files.read_npz(bomb.replace(b"(4, 4)", b"(9, 9)"))


def test_a_zip_bomb_is_refused_unread() -> None:
    out = io.BytesIO()
    np.savez_compressed(out, a=np.zeros(9 << 20))
    with pytest.raises(NetlistFileError, match="has 75497600 bytes, expected at most"):
        array_files.read_npz(out.getvalue())


def test_what_a_raw_file_cannot_hold() -> None:
    with pytest.raises(ValueError, match="8 and 4 bits"):
        array_files.write_bin(get("exact8x4").table)
    with pytest.raises(ValueError, match=r"run from 0 to 100000.*npy"):
        array_files.write_bin(ProductTable.from_array(np.array([[0, 0], [0, 100000]])))

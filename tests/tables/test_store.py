"""The HDF5 store: what is read is what was written, or TableError."""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from axsim.errors import TableError
from axsim.multipliers import Multiplier, get, list_multipliers
from axsim.tables import ProductTable, TableRecord, list_tables, read_table, read_tables, write_tables
from axsim.tables.factor import Factors
from axsim.tables.store import GENERATOR_VERSION, USER_BLOCK, published_sha256, seal

SMALL = TableRecord("small", ProductTable.from_function(lambda a, b: a * b & ~1, 3, 2), {"source": "a test"})
OTHER = TableRecord("other", ProductTable.from_function(lambda a, b: a * b - 1, 2, 3, signed=True))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tables.h5"
    write_tables(path, [SMALL, OTHER])
    return path


def reseal(path: Path, change: Callable[[h5py.File], None]) -> None:
    """Change a file with h5py and make its user block right again: only the inner checks can notice."""
    buffer = io.BytesIO(path.read_bytes())
    with h5py.File(buffer, "r+") as file:
        change(file)
    path.write_bytes(seal(buffer.getvalue()[USER_BLOCK:]))


names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.+\-\[\]]{0,20}", fullmatch=True)
texts = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=40)
attributes = st.dictionaries(
    st.from_regex(r"[a-z]{1,12}", fullmatch=True),
    texts | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False),
    max_size=4,
)


@st.composite
def records(draw: st.DrawFn) -> TableRecord:
    signed = draw(st.booleans())
    a_bits, b_bits, out_bits = draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.integers(1, 31))
    low, high = (-(2 ** (out_bits - 1)), 2 ** (out_bits - 1) - 1) if signed else (0, 2**out_bits - 1)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.integers(low, high, (2**a_bits, 2**b_bits), endpoint=True)
    table = ProductTable.from_array(values, signed, out_bits=out_bits)
    return TableRecord(draw(names), table, draw(attributes))


@given(st.lists(records(), max_size=3, unique_by=lambda record: record.name))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trip(tmp_path: Path, written: list[TableRecord]) -> None:
    path = tmp_path / "round_trip.h5"
    write_tables(path, written)
    assert read_tables(path) == {record.name: record for record in written}
    assert list_tables(path) == tuple(sorted(record.name for record in written))
    for record in written:
        found = read_table(path, record.name)
        assert found == record
        assert found.table.values.dtype == record.table.values.dtype
        assert {k: type(v) for k, v in found.attributes.items()} == {
            k: type(v) for k, v in record.attributes.items()
        }


def test_any_hdf5_program_can_read_the_file(path: Path) -> None:
    with h5py.File(path, "r") as file:
        group = file["small"]
        np.testing.assert_array_equal(group["product"], SMALL.table.values)
        np.testing.assert_array_equal(group["error"], SMALL.table.error)
        assert group["product"].dtype == np.dtype("<u1")
        assert group["error"].dtype == np.dtype("<i4")
        assert {group[name].compression for name in group} == {"gzip"}
        assert all(group[name].shuffle and group[name].chunks for name in group)
        found = dict(group.attrs)
        assert (found["a_bits"], found["b_bits"], found["out_bits"], found["signed"]) == (3, 2, 5, False)
        assert found["generator_version"] == GENERATOR_VERSION
        assert found["product_sha256"] == SMALL.table.sha256
        assert found["source"] == "a test"


def test_the_same_tables_give_the_same_bytes(path: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.h5"
    write_tables(again, [OTHER, SMALL])
    assert again.read_bytes() == path.read_bytes()
    write_tables(again, read_tables(path).values())
    assert again.read_bytes() == path.read_bytes()


def test_a_truncated_file_is_refused_at_every_length(path: Path) -> None:
    data = path.read_bytes()
    for length in [
        0,
        1,
        7,
        8,
        9,
        USER_BLOCK - 1,
        USER_BLOCK,
        USER_BLOCK + 8,
        *range(600, len(data), 97),
        len(data) - 1,
    ]:
        path.write_bytes(data[:length])
        with pytest.raises(TableError, match=r"tables\.h5.*'small'"):
            read_table(path, "small")


def test_a_longer_file_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(TableError, match="altered"):
        read_table(path, "small")


def test_a_file_with_any_byte_changed_is_refused(path: Path) -> None:
    data = path.read_bytes()
    for position, mask in zip(range(0, len(data), 37), cycle((0x01, 0x80, 0xFF)), strict=False):
        changed = bytearray(data)
        changed[position] ^= mask
        path.write_bytes(changed)
        with pytest.raises(TableError, match=r"tables\.h5.*'small'"):
            read_table(path, "small")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + bytes(2000), bytes(4096)])
def test_what_is_not_hdf5_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "not.h5"
    path.write_bytes(content)
    with pytest.raises(
        TableError, match=r"not\.h5.*not an HDF5 file.*; delete it, or write it again \(`axsim build`"
    ):
        read_table(path, "small")
    with pytest.raises(TableError, match="not an HDF5 file"):
        list_tables(path)


def test_hdf5_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.h5"
    with h5py.File(path, "w") as file:
        file["small/product"] = np.zeros((2, 2), int)
    with pytest.raises(TableError, match=r"axsim did not write it \(.*\); delete it, or write it again"):
        read_table(path, "small")


def test_missing_file_and_missing_table(path: Path) -> None:
    with pytest.raises(TableError, match=r"absent\.h5.*'small'.*No such file"):
        read_table(path.with_name("absent.h5"), "small")
    with pytest.raises(TableError, match=r"tables\.h5 has no table 'large'; it has other, small"):
        read_table(path, "large")


def test_another_generator_version_is_refused(path: Path) -> None:
    reseal(path, lambda file: file.attrs.modify("generator_version", GENERATOR_VERSION + 1))
    with pytest.raises(
        TableError, match=rf"'small'.*version is {GENERATOR_VERSION + 1}.*delete it, or write it again"
    ):
        read_table(path, "small")
    reseal(path, lambda file: file.attrs.pop("generator_version"))
    with pytest.raises(TableError, match="version is None"):
        read_table(path, "small")


def _set(name: str, index: tuple[int, int], value: int) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file[f"small/{name}"][index] = value

    return change


def _both(file: h5py.File) -> None:
    file["small/product"][3, 3] = 1
    file["small/error"][3, 3] = 1 - 9


def _error_and_its_digest(file: h5py.File) -> None:
    error = SMALL.table.error.astype("<i4")
    error[3, 3] += 1
    file["small/error"][:] = error
    file["small"].attrs["error_sha256"] = hashlib.sha256(error.tobytes()).hexdigest()


def _swap(file: h5py.File) -> None:
    file.move("small", "kept")
    file.move("other", "small")
    file.move("kept", "other")
    file["small"].attrs["product_sha256"] = file["other"].attrs["product_sha256"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("product", (3, 3), 1), "products do not have the stored SHA-256"),
        (_set("error", (3, 3), 1), "error table is not that of its products"),
        (_both, "products do not have the stored SHA-256"),
        (_error_and_its_digest, "error table is not that of its products"),
        (_swap, "products do not have the stored SHA-256"),
        (lambda file: file["small"].pop("product"), "cannot be read"),
        (lambda file: file["small"].pop("error"), "cannot be read"),
        (lambda file: file["small"].attrs.pop("signed"), "cannot be read"),
        (lambda file: file["small"].attrs.modify("a_bits", 2), "cannot be read"),
        (lambda file: file["small"].attrs.modify("signed", True), "cannot be read"),
        (
            lambda file: file["small"].attrs.modify("error_sha256", "0"),
            "error table is not that of its products",
        ),
    ],
)
def test_a_record_altered_behind_a_right_seal_is_refused(
    path: Path, change: Callable[[h5py.File], None], message: str
) -> None:
    reseal(path, change)
    with pytest.raises(
        TableError, match=rf"tables\.h5: table 'small'.*{message}.*; delete it, or write it again"
    ):
        read_table(path, "small")


def test_an_unchanged_file_survives_resealing(path: Path) -> None:
    before = path.read_bytes()
    reseal(path, lambda file: None)
    assert path.read_bytes() == before


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, "disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_tables(path, [SMALL])
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_bytes_go_to_another_file_in_the_same_folder_first(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves = []
    original = Path.replace

    def watch(self: Path, target: Path) -> Path:
        moves.append((self.parent, self.name != target.name, list_tables(self), list_tables(target)))
        return original(self, target)

    monkeypatch.setattr(Path, "replace", watch)
    write_tables(path, [SMALL])
    assert moves == [(path.parent, True, ("small",), ("other", "small"))]


def test_two_writers_do_not_get_in_each_others_way(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Path.replace

    def interrupted(self: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", original)
        write_tables(path, [OTHER])
        assert list_tables(path) == ("other",)
        return original(self, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    write_tables(path, [SMALL])
    assert read_tables(path) == {"small": SMALL}
    assert list(path.parent.iterdir()) == [path]


def test_two_tables_of_one_name_are_refused(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(ValueError, match="two tables are called 'small'"):
        write_tables(path, [SMALL, SMALL])
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["", "a/b", "..", " a", "a b", "ä", "a\n"])
def test_a_name_that_cannot_be_a_group_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(name))):
        TableRecord(name, SMALL.table)


def test_attributes_of_the_store_cannot_be_overruled() -> None:
    with pytest.raises(ValueError, match="product_sha256"):
        TableRecord("name", SMALL.table, {"product_sha256": "0"})


FACTORED = TableRecord(
    "factored",
    ProductTable.from_function(lambda a, b: a * b + 4 * (a & b & 1), 3, 3),
    factors=Factors([range(8), [n & 1 for n in range(8)]], [range(8), [n & 1 for n in range(8)]], [0, 2]),
)


def test_factors_are_stored_with_their_table(tmp_path: Path) -> None:
    path = tmp_path / "factored.h5"
    zeros = np.zeros((0, 4), int)
    none = TableRecord(
        "zero", ProductTable.from_array(np.zeros((4, 4), int)), {}, Factors(zeros, zeros, zeros[:, 0])
    )
    write_tables(path, [FACTORED, SMALL, none])
    assert read_tables(path) == {"factored": FACTORED, "small": SMALL, "zero": none}
    assert read_table(path, "small").factors is None
    with h5py.File(path, "r") as file:
        group = file["factored/factors"]
        np.testing.assert_array_equal(
            group["left"][:] * 2 ** group["log2_scales"][:][:, None], [range(8), [0, 4] * 4]
        )


def test_factors_of_another_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="the factors are not those of the table: 16 of 64 products differ"):
        TableRecord("wrong", ProductTable.from_function(lambda a, b: a * b, 3, 3), {}, FACTORED.factors)
    path = tmp_path / "factored.h5"
    write_tables(path, [FACTORED])

    def alter(file: h5py.File) -> None:
        file["factored/factors/left"][1, 3] = 2

    reseal(path, alter)
    with pytest.raises(TableError, match=r"factored\.h5: table 'factored' is altered: the factors are not"):
        read_table(path, "factored")
    write_tables(path, [FACTORED])
    reseal(path, lambda file: file["factored/factors"].pop("right"))
    with pytest.raises(TableError, match="'factored' cannot be read"):
        read_table(path, "factored")


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "zeros", "folder"):
        with pytest.raises(TableError, match=r"cannot be read: it is no regular file|Is a directory"):
            read_tables(tmp_path / name)


def test_a_link_to_a_file_is_followed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "link.h5").symlink_to(path)
    assert read_table(tmp_path / "link.h5", "small") == SMALL


def test_a_file_of_no_sane_size_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.h5"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # takes no space on the disk, and would take all memory
    with pytest.raises(TableError, match="it has 1099511627776 bytes, more than"):
        read_tables(path)


@pytest.mark.parametrize("dataset", ["product", "error"])
def test_a_dataset_of_no_sane_size_is_not_unpacked(path: Path, dataset: str) -> None:
    def change(file: h5py.File) -> None:
        del file["small"][dataset]
        file["small"].create_dataset(dataset, (1 << 24, 1 << 16), "<u1", chunks=(1 << 10, 1 << 10))

    reseal(path, change)
    with pytest.raises(TableError, match=f"{dataset} has 1099511627776 entries, expected at most 65536"):
        read_table(path, "small")


def test_a_published_name_stands_for_the_published_products(tmp_path: Path) -> None:
    """A well-formed file may hold other products under that name."""
    zeros = ProductTable.from_array(np.zeros((256, 256), np.uint16))
    with pytest.raises(TableError, match="the products are not those of the published circuit mul8u_L40"):
        TableRecord("mul8u_L40", zeros)
    path = tmp_path / "tables.h5"
    write_tables(path, [TableRecord("mul8u_L41", zeros)])
    reseal(path, lambda file: file.move("mul8u_L41", "mul8u_L40"))
    with pytest.raises(
        TableError, match=r"'mul8u_L40' is altered: the products are not those of the published"
    ):
        read_table(path, "mul8u_L40")


def test_published_products_are_those_of_the_multipliers() -> None:
    published = published_sha256()
    circuits = [m for m in map(get, list_multipliers()) if isinstance(m, Multiplier) and m.published]
    assert len(circuits) >= 16
    assert {m.name: m.table.sha256 for m in circuits}.items() <= published.items()


def test_published_products_are_those_of_the_published_tables(shared: Path) -> None:
    found = {}
    for file in ("tables", "tables_more", "tables_signed"):
        with np.load(shared / "evoapprox8b" / f"{file}.npz") as tables:
            for name in tables.files:
                little = tables[name].astype(tables[name].dtype.newbyteorder("<"))
                found[name] = hashlib.sha256(little.tobytes()).hexdigest()
    assert found == published_sha256()

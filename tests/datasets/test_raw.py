"""Bytes of data set files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from tiny_files import archive

from axsim.datasets.raw import gunzip, members, read_file, sources
from axsim.errors import DatasetError

PATH = Path("images.gz")


def test_gunzip() -> None:
    data = bytes(range(256)) * 100
    packed = gzip.compress(data)
    assert gunzip(packed, PATH, most=len(data)) == data
    for cut in (0, 5, 30, len(packed) - 9):
        with pytest.raises(DatasetError, match=r"images\.gz is truncated"):
            gunzip(packed[:cut], PATH)
    with pytest.raises(DatasetError, match=r"images\.gz is no intact gzip file"):
        gunzip(b"something else", PATH)
    damaged = bytearray(packed)
    damaged[-6] ^= 1  # the checksum
    with pytest.raises(DatasetError, match="no intact gzip file"):
        gunzip(bytes(damaged), PATH)


def test_a_small_file_that_unpacks_to_a_large_one() -> None:
    with pytest.raises(DatasetError, match="unpacks to more than 1000 bytes"):
        gunzip(gzip.compress(bytes(1001)), PATH, most=1000)


def test_members_of_an_archive() -> None:
    data = gzip.decompress(archive({"a": b"1", "b": b"22", "../c": b"3"}, "folder"))
    assert members(data, ("b", "a"), PATH) == {"a": b"1", "b": b"22"}
    with pytest.raises(DatasetError, match="has no member d"):
        members(data, ("a", "d"), PATH)
    for bad in (data[:700], b"", b"x" * 2000):
        with pytest.raises(DatasetError, match=r"no intact tar archive|has no member"):
            members(bad, ("b",), PATH)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="none cannot be read: No such file"):
        read_file(tmp_path / "none")
    with pytest.raises(DatasetError, match="cannot be read: Is a directory"):
        read_file(tmp_path)


def test_sources_have_digests_and_classes() -> None:
    for name, source in sources().items():
        assert len(source["classes"]) == 10, name
        assert all(url.endswith("/") for url in source["urls"])
        for digests in source["files"].values():
            assert all(len(digest) == 32 and int(digest, 16) for digest in digests.values())

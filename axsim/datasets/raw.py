"""Bytes of data set files: plain, gzipped, and members of archives; bounded, and with their digests."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zlib
from functools import cache
from pathlib import Path
from typing import Any

from axsim.errors import DatasetError
from axsim.files import read_regular

_MOST = 1 << 30  # bytes of any file here, unpacked or not; the largest known has 186 MB


@cache
def sources() -> dict[str, Any]:
    """Where the data sets come from: addresses, MD5 digests of the published files, names of classes.

    The digests are those that the sets' own pages and torchvision state.
    """
    text = Path(__file__).with_name("sources.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def md5(data: bytes) -> str:
    """The digest by which these sets were published; it names a file, and protects from no one."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def read_file(path: Path) -> bytes:
    """The bytes of a file, or DatasetError."""
    try:
        return read_regular(path, _MOST)
    except OSError as problem:
        raise DatasetError(f"{path} cannot be read: {problem.strerror}") from problem


def gunzip(data: bytes, path: Path, most: int = _MOST) -> bytes:
    """What a gzip file of one member holds.

    DatasetError where it is damaged, truncated, or would unpack to more than ``most`` bytes.

    >>> import gzip
    >>> gunzip(gzip.compress(b"abc"), Path("f.gz"))
    b'abc'
    """
    unpack = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpack.decompress(data, most)
    except zlib.error as problem:
        raise DatasetError(f"{path} is no intact gzip file: {problem}; get it again") from problem
    if unpack.unconsumed_tail:
        raise DatasetError(f"{path} unpacks to more than {most} bytes; it is none of the published files")
    if not unpack.eof:
        raise DatasetError(f"{path} is truncated: it ends within its packed data; get it again")
    return unpacked


def members(data: bytes, names: tuple[str, ...], path: Path) -> dict[str, bytes]:
    """Members of a tar archive, unpacked already, by the last part of their names; nothing goes to the disk.

    DatasetError where one is missing or the archive is damaged.
    """
    found = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                name = member.name.rsplit("/", 1)[-1]
                if name in names and member.isfile() and (file := archive.extractfile(member)):
                    found[name] = file.read()
    except tarfile.TarError as problem:
        raise DatasetError(f"{path} is no intact tar archive: {problem}; get it again") from problem
    if missing := [name for name in names if name not in found]:
        raise DatasetError(f"{path} has no member {missing[0]}: it is truncated or another archive")
    return found

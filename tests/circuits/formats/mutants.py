"""Damaged files: a text with a few random changes of the kinds that editors, networks and people make."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator

_TOKEN = re.compile(rb"\w+|\s+|[^\w\s]")
_NUMBERS = (
    b"0",
    b"1",
    b"2",
    b"-1",
    b"7",
    b"8",
    b"31",
    b"32",
    b"64",
    b"255",
    b"256",
    b"65536",
    b"4294967296",
    b"9" * 30,
)


def mutants(seeds: list[bytes], count: int, seed: int = 0) -> Iterator[bytes]:
    """``count`` damaged copies of the seeds, the same ones each time."""
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        data = rng.choice(seeds)
        for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
            data = rng.choice(_CHANGES)(rng, data)
        yield data


def _span(rng: random.Random, data: bytes, longest: int = 40) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.randrange(1, longest))


def _delete(rng: random.Random, data: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + data[end:]


def _repeat(rng: random.Random, data: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:end] + data[start:end] * rng.choice((1, 1, 2, 20)) + data[end:]


def _move(rng: random.Random, data: bytes) -> bytes:
    start, end = _span(rng, data)
    rest = data[:start] + data[end:]
    at = rng.randrange(len(rest) + 1)
    return rest[:at] + data[start:end] + rest[at:]


def _byte(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + bytes([rng.randrange(256)]) + data[at + rng.randrange(2) :]


def _cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _token(rng: random.Random, data: bytes, choose: Callable[[list[bytes]], bytes]) -> bytes:
    tokens = _TOKEN.findall(data)
    if not tokens:
        return data
    tokens[rng.randrange(len(tokens))] = choose(tokens)
    return b"".join(tokens)


def _other_token(rng: random.Random, data: bytes) -> bytes:
    return _token(rng, data, rng.choice)


def _number(rng: random.Random, data: bytes) -> bytes:
    places = [found.span() for found in re.finditer(rb"\d+", data)]
    if not places:
        return data
    start, end = rng.choice(places)
    return data[:start] + rng.choice(_NUMBERS) + data[end:]


_CHANGES = (_delete, _repeat, _move, _byte, _cut, _other_token, _other_token, _number, _number)

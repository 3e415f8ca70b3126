"""Damaged files are refused with an error of ours, or read for what they say; nothing else happens.

What still reads is compared with a second, plain evaluator of the format, where one is short. The number of
damaged files a format is 2,000, or what the environment variable AXSIM_MUTANTS says.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from c_styles import arrays, dirty_words, helpers, masked_bits
from gcc_programs import Compiled
from mutants import mutants

from axsim.circuits import Netlist, baugh_wooley, exact, truncated
from axsim.circuits.formats import aiger, c, cgp
from axsim.circuits.formats.detect import FORMATS, detect
from axsim.circuits.formats.options import ReadOptions
from axsim.errors import NetlistFileError
from axsim.multipliers import get
from axsim.tables import ProductTable
from axsim.tables.formats import array_files, c_header, text

COUNT = int(os.environ.get("AXSIM_MUTANTS", "2000"))

LOOPS = b"""#include <stdint.h>
#define W 4
static int bit(int x, int k) { return (x >> k) & 1; }
uint16_t mul4u_loops(uint8_t a, uint8_t b) {
  uint16_t r = 0; int w[W] = {0, 0, 0, 0};
  for (int i = 0; i < W; i++) w[i] = bit(b, i);
  for (int i = 0; i < W; ++i) { if (w[i] == 1) r += (a & 15) << i; else continue; }
  int k = 0; while (a >> k > 1) k++;
  return r + (k > 6 ? 1 : 0);
}
"""
SMALL = [exact(2), truncated(3, 2), baugh_wooley(2)]

SEEDS: dict[str, tuple[Callable[..., Netlist | ProductTable], list[bytes]]] = {
    "c": (
        c.read,
        [
            *(
                style(netlist).encode()
                for style in (masked_bits, dirty_words, arrays, helpers)
                for netlist in SMALL[:2]
            ),
            *(c.write(netlist).encode() for netlist in SMALL),
            *[LOOPS] * 6,
        ],
    ),
    "cgp": (cgp.read, [cgp.write(netlist).encode() for netlist in SMALL]),
    "aag": (aiger.read, [aiger.write(netlist).encode() for netlist in SMALL]),
    "aig": (aiger.read, [aiger.write_binary(netlist) for netlist in SMALL]),
    "text": (
        text.read,
        [
            b"A table\na b p\n0 0 0\n0 1 0\n1 0 0\n1 1 1\n",
            text.write(get("exact2").table).encode(),
            text.write(get("exact2s").table).encode(),
        ],
    ),
    "c header": (c_header.read, [c_header.write(get(name).table).encode() for name in ("exact2", "exact2s")]),
    "npy": (array_files.read_npy, [array_files.write_npy(get(name).table) for name in ("exact2", "exact2s")]),
    "bin": (array_files.read_bin, [array_files.write_bin(get(name).table) for name in ("exact2", "exact2s")]),
}


@cache
def outcomes(name: str) -> list[tuple[bytes, Netlist | ProductTable | NetlistFileError]]:
    """Damaged files of a format, and what became of each."""
    read, seeds = SEEDS[name]
    found: list[tuple[bytes, Netlist | ProductTable | NetlistFileError]] = []
    for data in mutants(seeds, COUNT):
        try:
            found.append((data, read(data, ReadOptions(path=Path("mutant")))))
        except NetlistFileError as problem:
            found.append((data, problem))
    return found


@pytest.mark.parametrize("name", SEEDS)
def test_damaged_files_are_read_or_refused(name: str) -> None:
    refused = [found for _, found in outcomes(name) if isinstance(found, NetlistFileError)]
    assert all(str(problem).startswith("mutant") for problem in refused)
    assert all(isinstance(found, Netlist | ProductTable | NetlistFileError) for _, found in outcomes(name))
    assert 0 < len(refused) < len(outcomes(name)) == COUNT


def test_detection_never_fails_otherwise() -> None:
    seeds = [seed for _, seeds in SEEDS.values() for seed in seeds]
    refused = 0
    for data in mutants(seeds, COUNT, seed=1):
        try:
            assert detect(data, "mutant") in FORMATS
        except NetlistFileError as problem:
            refused += str(problem).startswith("mutant")
    assert refused > 0


# -- second evaluators


def plain_cgp(content: str, a_bits: int) -> list[int]:
    """Products of all operands of a string whose inputs start at 2: one gate at a time, one bit at a time."""
    content = re.sub(r"#[^\n]*", "", content)
    inputs = int(re.search(r"\d+", content)[0])
    head, _, tail = content.partition("}")
    del head
    nodes = [[int(n) for n in re.findall(r"\d+", node)] for node in re.findall(r"\(\s*\[[^)]*\)", tail)]
    outputs = [int(n) for n in re.findall(r"\d+", tail[tail.rindex("(") :])]
    offset = 0 if nodes and nodes[0][0] == inputs else 2
    products = []
    for row in range(1 << inputs):
        a, b = row >> (inputs - a_bits), row & ((1 << (inputs - a_bits)) - 1)
        nets = {0: 0, 1: 1} if offset else {}
        for k in range(inputs):
            nets[offset + k] = (a >> k if k < a_bits else b >> (k - a_bits)) & 1
        for number, x, y, function in nodes:
            x, y = nets[x], nets[y]
            nets[number] = [x, 1 - x, x & y, x | y, x ^ y, 1 - (x & y), 1 - (x | y), 1 - (x ^ y), 1, 0][
                function
            ]
        products.append(sum(nets[net] << k for k, net in enumerate(outputs)))
    return products


def test_damaged_cgp_strings_mean_what_a_plain_evaluator_says() -> None:
    compared = 0
    for data in mutants(SEEDS["cgp"][1], COUNT, seed=2):
        try:
            netlist = cgp.read(data)
        except NetlistFileError:
            continue
        compared += 1
        assert netlist.exhaustive().reshape(-1).tolist() == plain_cgp(data.decode("latin-1"), netlist.a_bits)
    assert compared > COUNT // 50


def plain_aag(content: str, row: dict[int, int]) -> list[int]:
    """Outputs of an ASCII graph for values of its inputs, by place."""
    lines = content.split("\n")
    _, _, n_inputs, _, n_outputs, n_ands = lines[0].split(" ")
    first, second = int(n_inputs) + 1, int(n_inputs) + 1 + int(n_outputs)
    inputs = {int(line): row[k] for k, line in enumerate(lines[1:first])}
    ands = {
        int(w[0]): (int(w[1]), int(w[2]))
        for w in (line.split(" ") for line in lines[second : second + int(n_ands)])
    }

    def value(literal: int) -> int:
        if literal & 1:
            return 1 - value(literal - 1)
        if literal == 0 or literal in inputs:
            return inputs.get(literal, 0)
        return value(ands[literal][0]) & value(ands[literal][1])

    return [value(int(line)) for line in lines[first:second]]


def test_damaged_graphs_mean_what_a_plain_evaluator_says() -> None:
    compared = 0
    for data in mutants(SEEDS["aag"][1], COUNT, seed=3):
        content = data.decode("latin-1")
        try:
            netlist = aiger.read(data)
        except NetlistFileError:
            continue
        names = dict(re.findall(r"^([io]\d+) (\w+)\[\d+\]$", content, re.MULTILINE))
        places = re.findall(r"^i(\d+) (\w)\[(\d)\]$", content, re.MULTILINE)
        if len(places) != sum(netlist.inputs.values()) or b"\r" in data or not names:
            continue
        outs = re.findall(r"^o(\d+) (\w+)\[(\d+)\]$", content.partition("\nc\n")[0], re.MULTILINE)
        if len(outs) != sum(map(len, netlist.outputs.values())) or len({int(k) for k, *_ in places}) != len(
            places
        ):
            continue
        buses = [(bus, int(bit)) for _, bus, bit in (*places, *outs)]
        if any((bus, bit - 1) not in buses for bus, bit in buses if bit):
            continue  # buses that start at 1
        if {bus for _, bus, _ in places} & {bus for _, bus, _ in outs}:
            continue  # an output bus of an input's name gets another
        compared += 1
        rng = np.random.default_rng(compared)
        operands = {name: int(rng.integers(0, 1 << width)) for name, width in netlist.inputs.items()}
        row = {int(k): operands[bus] >> int(bit) & 1 for k, bus, bit in places}
        found = netlist.simulate(**{name: np.array([value]) for name, value in operands.items()})
        bits = plain_aag(content, row)
        for k, bus, bit in outs:
            assert int(found[bus][0]) >> int(bit) & 1 == bits[int(k)]
    assert compared > COUNT // 50


def test_damaged_c_means_what_gcc_says(tmp_path: Path) -> None:
    """Every tenth that reads, up to 40: gcc takes longer than reading does."""
    compared = 0
    for data, netlist in outcomes("c"):
        if isinstance(netlist, NetlistFileError):
            continue
        compared += 1
        if compared % 10 or compared > max(400, COUNT // 5) or max(netlist.a_bits, netlist.b_bits) > 8:
            continue
        content = data.decode("latin-1")
        folder = tmp_path / str(compared)
        folder.mkdir()
        # Plain ints hold all operands, whatever the parameters are; missing headers are ours to add.
        calls = {netlist.name: ("long", "long")}
        try:
            compiled = Compiled("#include <stdint.h>\n" + content, folder, calls)
        except AssertionError:
            continue  # gcc knows rules that do not matter here, such as that names differ from its own
        values = [
            np.arange(-(1 << (w - 1)) if netlist.signed else 0, 1 << (w - netlist.signed))
            for w in netlist.inputs.values()
        ]
        x, y = np.meshgrid(*values, indexing="ij")
        mask = (1 << netlist.out_bits) - 1
        np.testing.assert_array_equal(
            compiled(netlist.name, x, y) & mask, netlist(x, y) & mask, err_msg=content
        )
    assert compared > COUNT // 50

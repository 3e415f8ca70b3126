"""Names: aliases, families and their ranges, registration, and what is said about unknown ones."""

from __future__ import annotations

import multiprocessing
import re
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from axsim import circuits
from axsim.errors import UnknownMultiplierError
from axsim.multipliers import get, list_multipliers, register, registry
from axsim.multipliers.families import FAMILIES, Family
from axsim.multipliers.floating import float_names
from axsim.tables import ProductTable


@pytest.fixture(autouse=True)
def _empty_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})


@pytest.mark.parametrize("alias", ["L40", "l40", "mul8u_L40", "MUL8U_L40", "Mul8u_l40"])
def test_names_of_a_circuit(alias: str) -> None:
    assert get(alias) is get("mul8u_L40")
    assert get(alias).name == "mul8u_L40"


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("exact", "exact8"),
        ("EXACT8", "exact8"),
        ("exact8x8", "exact8"),
        ("exact4X4", "exact4"),
        ("Bam8_H2_V4", "bam8_h2_v4"),
    ],
)
def test_names_of_family_members(alias: str, name: str) -> None:
    assert get(alias) is get(name)
    assert get(alias).name == name


def test_a_multiplier_is_returned_as_it_is() -> None:
    mine = get("L40")
    assert get(mine) is mine


def test_all_that_is_listed_can_be_had() -> None:
    names = list_multipliers()
    assert len(set(names)) == len(names) == 74 + len(float_names())
    assert [get(name).name for name in names] == list(names)
    assert set(float_names()) <= set(names)
    assert sum(bool(getattr(get(name), "published", None)) for name in names) == 53


# Every member of a family with at most this many bits is compared with a formula of its own.
WIDTHS = {1, 2, 3, 4, 5, 8}


def grid(n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    return np.meshgrid(np.arange(2**n), np.arange(2**m), indexing="ij")


def dots(n: int, keep: np.ndarray) -> np.ndarray:
    """Sum of the kept partial products of an n x n array; ``keep[i, j]`` for bit i of a and bit j of b."""
    bits = np.arange(2**n)[:, None] >> np.arange(n) & 1
    weights = keep * 2.0 ** np.add.outer(np.arange(n), np.arange(n))
    return np.einsum("ai,ij,bj->ab", bits, weights, bits).astype(int)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (8, 8), (8, 4), (4, 8), (1, 15), (15, 1), (7, 7), (12, 4)])
def test_exact_of_every_shape(n: int, m: int) -> None:
    a, b = grid(n, m)
    np.testing.assert_array_equal(get(f"exact{n}x{m}").table.values, a * b)


@pytest.mark.parametrize("n", range(1, 9))
def test_exact_signed(n: int) -> None:
    multiplier = get(f"exact{n}s")
    assert multiplier.signed
    assert not multiplier.error_table.any()


@pytest.mark.parametrize(("n", "k"), [(n, k) for n in (1, 2, 4, 8) for k in range(2 * n)])
def test_truncated(n: int, k: int) -> None:
    weight = np.add.outer(np.arange(n), np.arange(n))
    np.testing.assert_array_equal(get(f"trunc{n}_{k}").table.values, dots(n, weight >= k))


@pytest.mark.parametrize(
    ("n", "h", "v"), [(4, h, v) for h in range(5) for v in range(8)] + [(8, 2, 4), (8, 3, 7)]
)
def test_broken_array_rows_are_bits_of_the_left_operand(n: int, h: int, v: int) -> None:
    row, column = np.indices((n, n))
    kept = (row >= h) & (row + column >= v)
    np.testing.assert_array_equal(get(f"bam{n}_h{h}_v{v}").table.values, dots(n, kept))


@pytest.mark.parametrize(("n", "k"), [(8, k) for k in range(2, 9)] + [(5, 3), (1, 1)])
def test_drum(n: int, k: int) -> None:
    def reduce(x: int) -> int:
        cut = max(x.bit_length() - k, 0)
        return (x >> cut | 1) << cut if cut else x

    reduced = np.array([reduce(x) for x in range(2**n)])
    np.testing.assert_array_equal(get(f"drum{n}_{k}").table.values, np.multiply.outer(reduced, reduced))


def test_mitchell() -> None:
    table = get("mitchell8").table
    assert table.error.max() == 0
    # The greatest relative error is 1/9, where both fractions are 1/2 (Mitchell 1962).
    assert get("mitchell8").metrics().wcre_percent == pytest.approx(100 / 9)
    assert table.values[3, 3] == 8
    powers = 2 ** np.arange(8)
    assert not table.error[powers].any()


@pytest.mark.parametrize("n", [2, 4, 6, 8])
def test_kulkarni(n: int) -> None:
    a, b = grid(n, n)
    threes = sum(
        ((a >> i & 3) == 3) * ((b >> j & 3) == 3) * 2 * 4 ** ((i + j) // 2)
        for i in range(0, n, 2)
        for j in range(0, n, 2)
    )
    np.testing.assert_array_equal(get(f"kulkarni{n}").table.values, a * b - threes)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.template)
def test_ranges_are_those_of_the_circuits(family: Family) -> None:
    """The circuit can be made at both ends of each range, and none one beyond it, widths apart."""

    def makes(values: dict[str, int]) -> bool:
        try:
            circuit = family.make(*values.values())
            n = values["n"]
            if n + values.get("m", n) <= 16:
                ProductTable.from_function(circuit, n, values.get("m", n), signed=family.signed)
        except ValueError:
            return False
        return True

    for n in {family.ranges["n"](0)[0], 4, family.ranges["n"](0)[-1]}:
        first = {key: allowed(n)[0] for key, allowed in family.ranges.items()} | {"n": n}
        assert makes(first)
        for key, allowed in family.ranges.items():
            if key != "n":
                assert makes(first | {key: allowed(n)[-1]})
                assert key == "m" or not makes(first | {key: allowed(n)[-1] + 1})
                assert not makes(first | {key: allowed(n)[0] - 1})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("trunc8_99", "trunc8_99: k is 99, expected 0 to 15"),
        ("trunc17_3", "trunc17_3: n is 17, expected 1 to 16"),
        ("TRUNC4_8", "trunc4_8: k is 8, expected 0 to 7"),
        ("bam8_h9_v4", "h is 9, expected 0 to 8"),
        ("bam8_h2_v16", "v is 16, expected 0 to 15"),
        ("drum8_1", "k is 1, expected 2 to 8"),
        ("drum8_9", "k is 9, expected 2 to 8"),
        ("mitchell0", "n is 0, expected 1 to 8"),
        ("kulkarni7", "n is 7, expected 2, 4, 6, 8, 10, 12, 14, 16"),
        ("drum9_4", "n is 9, expected 1 to 8"),
        ("exact17", "n is 17, expected 1 to 16"),
        ("exact17s", "n is 17, expected 1 to 16"),
        ("exact9x17", "m is 17, expected 1 to 16"),
        ("exact17x1", "n is 17, expected 1 to 16"),
        (
            "tiled12[L40]",
            "tiled12[L40]: the width is 12, expected a multiple, up to 32, of the widths of mul8u_L40",
        ),
        ("tiled16[no_such]", "no multiplier is called 'no_such'"),
    ],
)
def test_parameters_out_of_range(name: str, message: str) -> None:
    with pytest.raises(UnknownMultiplierError, match=re.escape(message)):
        get(name)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("L4O", "L40"),
        ("mul8u_L41", "mul8u_L40"),
        ("mul8s_L40", "mul8u_L40"),
        ("drm8_4", "drum8_4"),
        ("mitchel8", "mitchell8"),
        ("exakt8", "exact8"),
        ("trunc8", "trunc8_"),
    ],
)
def test_unknown_names_suggest_near_ones(name: str, suggestion: str) -> None:
    with pytest.raises(UnknownMultiplierError, match=rf"{name}'; did you mean .*{suggestion}"):
        get(name)


@pytest.mark.parametrize(
    "name", ["", "zzzzzz", " ", "trunc08_3", "trunc8_٣", "exact8\n", "trunc8_-1", "exact8x4s"]
)
def test_unknown_names(name: str) -> None:
    with pytest.raises(UnknownMultiplierError, match=re.escape(f"no multiplier is called {name!r}")):
        get(name)


def test_name_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "L40.v"
    with pytest.raises(UnknownMultiplierError, match="no multiplier"):
        get("x" * 5000 + ".v")
    file.write_text("")
    with pytest.raises(UnknownMultiplierError, match=re.escape(f"axsim.read({str(file)!r})")):
        get(str(file))


@pytest.mark.parametrize("name", [None, 8, b"L40", np.zeros((2, 2))])
def test_what_is_no_name(name: object) -> None:
    with pytest.raises(TypeError, match="expected the name of a multiplier"):
        get(name)  # type: ignore[arg-type]


def test_register_each_kind_of_product() -> None:
    values = np.multiply.outer(np.arange(16), np.arange(8)) & ~1
    table = ProductTable.from_array(values)
    netlist = circuits.truncated(4, 2)
    assert register("array", values).table == table
    assert register("table", table).table is table
    assert register("function", lambda a, b: a * b & ~1, a_bits=4, b_bits=3).table == table
    assert register("gates", netlist).netlist is netlist
    assert get("gates").table == get("trunc4_2").table
    assert get("array").netlist is None
    assert get("ARRAY") is get("array")
    assert get("array")(15, 7) == 104
    assert (get("array").a_bits, get("array").b_bits) == (4, 3)
    assert list_multipliers()[-4:] == ("array", "table", "function", "gates")


def test_a_function_has_8_bits_unless_told() -> None:
    mine = register("mine", lambda a, b: a * b)
    assert (mine.a_bits, mine.b_bits, mine.signed) == (8, 8, False)


def test_register_signed_products() -> None:
    pattern = np.array([0, 1, 2, 3, -4, -3, -2, -1])
    register("array", np.multiply.outer(pattern, pattern), signed=True)
    register("function", lambda a, b: a * b, a_bits=3, b_bits=3, signed=True)
    register("gates", circuits.baugh_wooley(3))
    for name in ("array", "function", "gates"):
        assert get(name).signed
        assert get(name)(-4, -4) == 16
        assert get(name)(-4, 3) == -12


@pytest.mark.parametrize(
    "name", ["L40", "mul8u_l40", "exact", "exact8x8", "Trunc8_3", "drum5_3", "mine", "MINE"]
)
def test_a_taken_name_is_refused(name: str) -> None:
    register("Mine", lambda a, b: a * b)
    before = list_multipliers()
    with pytest.raises(ValueError, match=f"the name '{name}' is taken by Multiplier.*overwrite=True"):
        register(name, lambda a, b: a + b)
    assert list_multipliers() == before
    assert get(name)(0, 1) == 0


def test_overwrite_replaces_it_under_all_names() -> None:
    register("mine", lambda a, b: a + b)
    register("MINE", lambda a, b: a * b + 1, overwrite=True)
    assert get("mine")(2, 3) == 7
    register("L40", lambda a, b: a + b, overwrite=True)
    assert get("mul8u_L40") is get("l40")
    assert get("mul8u_L40")(2, 3) == 5
    assert get("L40").published is None
    assert list_multipliers().count("L40") == 1
    assert "mul8u_L40" not in list_multipliers()


def test_a_failed_registration_changes_nothing() -> None:
    before = list_multipliers()
    with pytest.raises(TypeError, match="float64"):
        register("mine", lambda a, b: a * b / 2)
    assert list_multipliers() == before
    with pytest.raises(UnknownMultiplierError):
        get("mine")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "float32[L40]", "ä", "-a", "a\n"])
def test_malformed_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"name is {name!r}")):
        register(name, lambda a, b: a * b)


@pytest.mark.parametrize(("option", "value"), [("a_bits", 8), ("b_bits", 8), ("signed", True)])
def test_options_that_contradict_the_product_are_refused(option: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{option} is {value}, but"):
        register("mine", circuits.exact(4), **{option: value})


@pytest.mark.parametrize("product", [[[0, 0], [0, 1]], "L40", 3, None])
def test_other_things_cannot_be_registered(product: object) -> None:
    with pytest.raises(TypeError, match="expected a ProductTable"):
        register("mine", product)  # type: ignore[arg-type]


def test_threads_register_and_look_up_at_once() -> None:
    def use(k: int) -> int:
        register(f"thread{k}", lambda a, b: a * b + k, a_bits=2, b_bits=2)
        list_multipliers()
        return int(get(f"thread{k}")(3, 3))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(use, range(100))) == [9 + k for k in range(100)]

    def claim(_: int) -> bool:
        try:
            register("only_one", lambda a, b: a * b)
        except ValueError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, range(16))) == 1
        assert len(set(map(id, pool.map(get, ["bam7_h1_v1"] * 32)))) == 1


def lookup(name: str) -> str:
    """What a worker process says to a name."""
    try:
        return get(name).name
    except UnknownMultiplierError as error:
        return str(error)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_worker_processes_know_multipliers_but_not_names(method: str) -> None:
    mine = register("parents_own", lambda a, b: a * b & ~1)
    with ProcessPoolExecutor(1, multiprocessing.get_context(method)) as pool:
        said = pool.submit(lookup, "parents_own").result()
        assert "This is a worker process" in said
        assert "hand it the multiplier itself" in said
        assert pool.submit(lookup, "L40").result() == "mul8u_L40"
        assert pool.submit(mine, 3, 5).result() == 14
    assert "worker" not in lookup("no_such_name")


def test_a_function_of_two_numbers_is_called_for_each_pair() -> None:
    scalar = register("scalar", lambda a, b: 0 if a == 0 else a * b + (b > 7), a_bits=3, b_bits=4)
    vector = register("vector", lambda a, b: np.where(a == 0, 0, a * b + (b > 7)), a_bits=3, b_bits=4)
    assert scalar.table == vector.table
    signed = register("least", lambda a, b: min(a, b), a_bits=3, b_bits=3, signed=True)
    assert signed(-4, 3) == -4
    with pytest.raises(TypeError, match="float64, expected integers"):
        register("halves", lambda a, b: a / 2 if a else 0)
    with pytest.raises(KeyError):  # the function's own error, not one about arrays
        register("wrong", lambda a, b: {}[int(a)])

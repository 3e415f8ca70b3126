"""The benchmark of whole networks times what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from torch import nn  # noqa: E402

from axsim import models  # noqa: E402
from benchmarks import networks, timing  # noqa: E402
from benchmarks.operations import FLOAT32  # noqa: E402

TINY = networks.Case(lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten()), (1, 5, 5), 162)


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_products_are_those_of_the_networks(name: str) -> None:
    case = networks.NETWORKS[name]
    assert models.cost(case.make(), case.shape)[1] == case.products


def test_the_large_resnet_is_torchvisions() -> None:
    network = networks.resnet18_224()
    assert sum(p.numel() for p in network.parameters()) == 11_689_512
    assert network.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 1000)


def test_large_networks_are_spared_if_it_is_to_be_quick() -> None:
    large, small = networks.NETWORKS["ResNet-18, 32 px"], networks.NETWORKS["LeNet-5"]
    assert networks.batches(large, quick=True) == (1,)
    assert networks.batches(large, quick=False) == networks.batches(small, quick=True) == (1, 32)
    assert "axfpm" in networks.multipliers(small, 32, quick=True)
    assert "axfpm" not in networks.multipliers(large, 1, quick=True)


def test_what_is_timed_goes_through_the_multipliers() -> None:
    calls = networks.passes(TINY, 2, ("mul8u_L40", "axfpm"))
    assert list(calls) == [FLOAT32, "mul8u_L40", "axfpm"]
    results: list[Any] = [call() for call in calls.values()]
    assert len({str(result.tolist()) for result in results}) == 3
    assert not any(result.requires_grad for result in results)


def test_a_network_that_does_not_use_its_multiplier_is_an_error() -> None:
    class Bypassing(nn.Sequential):
        def forward(self, x: Any) -> Any:
            return nn.functional.linear(x.flatten(1), self[0].weight)

    case = networks.Case(lambda: Bypassing(nn.Linear(25, 2)), (1, 5, 5), 50)
    with pytest.raises(ValueError, match="calibration never reached 0"):
        networks.passes(case, 2, ("mul8u_L40",))


def test_a_tiny_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "REST", 0)
    monkeypatch.setattr(timing, "BLOCK", 1e-5)
    monkeypatch.setattr(networks, "how", lambda quick: {"rounds": 3, "seconds": 0, "long": 0})
    monkeypatch.setattr(networks, "get_num_threads", lambda: 2)
    monkeypatch.setitem(networks.NETWORKS, "Tiny", TINY)
    done = CliRunner().invoke(networks.app, ["--quick", "--network", "Tiny", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    rows = json.loads((tmp_path / "networks.json").read_text())["rows"]
    assert {(r["batch"], r["threads"], r["what"]) for r in rows} == {
        (batch, threads, what)
        for batch in (1, 32)
        for threads in (1, 2)
        for what in (FLOAT32, *networks.INTEGER, *networks.FLOAT)
    }
    for r in rows:
        assert r["images_per_second"] == pytest.approx(r["batch"] / r["seconds"]["median"])
    assert (tmp_path / "networks.png").read_bytes().startswith(b"\x89PNG")
    again = ["--quick", "--network", "Tiny", "--batch", "3", "--out", str(tmp_path)]
    assert CliRunner().invoke(networks.app, again).exit_code == 0
    assert {r["batch"] for r in json.loads((tmp_path / "networks.json").read_text())["rows"]} == {3}
    assert CliRunner().invoke(networks.app, ["--network", "LeNet-6", "--out", str(tmp_path)]).exit_code == 2

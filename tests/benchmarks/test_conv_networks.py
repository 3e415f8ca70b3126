"""The benchmarks of convolutions and networks measure what they say."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import conv, network_layers, operations, timing
from benchmarks.layers import Layer
from benchmarks.operations import FLOAT32

TINY = (Layer("conv1", 1, 2, 6, 3), Layer("fc", 32, 3))


@pytest.fixture(autouse=True, params=[False, True], ids=["without torch", "with torch"])
def torch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(timing, "REST", 0)
    monkeypatch.setattr(timing, "BLOCK", 1e-5)
    monkeypatch.setattr(conv, "get_num_threads", lambda: 2)
    monkeypatch.setattr(network_layers, "get_num_threads", lambda: 2)
    if request.param:
        pytest.importorskip("torch")
    else:
        monkeypatch.setattr(operations, "torch_or_none", lambda: None)
    return bool(request.param)


def test_every_convolution_is_timed_once() -> None:
    chosen = conv.layers()
    assert len({(layer, 1) for layer in chosen}) == len(chosen) == 20
    assert (conv.HEADLINE, 4) in conv.settings(quick=True)
    assert {batch for _, batch in conv.settings(quick=False)} == {1, 4, 32}
    names = [layer.name for layer in chosen]
    assert [sum(n.startswith(network) for n in names) for network in ("ResNet", "AlexNet", "LeNet")] == [
        11,
        5,
        2,
    ]


def test_convolutions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], torch: bool
) -> None:
    pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")
    headline, depthwise = Layer("", 2, 3, 5, 3, padding=1), Layer("", 4, 4, 5, 3, groups=4)
    monkeypatch.setattr(conv, "HEADLINE", headline)
    monkeypatch.setattr(conv, "DEPTHWISE", depthwise)
    monkeypatch.setattr(conv, "layers", lambda: [headline, depthwise, TINY[0]])
    conv.main(quick=True, out=tmp_path)
    rows = json.loads((tmp_path / "conv.json").read_text())["rows"]
    operands = {(r["layer"], r["batch"], r["operands"]) for r in rows if r["what"] == "mul8u_JQQ"}
    assert operands == {
        ("3x3 2 to 3, 5x5", 4, "uint8"),
        ("3x3 2 to 3, 5x5", 4, "float32"),
        ("3x3 2 to 3, 5x5", 1, "uint8"),
        ("3x3 2 to 3, 5x5", 1, "float32"),
        ("3x3 depthwise 4 to 4, 5x5", 1, "uint8"),
        ("3x3 depthwise 4 to 4, 5x5", 1, "float32"),
        ("conv1: 3x3 1 to 2, 6x6", 1, "uint8"),
    }
    assert {r["what"] for r in rows} == {*conv.MULTIPLIERS, *([FLOAT32, "torch int8"] if torch else [])}
    assert {r["ratio_to_float32"] for r in rows if r["what"] == FLOAT32} == ({1.0} if torch else set())
    assert {r["threads"] for r in rows} == {1, 2}
    assert (tmp_path / "conv.png").read_bytes().startswith(b"\x89PNG")
    said = capsys.readouterr().out
    assert "quantised float32 takes" in said
    assert ("times the speed of torch float32" in said) == torch


def test_networks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], torch: bool
) -> None:
    pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")
    monkeypatch.setattr(network_layers, "NETWORKS", {"Tiny": TINY, "Other": TINY[1:], "Third": TINY[:1]})
    network_layers.main(quick=True, out=tmp_path)
    rows = json.loads((tmp_path / "network_layers.json").read_text())["rows"]
    assert {(r["network"], r["batch"], r["threads"]) for r in rows} == {
        (network, batch, threads)
        for network in ("Tiny", "Other", "Third")
        for batch in (1, 32)
        for threads in (1, 2)
    }
    assert {r["what"] for r in rows} == {*network_layers.MULTIPLIERS, *([FLOAT32] if torch else [])}
    for r in rows:
        assert len(r["layer_seconds"]) == len(r["layers"])
        assert r["images_per_second"] == pytest.approx(r["batch"] / r["seconds"]["median"])
        assert min(r["layer_seconds"]) > 0
    assert (tmp_path / "network_layers.png").read_bytes().startswith(b"\x89PNG")
    assert "images/s" in capsys.readouterr().out


def test_large_networks_are_run_with_one_image_if_it_is_to_be_quick() -> None:
    large = (Layer("fc", 10**4, 10**4),)
    assert network_layers.batches(large, quick=True) == (1,)
    assert network_layers.batches(large, quick=False) == network_layers.batches(TINY, quick=True) == (1, 32)


def test_the_first_pass_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 9.0, 9.0, 9.0, 10.0, 11.0, 11.0, 14.0])  # begin and end of two layers, twice
    monkeypatch.setattr(network_layers, "time", SimpleNamespace(perf_counter=lambda: next(times)))
    run = network_layers.Pass([lambda: None, lambda: None])
    run()
    run()
    assert run.medians() == [1.0, 3.0]

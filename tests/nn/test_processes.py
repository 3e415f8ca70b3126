"""Approximate models in other processes and threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import axsim
from axsim.nn import approximate


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))


def images(count: int = 4) -> Tensor:
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def scaled(x: Tensor, model: nn.Module, queue: Any) -> None:
    with torch.no_grad():
        queue.put(model(x).numpy())


@pytest.mark.parametrize("registered", [False, True])
def test_spawned_process(registered: bool) -> None:
    """A model goes there by pickle, and takes what was registered here along."""
    if registered:
        axsim.register("even", lambda a, b: a * b & ~1, overwrite=True)
    model = approximate(small(), "even" if registered else "L40", calibrate=[images()])
    context = mp.get_context("spawn")
    queue = context.SimpleQueue()
    process = context.Process(target=scaled, args=(images(), model, queue))
    process.start()
    found = queue.get()
    process.join()
    with torch.no_grad():
        assert np.array_equal(found, model(images()).numpy())


class Through(Dataset[Tensor]):
    """Images that a model has seen, as a data set that extracts features does."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def __len__(self) -> int:
        return 4

    def __getitem__(self, i: int) -> Tensor:
        with torch.no_grad():
            return self.model(images()[i : i + 1])[0]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_a_loader(method: str) -> None:
    model = approximate(small(), "L40", calibrate=[images()])
    with torch.no_grad():
        expected = model(images())  # the parent has prepared its weights
    loader = DataLoader(Through(model), batch_size=2, num_workers=2, multiprocessing_context=method)
    assert torch.equal(torch.cat(list(loader)), expected)


def test_threads_with_models_of_their_own_and_one_in_common() -> None:
    own = [approximate(small(), mult) for mult in ("L40", "axfpm")]
    common = approximate(small(), "KEM")
    with torch.no_grad():
        expected = [[m(images()) for m in (model, common)] for model in own]
    found: list[list[list[Tensor]]] = [[], []]

    def run(i: int) -> None:
        with torch.no_grad():
            for _ in range(20):
                common[0].weight.add_(0)  # another version: its weights are made ready again
                found[i].append([m(images()) for m in (own[i], common)])

    threads = [threading.Thread(target=run, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(2):
        assert len(found[i]) == 20
        for results in found[i]:
            assert all(torch.equal(a, b) for a, b in zip(results, expected[i], strict=True))


def step(rank: int, store: str, file: str) -> None:
    """One of two processes that train together: its half of the images."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    model = nn.parallel.DistributedDataParallel(approximate(small(), "L40", calibrate=[images()]))
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    model(images()[rank::2]).square().mean().backward()
    optimiser.step()
    if rank == 0:
        torch.save(model.module.state_dict(), file)
    dist.destroy_process_group()


@pytest.fixture
def _one_machine() -> Iterator[None]:
    """gloo finds no interface by itself where a machine's own name leads nowhere."""
    before = os.environ.get("GLOO_SOCKET_IFNAME")
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    yield
    if before is None:
        del os.environ["GLOO_SOCKET_IFNAME"]
    else:
        os.environ["GLOO_SOCKET_IFNAME"] = before


@pytest.mark.usefixtures("_one_machine")
@pytest.mark.skipif(not dist.is_available(), reason="this torch cannot train in several processes")
def test_two_processes_train_together(tmp_path: Path) -> None:
    mp.spawn(step, args=(str(tmp_path / "store"), str(tmp_path / "weights.pt")), nprocs=2)
    together = torch.load(tmp_path / "weights.pt", weights_only=True)
    model = approximate(small(), "L40", calibrate=[images()])
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    sum(model(images()[i::2]).square().mean() / 2 for i in range(2)).backward()
    optimiser.step()
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(together[name], weight)

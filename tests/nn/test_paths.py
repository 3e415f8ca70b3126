"""Where in a model a call is made."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks

from axsim.nn.paths import Place, followed


class Block(nn.Module):
    """Says where it is, before and after its layer."""

    def __init__(self, said: list[str], places: list[Place]) -> None:
        super().__init__()
        self.fc, self.said, self.places = nn.Linear(2, 2), said, places

    def forward(self, x: Tensor) -> Tensor:
        for place in self.places:
            self.said.append(place.name("f"))
        y: Tensor = self.fc(x)
        for place in self.places:
            self.said.extend((place.name("f"), place.name("g")))
        return y


def test_names_are_those_of_modules_and_numbers_those_of_a_call() -> None:
    place, said = Place(), list[str]()
    model = nn.Sequential(Block(said, [place]), Block(said, [place]))
    with followed(place):
        assert place.name("f") == ":f"
        model(torch.zeros(1, 2))
        assert said == ["0:f", "0:f#1", "0:g", "1:f", "1:f#1", "1:g"]
        said.clear()
        model[1](torch.zeros(1, 2))  # by itself, and known from before
        assert said == ["1:f", "1:f#1", "1:g"]
        assert place.name("f") == ":f#1"


def test_a_model_that_is_known_names_its_parts() -> None:
    said = list[str]()
    model = nn.Sequential(Block(said, []))
    place = Place(model)
    model[0].places = [place]
    with followed(place):
        model[0](torch.zeros(1, 2))
    assert said == ["0:f", "0:f#1", "0:g"]


def test_a_module_that_is_in_no_list() -> None:
    place, said = Place(), list[str]()

    class Maker(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = Block(said, [place])(x)
            return y

    with followed(place):
        nn.Sequential(Maker())(torch.zeros(1, 2))
    assert said == ["0.Block:f", "0.Block:f#1", "0.Block:g"]


def test_nothing_stays_behind() -> None:
    place, said = Place(), list[str]()
    model = nn.Sequential(Block(said, [place]))
    before = len(hooks._global_forward_pre_hooks), len(hooks._global_forward_hooks)
    with followed(place):
        with followed(Place()), pytest.raises(RuntimeError):
            model(torch.zeros(1, 3))
        model(torch.zeros(1, 2))
        assert said == ["0:f", "0:f", "0:f#1", "0:g"]
    assert (len(hooks._global_forward_pre_hooks), len(hooks._global_forward_hooks)) == before


def test_threads_do_not_see_each_other() -> None:
    place, said = Place(), list[str]()
    other, others = nn.Sequential(Block(said, [place])), list[str]()

    def run() -> None:
        own = Place()
        deep = nn.Sequential(nn.Sequential(Block(others, [own])))
        with followed(own):
            deep(torch.zeros(1, 2))

    with followed(place):
        thread = threading.Thread(target=lambda: (other(torch.zeros(1, 2)), run()))
        thread.start()
        thread.join()
    assert said == [":f", ":f#1", ":g"]  # where nobody follows, no module is at work
    assert others == ["0.0:f", "0.0:f#1", "0.0:g"]

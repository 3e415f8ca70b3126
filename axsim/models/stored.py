"""Trained weights: where they are, how they are read and written, and the record of how they were made.

``<model>-<dataset>.safetensors`` holds a state dictionary, and ``<model>-<dataset>.json`` beside it the
network's options, the settings and the accuracy of every epoch, and the SHA-256 of the weights, so that one
is never read with the other's record.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from axsim.errors import WeightsError
from axsim.files import cache_directory, read_regular, replace_file
from axsim.models.names import get, list_models

SHIPPED = Path(__file__).with_name("trained")

_MOST_BYTES = 1 << 31
_NAME = re.compile(r"[A-Za-z0-9_.]+")


def load(model: str, dataset: str, folder: str | Path | None = None) -> nn.Module:
    """A trained network, in eval mode: float32, on the CPU.

    Weights come from ``folder``, or else from those that axsim brings along (:func:`list_trained`), or else
    from where ``tools/train.py`` puts them, ``models`` in the user's cache folder.

    Args:
        model: one of :func:`list_models`.
        dataset: name of the data set that it was trained on, such as "mnist".
        folder: where to look instead. Default: the two places above.

    Raises:
        WeightsError: there are none, which the message lists the places for; or they are damaged, or do not
            belong to the record beside them.

    >>> load("lenet5", "mnist").linear1
    Linear(in_features=400, out_features=120, bias=True)
    """
    path = _find(model, dataset, folder)
    made = _read_record(path)
    network = get(model, **_options(made))
    _fill(network, _read_weights(path, made), path)
    return network.eval()


def record(model: str, dataset: str, folder: str | Path | None = None) -> dict[str, Any]:
    """How trained weights were made: options, settings, versions, machine, accuracy of every epoch.

    Args and raises as :func:`load`.

    >>> made = record("lenet5", "mnist")
    >>> made["dataset"]["name"], made["accuracy"] >= 0.985
    ('mnist', True)
    """
    return _read_record(_find(model, dataset, folder))


def list_trained(folder: str | Path | None = None) -> list[tuple[str, str]]:
    """Names of networks and data sets that :func:`load` finds weights for.

    Args:
        folder: where to look. Default: what axsim brings along, and ``models`` in the user's cache folder.

    >>> ("lenet5", "mnist") in list_trained()
    True
    """
    found = {
        tuple(path.stem.split("-", 1))
        for place in _places(folder)
        if place.is_dir()
        for path in place.glob("*-*.safetensors")
        if path.with_suffix(".json").is_file()
    }
    return sorted((model, dataset) for model, dataset in found)


def save(
    network: nn.Module,
    folder: str | Path,
    model: str,
    dataset: str,
    made: Mapping[str, Any],
    *,
    half: bool = False,
) -> Path:
    """Write weights and their record, so that :func:`load` finds them in ``folder``; return the weights'
    path.

    Args:
        network: what :func:`get` made for ``model`` and the options in ``made``, trained.
        folder: made if need be.
        model, dataset: names of both; letters, digits, ``_`` and ``.``.
        made: the record, without the weights' SHA-256; ``made["options"]`` are those of :func:`get`.
        half: write float16, half as much; weights come back as float32, rounded as by :func:`halved`.

    Raises:
        ValueError: a name with other characters, a record that JSON cannot hold, or numbers that float16 does
            not.
        OSError: the folder cannot be written.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> path = save(get("ffnn", size=8), folder, "ffnn", "digits", {"options": {"size": 8}})
    >>> path.name, load("ffnn", "digits", folder).linear1.in_features
    ('ffnn-digits.safetensors', 64)
    """
    from safetensors.torch import save as to_bytes

    path = Path(folder) / _file_name(model, dataset)
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    if half:
        state = _as_half(state)
    data = to_bytes(state)
    content = {"model": model, **made, "sha256": hashlib.sha256(data).hexdigest()}
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    replace_file(path, data)
    replace_file(path.with_suffix(".json"), text.encode())
    return path


def halved(network: nn.Module) -> nn.Module:
    """Round a network's weights, in place, to numbers that float16 has, and return it.

    Raises:
        ValueError: float16 has none near one of them.

    >>> network = nn.Linear(1, 1)
    >>> _ = nn.init.constant_(network.weight, 1.0001)
    >>> halved(network).weight.item(), network.weight.dtype
    (1.0, torch.float32)
    """
    network.load_state_dict(_as_half(network.state_dict()))
    return network


def _as_half(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    rounded = {name: v.half() if v.is_floating_point() else v for name, v in state.items()}
    if large := [name for name, v in rounded.items() if not torch.isfinite(v).all()]:
        raise ValueError(f"{large[0]} holds numbers beyond those of float16 (65504)")
    return rounded


def load_npz(network: nn.Module, path: str | Path) -> nn.Module:
    """Fill a network with the arrays of an ``.npz`` file, named as its state dictionary, and return it.

    For weights that came as NumPy arrays, such as those of the Defensive Approximation authors' LeNet-5
    (:func:`lenet5_da`) from your own folder.

    Raises:
        WeightsError: the file cannot be read, or its names or shapes are not the network's.

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/weights.npz"
    >>> np.savez(path, weight=np.float32([[1, 2]]), bias=np.float32([3]))
    >>> load_npz(nn.Linear(2, 1), path)(torch.ones(1, 2)).item()
    6.0
    """
    path = Path(path)
    try:
        data = read_regular(path, _MOST_BYTES)
    except OSError as problem:
        raise WeightsError(f"the weights {path} cannot be read: {problem.strerror}") from problem
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            state = {name: torch.from_numpy(np.array(arrays[name])) for name in arrays.files}
    except Exception as problem:  # zip's, NumPy's and zlib's own errors for damaged files
        raise WeightsError(f"{path} is no readable .npz file of numbers: {problem}") from problem
    _fill(network, state, path)
    return network


def _places(folder: str | Path | None) -> list[Path]:
    if folder is not None:
        return [Path(folder)]
    cache = cache_directory()
    return [SHIPPED] if cache is None else [SHIPPED, cache / "models"]


def _file_name(model: str, dataset: str) -> str:
    for name, value in (("model", model), ("dataset", dataset)):
        if not _NAME.fullmatch(value):
            raise ValueError(f"{name} is {value!r}; letters, digits, '_' and '.' were expected")
    return f"{model}-{dataset}.safetensors"


def _find(model: str, dataset: str, folder: str | Path | None) -> Path:
    name = _file_name(model, dataset)
    places = _places(folder)
    for place in places:
        if (place / name).is_file():
            return place / name
    trained = {f"{m} on {d}": (m, d) for m, d in list_trained(folder)}
    near = _near(model, dataset, list(trained.values()))
    known = model in list_models() and not near
    makes = f"; `python tools/train.py {model} {dataset}` makes them" if known else ""
    raise WeightsError(
        f"there are no trained weights of {model} on {dataset}"
        f"{': did you mean ' + ' or '.join(f'{m!r}, {d!r}' for m, d in near) + '?' if near else ':'} "
        f"{name} is not in {' or '.join(map(str, places))} (found: {', '.join(trained) or 'none'}){makes}"
    )


def _near(model: str, dataset: str, trained: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs of names that are nearly those, in either order."""
    joined = {f"{m} {d}".lower(): (m, d) for m, d in trained}
    both = f"{model} {dataset}".lower(), f"{dataset} {model}".lower()
    found = [joined[close] for text in both for close in get_close_matches(text, joined, n=2, cutoff=0.85)]
    return list(dict.fromkeys(found))


def _read_record(path: Path) -> dict[str, Any]:
    beside = path.with_suffix(".json")
    try:
        made = json.loads(read_regular(beside, 1 << 24))
    except OSError as problem:
        raise WeightsError(f"the record {beside} cannot be read: {problem.strerror}") from problem
    except ValueError as problem:
        raise WeightsError(f"the record {beside} is no JSON: {problem}") from problem
    if not isinstance(made, dict) or not isinstance(made.get("options", {}), dict) or "sha256" not in made:
        raise WeightsError(f"the record {beside} is none of weights: 'options' and 'sha256' were expected")
    return made


def _options(made: Mapping[str, Any]) -> dict[str, Any]:
    """Options as :func:`get` takes them: JSON has lists for tuples."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in made.get("options", {}).items()}


def _read_weights(path: Path, made: Mapping[str, Any]) -> dict[str, Any]:
    try:
        from safetensors.torch import load as from_bytes
    except ImportError as problem:
        raise ImportError("reading weights needs safetensors: pip install 'axsim[torch]'") from problem
    try:
        data = read_regular(path, _MOST_BYTES)
    except OSError as problem:
        raise WeightsError(f"the weights {path} cannot be read: {problem.strerror}") from problem
    if (found := hashlib.sha256(data).hexdigest()) != made["sha256"]:
        raise WeightsError(
            f"{path} has the SHA-256 {found[:12]}..., its record says {str(made['sha256'])[:12]}...: one of "
            "them is damaged or of another run; make both again"
        )
    return dict(from_bytes(data))


def _fill(network: nn.Module, state: Mapping[str, Any], path: Path) -> None:
    try:
        network.load_state_dict(state)
    except RuntimeError as problem:
        raise WeightsError(f"{path} holds weights of another network: {problem}") from problem

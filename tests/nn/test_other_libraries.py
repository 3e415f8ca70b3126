"""Models of other libraries, where these are installed: ONNX files, timm's and Hugging Face's models."""

from __future__ import annotations

import doctest
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import axsim.nn
from axsim import datasets, models

PAGE = Path(__file__).parents[2] / "docs" / "other-libraries.md"
BLOCKS = re.compile(r"^```pycon\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def library(name: str) -> Any:
    """The library, or the test is skipped: also where torchvision is of another build than torch."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pytest.importorskip(name, reason=f"{name} is not installed")
    except (RuntimeError, ImportError) as error:
        pytest.skip(f"{name} cannot be imported here: {error}")


def onnx_file(path: Path, network: nn.Module, nodes: Sequence[tuple[str, list[str], dict[str, Any]]]) -> None:
    """Write nodes, each taking the one before and these weights of the network."""
    onnx = library("onnx")
    made, last = [], "images"
    for number, (kind, weights, options) in enumerate(nodes):
        made.append(onnx.helper.make_node(kind, [last, *weights], [f"v{number}"], **options))
        last = f"v{number}"
    values = {name: onnx.numpy_helper.from_array(v.numpy(), name) for name, v in network.state_dict().items()}
    used = {name for _, weights, _ in nodes for name in weights}
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("images", ["n", 1, 8, 8]), (last, ["n", 10]))
    ]
    graph = onnx.helper.make_graph(
        made, "network", ends[:1], ends[1:], [values[name] for name in sorted(used)]
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)


LENET: list[tuple[str, list[str], dict[str, Any]]] = [
    ("Conv", ["conv1.weight", "conv1.bias"], {"pads": [1, 1, 1, 1]}),
    ("Relu", [], {}),
    ("MaxPool", [], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("Conv", ["conv2.weight", "conv2.bias"], {"pads": [1, 1, 1, 1]}),
    ("Relu", [], {}),
    ("MaxPool", [], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("Flatten", [], {}),
    ("Gemm", ["linear1.weight", "linear1.bias"], {"transB": 1}),
    ("Relu", [], {}),
    ("Gemm", ["linear2.weight", "linear2.bias"], {"transB": 1}),
]


@pytest.fixture
def lenet(tmp_path: Path) -> nn.Module:
    """A trained network, beside whose file the test runs."""
    network = models.load("lenet5", "digits")
    onnx_file(tmp_path / "lenet5.onnx", network, LENET)
    return network


@pytest.mark.parametrize("name", ["onnx2pytorch", "onnx2torch"])
def test_onnx_files(lenet: nn.Module, tmp_path: Path, name: str) -> None:
    """The same numbers as from the network that the file was made of."""
    converter = library(name)
    file = library("onnx").load(tmp_path / "lenet5.onnx")
    model = (converter.ConvertModel if name == "onnx2pytorch" else converter.convert)(file).eval()
    images, _ = datasets.load("digits").tensors("test")
    found, expected = (axsim.nn.approximate(m, "L40", calibrate=[images]) for m in (model, lenet))
    with torch.no_grad():
        assert torch.equal(model(images), lenet(images))
        assert torch.equal(found(images), expected(images))
        with axsim.nn.through("L40") as seen:
            model(images)
    assert [layer.multiplier for layer in axsim.nn.summary(found, images).layers] == ["mul8u_L40"] * 4
    assert [met.multiplier for met in seen.calls] == ["mul8u_L40"] * 4


def test_the_page(lenet: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its examples, which need other libraries, print what they show."""
    for name in ("onnx2pytorch", "timm", "transformers"):
        library(name)
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    said: list[str] = []
    for block in BLOCKS.findall(PAGE.read_text(encoding="utf-8")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            runner.run(doctest.DocTestParser().get_doctest(block, {}, PAGE.name, PAGE.name, 0), said.append)
    assert runner.tries >= 12
    assert not said, "\n".join(said)


def agree(model: nn.Module, exact: Tensor, x: dict[str, Tensor]) -> Sequence[Any]:
    """Products of 8 bits that are exact are near: both ways. What ``through`` met."""
    with torch.no_grad():
        approx = axsim.nn.approximate(model, "exact8", calibrate=[x])
        assert near(approx(**x)[0], exact)
        with axsim.nn.through("exact8") as seen:
            assert near(model(**x)[0], exact)
    assert not axsim.nn.summary(approx, x).idle
    assert not [met for met in seen.calls if met.why]
    return seen.calls


def near(found: Tensor, exact: Tensor) -> bool:
    return float(torch.corrcoef(torch.stack([found.flatten(), exact.flatten()]))[0, 1]) > 0.99


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("Bert", {}),
        ("Llama", {"num_key_value_heads": 2}),
        ("Mixtral", {"num_key_value_heads": 2, "num_local_experts": 4}),
        ("GPT2", {}),
    ],
)
def test_transformers(kind: str, options: dict[str, int]) -> None:
    transformers = library("transformers")
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=50,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        intermediate_size=48,
        **options,
    )
    model = getattr(transformers, f"{kind}Model")(config).eval()
    x = {"input_ids": torch.randint(0, 50, (2, 6))}
    if kind == "GPT2":  # its layers are no torch.nn's
        with pytest.raises(ValueError, match="without a layer to replace"):
            axsim.nn.approximate(model)
        return
    with torch.no_grad():
        calls = agree(model, model(**x)[0], x)
    assert ("grouped_mm" in {met.function for met in calls}) == (kind == "Mixtral")


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224"])
def test_timm(name: str) -> None:
    timm = library("timm")
    torch.manual_seed(0)
    options = {} if name == "resnet18" else {"img_size": 32, "depth": 2}
    model = timm.create_model(name, pretrained=False, num_classes=10, **options).eval()
    x = torch.rand(4, 3, 32, 32)

    class First(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: Tensor) -> tuple[Tensor]:
            return (self.model(x),)

    with torch.no_grad():
        agree(First().eval(), model(x), {"x": x})

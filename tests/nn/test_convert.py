"""``approximate``: which layers, what stays, what comes back, what is refused."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import axsim
from axsim.nn import Quantization, approximate, calibrate, calibration, load_calibration
from axsim.nn.layers import ApproxConv2d, Approximate, ApproxLinear


@pytest.fixture
def model() -> nn.Sequential:
    torch.manual_seed(0)
    features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=2))
    return nn.Sequential(features, nn.Flatten(), nn.Dropout(), nn.Linear(64, 5)).eval()


@pytest.fixture
def x() -> Tensor:
    return torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def multipliers(model: nn.Module) -> dict[str, str]:
    return {
        name: layer.arithmetic.multiplier.name
        for name, layer in model.named_modules()
        if isinstance(layer, Approximate)
    }


def test_all_layers_and_the_model_itself_untouched(model: nn.Module) -> None:
    approx = approximate(model, "L40")
    assert multipliers(approx) == dict.fromkeys(["0.0", "0.3", "3"], "mul8u_L40")
    assert multipliers(model) == {}
    assert type(model[0][0]) is nn.Conv2d
    assert isinstance(approx[0][0], nn.Conv2d)


def test_in_place(model: nn.Module) -> None:
    weight = model[3].weight
    assert approximate(model, "L40", inplace=True) is model
    assert model[3].weight is weight
    assert type(model[3]) is ApproxLinear


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (["0.*"], ["0.0", "0.3"]),
        ("3", ["3"]),
        (nn.Conv2d, ["0.0", "0.3"]),
        ([nn.Linear, "0.3"], ["0.3", "3"]),
        (lambda name, layer: layer.weight.numel() < 100, ["0.0", "0.3"]),
    ],
)
def test_some_layers(model: nn.Module, layers: Any, expected: list[str]) -> None:
    assert list(multipliers(approximate(model, "L40", layers=layers))) == expected


def test_multipliers_by_the_longest_pattern(model: nn.Module) -> None:
    patterns = {"*": "exact8", "0.*": "JV3", "0.3": None}
    approx = approximate(model, "L40", per_layer=patterns)
    assert multipliers(approx) == {"0.0": "mul8u_JV3", "3": "exact8"}
    assert multipliers(approximate(model, None, per_layer={"3": "KEM"})) == {"3": "mul8u_KEM"}


def test_quantisation_by_pattern(model: nn.Module) -> None:
    narrow = Quantization(w_bits=4)
    approx = approximate(model, "L40", quantize={"0.*": narrow})
    assert [layer.quantization.w_bits for layer in (approx[0][0], approx[0][3], approx[3])] == [4, 4, 8]


def test_converted_again(model: nn.Module, x: Tensor) -> None:
    narrow = Quantization(w_bits=6)
    approx = approximate(model, "L40", quantize=narrow, calibrate=[x])
    ranges = calibration(approx)
    assert sorted(ranges) == ["0.0", "0.3", "3"]
    again = approximate(approx, "KEM", layers=["0.*"])
    assert multipliers(again) == {"0.0": "mul8u_KEM", "0.3": "mul8u_KEM", "3": "mul8u_L40"}
    assert again[0][0].quantization == narrow
    assert {name: r.tolist() for name, r in calibration(again).items()} == {
        n: r.tolist() for n, r in ranges.items()
    }
    direct = approximate(model, "KEM", quantize=narrow, calibrate=[x])
    with torch.no_grad():
        assert torch.equal(approximate(approx, "KEM")(x), direct(x))


def test_back_to_exact(model: nn.Module, x: Tensor) -> None:
    back = approximate(approximate(model, "L40", calibrate=[x]), None)
    assert multipliers(back) == {}
    assert [type(m) for m in back.modules()] == [type(m) for m in model.modules()]
    assert set(back[3].__dict__) == set(model[3].__dict__)
    assert torch.equal(back(x), model(x))


def test_checkpoints_in_both_directions(model: nn.Module, x: Tensor) -> None:
    approx = approximate(model, "L40", calibrate=[x])
    assert list(approx.state_dict()) == list(model.state_dict())
    other = copy.deepcopy(model)
    for parameter in other.parameters():
        nn.init.normal_(parameter)
    approx.load_state_dict(other.state_dict(), strict=True)
    model.load_state_dict(approx.state_dict(), strict=True)
    with torch.no_grad():
        assert torch.equal(model(x), other(x))
        fresh = approximate(other, "L40")
        load_calibration(fresh, calibration(approx))
        assert torch.equal(approx(x), fresh(x))


def test_saved_with_weights_only(model: nn.Module, x: Tensor) -> None:
    approx = approximate(model, "L40", calibrate=[x])
    file = io.BytesIO()
    torch.save({"weights": approx.state_dict(), "ranges": calibration(approx)}, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    fresh = approximate(model, "L40")
    fresh.load_state_dict(loaded["weights"])
    load_calibration(fresh, loaded["ranges"])
    with torch.no_grad():
        assert torch.equal(fresh(x), approx(x))


def test_safetensors(model: nn.Module, x: Tensor, tmp_path: Any) -> None:
    files = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")
    approx = approximate(model, "L40", calibrate=[x])
    files.save_file(approx.state_dict(), tmp_path / "weights.safetensors")
    files.save_file(calibration(approx), tmp_path / "ranges.safetensors")
    fresh = approximate(model, "L40")
    files.load_model(fresh, tmp_path / "weights.safetensors")
    load_calibration(fresh, files.load_file(tmp_path / "ranges.safetensors"))
    with torch.no_grad():
        assert torch.equal(fresh(x), approx(x))


@pytest.mark.parametrize("mult", ["L40", "axfpm", "a table"])
def test_pickled_and_copied(model: nn.Module, x: Tensor, mult: str) -> None:
    if mult == "a table":
        axsim.register(mult.replace(" ", "_"), lambda a, b: a * b & ~3, overwrite=True)
        mult = "a_table"
    approx = approximate(model, mult, calibrate=[x])
    file = io.BytesIO()
    torch.save(approx, file)
    file.seek(0)
    with torch.no_grad():
        expected = approx(x)
        for other in (torch.load(file, weights_only=False), copy.deepcopy(approx)):
            assert torch.equal(other(x), expected)
            assert type(other[0][0]) is ApproxConv2d
            assert other[0][0].weight is not approx[0][0].weight


def test_hooks_stay(model: nn.Module, x: Tensor) -> None:
    seen = []
    model[3].register_forward_pre_hook(lambda layer, args: seen.append("before"))
    model[3].register_forward_hook(lambda layer, args, out: seen.append("after"))
    approximate(model, "L40", inplace=True)(x)
    assert seen == ["before", "after"]


class Tied(nn.Module):
    """One layer under two names, and one weight in two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.again, self.b = self.a, nn.Linear(4, 4)
        self.b.weight = self.a.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.again(self.a(x)))


def test_ties_stay() -> None:
    approx = approximate(Tied(), "L40", calibrate=[torch.rand(3, 4)])
    assert approx.again is approx.a
    assert approx.b.weight is approx.a.weight
    assert len(list(approx.parameters())) == 3
    before = approx(torch.ones(1, 4))
    with torch.no_grad():
        approx.a.weight.mul_(2)
    other = Tied()
    other.load_state_dict(approx.state_dict())
    fresh = approximate(other, "L40")
    load_calibration(fresh, calibration(approx))
    assert torch.equal(approx(torch.ones(1, 4)), fresh(torch.ones(1, 4)))
    assert not torch.equal(approx(torch.ones(1, 4)), before)


class Quiet(nn.Linear):
    """A subclass that computes as its base does."""


class Loud(nn.Linear):
    """A subclass that does not."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) + 1


def test_subclasses() -> None:
    approx = approximate(Quiet(3, 2), "L40")
    assert isinstance(approx, Quiet)
    assert isinstance(copy.deepcopy(approx), Approximate)
    assert type(approximate(approx, None)) is Quiet
    with pytest.warns(UserWarning, match="1 is a Loud, which computes in a way of its own: it stays exact"):
        approx = approximate(nn.Sequential(nn.Linear(3, 3), Loud(3, 2)), "L40")
    assert list(multipliers(approx)) == ["0"]


def test_parametrised_weights(x: Tensor) -> None:
    layer = nn.Linear(8, 3)
    nn.utils.parametrizations.weight_norm(layer)
    plain = nn.Linear(8, 3)
    plain.load_state_dict({"weight": layer.weight, "bias": layer.bias})
    with torch.no_grad():
        assert torch.equal(approximate(layer, "L40")(x), approximate(plain, "L40")(x))
        layer.parametrizations.weight.original0.mul_(2)
        assert not torch.equal(approximate(layer, "L40")(x), approximate(plain, "L40")(x))


@pytest.mark.parametrize("mode", [True, False])
def test_modes_stay(model: nn.Module, x: Tensor, mode: bool) -> None:
    model.train(mode)
    model[0][1].eval()
    approx = approximate(model, "L40", calibrate=[x])
    assert [m.training for m in approx.modules()] == [m.training for m in model.modules()]
    assert torch.equal(approx[0][1].running_mean, model[0][1].running_mean)


def test_encoder_layers_of_transformers_run_through_their_layers() -> None:
    """In evaluation mode torch computes them at once, from the weights, where nothing keeps it from that."""
    encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    stack = nn.TransformerEncoder(encoder, 2).eval()
    x = torch.rand(2, 3, 8)
    with torch.no_grad():
        for model in (encoder, stack):
            approx = approximate(model, "mul8u_QJD")
            assert not torch.allclose(approx(x), model(x), atol=1e-3)
            exact = approximate(model, "float32")
            torch.testing.assert_close(exact(x), model(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.filterwarnings("ignore:a layer that is approximate got:UserWarning")
def test_halves(model: nn.Module, x: Tensor, dtype: torch.dtype) -> None:
    approx = approximate(model, "L40", calibrate=[x])
    with torch.no_grad():
        half = copy.deepcopy(approx).to(dtype)
        y = half(x.to(dtype))
        assert y.dtype == dtype
        torch.testing.assert_close(y.float(), approx(x), rtol=0.1, atol=0.1)
        assert calibration(half)["3"].tolist() == calibration(approx)["3"].tolist()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            inside = approx(x)
        # Autocast reaches no approximate layer, and so nothing of this network.
        assert inside.dtype == torch.float32
        assert torch.equal(inside, approx(x))


def test_halves_are_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("axsim.nn.products._said", set())
    approx = approximate(nn.Linear(2, 2).half(), "L40")
    with torch.no_grad():
        with pytest.warns(UserWarning, match="computes in float32"):
            approx(torch.ones(1, 2).half())
        approx(torch.ones(1, 2).half())  # a second warning would be an error


def test_autocast_of_the_layers_before(x: Tensor) -> None:
    """What comes in bfloat16 from an exact layer goes out so."""
    model = approximate(nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Linear(8, 2)), "L40", layers="2")
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16), pytest.MonkeyPatch.context() as patch:
        patch.setattr("axsim.nn.products._said", {"half"})
        assert model(x).dtype == torch.bfloat16


def test_trains(x: Tensor) -> None:
    """Retraining brings the loss down, in the approximate model's own arithmetic."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 2))
    approx = approximate(model, "JV3")
    target = (x.mean((1, 2, 3)) > x.mean()).long()
    optimiser = torch.optim.SGD(approx.parameters(), lr=0.2, momentum=0.9)
    losses = []
    for _ in range(30):
        loss = nn.functional.cross_entropy(approx(x), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"mult": "L41"}, ValueError, "no multiplier is called 'L41'"),
        ({"layers": "features.*"}, ValueError, r"layers holds 'features.\*', which matches no layer"),
        ({"layers": [nn.Conv3d]}, ValueError, "layers holds Conv3d"),
        ({"layers": 3}, TypeError, "layers is 3"),
        ({"per_layer": {"conv*": "L40"}}, ValueError, r"per_layer holds 'conv\*'"),
        ({"per_layer": ["conv1"]}, TypeError, "per_layer is a list"),
        ({"per_layer": {"0.?": "L40", "?.0": "KEM"}}, ValueError, "match '0.0' alike"),
        ({"quantize": "int8"}, TypeError, "quantize is 'int8'"),
        ({"quantize": {"x": Quantization()}}, ValueError, "quantize holds 'x'"),
        ({"gradient": "backprop"}, ValueError, "gradient is 'backprop'"),
        ({"gradient": 3}, TypeError, "gradient is 3"),
        ({"mult": "exact12"}, ValueError, "exact12"),
    ],
)
def test_refused(model: nn.Module, arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        approximate(model, **arguments, inplace=True)
    assert multipliers(model) == {}


def test_models_without_a_layer() -> None:
    with pytest.raises(ValueError, match="a Sequential without a layer to replace"):
        approximate(nn.Sequential(nn.ReLU()), "L40")
    with pytest.raises(TypeError, match="model is a list"):
        approximate([nn.Linear(1, 1)], "L40")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="0 is a LazyLinear, whose weights are made by its first call"):
        approximate(nn.Sequential(nn.LazyLinear(2)), "L40")
    with pytest.raises(ValueError, match=r"^model is a LazyLinear"):
        approximate(nn.LazyLinear(2), "L40")


def test_nan_names_the_layer(model: nn.Module, x: Tensor) -> None:
    approx = approximate(model, "L40")
    x[0, 0, 0, 0] = torch.nan
    with torch.no_grad(), pytest.raises(ValueError, match=r"^0\.0: x holds NaN or infinity"):
        approx(x)
    with pytest.raises(ValueError, match=r"^0\.0: x holds NaN"):
        calibrate(approx, [x])
    approx[3].weight.data[0, 0] = torch.inf
    with torch.no_grad(), pytest.raises(ValueError, match=r"^3: weight holds NaN or infinity"):
        approx(torch.rand(1, 1, 8, 8))


def test_static_ranges_that_were_never_found(model: nn.Module, x: Tensor) -> None:
    approx = approximate(model, "L40", quantize=Quantization(activations="static"))
    with torch.no_grad(), pytest.raises(ValueError, match=r"^0\.0: activations are to be static"):
        approx(x)


def test_approximate_layers_are_not_made_by_hand() -> None:
    with pytest.raises(TypeError, match="make a Linear and give it to that"):
        ApproxLinear(2, 3)


def test_layers_say_what_they_are(model: nn.Module) -> None:
    assert "mul8u_L40|a=affine8,auto|w=sign-magnitude8,tensor|grad=ste" in repr(approximate(model, "L40")[3])


@pytest.mark.parametrize("layers", [[], lambda name, layer: False])
def test_no_layer_is_chosen(model: nn.Module, layers: Any) -> None:
    with pytest.raises(ValueError, match="layers chooses none of the 3 layers"):
        approximate(model, "L40", layers=layers)
    assert multipliers(approximate(model, "L40", layers=layers, per_layer={"3": "JV3"})) == {"3": "mul8u_JV3"}


def test_a_layer_with_a_forward_of_its_own_stays_exact(model: nn.Module, x: Tensor) -> None:
    """Others wrap layers so; it would not be the approximate forward that is called."""
    model[3].forward = model[3].forward
    with pytest.warns(UserWarning, match="3 is a Linear, which computes in a way of its own"):
        approx = approximate(model, "L40")
    assert multipliers(approx) == dict.fromkeys(["0.0", "0.3"], "mul8u_L40")


def test_parametrized_weights(model: nn.Module, x: Tensor) -> None:
    """They are parametrized before or after, and stay so there and back, until that is taken away."""
    norm = nn.utils.parametrizations.weight_norm
    with torch.no_grad():
        plain, exact = approximate(model, "L40")(x), model(x)
        before = copy.deepcopy(model)
        norm(before[3])
        before = approximate(before, "L40")
        after = approximate(model, "L40")
        norm(after[3])
        for approx in (before, after):
            assert isinstance(approx[3], ApproxLinear)
            torch.testing.assert_close(copy.deepcopy(approx)(x), plain, rtol=0, atol=0.02)
            back = approximate(approx, None)
            assert type(back[3]).__mro__[1] is nn.Linear
            torch.testing.assert_close(back(x), exact)
            again = approximate(back, "L40")
            assert torch.equal(again(x), approx(x))
            approx[3].parametrizations.weight.original0.mul_(2)
            assert not torch.equal(again(x), approx(x))
            for one, kind in ((again, ApproxLinear), (back, nn.Linear)):
                nn.utils.parametrize.remove_parametrizations(one[3], "weight")
                assert type(one[3]) is kind
            assert multipliers(again)["3"] == "mul8u_L40"

"""A miniature of each kind of experiment, on handwritten digits of 8 x 8 pixels."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("foolbox", reason="attacks need foolbox (extra robustness)")
pytest.importorskip("filelock", reason="sweeps need filelock (extra robustness)")
pytest.importorskip("sklearn", reason="digits come with scikit-learn (extra datasets)")

from axsim import datasets, models
from axsim.cli.app import app
from axsim.robustness import controls
from axsim.robustness.attacks import get as attack_named
from axsim.robustness.cells import Cell, canonical
from axsim.robustness.declare import DeclarationError, read_declaration
from axsim.robustness.experiments import get
from axsim.robustness.kinds import KINDS, common, trained
from axsim.robustness.kinds.variants import make
from axsim.robustness.measures import predictions
from axsim.robustness.report.figures import look_up, number_names
from axsim.robustness.store import Shared, encode
from axsim.robustness.threats import craft

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PAPERS = sorted((BENCHMARKS / "papers").glob("*/*.toml"))
CONV = {"name": "axfpm", "layers": "conv"}
PGD = {"name": "pgd_linf", "steps": 5, "rel_stepsize": 0.3}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AXSIM_CACHE_DIR", str(tmp_path / "cache"))
    common._made.cache_clear()


@pytest.fixture
def measure(tmp_path: Path) -> Callable[..., Any]:
    """Measure a cell of a kind on digits, settings that are not given at their defaults."""
    shared = Shared(tmp_path / "shared", "1")

    def run(kind: str, **given: Any) -> Any:
        experiment = get(kind)
        known = {"dataset": "digits", "network": "lenet5", "images": 20, **given}
        settings = {name: known.pop(name, setting.default) for name, setting in experiment.settings.items()}
        assert not known, f"{kind} has no {sorted(known)}"
        cell = Cell({name: experiment.settings[name].check(value) for name, value in settings.items()})
        experiment.check(cell)
        found = experiment.run(cell, shared)
        assert numbers_of(found) <= set(experiment.results)
        return found

    return run


def numbers_of(results: Mapping[str, Any]) -> set[str]:
    """Dotted names of what a report can show, but for the settings of attacks."""
    return {n for n in number_names(encode(results)) if not n.startswith("attack_settings.")}


def network(variant: Any = "exact") -> torch.nn.Module:
    return make("lenet5", variant, datasets.load("digits"), 0)


def test_every_kind_is_known_to_experiment_files() -> None:
    assert {kind.kind for kind in KINDS} == {
        "accuracy",
        "black_box",
        "confidence",
        "curve",
        "transfer",
        "white_box",
    }
    assert all(get(kind.kind) is kind for kind in KINDS)


@pytest.mark.parametrize("kind", [kind.kind for kind in KINDS])
def test_a_kind_says_which_numbers_its_results_have(measure: Callable[..., Any], kind: str) -> None:
    experiment = get(kind)
    attack: dict[str, Any] = {"attack": "fgsm", "budget": 0.2} if "attack" in experiment.settings else {}
    if kind == "black_box":  # noise that fools the exact network as well as the substitute
        attack |= {"budget": 1, "substitute": {"name": "ffnn", "hidden": [8]}, "first": 20, "rounds": 0}
    found = encode(measure(kind, **attack))
    for name in experiment.results:
        look_up(found, name, kind)


def test_transfer_counts_what_both_get_right_and_what_fools_the_source(measure: Callable[..., Any]) -> None:
    found = measure("transfer", variant=CONV, attack=PGD, budget=0.15)
    images, labels = datasets.load("digits").tensors("test", 20)
    exact, approximate = network(), network(CONV)
    made = attack_named(**PGD)(
        exact, images, labels, budget=0.15, generator=torch.Generator().manual_seed(0)
    ).images
    right = [predictions(n, images) == labels for n in (exact, approximate)]
    said, fooled = predictions(exact, made), predictions(approximate, made)
    counts = right[0] & right[1] & (said != labels)
    assert counts.sum() > 3
    assert (found["success"].count, found["success"].of) == (
        int((fooled != labels)[counts].sum()),
        int(counts.sum()),
    )
    assert found["success_same_label"].count == int((fooled == said)[counts].sum())
    assert found["robust_accuracy"]["count"] == int((fooled == labels).sum())


def test_transfer_to_the_network_itself_is_complete(measure: Callable[..., Any]) -> None:
    found = measure("transfer", attack="fgsm", budget=0.2)
    assert found["success"].value == found["success_same_label"].value == 1
    assert found["robust_accuracy"] == found["source_robust_accuracy"]
    assert found["examples"][0]["image"].shape == (1, 8, 8)


def test_variants_share_what_was_crafted(measure: Callable[..., Any], tmp_path: Path) -> None:
    for variant in ("exact", CONV, {"name": "mul8u_L40", "layers": "conv"}):
        measure("transfer", variant=variant, attack="fgsm", budget=0.1)
    assert len(list((tmp_path / "shared").glob("*.npz"))) == 1
    measure("transfer", attack="fgsm", budget=0.2)
    assert len(list((tmp_path / "shared").glob("*.npz"))) == 2


def test_pushed_noise_is_longer(measure: Callable[..., Any]) -> None:
    near, far = (measure("transfer", variant=CONV, attack="deepfool_l2", push=p) for p in (1, 1.5))
    ratio = far["noise"]["l2"]["mean"] / near["noise"]["l2"]["mean"]
    assert 1.2 < ratio <= 1.5 + 1e-6
    assert far["success"].count >= near["success"].count


def test_what_is_said_of_pushed_images_is_said_of_them(measure: Callable[..., Any]) -> None:
    found = measure("transfer", attack="deepfool_l2", push=0)  # back to the images themselves
    assert found["source_robust_accuracy"] == found["robust_accuracy"] == found["clean_accuracy"]


def test_between_networks_of_different_seeds(measure: Callable[..., Any]) -> None:
    other = {"name": "lenet5", "seed": 1, "epochs": 3}
    found = measure("transfer", source_network=other, attack="fgsm", budget=0.2)
    assert found["weights"]["source"] != found["weights"]["victim"]
    assert found["source_success"].count > 0


def test_a_substitute_learns_from_answers_alone(measure: Callable[..., Any]) -> None:
    found = measure(
        "black_box",
        variant=CONV,
        substitute={"name": "ffnn", "hidden": [32]},
        first=40,
        rounds=2,
        attack="fgsm",
        budget=0.3,
    )
    assert found["substitute_queries"] == 40 * 4
    assert found["substitute_agreement"] > 0.5
    assert found["weights"]["substitute"] != found["weights"]["victim"]
    assert found["success"].of <= found["substitute_success"].count


def test_a_substitute_learns_of_no_image_that_is_attacked(measure: Callable[..., Any]) -> None:
    known = {"attack": "fgsm", "budget": 0.3, "rounds": 0, "substitute": {"name": "ffnn", "hidden": [8]}}
    measure("black_box", first=700, images=19, **known)
    with pytest.raises(ValueError, match=r"first is 700 and images 20: .* has 719 to test with, not 720"):
        measure("black_box", first=700, images=20, **known)


@pytest.mark.parametrize("given", [{"weights": "w.npz"}, {"seed": 3}, {"epochs": 2}])
def test_a_substitute_comes_untrained(measure: Callable[..., Any], given: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"untrained network was expected, '{next(iter(given))}' came"):
        measure("black_box", attack="fgsm", budget=0.3, substitute={"name": "lenet5", **given})


def test_white_box_on_the_exact_network_differs_from_itself_in_nothing(measure: Callable[..., Any]) -> None:
    found = measure("white_box", attack="deepfool_l2")
    assert found["success"] == found["exact_success"]
    assert found["beside_exact"]["mse_ratio"] == 1
    assert found["beside_exact"]["l2_difference"]["mean"] == found["at_boundary"]["psnr_loss"]["mean"] == 0
    said = {v.check: v.said for v in found["checks"]}
    assert said["white-box beats transfer"] == said["restarts change little"] == "not tried"


def test_the_checks_of_a_white_box_attack(measure: Callable[..., Any]) -> None:
    found = measure("white_box", variant=CONV, attack=PGD, budget=0.2, images=10)
    said = {v.check: v.said for v in found["checks"]}
    assert said.pop("white-box beats black-box") == "not tried"
    assert set(said) == {
        "success rises with the budget to 100 %",
        "iterative beats one step",
        "white-box beats transfer",
        "gradient-free attacks are weaker",
        "random noise does little",
        "restarts change little",
        "gradients are not zero",
        "planted examples are found",
    }
    assert said["white-box beats transfer"] == said["gradients are not zero"] == "held"


def test_a_limit_is_no_fault_of_an_attack_that_looks_for_the_least_noise(measure: Callable[..., Any]) -> None:
    rises = "success rises with the budget to 100 %"
    limited, free = (measure("white_box", attack="jsma", budget=b, images=10) for b in (2, None))
    assert limited["success"].count < limited["success"].of
    why = {v.check: (v.said, v.why) for v in limited["checks"]}[rises]
    assert why == ("not tried", "the budget of 2 is a limit, and was not raised")
    assert free["success"].count < free["success"].of
    (missed,) = (v for v in free["checks"] if v.check == rises)
    assert missed.said == "failed"
    assert missed.why.endswith("the most noise that was needed; none was set")


def test_the_gain_is_over_the_exact_network(measure: Callable[..., Any]) -> None:
    """Whatever network transferred images are crafted on: of white-box ones it changes nothing."""
    loud = {"name": "axfpm", "layers": "all"}
    known = {"variant": CONV, "threat": "white_box", "control": "gain", "budget": 0.6, "images": 40}
    other, plain = (measure("curve", source=s, attack="deepfool_l2", **known) for s in (loud, "exact"))
    images, labels = datasets.load("digits").tensors("test", 40)
    gain = controls.gain(network(CONV), network(), images)
    assert gain > 1.1 * controls.gain(network(CONV), network(loud), images)
    backward = controls.ScaledBackward(network(CONV), gain)
    crafted = craft(attack_named("deepfool_l2"), backward, images, labels, budget=0.6)
    right = int((predictions(network(CONV), crafted.images) == labels).sum())
    assert plain["robust_accuracy"]["count"] == other["robust_accuracy"]["count"] == right


def test_a_layer_without_gradients_is_caught(measure: Callable[..., Any]) -> None:
    hard = {"name": "qusecnets", "levels": 2, "hardness": 5000.0}
    found = measure("white_box", variant=hard, attack=PGD, budget=0.3, images=10)
    said = {v.check: v.said for v in found["checks"]}
    assert "failed" in (said["gradients are not zero"], said["white-box beats transfer"])


def test_controls_change_the_backward_alone(measure: Callable[..., Any]) -> None:
    plain, gain = (
        measure("white_box", variant=CONV, control=c, attack="deepfool_l2", checks=False, images=10)
        for c in ("none", "gain")
    )
    assert plain["clean_accuracy"] == gain["clean_accuracy"]
    assert plain["logits_gain"] == gain["logits_gain"] > 1
    assert plain["noise"]["l2"] != gain["noise"]["l2"]


def test_the_gain_makes_a_straight_through_gradient_as_large_as_the_true_one() -> None:
    exact = torch.nn.Linear(4, 3, bias=False)

    class Loud(torch.nn.Module):  # logits three times as large, which its gradient does not know of
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return exact(x) + 2 * exact(x).detach()

    images = torch.rand(5, 4)
    corrected = common.backward_of(Loud(), exact, images, "gain")
    x = images.clone().requires_grad_()
    found = torch.autograd.grad(corrected(x)[:, 0].sum(), x)[0]
    torch.testing.assert_close(found, 3 * exact.weight.detach()[:1].expand(5, 4))
    assert torch.equal(corrected(images), Loud()(images))


def test_the_inverse_gain_is_for_the_exact_network(measure: Callable[..., Any]) -> None:
    known = {"variant": CONV, "attack": "deepfool_l2", "checks": False, "images": 10}
    plain, inverse = (measure("white_box", control=c, **known) for c in ("none", "inverse_gain"))
    assert inverse["noise"] == plain["noise"]
    assert inverse["exact_noise"]["l2"]["mean"] > plain["exact_noise"]["l2"]["mean"]
    known["variant"] = "exact"
    exact = [measure("white_box", control=c, **known) for c in ("none", "inverse_gain")]
    assert exact[0]["exact_noise"] == exact[1]["exact_noise"]  # a gain of 1


def test_white_box_in_float64_with_its_checks(measure: Callable[..., Any]) -> None:
    found = measure("white_box", variant=CONV, control="float64", attack=PGD, budget=0.2, images=10)
    plain = measure("white_box", variant=CONV, attack=PGD, budget=0.2, images=10)
    assert found["clean_accuracy"] == plain["clean_accuracy"]
    assert found["weights"] == plain["weights"]
    assert {v.check: v.said for v in found["checks"]}["gradients are not zero"] == "held"


def test_a_variant_that_takes_the_first_image_of_a_batch_for_all(measure: Callable[..., Any]) -> None:
    first = [CONV, {"name": "first_of_batch", "batch": 5}]
    found = measure("transfer", variant=first, attack="fgsm", budget=0.2)
    plain = measure("transfer", variant=CONV, attack="fgsm", budget=0.2)
    assert found["clean_accuracy"]["count"] < plain["clean_accuracy"]["count"]
    assert found["source_success"] == plain["source_success"]
    assert found["followed"]["of"] == plain["followed"]["of"] == plain["source_success"].count
    # Where it follows the source's label at all, few of a batch have the same one.
    assert found["followed"]["count"] < plain["followed"]["count"]


def test_of_a_substitutes_images_those_that_fool_the_exact_network(measure: Callable[..., Any]) -> None:
    known = {
        "attack": "fgsm",
        "budget": 0.5,
        "substitute": "lenet5",
        "first": 150,
        "rounds": 2,
        "images": 100,
    }
    of_exact = measure("black_box", variant="exact", **known)
    assert of_exact["success_where_exact_is_fooled"]["count"] == of_exact["success"].count > 0
    assert of_exact["success_where_exact_is_fooled"]["value"] == 1
    found = measure("black_box", variant=CONV, **known)
    assert 0 < found["success_where_exact_is_fooled"]["of"] < found["success"].of


def test_robust_accuracy_without_noise_is_accuracy(measure: Callable[..., Any]) -> None:
    found = measure("curve", variant=CONV, attack="bim_linf", budget=0)
    assert found["robust_accuracy"] == found["clean_accuracy"]
    assert found["lost"]["count"] == found["accuracy_loss"] == 0


def test_accuracy_is_lost_and_regained(measure: Callable[..., Any]) -> None:
    """Of a network that reads less than the attacked one, noise makes images right, too."""
    flat = {"name": "mul8u_JV3", "layers": "conv", "w_coding": "affine"}
    found = measure("curve", variant=flat, attack="bim_linf", budget=0.05, images=200)
    before, after = (found[name]["count"] for name in ("clean_accuracy", "robust_accuracy"))
    assert found["accuracy_loss"] == pytest.approx((before - after) / 200)
    assert found["lost"]["count"] > before - after


def test_the_worst_of_two_threats_is_no_better_than_either(measure: Callable[..., Any]) -> None:
    left = {
        threat: measure("curve", threat=threat, variant=CONV, attack=PGD, budget=0.1)["robust_accuracy"][
            "count"
        ]
        for threat in ("transfer", "white_box", "worst")
    }
    assert left["worst"] <= min(left["transfer"], left["white_box"])
    assert left["worst"] >= left["transfer"] + left["white_box"] - 20


def test_confidence_is_of_equally_many_images_of_each_class(measure: Callable[..., Any]) -> None:
    found = measure("confidence", level=-2)
    assert (found["above"]["count"], found["above"]["of"]) == (20, 20)
    assert measure("confidence", level=2)["above"]["count"] == 0
    hot = measure("confidence", level=0.8, temperature=16)["above"]["count"]
    assert hot < measure("confidence", level=0.8)["above"]["count"]
    images, labels = common.images_of(Cell({"dataset": "digits", "images": 20}), balanced=True)
    assert torch.bincount(labels).tolist() == [2] * 10
    with pytest.raises(ValueError, match="images is 719, and digits has not 71 of each class"):
        common.images_of(Cell({"dataset": "digits", "images": 719}), balanced=True)
    assert measure("confidence", measure="relative", level=0)["accuracy"]["count"] == int(
        (predictions(network(), images) == labels).sum()
    )


def test_accuracy(measure: Callable[..., Any]) -> None:
    data = datasets.load("digits")
    found = measure("accuracy", images=100, variant=[{"name": "bit_depth", "bits": 2}, CONV])
    squeezed = make("lenet5", [{"name": "bit_depth", "bits": 2}, CONV], data, 0)
    assert found["accuracy"]["value"] == models.accuracy(
        squeezed, data.test_images[:100], data.test_labels[:100]
    )
    assert found["agreement"]["count"] < 100
    assert measure("accuracy", images=100)["agreement"]["count"] == 100


@pytest.mark.parametrize(
    "variant",
    [
        "bfloat16_operands",
        {"name": "median_smoothing", "size": 2},
        {"name": "dorefa", "bits": 4},
        {"name": "qusecnets", "levels": 3, "trainable": True},
        {"name": "qusecnets", "levels": 3, "trainable": True, "joint": True},
        {"name": "mul8u_L40", "layers": "conv", "w_coding": "affine"},
        "mul8u_L40~",
    ],
)
def test_variants_still_read_digits(measure: Callable[..., Any], variant: Any) -> None:
    found = measure("accuracy", network={"name": "lenet5", "epochs": 8}, variant=variant, images=60)
    assert found["accuracy"]["count"] > 30


def test_an_attacker_who_does_not_know_the_circuit(measure: Callable[..., Any]) -> None:
    circuits = [CONV, {"name": "mul8u_L40", "layers": "conv"}]
    mean = network({"name": "mean_of", "of": circuits})
    images = datasets.load("digits").tensors("test", 5)[0]
    with torch.no_grad():
        wanted = (network(circuits[0])(images) + network(circuits[1])(images)) / 2
        torch.testing.assert_close(mean(images), wanted)
    found = measure(
        "curve", source={"name": "mean_of", "of": circuits}, variant=CONV, attack=PGD, budget=0.15
    )
    assert found["lost"]["count"] > 5
    assert found["source_robust_accuracy"]["count"] < 10


def test_a_network_is_trained_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data, spec = datasets.load("digits"), {"name": "ffnn", "epochs": 1, "train_images": 100}
    first, other = (trained.digest(trained.load(spec, data, seed)) for seed in (3, 4))
    assert first != other

    def train(*args: Any, **settings: Any) -> None:
        raise AssertionError("it was trained again")

    monkeypatch.setattr(models, "train", train)
    assert trained.digest(trained.load(spec, data, 3)) == first
    with pytest.raises(AssertionError):
        trained.load({**spec, "epochs": 2}, data, 3)


def test_a_median_is_the_middle() -> None:
    assert common.spread_of(torch.tensor([4.0, 1.0, 3.0, 2.0]))["median"] == 2.5
    assert common.spread_of(torch.tensor([4.0, 1.0, torch.inf, 2.0]))["median"] == 2
    assert common.spread_of(torch.zeros(0))["count"] == 0


def test_code_that_makes_multipliers_counts() -> None:
    """A family's products, and those of Ax-FPM's significands, come from gates."""
    for module in ("axsim.circuits.families", "axsim.circuits.tiling", "axsim.circuits.library"):
        assert any(module == known or module.startswith(f"{known}.") for known in common.MODULES)


def test_weights_of_a_file_count_by_their_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AXSIM_DATA", str(tmp_path))
    path = tmp_path / "named.toml"
    path.write_text(PLAIN.replace('"lenet5"', '{ name = "lenet5", weights = "mine.npz" }'))
    declared = read_declaration(path)
    codes = [declared.experiment.code_and_files(declared.cells)]  # not there yet
    for content in (b"1", b"2"):
        (tmp_path / "mine.npz").write_bytes(content)
        codes.append(declared.experiment.code_and_files(declared.cells))
    assert len(set(codes)) == 3
    (tmp_path / "mine.npz").write_bytes(b"1")
    assert declared.experiment.code_and_files(declared.cells) == codes[1]
    path.write_text(PLAIN)
    plain = read_declaration(path)
    assert plain.experiment.code_and_files(plain.cells) == plain.experiment.code()


def test_weights_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, plain = datasets.load("digits"), network()
    np.savez(tmp_path / "mine.npz", **{name: value.numpy() for name, value in plain.state_dict().items()})
    monkeypatch.setenv("AXSIM_DATA", str(tmp_path))
    loaded = trained.load({"name": "lenet5", "weights": "mine.npz"}, data, 0)
    assert trained.digest(loaded) == trained.digest(plain)
    with pytest.raises(ValueError, match=r"there is no file none\.npz"):
        trained.load({"name": "lenet5", "weights": "none.npz"}, data, 0)


PLAIN = """
kind = "transfer"
[settings]
dataset = "digits"
network = "lenet5"
variant = "axfpm"
attack = "fgsm"
budget = 0.1
images = 5
"""


@pytest.mark.parametrize(
    ("line", "instead", "told"),
    [
        (
            '"transfer"',
            '"transfr"',
            "'transfr' is not the name of a kind of experiment: did you mean transfer?",
        ),
        ('"digits"', '"digit"', "did you mean digits?"),
        ('"lenet5"', '"lenet"', "did you mean lenet5"),
        ('"lenet5"', '{ name = "lenet5", hiden = 3 }', "lenet5 has no option 'hiden'"),
        ('"lenet5"', '{ name = "lenet5", weights = "w.npz", seed = 1 }', "'seed' has no meaning"),
        ('"axfpm"', '"axfmp"', "did you mean axfpm"),
        ('"axfpm"', '{ name = "axfpm", layer = "conv" }', "no setting 'layer': did you mean layers?"),
        ('"axfpm"', '{ name = "axfpm", layers = "convs" }', "layers: 'convs' came, one of all, conv"),
        ('"axfpm"', '{ name = "mul8u_L40", w_bits = 9 }', "w_bits is 9, expected 2 to 8"),
        ('"axfpm"', '{ name = "qusecnets", level = 2 }', "no setting 'level': did you mean levels?"),
        ('"axfpm"', '{ name = "qusecnets", levels = 1 }', "levels: 1 came, a whole number from 2 on"),
        ('"axfpm"', '{ name = "qusecnets", joint = "no" }', "joint: 'no' came, true or false was expected"),
        ('"axfpm"', '{ name = "qusecnets", reading = "book" }', "reading: 'book' is not the name"),
        ('"axfpm"', '{ name = "dorefa", bits = 32 }', "bits: 32 came, a whole number from 1 to 31"),
        ('"axfpm"', "[]", "at least one variant was expected"),
        ('"axfpm"', '{ name = "mean_of" }', "of: None came, a list of variants was expected"),
        ('"axfpm"', '{ name = "mean_of", of = ["axfmp"] }', "did you mean axfpm"),
        ('"axfpm"', '["bfloat16_operands", { name = "mean_of", of = ["axfpm"] }]', "a variant by itself"),
        ('"fgsm"', '"fgms"', "did you mean fgsm"),
        ('"fgsm"', '{ name = "pgd_linf", step = 3 }', "did you mean steps"),
        ("budget = 0.1", "budget = -1", "-1 came, a number from 0 on was expected"),
        ("budget = 0.1", "", "fgsm needs a budget"),
        ("images = 5", "imges = 5", "did you mean images?"),
        (
            "images = 5",
            "images = 5\n[[report.tables]]\ntitle = 'T'\nrows = 'attack'\nvalue = 'sucess'",
            "report.tables[0].value: 'sucess' is not known here: did you mean success",
        ),
        (
            "images = 5",
            "images = 5\n[[report.curves]]\ntitle = 'C'\nx = 'budget'\ny = 'noise.l2.maen'",
            "report.curves[0].y: 'noise.l2.maen' is not known here: did you mean noise.l2.mean",
        ),
    ],
)
def test_what_a_file_says_wrong(tmp_path: Path, line: str, instead: str, told: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(PLAIN.replace(line, instead))
    assert path.read_text() != PLAIN
    with pytest.raises(DeclarationError) as error:
        read_declaration(path)
    assert told in str(error.value)


def test_more_images_than_there_are(measure: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="images is 5000, and digits has 719 to test with"):
        measure("accuracy", images=5000)


def test_an_experiment_by_one_command(tmp_path: Path) -> None:
    testing = pytest.importorskip("typer.testing")
    pytest.importorskip("jinja2", reason="reports need jinja2 (extra robustness)")
    pytest.importorskip("loky", reason="sweeps need loky (extra robustness)")
    path, out = tmp_path / "small.toml", tmp_path / "out"
    table = '[[report.tables]]\ntitle = "T"\nrows = ["attack"]\ncolumns = ["variant"]\nvalue = "success"\n'
    path.write_text(
        PLAIN.replace('variant = "axfpm"\n', "") + '[axes]\nvariant = ["axfpm", "exact"]\n' + table
    )
    found = testing.CliRunner().invoke(
        app, ["robustness", "run", str(path), "--jobs", "1", "--out", str(out)]
    )
    assert found.exit_code == 0, found.output
    assert "2 of 2 cells are measured" in found.output
    assert "| fgsm |" in (out / "report.md").read_text()
    kept = json.loads((out / "results.json").read_text())
    assert [cell["settings"]["variant"] for cell in kept["cells"]] == ["axfpm", "exact"]
    assert kept["cells"][1]["results"]["success"]["value"] == 1
    assert "examples" not in kept["cells"][0]["results"]


by_paper = pytest.mark.parametrize("path", PAPERS, ids=lambda path: f"{path.parent.name}-{path.stem}")


@by_paper
def test_files_of_the_papers_can_be_read(path: Path) -> None:
    declared = read_declaration(path)
    assert declared.title
    assert declared.layout.tables or declared.layout.curves


@by_paper
def test_results_of_the_papers_are_of_what_their_files_say(path: Path) -> None:
    kept = BENCHMARKS / "results" / path.relative_to(BENCHMARKS).with_suffix("") / "results.json"
    measured = [canonical(cell["settings"]) for cell in json.loads(kept.read_text())["cells"]]
    assert sorted(measured) == sorted(canonical(cell.settings) for cell in read_declaration(path).cells)

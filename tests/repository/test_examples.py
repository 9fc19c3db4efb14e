"""Every example runs and gives what it promises; the demo runs in short on every library."""

import importlib
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
sklearn = pytest.importorskip("sklearn")

from examples import (  # noqa: E402
    batch_gather,
    binary_cross_entropy_by_hand,
    broadcasting_merge,
    data_sets,
    demo,
    fit_a_line,
    fit_a_parabola,
    glm_on_tensors,
    imbalanced_boosting,
    indexing,
    large_binary_logits,
    large_logits,
    logistic_regression,
    multilayer_perceptron,
    onnx_training_step,
    out_of_core,
    plain_array_code,
    softmax_regression,
)
from examples.libraries import installed  # noqa: E402
from portable_losses import nn  # noqa: E402

FOLDER = Path(__file__).parents[2] / "examples"
# They hold no program: what the others share.
SHARED = {"__init__", "libraries"}
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in SHARED)


def example(name: str) -> ModuleType:
    return importlib.import_module(f"examples.{name}")


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_example_says_what_it_shows_and_can_be_run(name: str) -> None:
    module = example(name)
    assert len((module.__doc__ or "").strip()) > 20
    assert callable(module.main)
    assert 'if __name__ == "__main__":' in (FOLDER / f"{name}.py").read_text("utf-8")


def test_adam_finds_the_parabola() -> None:
    np.testing.assert_allclose(fit_a_parabola.main(), (5, 0, 3), atol=1e-2)


def test_a_loss_by_hand_learns_and_the_number_of_steps_is_an_option(
    capsys: pytest.CaptureFixture[str],
) -> None:
    loss, accuracy = binary_cross_entropy_by_hand.main(["--steps", "100"])
    assert 0.1 < loss < 0.4
    assert accuracy > 0.9
    printed = capsys.readouterr().out
    assert "the losses [0.31326169 0.         0.69314718 0.        ]" in printed
    assert printed.count("accuracy") == 20
    longer, accuracy = binary_cross_entropy_by_hand.main(["--steps", "400"])
    assert longer < loss


def test_a_data_set_of_ones_own_is_learnt_in_batches_and_a_stream_is_split() -> None:
    line, shares = data_sets.main()
    np.testing.assert_allclose(line, [2, -1], atol=1e-5)
    assert shares == [[0, 2, 4], [6, 8]]


def test_indexing_has_its_gradients_and_its_losses() -> None:
    found = indexing.main()
    assert found["mask"].tolist() == [1, 1, 1, 1, 0, 0, 0]
    assert found["places"].tolist() == [[0, 0], [2, 1], [4, 2]]
    want = [[-3.4402, -2.4402, -1.4402, -0.4402], [-0.1852, -4.1852, -2.1852, -3.1852]]
    np.testing.assert_allclose(found["log_probs"], want, atol=5e-5)
    for name in ("by hand", "classes", "one-hot"):
        np.testing.assert_allclose(found[name], [0.4402, 0.1852], atol=5e-5)


def test_sgd_finds_the_line() -> None:
    found = fit_a_line.main()
    np.testing.assert_allclose([found["a"], found["b"]], [2, -1], atol=1e-6)


def test_a_program_of_onnx_trains_in_batches_of_any_size() -> None:
    losses = onnx_training_step.main()
    assert abs(losses[0] - np.log(3)) < 1e-6
    assert np.mean(losses[-20:]) < 0.25


def test_chunks_of_rows_train_a_module() -> None:
    losses = out_of_core.train(20_000, 3)
    assert abs(losses[0] - np.log(10)) < 0.2
    assert losses[2] < losses[1] < losses[0]


def test_a_network_tells_two_spirals_apart() -> None:
    assert multilayer_perceptron.main() == 1.0


def test_the_gradients_of_a_merge_are_the_same_by_broadcasting() -> None:
    joined, broadcast = broadcasting_merge.main()
    assert [x.shape for x in joined] == [(5, 3, 5), (5, 1, 6)]
    for one, other in zip(joined, broadcast, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_the_gradient_of_a_gather_goes_back_where_it_came_from() -> None:
    scores, table = batch_gather.main()
    assert scores.tolist() == [[0, 0, 10], [100, 0, 0]]
    assert table.tolist() == [[4, 4], [3, 3], [0, 0]]


def test_softmax_and_cross_entropy_at_logits_of_1000_are_exact() -> None:
    found = large_logits.main()
    assert found["loss"] == 500.0
    assert found["gradient"].tolist() == [0.5, -0.5]
    assert found["softmax"].tolist() == [1.0, 0.0]
    assert 3 < found["smooth maximum"] < 3 + np.log(3)
    assert found["cold"][1] > 0.9999


def test_binary_cross_entropy_at_logits_of_2000_is_exact() -> None:
    found = large_binary_logits.main()
    assert found["probabilities"].tolist() == [1, 0, 1, 0]
    assert found["losses"].tolist() == [0, 0, 2000, 2000]
    assert found["gradient"].tolist() == [0, 0, 0.25, -0.25]
    assert found["floored"].tolist() == [0, 0, 100, 100]


def test_plain_array_code_is_differentiated_twice() -> None:
    gradient, minimum = plain_array_code.main()
    np.testing.assert_allclose(gradient, [-215.6, -88.0], rtol=1e-12)
    np.testing.assert_allclose(minimum, [1.0, 1.0], rtol=1e-9)


def test_the_naive_loss_is_nan_where_ours_learns() -> None:
    stable, naive = logistic_regression.main()
    assert np.isnan(naive.losses).all()
    assert np.isnan(naive.weights["weight"]).all()
    assert np.isfinite(stable.losses).all()
    assert stable.losses[-1] < 0.02
    assert stable.accuracy >= 0.99


def test_softmax_regression_is_as_good_as_scikit_learn(capsys: pytest.CaptureFixture[str]) -> None:
    run = softmax_regression.main()
    bar = softmax_regression.accuracy_of_scikit_learn(softmax_regression.digits())
    assert run.accuracy >= bar - 0.01
    assert f"{run.accuracy:.4f}" in capsys.readouterr().out


def test_the_demo_in_short_agrees_on_every_library_and_draws_the_curves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo.main(["--quick", "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    names = [library.name for library in installed()]
    assert names[0] == "numpy"
    differences = re.findall(r"^(\w+) .* (\d\.\de[+-]\d\d) +\d+\.\d\d$", printed, re.MULTILINE)
    assert [name for name, _ in differences] == names * 2
    assert all(float(difference) <= 1e-9 for _, difference in differences)
    assert re.search(r"^naive formula +cpu +nan", printed, re.MULTILINE)
    picture = tmp_path / "demo.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    image = matplotlib.image.imread(picture)
    assert image.std() > 0.05  # not blank


@pytest.mark.parametrize("name", ["imbalanced_boosting", "glm_on_tensors"])
def test_models_of_scikit_learn_are_fitted_by_our_losses_and_drawn(
    name: str, tmp_path: Path
) -> None:
    if name == "glm_on_tensors":
        ours, own = glm_on_tensors.main(tmp_path)
        np.testing.assert_allclose(ours, own, rtol=0, atol=1e-5)
    else:
        logistic, focal = imbalanced_boosting.main(tmp_path)
        assert focal.recall[-1] > 2 * logistic.recall[-1]
        assert focal.f1 > 1.5 * logistic.f1
    image = matplotlib.image.imread(tmp_path / f"{name}.png")
    assert image.std() > 0.05  # not blank


@pytest.fixture
def runs() -> list[Any]:
    numpy = installed()[0]
    run = logistic_regression.train(numpy, nn.BCEWithLogitsLoss(), steps=1)
    return [run, run]


@pytest.mark.parametrize("change", [2e-9, np.nan])
def test_the_demo_notices_weights_that_differ(runs: list[Any], change: float) -> None:
    assert demo.disagreements(runs) == []
    weights = {**runs[0].weights, "bias": runs[0].weights["bias"] + change}
    assert len(demo.disagreements([runs[0], replace(runs[0], weights=weights)])) == 1


def test_the_demo_fails_if_a_library_disagrees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def only_numpy() -> Any:
        return installed()[:1] * 2

    monkeypatch.setattr(demo, "installed", only_numpy)
    monkeypatch.setattr(demo, "TOLERANCE", -1.0)
    assert demo.main(["--quick", "--output", str(tmp_path)]) == 1
    assert "FAILED: numpy on cpu is 0.0e+00 away from numpy" in capsys.readouterr().err


def test_the_demo_fails_if_the_accuracy_is_too_low(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def only_numpy() -> Any:
        return installed()[:1]

    monkeypatch.setattr(demo, "installed", only_numpy)
    monkeypatch.setattr(softmax_regression, "EPOCHS", 1)
    monkeypatch.setattr(softmax_regression, "RATE", 0.0)
    assert demo.main(["--output", str(tmp_path)]) == 1
    assert "FAILED: numpy has accuracy" in capsys.readouterr().err

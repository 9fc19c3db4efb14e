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
    broadcasting_merge,
    demo,
    fit_a_line,
    fit_a_parabola,
    large_binary_logits,
    large_logits,
    logistic_regression,
    multilayer_perceptron,
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
    np.testing.assert_allclose(fit_a_parabola.main(), (5, 3), atol=1e-4)


def test_sgd_finds_the_line() -> None:
    found = fit_a_line.main()
    np.testing.assert_allclose([found["a"], found["b"]], [2, -1], atol=1e-6)


def test_a_network_tells_two_spirals_apart() -> None:
    assert multilayer_perceptron.main() == 1.0


def test_the_gradient_of_a_broadcasting_merge_is_summed_back() -> None:
    frames, labels = broadcasting_merge.main()
    np.testing.assert_allclose(frames, np.full((4, 3), 2 * np.e), rtol=1e-15)
    np.testing.assert_allclose(labels, np.full((2, 3), 8 * np.e), rtol=1e-15)


def test_the_gradient_of_a_gather_goes_back_where_it_came_from() -> None:
    scores, table = batch_gather.main()
    assert scores.tolist() == [[0, 0, 10], [100, 0, 0]]
    assert table.tolist() == [[4, 4], [3, 3], [0, 0]]


def test_cross_entropy_at_logits_of_1000_is_exact() -> None:
    (loss, gradient), (mixed, slope) = large_logits.main()
    assert loss == mixed == 500.0
    assert gradient.tolist() == [[0.5, -0.5], [0.0, 0.0]]
    assert slope.tolist() == [0.5, -0.5]


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

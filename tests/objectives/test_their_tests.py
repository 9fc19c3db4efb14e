"""scikit-learn's own tests pass where its losses compute by ours (`make test-more`)."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# CuPy is installed without a card: scikit-learn takes the package for one.
WITHOUT_A_CARD = ["-k", "not cupy"]


@pytest.mark.parametrize(
    "module",
    [
        "sklearn._loss",
        "sklearn.linear_model.tests.test_linear_loss",
        "sklearn.linear_model.tests.test_logistic",
        "sklearn.linear_model._glm",
        "sklearn.ensemble._hist_gradient_boosting",
        "sklearn.metrics.tests.test_regression",
        "sklearn.metrics.tests.test_common",
        "sklearn.tests.test_calibration",
    ],
)
def test_scikit_learns_tests_pass_through_our_losses(module: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "-W", "ignore"]
    plugins = ["-p", "no:cacheprovider", "-p", "tests.objectives.through_scikit_learn"]
    environment = {**os.environ, "SCIPY_ARRAY_API": "1", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [*command, *plugins, *WITHOUT_A_CARD, "--pyargs", module],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:]
    assert re.search(r"\d+ passed", run.stdout)

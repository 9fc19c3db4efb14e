"""scikit-learn's own tests pass where its losses compute by ours (`make test-more`)."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WITHOUT_A_CARD = "not cupy"  # CuPy is installed without one: scikit-learn takes the package for it
# Those of losses and of what is fitted with them; of all metrics those that are losses of ours.
SELECTED = {
    "sklearn._loss": WITHOUT_A_CARD,
    "sklearn.linear_model.tests.test_linear_loss": WITHOUT_A_CARD,
    "sklearn.linear_model.tests.test_logistic": WITHOUT_A_CARD,
    "sklearn.linear_model._glm": f"{WITHOUT_A_CARD} and not hstacked and not vstacked",
    "sklearn.ensemble._hist_gradient_boosting.tests.test_gradient_boosting": WITHOUT_A_CARD,
    "sklearn.ensemble._hist_gradient_boosting.tests.test_warm_start": WITHOUT_A_CARD,
    "sklearn.metrics.tests.test_regression": WITHOUT_A_CARD,
    "sklearn.metrics.tests.test_common": f"{WITHOUT_A_CARD} and (deviance or tweedie or d2)",
    "sklearn.tests.test_calibration": WITHOUT_A_CARD,
}


@pytest.mark.parametrize("module", SELECTED)
def test_scikit_learns_tests_pass_through_our_losses(module: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "-W", "ignore"]
    plugins = ["-p", "no:cacheprovider", "-p", "tests.objectives.through_scikit_learn"]
    environment = {**os.environ, "SCIPY_ARRAY_API": "1", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [*command, *plugins, "-k", SELECTED[module], "--pyargs", module],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:]
    assert re.search(r"\d+ passed", run.stdout)

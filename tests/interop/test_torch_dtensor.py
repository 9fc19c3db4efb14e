"""DTensors: each law of `dtensors.py`, which two processes have run together."""

import json
import os
import subprocess
import sys

import pytest

from tests.libraries import EVERY_ROW

pytest.importorskip("torch.distributed.tensor")

from tests.interop.dtensors import LAWS

WORLDS = [2, 4] if EVERY_ROW else [2]


@pytest.fixture(scope="module", params=WORLDS)
def found(request: pytest.FixtureRequest) -> dict[str, str]:
    """The errors of the laws, by name."""
    command = [sys.executable, "-m", "tests.interop.dtensors", str(request.param)]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, capture_output=True, text=True, env=alone, timeout=1800)
    assert ran.stdout, ran.stderr
    errors: dict[str, str] = json.loads(ran.stdout.splitlines()[-1])
    return errors


@pytest.mark.parametrize("law", LAWS)
def test_in_several_processes(found: dict[str, str], law: str) -> None:
    assert not found[law]

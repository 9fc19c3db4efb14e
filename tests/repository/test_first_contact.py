"""What somebody sees first: ``dir``, ``python -m portable_losses``, answers to misspelled names."""

import importlib.metadata
import subprocess
import sys
from typing import Any

import pytest

import portable_losses as pl
from portable_losses import nn
from portable_losses._names import OTHER_NAMES
from tests.libraries import PUBLIC
from tests.peers.test_names import entries

UNCHECKED: Any = pl
UNCHECKED_NN: Any = nn
MODULES = ["activations", "autograd", "data", "differentials", "losses", "nn", "objectives"]


def test_dir_has_every_public_name_and_nothing_private() -> None:
    names = dir(pl)
    assert {*PUBLIC, *MODULES, "optim", "special", "Tensor", "derivatives", "validation"} <= {
        *names
    }
    assert [name for name in names if name[0] == "_" and name[:2] != "__"] == []
    assert [name for name in (*names, *dir(nn)) if "Any" in name] == []
    assert all(hasattr(pl, name) for name in names)
    assert {*nn.__all__} <= {*dir(nn)}
    assert all(hasattr(nn, name) for name in dir(nn))


@pytest.mark.parametrize(
    "name, answer",
    [
        ("cross_entrpy", "cross_entropy"),
        ("crossEntropy", "cross_entropy"),
        ("BCEWithLogitsLoss", "nn.BCEWithLogitsLoss"),
        ("CrossEntropyLoss", "nn.CrossEntropyLoss"),
        ("logsigmoid", "log_sigmoid"),
        ("LogSigmoid", "nn.LogSigmoid"),
        ("hardswish", "hard_silu"),
        ("softmax_cross_entropy_with_integer_labels", "cross_entropy"),
        ("huber", "huber_loss"),
        ("autgrad", "autograd"),
        ("Linear", "nn.Linear"),
    ],
)
def test_a_name_that_there_is_not_is_answered_with_the_one_that_is_meant(
    name: str, answer: str
) -> None:
    with pytest.raises(AttributeError, match=f"no attribute '{name}'; did you mean .*`{answer}`"):
        getattr(pl, name)


def test_a_class_that_there_is_not_is_answered_with_the_one_that_is_meant() -> None:
    with pytest.raises(AttributeError, match=r"'portable_losses.nn' .*mean `CrossEntropyLoss`"):
        _ = UNCHECKED_NN.CrossEntrpyLoss
    with pytest.raises(AttributeError, match=r"'portable_losses.nn' .*`LogSigmoid`"):
        _ = UNCHECKED_NN.Logsigmoid


def test_nothing_is_meant_by_what_resembles_nothing() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'zzzzzzzz'$"):
        _ = UNCHECKED.zzzzzzzz
    with pytest.raises(AttributeError, match=r"no attribute '__wrapped__'$"):
        _ = UNCHECKED.__wrapped__


def test_the_names_of_other_libraries_are_those_of_the_document() -> None:
    theirs: dict[str, set[str]] = {}
    for entry in entries():
        for names in entry.theirs.values():
            for name in names:
                theirs.setdefault(name.rpartition(".")[2], set()).update(entry.ours)
    missing = {n for n in theirs if not hasattr(pl, n) and not hasattr(nn, n)} - {*OTHER_NAMES}
    assert missing == set()
    assert {n: ours for n, ours in OTHER_NAMES.items() if ours not in theirs[n]} == {}


def test_the_package_tells_its_versions_and_imports_no_library_for_it() -> None:
    code = (
        "import runpy, sys\n"
        "runpy.run_module('portable_losses', run_name='__main__')\n"
        "print([n for n in ('numpy', 'torch', 'jax', 'dask', 'llvmlite') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *lines, imported = done.stdout.splitlines()
    told = dict(line.split(maxsplit=1) for line in lines)
    assert imported == "[]"
    assert told["portable_losses"] == pl.__version__
    assert told["NumPy"] == importlib.metadata.version("numpy")
    assert told["threads"].isdigit()
    assert set(told) >= {"Python", "PyTorch", "JAX", "CuPy", "Dask", "kernels", "system"}

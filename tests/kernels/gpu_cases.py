"""Calls that the kernels for GPUs are tried with, on no GPU: every function with its options."""

from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import product
from typing import Any

import numpy as np
import pytest

from portable_losses._backend import Pair
from portable_losses.losses._targets import Target
from tests.accuracy import gaps

KERNELS = "portable_losses.backends.kernels"

agreement: Any = import_module(f"{KERNELS}.trial.agreement")
gpu_rows: Any = import_module(f"{KERNELS}.gpu_rows.kernels")
hard_rows: Any = import_module(f"{KERNELS}.trial.hard_rows")


def pair_of(module: str, name: str) -> Pair:
    """The portable halves of a function, as a kernel gets them."""
    file = import_module(f"portable_losses.{module}")
    return Pair(getattr(file, name).__wrapped__, getattr(file, f"{name}_grad"))


PAIRS = {
    "softmax": pair_of("activations.softmaxes", "_softmax"),
    "log_softmax": pair_of("activations.softmaxes", "_log_softmax"),
    "logsumexp": pair_of("special.log_exp", "_logsumexp"),
    "cross_entropy": pair_of("losses.categorical", "_cross_entropy"),
}
RELATIVES = ["softmax", "log_softmax", "logsumexp"]


def unchecked(language: Any) -> dict[str, Any]:
    """How each kernel runs, without the check at first use."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu_rows, "checked", lambda run, *_: run)
        return {name: kernel.run for name, kernel in gpu_rows.kernels(language).items()}


ALL = tuple(product([0.0, 0.125], [None, 5.0], *[[False, True]] * 3))
# nothing; each option at least once, with others and without; everything
FEW = ALL[0], ALL[5], ALL[18], ALL[13], ALL[31]


def cases(xp: Any, classes: int, combinations: Any = ALL) -> Iterator[tuple[str, str, Any]]:
    """Every function, with its options: its name, what is special, and what to run."""
    for name in RELATIVES:
        yield name, "", hard_rows.case_of_rows(name, classes, {"xp": xp})
    for smoothing, cap, with_lse, weighted, masked in combinations:
        options = {"xp": xp, "label_smoothing": smoothing, "softcap": cap, "with_lse": with_lse}
        case = hard_rows.case_of_cross_entropy(classes, options, weighted=weighted, masked=masked)
        yield "cross_entropy", f"{options}, {weighted}, {masked}", case


def errors_of_caps(run: Any, xp: Any, asarray: Callable[[Any], Any]) -> list[float]:
    """Return the largest errors, in ulp, of the losses and gradients of capped rows."""
    worst = [0.0, 0.0]
    for softcap in (30.0, 50.1):  # the second is no number of float32
        for place, x in enumerate(gaps.inputs(np.float32)):
            arrays = asarray(x), *Target(indices=asarray(gaps.given(x).wrong))
            options = {"xp": xp, "label_smoothing": 0.0, "softcap": softcap, "with_lse": False}
            out, backward = run(PAIRS["cross_entropy"], arrays, options, (0,))
            ones = asarray(np.ones(len(x), np.float32))
            slope = backward((ones,), out, *arrays, **options)[0]
            name = "cross_entropy capped" + ("" if softcap == 30 else f" by {softcap}")
            known = gaps.exact(name, np.float32, place)
            for i, got in enumerate((out[0], slope)):
                found = gaps.errors(np.asarray(got), known[i])
                worst[i] = max(worst[i], float(found.max()))
    return worst

"""`derivatives` beside scikit-learn's losses: those in Cython, and those of any array library.

Value and gradient of each sample, of NumPy arrays and of tensors; and what the Hessian costs beside
them.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import array_api_compat.numpy as xp_numpy
import array_api_compat.torch as xp_torch
import numpy as np
import torch
from sklearn import config_context
from sklearn._loss import loss as theirs

import portable_losses as pl
from benchmarks.timing import Program, Race

__all__ = ["derivatives"]

AIMS = {"scikit-learn, Cython": 1.5, "scikit-learn, any array": 1.0}


def derivatives(count: int, rows: int, classes: int) -> list[Race]:
    """Return the races: binomial and Poisson losses of samples, multinomial ones of rows."""
    rng = np.random.default_rng(8)
    raw, logits = rng.normal(size=count), rng.normal(size=(rows, classes))
    bits, counts = (rng.random(count) < 0.4).astype(float), rng.poisson(1.5, count).astype(float)
    labels = rng.integers(0, classes, rows)
    binomial = partial(pl.derivatives, pl.binary_cross_entropy_with_logits)
    poisson = partial(pl.derivatives, pl.poisson_nll_loss)
    multinomial = partial(pl.derivatives, pl.cross_entropy)
    of_classes = partial(theirs.HalfMultinomialLossArrayAPI, n_classes=classes)
    races: list[Race] = []
    for kind in (np.float32, np.float64):
        for name, loss, cython, portable, x, y in (
            (f"binomial {count}", binomial, *_binomial(), raw, bits),
            (f"Poisson {count}", poisson, *_poisson(), raw, counts),
            (
                f"multinomial {rows} x {classes}",
                multinomial,
                theirs.HalfMultinomialLoss(n_classes=classes),
                of_classes,
                logits,
                labels,
            ),
        ):
            z, t = x.astype(kind), y if y.dtype == np.int64 else y.astype(kind)
            what = f"{name} {np.dtype(kind).name}"
            races += _races(what, loss, cython, portable, z, t)
    return races


def _binomial() -> tuple[Any, Any]:
    return theirs.HalfBinomialLoss(), theirs.HalfBinomialLossArrayAPI


def _poisson() -> tuple[Any, Any]:
    return theirs.HalfPoissonLoss(), theirs.HalfPoissonLossArrayAPI


def _first_two(loss: Callable[..., Any], *arrays: Any, **options: Any) -> Any:
    return loss(*arrays, **options)[:2]


def _dispatched(loss: Any, y: Any, x: Any) -> Any:
    with config_context(array_api_dispatch=True):
        return loss.loss_gradient(y, x)


def _races(
    what: str, loss: Callable[..., Any], cython: Any, portable: Any, x: Any, y: Any
) -> list[Race]:
    """Return the races of one loss, on arrays and on tensors."""
    found: list[Race] = []
    for library, xp in (("NumPy", xp_numpy), ("tensors", xp_torch)):
        z, t, floats = x, y, y.astype(x.dtype)
        if library == "tensors":
            z, t, floats = map(torch.from_numpy, (z, t, floats))
        other = portable(xp=xp, device=getattr(z, "device", None))
        programs: dict[str, Program] = {"ours": partial(loss, z, t)}
        if library == "NumPy":
            programs["scikit-learn, Cython"] = partial(cython.loss_gradient, floats, z)
        programs["scikit-learn, any array"] = partial(_dispatched, other, floats, z)
        aims = {name: AIMS[name] for name in programs if name in AIMS}
        found.append(Race(f"value and gradient, {what}, {library}", programs, aims))
        name = "value and gradient"
        both: dict[str, Program] = {
            "ours": partial(_first_two, loss, z, t, order=2),
            name: programs["ours"],
        }
        found.append(Race(f"with the Hessian, {what}, {library}", both, {name: 1.5}))
    return found

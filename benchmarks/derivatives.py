"""`derivatives` beside scikit-learn's losses: those in Cython, and those of any array library.

Value and gradient of each sample, of NumPy arrays and of tensors; and what the Hessian costs beside
them.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Any, NamedTuple

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


class Peer(NamedTuple):
    """A loss of ours with its options, and the one of scikit-learn's that is the same."""

    name: str
    ours: Callable[..., Any]
    options: dict[str, Any]
    cython: Any
    portable: Any  # None: scikit-learn has it in Cython alone
    samples: str  # the names of the predictions and the targets


def _peers(classes: int) -> list[Peer]:
    """Return all losses that scikit-learn has; deviances as there, with or without terms in t."""
    half = {"factor": 0.5}
    short: dict[str, Any] = {**half, "full": False}
    of_mean: dict[str, Any] = {**half, "log_input": False}
    tweedie, of_rows = pl.tweedie_deviance_loss, theirs.HalfMultinomialLossArrayAPI
    found = [
        Peer("squared error", pl.mse_loss, half, theirs.HalfSquaredError(), None, "real real"),
        Peer("absolute error", pl.l1_loss, {}, theirs.AbsoluteError(), None, "real real"),
        Peer(
            "pinball",
            pl.quantile_loss,
            {"q": 0.3},
            theirs.PinballLoss(quantile=0.3),
            None,
            "real real",
        ),
        Peer(
            "Huber", pl.huber_loss, {"delta": 0.5}, theirs.HuberLoss(delta=0.5), None, "real real"
        ),
        Peer(
            "Poisson",
            pl.poisson_nll_loss,
            {},
            theirs.HalfPoissonLoss(),
            theirs.HalfPoissonLossArrayAPI,
            "real count",
        ),
        Peer(
            "Poisson deviance",
            pl.poisson_deviance_loss,
            short,
            theirs.HalfPoissonLoss(),
            theirs.HalfPoissonLossArrayAPI,
            "real count",
        ),
        Peer(
            "gamma deviance",
            pl.gamma_deviance_loss,
            short,
            theirs.HalfGammaLoss(),
            None,
            "real positive",
        ),
        Peer(
            "binomial",
            pl.binary_cross_entropy_with_logits,
            {},
            theirs.HalfBinomialLoss(),
            theirs.HalfBinomialLossArrayAPI,
            "real bit",
        ),
        Peer("exponential", pl.exponential_loss, {}, theirs.ExponentialLoss(), None, "real bit"),
        Peer(
            "multinomial",
            pl.cross_entropy,
            {},
            theirs.HalfMultinomialLoss(n_classes=classes),
            partial(of_rows, n_classes=classes),
            "logits label",
        ),
    ]
    for power in (0.0, 1.5, 1.7, 3.0):
        options = {**short, "power": power, "full": power == 0}  # as there
        targets = "count" if power < 2 else "positive"
        cython = theirs.HalfTweedieLoss(power=power)
        found.append(Peer(f"Tweedie {power}", tweedie, options, cython, None, f"real {targets}"))
    for power in (0.0, 1.0, 1.5, 2.0):
        options = {**of_mean, "power": power}
        targets = "count" if power < 2 else "positive"
        cython = theirs.HalfTweedieLossIdentity(power=power)
        name = f"Tweedie {power} of means"
        found.append(Peer(name, tweedie, options, cython, None, f"positive {targets}"))
    return found


def derivatives(
    count: int, rows: int, classes: int, *, dtypes: Sequence[Any] = (np.float32, np.float64)
) -> list[Race]:
    """Return the races of every loss that scikit-learn has: of samples, and one of rows."""
    rng = np.random.default_rng(8)
    samples: dict[str, Any] = {
        "real": rng.normal(size=count),
        "count": rng.poisson(1.5, count).astype(float),
        "positive": rng.gamma(2.0, size=count) + 1e-3,
        "bit": (rng.random(count) < 0.4).astype(float),
        "logits": rng.normal(size=(rows, classes)),
        "label": rng.integers(0, classes, rows),
    }
    races: list[Race] = []
    for kind, peer in product(dtypes, _peers(classes)):
        x, y = (samples[name] for name in peer.samples.split())
        y = np.roll(y, 1) if y is x else y
        z = np.ascontiguousarray(x, kind)
        t = y if y.dtype == np.int64 else np.ascontiguousarray(y, kind)
        size = f"{rows} x {classes}" if z.ndim == 2 else f"{count}"
        what = f"{peer.name} {size} {np.dtype(kind).name}"
        ours = partial(pl.derivatives, peer.ours, **peer.options)
        races += _races(what, ours, peer.cython, peer.portable, z, t)
    return races


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
        programs: dict[str, Program] = {"ours": partial(loss, z, t)}
        host = x, y.astype(x.dtype)  # which Cython takes alone
        programs["scikit-learn, Cython"] = partial(cython.loss_gradient, host[1], host[0])
        if portable is not None:
            other = portable(xp=xp, device=getattr(z, "device", None))
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

"""A linear layer's cross entropy on NumPy and PyTorch: arrays, options, how far rounding goes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses import autograd
from portable_losses._typing import Array
from tests.libraries import Library

blocks: Any = pytest.importorskip("portable_losses.backends.kernels.machine.blocks")
kernel: Any = pytest.importorskip("portable_losses.backends.kernels.cross_entropy.linear")
on_numpy: Any = pytest.importorskip("portable_losses.backends.kernels.cross_entropy.linear_numpy")

KERNELS = ["numpy", "torch"]
both = pytest.mark.parametrize("name", KERNELS)
random = np.random.default_rng(11)
ROWS, WIDTH, CLASSES = 9, 4, 7
HIDDEN, WEIGHT = random.normal(size=(ROWS, WIDTH)) * 2, random.normal(size=(CLASSES, WIDTH))
HIDDEN[0] = 9 * WEIGHT[0]  # a confident row
HIDDEN[1] = -9 * WEIGHT[1]  # and a wrong one
BIAS = random.normal(size=CLASSES)
INDEX: Any = np.arange(ROWS) * 5 % CLASSES
IGNORED = np.where(np.arange(ROWS) % 3 == 1, -100, INDEX)
OF_CLASS, OF_ROW = np.linspace(0, 2, CLASSES), np.linspace(0, 2, ROWS)
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bias": {"bias": BIAS},
    "class_weight": {"class_weight": OF_CLASS},
    "smoothing": {"label_smoothing": 0.125},
    "smoothing 1": {"label_smoothing": 1.0},
    "z_loss": {"z_loss": 0.25},
    "softcap": {"softcap": 5.0, "bias": BIAS},
    "return_lse": {"return_lse": True},
    "sample_weight": {"sample_weight": OF_ROW},
    "chunks": {"chunk_size": 4},
    "smoothing, z_loss, sample_weight": {
        "label_smoothing": 0.125,
        "z_loss": 0.25,
        "bias": BIAS,
        "sample_weight": OF_ROW,
    },
    "class_weight, z_loss, softcap": {"class_weight": OF_CLASS, "z_loss": 0.25, "softcap": 5.0},
    "smoothing, softcap": {"label_smoothing": 0.125, "softcap": 5.0},
}


def scalar(library: Library, target: Any, dtype: str, **options: Any) -> Callable[..., Any]:
    """The loss as a function of hidden, weight and bias; after "none" every row has a factor."""
    given = {
        key: library.array(value, dtype) if isinstance(value, np.ndarray) else value
        for key, value in options.items()
    }
    given.pop("bias", None)
    target = library.array(target)

    def loss(hidden: Array, weight: Array, bias: Array | None = None) -> Any:
        out = pl.linear_cross_entropy(hidden, weight, target, bias=bias, **given)
        out = out[0] if isinstance(out, tuple) else out
        if out.ndim == 0:
            return out
        factor = 1.0 + np.arange(len(out)) % 7 / 8
        return array_namespace(out).sum(out * library.array(factor, dtype))

    return loss


def gradients(library: Library, f: Any, given: list[Any], places: tuple[int, ...]) -> Any:
    """The gradients of `f`, which nobody differentiates again: then the kernel makes them."""
    if library.module == "numpy":
        return autograd.grad(f, argnums=places)(*given)
    import torch

    leaves = [x.clone().requires_grad_(i in places) for i, x in enumerate(given)]
    return torch.autograd.grad(f(*leaves), [leaves[i] for i in places])


def value_and_grads(library: Library, f: Any, arrays: list[Any], dtype: str) -> list[Any]:
    given = [library.array(x, dtype) for x in arrays]
    grads = gradients(library, f, given, tuple(range(len(given))))
    return [library.numpy(x) for x in (f(*given), *grads)]


def arguments(options: dict[str, Any]) -> list[Any]:
    return [HIDDEN, WEIGHT, *([options["bias"]] if "bias" in options else [])]


def rounding(terms: int, dtype: str) -> float:
    """Return what rounding may change a sum of so many terms by, over the sum of their sizes.

    Errors that are independent add up like the root of their number: with u = eps / 2, to no more
    than 6 u sqrt(n) with probability 1 - 3e-8 (Higham and Mary, SIAM J. Sci. Comput. 41, 2019),
    in whatever order and pieces a library of matrix products adds.
    """
    return 3 * float(np.finfo(dtype).eps) * terms**0.5


def error_of_rows(hidden: Any, weight: Any, bias: Any, dtype: str) -> Any:
    """Return how far rounding may move the loss of a row, and its probabilities in proportion.

    A logit is a sum over the features, of numbers that are rounded themselves. An error d of a
    row's logits moves both by 2 d; the sum over the classes is rounded as well.
    """
    sizes = np.abs(hidden) @ np.abs(weight).T + np.abs(bias)
    off = 2 * sizes.max(1, initial=0) * rounding(hidden.shape[1] + 3, dtype)
    return off + rounding(max(hidden.shape[0], len(weight)), dtype)


def assert_near(got: list[Any], exact: list[Any], arrays: list[Any], dtype: str) -> None:
    """Hold `got` to what rounding may do to few rows, in proportion to the largest entry."""
    hidden, weight, bias = (*arrays, 0)[:3]
    bound = error_of_rows(hidden, weight, bias, dtype).max()
    for one, right in zip(got, exact, strict=True):
        assert (one.shape, one.dtype) == (right.shape, dtype)
        assert np.max(np.abs(one - right), initial=0) <= bound * np.max(np.abs(right), initial=0)

"""Rows that a cross entropy leaves out may hold anything, with every option, kernels on and off.

Left out by `where`, by `ignore_index`, by a weight of 0 of the row or of its class, or by
probabilities that are all 0: the value, the gradients and the second derivative keep their bits.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses import _backend
from portable_losses._backend import Speed, load_backend
from tests.libraries import EVERY_ROW, EVERYWHERE, SLOW, Library
from tests.samples import weights_of

LOSSES = [pl.cross_entropy, pl.linear_cross_entropy, pl.nll_loss]
MASKS = ["where", "ignore_index", "sample_weight", "class weight", "probabilities"]
BAD = [np.nan, np.inf, -np.inf, 1e38]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"softcap": 1.0},
    {"z_loss": 0.1},
    {"label_smoothing": 0.25},
    {"label_smoothing": 1.0, "return_lse": True},
    {"weight": True},
    {"softcap": 1.0, "z_loss": 0.1, "return_lse": True, "weight": True},
    {"softcap": 1.0, "label_smoothing": 0.25, "z_loss": 0.1, "weight": True},
]
ROWS = np.asarray([True, False, True, False, True])
CLASSES = 4


def options_of(loss: Any, mask: str, *, few: bool) -> Iterator[dict[str, Any]]:
    """The options that a loss has and that leave the rows out altogether."""
    for options in OPTIONS[1::3] if few else OPTIONS:
        own = options
        if loss is pl.nll_loss:
            own = {k: v for k, v in options.items() if k == "weight"}
        if mask in ("class weight", "probabilities"):  # these weigh neither the penalty ...
            own = {k: v for k, v in own.items() if k in ("softcap", "weight")}
        if own or not options or few:
            yield own


def call(loss: Any, mask: str, target: str, options: dict[str, Any], bad: float) -> dict[str, Any]:
    """The arrays and options of a call, with `bad` in all that the mask leaves out."""
    dice = np.random.default_rng(0)
    z, index = dice.normal(size=(5, CLASSES)), np.asarray([0, 1, 2, 3, 1])
    index = np.where(ROWS, index % 3, 3)  # the class of weight 0 stands in rows left out alone
    q = dice.uniform(size=(5, CLASSES))
    z = np.where(ROWS[:, None], z, bad)
    weight = np.asarray([0.5, 1.0, 2.0, 0.75])
    given: dict[str, Any] = {"options": dict(options)}
    if mask == "where":
        given["where"] = ROWS
        q = np.where(ROWS[:, None], q, bad)  # negative or NaN: it is not looked at
        index = np.where(ROWS, index, 3 if np.isnan(bad) else -7)
    elif mask == "ignore_index":
        index = np.where(ROWS, index, -100)
    elif mask == "sample_weight":
        given["sample_weight"] = np.where(ROWS, 0.5, 0.0)
    elif mask == "class weight":
        weight[3], q[:, 3] = 0.0, 0.0
        q = np.where(ROWS[:, None], q, np.eye(CLASSES)[3])
    else:
        q = np.where(ROWS[:, None], q, 0.0)
    if given["options"].pop("weight", False) or mask == "class weight":
        given["class_weight" if loss is pl.linear_cross_entropy else "weight"] = weight
    arrays = [z, q if target == "shares" else index]
    if loss is pl.linear_cross_entropy:
        layer = dice.normal(size=(CLASSES, CLASSES))
        arrays, given["bias"] = [z, layer, arrays[1]], dice.normal(size=CLASSES)
    return {"arrays": arrays, **given}


def results(library: Library, loss: Any, given: dict[str, Any], reduction: str) -> Iterator[Any]:
    """The value, the gradients by all that is learned, and a second derivative by it."""
    arrays = [library.array(a, "float32") for a in given["arrays"]]
    named = {
        k: library.array(a, "float32") for k, a in given.items() if k not in ("arrays", "options")
    }
    learned = (0, 1) if loss is pl.linear_cross_entropy else (0,)

    def f(*xs: Any) -> Any:
        rest = arrays[len(xs) :]
        out = loss(*xs, *rest, **named, **given["options"], reduction=reduction)
        return out[0] if isinstance(out, tuple) else out

    def total(*xs: Any) -> Any:
        out = f(*xs)
        return array_namespace(out).sum(out)

    slopes = library.gradient(total, learned)

    def along(*xs: Any) -> Any:
        added: Any = 0
        for made in slopes(*xs):
            shares = library.array(weights_of(np.empty(tuple(made.shape))), "float32")
            added = array_namespace(made).sum(made * shares) + added
        return added

    variables = arrays[: len(learned)]
    yield library.numpy(f(*variables))
    yield from map(library.numpy, library.quickly(slopes)(*variables))
    if library.module == "dask.array":  # whose graph of a second derivative takes seconds
        return
    yield from map(library.numpy, library.quickly(library.gradient(along, learned))(*variables))


def with_kernels(library: Library, kernels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kernels == "off":
        own = replace(load_backend(library.package), speed=Speed())
        monkeypatch.setitem(_backend._LOADED, library.package, own)


#: JAX and Dask take seconds for a case: one here, all of them in `make test-all`.
SLOWLY = [("jax", pl.cross_entropy, "class weight")]
EACH = [
    (library, kernels, loss, mask, target)
    for library in EVERYWHERE
    if library.name in ("numpy", "torch", "array_api_strict", "dask", "jax")
    for kernels in (("on", "off") if library.name in ("numpy", "torch") else ("on",))
    for loss, mask, target in product(LOSSES, MASKS, ("indices", "shares"))
    if (mask, target) not in (("ignore_index", "shares"), ("probabilities", "indices"))
    if library.module not in SLOW
    or (target == "indices" and (EVERY_ROW or (library.name, loss, mask) in SLOWLY))
]
# With kernels, which are ours, all of them; without a third.
CASES = [case for i, case in enumerate(EACH) if EVERY_ROW or case[1] == "on" or i % 3 == 0]


@pytest.mark.parametrize(
    ("library", "kernels", "loss", "mask", "target"),
    CASES,
    ids=lambda v: getattr(v, "__name__", str(v)),
)
def test_a_row_that_is_left_out_leaks_nowhere(
    library: Library,
    kernels: str,
    loss: Any,
    mask: str,
    target: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_kernels(library, kernels, monkeypatch)
    few = library.name != "numpy"
    own = list(options_of(loss, mask, few=few))
    for i, options in enumerate(own[-1:] if library.module in SLOW else own):
        reduction = ("mean", "none")[i % 2]
        want: list[Any] = []
        for bad in (0.25, *(BAD[i % 2 :: 2] if few else BAD)):
            with library.active(), np.errstate(all="ignore"):
                given = call(loss, mask, target, options, bad)
                got = list(results(library, loss, given, reduction))
            want = want or got
            for one, other in zip(got, want, strict=True):
                np.testing.assert_array_equal(one, other, err_msg=f"{options} with {bad}")

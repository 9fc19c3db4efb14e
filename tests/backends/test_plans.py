"""A call that is repeated by a plan is the call: the same bits, errors and derivatives."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

import portable_losses as pl
from portable_losses import _backend, _plans
from portable_losses._backend import load_backend
from portable_losses._typing import Array
from portable_losses.autograd import grad, tensor
from tests.libraries import INSTALLED, named
from tests.rows import ONCE, SELECTED
from tests.samples import Sample

from .test_without_speed import results

pytest.importorskip("llvmlite")
LIBRARIES = [name for name in ("numpy", "torch") if INSTALLED[name]]
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((2, 2, 40)).astype(np.float32)
BITS, SHARES = (Y > 0).astype(np.float32), RNG.uniform(0.1, 0.9, (2, 40)).astype(np.float32)
ROWS, CLASSES = RNG.standard_normal((2, 8, 5)), RNG.integers(0, 5, (2, 8))


@contextmanager
def without_plans(name: str) -> Generator[None, None, None]:
    """Every call takes the long way."""
    known = load_backend(name)
    _backend._LOADED[name] = replace(known, speed=replace(known.speed, repeats=None))
    try:
        yield
    finally:
        _backend._LOADED[name] = known


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What plans return from now on."""
    seen: list[Any] = []
    call = _plans.Plan.__call__

    def counted(self: Any, *args: Any) -> Any:
        made = call(self, *args)
        seen.append(made)
        return made

    monkeypatch.setattr(_plans.Plan, "__call__", counted)
    return seen


@pytest.mark.parametrize("row", [r for r in ONCE if r in SELECTED][::20], ids=str)
@pytest.mark.parametrize("name", LIBRARIES)
def test_a_row_has_the_bits_of_the_long_way(name: str, row: Sample) -> None:
    library = named(name)
    with without_plans(name):
        want = list(results(row, library, "float32"))
    for _ in range(2):
        found = list(results(row, library, "float32"))
        for (what, got), (_, expected) in zip(found, want, strict=True):
            assert got.tobytes() == expected.tobytes(), what


CALLS: dict[str, tuple[Callable[..., Any], dict[str, Any], list[Any]]] = {
    "loss": (pl.huber_loss, {}, [(X[0], Y[0]), (X[1], Y[1])]),
    "activation": (pl.gelu, {}, [(X[0],), (X[1],)]),
    "sum": (pl.mse_loss, {"reduction": "sum"}, [(X[0], Y[0]), (X[1], Y[1])]),
    "labels": (pl.binary_cross_entropy_with_logits, {}, [(X[0], BITS[0]), (X[1], BITS[1])]),
    "signs": (pl.hinge_loss, {}, [(X[0], 2 * BITS[0] - 1), (X[1], 2 * BITS[1] - 1)]),
    "rows": (pl.cross_entropy, {}, [(ROWS[0], CLASSES[0]), (ROWS[1], CLASSES[1])]),
    "chosen": (pl.nll_loss, {}, [(ROWS[0], CLASSES[0]), (ROWS[1], CLASSES[1])]),
    "smoothed": (
        pl.cross_entropy,
        {"label_smoothing": 0.1},
        [(ROWS[0], CLASSES[0]), (ROWS[1], CLASSES[1])],
    ),
    "softmax": (pl.softmax, {}, [(ROWS[0],), (ROWS[1],)]),
    "above": (pl.msle_loss, {}, [(X[0] ** 2, Y[0] ** 2), (X[1] ** 2, Y[1] ** 2)]),
    "signs or shares": (pl.exponential_loss, {}, [(X[0], 2 * BITS[0] - 1), (X[1], SHARES[1])]),
    "three": (pl.gaussian_nll_loss, {}, [(X[i], Y[i], SHARES[i]) for i in range(2)]),
    "filled": (
        pl.binary_cross_entropy_with_logits,
        {"pos_weight": 2.0},
        [(X[0], BITS[0]), (X[1], BITS[1])],
    ),
    "by position": (pl.boxcox, {}, [(SHARES[0], 0.5), (SHARES[1], 0.5)]),
}
WEIGHTED = {
    "weighted": {"sample_weight": SHARES},
    "masked": {"where": Y > 0},
    "both": {"sample_weight": SHARES, "where": Y > 0},
}
OF_CLASSES = RNG.uniform(0.5, 2, (2, 5))
OF_ROWS = {
    "classes": {"weight": OF_CLASSES},
    "samples": {"sample_weight": SHARES[:, :8].astype(float)},
    "product": {"weight": OF_CLASSES, "sample_weight": SHARES[:, :8].astype(float)},
}
WAYS: dict[str, tuple[Callable[..., Any], dict[str, Any], list[Any]]] = {
    **CALLS,
    **{n: (pl.huber_loss, x, [(X[0], Y[0]), (X[1], Y[1])]) for n, x in WEIGHTED.items()},
    **{n: (pl.cross_entropy, x, CALLS["rows"][2]) for n, x in OF_ROWS.items()},
    "chosen, weighed": (pl.nll_loss, OF_ROWS["product"], CALLS["rows"][2]),
    "summed": (pl.cross_entropy, {**OF_ROWS["product"], "reduction": "sum"}, CALLS["rows"][2]),
}


def value_and_slopes(
    name: str, function: Callable[..., Any], arrays: Any, options: Any, again: bool = False
) -> list[Array]:
    """The value, the gradient of the squares' sum, and with `again` that of its squares' sum.

    Of a number it is the gradient itself: the long way of rows multiplies it by a number that it
    has found from two that are rounded.
    """
    library = named(name)
    first, *others = [library.array(x) if isinstance(x, np.ndarray) else x for x in arrays]
    given = {n: library.array(x) if isinstance(x, np.ndarray) else x for n, x in options.items()}

    def total(x: Array) -> Array:
        out: Any = function(x, *others, **given)
        return (out * out).sum() if out.ndim else out

    if name == "numpy":
        leaf = tensor(first)
        out: Any = total(leaf)
        out.backward(create_graph=again)
        found = [out.array, np.asarray(leaf.grad.array)]
        if again:
            found.append(grad(lambda x: (grad(total)(x) ** 2).sum())(first))
        return found
    import torch

    leaf = first.clone().requires_grad_()
    out = total(leaf)
    (slope,) = torch.autograd.grad(out, leaf, create_graph=again)
    found = [out.detach().numpy(), slope.detach().numpy()]
    if again:
        found.append(torch.autograd.grad((slope**2).sum(), leaf)[0].numpy())
    return found


@pytest.mark.parametrize("count", [np.asarray(5.0), np.asarray(5), np.float32(5)], ids=repr)
@pytest.mark.parametrize("name", LIBRARIES)
def test_a_denominator_in_an_array_is_that_number(name: str, count: Any, runs: list[Any]) -> None:
    given = named(name).array(count) if isinstance(count, np.ndarray) else count
    found = [
        value_and_slopes(name, pl.huber_loss, (X[0], Y[0]), {"denominator": x})
        for x in (given, given, 5)
    ]
    assert runs
    assert {tuple(x.tobytes() for x in one) for one in found} == {
        tuple(x.tobytes() for x in found[0])
    }


@pytest.mark.parametrize("kind", WAYS)
@pytest.mark.parametrize("name", LIBRARIES)
def test_other_values_take_the_plan_and_have_the_bits_of_the_long_way(
    name: str, kind: str, runs: list[Any]
) -> None:
    function, options, given = WAYS[kind]
    way = [
        {n: x[i] if isinstance(x, np.ndarray) else x for n, x in options.items()} for i in range(2)
    ]
    value_and_slopes(name, function, given[0], way[0])  # the plan is made
    runs.clear()
    for again in (False, True):
        got = value_and_slopes(name, function, given[1], way[1], again)
        with without_plans(name):
            want = value_and_slopes(name, function, given[1], way[1], again)
        assert [x.tobytes() for x in got[:2]] == [x.tobytes() for x in want[:2]]
        for x, y in zip(got[2:], want[2:], strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-9)
    assert runs
    assert all(made is not None for made in runs)


@pytest.mark.parametrize("name", LIBRARIES)
def test_what_is_wrong_is_said_at_every_call(name: str, runs: list[Any]) -> None:
    array = named(name).array
    z, y, w = array(X[0]), BITS[0].copy(), array(SHARES[0])
    for _ in range(3):
        pl.binary_cross_entropy_with_logits(z, array(y))
        pl.huber_loss(z, array(y), sample_weight=w)
        pl.cross_entropy(array(ROWS[0]), array(CLASSES[0]))
    assert runs
    y[7] = 2.0
    with pytest.raises(ValueError, match=r"`target` must lie in \[0, 1\], got 2.0 at position"):
        pl.binary_cross_entropy_with_logits(z, array(y))
    with pytest.raises(ValueError, match=r"`sample_weight` must be at least 0, got -1\.0"):
        pl.huber_loss(z, array(y), sample_weight=array(np.where(y == 2, -1, y)))
    with pytest.raises(IndexError, match=r"hold class indices in \[0, 5\)"):
        pl.cross_entropy(array(ROWS[0]), array(CLASSES[0] + 1))
    bad: Any
    for bad in ({"weight": array(-OF_CLASSES[0])}, {"sample_weight": -w[:8]}):
        with pytest.raises(ValueError, match=r"weight` must be at least 0, got -"):
            pl.cross_entropy(array(ROWS[0]), array(CLASSES[0]), **bad)
    y[7] = np.nan
    assert np.isnan(float(pl.binary_cross_entropy_with_logits(z, array(y))))
    with pl.validation(False):
        assert np.isnan(float(pl.huber_loss(z, array(y), sample_weight=w)))


@pytest.mark.parametrize("name", LIBRARIES)
def test_weights_of_0_after_a_plan_leave_out_what_they_weigh(name: str) -> None:
    array = named(name).array
    z, target, weights = ROWS[0].copy(), array(CLASSES[0]), np.ones(8)
    for _ in range(2):
        pl.cross_entropy(array(z), target, sample_weight=array(weights))
        pl.cross_entropy(array(z), target, weight=array(weights[:5]))
    want = float(pl.cross_entropy(array(z[1:]), target[1:]))
    z[0], weights[0] = np.nan, 0
    got = pl.cross_entropy(array(z), target, sample_weight=array(weights))
    assert float(got) == pytest.approx(want, rel=1e-12)
    assert float(pl.cross_entropy(array(ROWS[0]), target, weight=array(0 * weights[:5]))) == 0


@pytest.mark.skipif("torch" not in LIBRARIES, reason="PyTorch is not installed")
@pytest.mark.parametrize("kind", OF_ROWS)
def test_weights_may_ask_for_gradients_after_a_plan_was_made(kind: str) -> None:
    import torch

    x, target = torch.asarray(ROWS[0]), torch.asarray(CLASSES[0])
    for reduction in ("mean", "sum"):
        weights: Any = {name: torch.tensor(w[0]) for name, w in OF_ROWS[kind].items()}
        for asks in (False, False, True):
            for w in weights.values():
                w.requires_grad_(asks)
            out = pl.cross_entropy(x, target, **weights, reduction=reduction)
        got = torch.autograd.grad(out, list(weights.values()))
        with without_plans("torch"):
            out = pl.cross_entropy(x, target, **weights, reduction=reduction)
            want = torch.autograd.grad(out, list(weights.values()))
        for one, other in zip(got, want, strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_plan_knows_its_arguments(name: str) -> None:
    array = named(name).array
    x, y = array(X[0]), array(Y[0])
    same = [pl.mse_loss(x, x) for _ in range(3)]
    assert [float(v) for v in same] == [0.0, 0.0, 0.0]
    assert float(pl.mse_loss(x, y)) > 0
    long = array(np.repeat(X[0], 2))[::2]  # with gaps in memory
    for _ in range(3):
        assert float(pl.mse_loss(long, y)) == pytest.approx(float(pl.mse_loss(x, y)), rel=1e-6)
    for delta in (1.0, 0.5, 1, True) * 2:
        if delta is True:
            with pytest.raises(TypeError, match="`delta` must be a Python number"):
                pl.huber_loss(x, y, delta=delta)
        else:
            with without_plans(name):
                want = float(pl.huber_loss(x, y, delta=delta))
            assert float(pl.huber_loss(x, y, delta=delta)) == want
    with pytest.raises(ValueError, match="shapes must be equal"):
        pl.huber_loss(x, y[:20])
    with pytest.raises(TypeError, match="takes no argument"):
        cast("Any", pl).huber_loss(x, y, beta=1.0)


@pytest.mark.skipif("torch" not in LIBRARIES, reason="PyTorch is not installed")
def test_transforms_see_the_portable_pair_after_a_plan_was_made(runs: list[Any]) -> None:
    import torch

    x, y = torch.asarray(X[0]), torch.asarray(BITS[0])
    loss = pl.binary_cross_entropy_with_logits
    want = [loss(x, y) for _ in range(3)][-1]
    assert runs
    slope = torch.func.grad(loss)(x, y)
    by_mode = torch.func.jvp(lambda x: loss(x, y), (x,), (torch.ones_like(x),))[1]
    several = torch.func.vmap(lambda x, y: loss(x[None], y[None]))(x, y)
    torch.testing.assert_close(several.mean(), want)
    torch.testing.assert_close(slope.sum(), by_mode)


def test_plans_hold_no_array() -> None:
    from weakref import ref

    x: Any = np.ones(33, np.float32)
    for _ in range(3):
        pl.silu(x)
        pl.mse_loss(x, x + 1)
    found = ref(x)
    del x
    assert found() is None

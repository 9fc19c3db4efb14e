"""What JAX does with our functions: jit, both modes, vmap and their mixtures, and 32 bits."""

import math
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from portable_losses.backends.jax import negative_size

import portable_losses as pl
from portable_losses import autograd
from portable_losses._gradient import with_gradient
from portable_losses._typing import Array
from tests.laws.test_limits import at_zero
from tests.libraries import EVERY_ROW, named
from tests.rows import CURVES, FEW, ONCE
from tests.samples import Arrays, Key, Sample

JAX = named("jax")
INF, NAN = math.inf, math.nan

Function = Callable[..., Any]


def moderate(sample: Sample) -> dict[Key, Array]:
    """The arrays of a row, the floats among them inside every domain and off every kink."""
    return {key: jnp.asarray(a) for key, a in sample.moderate.items()}


def total(outs: tuple[Array, ...]) -> Array:
    """The sum of the results' finite entries, each with a weight of its own."""
    parts = [jnp.ravel(jnp.where(jnp.isfinite(out), out, 0.0)) for out in outs]
    return sum((part @ (1 + np.arange(len(part)) % 7 / 8) for part in parts), jnp.zeros(()))


def flat(sample: Sample, arrays: Arrays) -> tuple[Function, Array]:
    """The row as a number that depends on one vector, and that vector."""
    shapes = {key: arrays[key].shape for key in sample.variables}
    ends = np.cumsum([math.prod(shape) for shape in shapes.values()])[:-1].tolist()

    def f(x: Array) -> Array:
        parts = jnp.split(x, ends)
        moved = {k: jnp.reshape(p, s) for (k, s), p in zip(shapes.items(), parts, strict=True)}
        return total(sample.call({**arrays, **moved}))

    return f, jnp.concatenate([jnp.ravel(arrays[key]) for key in shapes])


def assert_close(got: Array, want: Array) -> None:
    size = float(np.max(np.abs(want), initial=0.1))
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12 * size)


# ---- transforms ------------------------------------------------------------------------------


@pytest.mark.parametrize("first", range(0, len(ONCE), 8))
def test_values_and_gradients_are_those_of_the_definitions(first: int) -> None:
    rows = ONCE[first : first + 8]

    def results(*arrays: list[Array]) -> list[tuple[Array, ...]]:
        found: list[tuple[Array, ...]] = []
        for row, xs in zip(rows, arrays, strict=True):
            given = dict(zip(row.given, xs, strict=True))
            gradient = JAX.gradient(row.scalar(given, JAX, "float64"), range(len(row.variables)))
            grads = gradient(*(given[key] for key in row.variables)) if row.variables else ()
            found.append((*row.call(given), *grads))
        return found

    got = JAX.quickly(results)(*(list(row.on(JAX).values()) for row in rows))
    for row, outs in zip(rows, got, strict=True):
        for out, want in zip(outs, (*row.value, *row.gradient), strict=True):
            size = float(np.max(np.abs(want), initial=0.1, where=np.isfinite(want)))
            np.testing.assert_allclose(
                np.asarray(out), want, 1e-11, 1e-13 * size, err_msg=str(row), strict=True
            )


@pytest.mark.parametrize("sample", ONCE if EVERY_ROW else FEW[:2], ids=str)
def test_both_modes_and_a_map_give_one_answer(sample: Sample) -> None:
    f, x = flat(sample, moderate(sample))
    u = jnp.cos(jnp.arange(len(x)))

    def everything(x: Array) -> tuple[Array, ...]:
        _, slope = jax.jvp(f, (x,), (u,))
        maps = jax.vmap(jax.value_and_grad(f))(jnp.stack([x, 0.75 * x]))
        bends = jax.jvp(jax.grad(f), (x,), (u,))[1], jax.grad(lambda x: jax.grad(f)(x) @ u)(x)
        return slope, *maps, *bends

    slope, values, gradients, forward, backward = JAX.quickly(everything)(x)
    assert_close(values, np.stack([f(x), f(0.75 * x)]))  # eager: every value is looked at
    assert_close(slope, gradients[0] @ u)
    assert_close(forward, backward)


#: Each takes seconds, and both modes of every kind of function are compared above.
QUICK = [row for row in FEW if str(row) in ("gelu", "xlogy")]


@pytest.mark.parametrize("sample", ONCE if EVERY_ROW else QUICK, ids=str)
def test_every_mixture_of_transforms_gives_one_answer(sample: Sample) -> None:
    f, x = flat(sample, moderate(sample))
    xs, u = jnp.stack([x, 0.75 * x]), jnp.cos(jnp.arange(len(x)))
    want = f(x)  # eager: every value is looked at

    def everything(x: Array, xs: Array) -> dict[str, Any]:
        return {
            "value": f(x),
            "grad": jax.grad(f)(x),
            "jvp": jax.jvp(f, (x,), (u,)),
            "fwd over rev": jax.hessian(f)(x),
            "rev over rev": jax.jacrev(jax.jacrev(f))(x),
            "fwd over fwd": jax.jacfwd(jax.jacfwd(f))(x),
            "vmap": jax.vmap(f)(xs),
            "vmap of hessian": jax.vmap(jax.hessian(f))(xs),
            "vmap of jit of grad": jax.vmap(jax.jit(jax.grad(f)))(xs),
            "grad of jit of jvp": jax.grad(jax.jit(lambda x: jax.jvp(f, (x,), (u,))[1]))(x),
        }

    got = JAX.quickly(everything)(x, xs)
    assert_close(got["value"], want)
    assert_close(got["jvp"][0], want)
    assert_close(got["jvp"][1], got["grad"] @ u)
    hessian = got["rev over rev"]
    for name in ("fwd over rev", "fwd over fwd"):
        assert_close(got[name], hessian)
    assert_close(got["grad of jit of jvp"], hessian @ u)
    assert_close(got["vmap"], np.stack([f(x) for x in xs]))
    assert_close(got["vmap of jit of grad"][0], got["grad"])
    assert_close(got["vmap of hessian"][0], hessian)


EAGER = [row for row in FEW if row.function is not pl.cross_entropy][4:5]  # each operation compiles


@pytest.mark.parametrize("sample", EAGER, ids=str)
def test_the_gradient_of_an_eager_call_is_the_compiled_one(sample: Sample) -> None:
    f, x = flat(sample, moderate(sample))
    assert_close(jax.grad(f)(x), JAX.quickly(jax.grad(f))(x))


# ---- the ends of the numbers -----------------------------------------------------------------

ENDS = [-1e4, 1e4, -1e300, 1e300]
UNBOUNDED_DOMAIN = [curve for curve in CURVES if curve.low == -INF]
SMOOTH = [curve for curve in UNBOUNDED_DOMAIN if not curve.unbounded]


def each(f: Function) -> Function:
    """The derivative of `f`, entry by entry."""
    return jax.vmap(jax.grad(lambda x: f(x[None])[0]))


def twice(f: Function) -> Function:
    """The second derivative of `f`, entry by entry."""
    return jax.vmap(jax.grad(jax.grad(lambda x: f(x[None])[0])))


def test_values_and_slopes_are_finite_and_take_their_limits_under_jit() -> None:
    def everything(x: Array) -> dict[str, Any]:
        return {
            **{str(f): (f(x), each(f)(x)) for f in UNBOUNDED_DOMAIN},
            **{f"twice {f}": twice(f)(x[-2:]) for f in SMOOTH},
        }

    got = JAX.quickly(everything)(jnp.asarray([*ENDS, -INF, INF, 0.0, -0.0]))
    for curve in UNBOUNDED_DOMAIN:
        for found, wanted in zip(got[str(curve)], zip(*curve.ends, strict=True), strict=True):
            assert curve.unbounded or np.isfinite(found[:4]).all(), curve
            np.testing.assert_array_equal(found[4:6], [float(v) for v in wanted], str(curve))
    for curve in SMOOTH:
        derivatives = got[str(curve)][1][-2:], got[f"twice {curve}"]
        for derivative, want in zip(derivatives, at_zero(curve), strict=True):
            np.testing.assert_allclose(derivative, [want] * 2, atol=1e-14, err_msg=str(curve))


# ---- values that cannot be read --------------------------------------------------------------


def unreduced(function: Callable[..., Array]) -> Callable[..., Array]:
    """The loss of each row, or element; a third array is `sample_weight`."""
    return lambda x, y, w=None: function(x, y, sample_weight=w, reduction="none")


LOGITS = [[1.0, 2.0], [3.0, 5.0], [0.5, 0.25]]
PROBS, LABELS, MINUS = [0.5, 0.25, 0.5], [0.0, 1.0, 1.0], [1.0, -1.0, 1.0]
SHARES = [[0.5, 0.5], [1.5, -0.5], [1.0, 0.0]]

# what readable arrays raise, and a call whose second row is bad
BAD: dict[str, tuple[type[Exception], Callable[..., Array], tuple[Any, ...]]] = {
    "class index": (IndexError, pl.cross_entropy, (LOGITS, [0, 2, 1])),
    "class index, nll": (IndexError, pl.nll_loss, (LOGITS, [0, -1, 1])),
    "class share": (ValueError, pl.cross_entropy, (LOGITS, SHARES)),
    "weight of a row": (ValueError, pl.cross_entropy, (LOGITS, [0, 1, 1], MINUS)),
    "probability": (ValueError, pl.binary_cross_entropy, ([0.5, 1.5, 0.25], LABELS)),
    "label": (ValueError, pl.binary_cross_entropy_with_logits, (PROBS, MINUS)),
    "weight of an element": (ValueError, pl.huber_loss, (PROBS, LABELS, MINUS)),
}


@pytest.mark.parametrize("name", BAD if EVERY_ROW else [*BAD][::2])
def test_a_bad_value_raises_where_it_can_be_read_and_is_nan_elsewhere(name: str) -> None:
    error, function, given = BAD[name]
    f = unreduced(function)
    arrays = [jnp.asarray(x) for x in given]
    with pytest.raises(error):
        f(*arrays)
    mapped = jax.vmap(lambda x, *rest: f(x[None], *(r[None] for r in rest))[0])

    def values_and_gradients(*arrays: Array) -> list[tuple[Array, Array]]:
        return [(g(*arrays), jax.grad(lambda *xs, g=g: g(*xs).sum())(*arrays)) for g in (f, mapped)]

    for value, grad in JAX.quickly(values_and_gradients)(*arrays):
        assert np.isnan(value).tolist() == [False, True, False]
        of_rows = np.isnan(grad).reshape(3, -1)
        assert of_rows.all(axis=1).tolist() == of_rows.any(axis=1).tolist() == [False, True, False]


def test_concrete_targets_are_checked_also_inside_a_trace() -> None:
    x, y, bad = jnp.asarray(LOGITS), jnp.asarray([0, 1, 1]), jnp.asarray([0, 2, 1])
    want = pl.cross_entropy(x, y)
    np.testing.assert_allclose(jax.jit(lambda x: pl.cross_entropy(x, y))(x), want, rtol=1e-14)
    assert jnp.isnan(jax.jit(lambda x: pl.cross_entropy(x, bad, reduction="none"))(x))[1]
    with pytest.raises(IndexError):  # eager, under a transform that leaves `bad` as it is
        jax.grad(lambda x: pl.cross_entropy(x, bad))(x)


# ---- a rule is what differentiates, whatever the function is ---------------------------------


@with_gradient(lambda grad, out, x, *, xp: (7 * grad,))
def seven(x: Array, *, xp: Any) -> Array:
    """A function whose gradient is nobody's derivative."""
    return xp.exp(x)


@with_gradient(lambda grad, out, x, *, xp: (7 * x * grad,))
def sloping(x: Array, *, xp: Any) -> Array:
    """One whose second derivative is nobody's."""
    return xp.exp(x)


def of_seven(x: Array) -> Array:
    return jnp.sum(seven(x, xp=jnp))


def test_a_deliberately_wrong_rule_comes_back_through_every_transform() -> None:
    x, u = jnp.asarray([0.5, -2.0]), jnp.asarray([1.0, 10.0])
    for wrap in (jax.jit, lambda f: f):
        assert wrap(jax.grad(of_seven))(x).tolist() == [7, 7]
        assert wrap(lambda x: jax.jvp(of_seven, (x,), (u,))[1])(x).item() == 77
        assert wrap(jax.vmap(jax.grad(of_seven)))(x[:, None]).tolist() == [[7], [7]]
        assert wrap(jax.grad(lambda x: jax.vmap(of_seven)(x[:, None]).sum()))(x).tolist() == [7, 7]
        assert wrap(jax.grad(jax.jit(of_seven)))(x).tolist() == [7, 7]


def test_the_second_derivative_is_that_of_the_rule() -> None:
    modes = (jax.jacfwd, jax.jacrev)

    def hessians(x: Array) -> list[Array]:
        f = lambda x: jnp.sum(sloping(x, xp=jnp))  # noqa: E731
        return [outer(inner(f))(x) for outer in modes for inner in modes]

    for hessian in JAX.quickly(hessians)(jnp.asarray([0.5, -2.0])):
        assert hessian.tolist() == [[7, 0], [0, 7]]
    assert jax.hessian(of_seven)(jnp.asarray([0.5, -2.0])).tolist() == [[0, 0], [0, 0]]


# ---- our tape around and inside --------------------------------------------------------------


def loss(x: Any) -> Any:
    return pl.l1_loss(pl.logsumexp(x, axis=-1), jnp.zeros(3), reduction="sum")


def squares(gradient: Function) -> Function:
    return lambda x: jnp.sum(gradient(x) ** 2)


def test_the_tape_runs_inside_jit() -> None:
    x = jnp.asarray(LOGITS)
    assert_close(jax.jit(autograd.grad(loss))(x), jax.jit(jax.grad(loss))(x))


def test_jax_differentiates_the_tape() -> None:
    x = jnp.asarray(LOGITS)
    wanted = JAX.quickly(jax.grad(squares(jax.grad(loss))))(x)
    assert_close(JAX.quickly(jax.grad(squares(autograd.grad(loss))))(x), wanted)


def test_the_deliberately_wrong_rule_comes_back_through_the_tape_in_jax() -> None:
    x = jnp.asarray([0.5, -2.0])

    def on_tape(x: Any) -> Any:
        xp = autograd.namespace(jnp)
        return xp.sum(seven(x, xp=xp))

    assert autograd.grad(on_tape)(x).tolist() == [7, 7]
    assert jax.jit(autograd.grad(on_tape))(x).tolist() == [7, 7]
    assert jax.vmap(autograd.grad(on_tape))(x[:, None]).tolist() == [[7], [7]]


# ---- dtypes ----------------------------------------------------------------------------------

SHORT = """
import jax
import jax.numpy as jnp

from tests.rows import FEW, ONCE

assert not jax.config.jax_enable_x64
KINDS = {"f": jnp.float32, "b": bool, "i": jnp.int32}

for row in ONCE:
    keys, given = zip(*row.given.items())
    arrays = [jnp.asarray(a, dtype=KINDS[a.dtype.kind]) for a in given]
    places = tuple(keys.index(key) for key in row.variables)
    run = lambda *xs: row.call(dict(zip(keys, xs)))
    total = lambda *xs: sum(jnp.sum(jnp.nan_to_num(out)) for out in run(*xs))
    outs = jax.eval_shape(run, *arrays)
    if places:
        outs += jax.eval_shape(jax.grad(total, argnums=places), *arrays)
    if row is FEW[0]:
        outs += run(*arrays)
    assert all(out.dtype == jnp.float32 for out in outs), str(row)
"""


def test_nothing_asks_for_float64_where_jax_has_32_bits() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SHORT],
        env={**os.environ, "JAX_ENABLE_X64": "0"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def places(x: Array) -> Any:
    """Number the values of a half precision dtype in their order."""
    bits = np.asarray(jax.lax.bitcast_convert_type(x, jnp.int16), dtype=np.int64)
    return np.where(bits >= 0, bits, -(bits + 2**15))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("sample", FEW, ids=str)
def test_half_precision_is_the_exact_result_rounded(sample: Sample, dtype: str) -> None:
    half = sample.on(JAX, dtype)
    double = {k: np.asarray(a, float if k in sample.variables else None) for k, a in half.items()}
    call = JAX.quickly(lambda *arrays: sample.call(dict(zip(half, arrays, strict=True))))
    for out, want in zip(call(*half.values()), sample.call(double), strict=True):
        assert out.dtype == dtype
        assert np.max(np.abs(places(out) - places(jnp.asarray(want, dtype)))) <= 1


def test_the_size_of_x_has_the_values_and_slopes_of_its_selection() -> None:
    x = jnp.asarray([-jnp.inf, -2.0, -0.0, 0.0, 3.0, jnp.inf, jnp.nan])

    def selected(x: Any) -> Any:
        return jnp.where(x >= 0, -x, x)

    for by in (lambda f: f, lambda f: jax.vmap(jax.grad(f)), lambda f: jax.vmap(jax.hessian(f))):
        np.testing.assert_array_equal(by(negative_size)(x), by(selected)(x))

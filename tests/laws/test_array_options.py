"""Options that come as 0-d arrays: the value of the number, and derivatives by them.

The derivative is held to differences of the same call with Python numbers.
"""

import inspect
import math
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses import autograd
from portable_losses._typing import Array
from tests.libraries import EVERY_ROW, Library, named
from tests.rows import ONCE, SELECTED
from tests.samples import Key, Sample

Moved = tuple[Sample, str, float]


def options_of(row: Sample, *, given: bool) -> list[tuple[str, float]]:
    """Return the options that may be arrays, with values inside their domains and off kinks.

    Either those that the row gives, or the others.
    """
    found = []
    mean = row.options.get("reduction", "mean") == "mean"
    for name, p in inspect.signature(row.function).parameters.items():
        if name == "denominator" and not mean:  # which has none
            continue
        if p.kind is p.KEYWORD_ONLY and {float, Any} <= set(get_args(p.annotation)):
            value = row.options.get(name, p.default)
            if given is (name in row.options) and not isinstance(value, np.ndarray):
                found.append((name, 0.9 * value if value else 0.013))
    return found


#: every option once; and what else the rows give
GIVEN = [(row, *one) for row in ONCE for one in options_of(row, given=True)]
KNOWN = {(row.function, name) for row, name, _ in GIVEN}
LEFT = [(row, *one) for row in ONCE for one in options_of(row, given=False)]
BY_OPTION_ONCE = [*GIVEN, *(case for case in LEFT if (case[0].function, case[1]) not in KNOWN)]
BY_OPTION = [
    *BY_OPTION_ONCE,
    *((row, *one) for row in SELECTED if row not in ONCE for one in options_of(row, given=True)),
]
JAX_ROWS = [case for case in BY_OPTION_ONCE if case[0].function is pl.huber_loss]


def named_case(case: Any) -> str:
    return str(case) if isinstance(case, Sample | str) else ""


def scalar(row: Sample, library: Library) -> Callable[..., Array]:
    """Return the row's call as a scalar function of its arrays and of one option."""
    weights = [np.cos(np.arange(np.size(v))).reshape(np.shape(v)) for v in row.value]

    def f(arrays: dict[Key, Array], **options: Any) -> Array:
        made = row.function(
            *(arrays.get(i, a) for i, a in enumerate(row.arrays)),
            **{k: arrays.get(k, v) for k, v in row.options.items()} | options,
        )
        sums: Array = 0
        for out, weight in zip(made if isinstance(made, tuple) else (made,), weights, strict=True):
            xp = array_namespace(out)
            sums = xp.sum(out * library.array(weight), dtype=out.dtype) + sums
        return sums

    return f


def difference(f: Callable[[float], float], at: float) -> float:
    """Return the derivative of `f` by a difference of fourth order."""
    h = 1e-3 * abs(at)
    near, far = f(at + h) - f(at - h), f(at + 2 * h) - f(at - 2 * h)
    return (8 * near - far) / (12 * h)


def arrays_of(row: Sample, library: Library) -> dict[Key, Array]:
    return {key: library.array(a) for key, a in row.moderate.items()}


@pytest.mark.parametrize(
    "library, row, name, value",
    [
        (library, *case)
        for number, case in enumerate(BY_OPTION)
        for library in (["numpy", "torch"] if EVERY_ROW else [("numpy", "torch")[number % 2]])
    ],
    ids=named_case,
)
def test_a_derivative_by_an_option_is_that_of_the_number(
    library: str, row: Sample, name: str, value: float
) -> None:
    if (row.function, name) == (pl.circle_loss, "margin"):
        return  # its gradient, as that of embeddings, leaves out the factors of the terms
    one = named(library)
    arrays, f = arrays_of(row, one), scalar(row, one)
    plain = lambda v: float(one.numpy(f(arrays, **{name: v})))  # noqa: E731
    by_option = one.gradient(lambda v: f(arrays, **{name: v}), (0,))
    (got,) = by_option(one.array(value))
    size = abs(plain(value) / value) + abs(plain(value))
    assert got.shape == ()
    want = difference(plain, value)
    assert float(one.numpy(got)) == pytest.approx(want, rel=1e-7, abs=1e-9 * size)


@pytest.mark.parametrize("row, name, value", BY_OPTION_ONCE, ids=named_case)
def test_the_mixed_second_derivative_is_that_of_the_number(
    row: Sample, name: str, value: float
) -> None:
    if not row.variables:
        return
    one = named("numpy")
    arrays, f = arrays_of(row, one), scalar(row, one)
    key = row.variables[0]
    direction = row.direction(key, 3)

    def slope(x: Array, option: Any) -> Array:
        by_x = one.gradient(lambda x: f({**arrays, key: x}, **{name: option}), (0,))
        (grad,) = by_x(x)
        return array_namespace(grad).sum(grad * direction) + 0 * option

    (got,) = one.gradient(lambda option: slope(arrays[key], option), (0,))(one.array(value))
    plain = lambda v: float(one.numpy(slope(arrays[key], v)))  # noqa: E731
    size = abs(plain(value) / value) + abs(plain(value))
    want = difference(plain, value)
    assert float(one.numpy(got)) == pytest.approx(want, rel=1e-6, abs=1e-9 * size)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("row, name, value", BY_OPTION_ONCE, ids=named_case)
def test_an_array_has_the_value_of_its_number(
    row: Sample, name: str, value: float, dtype: str
) -> None:
    value = float(np.float16(value))
    for library, option in (
        (named("torch"), named("torch").array(value, "float32")),
        (named("numpy"), autograd.tensor(np.asarray(value))),
    ):
        arrays = {k: library.array(a, dtype) for k, a in row.moderate.items()}
        given = {k: arrays.get(k, v) for k, v in row.options.items()}
        positional = [arrays.get(i, a) for i, a in enumerate(row.arrays)]
        want = row.function(*positional, **{**given, name: value})
        got = row.function(*positional, **{**given, name: option})
        pairs = zip(got, want, strict=True) if isinstance(got, tuple) else ((got, want),)
        for a, b in pairs:
            assert (a.dtype, tuple(a.shape)) == (b.dtype, tuple(b.shape))
            x, y = library.numpy(a), library.numpy(b)
            eps = float(np.finfo(dtype).eps)
            np.testing.assert_allclose(x, y, rtol=8 * eps, atol=8 * eps * np.max(np.abs(y)))


@pytest.mark.parametrize("row, name, value", BY_OPTION if EVERY_ROW else JAX_ROWS, ids=named_case)
def test_jax_differentiates_a_traced_option(row: Sample, name: str, value: float) -> None:
    jax = pytest.importorskip("jax")
    one = named("jax")
    arrays, f = arrays_of(row, one), scalar(row, one)
    value_and_grad = one.quickly(jax.value_and_grad(lambda v: f(arrays, **{name: v})))
    made, got = value_and_grad(one.array(value))
    other = named("numpy")
    known, g = arrays_of(row, other), scalar(row, other)
    assert float(made) == pytest.approx(float(g(known, **{name: value})), rel=1e-11)
    (want,) = other.gradient(lambda v: g(known, **{name: v}), (0,))(other.array(value))
    assert float(got) == pytest.approx(float(other.numpy(want)), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("row, name, value", BY_OPTION_ONCE, ids=named_case)
def test_an_array_out_of_the_domain_raises_as_its_number_or_gives_nan(
    row: Sample, name: str, value: float
) -> None:
    one, unreadable = named("torch"), named("double")
    for bad in (math.nan, math.inf, -1e30):
        f, arrays = scalar(row, one), row.on(one)
        try:
            f(arrays, **{name: bad})
        except ValueError:
            with pytest.raises(ValueError, match=" must "):
                f(arrays, **{name: one.array(bad)})
        else:
            continue
        arrays = row.on(unreadable)
        given = {k: arrays.get(k, v) for k, v in row.options.items()}
        positional = [arrays.get(i, a) for i, a in enumerate(row.arrays)]
        made = row.function(*positional, **{**given, name: unreadable.array(bad)})
        for out in made if isinstance(made, tuple) else (made,):
            assert np.all(np.isnan(unreadable.numpy(out)))


X, Y = np.asarray([0.5, -2.0, 3.0]), np.zeros(3)


def test_an_array_option_has_no_axes() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match=r"`delta` must be a Python number or an array of shape"):
        pl.huber_loss(torch.asarray(X), torch.asarray(Y), delta=torch.ones(3))


def test_an_option_without_a_derivative_is_no_array() -> None:
    for call in (
        lambda o: pl.normalize(X, p=o),
        lambda o: pl.cosine_similarity(X, Y, eps=o),
        lambda o: pl.tweedie_deviance_loss(X, Y, power=o),
    ):
        with pytest.raises(TypeError, match="must be a Python number, got Tensor"):
            call(autograd.tensor(np.asarray(1.5), requires_grad=True))


def test_an_array_option_comes_from_the_library_of_the_data_or_is_numpys() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="all arrays must come from one library"):
        pl.huber_loss(X, Y, delta=torch.asarray(1.0))
    x, y = torch.asarray(X), torch.asarray(Y)
    assert pl.huber_loss(x, y, delta=np.asarray(0.5)) == pl.huber_loss(x, y, delta=0.5)


def test_what_is_masked_does_not_reach_the_derivative_by_an_option() -> None:
    bad, mask = np.asarray([0.5, math.nan, 3.0]), np.asarray([True, False, True])
    for loss, name in (
        (pl.huber_loss, "delta"),
        (pl.smooth_l1_loss, "beta"),
        (pl.pseudo_huber_loss, "delta"),
        (pl.quantile_loss, "q"),
        (pl.epsilon_insensitive_loss, "epsilon"),
    ):
        by_option = autograd.grad(lambda o: loss(bad, Y, where=mask, **{name: o}))  # noqa: B023
        without = autograd.grad(lambda o: loss(X[mask], Y[mask], **{name: o}))  # noqa: B023
        option = np.asarray(0.25)
        assert float(by_option(option)) == float(without(option))


def test_a_module_learns_an_option() -> None:
    loss: Any = pl.nn.HuberLoss(delta=pl.nn.Parameter(np.asarray(1.0)))
    loss(X, Y).backward()
    assert [name for name, _ in loss.named_parameters()] == ["delta"]
    assert float(loss.delta.grad.array) == pytest.approx((1.0 + 2.0) / 3)


def test_a_number_stands_for_a_variance_or_a_weight_of_every_element() -> None:
    x, y = X.astype(np.float32), Y + 0.5
    one = np.ones(3)
    assert pl.gaussian_nll_loss(x, y, 2.0) == pl.gaussian_nll_loss(x, y, 2 * one)
    made = pl.binary_cross_entropy_with_logits(x, y, pos_weight=2.0)
    assert made == pl.binary_cross_entropy_with_logits(x, y, pos_weight=2 * one)
    assert made.dtype == np.float32
    listed = pl.cross_entropy(x[None], np.asarray([1]), weight=[1.0, 2.0, 3.0])
    assert listed == pl.cross_entropy(x[None], np.asarray([1]), weight=np.asarray([1.0, 2.0, 3.0]))

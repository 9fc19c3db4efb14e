"""`derivatives` agrees with the loss, with the tape and with mpmath, on every library."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

import portable_losses as pl
from portable_losses._typing import Array
from portable_losses.autograd import elementwise_grad, vjp
from tests.libraries import EVERY_ROW, LIBRARIES, Library

A = np.asarray
X = A([[0.5, -3.0, 2.0], [-0.25, 1.5, 0.75]])
BITS, SIGNS = A([[1.0, 0.0, 1.0], [0.25, 1.0, 0.0]]), A([[1.0, -1.0, 1.0], [-1.0, 1.0, -1.0]])
COUNTS = A([[1.0, 2.5, 3.0], [0.5, 1.0, 4.0]])
CLASSES, LEVELS = A([2, 0]), A([[1, 0, 3], [2, 3, 1]])
WEIGHT = A([[1.0, -2.0, 0.0], [0.5, 3.0, 1.0]])

ELEMENTWISE: list[tuple[Callable[..., Any], Array, dict[str, Any]]] = [
    (pl.binary_cross_entropy_with_logits, BITS, {}),
    (pl.binary_cross_entropy_with_logits, BITS, {"pos_weight": A([1.0, 2.0, 0.5])}),
    (pl.binary_cross_entropy_with_logits, BITS, {"label_smoothing": 0.1}),
    (pl.epsilon_insensitive_loss, COUNTS, {"epsilon": 0.5}),
    (pl.expectile_loss, COUNTS, {"tau": 0.75}),
    (pl.exponential_loss, SIGNS, {}),
    (pl.exponential_loss, BITS, {}),
    (pl.gamma_deviance_loss, COUNTS, {}),
    (pl.gamma_deviance_loss, COUNTS, {"full": False}),
    (pl.general_robust_loss, COUNTS, {"alpha": -2.0}),
    (pl.general_robust_loss, COUNTS, {"alpha": 1.5, "scale": 2.0}),
    (pl.hinge_loss, SIGNS, {}),
    (pl.huber_loss, COUNTS, {"delta": 1.25}),
    (pl.kl_div, BITS, {}),
    (pl.l1_loss, COUNTS, {}),
    (pl.log_cosh_loss, COUNTS, {}),
    (pl.modified_huber_loss, SIGNS, {}),
    (pl.mse_loss, COUNTS, {}),
    (pl.ordinal_cross_entropy, LEVELS, {"thresholds": A([-1.0, 0.5, 2.0])}),
    (pl.poisson_deviance_loss, COUNTS, {}),
    (pl.poisson_nll_loss, COUNTS, {}),
    (pl.pseudo_huber_loss, COUNTS, {}),
    (pl.quantile_loss, COUNTS, {"q": 0.25}),
    (pl.sigmoid_focal_loss, BITS, {"alpha": 0.25}),
    (pl.smooth_l1_loss, COUNTS, {}),
    (pl.soft_margin_loss, SIGNS, {}),
    (pl.squared_hinge_loss, SIGNS, {}),
    (pl.tweedie_deviance_loss, COUNTS, {}),
    (pl.tweedie_deviance_loss, COUNTS, {"power": 3.0, "full": False}),
]
OF_ROWS: list[tuple[Callable[..., Any], Array, dict[str, Any]]] = [
    (pl.cross_entropy, CLASSES, {}),
    (pl.cross_entropy, BITS, {"label_smoothing": 0.2, "z_loss": 0.1, "softcap": 3.0}),
    (pl.cross_entropy, CLASSES, {"weight": A([1.0, 0.5, 2.0]), "ignore_index": 0}),
    (pl.multi_margin_loss, CLASSES, {"p": 2}),
    (pl.multi_margin_loss, CLASSES, {"p": 2, "weight": A([1.0, 0.5, 2.0]), "margin": 2.0}),
    (pl.multi_margin_loss, CLASSES, {"p": 2, "where": A([False, True])}),
    (pl.distillation_loss, COUNTS, {"temperature": 2.0}),
    (pl.distillation_loss, COUNTS, {"where": A([True, False])}),
    (pl.distillation_loss, COUNTS, {"divergence": "js"}),
    (pl.distillation_loss, COUNTS, {"divergence": "js", "beta": 0.25, "temperature": 2.0}),
    (pl.distillation_loss, COUNTS, {"divergence": "reverse_kl", "where": A([True, False])}),
    (pl.fenchel_young_loss, BITS, {"max_fun": pl.logsumexp}),
    (pl.js_div, BITS, {"axis": -1, "beta": 0.25}),
    (pl.sparsemax_loss, CLASSES, {"ignore_index": 0}),
    (pl.sparsemax_loss, A([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]]), {}),
    (pl.poly_loss, CLASSES, {}),
    (pl.poly_loss, BITS, {"epsilon": -1.5, "label_smoothing": 0.2, "weight": A([1.0, 0.5, 2.0])}),
    (pl.softmax_focal_loss, CLASSES, {}),
    (pl.softmax_focal_loss, BITS, {"gamma": 0.5, "alpha": A([1.0, 0.5, 2.0])}),
    (pl.softmax_focal_loss, CLASSES, {"gamma": 0.0, "alpha": 0.25, "where": A([True, False])}),
    (pl.generalized_cross_entropy, CLASSES, {"q": 0.3, "ignore_index": 0}),
    (pl.generalized_cross_entropy, BITS, {}),
    (pl.ranking_softmax_loss, COUNTS, {}),
    (pl.ranking_softmax_loss, COUNTS, {"where": BITS > 0}),
    (pl.sparsemax_loss, CLASSES, {}),
    (pl.multiclass_hinge_loss, CLASSES, {}),
    (pl.multilabel_soft_margin_loss, BITS, {}),
]


def named(case: Any) -> str:
    return f"{case[0].__name__} {' '.join(case[2])}".strip()


def call(library: Library, case: Any, x: Array = X, **more: Any) -> Any:
    """The derivatives on a library."""
    loss, target, options = case
    given = {n: library.array(v) if isinstance(v, np.ndarray) else v for n, v in options.items()}
    return pl.derivatives(loss, library.array(x), library.array(target), **given, **more)


def by_tape(case: Any, x: Array = X) -> tuple[Array, Array, Array]:
    """Value, gradient and diagonal of the Hessian by the tape."""
    loss, target, options = case

    def run(x: Array) -> Array:
        value: Array = loss(x, target, reduction="none", **options)
        return value

    slope = elementwise_grad(run)
    second = np.empty_like(x)
    for k in range(x.shape[-1]):
        second[:, k] = elementwise_grad(lambda x, k=k: slope(x)[:, k])(x)[:, k]
    return run(x), slope(x), second


FEW = [case for case in ELEMENTWISE if "pos_weight" in case[2]] + OF_ROWS[:1]
CALLS = [
    pytest.param(library, case, id=f"{library}-{named(case)}")
    for library in LIBRARIES
    for case in (ELEMENTWISE + OF_ROWS if str(library) in ("numpy", "array_api_strict") else FEW)
]


@pytest.mark.parametrize(("library", "case"), CALLS)
def test_value_gradient_and_hessian_are_those_of_the_tape(library: Library, case: Any) -> None:
    found = call(library, case, order=2)
    for got, want in zip(found, by_tape(case), strict=True):
        np.testing.assert_allclose(library.numpy(got), want, rtol=2e-13, atol=1e-14)


@pytest.mark.parametrize("case", ELEMENTWISE[:: 1 if EVERY_ROW else 3], ids=named)
def test_a_weight_of_any_sign_multiplies_all_and_0_wins(case: Any) -> None:
    loss, target, options = case
    x = X.copy()
    plain = pl.derivatives(loss, x, target, order=2, **options)
    x[0, 2] = np.inf
    found = pl.derivatives(loss, x, target, order=2, sample_weight=WEIGHT, **options)
    for got, one in zip(found, plain, strict=True):
        np.testing.assert_allclose(got, WEIGHT * one, rtol=1e-14, atol=0)


def test_a_target_that_is_refused_is_left_out_by_a_weight_of_0() -> None:
    y, w = A([1.0, 5.0]), A([1.0, 0.0])
    found = pl.derivatives(pl.binary_cross_entropy_with_logits, A([0.0, 1.0]), y, sample_weight=w)
    assert found.value.tolist() == [np.log(2), 0.0]
    with pytest.raises(ValueError, match="`target` must lie in"):
        pl.derivatives(pl.binary_cross_entropy_with_logits, A([0.0, 1.0]), y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("gap", [0.0, 3.0, 30.0, 90.0, 700.0, 1000.0])
def test_probabilities_and_curvatures_of_rows_have_all_digits(dtype: str, gap: float) -> None:
    z = A([[gap, 0.0, -1.5]], dtype)
    found = pl.derivatives(pl.cross_entropy, z, A([0]), order=2, probabilities=True)
    with mpmath.workdps(500):
        e = [mpmath.exp(mpmath.mpf(float(v))) for v in z[0]]
        p = [one / mpmath.fsum(e) for one in e]
        others = [mpmath.fsum(e[:i] + e[i + 1 :]) / mpmath.fsum(e) for i in range(3)]
        want = {
            "gradient": [-others[0], *p[1:]],
            "hessian": [one * rest for one, rest in zip(p, others, strict=True)],
            "probabilities": p,
        }
        for name, truth in want.items():
            exact = A([float(one) for one in truth])
            normal = np.abs(exact) > np.finfo(dtype).tiny
            got = getattr(found, name)[0]
            bound = 8 * float(np.finfo(dtype).eps)
            np.testing.assert_allclose(got[normal], exact[normal], rtol=bound)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logistic_derivatives_have_all_digits(dtype: str) -> None:
    z = A([-1000.0, -700.0, -90.0, -20.0, -0.5, 0.0, 1e-3, 20.0, 88.0, 1000.0], dtype)
    y = A([1, 0, 1, 0, 1, 0, 1, 1, 0, 1])
    found = pl.derivatives(pl.binary_cross_entropy_with_logits, z, y, order=2, probabilities=True)
    with mpmath.workdps(500):
        for i, (u, t) in enumerate(zip(z.tolist(), y.tolist(), strict=True)):
            m = mpmath.exp(-mpmath.mpf(u))
            p = 1 / (1 + m)
            truth = (mpmath.log1p(1 / m) if not t else mpmath.log1p(m), p - t, p * (m / (1 + m)), p)
            for got, want in zip(found, map(float, truth), strict=True):
                if abs(want) > np.finfo(dtype).tiny:
                    assert abs(got[i] - want) <= 8 * np.finfo(dtype).eps * abs(want)


def test_the_rows_of_a_hessian_are_symmetric_and_have_its_diagonal() -> None:
    whole = pl.derivatives(pl.cross_entropy, X, CLASSES, order=2, hessian="row").hessian
    diagonal = pl.derivatives(pl.cross_entropy, X, CLASSES, order=2).hessian
    assert whole.shape == (2, 3, 3)
    np.testing.assert_allclose(whole, np.swapaxes(whole, -1, -2), rtol=1e-15)
    np.testing.assert_allclose(np.einsum("ijj->ij", whole), diagonal, rtol=1e-14)
    np.testing.assert_allclose(whole.sum(-1), 0, atol=1e-16)


@pytest.mark.parametrize("case", (ELEMENTWISE + OF_ROWS)[:: 1 if EVERY_ROW else 3], ids=named)
def test_the_curvature_for_boosting_is_never_negative(case: Any) -> None:
    found = call(LIBRARIES[0], case, order=2, hessian="boosting").hessian
    assert np.all(A(found) >= 0)


@pytest.mark.parametrize("case", OF_ROWS, ids=named)
def test_the_rows_of_a_hessian_are_those_of_the_tape(case: Any) -> None:
    loss, target, options = case
    whole: Any = pl.derivatives(loss, X, target, order=2, hessian="row", **options).hessian
    slope = elementwise_grad(lambda x: loss(x, target, reduction="none", **options))
    for k in range(3):
        column = elementwise_grad(lambda x, k=k: slope(x)[:, k])(X)
        np.testing.assert_allclose(whole[:, k, :], column, rtol=2e-13, atol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("gap", [3.0, 30.0, 90.0, -30.0])
@pytest.mark.parametrize(
    "loss", [pl.poly_loss, pl.softmax_focal_loss, pl.generalized_cross_entropy]
)
def test_a_certain_row_keeps_its_digits_in_all_of_them(loss: Any, gap: float, dtype: str) -> None:
    z = A([[gap, 0.0, -1.5]], dtype)

    def exact(place: int, by: Any) -> Any:
        def value(v: Any) -> Any:
            x = [mpmath.mpf(float(u)) for u in z[0]]
            x[place] = v
            p = mpmath.exp(x[0]) / mpmath.fsum(map(mpmath.exp, x))
            return {
                pl.poly_loss: lambda: -mpmath.log(p) + 2 * (1 - p),
                pl.softmax_focal_loss: lambda: -((1 - p) ** 2) * mpmath.log(p),
                pl.generalized_cross_entropy: lambda: (1 - p ** mpmath.mpf(0.7)) / mpmath.mpf(0.7),
            }[loss]()

        return mpmath.diff(value, mpmath.mpf(float(z[0, place])), by) if by else value(z[0, place])

    found = pl.derivatives(loss, z, A([0]), order=2)
    with mpmath.workdps(300):
        for k in range(3):
            for got, by in (
                (found.value[0], 0),
                (found.gradient[0, k], 1),
                (found.hessian[0, k], 2),
            ):
                want = float(exact(k, by))
                if abs(want) > np.finfo(dtype).tiny:
                    assert abs(got - want) <= 16 * np.finfo(dtype).eps * abs(want), (k, by)


def test_losses_that_are_linear_in_pieces_have_the_curvature_1() -> None:
    for loss, y in ((pl.l1_loss, COUNTS), (pl.quantile_loss, COUNTS), (pl.hinge_loss, SIGNS)):
        assert np.all(pl.derivatives(loss, X, y, order=2, hessian="boosting").hessian == 1)
    huber = pl.derivatives(pl.huber_loss, X, COUNTS, order=2, hessian="boosting").hessian
    assert np.array_equal(huber, np.abs(X - COUNTS) <= 1)


def test_one_prediction_is_spread_over_several_targets() -> None:
    found = pl.derivatives(pl.mse_loss, A([2.0]), A([1.0, 2.0, 4.0]))
    assert found.gradient.tolist() == [2.0, 0.0, -4.0]
    rows = pl.derivatives(pl.cross_entropy, np.zeros((1, 3)), A([0, 1, 2, 0]))
    assert rows.gradient.shape == (4, 3)


@pytest.mark.parametrize("loss", [pl.cross_entropy, pl.mse_loss])
def test_the_order_in_memory_is_that_of_the_input(loss: Any) -> None:
    y = CLASSES if loss is pl.cross_entropy else COUNTS
    found = pl.derivatives(loss, np.asfortranarray(X), y, order=2)
    want = pl.derivatives(loss, X, y, order=2)
    assert found.gradient.flags.f_contiguous
    assert found.hessian.flags.f_contiguous
    for got, one in zip(found, want, strict=True):
        assert np.array_equal(got, one)


def test_calls_of_tensors_before_change_nothing() -> None:
    """From the second call on, those of one shape take a plan."""
    for _ in range(3):
        pl.log_cosh_loss(pl.tensor(X), COUNTS, reduction="none")
    found = pl.derivatives(pl.log_cosh_loss, X, COUNTS)
    np.testing.assert_allclose(found.gradient, np.tanh(X - COUNTS), rtol=1e-15)


def test_what_is_no_loss_of_samples_is_refused() -> None:
    with pytest.raises(TypeError, match="`loss` must be a loss with the option `reduction`"):
        pl.derivatives(pl.relu, X, X)
    with pytest.raises(ValueError, match="`loss` must be one of samples, got ntxent_loss"):
        pl.derivatives(pl.ntxent_loss, X, CLASSES)
    with pytest.raises(ValueError, match="`hessian` must be 'diagonal' or 'boosting' for mse_loss"):
        pl.derivatives(pl.mse_loss, X, X, order=2, hessian="row")
    with pytest.raises(TypeError, match="`derivatives` takes no `reduction=`"):
        pl.derivatives(pl.mse_loss, X, X, reduction="mean")


def test_dask_computes_nothing_and_jit_and_compile_trace_all() -> None:
    da, jax, torch = (pytest.importorskip(name) for name in ("dask.array", "jax", "torch"))
    loss = pl.binary_cross_entropy_with_logits
    want = pl.derivatives(loss, X, BITS, order=2)
    lazy = pl.derivatives(loss, da.asarray(X), da.asarray(BITS), order=2)
    assert all(isinstance(x, da.Array) for x in lazy)
    jitted = jax.jit(lambda x, y: pl.derivatives(loss, x, y, order=2))
    compiled = torch.compile(
        lambda x, y: pl.derivatives(loss, x, y, order=2), backend="eager", fullgraph=True
    )
    jaxs = jitted(jax.numpy.asarray(X), jax.numpy.asarray(BITS))
    torchs = compiled(torch.asarray(X), torch.asarray(BITS))
    for one, other, third, exact in zip(lazy, jaxs, torchs, want, strict=True):
        for got in (one, other, third):
            np.testing.assert_allclose(np.asarray(got), exact, rtol=1e-6)


REGIONS = A([[[0.2, 0.7], [0.6, 0.1]], [[0.9, 0.4], [0.3, 0.8]], [[0.5, 0.5], [0.2, 0.6]]])
OF_REGIONS: list[tuple[Any, tuple[Array, ...], dict[str, Any]]] = [
    (pl.dice_loss, (REGIONS, np.round(REGIONS[::-1])), {"class_axis": 1}),
    (pl.jaccard_loss, (REGIONS, np.round(REGIONS[::-1])), {}),
    (pl.tversky_loss, (REGIONS, np.round(REGIONS[::-1])), {"alpha": 0.25}),
    (pl.linear_cross_entropy, (COUNTS, WEIGHT, A([1, 0])), {"label_smoothing": 0.1}),
    (
        pl.ctc_loss,
        (pl.log_softmax(np.log(REGIONS), axis=-1), A([[1], [1]]), A([3, 2]), A([1, 1])),
        {},
    ),
]


@pytest.mark.parametrize("case", OF_REGIONS, ids=named)
def test_losses_of_regions_and_sequences_have_value_and_gradient(case: Any) -> None:
    loss, (x, *others), options = case

    def run(x: Array) -> Array:
        value: Array = loss(x, *others, reduction="none", **options)
        return value

    value, gradient = pl.derivatives(loss, x, *others, **options)
    np.testing.assert_array_equal(value, run(x))
    np.testing.assert_allclose(gradient, elementwise_grad(run)(x), rtol=1e-14)
    weight = np.where(np.arange(value.size).reshape(value.shape) % 2, -1.5, 0.0)
    many = pl.derivatives(loss, x, *others, sample_weight=weight, **options)
    np.testing.assert_allclose(many.value, weight * value, rtol=1e-14)
    _, pullback = vjp(run, x)
    np.testing.assert_allclose(many.gradient, pullback(weight)[0], rtol=1e-13, atol=1e-16)
    with pytest.raises(ValueError, match="`order` must be 1 for"):
        pl.derivatives(loss, x, *others, order=2, **options)

"""NumPy's averages, quantiles, correlations and histograms on Tensors, beside NumPy's own."""

from typing import Any

import numpy as np
import pytest
from portable_losses.backends.numpy_code.names import FUNCTIONS

from portable_losses.autograd import grad, namespace, tensor
from tests.autograd.numpy_calls import (
    NUMPY,
    Call,
    call,
    check_gradients,
    check_values,
    has_slopes,
    numbers,
    over_libraries,
)
from tests.libraries import Library

V, M, C = numbers(7), numbers(3, 4), numbers(2, 3, 4)
W = np.abs(numbers(4, seed=3)) + 0.1
Z = numbers(3, 4, kind="complex128")
K = np.asarray([[3, 1, 4, 1], [5, 9, 2, 6]])
G = np.where(C > 1.5, np.nan, C)
N = np.asarray(0.3)
Q = np.asarray([0.1, 0.55, 0.9])
COUNTS = np.asarray([1, 3, 2, 1])
METHODS = """
linear lower higher nearest midpoint inverted_cdf averaged_inverted_cdf closest_observation
interpolated_inverted_cdf hazen weibull median_unbiased normal_unbiased
"""
ORDERED = ("dask",)  # sorts, and differentiates what is sorted, on the other libraries

CASES = [
    # ---- averages ----
    call("average", M),
    call("average", M, 1),
    call("average", M, 1, W),
    call("average", M, axis=-1, weights=[1, 2, 3, 0.5], returned=True),
    call("average", M, 0, np.abs(M), True),
    call("average", C, (0, 2), np.abs(numbers(2, 4)), keepdims=True),
    call("average", C, (2, 1), np.abs(numbers(4, 3))),
    call("average", K, 0, returned=True, constants=True),
    call("average", K, 1, COUNTS, constants=True),
    call("average", Z, 1, W),
    # ---- medians ----
    *[call(name, V) for name in ("median", "nanmedian")],
    *[call(name, M) for name in ("median", "nanmedian")],
    *[call(name, C, 1, keepdims=True) for name in ("median", "nanmedian")],
    *[call(name, C, (0, -1)) for name in ("median", "nanmedian")],
    *[call(name, K, 0, constants=True) for name in ("median", "nanmedian")],
    *[call(name, G, 1, smooth=name == "nanmedian") for name in ("median", "nanmedian")],
    # ---- quantiles ----
    *[call("quantile", V, 0.3, method=method) for method in METHODS.split()],
    *[call("percentile", M, [0, 25, 50, 80, 100], 1, method=m) for m in METHODS.split()],
    *[call("quantile", numbers(6), [0.25, 0.5, 0.75], method=m) for m in METHODS.split()],
    *[call("nanquantile", G, Q, 2, method=m) for m in ("linear", "lower", "midpoint", "hazen")],
    call("quantile", C, 0.7, axis=(0, 2), keepdims=True),
    call("quantile", C, [[0.1, 0.2], [0.5, 0.9]], axis=1),
    call("quantile", M, Q, 0),
    call("quantile", K, 0.4, 1, constants=True),
    call("percentile", M, 37.5),
    call("nanpercentile", G, 40, (0, 1), keepdims=True),
    call("nanpercentile", G, [10, 60]),
    call("quantile", G, 0.5, 1, smooth=False),
    call("quantile", V, 0.4, weights=np.abs(V), method="inverted_cdf", smooth=False),
    call("percentile", M, [10, 90], 1, weights=COUNTS, method="inverted_cdf", constants=True),
    # ---- correlations ----
    call("cov", M),
    call("cov", V),
    call("cov", V, V**2),
    call("cov", M, M**2 + V[0], False),
    call("cov", M, rowvar=False, bias=True),
    call("cov", M, ddof=2),
    call("cov", M, aweights=W),
    call("cov", M, fweights=COUNTS, constants=True),
    call("cov", M, fweights=COUNTS, aweights=W, ddof=0, constants=True),
    call("cov", Z),
    call("cov", K, constants=True),
    call("corrcoef", M),
    call("corrcoef", V, V**2),
    call("corrcoef", M, rowvar=False),
    call("corrcoef", Z),
    call("corrcoef", V, smooth=False),
    # ---- counts ----
    call("histogram", V),
    call("histogram", M, 4, (-1.0, 1.0), density=True, smooth=False),
    call("histogram", V, bins=3, weights=np.abs(V) + 1.0),
    call("histogram", V, [-2.0, 0.0, 0.5, 3.0], density=True, weights=np.abs(V)),
    call("histogram", K, 5, constants=True),
    call("histogram", np.arange(11.0), smooth=False),
    call("bincount", K[0], constants=True),
    call("bincount", K[1], W, constants=True),
    call("bincount", K[1], weights=W, minlength=12, constants=True),
]


@pytest.mark.parametrize("library, one", over_libraries(CASES), ids=str)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_values_are_those_of_numpy(one: Call, library: Library) -> None:
    check_values(one, library)


@pytest.mark.parametrize("one", [one for one in CASES if has_slopes(one, ())], ids=str)
def test_both_derivatives_are_those_of_differences(one: Call) -> None:
    check_gradients(one, NUMPY)


@pytest.mark.parametrize("method", METHODS.split())
def test_the_position_of_a_quantile_is_differentiated(method: str) -> None:
    xp = namespace(np)
    check = grad(lambda q: xp.sum(FUNCTIONS["quantile"](V, q, method=method, xp=xp)))
    q, eps = np.asarray([0.31, 0.62]), 1e-7
    options: Any = {"method": method}
    ahead, behind = (np.quantile(V, q + sign * eps, **options) for sign in (1, -1))
    np.testing.assert_allclose(check(q), (ahead - behind) / (2 * eps), rtol=1e-6, atol=1e-7)


def test_a_number_keeps_the_dtype_of_the_entries() -> None:
    x = V.astype(np.float32)
    for q in (0.3, 1, [0.3, 0.5], np.float64(0.3), np.asarray([0.25], dtype=np.float32)):
        options: Any
        for options in ({"method": "linear"}, {"method": "lower"}, {"method": "inverted_cdf"}):
            got = FUNCTIONS["quantile"](tensor(x), q, xp=namespace(np), **options)
            assert got.dtype == np.quantile(x, q, **options).dtype, (q, options)


@pytest.mark.parametrize(
    "name, args, message",
    [
        ("quantile", (V, 1.5), r"`q` must be in \[0, 1\]"),
        ("percentile", (V, 101), r"`q` must be in \[0, 100\]"),
        ("quantile", (V, 0.5, None, None, False, "best"), "`method` must be one of linear, lower"),
        ("average", (M, 1, V), "`weights` must have the sizes of `a` along `axis`"),
        ("bincount", (np.asarray([-1, 2]),), "`x` of `bincount` must not be negative"),
        ("cov", (C,), "the variables must be in 1 or 2 axes"),
    ],
)
def test_a_wrong_argument_raises(name: str, args: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FUNCTIONS[name](*args, xp=namespace(np))


@pytest.mark.parametrize(
    "name, args",
    [
        ("cov", (M,)),
        ("corrcoef", (M,)),
        ("interp", (V, np.asarray([0.0, 1.0]), np.asarray([2.0, 3.0]))),
        ("histogram", (V, 4, (-1.0, 1.0))),
        ("average", (M, 1, W)),
        ("median", (M,)),
        ("fmax", (M, COUNTS)),
        ("logaddexp2", (M, COUNTS)),
        ("sort_complex", (V,)),
        ("setdiff1d", (V, [0.3])),
        ("var", (M,)),
        ("cumsum", (M,)),
    ],
)
def test_single_precision_has_the_dtype_that_numpy_gives_it(name: str, args: Any) -> None:
    single = [
        x.astype(np.float32) if str(getattr(x, "dtype", "")) == "float64" else x for x in args
    ]
    expected = getattr(np, name)(*single)
    got = FUNCTIONS[name](tensor(single[0]), *single[1:], xp=namespace(np))
    pairs = zip(got, expected, strict=True) if isinstance(got, tuple) else [(got, expected)]
    assert all(mine.dtype == theirs.dtype for mine, theirs in pairs)

"""The right number where a peer returns another one, and an error where it computes on.

What the peer returns stands beside each case: torch 2.13, jax 0.10 and optax 0.2, keras 3.15 (its
backends in brackets), scikit-learn 1.9, liger 0.8, MyGrad 2.5, tinygrad 0.14, measured on a CPU.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses._typing import Array
from tests.libraries import LIBRARIES, Library, named
from tests.rows import rows_of

INF, NAN = math.inf, math.nan

# ---- values -----------------------------------------------------------

CE, BCE, BCL = pl.cross_entropy, pl.binary_cross_entropy, pl.binary_cross_entropy_with_logits
A = np.asarray
ROW, PAIR = A([[1.0, 2, 3], [1, 0, -1]]), A([0, 0])
LOSS = 2.4076059644443806  # of the first row of ROW, target 0; the second's is 2 less
NO_ROWS = A([], dtype=np.int64)
E20 = math.log1p(math.exp(-20))
F32 = np.float32
HALF = np.float16

Case = tuple[Callable[..., Any], Any, Any]
# what is computed, the right number, what some peer returns
VALUES: dict[str, Case] = {
    # nothing left to average
    "all ignored": (lambda: CE(ROW, A([-100, -100])), 0.0, "torch nan, tinygrad -0"),
    "weights of 0": (lambda: CE(ROW, PAIR, weight=np.zeros(3)), 0.0, "torch nan"),
    "no rows": (lambda: CE(np.zeros((0, 3)), NO_ROWS), 0.0, "torch, optax nan; keras shape (0,)"),
    "no rows, sum": (lambda: CE(np.zeros((0, 3)), NO_ROWS, reduction="sum"), 0.0, "liger raises"),
    "no elements": (lambda: BCL(np.zeros(0), np.zeros(0)), 0.0, "torch nan"),
    "no differences": (lambda: pl.mse_loss(np.zeros(0), np.zeros(0)), 0.0, "torch nan"),
    "ignored by default": (lambda: CE(ROW, A([0, -100])), LOSS, "optax nan, keras (jax) 0"),
    # denominators: torch's where the argument is torch's
    "sample weights": (lambda: CE(ROW, PAIR, sample_weight=A([1.0, 0])), LOSS, "keras 1.2038"),
    "class weights": (lambda: CE(ROW[:1], A([0]), weight=A([2.0, 1, 1])), LOSS, "one-hot: 4.8152"),
    # infinite logits
    "-inf, not the target": (
        lambda: CE(A([[-INF, 0.0, 1.0]]), A([1])), 1.3132616875182228, "keras (jax) nan"),
    "-inf, the target": (lambda: CE(A([[-INF, 0.0, 1.0]]), A([0])), INF, None),
    "whole row -inf": (lambda: CE(np.full((1, 3), -INF), A([0])), NAN, None),
    "whole row -inf, masked": (
        lambda: CE(np.full((1, 3), -INF), A([0]), where=A([False])), 0.0, "all nan"),
    "a row of nan": (lambda: CE(A([[NAN, 0.0, 1.0]]), A([1])), NAN, None),
    "hit at +inf": (lambda: BCL(A([INF]), A([1.0])), 0.0, "torch, optax, keras nan"),
    "hit at -inf": (lambda: BCL(A([-INF]), A([0.0])), 0.0, "torch, optax, keras nan"),
    "miss at -inf": (lambda: BCL(A([-INF]), A([1.0])), INF, "torch nan"),
    "miss at +inf": (lambda: BCL(A([INF]), A([0.0])), INF, "torch nan"),
    "logsumexp of -inf": (lambda: pl.logsumexp(np.full(3, -INF)), -INF, None),
    "logsumexp of nothing": (lambda: pl.logsumexp(np.zeros(0)), -INF, None),
    "softmax, masked": (lambda: pl.softmax(np.zeros(3), where=A([False] * 3))[0], 0.0, "torch nan"),
    "softmax of -inf": (lambda: pl.softmax(np.full(3, -INF))[0], NAN, None),
    # a class of probability 0 that is the target's with probability 0
    "0 times inf": (
        lambda: CE(A([[-INF, 0.0, 1.0]]), A([[0, 0.5, 0.5]])), 0.8132616875182228,
        "torch, optax, keras nan"),
    "smoothed mass on a class at -inf": (
        lambda: CE(A([[-INF, 0.0, 1.0]]), A([1]), label_smoothing=0.1), INF, None),
    "smoothed, class masked": (
        lambda: CE(A([[-INF, 0, 1.0]]), A([1]), label_smoothing=0.1, where=A([[0, 1, 1]]) > 0),
        1.2632616875182228, "torch inf"),
    "smoothed, class of weight 0": (
        lambda: CE(A([[-INF, 0.0, 1.0]]), A([1]), label_smoothing=0.3, weight=A([0.0, 1, 1])),
        0.8 * 1.3132616875182228 + 0.1 * 0.31326168751822286, "torch nan"),
    "softcap keeps the mask": (
        lambda: CE(A([[-INF, 0.0, 0.0]]), A([1]), softcap=5.0), math.log(2), "liger 0.6965"),
    # probabilities at their ends
    "ce, shares that sum to 3": (lambda: CE(ROW[:1], A([[1.0, 1, 1]])), 3 * LOSS - 3, None),
    "miss of 1": (lambda: BCE(A([1.0]), A([0.0])), 100.0, "keras (torch) 100, others 15.94"),
    "miss of 1, float16": (lambda: BCE(A([1.0], HALF), A([0.0])), 100.0, "keras (jax, numpy) inf"),
    "probability 1e-12": (lambda: BCE(A([1e-12]), A([1])), -math.log(1e-12), "keras 16.118"),
    "integer labels": (lambda: BCL(A([0.0]), A([1])), math.log(2), "torch raises"),
    # digits
    "confident row": (lambda: CE(A([[20.0, 0.0]]), A([0])), E20, "torch 0"),
    "confident row, float32": (lambda: CE(A([[20.0, 0.0]], F32), A([0])), E20, "torch, optax 0"),
    "log_softmax": (lambda: pl.log_softmax(A([20.0, 0.0]))[0], -E20, "torch 0 in float32"),
    "a certain miss": (lambda: CE(A([[30.0, 0.0]]), A([1])), 30 + math.exp(-30), "focal 16.118"),
    "bce at -100": (lambda: BCL(A([-100.0]), A([1.0])), 100.0, "keras (numpy) 16.118"),
    "bce at 100": (lambda: BCL(A([100.0]), A([0.0])), 100.0, "keras (numpy) 15.94"),
    "softplus(21)": (lambda: pl.softplus(A([21.0]))[0], 21 + math.log1p(math.exp(-21)), "torch 21"),
    "gelu(-9)": (lambda: pl.gelu(A([-9.0]))[0], -1.015729565358456583e-18, "torch 0"),
    "gelu(-5.4), float32": (
        lambda: pl.gelu(A([-5.4], F32))[0], -1.79930329347833e-7, "torch 11 % off"),
    "gelu(-8), tanh": (
        lambda: pl.gelu(A([-8.0]), approximate="tanh")[0], -3.1077829375011112e-21,
        "torch, jax -0"),
    "logit near 1/2": (
        lambda: pl.logit(A([0.5 + 2.0**-40]))[0], 2.0**-38, "torch, jax 257 eps off"),
    "log1mexp": (lambda: pl.log1mexp(A([1e-20]))[0], math.log(1e-20), "optax 73 eps off"),
    "log_sigmoid(50)": (lambda: pl.log_sigmoid(A([50.0]))[0], -math.exp(-50), None),
    # infinities
    **{
        f"{f.__name__}({x})": (lambda f=f, x=x: f(A([x]))[0], max(x, 0.0), "torch, jax, keras nan")
        for f in (pl.silu, pl.gelu, pl.softplus, pl.relu)
        for x in (-INF, INF)
    },
    "gelu(inf) in a block": (lambda: pl.gelu(np.full(16, INF)).min(), INF, "torch nan"),
    # half precision
    "mean, float16": (
        lambda: CE(np.zeros((70_000, 10), HALF), np.zeros(70_000, int)), HALF(math.log(10)),
        "torch nan"),
    "50000 classes, float16": (
        lambda: CE(np.zeros((1, 50_000), HALF), np.full((1, 50_000), F32(2e-5))),
        HALF(math.log(50_000)), "torch 10.8359"),
    **dict(rows_of("BEYOND")),
}  # fmt: skip


@pytest.mark.parametrize("case", VALUES)
def test_the_value_is_right_where_a_peers_is_not(case: str) -> None:
    call, want, _ = VALUES[case]
    got = call()
    rtol = {"float16": 0.0, "float32": 3e-7}.get(str(got.dtype), 1e-14)
    assert got.shape == ()
    np.testing.assert_allclose(float(got), want, rtol=rtol, atol=0)


def test_the_sum_of_many_rows_in_float16_is_infinite_and_none_of_them_is() -> None:
    z: Array = np.zeros((70_000, 10), HALF)
    y: Array = np.zeros(70_000, int)
    with np.errstate(over="ignore"):
        assert CE(z, y, reduction="sum") == INF
    assert np.all(np.isfinite(CE(z, y, reduction="none")))


# ---- gradients --------------------------------------------------------


def row_of(x: Array, *others: float) -> Array:
    """A row that begins with the only entry of `x`."""
    xp = array_namespace(x)
    return xp.concat([x, *(0 * xp.ones_like(x) + other for other in others)])


def loss_at(*others: float, target: int, **options: Any) -> Callable[[Array], Array]:
    def f(x: Array) -> Array:
        row = row_of(x, *others)
        xp = array_namespace(x)
        return CE(row, xp.astype(0 * xp.ones_like(row[0]), xp.int64) + target, **options)

    return f


def bcl_to(y: float) -> Callable[[Array], Array]:
    return lambda x: BCL(x, y + 0 * array_namespace(x).ones_like(x))


Slope = tuple[Callable[[Array], Array], float, float, Any]
E1 = math.exp(1) / (1 + math.exp(1))
# a function, where, its slope there, what some peer or textbook form has
SLOPES: dict[str, Slope] = {
    "softplus at 0": (pl.softplus, 0.0, 0.5, "textbook: torch .5, jax 0; with where: 0, -.5"),
    "sigmoid at 0": (pl.sigmoid, 0.0, 0.25, "textbook in torch 0"),
    "sigmoid at 1000": (pl.sigmoid, 1000.0, 0.0, "textbook nan"),
    "sigmoid at -1000": (pl.sigmoid, -1000.0, 0.0, "textbook nan"),
    "sigmoid at -40": (pl.sigmoid, -40.0, math.exp(-40), None),
    "tanh at 20": (pl.tanh, 20.0, 4 * math.exp(-40), "1 - tanh**2: 0"),
    "softplus at -inf": (pl.softplus, -INF, 0.0, None),
    "silu at inf": (pl.silu, INF, 1.0, "torch, jax nan"),
    "silu at -inf": (pl.silu, -INF, 0.0, "torch, jax nan"),
    "gelu at -inf": (pl.gelu, -INF, 0.0, "torch, jax nan"),
    "gelu at inf": (pl.gelu, INF, 1.0, "torch nan"),
    "relu at nan": (lambda x: pl.relu(x) * 2, 0.0, 0.0, "1/2 where max(x, 0) splits the tie"),
    "log1mexp at 30": (pl.log1mexp, 30.0, 1 / math.expm1(30), None),
    "logit at 1e-300": (pl.logit, 1e-300, 1e300, None),
    "bce at inf, y = 1": (bcl_to(1.0), INF, 0.0, "torch, optax, keras nan"),
    "bce at -inf, y = 0": (bcl_to(0.0), -INF, 0.0, "torch, optax, keras nan"),
    "bce at -inf, y = 1": (bcl_to(1.0), -INF, -1.0, "torch nan"),
    "bce at -30, y = 1": (bcl_to(1.0), -30.0, -1 / (1 + math.exp(-30)), "focal -3e-12"),
    "bce at 40, y = 1": (bcl_to(1.0), 40.0, -math.exp(-40), "torch 0"),
    "ce at 20, the target": (
        loss_at(0.0, target=0), 20.0, -math.exp(-20) / (1 + math.exp(-20)), "torch 0 in float32"),
    "ce at -inf, not the target": (loss_at(0.0, 1.0, target=1), -INF, 0.0, "keras (jax) nan"),
    "ce at inf, not the target": (loss_at(0.0, 1.0, target=1), INF, NAN, "optax finite"),
    "ce at nan": (loss_at(0.0, 1.0, target=1), NAN, NAN, None),
    "ce at 30, a certain miss": (loss_at(0.0, target=1), 30.0, 1 / (1 + math.exp(-30)), "focal 0"),
    "ce at 0": (loss_at(1.0, target=1), 0.0, 1 - E1, None),
    "logsumexp of -inf": (lambda x: pl.logsumexp(row_of(x, -INF)), -INF, 0.0, "torch, optax nan"),
    "miss of 1e-12": (
        lambda x: BCE(x, 0 * x + 1), 1e-12, -1 / 1e-12 * (1 - 1e-12) / (1 - 1e-12), "keras 0"),
    **dict(rows_of("BEYOND_SLOPES")),
}  # fmt: skip
EVERYWHERE = [one for one in LIBRARIES if one.name in ("torch", "numpy", "array_api_strict")]


@pytest.mark.parametrize("case", SLOPES)
@pytest.mark.parametrize("library", EVERYWHERE, ids=str)
def test_the_slope_is_right_where_a_peers_is_not(library: Library, case: str) -> None:
    f, x, want, _ = SLOPES[case]

    def total(x: Array) -> Array:
        out = f(x)
        return array_namespace(out).sum(out)

    (got,) = library.gradient(total, (0,))(library.array(np.asarray([x])))
    np.testing.assert_allclose(library.numpy(got), [want], rtol=1e-13, atol=1e-300)


def test_the_slopes_are_right_on_jax_as_well() -> None:
    jax = pytest.importorskip("jax")
    jax_numpy = named("jax").xp

    def slopes(xs: list[Array]) -> list[Array]:
        calls = zip(SLOPES.values(), xs, strict=True)
        return [jax.grad(lambda x, f=f: jax_numpy.sum(f(x)))(x) for (f, *_), x in calls]

    xs = [jax_numpy.asarray([x], dtype="float64") for _, x, _, _ in SLOPES.values()]
    got = [float(slope[0]) for slope in named("jax").quickly(slopes)(xs)]
    want = {name: want for name, (_, _, want, _) in SLOPES.items()}
    wrong = {
        name: (one, want[name])
        for name, one in zip(SLOPES, got, strict=True)
        if not np.isclose(one, want[name], rtol=1e-13, atol=1e-300, equal_nan=True)
    }
    assert wrong == {}


# ---- errors --------------------------------------------------

TYPO: Any = "avg"
LOGITS = A([0.5, -3.0, 5.0, 1.0])
Error = tuple[Callable[[], Any], type[Exception], Any]
ERRORS: dict[str, Error] = {
    **{
        f"index {i}": (partial(CE, ROW, A([0, i])), IndexError, peers)
        for i, peers in (
            (3, "optax nan with a finite gradient; keras (jax), tinygrad 0; scikit-learn 4.41"),
            (-1, "optax, MyGrad, metagrad: the last class; keras (jax) 0; scikit-learn 3.41"),
            (-101, "keras (jax) 0"),
        )
    },
    "nll, index -1": (lambda: pl.nll_loss(ROW, A([0, -1])), IndexError, None),
    "one_hot(3) of 3": (lambda: pl.one_hot(A([3]), 3), IndexError, "optax, keras: zeros"),
    "one_hot(-1)": (lambda: pl.one_hot(A([-1]), 3), IndexError, "optax, keras: zeros"),
    **{
        f"{f.__name__}, (4,) and (4, 1)": (partial(f, LOGITS, A([[0.0]] * 4)), ValueError, peers)
        for f, peers in (
            (pl.mse_loss, "torch (4, 4)"), (pl.l1_loss, "torch (4, 4)"),
            (pl.smooth_l1_loss, "torch (4, 4)"), (pl.huber_loss, "torch, optax (4, 4)"),
            (BCL, "optax (4, 4); scikit-learn takes (4,) and (3,)"),
        )
    },
    "ce, (1, 3) shares": (lambda: CE(ROW, A([[0.0, 0, 1]])), ValueError, "optax broadcasts"),
    "ce, (3,) shares": (lambda: CE(ROW, A([0.0, 0, 1])), ValueError, "optax broadcasts"),
    "ce, (1,) index": (lambda: CE(ROW, A([0])), ValueError, "optax broadcasts"),
    "ce, (2, 1) index": (lambda: CE(ROW, A([[0], [0]])), ValueError, "keras squeezes"),
    "integer logits": (lambda: CE(ROW.astype(int), PAIR), TypeError, "keras casts the target"),
    "integer input": (lambda: pl.mse_loss(A([1]), A([0.9])), TypeError, "keras 1.0"),
    "integer sigmoid": (lambda: pl.sigmoid(A([1])), TypeError, "torch converts"),
    "float index": (lambda: CE(ROW, A([0.0, 0.9])), TypeError, "keras: class 0"),
    "no classes": (lambda: CE(np.zeros((2, 0)), PAIR), ValueError, "optax -inf"),
    "no classes, shares": (lambda: CE(*[np.zeros((2, 0))] * 2), ValueError, "torch nan, keras -0"),
    "probability 1.5": (lambda: BCE(A([1.5]), A([1.0])), ValueError, "keras 1.2e-7"),
    "target 1.5": (lambda: BCE(A([0.5]), A([1.5])), ValueError, "keras 0.693"),
    "target 2": (lambda: BCL(A([5.0]), A([2.0])), ValueError, "torch, optax, keras -4.9933"),
    "shares below 0": (lambda: CE(ROW, -np.ones((2, 3))), ValueError, "torch, optax, keras -4.22"),
    "label_smoothing 1.5": (
        lambda: CE(ROW, PAIR, label_smoothing=1.5), ValueError, "keras 0.563, optax 0.25"),
    "delta -1": (lambda: pl.huber_loss(LOGITS, LOGITS, delta=-1), ValueError, "optax, keras -3.5"),
    "reduction": (lambda: CE(ROW, PAIR, reduction=TYPO), ValueError, None),
    "logits for probabilities": (lambda: BCE(LOGITS, 0 * LOGITS), ValueError, "keras 1.19e-7"),
    **dict(rows_of("BEYOND_ERRORS")),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_an_error_is_raised_where_a_peer_computes_on(case: str) -> None:
    call, error, _ = ERRORS[case]
    with pytest.raises(error):
        call()


@pytest.mark.parametrize("bits", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"])
def test_every_integer_dtype_is_an_index(bits: str) -> None:  # torch takes int64 and uint8
    assert CE(ROW, PAIR.astype(bits)) == CE(ROW, PAIR)


def test_the_result_has_the_dtype_of_the_input() -> None:  # torch float32 for float32 targets
    shares: Array = np.full((2, 3), 1 / 3, np.float32)
    for dtype in ("float16", "float32", "float64"):  # keras float32 for float64
        assert CE(ROW.astype(dtype), shares).dtype == dtype
        assert BCL(ROW.astype(dtype), shares).dtype == dtype

"""Losses of a margin: of one score, between classes, between labels and the other classes."""

from collections.abc import Callable
from itertools import product as pairs_of
from typing import Any

import mpmath
import numpy as np
from array_api_compat import array_namespace
from mpmath import mpf

import portable_losses as pl
from portable_losses._typing import Array
from tests.cases import Bad, Case, each_reduction, raises
from tests.curves import Pointwise
from tests.definitions import ZERO, Number, elementwise, exp, reduce, sigmoid, softplus
from tests.rows.along_an_axis import DEEP
from tests.rows.cross_entropy import INDEX, OF_CLASS, OF_ROW, SHARES
from tests.samples import Sample

# ---- of one score ----------------------------------------------------------------------------


def positive(x: Number) -> Number:
    return max(x, ZERO)


def of_margin(
    function: Any, value: Callable[[Number], Number], slope: Any, **options: Any
) -> Pointwise:
    """A loss of the margin ``t * x``."""
    return Pointwise(
        function,
        lambda x, t: value(t * x),
        lambda x, t: t * slope(t * x),
        targets="sign",
        y=((1.0, 1.0, 1.0), (-1.0, -1.0, 1.0)),
        **options,
    )


def shared(x: Number, t: Number) -> tuple[Number, Number]:
    """The exponential losses of 1 and -1, times the share of each."""
    most = mpf(10) ** 6
    return t and t * exp(min(-x, most)), (1 - t) and (1 - t) * exp(min(x, most))


BINARY = (
    pl.hinge_loss,
    pl.squared_hinge_loss,
    pl.modified_huber_loss,
    pl.perceptron_loss,
    pl.soft_margin_loss,
    pl.exponential_loss,
)
POINTWISE = [
    of_margin(pl.hinge_loss, lambda m: positive(1 - m), lambda m: -mpf(m < 1)),
    of_margin(
        pl.squared_hinge_loss, lambda m: positive(1 - m) ** 2, lambda m: -2 * positive(1 - m)
    ),
    of_margin(
        pl.modified_huber_loss,
        lambda m: positive(1 - m) ** 2 if m >= -1 else -4 * m,
        lambda m: -2 * positive(1 - m) if m >= -1 else mpf(-4),
    ),
    of_margin(
        pl.perceptron_loss, lambda m: positive(-m), lambda m: -mpf(m < 0), smooth_at_zero=False
    ),
    of_margin(pl.soft_margin_loss, lambda m: softplus(-m), lambda m: -sigmoid(-m)),
    of_margin(
        pl.exponential_loss,
        lambda m: exp(min(-m, mpf(10) ** 6)),
        lambda m: -exp(min(-m, mpf(10) ** 6)),
    ),
    Pointwise(
        pl.exponential_loss,
        lambda x, t: shared(x, t),
        lambda x, t: tuple(sign * one for sign, one in zip((-1, 1), shared(x, t), strict=True)),
        note="shares",
        targets="share",
        x=((0.5, -3.0, 40.0), (2.0, 0.125, -1.5)),
        y=((0.25, 1.0, 0.75), (0.0, 0.5, 0.125)),
    ),
]

# ---- between classes -------------------------------------------------------------------------


def over_rows(loss: Any, input: Array, target: Array, axis: int, **given: Any) -> Array:
    """Reduce the losses of rows, each a function of the scores and the target."""
    x = np.moveaxis(input, axis, -1)
    losses = np.asarray([loss(x[i], target[i]) for i in np.ndindex(x.shape[:-1])], dtype=object)
    return reduce(losses.reshape(x.shape[:-1]), **given)


def given_of(options: dict[str, Any]) -> dict[str, Any]:
    return {
        "reduction": options.get("reduction", "mean"),
        "sample_weight": options.get("sample_weight"),
    }


def multi_margin_loss(
    input: Array,
    target: Array,
    *,
    p: int = 1,
    margin: float = 1.0,
    weight: Array | None = None,
    axis: int = -1,
    **options: Any,
) -> Array:
    def loss(x: Array, y: int) -> Number:
        terms = [positive(mpf(margin) - x[y] + v) ** p for j, v in enumerate(x) if j != y]
        return mpmath.fsum(terms) * (1 if weight is None else weight[y]) / len(x)

    return over_rows(loss, input, target, axis, **given_of(options))


def multiclass_hinge_loss(
    input: Array, target: Array, *, margin: float = 1.0, axis: int = -1, **options: Any
) -> Array:
    def loss(x: Array, y: int) -> Number:
        others = [v for j, v in enumerate(x) if j != y]
        return positive(mpf(margin) + max(others) - x[y]) if others else ZERO

    return over_rows(loss, input, target, axis, **given_of(options))


def multiclass_perceptron_loss(
    input: Array, target: Array, *, axis: int = -1, **options: Any
) -> Array:
    return over_rows(lambda x, y: max(x) - x[y], input, target, axis, **given_of(options))


def multilabel_margin_loss(input: Array, target: Array, *, axis: int = -1, **options: Any) -> Array:
    def loss(x: Array, labels: Any) -> Number:
        named = [int(y) for y in labels]
        named = named[: named.index(-1)] if -1 in named else named
        others = [i for i in range(len(x)) if i not in named]
        terms = [positive(1 - (x[y] - x[i])) for y, i in pairs_of(named, others)]
        return mpmath.fsum(terms) / len(x)

    return over_rows(loss, input, np.moveaxis(target, axis, -1), axis, **given_of(options))


def multilabel_soft_margin_loss(
    input: Array, target: Array, *, weight: Any = 1, axis: int = -1, **options: Any
) -> Array:
    x, y = np.moveaxis(input, axis, -1), np.moveaxis(target, axis, -1) + ZERO
    terms = elementwise(lambda x, y: y * softplus(-x) + (1 - y) * softplus(x))(x, y)
    return reduce((weight * terms).sum(-1) / x.shape[-1], **given_of(options))


DEFINED: dict[Any, Any] = {
    pl.multi_margin_loss: multi_margin_loss,
    pl.multiclass_hinge_loss: multiclass_hinge_loss,
    pl.multiclass_perceptron_loss: multiclass_perceptron_loss,
    pl.multilabel_margin_loss: multilabel_margin_loss,
    pl.multilabel_soft_margin_loss: multilabel_soft_margin_loss,
}
MULTI, HINGE = pl.multi_margin_loss, pl.multiclass_hinge_loss
PERCEPTRON, LABELS = pl.multiclass_perceptron_loss, pl.multilabel_margin_loss
OF_CLASSES = (MULTI, HINGE, PERCEPTRON)

X = [[2.0, -1.0, 0.5], [0.125, 0.0, -0.25], [-1e4, 1e4, 3.0], [30.0, -10.0, 29.5]]
AXIS_1 = [[0, 2, 1, 1], [2, 0, 0, 1]]
NAMED = [[0, 2, -1], [2, -1, 7], [-1, 0, 0], [1, 0, 2]]
BOTH: Any = np.stack([np.roll(np.asarray([1, 0, -1]), i % 2) for i in range(8)]).reshape(2, 4, 3)


def of(function: Any, target: Any, note: str, x: Any = X, *, kink: bool = True, **o: Any) -> Sample:
    return Sample(function, DEFINED[function], (x, target), o, note, smooth_at_zero=not kink)


ROWS = [
    of(MULTI, INDEX, "everything", p=2, margin=0.5, weight=OF_CLASS, sample_weight=OF_ROW),
    of(MULTI, INDEX, "index", kink=False),
    of(MULTI, AXIS_1, "axis 1", DEEP, axis=1, reduction="none", kink=False),
    of(HINGE, INDEX, "index", sample_weight=OF_ROW),
    of(HINGE, AXIS_1, "axis 1", DEEP, axis=1, margin=0.25, reduction="none"),
    of(PERCEPTRON, INDEX, "index", sample_weight=OF_ROW),
    of(PERCEPTRON, AXIS_1, "axis 1", DEEP, axis=1, reduction="none"),
    of(LABELS, NAMED, "labels", sample_weight=OF_ROW, kink=False),
    of(
        LABELS,
        np.moveaxis(BOTH, -1, 1),
        "axis 1",
        DEEP,
        axis=1,
        reduction="none",
        kink=False,
    ),
    of(
        pl.multilabel_soft_margin_loss,
        np.asarray(SHARES) > 0.3,
        "everything",
        weight=OF_CLASS,
        sample_weight=OF_ROW,
        kink=False,
    ),
    of(
        pl.multilabel_soft_margin_loss,
        np.abs(np.sin(DEEP)),
        "axis 1",
        DEEP,
        axis=1,
        reduction="none",
        kink=False,
    ),
]

# ---- bad calls -------------------------------------------------------------------------------

T, Y, P = np.zeros((2, 3)), np.asarray([0, 1]), np.full((4,), 0.5)
ONES = np.asarray([1.0, -1.0, 1.0, 1.0])
IMAGE = np.zeros((2, 3, 4, 5))

ERRORS: list[Case] = [
    *(raises(f.__name__, ValueError, r"shapes must be equal, got input: \(4,\), target: "
             r"\(4, 1\)", P, ONES[:, None]) for f in BINARY),
    *(raises(f.__name__, ValueError, r"`target` must have shape \(2,\) \(class indices\) for "
             "`input`", T, Y[:, None]) for f in OF_CLASSES),
    *(raises(f.__name__, ValueError, "as in PyTorch, pass axis=1", IMAGE,
             np.zeros((2, 4, 5), np.int64)) for f in OF_CLASSES),
    *(raises(f.__name__, TypeError, "`target` must hold class indices of an integer dtype, got "
             ".*float", T, Y / 1) for f in OF_CLASSES),
    *(raises(f.__name__, ValueError, r"`input` must have at least one class, got shape "
             r"\(2, 0\)", T[:, :0], Y) for f in OF_CLASSES),
    *(raises(f, ValueError, r"`input` must have at least one class, got shape \(2, 0\)",
             T[:, :0], T[:, :0].astype(int))
      for f in ("multilabel_margin_loss", "multilabel_soft_margin_loss")),
    *(raises("multi_margin_loss", ValueError, rf"`p` must be one of \(1, 2\), got {p}", T, Y, p=p)
      for p in (0, 3)),
    *(raises(f.__name__, ValueError, "`margin` must be a finite number, got nan", T, Y,
             margin=np.nan) for f in (MULTI, HINGE)),
    raises("multi_margin_loss", ValueError, r"`weight` must broadcast to shape \(3,\)", T, Y,
           weight=np.ones(2)),
    raises("multilabel_soft_margin_loss", ValueError, r"`weight` must broadcast to shape \(3,\)", T,
           T, weight=np.ones(2)),
    raises("multilabel_margin_loss", TypeError, "`target` must hold class indices of an", T, T),
    raises("multilabel_margin_loss", ValueError, "shapes must be equal", T, T[:1].astype(int)),
]  # fmt: skip

VALUES: list[Case] = [
    *(raises(f.__name__, ValueError, r"`target` must be -1 or 1; 2 \* t - 1 converts \{0, 1\}, got "
             r"0.0 at position \(1,\)", P, np.asarray([1, 0, 0, 1])) for f in BINARY[:-1]),
    raises("exponential_loss", ValueError, r"`target` must be -1, or lie in \[0, 1\], got -0.5 at "
           r"position \(1,\)", P, np.asarray([1, -0.5, 0, 1])),
    *(raises(f.__name__, IndexError, rf"`target` must hold class indices in \[0, 3\), got {bad} "
             r"at position \(1,\)", T, np.asarray([0, bad])) for f in OF_CLASSES
      for bad in (3, -1, -100)),
    raises("multilabel_margin_loss", IndexError, r"`target` must hold class indices in \[0, 3\) up "
           r"to the first -1, got 3 at position \(1, 0\)", T, np.asarray([[0, -1, 3], [3, 0, 1]])),
    raises("multilabel_margin_loss", ValueError, r"`target` must name a class once in a row, got 2 "
           r"at position \(0, 2\)", T, np.asarray([[2, 0, 2], [0, -1, 0]])),
    raises("multilabel_soft_margin_loss", ValueError, r"`target` must lie in \[0, 1\], got 2", T,
           T + 2),
    raises("multi_margin_loss", ValueError, "`weight` must be at least 0, got -1.0", T, Y,
           weight=np.asarray([1.0, -1.0, 1.0])),
]  # fmt: skip

ROW3 = np.asarray(X)[[0, 1, 3]]
BADS = [
    *(Bad(f, P[:3], np.asarray([1.0, 0.0, -1.0])) for f in BINARY[:-1]),
    *(Bad(pl.exponential_loss, P[:3], np.asarray([1.0, bad, -1.0])) for bad in (-0.5, 2.0)),
    *(Bad(f, P[:3], ONES[:3], {"sample_weight": ONES[:3]}) for f in BINARY),
    *(Bad(f, ROW3, np.asarray([1, 5, 2]), {}, IndexError) for f in OF_CLASSES),
    Bad(MULTI, ROW3, np.asarray([1, 0, 2]), {"sample_weight": ONES[:3]}),
    Bad(LABELS, ROW3, np.asarray([[1, -1, 9], [0, 4, -1], [2, 0, -1]]), {}, IndexError),
    Bad(LABELS, ROW3, np.asarray([[1, -1, 1], [0, 0, -1], [2, 0, -1]])),
    Bad(pl.multilabel_soft_margin_loss, ROW3, np.asarray([[1.0, 0, 0], [0, 2, 0], [1, 1, 1]])),
]

# ---- peers -----------------------------------------------------------------------------------

random = np.random.default_rng(3)
LOGITS, TO = random.normal(size=(5, 4)) * 2, np.asarray([0, 3, 1, 2, 2])
TO_MANY = np.asarray([[3, 0, -1, 1], [-1, 2, 2, 2], [0, 1, 2, 3], [2, -1, 0, 0], [1, 3, 2, -1]])
OF_FOUR = np.asarray([0.5, 2.0, 1.0, 0.25])
PEERS = [
    *each_reduction("soft_margin_loss", LOGITS, 2 * random.integers(0, 2, size=(5, 4)) - 1),
    *each_reduction("multi_margin_loss", LOGITS, TO),
    *each_reduction("multi_margin_loss", LOGITS, TO, p=2, margin=0.5, weight=OF_FOUR),
    *each_reduction("multilabel_margin_loss", LOGITS, TO_MANY),
    *each_reduction("multilabel_soft_margin_loss", LOGITS, random.uniform(size=(5, 4))),
    *each_reduction(
        "multilabel_soft_margin_loss", LOGITS, random.uniform(size=(5, 4)), weight=OF_FOUR
    ),
]

# ---- beyond them -----------------------------------------------------------------------------

INF, NAN, F32 = np.inf, np.nan, np.float32
A = np.asarray
ROW = A([[1.0, 2, 3], [1, 0, -1]])


def to_one(function: Any) -> Any:
    return lambda x: function(x, array_namespace(x).ones_like(x))


BEYOND = [
    ("soft margin at -100, float32", (
        lambda: pl.soft_margin_loss(A([-100.0], F32), A([1.0])), 100.0, "torch inf")),
    ("soft margin at 40", (
        lambda: pl.soft_margin_loss(A([40.0]), A([1.0])), float(np.log1p(np.exp(-40))), "torch 0")),
    ("multi margin of large scores", (
        lambda: MULTI(A([[1e9, 1e9]], F32), A([0])), 0.5, "torch 0")),
    ("multiclass hinge, all negative", (
        lambda: HINGE(A([[-3.0, -1.0, -2.0]]), A([1])), 0.0, "keras 2")),
    ("multiclass hinge, one class", (lambda: HINGE(A([[3.0]]), A([0])), 0.0, None)),
    ("multiclass perceptron, one class", (lambda: PERCEPTRON(A([[3.0]]), A([0])), 0.0, None)),
    ("multi margin, a masked class", (lambda: MULTI(A([[-INF, 0.0, 0.0]]), A([1])), 1 / 3, None)),
    ("multiclass hinge, masked", (lambda: HINGE(A([[-INF, 0.0, 0.0]]), A([1])), 1.0, None)),
    ("multilabel margin, masked", (
        lambda: LABELS(A([[-INF, 0.0, 0.0]]), A([[1, -1, 0]])), 1 / 3, None)),
    ("modified huber, huge", (
        lambda: pl.modified_huber_loss(A([-1e200]), A([1.0])), 4e200, "inf")),
    ("hinge at inf", (lambda: pl.hinge_loss(A([INF]), A([1])), 0.0, None)),
    ("hinge at -inf", (lambda: pl.hinge_loss(A([-INF]), A([1])), INF, None)),
    ("soft margin at inf", (lambda: pl.soft_margin_loss(A([INF]), A([1])), 0.0, None)),
    ("hinge of nan", (lambda: pl.hinge_loss(A([NAN]), A([1])), NAN, None)),
    *((f"{f.__name__}, nothing", (lambda f=f: f(np.zeros(0), np.zeros(0)), 0.0, "torch nan"))
      for f in BINARY),
]  # fmt: skip


def first(function: Any, *others: float, target: int) -> Any:
    """The loss of a row that begins with the only entry of an array."""

    def f(x: Array) -> Array:
        xp = array_namespace(x)
        row = xp.concat([x, *(0 * xp.ones_like(x) + v for v in others)])
        return function(row, xp.astype(0 * xp.ones_like(row[0]), xp.int64) + target)

    return f


BEYOND_SLOPES = [
    *((f"{f.__name__} at 1", (to_one(f), 1.0, slope, None)) for f, slope in (
        (pl.hinge_loss, 0.0), (pl.squared_hinge_loss, 0.0), (pl.modified_huber_loss, 0.0))),
    ("perceptron at 0", (to_one(pl.perceptron_loss), 0.0, 0.0, None)),
    ("modified huber at -1", (to_one(pl.modified_huber_loss), -1.0, -4.0, None)),
    ("modified huber at -inf", (to_one(pl.modified_huber_loss), -INF, -4.0, "nan")),
    ("soft margin at 40", (to_one(pl.soft_margin_loss), 40.0, -float(np.exp(-40)), None)),
    ("hinge at inf", (to_one(pl.hinge_loss), INF, 0.0, None)),
    ("multiclass hinge, of two rivals the first", (
        first(HINGE, 2.0, 0.0, target=2), 2.0, 1.0, "1/2")),
    ("multiclass hinge, at the kink", (first(HINGE, 1.0, target=1), 0.0, 0.0, None)),
    ("multiclass perceptron, a tie", (first(PERCEPTRON, 1.0, target=1), 1.0, 0.0, "1/2")),
    ("multi margin, at the kink", (first(MULTI, 1.0, target=1), 0.0, 0.0, None)),
]  # fmt: skip
BEYOND_ERRORS = [
    *((f"{f.__name__}, labels 0 and 1", (
        lambda f=f: f(A([0.5, 2.0]), A([0.0, 1.0])), ValueError, "torch 0.3709, optax 1"))
      for f in BINARY[:-1]),
    *((f"{f.__name__}, (4,) and (4, 1)", (
        lambda f=f: f(P, ONES[:, None]), ValueError, "optax (4, 4)")) for f in BINARY),
    ("hinge of integers", (lambda: pl.hinge_loss(A([1]), A([1])), TypeError, "optax int32")),
    *((f"{f.__name__}, index {i}", (lambda f=f, i=i: f(ROW, A([0, i])), IndexError, "optax 2.0"))
      for f in OF_CLASSES for i in (3, -1)),
    ("multilabel margin, a label twice", (
        lambda: LABELS(ROW, A([[0, 0, -1], [1, -1, -1]])), ValueError, "torch counts it twice")),
    ("multilabel soft margin, (2, 3) and (2, 1)", (
        lambda: pl.multilabel_soft_margin_loss(ROW, ROW[:, :1] * 0), ValueError,
        "torch broadcasts")),
]  # fmt: skip

"""Losses of regions."""

from typing import Any

import numpy as np
from mpmath import mpf

import portable_losses as pl
from portable_losses._typing import Array
from tests.cases import Bad, raises
from tests.definitions import ZERO, elementwise, reduce
from tests.samples import Sample


def tversky(
    p: Array,
    t: Array,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    axis: Any = None,
    class_axis: int | None = None,
    smooth: float = 0.0,
    class_weight: Any = None,
    ignore_background: bool = False,
    **options: Any,
) -> Array:
    t = t + ZERO
    if class_axis is not None:
        class_axis %= p.ndim
    if axis is None:
        axis = tuple(i for i in range(1, p.ndim) if i != class_axis)
    right, positive, negative = p * t, p * (1 - t), (1 - p) * t
    sums = [x.sum(axis=axis, keepdims=True) for x in (right, positive, negative, t)]
    if class_axis is not None:
        sums = [np.moveaxis(x, class_axis, -1)[..., int(ignore_background) :] for x in sums]
    inside, false, missed, volume = sums
    wrong = mpf(alpha) * false + mpf(beta) * missed
    whole = inside + wrong
    if class_weight is not None:
        if isinstance(class_weight, str):
            weight = elementwise(lambda v: 1 / v**2 if v else ZERO)(volume)
        else:
            weight = class_weight[int(ignore_background) :]
        wrong, whole = ((weight * x).sum(-1, keepdims=True) for x in (wrong, whole))
    loss = elementwise(lambda a, b: a / b if b else ZERO)(wrong, whole + mpf(smooth))
    shape = tuple(n for n in loss.shape if n > 1)
    return reduce(loss.reshape(shape), **{"reduction": "mean", **options})


def dice(p: Array, t: Array, **options: Any) -> Array:
    return tversky(p, t, **options)


def jaccard(p: Array, t: Array, **options: Any) -> Array:
    return tversky(p, t, alpha=1, beta=1, **options)


PROBS = [[0.5, 0.125, 0.75, 0.25], [0.9375, 0.0625, 0.5, 1.0]]
LABELS = [[1.0, 0.0, 0.75, 1.0], [0.0, 0.25, 1.0, 0.5]]
DEEP = np.linspace(0.0625, 0.9375, 12).reshape(2, 3, 2)
REGIONS = np.asarray([[[1, 1], [0, 0], [0, 0]], [[0, 1], [0, 0], [1, 0]]])  # one is empty
OF_CLASS = np.asarray([0.5, 2.0, 1.0])


def of(function: Any, definition: Any, x: Any, t: Any, note: str, **options: Any) -> Sample:
    return Sample(
        function,
        definition,
        (x, t),
        options,
        note,
        inside={0: (0.2, 0.8), "class_weight": (0.2, 0.8)},
        constants=("class_weight",),
        smooth_at_zero=False,  # differences would leave the domain
    )


EVERYTHING: dict[str, Any] = {
    "class_axis": 1,
    "class_weight": OF_CLASS,
    "ignore_background": True,
    "smooth": 0.25,
    "sample_weight": np.asarray([1.0, 0.5]),
}
ROWS = [
    row
    for function, definition in ((pl.dice_loss, dice), (pl.jaccard_loss, jaccard))
    for row in (
        of(function, definition, PROBS, LABELS, "mean"),
        of(function, definition, DEEP, REGIONS, "everything, axis 1", **EVERYTHING),
    )
] + [
    of(
        pl.dice_loss,
        dice,
        DEEP,
        REGIONS,
        "generalized",
        class_axis=1,
        class_weight="generalized",
        reduction="none",
    ),
    of(pl.dice_loss, dice, DEEP, DEEP[::-1], "classes, none", class_axis=-1, reduction="none"),
    of(pl.dice_loss, dice, DEEP, DEEP[::-1], "axes", axis=(0, 2), class_axis=1, reduction="sum"),
    of(pl.tversky_loss, tversky, PROBS, LABELS, "mean", alpha=0.25, beta=0.75),
    of(pl.tversky_loss, tversky, DEEP, REGIONS, "everything", alpha=0.25, beta=2.0, **EVERYTHING),
    of(pl.tversky_loss, tversky, PROBS, LABELS, "one", alpha=0.0, axis=(0, 1), reduction="none"),
]

A = np.asarray
P, T = A([0.5, 0.25, 0.75]), A([1.0, 0.5, 1.0])
NAMES = ("dice_loss", "jaccard_loss", "tversky_loss")
ERRORS = [
    *(
        raises(f, ValueError, "`smooth` must be at least 0, got -1.0", P, T, smooth=-1.0)
        for f in NAMES
    ),
    *(
        raises("tversky_loss", ValueError, f"`{name}` must be at least 0, got -1.0", P, T,
               **{name: -1.0}) for name in ("alpha", "beta")
    ),
    raises("dice_loss", ValueError, "`class_weight` must come with `class_axis`", P, T,
           class_weight="generalized"),
    raises("dice_loss", ValueError, "`ignore_background` must come with `class_axis`", P, T,
           ignore_background=True),
    raises("dice_loss", ValueError, r"`class_weight` must be one of \('generalized',\), got "
           "'equal'", DEEP, DEEP, class_axis=1, class_weight="equal"),
    raises("dice_loss", ValueError, r"`class_weight` must broadcast to shape \(3,\)", DEEP, DEEP,
           class_axis=1, class_weight=np.ones(2)),
    raises("dice_loss", ValueError, "`class_axis` must not be one of `axis`, got 1", DEEP, DEEP,
           class_axis=1, axis=(1, 2)),
]  # fmt: skip
VALUES = [
    *(
        raises(f, ValueError, r"`input` must lie in \[0, 1\], got 1.5 at position \(1,\)",
               A([0.5, 1.5, 0.0]), T) for f in NAMES
    ),
    *(
        raises(f, ValueError, r"`target` must lie in \[0, 1\], got -1.0 at position \(1,\)", P,
               A([0.5, -1.0, 0.0])) for f in NAMES
    ),
]  # fmt: skip
TWO = A([[0.5, 0.25], [0.5, 1.5], [0.75, 0.25]])
BADS = [
    *(Bad(getattr(pl, f), TWO, A([[1.0, 0.5]] * 3), {"axis": -1}) for f in NAMES),
    *(
        Bad(getattr(pl, f), A([[1.0, 0.5]] * 3), TWO - A([[0.0], [1.0], [0.0]]), {"axis": -1})
        for f in NAMES
    ),
]


def false_positive(**options: Any) -> Any:
    return lambda: pl.tversky_loss(A([[1.0, 1.0]]), A([[1, 0]]), **options)


EMPTY = np.zeros((1, 2))
BEYOND = [
    (
        "empty, predicted empty",
        (lambda: pl.dice_loss(np.zeros((1, 4)), np.zeros((1, 4))), 0.0, "keras 1"),
    ),
    ("tversky, alpha", (false_positive(alpha=1.0, beta=0.0), 0.5, "keras 1e-7: beta")),
    ("tversky, beta", (false_positive(alpha=0.0, beta=1.0), 0.0, "keras 0.5")),
    (
        "generalized dice, a class that is not there",
        (
            lambda: pl.dice_loss(
                A([[[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]]),
                A([[[1, 1], [0, 0], [0, 0]]]),
                class_axis=1,
                class_weight="generalized",
            ),
            1 / 3,
            "optax 2.6e-7",
        ),
    ),
]

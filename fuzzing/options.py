"""The options: what may be given for each, what may not, and what only looks odd.

They are found by name, so a new option of a known name is drawn wherever it appears, and one of an
unknown name is an error in `table`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np

import portable_losses as pl
from fuzzing.arrays import Text
from fuzzing.families import Plan, Wanted, smaller

__all__ = ["OPTIONS", "Option"]

NO_NUMBERS = ("a", None, True, 1j, [1.0], Text(10**400, "10**400"))
NO_FLAGS = ("yes", None, 1, 0.0)
ODD_NUMBERS = (
    Text(np.float32(0.5), "np.float32(0.5)"),
    Text(np.int8(1), "np.int8(1)"),
    Text(Fraction(1, 2), "Fraction(1, 2)"),
    1e308,
    5e-324,
)
Draw = Callable[[Random, Plan], Any]


@dataclass(frozen=True)
class Option:
    """How to draw an option; `bad` must raise, `odd` may, the same on every library."""

    draw: Draw
    bad: tuple[Any, ...] = ()
    odd: tuple[Any, ...] = ()


def _choice(*values: Any) -> Draw:
    return lambda r, plan: r.choice(values)


def _number(*usual: float, low: float, high: float) -> Draw:
    """Draw a usual number, or one from [low, high], of few digits: a kernel is made for each."""
    return lambda r, plan: r.choice(usual) if r.random() < 0.6 else round(r.uniform(low, high), 1)


def positive(*usual: float) -> Option:
    """A number greater than 0."""
    draw = _number(*usual, 1, 2, 0.01, 100.0, low=0.1, high=3.0)
    return Option(draw, (0, -1.0, math.nan, math.inf, *NO_NUMBERS), ODD_NUMBERS)


def nonnegative(*usual: float) -> Option:
    """A number of at least 0."""
    draw = _number(*usual, 0, 1, 0.01, low=0.0, high=2.0)
    return Option(draw, (-1, -0.25, math.nan, math.inf, *NO_NUMBERS), ODD_NUMBERS)


def fraction(*usual: float) -> Option:
    """A number in [0, 1]."""
    draw = _number(*usual, 0, 1, 0.25, low=0.0, high=1.0)
    return Option(draw, (-0.25, 1.5, math.nan, math.inf, *NO_NUMBERS), ODD_NUMBERS[:3])


def finite(*usual: float) -> Option:
    """Any finite number."""
    draw = _number(*usual, 0, 1, -1.5, low=-3.0, high=3.0)
    return Option(draw, (math.nan, math.inf, *NO_NUMBERS), ODD_NUMBERS)


def choice(*values: Any) -> Option:
    """One of some values."""
    return Option(_choice(*values), ("other", None, 3, [], Text(np.zeros(2), "np.zeros(2)")))


FLAG = Option(_choice(True, True, False), NO_FLAGS)


def optional(one: Option) -> Option:
    """The same option, which None stands for the absence of."""
    return Option(one.draw, tuple(b for b in one.bad if b is not None), one.odd)


def _of_axis(r: Random, plan: Plan) -> Any:
    """An axis, several, or None, beside what the family has drawn."""
    ndim = len(plan.base)
    if not ndim or r.random() < 0.3:
        return r.choice((None, ()))
    axes = r.sample(range(-ndim, 0), r.randrange(1, ndim + 1))
    return tuple(axes) if len(axes) > 1 or r.random() < 0.3 else axes[0]


NO_AXES = (9, -9, True, 1.5, "a", [0], (0, 0), Text(10**400, "10**400"))
AXIS = Option(lambda r, plan: plan.options.get("axis", -1), (*NO_AXES, None))
AXES = Option(_of_axis, NO_AXES)


def _broadcast(domain: str, dtypes: str = "any real", lift: tuple[int, ...] | None = None) -> Draw:
    """An array that broadcasts to the whole."""
    return lambda r, plan: Wanted(
        domain, plan.base if r.random() < 0.6 else smaller(r, plan.base), dtypes, lift
    )


def _rows(domain: str, dtypes: str = "any real") -> Draw:
    """An array that broadcasts to the unreduced loss."""
    return lambda r, plan: Wanted(
        domain, plan.rows if r.random() < 0.7 else smaller(r, plan.rows), dtypes
    )


def _of_class(domain: str, dtypes: str = "any real") -> Draw:
    return lambda r, plan: Wanted(domain, (plan.classes,), dtypes)


def _mask_of_classes_or_rows(r: Random, plan: Plan) -> Any:
    """A mask with the shape of the logits, or of the rows."""
    return Wanted("real", plan.base if r.random() < 0.5 else plan.rows, "bool")


def _class_weight_of_regions(r: Random, plan: Plan) -> Any:
    if plan.axis is None:
        return None
    return "generalized" if r.random() < 0.4 else Wanted("weight", (plan.classes,), "any real")


def _summed_axes(r: Random, plan: Plan) -> Any:
    """Axes to sum over, other than the classes' and the batch's."""
    axes = tuple(i for i in range(1, len(plan.base)) if i != plan.axis)
    return None if r.random() < 0.5 or not axes else axes


def _label_smoothing(*bad: float) -> Option:
    one = fraction(0.1, 0.0)
    return Option(one.draw, one.bad, one.odd)


#: by name; a function's entry in the table may have one of its own
OPTIONS: Mapping[str, Option] = {
    "alpha": positive(),
    "approximate": choice("none", "tanh"),
    "axis": AXIS,
    "b": positive(4.0),
    "beta": positive(),
    "bias": Option(_of_class("real", "float")),
    "blank": Option(_choice(0), (-1, 99, "a", None, 0.5, True)),
    "cap": positive(2.5, 30.0),
    "chunk_size": Option(_choice(None, 1, 2, 100), (0, -1, 1.5, "a", True)),
    "class_axis": Option(lambda r, plan: plan.options.get("class_axis"), (9, -9, True, 1.5, "a")),
    "class_weight": Option(_of_class("weight"), ("a", 0.5)),
    "denominator": optional(positive(6.5)),
    "delta": positive(),
    "divergence": choice("kl", "reverse_kl", "js"),
    "dtype": Option(_choice(None)),
    "eps": nonnegative(1e-6),
    "epsilon": nonnegative(0.1),
    "full": FLAG,
    "gamma": nonnegative(2.0, 0.5),
    "hard": FLAG,
    "ignore_background": Option(lambda r, plan: plan.axis is not None, NO_FLAGS),
    "ignore_index": Option(_choice(-100, 0, 1, -1), ("a", None, 0.5, True)),
    "keepdims": FLAG,
    "label_smoothing": _label_smoothing(),
    "lambd": nonnegative(0.5),
    "lmbda": finite(0.5, -0.5, 2),
    "log_input": FLAG,
    "log_target": FLAG,
    "log_var": FLAG,
    "lower": finite(0.1, 0.3),
    "margin": finite(0.5, 1),
    "max_fun": Option(
        _choice(Text(pl.logsumexp, "pl.logsumexp")), (None, "a", 1.0)
    ),
    "max_val": finite(1.0, 2),
    "mean": Option(_broadcast("real")),
    "min_val": finite(-1.0, -2),
    "negative_slope": finite(0.01, 2.0, 0),
    "num_classes": Option(_choice(5), (0, -1, 1.5, "a", None, True)),
    "p": Option(_choice(2.0, 1.0, 3.0, 0.5, math.inf), (0, -1.0, math.nan, *NO_NUMBERS)),
    "pos_weight": Option(_broadcast("weight")),
    "power": Option(_choice(0.0, 1.0, 1.5, 2.0, 3, -1.0), (0.5, math.nan, math.inf, *NO_NUMBERS)),
    "q": fraction(0.7, 0.5),
    "reduction": choice("mean", "sum", "none", "none"),
    "return_lse": FLAG,
    "return_sign": FLAG,
    "sample_weight": Option(_rows("weight"), ("a",)),
    "scale": positive(0.5, 2.0),
    "smooth": nonnegative(1.0),
    "softcap": optional(positive(2.5, 30.0)),
    "swap": FLAG,
    "symmetric": FLAG,
    "temperature": positive(0.5, 2.0),
    "threshold": finite(0.5),
    "thresholds": Option(_choice([-1.0, 0.0, 2.5]), ("a", [0.0, 0.0])),
    "upper": finite(0.5, 1),
    "value": finite(0.5),
    "variance": Option(_broadcast("nonnegative")),
    "weight": Option(_of_class("weight"), ("a",)),
    "where": Option(_rows("real", "bool"), ("a",)),
    "z_loss": nonnegative(0.1),
    "zero_infinity": FLAG,
    "distance": Option(
        _choice(Text(pl.cosine_distance, "pl.cosine_distance")), ("a", 1.0)
    ),
}  # fmt: skip
MASK_OF_ENTRIES = Option(_broadcast("real", "bool"), ("a",))
BATCH_MEAN = choice("mean", "sum", "none", "batchmean")
SOME_AXES = Option(lambda r, plan: plan.options.get("axis"), NO_AXES)
ELEMENT_WEIGHT = Option(_broadcast("weight", lift=()), ("a",))
REGION_OPTIONS: Mapping[str, Option] = {
    "alpha": nonnegative(0.5),
    "axis": Option(_summed_axes, NO_AXES),
    "beta": nonnegative(0.5),
    "class_weight": Option(_class_weight_of_regions, ("other", 0.5)),
    "class_axis": OPTIONS["class_axis"],
    "where": MASK_OF_ENTRIES,
}
MASK_OF_BATCH = Option(lambda r, plan: Wanted("real", plan.base[:1], "bool"), ("a",))


def _alpha_of_classes(r: Random, plan: Plan) -> Any:
    if r.random() < 0.5:
        return r.choice((0.25, 1, 0.5))
    return Wanted("weight", (plan.classes,), "any real")


def _quantiles(r: Random, plan: Plan) -> Any:
    if r.random() < 0.6:
        return r.choice((0.1, 0.5, 0.9))
    return Wanted("inside (0, 1)", plan.base[-1:], "float")


#: options that one or a few functions understand in their own way
OWN: Mapping[str, Mapping[str, Option]] = {
    "cross_entropy": {"where": Option(_mask_of_classes_or_rows, ("a",))},
    "ranking_softmax_loss": {"where": MASK_OF_ENTRIES},
    "circle_loss": {"gamma": positive(2.0, 80.0), "where": MASK_OF_BATCH},
    "ntxent_loss": {"where": MASK_OF_BATCH},
    "celu": {"alpha": positive(2.5)},
    "elu": {"alpha": finite(2.5)},
    "entropy": {"axis": AXES},
    "gaussian_nll_loss": {"eps": positive(1e-6)},
    "js_div": {"beta": fraction(0.5), "axis": SOME_AXES, "reduction": BATCH_MEAN},
    "info_nce_loss": {
        "symmetric": Option(lambda r, plan: plan.options.get("symmetric", False), NO_FLAGS),
        "where": MASK_OF_BATCH,
    },
    "distillation_loss": {"beta": fraction(0.5)},
    "logit": {
        "eps": Option(_choice(None, 0.001, 0.25, 0.5), (-1.0, 0.75, math.nan, "a", True)),
    },
    "logmeanexp": {"axis": AXES, "where": MASK_OF_ENTRIES},
    "logsumexp": {"axis": AXES, "b": Option(_broadcast("real")), "where": MASK_OF_ENTRIES},
    "mape_loss": {  # 0 is an eps as well, where no target is 0
        "eps": Option(_choice(None, 1e-3, 0.25), (-1.0, math.nan, math.inf, "a", True))
    },
    "multi_margin_loss": {
        "p": Option(_choice(1, 2), (0, 3, 1.5, "a", None, True)),
    },
    "normalize": {"axis": AXES},
    "poly_loss": {"epsilon": finite(2.0)},
    "expectile_loss": {"tau": Option(_quantiles, (0.0, 1.0, -1.0, math.nan, "a", None, True))},
    "general_robust_loss": {"alpha": Option(_choice(1.0, -2.0, 0.0, 2.0), (2.5, math.nan, "a"))},
    "quantile_loss": {"q": Option(_quantiles, (0.0, 1.0, -1.0, math.nan, "a", None, True))},
    "sigmoid_focal_loss": {"alpha": optional(fraction(0.25))},
    "smooth_labels": {"alpha": fraction(0.1), "where": MASK_OF_ENTRIES},
    "smooth_l1_loss": {"beta": nonnegative(1.0)},
    "softmax_focal_loss": {
        "alpha": Option(_alpha_of_classes, (-1.0, math.nan, "a", True)),
    },
    "squareplus": {"b": nonnegative(4.0)},
    "softmax": {"axis": AXES, "where": MASK_OF_ENTRIES},
    "softmin": {"axis": AXES},
    "log_softmax": {"axis": AXES, "where": MASK_OF_ENTRIES},
    "standardize": {"axis": AXES, "where": MASK_OF_ENTRIES},
    "binary_cross_entropy": {"weight": ELEMENT_WEIGHT},
    "binary_cross_entropy_with_logits": {"weight": ELEMENT_WEIGHT},
    "dice_loss": REGION_OPTIONS,
    "jaccard_loss": REGION_OPTIONS,
    "tversky_loss": REGION_OPTIONS,
    "kl_div": {"axis": SOME_AXES, "reduction": BATCH_MEAN},
    "generalized_kl_div": {"axis": SOME_AXES, "reduction": BATCH_MEAN},
    "tvd_loss": {"axis": SOME_AXES, "reduction": BATCH_MEAN},
}

"""Value, gradient and second derivative of an elementwise loss, as one elementwise function.

It is traced and compiled like any formula of the package: what the three share is computed once.
"""

from collections.abc import Callable, Sequence
from typing import Any

from portable_losses._backend import backend_of
from portable_losses._polyfill import where
from portable_losses._stable import NAN
from portable_losses._typing import Array, Namespace, Options
from portable_losses.activations.logistic import _sigmoid
from portable_losses.differentials.curvatures import boosting
from portable_losses.differentials.duals import Dual, DualNamespace, Inseparable
from portable_losses.differentials.expressions import Elementwise, expression_of
from portable_losses.differentials.results import check_shapes
from portable_losses.differentials.weights import times
from portable_losses.losses import binary_cross_entropy_with_logits

__all__ = ["BOOSTING", "CONSTANT", "SECOND", "in_one_pass"]

KEPT = 512  # functions: each is of a loss, its options, and what is asked of it
SECOND, BOOSTING, CONSTANT = "second", "boosting", "constant"  # the last results that there are

_FUNCTIONS: dict[Any, Callable[..., tuple[Array, ...]]] = {}


def in_one_pass(
    loss: Callable[..., Any],
    x: Array,
    others: tuple[Array, ...],
    last: str | None,
    weight: Array | None,
    options: Options,
    out: Sequence[Array | None] = (),
    *,
    factor: float,
    probabilities: bool,
    looks: bool = True,
    xp: Namespace,
) -> tuple[Array, ...]:
    """Return value, gradient, the `last` result if there is one, each times weight and factor.

    They are in `out` where it has arrays that the pass can write to: then, and unless it `looks`
    for bad entries on its way, they are looked for before. Inseparable where the loss does not
    compute entry by entry.
    """
    if options.get("where") is not None and options.get("weight") is not None:
        raise Inseparable  # which entries count is known when there are values
    looks = looks and all(one is None for one in out)
    formula, given = expression_of(loss, x, others, options, looks=looks, xp=xp)
    if probabilities and loss is not binary_cross_entropy_with_logits:
        raise Inseparable
    weighted = weight is not None
    function = _function(formula, last, factor, weighted=weighted, probabilities=probabilities)
    arrays = (x, *given) if weight is None else (x, *given, weight)
    run = backend_of(xp).speed.several
    check_shapes(out, [(x.shape, x.dtype)] * len(out))
    made: tuple[Any, ...]
    if formula.bad is None or run is None:
        made = function(*arrays, xp=xp) if run is None else run(function, arrays, {"xp": xp}, out)
        found = formula.bad is not None and bool(xp.any(made[-1]))
    else:
        made = run(function, arrays, {"xp": xp}, checked=True)
        found = made[-1]
    if found:  # the loss says what is wrong
        more: Options = {"factor": factor, "probabilities": probabilities, "xp": xp}
        return in_one_pass(loss, x, others, last, weight, options, out, looks=False, **more)
    return made if formula.bad is None else made[:-1]


def _function(
    formula: Elementwise, last: str | None, factor: float, *, weighted: bool, probabilities: bool
) -> Callable[..., tuple[Array, ...]]:
    """Return the function of arrays; the same one for the same formula, so it is compiled once.

    Its last result is the mask of bad entries, where there is one.
    """
    key = formula.text, last, factor, weighted, probabilities
    found = _FUNCTIONS.get(key)
    if found is not None:
        return found

    def derivatives(x: Array, *given: Array, xp: Namespace) -> tuple[Array, ...]:
        """Return value, slope, and what comes last."""
        *held, weight = given if weighted else (*given, None)
        made, bad = _derivatives(formula, x, tuple(held), last, xp=xp)
        if factor != 1:
            made = tuple([factor * one for one in made])
        more = (_sigmoid(x, xp=xp),) if probabilities else ()
        made = tuple([times(weight, one, xp=xp) for one in made])
        return (*made, *more) if bad is None else (*made, *more, bad)

    if len(_FUNCTIONS) > KEPT:
        _FUNCTIONS.clear()
    _FUNCTIONS[key] = derivatives
    return derivatives


def _derivatives(
    formula: Elementwise, x: Array, given: tuple[Array, ...], last: str | None, *, xp: Namespace
) -> tuple[tuple[Array, ...], Array | None]:
    """Return value, slope, and what comes last, by arrays with derivatives; and the mask."""
    one = xp.ones_like(x)
    first = DualNamespace(xp)
    made, bad = formula(Dual(x, one, first), tuple(map(first.constant, given)), xp=first)
    value, slope = made.value, made.tangent
    if slope is None:
        slope = 0.0 * x
    if last is None:
        return (value, slope), bad
    if last == CONSTANT:
        return (value, slope, where(value == value, one, NAN, xp=xp)), bad
    second = DualNamespace(first)
    inner = Dual(x, one, first)
    twice, _ = formula(
        Dual(inner, first.constant(one), second),
        tuple([second.constant(first.constant(a)) for a in given]),
        xp=second,
    )
    bend = None if twice.tangent is None else twice.tangent.tangent
    if bend is None:
        bend = where(slope == slope, 0.0 * one, NAN, xp=xp)
    return (value, slope, boosting(bend, xp=xp) if last == BOOSTING else bend), bad

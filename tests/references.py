"""Exact values of every public function and of its derivatives, as mpmath numbers.

Written from the definitions, not from the formulas of the library. All of them may be evaluated
at 50 digits: where a definition cancels, it is written so that far fewer are lost. A tuple is a
sum that cancels by nature: its terms.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import mpmath
from mpmath import erfc, expm1, inf, log, log1p, mpf, nan, pi, sqrt

Number = Any  # mpmath has no types
Exact = Callable[..., Number]


class Elementwise(NamedTuple):
    """A function of one number and its derivative."""

    value: Exact
    slope: Exact


class OfTwo(NamedTuple):
    """A function of two numbers and its derivatives by each."""

    value: Exact
    by_first: Exact
    by_second: Exact


def exp(x: Number) -> Number:
    """Return e**x, and 0 where no product with a float64 could make it visible."""
    return mpmath.exp(x) if x > -100_000 else mpf(0)


def of_all(
    value: Exact,
    slope: Exact,
    values: tuple[Number, Number],
    slopes: tuple[Number, Number],
) -> Elementwise:
    """Complete two functions of finite numbers by NaN and by their limits at -inf and inf."""

    def completed(function: Exact, limits: tuple[Number, Number]) -> Exact:
        def call(x: Number) -> Number:
            if mpmath.isnan(x):
                return nan
            return mpf(limits[x > 0]) if mpmath.isinf(x) else function(x)

        return call

    return Elementwise(completed(value, values), completed(slope, slopes))


# ---- activations -----------------------------------------------------------------------------


def sigmoid(x: Number) -> Number:
    return 1 / (1 + exp(-x)) if x > -50 else exp(x) / (1 + exp(x))


def sigmoid_slope(x: Number) -> Number:
    return exp(-abs(x)) / (1 + exp(-abs(x))) ** 2


def softplus(x: Number) -> Number:
    return x + log1p(exp(-x)) if x > 0 else log1p(exp(x))


def tanh_slope(x: Number) -> Number:
    return 4 * sigmoid_slope(2 * x)


def density(x: Number) -> Number:
    return exp(-x * x / 2) / sqrt(2 * pi)


def probability(x: Number) -> Number:
    """Return Phi(x)."""
    if abs(x) > 1000:
        return mpf(x > 0)
    return erfc(-x / sqrt(2)) / 2


def tanh_argument(x: Number) -> Number:
    """Twice the argument of tanh in the tanh form of gelu."""
    return 2 * sqrt(2 / pi) * (x + 44715 * x**3 / 1_000_000)


def gelu_tanh(x: Number) -> Number:
    return x * sigmoid(tanh_argument(x))


def gelu_tanh_slope(x: Number) -> Number:
    inner = 2 * sqrt(2 / pi) * (1 + 3 * 44715 * x * x / 1_000_000)
    u = tanh_argument(x)
    return sigmoid(u) + x * sigmoid_slope(u) * inner


def leaky_relu(slope: float) -> Elementwise:
    return of_all(
        lambda x: x if x > 0 else mpf(slope) * x,
        lambda x: mpf(1) if x > 0 else mpf(slope),
        (-inf * mpf(slope), inf),
        (slope, 1),
    )


def softplus_of(beta: float) -> Elementwise:
    return of_all(
        lambda x: softplus(beta * x) / beta, lambda x: sigmoid(beta * x), (0, inf), (0, 1)
    )


# ---- special functions -----------------------------------------------------------------------


def log1mexp(x: Number) -> Number:
    a = abs(x)
    if a == 0:
        return -inf
    return log1p(-exp(-a)) if a > 1 else log(-expm1(-a))


def log1mexp_slope(x: Number) -> Number:
    if x == 0:
        return inf  # from the right
    a = abs(x)
    return mpmath.sign(x) * (exp(-a) if a > 1000 else 1 / expm1(a))


def logit(p: Number) -> Number:
    if not 0 <= p <= 1:
        return nan
    if p in (0, 1):
        return inf if p == 1 else -inf
    return log(p) - log1p(-p)


def logit_slope(p: Number) -> Number:
    if not 0 <= p <= 1:
        return nan
    return inf if p in (0, 1) else 1 / (p * (1 - p))


def erf_slope(x: Number) -> Number:
    return 2 / sqrt(pi) * exp(-x * x)


ELEMENTWISE: dict[str, Elementwise] = {
    "relu": of_all(lambda x: max(x, mpf(0)), lambda x: mpf(x > 0), (0, inf), (0, 1)),
    "leaky_relu": leaky_relu(0.01),
    "leaky_relu, slope 2": leaky_relu(2.0),
    "sigmoid": of_all(sigmoid, sigmoid_slope, (0, 1), (0, 0)),
    "log_sigmoid": of_all(lambda x: -softplus(-x), lambda x: sigmoid(-x), (-inf, 0), (1, 0)),
    "tanh": of_all(
        lambda x: mpmath.tanh(x) if abs(x) < 1000 else mpmath.sign(x),
        tanh_slope,
        (-1, 1),
        (0, 0),
    ),
    "softplus": softplus_of(1.0),
    "softplus, beta 2.5": softplus_of(2.5),
    "silu": of_all(
        lambda x: x * sigmoid(x), lambda x: sigmoid(x) + x * sigmoid_slope(x), (0, inf), (0, 1)
    ),
    "gelu": of_all(
        lambda x: x * probability(x), lambda x: probability(x) + x * density(x), (0, inf), (0, 1)
    ),
    "gelu, tanh form": of_all(gelu_tanh, gelu_tanh_slope, (0, inf), (0, 1)),
    "log1mexp": of_all(log1mexp, log1mexp_slope, (0, 0), (0, 0)),
    "logit": of_all(logit, logit_slope, (nan, nan), (nan, nan)),
    "erf": of_all(mpmath.erf, erf_slope, (-1, 1), (0, 0)),
    "erfc": of_all(
        lambda x: erfc(x) if abs(x) < 1000 else mpf(2 * (x < 0)),
        lambda x: -erf_slope(x),
        (2, 0),
        (0, 0),
    ),
}


def log_from(start: int) -> Exact:
    """Return ``log(y - start)`` with its limits, NaN to the left of `start`."""

    def call(y: Number) -> Number:
        if mpmath.isnan(y) or y < start:
            return nan
        if y in (start, inf):
            return inf if y == inf else -inf
        return log(y) if start == 0 else log1p(y)

    return call


def product_with_log(start: int) -> OfTwo:
    """Return ``x log(y - start)`` and its derivatives; x = 0 makes the product 0."""
    logarithm = log_from(start)

    def value(x: Number, y: Number) -> Number:
        if x == 0 and not mpmath.isnan(y):
            return mpf(0)
        return x * logarithm(y)

    def by_x(x: Number, y: Number) -> Number:
        return mpf(0) if x == 0 and y <= start else logarithm(y)

    def by_y(x: Number, y: Number) -> Number:
        if x == 0 and not mpmath.isnan(y):
            return mpf(0)
        if mpmath.isnan(x) or mpmath.isnan(y) or y < start:
            return nan
        if y == inf:
            return nan if mpmath.isinf(x) else mpf(0)
        return x / (y - start) if y > start else mpmath.sign(x) * inf

    return OfTwo(value, by_x, by_y)


OF_TWO = {"xlogy": product_with_log(0), "xlog1py": product_with_log(-1)}


# ---- losses of one element: value, and derivative by the first argument ----------------------


def sum_with_logits(z: Number, t: Number) -> Number:
    return t * softplus(-z) + (1 - t) * softplus(z)


def sum_with_logits_slope(z: Number, t: Number) -> tuple[Number, Number]:
    return (1 - t) * sigmoid(z), -t * sigmoid(-z)


def bce(p: Number, t: Number) -> Number:
    """Return the cross entropy of two probabilities, each logarithm at least -100."""
    left = max(log(p), mpf(-100)) if p > 0 else mpf(-100)
    right = max(log1p(-p), mpf(-100)) if p < 1 else mpf(-100)
    return -t * left - (1 - t) * right


def bce_slope(p: Number, t: Number) -> tuple[Number, Number]:
    """Return the terms of (p - t) / (p (1 - p)), over 1e-12 at exactly 0 and 1."""
    scale = p * (1 - p) if 0 < p < 1 else mpf(10) ** -12
    return p / scale, -t / scale


def smooth_l1(beta: float) -> Elementwise:
    edge = mpf(beta)

    def value(x: Number, t: Number) -> Number:
        d = abs(x - t)
        return d * d / (2 * edge) if d < edge else d - edge / 2

    def slope(x: Number, t: Number) -> Number:
        d = x - t
        return d / edge if abs(d) < edge else mpmath.sign(d)

    return Elementwise(value, slope)


def huber(delta: float) -> Elementwise:
    edge = mpf(delta)

    def value(x: Number, t: Number) -> Number:
        d = abs(x - t)
        return d * d / 2 if d <= edge else edge * (d - edge / 2)

    def slope(x: Number, t: Number) -> Number:
        d = x - t
        return d if abs(d) <= edge else edge * mpmath.sign(d)

    return Elementwise(value, slope)


LOSSES: dict[str, Elementwise] = {
    "binary_cross_entropy_with_logits": Elementwise(sum_with_logits, sum_with_logits_slope),
    "binary_cross_entropy": Elementwise(bce, bce_slope),
    "mse_loss": Elementwise(lambda x, t: (x - t) ** 2, lambda x, t: 2 * (x - t)),
    "l1_loss": Elementwise(lambda x, t: abs(x - t), lambda x, t: mpmath.sign(x - t)),
    "smooth_l1_loss": smooth_l1(1.0),
    "smooth_l1_loss, beta 0.3": smooth_l1(0.3),
    "huber_loss": huber(1.0),
    "huber_loss, delta 2.5": huber(2.5),
}


# ---- functions of a row ----------------------------------------------------------------------

Row = Sequence[Number]
Terms = tuple[Number, ...]


def logsumexp_terms(x: Row) -> Terms:
    """Return the largest entry, and what the log of the sum of exponentials has beyond it."""
    top = max(x)
    if mpmath.isinf(top):
        return (top,)
    others = list(x)
    others.remove(top)
    return top, log1p(mpmath.fsum(exp(v - top) for v in others))


def logsumexp(x: Row) -> Number:
    return mpmath.fsum(logsumexp_terms(x))


def softmax(x: Row) -> list[Number]:
    top = max(x)
    powers = [exp(v - top) for v in x]
    total = mpmath.fsum(powers)
    return [power / total for power in powers]


def log_softmax(x: Row) -> list[Number]:
    """Return ``x - logsumexp(x)``, each entry with 50 digits even if it is next to 0."""
    with mpmath.workdps(120):
        total = logsumexp(x)
        return [v - total if v > -inf else -inf for v in x]


def softmin(x: Row) -> list[Number]:
    return softmax([-v for v in x])


def softmax_pullback(x: Row, cotangent: Row) -> list[Terms]:
    p = softmax(x)
    up, down = parts([a * g for a, g in zip(p, cotangent, strict=True)])
    return [(a * g, -a * up, -a * down) for a, g in zip(p, cotangent, strict=True)]


def parts(terms: Row) -> tuple[Number, Number]:
    """Return the sum of the positive terms and that of the negative ones."""
    zero = mpf(0)
    return mpmath.fsum(max(t, zero) for t in terms), mpmath.fsum(min(t, zero) for t in terms)


def softmin_pullback(x: Row, cotangent: Row) -> list[Terms]:
    return [tuple(-t for t in ts) for ts in softmax_pullback([-v for v in x], cotangent)]


def log_softmax_pullback(x: Row, cotangent: Row) -> list[Terms]:
    up, down = parts(cotangent)
    return [(g, -a * up, -a * down) for a, g in zip(softmax(x), cotangent, strict=True)]


def logsumexp_pullback(x: Row, cotangent: Number) -> list[Number]:
    return [cotangent * a for a in softmax(x)]


def soft_target(
    x: Row, target: int | Row, weight: Row | None = None, label_smoothing: float = 0.0
) -> list[Number]:
    """Return the weight of every class's -log p in the cross entropy of one row."""
    size = len(x)
    share = [mpf(i == target) for i in range(size)] if isinstance(target, int) else list(target)
    e = mpf(label_smoothing)
    share = [(1 - e) * t + e / size for t in share]
    return share if weight is None else [w * t for w, t in zip(weight, share, strict=True)]


def cross_entropy(x: Row, target: int | Row, **options: Any) -> Number:
    """Return the loss of one row, before any reduction."""
    with mpmath.workdps(120):
        z, share, z_loss = prepared(x, target, **options)
        loss = mpmath.fsum(-s * v for s, v in zip(share, log_softmax(z), strict=True) if s != 0)
        return loss + (z_loss * logsumexp(z) ** 2 if z_loss else 0)


def cross_entropy_gradient(x: Row, target: int | Row, **options: Any) -> list[Number | Terms]:
    """Return the derivative of `cross_entropy` by every logit.

    It cancels by nature where a class has a share of the target that is not the whole of it.
    """
    with mpmath.workdps(120):
        z, share, z_loss = prepared(x, target, **options)
        p, total = softmax(z), mpmath.fsum(share)
        level = 2 * z_loss * logsumexp(z) if z_loss else mpf(0)
        softcap = options.get("softcap")
        bend = [
            mpf(1) if softcap is None else tanh_slope(v / softcap) if v > -inf else mpf(0)
            for v in x
        ]
        terms = [
            (total * a * b, level * a * b, -s * b) for a, s, b in zip(p, share, bend, strict=True)
        ]
        alone = z_loss == 0 and sum(s != 0 for s in share) == 1
        return [mpmath.fsum(t) for t in terms] if alone else terms


def prepared(
    x: Row,
    target: int | Row,
    *,
    weight: Row | None = None,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    softcap: float | None = None,
) -> tuple[Row, Row, Number]:
    """Return the capped logits, the weight of every -log p, and the weight of the z-loss."""
    z = x if softcap is None else [capped(v, softcap) for v in x]
    return z, soft_target(z, target, weight, label_smoothing), mpf(z_loss)


def capped(x: Number, cap: float) -> Number:
    return x if mpmath.isinf(x) else cap * mpmath.tanh(x / cap)

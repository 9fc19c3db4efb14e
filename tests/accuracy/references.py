"""Exact values and gradients of the functions of a row, as mpmath numbers, at 50 digits.

Written from the definitions, not from the formulas of the library. Where a definition cancels, it
is written so that far fewer digits are lost. A tuple is a sum that cancels by nature: its terms.
"""

from collections.abc import Sequence
from typing import Any

import mpmath
from mpmath import inf, log1p, mpf

from tests.definitions import Number, exp, tanh_slope

CERTAIN = 400  # digits: of a probability of 1 - 1e-308, what is left of 1 has 50 more

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
    top, *rest = logsumexp_terms(x)
    beyond = mpmath.fsum(rest)
    return [(v - top) - beyond if v > -inf else -inf for v in x]


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
    with mpmath.workdps(CERTAIN):
        z, share, z_loss = prepared(x, target, **options)
        loss = mpmath.fsum(-s * v for s, v in zip(share, log_softmax(z), strict=True) if s != 0)
        return loss + (z_loss * logsumexp(z) ** 2 if z_loss else 0)


def cross_entropy_gradient(x: Row, target: int | Row, **options: Any) -> list[Number | Terms]:
    """Return the derivative of `cross_entropy` by every logit.

    It cancels by nature where a class has a share of the target that is not the whole of it.
    """
    with mpmath.workdps(CERTAIN):
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

"""Logarithms and the sign without a warning at their poles, and the two special numbers."""

import math

from portable_losses._backend import backend_of
from portable_losses._gradient import with_gradient
from portable_losses._polyfill import constant, where
from portable_losses._typing import Array, Namespace

__all__ = ["INF", "NAN", "expm1", "log", "log1p", "log1p_inside", "sign"]

INF, NAN = math.inf, math.nan


def log(x: Array, *, xp: Namespace) -> Array:
    """``xp.log`` without a warning at its pole: -inf at 0, NaN below."""
    inside = where(x > 0, x, 1.0, xp=xp)
    return where(x > 0, xp.log(inside), _pole(x == 0, x, xp=xp), xp=xp)


def log1p(x: Array, *, xp: Namespace) -> Array:
    """``xp.log1p`` without a warning at its pole: -inf at -1, NaN below."""
    inside = where(x > -1, x, 0.0, xp=xp)
    return where(x > -1, log1p_inside(inside, xp=xp), _pole(x == -1, x, xp=xp), xp=xp)


def log1p_inside(x: Array, *, xp: Namespace) -> Array:
    """``xp.log1p`` of what is above -1, with all digits below 0, too."""
    own = backend_of(xp).speed.special.get("log1p_inside")
    made: Array = xp.log1p(x) if own is None else own(x)
    return made


def _expm1_grad(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    """``exp(x)``: PyTorch and JAX take ``out + 1``, which has lost it far left."""
    return (grad * xp.exp(x),)


@with_gradient(_expm1_grad, elementwise=True)
def expm1(x: Array, *, xp: Namespace) -> Array:
    """``xp.expm1``, with all digits in its derivative."""
    own = backend_of(xp).speed.special.get("expm1")
    made: Array = xp.expm1(x) if own is None else own(x)
    return made


def _pole(at: Array, like: Array, *, xp: Namespace) -> Array:
    """Return -inf where `at`, else NaN: constants, as a product with NaN has a slope of NaN."""
    return where(at, constant(-INF, like, xp=xp), NAN, xp=xp)


def sign(x: Array, *, xp: Namespace) -> Array:
    """``xp.sign``, NaN kept; array_api_compat's for PyTorch writes where torch.vmap cannot."""
    if not backend_of(xp).autodiff.differentiates:
        return xp.sign(x)
    # On a million entries half the time of two selections by sign.
    signs = xp.astype(x > 0, x.dtype) - xp.astype(x < 0, x.dtype)
    return where(x == x, signs, NAN, xp=xp)

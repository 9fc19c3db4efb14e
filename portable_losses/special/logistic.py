"""``x * sigmoid(u(x))``: silu, where u = x, quick_gelu, and the tanh form of gelu, a cubic; mish.

Values and slopes are computed for the left half line, where everything is small, and mirrored:
``f(x) = x + f(-x)`` and ``f'(x) = 1 - f'(-x)``. On the left ``f' = exp(u) h / (1 + exp(u))**2``
with ``h = 1 + x u' + exp(u)``, which changes sign at some r. There, with d = x - r::

    h(x) = h(r) + d a + exp(u(r)) expm1(d b),   a d = x u' - r u'(r),   b d = u - u(r)

has all digits: d is exact, h(r) tiny, and the other two terms have one sign. Next to the root of
silu's slope the last two are a polynomial; elsewhere h is the sum as it stands. Quick_gelu is silu
of 1.702 x. Mish is computed in the same way.
"""

import math
from functools import partial

from portable_losses._backend import backend_of
from portable_losses._gradient import with_gradient
from portable_losses._polyfill import constant, maximum, where
from portable_losses._typing import Array, Namespace
from portable_losses.special._coefficients import (
    CUBIC,
    GELU_TANH_ROOT,
    LINEAR,
    MISH_ROOT,
    QUICK,
    SILU_ROOT,
)
from portable_losses.special.normal import dtype_name, polynomial
from portable_losses.special.two_floats import product, square, sum_of

# Below this exp(u) is computed as exp(u + 50) * exp(-50) and left out of 1 + exp(u), so that its
# product with x keeps its digits where exp(u) alone is subnormal.
FAR = -50.0
NEAR = 0.25  # distance from the root of silu's slope within which a polynomial has all digits
FAR_QUICK, FAR_CUBIC = -29.0, -8.0  # where u is about that in quick_gelu, and in gelu's tanh form


def negative_size(x: Array, *, most: float | None = None, xp: Namespace) -> Array:
    """``-|x|`` by the selection ``x >= 0``, as all later ones: at 0 the slope of one side.

    `most` is a bound of the size, beyond which exponentials of it are 0: so no slope matters there.
    """
    backend = backend_of(xp)
    native = backend.speed.special.get("negative_size")
    if native is not None:
        size = native(x)
    elif not backend.autodiff.differentiates:
        size = -xp.abs(x)  # the same numbers, in 0.8 of silu's time (NumPy, 100,000 entries)
    else:
        size = where(x >= 0, -x, x, xp=xp)
    if most is None:
        return size
    return (xp.maximum if native else partial(maximum, xp=xp))(size, -most)


# ``1 + exp(root) expm1(d) / d`` in powers of d, for `NEAR`: what h changes by, over d.
SILU_CHANGE = {
    name: tuple(
        math.exp(SILU_ROOT[name][0]) / math.factorial(k + 1) + (k == 0)
        for k in range(degree, -1, -1)
    )
    for name, degree in (("float32", 6), ("float64", 12))
}


def gated(x: Array, z: Array, parts: tuple[Array, Array, Array], *, xp: Namespace) -> Array:
    """Return ``x * sigmoid(u)`` given ``z = -|x|``, finite, and the exponential of u there."""
    e, scaled, scale = parts
    left = z * scaled * scale
    if backend_of(xp).autodiff.differentiates:
        return where(x >= 0, x / (1 + e), left / (1 + e), xp=xp)  # selected last, as in sigmoid
    # The same selection, as x <= left <= 0 on the left, in 0.7 of silu's time (NumPy, 100,000).
    return maximum(left, x, xp=xp) / (1 + e)


def gated_slope(x: Array, h: Array, parts: tuple[Array, Array, Array], *, xp: Namespace) -> Array:
    """Return the derivative of ``x * sigmoid(u)`` given h and the exponential at ``-|x|``."""
    e, scaled, scale = parts
    left = scaled * h / (1 + e * (2 + e)) * scale  # 1 + e (2 + e) rounds less than (1 + e)**2
    return where(x >= 0, 1 - left, left, xp=xp)


def exponential(
    u: Array, rest: Array | None, far: Array, *, xp: Namespace
) -> tuple[Array, Array, Array]:
    """Return ``exp(u + rest)``, 0 where `far`, and two factors of it that keep digits there."""
    scaled = xp.exp(where(far, u - FAR, u, xp=xp))
    if rest is not None:
        scaled = scaled + scaled * rest
    one = constant(1.0, u, xp=xp)
    return where(far, 0.0, scaled, xp=xp), scaled, where(far, math.exp(FAR), one, xp=xp)


def silu_slope(x: Array, u: Array, rest: Array | None, far: Array, *, xp: Namespace) -> Array:
    """``silu'(-|v|)`` with ``-|v| = u + rest``, and 1 less that where x >= 0: ``silu'(v)``."""
    name, parts = dtype_name(u, xp=xp), exponential(u, rest, far, xp=xp)
    root, value = SILU_ROOT[name]
    d, low = u - root, parts[0]
    if rest is not None:
        d, low = d + rest, low + rest
    near = maximum(d, -NEAR, xp=xp)
    near = near * polynomial(near, SILU_CHANGE, xp=xp) + value
    h = where(xp.abs(d) < NEAR, near, (1 + u) + low, xp=xp)  # the second has a root
    return gated_slope(x, h, parts, xp=xp)


def _silu_grad(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    """``sigmoid(x) * (1 + x * sigmoid(-x))``."""
    z = negative_size(x, most=1000.0, xp=xp)
    return (grad * silu_slope(x, z, None, z < FAR, xp=xp),)


@with_gradient(_silu_grad, elementwise=True)
def _silu(x: Array, *, xp: Namespace) -> Array:
    """``x * sigmoid(x)``."""
    z = negative_size(x, most=1000.0, xp=xp)
    return gated(x, z, exponential(z, None, z < FAR, xp=xp), xp=xp)


def quick(x: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Return ``1.702 x`` as ``value + rest``."""
    first, first_rest = QUICK[dtype_name(x, xp=xp)]
    u, rest = product(x, constant(first, x, xp=xp), xp=xp)
    return u, rest + x * first_rest


def _quick_gelu_grad(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    """The derivative of silu at ``1.702 x``."""
    z = negative_size(x, most=1000.0, xp=xp)
    return (grad * silu_slope(x, *quick(z, xp=xp), z < FAR_QUICK, xp=xp),)


@with_gradient(_quick_gelu_grad, elementwise=True)
def _quick_gelu(x: Array, *, xp: Namespace) -> Array:
    """``x * sigmoid(1.702 x)``."""
    z = negative_size(x, most=1000.0, xp=xp)
    return gated(x, z, exponential(*quick(z, xp=xp), z < FAR_QUICK, xp=xp), xp=xp)


def cubic(x: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Return ``2 sqrt(2 / pi) (x + 0.044715 x**3)`` as ``value + rest``."""
    name = dtype_name(x, xp=xp)
    (first, first_rest), (third, third_rest) = LINEAR[name], CUBIC[name]
    power, power_rest = square(x, xp=xp)
    bent, bent_rest = product(power, constant(third, x, xp=xp), xp=xp)
    factor, factor_rest = sum_of(bent, first)
    u, rest = product(x, factor, xp=xp)
    small = (factor_rest + bent_rest) + (third * power_rest + (third_rest * power + first_rest))
    return u, rest + x * small


def _gelu_tanh_grad(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    """``sigmoid(u) * (1 + x * u' * sigmoid(-u))``, u the cubic; by h, as at the top of the file."""
    z = negative_size(x, most=100.0, xp=xp)
    name = dtype_name(x, xp=xp)
    (root, value), first, third = GELU_TANH_ROOT[name], LINEAR[name][0], CUBIC[name][0]
    u, rest = cubic(z, xp=xp)
    parts = exponential(u, rest, z < FAR_CUBIC, xp=xp)
    d, q = z - root, z * (z + root) + root * root
    change = math.exp(root * (first + third * root * root)) * xp.expm1(d * (first + third * q))
    near = (d * (first + 3 * third * q) + change) + value
    elsewhere = (1 + z * (first + 3 * third * (z * z))) + parts[0]  # rounds less, but has a root
    h = where(xp.abs(d) < 0.25, near, elsewhere, xp=xp)
    return (grad * gated_slope(x, h, parts, xp=xp),)


@with_gradient(_gelu_tanh_grad, elementwise=True)
def _gelu_tanh(x: Array, *, xp: Namespace) -> Array:
    """``x * sigmoid(2 u)``, u the argument of the tanh in gelu's tanh form."""
    z = negative_size(x, most=100.0, xp=xp)
    return gated(x, z, exponential(*cubic(z, xp=xp), z < FAR_CUBIC, xp=xp), xp=xp)


def _mish_slope_grad(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    """The second derivative of mish, of which the slope's own formula loses all on the right."""
    z = negative_size(x, most=1000.0, xp=xp)
    e, scaled, scale = exponential(z, None, z < FAR, xp=xp)
    bottom = 2 + e * (2 + e)
    top = 16 + 8 * z + e * (32 + 8 * z + e * (24 - 12 * z + e * (8 - 8 * z)))
    left = scaled * (top / bottom / bottom / bottom) * scale
    bottom = 1 + e * (2 + 2 * e)
    top = 8 + 8 * z + e * (24 + 12 * z + e * (32 - 8 * z + e * (16 - 8 * z)))
    small = scaled * scale  # e, where that is 0 for the sum
    right = small * (top / bottom / bottom / bottom) * small
    return (grad * where(x >= 0, right, left, xp=xp),)


@with_gradient(_mish_slope_grad, elementwise=True)
def _mish_slope(x: Array, *, xp: Namespace) -> Array:
    """The derivative of ``x * tanh(softplus(x))``, with all digits next to its root at -1.19."""
    z = negative_size(x, most=1000.0, xp=xp)
    e, scaled, scale = exponential(z, None, z < FAR, xp=xp)
    root, value = MISH_ROOT[dtype_name(x, xp=xp)]
    power, d = math.exp(root), z - root
    m = xp.expm1(d)
    change = 4 * power * (m * (m + 2)) + power * power * (m * (m * (m + 3) + 3))
    h = 4 * d + power * (change + (4 * root + 6) * m + 4 * d * (1 + m)) + value
    bottom = 2 + e * (2 + e)
    h = where(z > -0.6, bottom * (2 + e) + 4 * z * (1 + e), h, xp=xp)  # rounds less; has a root
    left = scaled * (h / bottom) / bottom * scale
    bottom = 1 + e * (2 + 2 * e)
    above = 2 * (e / bottom) * (e / bottom) * (2 * z * (1 + e) + bottom)  # 1 less the slope
    return where(x >= 0, 1 - above, left, xp=xp)


def _mish_grad(grad: Array, out: Array, x: Array, *, xp: Namespace) -> tuple[Array]:
    return (grad * _mish_slope(x, xp=xp),)


@with_gradient(_mish_grad, elementwise=True)
def _mish(x: Array, *, xp: Namespace) -> Array:
    """``x * tanh(softplus(x))``."""
    z = negative_size(x, most=1000.0, xp=xp)
    e, scaled, scale = exponential(z, None, z < FAR, xp=xp)
    left = z * (scaled * (2 + e) / (2 + e * (2 + e))) * scale
    right = x * ((1 + 2 * e) / (1 + e * (2 + 2 * e)))
    return where(x >= 0, right, left, xp=xp)

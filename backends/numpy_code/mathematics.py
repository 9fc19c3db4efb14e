"""NumPy's functions of each entry that are no ufuncs: bounds, parts, angles, tables."""

import math
from collections.abc import Callable
from typing import Any

from portable_losses._dtypes import kind_of
from portable_losses._gradient import stop_gradient
from portable_losses._polyfill import device_of
from portable_losses._tape import TapeArray

from .axes import axis_of
from .elementwise import conjugate
from .names import dtype_of, named
from .operands import arrays, exact, floating, is_complex, promoted, real_floating, tensor

__all__ = ["clip", "conj", "interp"]

conj = conjugate


# ---- bounds and rounding ----------------------------------------------------------------------


@named("clip")
def clip(
    a: Any,
    a_min: Any = None,
    a_max: Any = None,
    out: Any = None,
    *,
    min: Any = None,
    max: Any = None,
    dtype: Any = None,
    xp: Any,
) -> Any:
    """Return `a`, bounded from below, from above, or both; slope 1 at the bounds."""
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    plain = dtype is None and _are_numbers(low, high) and isinstance(a, TapeArray)
    if plain and kind_of(a, xp=xp) == "real floating":
        return xp.clip(a, low, high)
    bounds = [x for x in (low, high) if x is not None]
    a, *bounds = promoted(a, *bounds, xp=xp)
    if dtype is not None:
        a = xp.astype(tensor(a, xp=xp), dtype_of(dtype, xp=xp))
    low = bounds.pop(0) if low is not None else None
    high = bounds.pop(0) if high is not None else None
    if _are_numbers(low, high):
        return xp.clip(a, low, high)
    if low is not None:
        a, low = arrays(a, low, xp=xp)
        a = xp.where((a < low) | (low != low), low, a)
    if high is not None:
        a, high = arrays(a, high, xp=xp)
        a = xp.where((a > high) | (high != high), high, a)
    return a


def _are_numbers(*bounds: Any) -> bool:
    """Say whether all bounds that are given are Python numbers."""
    return all(x is None or type(x) in (int, float) for x in bounds)


@named("round", "around")
def round_(a: Any, decimals: int = 0, out: Any = None, *, xp: Any) -> Any:
    """Return `a`, rounded to so many decimals; of two that are as near, the even one."""
    a = tensor(a, xp=xp)
    if decimals == 0 or (decimals > 0 and xp.isdtype(a.dtype, ("integral", "bool"))):
        return xp.round(a)
    if is_complex(a, xp=xp):
        parts = [round_(part, decimals, xp=xp) for part in (xp.real(a), xp.imag(a))]
        return parts[0] + parts[1] * 1j
    scale = 10 ** abs(decimals)
    if decimals > 0:
        return xp.round(a * scale) / scale
    return xp.astype(xp.round(floating(a, xp=xp) / scale) * scale, a.dtype)


@named("fix")
def fix(x: Any, out: Any = None, *, xp: Any) -> Any:
    """Return `x`, rounded towards 0."""
    return xp.trunc(tensor(x, xp=xp))


@named("nan_to_num")
def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None, *, xp: Any
) -> Any:
    """Return `x` with numbers for NaN and for the infinities: the largest by default."""
    x = tensor(x, xp=xp)
    if xp.isdtype(x.dtype, ("integral", "bool")):
        return x
    if is_complex(x, xp=xp):
        parts = (nan_to_num(v, copy, nan, posinf, neginf, xp=xp) for v in (xp.real(x), xp.imag(x)))
        return next(parts) + next(parts) * 1j
    limits = xp.finfo(x.dtype)
    for where, value in (
        (x != x, nan),
        (x == math.inf, float(limits.max) if posinf is None else posinf),
        (x == -math.inf, float(limits.min) if neginf is None else neginf),
    ):
        x = xp.where(where, value, x)
    return x


# ---- parts of complex numbers -----------------------------------------------------------------


@named("real")
def real(val: Any, *, xp: Any) -> Any:
    """Return the real part, of real numbers themselves."""
    val = tensor(val, xp=xp)
    return xp.real(val) if is_complex(val, xp=xp) else val


@named("imag")
def imag(val: Any, *, xp: Any) -> Any:
    """Return the imaginary part, 0 of real numbers."""
    val = tensor(val, xp=xp)
    return xp.imag(val) if is_complex(val, xp=xp) else xp.zeros_like(val)


@named("angle")
def angle(z: Any, deg: bool = False, *, xp: Any) -> Any:
    """Return the angle of complex numbers, in radians or degrees."""
    z = floating(z, xp=xp)
    made = xp.atan2(imag(z, xp=xp), real(z, xp=xp))
    return made * (180 / math.pi) if deg else made


@named("real_if_close")
def real_if_close(a: Any, tol: float = 100, *, xp: Any) -> Any:
    """Return the real part if all imaginary ones are below `tol` machine epsilons."""
    a = tensor(a, xp=xp)
    if not is_complex(a, xp=xp):
        return a
    least = tol * float(xp.finfo(a.dtype).eps) if tol > 1 else tol
    return xp.real(a) if bool(xp.all(xp.abs(xp.imag(a)) < least)) else a


@named("unwrap")
def unwrap(
    p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * math.pi, xp: Any
) -> Any:
    """Return angles without jumps: a period is added wherever a step is longer than half of one."""
    p = tensor(p, xp=xp)
    axis = axis_of(axis, p.ndim)
    step = xp.diff(p, axis=axis)
    whole = isinstance(period, int) and not xp.isdtype(p.dtype, ("real floating",))
    high, odd = divmod(period, 2) if whole else (period / 2, False)
    low = -high - 1 if whole and odd else -high
    within = xp.remainder(step - low, period) + low
    if not odd:
        within = xp.where((within == low) & (step > 0), high, within)
    small = xp.abs(floating(step, xp=xp)) < (period / 2 if discont is None else discont)
    jump = xp.where(small, 0, within - step)
    before = (slice(None),) * axis
    later = p[(*before, slice(1, None), ...)] + xp.cumulative_sum(jump, axis=axis)
    return xp.concat([xp.astype(p[(*before, slice(None, 1), ...)], later.dtype), later], axis=axis)


# ---- special functions of NumPy's own ---------------------------------------------------------

_SERIES = [1.0]  # of sin(y) / y in powers of y**2
for _k in range(1, 13):
    _SERIES.append(-_SERIES[-1] / (2 * _k * (2 * _k + 1)))


@named("sinc")
def sinc(x: Any, *, xp: Any) -> Any:
    """Return ``sin(pi x) / (pi x)``, near 0 by its series, since there the derivatives cancel."""
    y = floating(x, xp=xp) * math.pi
    near = xp.abs(y) < 1
    square = xp.where(near, y, 0.0) ** 2
    series = square * 0 + _SERIES[-1]
    for coefficient in reversed(_SERIES[:-1]):
        series = series * square + coefficient
    far = xp.where(near, math.pi, y)
    return xp.where(near, series, xp.sin(far) / far)


_NODES = [math.cos(math.pi * (k + 0.5) / 128) for k in range(64)]


@named("i0")
def i0(x: Any, *, xp: Any) -> Any:
    """Return the Bessel function: the mean of ``cosh(x cos t)``, to all digits where it is finite.

    A mean over equal steps converges faster than any power of their number, and so do those of its
    derivatives; with 64 of a quarter turn it is exact up to 710, where cosh ends.
    """
    x = real_floating(x, "i0", xp=xp)
    nodes = xp.asarray(_NODES, dtype=x.dtype, device=device_of(x, xp=xp))
    return xp.mean(xp.cosh(x[..., None] * nodes), axis=-1)


# ---- a function given by a table --------------------------------------------------------------


@named("interp")
def interp(
    x: Any,
    points: Any,
    fp: Any,
    left: Any = None,
    right: Any = None,
    period: Any = None,
    *,
    xp: Any,
) -> Any:
    """Return the values of the broken line through ``(points, fp)`` at `x`; all may be tracked."""
    given = (x, points, fp)
    x, points, fp = (exact(tensor(v, given, xp=xp), xp=xp) for v in given)
    x, points = arrays(*(real_floating(v, "interp", xp=xp) for v in (x, points)), xp=xp)
    if points.shape != fp.shape:
        msg = f"`fp` and `xp` must have one length, got shapes {fp.shape} and {points.shape}"
        raise ValueError(msg)
    if period is not None:
        x, points = xp.remainder(x, abs(period)), xp.remainder(points, abs(period))
        order = xp.argsort(stop_gradient(points, xp=xp))
        points, fp = xp.take(points, order, axis=0), xp.take(fp, order, axis=0)
        points = xp.concat([points[-1:] - abs(period), points, points[:1] + abs(period)])
        fp = xp.concat([fp[-1:], fp, fp[:1]])
        left = right = None
    first, last, size = points[0], points[-1], points.shape[0]
    left, right = (fp[0] if left is None else left), (fp[-1] if right is None else right)
    made = xp.zeros_like(x) + fp[0]
    if size > 1:
        flat = stop_gradient(xp.reshape(x, (-1,)), xp=xp)
        place = xp.searchsorted(stop_gradient(points, xp=xp), flat, side="right") - 1
        place = xp.where(place < 0, 0, xp.where(place > size - 2, size - 2, place))
        start, end = (xp.take(v, place, axis=0) for v in (points[:-1], points[1:]))
        low, high = (xp.take(v, place, axis=0) for v in (fp[:-1], fp[1:]))
        along = xp.reshape(x, (-1,)) - start
        made = xp.reshape((high - low) / (end - start) * along + low, x.shape)
        made = xp.where(x == last, fp[-1], made)
    return xp.where(x < first, left, xp.where(x > last, right, made))


# ---- functions that leave the real numbers where they must -------------------------------------


def _negative(x: Any, *, xp: Any) -> bool:
    """Return whether any entry is below 0."""
    return bool(xp.any(x < 0))


def _beyond_1(x: Any, *, xp: Any) -> bool:
    """Return whether any entry is below -1 or above 1."""
    return bool(xp.any(xp.abs(x) > 1))


def _complex_where(outside: Callable[..., bool], x: Any, *, xp: Any) -> Any:
    """Return `x`, as complex numbers if an entry is outside of where the function is real."""
    x = tensor(x, xp=xp)
    if is_complex(x, xp=xp) or not outside(stop_gradient(x, xp=xp), xp=xp):
        return x
    single = x.dtype == xp.float32
    return xp.astype(floating(x, xp=xp), xp.complex64 if single else xp.complex128)


def _scimath(own: str, outside: Callable[..., bool]) -> Callable[..., Any]:
    """Return the standard's function, complex where real numbers have no result."""

    def function(x: Any, *, xp: Any) -> Any:
        return getattr(xp, own)(floating(_complex_where(outside, x, xp=xp), xp=xp))

    return function


for _name, _own, _test in (
    ("sqrt", "sqrt", _negative),
    ("log", "log", _negative),
    ("log2", "log2", _negative),
    ("log10", "log10", _negative),
    ("arccos", "acos", _beyond_1),
    ("arcsin", "asin", _beyond_1),
    ("arctanh", "atanh", _beyond_1),
):
    named(f"lib.scimath.{_name}")(_scimath(_own, _test))


@named("lib.scimath.logn")
def logn(n: Any, x: Any, *, xp: Any) -> Any:
    """Return the logarithm of `x` to the base `n`."""
    n, x = (_complex_where(_negative, floating(v, xp=xp), xp=xp) for v in arrays(n, x, xp=xp))
    return xp.log(x) / xp.log(n)


@named("lib.scimath.power")
def power(x: Any, p: Any, *, xp: Any) -> Any:
    """Return ``x**p``, complex where `x` may be negative, floating where `p` may."""
    x, p = (tensor(v, (x, p), xp=xp) for v in (x, p))
    x = _complex_where(_negative, x, xp=xp)
    if xp.isdtype(p.dtype, "integral") and _negative(p, xp=xp):
        p = floating(p, xp=xp)
    x, p = arrays(x, p, xp=xp)
    return xp.pow(x, p)

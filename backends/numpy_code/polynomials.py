"""NumPy's functions of polynomials, given by their coefficients from the highest power down."""

from typing import Any

from portable_losses._polyfill import device_of, readable
from portable_losses._tape import raw_array

from .linear_algebra import eigvals, lstsq
from .names import named
from .operands import arrays, exact, floating, is_complex, is_inexact, tensor
from .products import convolve, outer
from .shapes import atleast_1d

__all__ = ["polyval", "vander"]


def _coefficients(p: Any, others: Any = (), *, xp: Any) -> Any:
    """Return coefficients as a vector; a `poly1d` has them, too."""
    return atleast_1d(tensor(getattr(p, "coeffs", p), (p, others), xp=xp), xp=xp)


@named("vander")
def vander(x: Any, N: Any = None, increasing: bool = False, *, xp: Any) -> Any:  # noqa: N803
    """Return the powers of every entry as the columns of a matrix, the highest first."""
    (x,) = arrays(x, xp=xp)
    if x.ndim != 1:
        msg = "x must be a one-dimensional array or sequence."
        raise ValueError(msg)
    if is_inexact(x, xp=xp):
        x = exact(x, xp=xp)  # NumPy's powers of float32 are float64
    columns = [xp.ones_like(x)]
    count = x.shape[0] if N is None else N
    if not count:
        return xp.zeros((x.shape[0], 0), dtype=x.dtype, device=device_of(x, xp=xp))
    while len(columns) < count:
        columns.append(columns[-1] * x)
    return xp.stack(columns if increasing else columns[::-1], axis=1)


@named("polyval")
def polyval(p: Any, x: Any, *, xp: Any) -> Any:
    """Return the values of a polynomial, by Horner's scheme."""
    p, x = arrays(getattr(p, "coeffs", p), x, xp=xp)
    value = xp.zeros_like(x)
    for coefficient in xp.unstack(p):
        value = value * x + coefficient
    return value


@named("polynomial.polynomial.polyval2d")
def polyval2d(x: Any, y: Any, c: Any, *, xp: Any) -> Any:
    """Return the values of a polynomial in two variables; its lowest powers come first."""
    x, y, c = arrays(x, y, c, xp=xp)
    return _series(_series(c, x, xp=xp), y, each=True, xp=xp)


@named("polynomial.polynomial.polygrid2d")
def polygrid2d(x: Any, y: Any, c: Any, *, xp: Any) -> Any:
    """Return the values at every pair of two variables."""
    x, y, c = arrays(x, y, c, xp=xp)
    return _series(_series(c, x, xp=xp), y, xp=xp)


def _series(c: Any, x: Any, *, each: bool = False, xp: Any) -> Any:
    """Return the values of polynomials along the first axis of `c`, at all of `x` or each."""
    if not each:
        c = xp.reshape(c, (*c.shape, *(1,) * x.ndim))
    value: Any = 0
    for coefficient in reversed(xp.unstack(c)):
        value = value * x + coefficient
    return value


def _aligned(a1: Any, a2: Any, *, xp: Any) -> tuple[Any, Any]:
    """Return two polynomials as vectors of one length."""
    found = [getattr(a, "coeffs", a) for a in (a1, a2)]
    a, b = (atleast_1d(x, xp=xp) for x in arrays(*found, xp=xp))
    size = max(a.shape[0], b.shape[0])

    def longer(x: Any) -> Any:
        missing = size - x.shape[0]
        if not missing:
            return x
        return xp.concat([xp.zeros((missing,), dtype=x.dtype, device=device_of(x, xp=xp)), x])

    return longer(a), longer(b)


@named("polyadd")
def polyadd(a1: Any, a2: Any, *, xp: Any) -> Any:
    """Return the sum of two polynomials."""
    a, b = _aligned(a1, a2, xp=xp)
    return a + b


@named("polysub")
def polysub(a1: Any, a2: Any, *, xp: Any) -> Any:
    """Return the difference of two polynomials."""
    a, b = _aligned(a1, a2, xp=xp)
    return a - b


@named("polymul")
def polymul(a1: Any, a2: Any, *, xp: Any) -> Any:
    """Return the product of two polynomials."""
    return convolve(getattr(a1, "coeffs", a1), getattr(a2, "coeffs", a2), xp=xp)


@named("polydiv")
def polydiv(u: Any, v: Any, *, xp: Any) -> tuple[Any, Any]:
    """Return quotient and remainder; leading zeros of the remainder go, where values are known."""
    u, v = arrays(getattr(u, "coeffs", u), getattr(v, "coeffs", v), xp=xp)
    u, v = (atleast_1d(floating(x, xp=xp), xp=xp) for x in (u, v))
    steps = u.shape[0] - v.shape[0] + 1
    if steps < 1:
        return u[:1] * 0, u
    quotient: list[Any] = []
    rest = u
    for _ in range(steps):
        factor = rest[0] / v[0]
        quotient.append(factor)
        rest = xp.concat([rest[: v.shape[0]] - factor * v, rest[v.shape[0] :]])[1:]
    if not rest.shape[0]:
        rest = quotient[0][None] * 0
    return xp.stack(quotient), _without_leading_zeros(rest, xp=xp)


def _without_leading_zeros(x: Any, *, xp: Any) -> Any:
    """Return a polynomial without leading coefficients that are 0 to NumPy's tolerance."""
    if not _looks(x, xp=xp):
        return x
    values = xp.abs(x).detach().tolist()
    first = next((i for i, v in enumerate(values) if v > 1e-8), len(values) - 1)
    return x[first:]


def _looks(x: Any, *, xp: Any) -> bool:
    return readable(raw_array(x), xp=xp.inner)


@named("polyder")
def polyder(p: Any, m: int = 1, *, xp: Any) -> Any:
    """Return the derivative of order `m` of a polynomial."""
    x = _coefficients(p, xp=xp)
    for _ in range(m):
        powers = xp.arange(x.shape[0] - 1, 0, -1, dtype=x.dtype, device=device_of(x, xp=xp))
        x = x[:-1] * powers
    return x


@named("polyint")
def polyint(p: Any, m: int = 1, k: Any = None, *, xp: Any) -> Any:
    """Return the integral of order `m` of a polynomial, with the constants `k`."""
    x = floating(_coefficients(p, (k,), xp=xp), xp=xp)
    zeros = xp.zeros((1,), dtype=x.dtype, device=device_of(x, xp=xp))
    constants = zeros if k is None else atleast_1d(arrays(x, k, xp=xp)[1], xp=xp)
    for i in range(m):
        powers = xp.arange(x.shape[0], 0, -1, dtype=x.dtype, device=device_of(x, xp=xp))
        place = min(i, constants.shape[0] - 1)
        x = xp.concat([x / powers, xp.astype(constants[place : place + 1], x.dtype)])
    return x


@named("poly")
def poly(seq_of_zeros: Any, *, xp: Any) -> Any:
    """Return the polynomial with the zeros given, or the characteristic one of a matrix."""
    zeros = atleast_1d(arrays(seq_of_zeros, xp=xp)[0], xp=xp)
    matrix = zeros.ndim == 2
    roots = floating(eigvals(zeros, xp=xp) if matrix else zeros, xp=xp)
    made = xp.ones((1,), dtype=roots.dtype, device=device_of(roots, xp=xp))
    one = made
    for root in xp.unstack(roots):
        made = convolve(made, xp.concat([one, -root[None]]), xp=xp)
    if not is_complex(made, xp=xp):
        return made
    return (
        xp.real(made)
        if (matrix and not is_complex(zeros, xp=xp)) or _in_pairs(roots, xp=xp)
        else made
    )


def _in_pairs(roots: Any, *, xp: Any) -> bool:
    """Say whether complex zeros are known, and each beside its conjugate."""
    if not _looks(roots, xp=xp):
        return False
    found = roots.detach().tolist()
    return sorted(found, key=_parts) == sorted((z.conjugate() for z in found), key=_parts)


def _parts(z: complex) -> tuple[float, float]:
    return z.real, z.imag


@named("roots")
def roots(p: Any, *, xp: Any) -> Any:
    """Return the zeros of a polynomial, the eigenvalues of its companion matrix."""
    x = floating(_coefficients(p, xp=xp), xp=xp)
    values = x.detach().tolist()
    filled = [i for i, v in enumerate(values) if v]
    if not filled:
        return x[:0]
    zeros = len(values) - 1 - filled[-1]
    x = x[filled[0] : filled[-1] + 1]
    count = x.shape[0] - 1
    none = xp.zeros((zeros,), dtype=x.dtype, device=device_of(x, xp=xp))
    if count < 1:
        return none
    below = xp.eye(count - 1, count, dtype=x.dtype, device=device_of(x, xp=xp))
    found = eigvals(xp.concat([-(x[1:] / x[0])[None, :], below]), xp=xp)
    return xp.concat([found, xp.astype(none, found.dtype)]) if zeros else found


@named("polyfit")
def polyfit(
    x: Any,
    y: Any,
    deg: Any,
    rcond: Any = None,
    full: bool = False,
    w: Any = None,
    cov: Any = False,
    *,
    xp: Any,
) -> Any:
    """Return the coefficients of the polynomial that fits best by least squares."""
    x, y, *weights = (floating(v, xp=xp) for v in arrays(x, y, *(() if w is None else (w,)), xp=xp))
    if x.ndim != 1 or y.ndim not in (1, 2) or x.shape[0] != y.shape[0]:
        msg = f"expected x and y to have same length, got shapes {x.shape} and {y.shape}"
        raise TypeError(msg)
    order = int(deg) + 1
    left, right = vander(x, order, xp=xp), y
    if weights:
        left = left * weights[0][:, None]
        right = right * (weights[0][:, None] if y.ndim == 2 else weights[0])
    rcond = x.shape[0] * xp.finfo(x.dtype).eps if rcond is None else rcond
    scale = xp.sqrt(xp.sum(left * left, axis=0))
    found, residuals, rank, s = lstsq(left / scale, right, rcond, xp=xp)
    found = found / (scale[:, None] if y.ndim == 2 else scale)
    if full:
        return found, residuals, rank, s, rcond
    if not cov:
        return found
    unit = left / scale
    inverse = xp.linalg.inv(xp.matmul(xp.matrix_transpose(unit), unit)) / outer(scale, scale, xp=xp)
    if cov != "unscaled":
        free = x.shape[0] - order
        if free <= 0:
            msg = "the number of data points must exceed order to scale the covariance matrix"
            raise ValueError(msg)
        factor = xp.sum((right - xp.matmul(left, found)) ** 2, axis=0) / free
        inverse = inverse * factor if y.ndim == 1 else inverse[..., None] * factor
    return found, inverse

"""The one convention for complex numbers, what it asks of every rule, and the rules of parts.

The gradient of a real L by a complex z = x + i y is ``dL/dx + i dL/dy``, as PyTorch's `.grad`
holds it (JAX's is its conjugate): a step against it makes L smaller. So the rule of a holomorphic
function f is ``grad * conj(f'(z))``, that of a linear map its conjugate transpose, and a real
argument of a complex result gets the real part, which the caller takes.
"""

from typing import Any

from portable_losses._backend import traced_as_constant
from portable_losses._polyfill import where
from portable_losses._stable import sign
from portable_losses._typing import Array, Namespace
from portable_losses.autograd.rules.table import register

__all__ = ["adjoint", "conj", "direction", "imag", "is_complex", "real"]

# By dtype, since asking the library costs more than most rules. Its class stands first: a dtype of
# array-api-strict has the hash of NumPy's, and must not be compared with it.
_COMPLEX: dict[tuple[type, Any], bool] = {}
_REAL: list[Any] = [None]  # the real dtype that was met last, mostly that of the next array too


def is_complex(x: Any, *, xp: Namespace) -> bool:
    """Say whether an array, or a Python number, is complex."""
    try:
        dtype = x.dtype
    except AttributeError:
        return isinstance(x, complex)  # a Python number
    return dtype is not _REAL[0] and _is_complex(dtype, xp)


@traced_as_constant
def _is_complex(dtype: Any, xp: Namespace) -> bool:
    """Say whether a dtype is complex; one that is not is kept as the last."""
    key = (dtype.__class__, dtype)
    found = _COMPLEX.get(key)
    if found is None:
        found = _COMPLEX[key] = bool(xp.isdtype(dtype, "complex floating"))
    if not found:
        _REAL[0] = dtype
    return found


def conj(x: Any, *, xp: Namespace) -> Any:
    """Return the conjugate of an array or of a Python number; what is real stays as it is."""
    if x.__class__ is float:
        return x
    try:
        dtype = x.dtype
    except AttributeError:
        return x.conjugate()  # a Python number, of any kind
    if dtype is _REAL[0]:  # instead of a call: this stands in the rule of every product
        return x
    return xp.conj(x) if is_complex(x, xp=xp) else x


def real(x: Array, *, xp: Namespace) -> Array:
    """Return the real part; what is real stays as it is."""
    return xp.real(x) if is_complex(x, xp=xp) else x


def imag(x: Array, *, xp: Namespace) -> Array:
    """Return the imaginary part, 0 for what is real."""
    return xp.imag(x) if is_complex(x, xp=xp) else xp.zeros_like(x)


def adjoint(x: Array, *, xp: Namespace) -> Array:
    """Return the conjugate transpose of each matrix."""
    return xp.matrix_transpose(conj(x, xp=xp))


def direction(x: Array, *, xp: Namespace) -> Array:
    """Return ``x / |x|``, 0 at 0; array_api_compat's `sign` of a complex 0 divides 0 by 0."""
    if not is_complex(x, xp=xp):
        return sign(x, xp=xp)
    length = xp.abs(x)
    nowhere = length == 0
    return where(nowhere, 0, x / where(nowhere, 1, length, xp=xp), xp=xp)


# ---- parts ------------------------------------------------------------------------------------


def _imag(grad: Array, out: Array, x: Array, *, xp: Namespace) -> Array:
    return xp.astype(grad, x.dtype) * 1j if is_complex(x, xp=xp) else xp.zeros_like(grad)


def _sign(grad: Array, out: Array, x: Array, *, xp: Namespace) -> Array:
    """The part of `grad` across the direction of x, over its length; 0 at 0 and on the reals."""
    if not is_complex(x, xp=xp):
        return xp.zeros_like(grad)
    length = xp.abs(x)
    along = xp.real(xp.conj(out) * grad)
    safe = where(length == 0, 1, length, xp=xp)
    return where(length == 0, 0, (grad - out * along) / safe, xp=xp)


register("conj", lambda grad, out, x, *, xp: conj(grad, xp=xp))
register("real", lambda grad, out, x, *, xp: grad)  # the caller makes it complex again
register("imag", _imag)
register("sign", _sign)

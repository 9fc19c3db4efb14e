"""The signatures of the Array API standard, 2025.12.

What ``namespace(xp)`` shows to `inspect`, whatever the wrapped library does (PyTorch's functions
have no signature at all), and what a call with a tracked Tensor is held against: an argument
that the standard does not know has no place in a rule.
"""

from collections.abc import Callable
from functools import cache
from inspect import Parameter, Signature, signature
from math import inf

__all__ = ["STANDARD", "check_call", "signature_of"]

_ELEMENTWISE = (
    "abs acos acosh asin asinh atan atanh bitwise_invert ceil conj cos cosh exp expm1 floor imag "
    "isfinite isinf isnan log log1p log2 log10 logical_not negative positive real reciprocal "
    "round sign signbit sin sinh square sqrt tan tanh trunc"
)
_OF_TWO = (
    "add atan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor copysign "
    "divide equal floor_divide greater greater_equal hypot less less_equal logaddexp logical_and "
    "logical_or logical_xor maximum minimum multiply nextafter not_equal pow remainder subtract"
)

# Names, and a function with their signature.
_ROWS: tuple[tuple[str, Callable[..., None]], ...] = (
    (_ELEMENTWISE, lambda x, /: None),
    (_OF_TWO, lambda x1, x2, /: None),
    ("clip", lambda x, /, min=None, max=None: None),
    # ---- creation ----
    ("arange", lambda start, /, stop=None, step=1, *, dtype=None, device=None: None),
    ("asarray", lambda obj, /, *, dtype=None, device=None, copy=None: None),
    ("empty ones zeros", lambda shape, *, dtype=None, device=None: None),
    ("empty_like ones_like zeros_like", lambda x, /, *, dtype=None, device=None: None),
    ("eye", lambda n_rows, n_cols=None, /, *, k=0, dtype=None, device=None: None),
    ("from_dlpack", lambda x, /, *, device=None, copy=None: None),
    ("full", lambda shape, fill_value, *, dtype=None, device=None: None),
    ("full_like", lambda x, /, fill_value, *, dtype=None, device=None: None),
    (
        "linspace",
        lambda start, stop, /, num, *, dtype=None, device=None, endpoint=True: None,
    ),
    ("meshgrid", lambda *arrays, indexing="xy": None),
    ("tril triu", lambda x, /, *, k=0: None),
    # ---- data types ----
    ("astype", lambda x, dtype, /, *, copy=True, device=None: None),
    ("can_cast", lambda from_, to, /: None),
    ("finfo iinfo", lambda type, /: None),
    ("isdtype", lambda dtype, kind: None),
    ("result_type", lambda *arrays_and_dtypes: None),
    # ---- taking and rearranging ----
    ("take", lambda x, indices, /, *, axis=None: None),
    ("take_along_axis", lambda x, indices, /, *, axis=-1: None),
    ("broadcast_arrays", lambda *arrays: None),
    ("broadcast_shapes", lambda *shapes: None),
    ("broadcast_to", lambda x, /, shape: None),
    ("concat", lambda arrays, /, *, axis=0: None),
    ("stack", lambda arrays, /, *, axis=0: None),
    ("expand_dims squeeze", lambda x, /, axis: None),
    ("flip", lambda x, /, *, axis=None: None),
    ("moveaxis", lambda x, source, destination, /: None),
    ("permute_dims", lambda x, /, axes: None),
    ("repeat", lambda x, repeats, /, *, axis=None: None),
    ("reshape", lambda x, /, shape, *, copy=None: None),
    ("roll", lambda x, /, shift, *, axis=None: None),
    ("tile", lambda x, repetitions, /: None),
    ("unstack", lambda x, /, *, axis=0: None),
    # ---- searching and sorting ----
    ("argmax argmin", lambda x, /, *, axis=None, keepdims=False: None),
    ("nonzero unique_all unique_counts unique_inverse unique_values", lambda x, /: None),
    ("searchsorted", lambda x1, x2, /, *, side="left", sorter=None: None),
    ("where", lambda condition, x1, x2, /: None),
    ("isin", lambda x1, x2, /, *, invert=False: None),
    ("argsort sort", lambda x, /, *, axis=-1, descending=False, stable=True: None),
    # ---- along axes ----
    (
        "cumulative_prod cumulative_sum",
        lambda x, /, *, axis=None, dtype=None, include_initial=False: None,
    ),
    ("all any count_nonzero max mean min", lambda x, /, *, axis=None, keepdims=False: None),
    ("prod sum", lambda x, /, *, axis=None, dtype=None, keepdims=False: None),
    ("std var", lambda x, /, *, axis=None, correction=0.0, keepdims=False: None),
    ("diff", lambda x, /, *, axis=-1, n=1, prepend=None, append=None: None),
    # ---- products, in both places ----
    ("matmul linalg.matmul linalg.outer", lambda x1, x2, /: None),
    ("matrix_transpose linalg.matrix_transpose", lambda x, /: None),
    ("tensordot linalg.tensordot", lambda x1, x2, /, *, axes=2: None),
    ("vecdot linalg.vecdot linalg.cross", lambda x1, x2, /, *, axis=-1: None),
    # ---- linalg ----
    (
        "linalg.det linalg.eig linalg.eigh linalg.eigvals linalg.eigvalsh linalg.inv "
        "linalg.slogdet linalg.svdvals",
        lambda x, /: None,
    ),
    ("linalg.cholesky", lambda x, /, *, upper=False: None),
    ("linalg.diagonal", lambda x, /, *, offset=0: None),
    ("linalg.matrix_norm", lambda x, /, *, keepdims=False, ord="fro": None),
    ("linalg.matrix_power", lambda x, n, /: None),
    ("linalg.matrix_rank linalg.pinv", lambda x, /, *, rtol=None: None),
    ("linalg.qr", lambda x, /, *, mode="reduced": None),
    ("linalg.solve", lambda x1, x2, /: None),
    ("linalg.svd", lambda x, /, *, full_matrices=True: None),
    ("linalg.trace", lambda x, /, *, offset=0, dtype=None: None),
    ("linalg.vector_norm", lambda x, /, *, axis=None, keepdims=False, ord=2: None),
    # ---- fft ----
    (
        "fft.fft fft.ifft fft.rfft fft.irfft fft.hfft fft.ihfft",
        lambda x, /, *, n=None, axis=-1, norm="backward": None,
    ),
    (
        "fft.fftn fft.ifftn fft.rfftn fft.irfftn",
        lambda x, /, *, s=None, axes=None, norm="backward": None,
    ),
    ("fft.fftfreq fft.rfftfreq", lambda n, /, *, d=1.0, dtype=None, device=None: None),
    ("fft.fftshift fft.ifftshift", lambda x, /, *, axes=None: None),
)

STANDARD = {name: like for names, like in _ROWS for name in names.split()}


@cache
def signature_of(name: str) -> Signature | None:
    """Return the signature of a function (``"sum"``, ``"linalg.svd"``), None for another name."""
    return signature(STANDARD[name]) if name in STANDARD else None


@cache
def _limits(name: str) -> tuple[float, frozenset[str] | None]:
    """Return how many arguments go by position, and the names of those that have one.

    The tape's own functions, which the standard does not know, have no limits here.
    """
    found = signature_of(name)
    if found is None:
        return inf, None
    parameters = list(found.parameters.values())
    positional = [p for p in parameters if p.kind < Parameter.VAR_POSITIONAL]
    named = [p.name for p in parameters if p.kind not in (0, Parameter.VAR_POSITIONAL)]
    return len(positional), frozenset(named)


def check_call(name: str, count: int, options: dict[str, object]) -> None:
    """Raise TypeError for arguments, `count` of them by position, that the standard lacks."""
    most, known = _limits(name)
    if count > most:
        msg = f"`{name}` of the standard takes {most} arguments by position, got {count}"
        raise TypeError(msg)
    if known is not None and not known.issuperset(options):
        extra = ", ".join(f"`{key}`" for key in options if key not in known)
        msg = f"`{name}` of the standard has no argument {extra}; its gradient is not known"
        raise TypeError(msg)

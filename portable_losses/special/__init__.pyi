"""Special functions: what losses and activations are made of."""

# Written by tools/write_stubs.py.

from typing import Any, TypeVar, overload

from portable_losses._typing import ArrayLike, HasShape

_A = TypeVar("_A", bound=HasShape)
__all__ = [
    "boxcox",
    "cumulative_logsumexp",
    "digamma",
    "entr",
    "entropy",
    "erf",
    "erfc",
    "erfcx",
    "gammaln",
    "log1mexp",
    "log_ndtr",
    "logit",
    "logmeanexp",
    "logsubexp",
    "logsumexp",
    "ndtr",
    "one_hot",
    "rel_entr",
    "smooth_labels",
    "xlog1py",
    "xlogy",
]

@overload
def boxcox(x: _A, /, lmbda: ArrayLike) -> _A: ...
@overload
def boxcox(x: ArrayLike, /, lmbda: ArrayLike) -> Any: ...
@overload
def cumulative_logsumexp(x: _A, /, *, axis: int = -1) -> _A: ...
@overload
def cumulative_logsumexp(x: ArrayLike, /, *, axis: int = -1) -> Any: ...
@overload
def digamma(x: _A, /) -> _A: ...
@overload
def digamma(x: ArrayLike, /) -> Any: ...
@overload
def entr(x: _A, /) -> _A: ...
@overload
def entr(x: ArrayLike, /) -> Any: ...
@overload
def entropy(p: _A, /, *, axis: int | tuple[int, ...] = -1, log_input: bool = False) -> _A: ...
@overload
def entropy(
    p: ArrayLike, /, *, axis: int | tuple[int, ...] = -1, log_input: bool = False
) -> Any: ...
@overload
def erf(x: _A, /) -> _A: ...
@overload
def erf(x: ArrayLike, /) -> Any: ...
@overload
def erfc(x: _A, /) -> _A: ...
@overload
def erfc(x: ArrayLike, /) -> Any: ...
@overload
def erfcx(x: _A, /) -> _A: ...
@overload
def erfcx(x: ArrayLike, /) -> Any: ...
@overload
def gammaln(x: _A, /) -> _A: ...
@overload
def gammaln(x: ArrayLike, /) -> Any: ...
@overload
def log1mexp(x: _A, /) -> _A: ...
@overload
def log1mexp(x: ArrayLike, /) -> Any: ...
@overload
def log_ndtr(x: _A, /) -> _A: ...
@overload
def log_ndtr(x: ArrayLike, /) -> Any: ...
@overload
def logit(p: _A, /, *, eps: float | None = None) -> _A: ...
@overload
def logit(p: ArrayLike, /, *, eps: float | None = None) -> Any: ...
@overload
def logmeanexp(
    x: _A,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    where: ArrayLike | None = None,
) -> _A: ...
@overload
def logmeanexp(
    x: ArrayLike,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    where: ArrayLike | None = None,
) -> Any: ...
@overload
def logsubexp(a: _A, b: ArrayLike, /) -> _A: ...
@overload
def logsubexp(a: ArrayLike, b: ArrayLike, /) -> Any: ...
@overload
def logsumexp(
    x: _A,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    b: ArrayLike | None = None,
    return_sign: bool = False,
    where: ArrayLike | None = None,
) -> _A: ...
@overload
def logsumexp(
    x: ArrayLike,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    b: ArrayLike | None = None,
    return_sign: bool = False,
    where: ArrayLike | None = None,
) -> Any: ...
@overload
def ndtr(x: _A, /) -> _A: ...
@overload
def ndtr(x: ArrayLike, /) -> Any: ...
def one_hot(x: ArrayLike, num_classes: int, /, *, axis: int = -1, dtype: Any = None) -> Any: ...
@overload
def rel_entr(x: _A, y: ArrayLike, /) -> _A: ...
@overload
def rel_entr(x: ArrayLike, y: ArrayLike, /) -> Any: ...
@overload
def smooth_labels(
    target: _A, /, *, alpha: float | HasShape, axis: int = -1, where: ArrayLike | None = None
) -> _A: ...
@overload
def smooth_labels(
    target: ArrayLike, /, *, alpha: float | HasShape, axis: int = -1, where: ArrayLike | None = None
) -> Any: ...
@overload
def xlog1py(x: _A, y: ArrayLike, /) -> _A: ...
@overload
def xlog1py(x: ArrayLike, y: ArrayLike, /) -> Any: ...
@overload
def xlogy(x: _A, y: ArrayLike, /) -> _A: ...
@overload
def xlogy(x: ArrayLike, y: ArrayLike, /) -> Any: ...

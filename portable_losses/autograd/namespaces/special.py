"""``namespace(xp).special``: special functions under SciPy's names, recorded on the tape.

The standard has none. SciPy looks a function up in ``xp.special`` before it converts the arrays of
a library that it does not know to NumPy's, which a tracked Tensor refuses. What stands here is what
the package has with an exact gradient; a name that is missing raises AttributeError, and SciPy's
conversion is refused in its turn.
"""

import math
from collections.abc import Callable
from contextlib import nullcontext
from inspect import signature
from numbers import Real
from typing import Any

import portable_losses as pl
from portable_losses._gradient import elementwise_call, stop_gradient
from portable_losses._polyfill import constant
from portable_losses._tape import TapeNamespace
from portable_losses._typing import Array
from portable_losses.autograd.tensors.unwrapping import is_tracked
from portable_losses.special.entropies import _entr, _kl_div, _rel_entr
from portable_losses.special.gamma import _gammaln, _polygamma
from portable_losses.special.incomplete import _incomplete_beta, _incomplete_gamma, _stdtr
from portable_losses.special.normal import _log_ndtr, _ndtr
from portable_losses.special.quantile import _erfinv, _ndtri

__all__ = ["SpecialFunctions"]

Function = Callable[..., Any]


class SpecialFunctions:
    """The special functions of one tape namespace, each made when it is first asked for.

    They take Tensors, arrays of the wrapped library and Python numbers, as SciPy's do: integers
    count as numbers of the floating dtype beside them, or of the library's default one.
    """

    def __init__(self, tape: TapeNamespace) -> None:
        self._tape = tape

    def __getattr__(self, name: str) -> Function:
        if name.startswith("_"):
            raise AttributeError(name)
        function = ELEMENTWISE.get(name) or OTHERS.get(name)
        if function is None:
            msg = f"{self!r} has no `{name}`; it has {', '.join(dir(self))}"
            raise AttributeError(msg)
        made = _made(self._tape, name, function, elementwise=name in ELEMENTWISE)
        self.__dict__[name] = made
        return made

    def __dir__(self) -> list[str]:
        return sorted({*ELEMENTWISE, *OTHERS})

    def __repr__(self) -> str:
        return f"<special functions of {self._tape!r}>"


def _made(tape: TapeNamespace, name: str, function: Function, *, elementwise: bool) -> Function:
    """Return ``namespace(xp).special.<name>``."""
    quiet = tape.library.quiet or nullcontext

    def elementwise_call(*args: Any) -> Any:
        if is_tracked(args[: PARAMETERS.get(name, 0)]):
            msg = (
                f"`special.{name}` has no gradient by its parameters, only by its last argument; "
                "use `.detach()` (or `stop_gradient`) if they are to be constants"
            )
            raise TypeError(msg)
        with quiet():
            return function(*_operands(tape, args))

    def call(*args: Any, **options: Any) -> Any:
        with quiet():
            return function(*args, **options, tape=tape)

    made = elementwise_call if elementwise else call
    made.__name__ = made.__qualname__ = name
    made.__doc__ = function.__doc__
    return made


def _operands(tape: TapeNamespace, args: tuple[Any, ...]) -> list[Array]:
    """Return Tensors of one floating dtype for arrays and numbers, of shapes as they were."""
    arrays = {i: tape.asarray(x) for i, x in enumerate(args) if not isinstance(x, Real)}
    if not arrays:
        msg = "a special function of the tape needs an array, got only Python numbers"
        raise TypeError(msg)
    floating = [x.dtype for x in arrays.values() if not tape.isdtype(x.dtype, _WHOLE)]
    defaults = tape.__array_namespace_info__().default_dtypes()
    dtype = tape.result_type(*floating) if floating else defaults["real floating"]
    arrays = {i: tape.astype(x, dtype, copy=False) for i, x in arrays.items()}
    like = stop_gradient(next(iter(arrays.values())), xp=tape)
    return [
        arrays[i] if i in arrays else constant(float(x), like, xp=tape) for i, x in enumerate(args)
    ]


_WHOLE = ("bool", "integral")


# ---- of one element ---------------------------------------------------------------------------


def _wide(pair: Function, **options: Any) -> Function:
    """Return a pair as a function of arrays: broadcast, and half types computed in float32."""
    names = tuple(n for n, p in signature(pair).parameters.items() if p.kind is not p.KEYWORD_ONLY)

    def function(*arrays: Array) -> Array:
        return elementwise_call(pair, *arrays, names=names, **options)

    function.__doc__ = pair.__doc__
    return function


def _betaln(a: Array, b: Array) -> Array:
    """``log(beta(a, b))``, for arguments above 0."""
    return LOG_GAMMA(a) + LOG_GAMMA(b) - LOG_GAMMA(a + b)


def _fdtr(dfn: Array, dfd: Array, x: Array) -> Array:
    """F distribution function."""
    return LOWER_BETA(dfn / 2, dfd / 2, dfn * x / (dfd + dfn * x))


def _fdtrc(dfn: Array, dfd: Array, x: Array) -> Array:
    """Tail of the F distribution."""
    return LOWER_BETA(dfd / 2, dfn / 2, dfd / (dfd + dfn * x))


LOWER_BETA = _wide(_incomplete_beta, upper=False)
LOG_GAMMA = _wide(_gammaln)
DIGAMMA = _wide(_polygamma, order=0)

ELEMENTWISE: dict[str, Function] = {
    "betainc": LOWER_BETA,
    "betaincc": _wide(_incomplete_beta, upper=True),
    "betaln": _betaln,
    "boxcox": pl.boxcox,
    "digamma": DIGAMMA,
    "entr": _wide(_entr),
    "erf": pl.erf,
    "erfc": pl.erfc,
    "erfcx": pl.erfcx,
    "erfinv": _wide(_erfinv),
    "expit": pl.expit,
    "fdtr": _fdtr,
    "fdtrc": _fdtrc,
    "gammainc": _wide(_incomplete_gamma, upper=False),
    "gammaincc": _wide(_incomplete_gamma, upper=True),
    "gammaln": LOG_GAMMA,
    "kl_div": _wide(_kl_div),
    "log1mexp": pl.log1mexp,
    "log_expit": pl.log_expit,
    "log_ndtr": _wide(_log_ndtr),
    "loggamma": LOG_GAMMA,
    "logit": pl.logit,
    "ndtr": _wide(_ndtr),
    "ndtri": _wide(_ndtri),
    "psi": DIGAMMA,
    "rel_entr": _wide(_rel_entr),
    "stdtr": _wide(_stdtr),
    "xlog1py": pl.xlog1py,
    "xlogy": pl.xlogy,
}

#: how many leading arguments have no gradient
PARAMETERS = {
    "betainc": 2,
    "betaincc": 2,
    "fdtr": 2,
    "fdtrc": 2,
    "gammainc": 1,
    "gammaincc": 1,
    "stdtr": 1,
}


# ---- with arguments that are no arrays, or along an axis ---------------------------------------


def _of_order(n: int, x: Array, *, tape: TapeNamespace) -> Array:
    """Derivative of order n of digamma."""
    if not isinstance(n, int) or n < 0:
        msg = f"`n` must be an int of at least 0, got {n!r}"
        raise TypeError(msg)
    return _wide(_polygamma, order=n)(*_operands(tape, (x,)))


def _multigammaln(a: Array, d: int, *, tape: TapeNamespace) -> Array:
    """Logarithm of the multivariate gamma function of dimension d."""
    (a,) = _operands(tape, (a,))
    parts = [LOG_GAMMA(a - 0.5 * k) for k in range(d)]
    return sum(parts[1:], parts[0]) + d * (d - 1) / 4 * math.log(math.pi)


def _logsumexp(
    a: Array,
    axis: int | tuple[int, ...] | None = None,
    b: Array | float | None = None,
    keepdims: bool = False,
    return_sign: bool = False,
    *,
    tape: TapeNamespace,
) -> Any:
    """``log(sum(b * exp(a)))`` along `axis`."""
    if b is None:
        (a,) = _operands(tape, (a,))
    else:
        a, b = _operands(tape, (a, b))
    return pl.logsumexp(a, axis=axis, b=b, keepdims=keepdims, return_sign=return_sign)


def _along(function: Function) -> Function:
    """Return one of our row functions with SciPy's axis: by default all of them."""

    def call(x: Array, axis: int | tuple[int, ...] | None = None, *, tape: TapeNamespace) -> Array:
        (x,) = _operands(tape, (x,))
        along = tuple(range(x.ndim)) if axis is None else axis
        return function(x, axis=along)

    return call


OTHERS: dict[str, Function] = {
    "log_softmax": _along(pl.log_softmax),
    "logsumexp": _logsumexp,
    "multigammaln": _multigammaln,
    "polygamma": _of_order,
    "softmax": _along(pl.softmax),
}

"""NumPy: it does not differentiate, and every value can be read."""

import math
from contextvars import copy_context
from functools import partial
from typing import Any

import array_api_compat.numpy as xp_numpy
import numpy as np

from portable_losses._backend import Arrays, Autodiff, Backend, Indexing, Speed
from portable_losses._typing import Array, Namespace

from .kernels.cross_entropy.linear_numpy import LINEAR_CROSS_ENTROPY
from .kernels.cross_entropy.sweep_numpy import CROSS_ENTROPY, WEIGHT
from .kernels.formulas.elementwise_numpy import ELEMENTWISE, elementwise
from .kernels.formulas.ready_numpy import ready
from .kernels.formulas.several_numpy import several
from .kernels.formulas.within_numpy import within
from .kernels.machine.extremes_numpy import extremes, smallest
from .kernels.rows.rowwise_numpy import rowwise, several_of_rows
from .kernels.rows.softmax_numpy import LOG_SOFTMAX, LOGSUMEXP, SOFTMAX

FEW = 2**11  # entries that are filled in less time than a view of one is made
PLAIN = "fd"  # the dtypes that NumPy sums in their own: float32, float64


def readable(x: Array) -> bool:
    """Say yes: a NumPy array is eager and in host memory."""
    return True


def device(x: Array) -> str:
    """Return the only place there is."""
    return "cpu"


def scatter_add(shape: tuple[int, ...], key: Any, values: Array, *, xp: Namespace) -> Array:
    """Zeros of `shape` with `values` added at `key`."""
    out = np.zeros(shape, dtype=values.dtype)
    if all(k is None or k is ... or isinstance(k, int | slice) for k in _entries(key)):
        out[key] = values  # no place twice, and six times as fast
    else:
        np.add.at(out, key, values)
    return out


def _entries(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def spread(x: Array, shape: tuple[int, ...]) -> Array:
    """``np.broadcast_to``; of one number small, or a read-only array without strides."""
    if x.ndim:
        return np.broadcast_to(x, shape)
    if math.prod(shape) <= FEW:
        made = np.empty(shape, x.dtype)
        made.fill(x)
        return made
    made = np.ndarray(shape, x.dtype, x, strides=(0,) * len(shape))
    made.flags.writeable = False
    return made


def mean(x: Array) -> Any:
    """``np.mean`` over all entries, in half of its time on few."""
    return np.add.reduce(x, None) / x.size if x.dtype.char in PLAIN and x.size else np.mean(x)


def is_view(made: Array, x: Array) -> bool:
    """Say whether `made`, a reshaped `x`, shares its memory."""
    base = made.base
    return base is x or (base is not None and base is x.base)


class Quiet:
    """``np.errstate(all="ignore")`` in a quarter of its time: its state is made once."""

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        self._before = _STATE.set(_IGNORING)

    def __exit__(self, *_: object) -> None:
        _STATE.reset(self._before)


def _state_of_errors() -> tuple[Any, Any]:
    """Return the variable that `np.errstate` sets, and what it sets it to; None if there is none.

    NumPy does not name it: it is the one that differs within.
    """
    before = copy_context()
    with np.errstate(all="ignore"):
        within = copy_context()
    found = [var for var in within if var not in before or within[var] is not before[var]]
    return (found[0], within[found[0]]) if len(found) == 1 else (None, None)


_STATE, _IGNORING = _state_of_errors()

BACKEND = Backend(
    "numpy",
    Autodiff(differentiates=False),
    Arrays(
        readable=readable,
        device=device,
        is_view=is_view,
        quiet=partial(np.errstate, all="ignore") if _STATE is None else Quiet,
        python_scalars=True,
        namespaces={np.ndarray: xp_numpy},
        refused={
            "numpy.matrix": "its `*` is a matrix product; pass `np.asarray(x)`",
            "numpy.MaskedArray": "its mask would be lost; pass `x.filled(0)`, and `where=~x.mask`",
        },
    ),
    Indexing(scatter_add=scatter_add),
    Speed(
        reductions={
            "extremes": extremes,
            "max": lambda x: np.maximum.reduce(x, None),
            "mean": mean,
            "min": smallest,
            "sum": lambda x: np.add.reduce(x, None),
        },
        within=within,
        spread=spread,
        elementwise=elementwise,
        several=several,
        several_of_rows=several_of_rows(WEIGHT),
        repeats=lambda: True,
        elementwise_kernel=ELEMENTWISE._replace(ready=ready),
        row_kernel=rowwise(None, WEIGHT),
        kernels={
            "cross_entropy": rowwise(CROSS_ENTROPY, WEIGHT),
            "linear_cross_entropy": LINEAR_CROSS_ENTROPY,
            "log_softmax": rowwise(LOG_SOFTMAX),
            "logsumexp": rowwise(LOGSUMEXP),
            "softmax": rowwise(SOFTMAX),
        },
    ),
)

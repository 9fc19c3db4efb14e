"""MLX: lazy arrays without devices, for which our namespace fills in what the standard says.

``mlx.core`` has most of the standard's names; the class below has those whose meaning, arguments or
result differ. Nothing is evaluated in order to look at a value.
"""

import math
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import mlx.core as mx
import numpy as np

from portable_losses._backend import Arrays, Autodiff, Backend, Indexing, Pair, Speed
from portable_losses._typing import Array, Namespace, Options

Axis = int | tuple[int, ...] | None


class Limits(NamedTuple):
    """What ``finfo`` returns."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: Any


_NORMAL = {mx.float16: 2.0**-14, mx.bfloat16: 2.0**-126, mx.float32: 2.0**-126}


class Standard(ModuleType):
    """The functions of ``mlx.core`` as the Array API standard has them."""

    __array_api_version__ = "2024.12"
    bool = mx.bool_

    def __getattr__(self, name: str) -> Any:
        return getattr(mx, name)

    @staticmethod
    def finfo(dtype: Any) -> Limits:
        """Return the limits of a floating dtype."""
        dtype = getattr(dtype, "dtype", dtype)
        limits = mx.finfo(dtype)
        normal = _NORMAL.get(dtype, 2.0**-1022)
        bits = 8 * dtype.size
        return Limits(bits, float(limits.eps), float(limits.max), float(limits.min), normal, dtype)

    # ---- made on no device -----------------------------------------------------------------------
    @staticmethod
    def asarray(x: Any, *, dtype: Any = None, device: Any = None, copy: Any = None) -> Array:
        """Return an array; Python floats in float32, the default."""
        return mx.array(x, dtype=dtype) if dtype is not None else mx.array(x)

    @staticmethod
    def arange(
        start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None
    ) -> Array:
        """Return a range; of integers in int64."""
        if stop is None:
            start, stop = 0, start
        whole = all(isinstance(n, int) for n in (start, stop, step))
        return mx.arange(start, stop, step, dtype=dtype or (mx.int64 if whole else mx.float32))

    @staticmethod
    def full(shape: Any, value: Any, *, dtype: Any = None, device: Any = None) -> Array:
        """Return an array of one value."""
        return mx.full(shape, value, dtype=dtype)

    @staticmethod
    def zeros(shape: Any, *, dtype: Any = mx.float32, device: Any = None) -> Array:
        """Return zeros."""
        return mx.zeros(shape, dtype=dtype)

    @staticmethod
    def ones(shape: Any, *, dtype: Any = mx.float32, device: Any = None) -> Array:
        """Return ones."""
        return mx.ones(shape, dtype=dtype)

    @staticmethod
    def full_like(x: Array, /, value: Any, *, dtype: Any = None, device: Any = None) -> Array:
        """Return an array of the shape of `x` of one value."""
        return mx.full(x.shape, value, dtype=dtype or x.dtype)

    @staticmethod
    def zeros_like(x: Array, /, *, dtype: Any = None, device: Any = None) -> Array:
        """Return zeros of the shape of `x`."""
        return mx.zeros(x.shape, dtype=dtype or x.dtype)

    @staticmethod
    def ones_like(x: Array, /, *, dtype: Any = None, device: Any = None) -> Array:
        """Return ones of the shape of `x`."""
        return mx.ones(x.shape, dtype=dtype or x.dtype)

    @staticmethod
    def astype(x: Array, dtype: Any, /, *, copy: Any = True, device: Any = None) -> Array:
        """Return `x` in a dtype."""
        return x.astype(dtype)

    # ---- reductions ------------------------------------------------------------------------------
    @staticmethod
    def sum(x: Array, /, *, axis: Axis = None, dtype: Any = None, keepdims: Any = False) -> Array:
        """Return the sum in a dtype."""
        return mx.sum(x if dtype is None else x.astype(dtype), axis, keepdims)

    @staticmethod
    def mean(x: Array, /, *, axis: Axis = None, keepdims: Any = False) -> Array:
        """Return the mean: a sum, divided (MLX multiplies with what it has rounded)."""
        made = mx.sum(x, axis, keepdims)
        return made / max(x.size // max(made.size, 1), 1)

    @staticmethod
    def var(x: Array, /, *, axis: Axis = None, correction: float = 0, keepdims: Any = False) -> Any:
        """Return the variance."""
        mean = Standard.mean(x, axis=axis, keepdims=True)
        squares = mx.sum(mx.square(x - mean), axis, keepdims)
        return squares / (x.size // max(squares.size, 1) - correction)

    @staticmethod
    def argmax(x: Array, /, *, axis: int | None = None, keepdims: Any = False) -> Array:
        """Return the place of the largest entry, NaN if there is one."""
        x = mx.stop_gradient(x)
        return mx.argmax(mx.where(mx.isnan(x), math.inf, x), axis, keepdims).astype(mx.int64)

    @staticmethod
    def argsort(x: Array, /, *, axis: int = -1, descending: Any = False, stable: Any = True) -> Any:
        """Return the order of the entries; equal ones keep theirs."""
        x = mx.stop_gradient(x)
        return mx.argsort(-x if descending else x, axis).astype(mx.int64)

    @staticmethod
    def sort(x: Array, /, *, axis: int = -1, descending: Any = False, stable: Any = True) -> Array:
        """Return the entries in order."""
        return -mx.sort(-x, axis) if descending else mx.sort(x, axis)

    @staticmethod
    def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> Array:
        """Return the entries at `indices`, for which MLX has no derivative, not even none."""
        return mx.take_along_axis(x, mx.stop_gradient(indices), axis)

    @staticmethod
    def cumulative_sum(x: Array, /, *, axis: int = -1, dtype: Any = None) -> Array:
        """Return the running sum."""
        return mx.cumsum(x, axis)

    # ---- shapes ----------------------------------------------------------------------------------
    @staticmethod
    def expand_dims(x: Array, /, *, axis: int = 0) -> Array:
        """Return `x` with an axis more."""
        return mx.expand_dims(x, axis)

    @staticmethod
    def concat(arrays: Sequence[Array], /, *, axis: int | None = 0) -> Array:
        """Return the arrays joined."""
        return mx.concatenate(list(arrays), axis)

    @staticmethod
    def stack(arrays: Sequence[Array], /, *, axis: int = 0) -> Array:
        """Return the arrays along a new axis."""
        return mx.stack(list(arrays), axis)

    @staticmethod
    def broadcast_arrays(*arrays: Array) -> Sequence[Array]:
        """Return the arrays in one shape."""
        return mx.broadcast_arrays(*arrays)


STANDARD = Standard("mlx")


def attach_gradient(pair: Pair, arrays: tuple[Array | None, ...], options: Options) -> Any:
    """Make `pair` one operation of MLX, which its ``grad`` and ``vjp`` differentiate, twice too."""
    places = [i for i, x in enumerate(arrays) if x is not None]

    def whole(xs: Sequence[Array]) -> list[Array | None]:
        given: list[Array | None] = [None] * len(arrays)
        for i, x in zip(places, xs, strict=True):
            given[i] = x
        return given

    @mx.custom_function
    def attached(*xs: Array) -> Any:
        return pair.forward(*whole(xs), **options)

    @attached.vjp
    def pull(primals: Any, grads: Any, outs: Any) -> tuple[Array, ...]:
        xs = primals if isinstance(primals, tuple | list) else (primals,)
        found = pair.backward(grads, outs, *whole(xs), **options)
        pulled = [found[i] for i in places]
        return tuple(mx.zeros_like(x) if g is None else g for x, g in zip(xs, pulled, strict=True))

    return attached(*(arrays[i] for i in places))


def call(
    function: Callable[..., Any], args: tuple[Any, ...], options: Options, *, full_precision: bool
) -> Any:
    """Call a function with NumPy arrays beside MLX's own made arrays of MLX."""
    return function(*map(_adopted, args), **{name: _adopted(x) for name, x in options.items()})


def _adopted(x: Any) -> Any:
    """Return a NumPy array as one of MLX's, anything else as it is."""
    return mx.array(x) if type(x) is np.ndarray else x


def scatter_add(shape: tuple[int, ...], key: Any, values: Array, *, xp: Namespace) -> Array:
    """Zeros of `shape` with `values` added at `key`."""
    return mx.zeros(shape, dtype=values.dtype).at[key].add(values)


BACKEND = Backend(
    "mlx",
    Autodiff(attach_gradient=attach_gradient, stop_gradient=mx.stop_gradient),
    Arrays(
        readable=lambda x: False,
        device=lambda x: None,
        call=call,
        python_scalars=True,
        namespaces={mx.array: STANDARD},
    ),
    Indexing(scatter_add=scatter_add),
    Speed(),
)

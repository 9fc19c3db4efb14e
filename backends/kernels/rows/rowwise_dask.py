"""Functions of rows on Dask arrays whose classes are in one chunk: one task a chunk, each way."""

__library__ = "dask"

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import dask.array as da

from portable_losses._backend import Kernel, Pair, backend_of, kernel_for, namespace_of_type
from portable_losses._gradient import NAMED_PAIRS
from portable_losses._typing import Options

__all__ = ["rowwise"]


def rowwise(*, keeps_axis: bool) -> Kernel:
    """Return the kernel of a pair of one array, whose result has an entry for each class or one."""

    def run(pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]) -> Any:
        """Return the value and a backward."""
        (x,) = arrays
        like = x._meta if keeps_axis else x._meta[..., :1]
        chunks = x.chunks if keeps_axis else (*x.chunks[:-1], (1,))
        out = da.map_blocks(
            _value, x, name_of_pair=pair.name, dtype=x.dtype, meta=like, chunks=chunks
        )

        def backward(grad: Any, out: Any, x: Any, **options: Any) -> Any:
            if not isinstance(grad, da.Array) or grad.chunks != out.chunks:
                return pair.backward(grad, out, x, **options)
            made = da.map_blocks(
                _gradient,
                grad,
                x,
                name_of_pair=pair.name,
                dtype=x.dtype,
                meta=x._meta,
                chunks=x.chunks,
            )
            return (made,)

        return out, backward

    return Kernel(_accepts, run)


def _accepts(x: Any, **_: Any) -> bool:
    return isinstance(x, da.Array) and x.ndim > 0 and len(x.chunks[-1]) == 1


def _value(x: Any, *, name_of_pair: str) -> Any:
    """Return a pair's value of a chunk, by the kernel of the chunk's library."""
    return _by_kernel(name_of_pair, x, ())[0]


def _gradient(grad: Any, x: Any, *, name_of_pair: str) -> Any:
    """Return a pair's gradient of a chunk."""
    out, backward, options = _by_kernel(name_of_pair, x, (0,))
    with _quiet(x):
        return backward(grad, out, x, **options)[0]


def _quiet(x: Any) -> AbstractContextManager[Any]:
    """Return what keeps a chunk's library from warning: Dask computes when our call is over."""
    quiet = backend_of(namespace_of_type(x)).arrays.quiet
    return nullcontext() if quiet is None else quiet()


def _by_kernel(name: str, x: Any, wanted: tuple[int, ...]) -> tuple[Any, Callable[..., Any], Any]:
    """Return the value, the backward, and the options of a pair of a chunk."""
    pair, xp = NAMED_PAIRS[name], namespace_of_type(x)
    backend, options = backend_of(xp), {"xp": xp}
    found = kernel_for(pair, backend, (x,), options)
    if found is not None:
        return *found.run(pair, (x,), options, wanted), options
    with _quiet(x):
        return pair.forward(x, **options), pair.backward, options

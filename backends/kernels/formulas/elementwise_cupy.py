"""Any elementwise function on CuPy as one kernel: one read of each array, one write of each result.

The portable formula, unchanged, is written out by `program_cuda`. It is compiled without fused
multiplication and addition, so that each operation rounds as it does in a kernel of its own: the
numbers are those of the formula run step by step.
"""

__library__ = "cupy"

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import cupy

from portable_losses._typing import Array, Options

from ..trial.odd_entries import difference, grid
from .program_cuda import Program, written
from .trace import Untraceable, key_of

__all__ = ["as_kernel", "elementwise"]

_KERNELS: dict[Any, Callable[..., Any] | None] = {}  # None: the formula itself is called


def elementwise(
    function: Callable[..., Any],
    arrays: tuple[Any, ...],
    options: Options,
    out: Sequence[Any] = (),
) -> Any:
    """Return ``function(*arrays, **options)``, from one kernel where it can be written out.

    Results are written to the arrays in `out` that nothing else lies in.
    """
    given = [x for x in arrays if x is not None]
    if not all(type(x) is cupy.ndarray for x in given) or 0 in (x.size for x in given):
        return function(*arrays, **options)
    dtypes = tuple(None if x is None else x.dtype for x in arrays)
    key = function, dtypes, given[0].device.id, *key_of(options)
    try:
        kernel = _KERNELS[key]
    except KeyError:
        if cupy.cuda.get_current_stream().is_capturing():  # nothing can be waited for
            return function(*arrays, **options)
        kernel = _KERNELS[key] = _tried(function, dtypes, options)
    except TypeError:  # an option that is no plain value
        kernel = None
    if kernel is None:
        return function(*arrays, **options)
    return kernel(*given, out=_usable(out, given)) if out else kernel(*given)


def _usable(out: Sequence[Any], given: Sequence[Array]) -> list[Any]:
    """Return those of `out` to which results can be written while others are read, else None."""

    def fits(i: int, x: Any) -> bool:
        others = [one for j, one in enumerate(out) if one is not None and j != i]
        return type(x) is cupy.ndarray and not any(
            cupy.may_share_memory(x, one) for one in (*given, *others)
        )

    return [x if fits(i, x) else None for i, x in enumerate(out)]


def _tried(
    function: Callable[..., Any], dtypes: tuple[Any, ...], options: Options
) -> Callable[..., Any] | None:
    """Return the kernel of `function`; None where there is none, or it disagrees."""
    plain = {k: v for k, v in options.items() if k != "xp"}
    try:
        program = written(function, dtypes, plain)
    except (Untraceable, AttributeError):  # it cannot be written out
        return None
    kernel = as_kernel(function.__name__, program)
    try:
        arrays = [None if x is None else cupy.asarray(x) for x in grid(dtypes)]
        got = kernel(*(x for x in arrays if x is not None))
        want = function(*arrays, **options)
        fault = difference(_listed(got), _listed(want), cupy.asnumpy)
    except Exception as error:  # compilers and drivers raise errors of any type
        fault = f"{type(error).__name__}: {error}"
    if fault is None:
        return kernel
    msg = f"the kernel of {function.__name__} is not used on this GPU, as {fault}"
    warnings.warn(msg, RuntimeWarning, stacklevel=4)
    return None


def as_kernel(name: str, program: Program) -> Callable[..., Any]:
    """Return what runs `program` on arrays; CuPy compiles it at the first call."""
    taken = ", ".join(f"{_cupys(kind)} {x}" for kind, x in program.taken)
    results = [(f"y{i}", *one) for i, one in enumerate(program.returned) if one is not None]
    returned = ", ".join(f"{_cupys(kind)} {y}" for y, kind, _ in results)
    stores = [f"{y} = {variable};" for y, _, variable in results]
    body = "\n".join((*program.lines, *stores))
    kernel = cupy.ElementwiseKernel(
        taken, returned, body, f"portable_losses_{name}", options=("--fmad=false",)
    )

    def run(*arrays: Array, out: Sequence[Any] = ()) -> Any:
        if any(x is not None for x in out):
            shape = cupy.broadcast(*arrays).shape
            kinds = [kind for _, kind, _ in results]
            targets = [
                cupy.empty(shape, _cupys(kind)) if x is None else x
                for x, kind in zip(out, kinds, strict=True)
            ]
            outs = _listed(kernel(*arrays, *targets))
        else:
            outs = _listed(kernel(*arrays))
        if not program.several:
            return outs[0]
        found = iter(outs)
        return tuple(None if one is None else next(found) for one in program.returned)

    return run


def _cupys(kind: str) -> str:
    return {"float": "float32", "double": "float64", "bool": "bool"}[kind]


def _listed(results: Any) -> tuple[Any, ...]:
    return results if isinstance(results, tuple) else (results,)

"""Calls of NumPy's functions, and how each is held against NumPy's own on plain arrays.

The floating arrays of a call become Tensors over one library; everything else stays as it is, or
with `constants` arrays of integers and truth values become Tensors, too.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from importlib import import_module
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from portable_losses.autograd import Tensor, gradcheck, namespace, tensor
from tests.libraries import EVERY_ROW, LIBRARIES, SLOW, Library

__all__ = [
    "NUMPY",
    "OVER",
    "Call",
    "call",
    "check_gradients",
    "check_values",
    "floating_arrays",
    "has_slopes",
    "numbers",
    "on_tensors",
    "over_libraries",
]

#: one of each kind: those that differ in flags and devices alone are left out
OVER = [
    one for one in LIBRARIES if one.name in ("numpy", "array_api_strict", "torch", "jax", "dask")
]
NUMPY = OVER[0]
FUNCTIONS: Any = import_module("portable_losses.backends.numpy_code").FUNCTIONS
# Of so many calls, one is made on a library: seconds go by on a slow one.
_EACH = {"numpy": 1, **dict.fromkeys(SLOW, 1 if EVERY_ROW else 50)}
_OTHER = 1 if EVERY_ROW else 3


class Call(NamedTuple):
    name: str
    args: tuple[Any, ...]
    options: dict[str, Any]
    not_on: tuple[str, ...]  # libraries that have not what it is composed of
    smooth: bool  # may it be differentiated there
    then: Callable[..., Any] | None  # what is looked at, where the result itself is not unique
    constants: bool  # are arrays of integers and truth values Tensors, too

    def __str__(self) -> str:
        words = [_short(x) for x in self.args]
        words += [f"{key}={_short(x)}" for key, x in self.options.items()]
        return f"{self.name}({', '.join(words)})"[:120]


def call(
    name: str,
    *args: Any,
    not_on: tuple[str, ...] = (),
    smooth: bool = True,
    then: Callable[..., Any] | None = None,
    constants: bool = False,
    **options: Any,
) -> Call:
    return Call(name, args, options, not_on, smooth, then, constants)


def _short(x: Any) -> str:
    if isinstance(x, np.ndarray):
        return "x".join(map(str, x.shape)) or "number"
    if isinstance(x, list | tuple):
        return "[" + " ".join(map(_short, x)) + "]"
    return str(getattr(x, "__name__", x))


def numbers(*shape: int, seed: int = 0, kind: str = "float64") -> Any:
    """Return numbers that are apart from one another and from 0."""
    rng = np.random.default_rng([*shape, seed])
    count = int(np.prod(shape))
    made = rng.permutation(np.linspace(-1.9, 2.1, count)) + rng.uniform(0.01, 0.02, count)
    if kind == "complex128":
        return (made + 1j * rng.permutation(made)).reshape(shape)
    return made.reshape(shape)


# ---- a call on Tensors --------------------------------------------------------------------------


def _is_tracked(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind in "fc"


def _found(x: Any) -> Iterator[Any]:
    """Yield the floating arrays in nested arguments."""
    if _is_tracked(x):
        yield x
    elif isinstance(x, dict):
        yield from _found(list(x.values()))
    elif isinstance(x, list | tuple):
        for v in x:
            yield from _found(v)


def floating_arrays(one: Call) -> list[Any]:
    """Return the floating arrays of a call, in their order."""
    return list(_found((one.args, one.options)))


def _put(x: Any, made: Iterator[Any], constant: Callable[..., Any]) -> Any:
    """Return nested arguments with the next of `made` in the place of every floating array."""
    if isinstance(x, np.ndarray):
        return next(made) if _is_tracked(x) else constant(x)
    if isinstance(x, dict):
        return {key: _put(v, made, constant) for key, v in x.items()}
    if isinstance(x, list | tuple):
        return type(x)([_put(v, made, constant) for v in x])
    return x


def on_tensors(one: Call, library: Library, *tensors: Any) -> Any:
    """Return the call's results on Tensors, in a flat list."""

    def constant(x: Any) -> Any:
        return tensor(library.array(x), requires_grad=False) if one.constants else x

    made = iter(tensors)
    args, options = (_put(x, made, constant) for x in (one.args, one.options))
    out = FUNCTIONS[one.name](*args, xp=namespace(library.xp), **options)
    return _flat(out if one.then is None else one.then(out))


def _flat(x: Any) -> list[Any]:
    if isinstance(x, list | tuple):
        return [w for v in x for w in _flat(v)]
    return [x]


def over_libraries(calls: Sequence[Call]) -> list[tuple[Library, Call]]:
    """Return each call with each library that can do it; of slow libraries, some of them."""
    return [
        (library, one)
        for library in OVER
        for number, one in enumerate(calls)
        if library.name not in one.not_on and number % _EACH.get(library.module, _OTHER) == 0
    ]


# ---- what is checked ----------------------------------------------------------------------------


def check_values(one: Call, library: Library) -> None:
    """Compare values, shapes and kinds of dtypes with NumPy's own."""
    expected = attrgetter(one.name)(np)(*one.args, **one.options)
    expected = _flat(expected if one.then is None else one.then(expected))
    leaves = [tensor(library.array(x)) for x in floating_arrays(one)]
    got = on_tensors(one, library, *leaves)
    assert len(got) == len(expected)
    for mine, theirs in zip(got, expected, strict=True):
        value = library.numpy(mine) if isinstance(mine, Tensor) else np.asarray(mine)
        theirs = np.asarray(theirs)
        assert value.shape == theirs.shape, (value.shape, theirs.shape)
        assert value.dtype.kind == theirs.dtype.kind, (value.dtype, theirs.dtype)
        single = value.dtype in (np.float32, np.complex64)  # PyTorch's default
        np.testing.assert_allclose(value, theirs, rtol=3e-6 if single else 1e-9, atol=1e-12)


def has_slopes(one: Call, steps: Collection[str] = ()) -> bool:
    """Say whether derivatives of a call are looked at: none of `steps`, and of floating arrays."""
    return one.smooth and bool(floating_arrays(one)) and one.name not in steps


def check_gradients(one: Call, library: Library, order: int = 2) -> None:
    """Compare derivatives of the first and second order with differences."""
    leaves = [library.array(x) for x in floating_arrays(one)]
    gradcheck(partial(_inexact_results, one, library), leaves, order=order)


def _inexact_results(one: Call, library: Library, *tensors: Any) -> Any:
    results = on_tensors(one, library, *tensors)
    return [x for x in results if isinstance(x, Tensor) and x.requires_grad]

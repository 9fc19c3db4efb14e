"""A GPU library's double: NumPy behind arrays that nobody can look at by accident.

An array of it lies on a device that is no CPU and refuses `float`, `int`, `bool`, iteration,
conversion to NumPy: what would copy from a GPU and wait for it. The refusal is no `Exception`, so
that nothing on the way takes it for an answer. Python numbers and arrays of this library are all
its functions take.
"""

import operator
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

import array_api_compat.numpy as xp_numpy
import numpy as np

__array_api_version__ = "2024.12"

NAMES = ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")
DTYPES = {name: getattr(xp_numpy, name) for name in (*NAMES, "uint64", "bool", "complex128")}


class ImplicitConversion(BaseException):
    """Somebody looked at a value."""


class Array:
    """Wraps a NumPy array; only `revealed` shows it."""

    def __init__(self, hidden: Any) -> None:
        self._hidden = np.asarray(hidden)

    @property
    def revealed(self) -> Any:
        """The NumPy array, for a test to look at."""
        return self._hidden

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        import tests.double

        return tests.double

    dtype = property(lambda self: self._hidden.dtype)
    shape = property(lambda self: self._hidden.shape)
    ndim = property(lambda self: self._hidden.ndim)
    size = property(lambda self: self._hidden.size)
    device = property(lambda self: "double:0")

    def to_device(self, device: Any, /, *, stream: Any = None) -> "Array":
        assert device == "double:0"
        return self

    @property
    def T(self) -> "Array":  # noqa: N802
        return Array(self._hidden.T)

    @property
    def mT(self) -> "Array":  # noqa: N802
        return Array(self._hidden.mT)

    def __getitem__(self, key: Any) -> "Array":
        return Array(self._hidden[_key(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        self._hidden[_key(key)] = _inside(value)

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        msg = "a value was read from the device"
        raise ImplicitConversion(msg)

    __array__ = __float__ = __int__ = __bool__ = __index__ = __complex__ = _refuse
    __iter__ = __len__ = __contains__ = item = tolist = _refuse
    __array_ufunc__ = None
    __hash__ = object.__hash__


def _inside(x: Any) -> Any:
    if isinstance(x, Array):
        return x.revealed
    assert not isinstance(x, np.ndarray), "a NumPy array met an array of the device"
    if isinstance(x, list | tuple):
        return type(x)(map(_inside, x))
    return x


def _key(key: Any) -> Any:
    return tuple(map(_inside, key)) if isinstance(key, tuple) else _inside(key)


def _outside(x: Any) -> Any:
    if isinstance(x, np.ndarray | np.generic):
        return Array(x)
    if isinstance(x, list | tuple):
        return getattr(type(x), "_make", type(x))(map(_outside, x))
    return x


def _wrapped(function: Callable[..., Any], *, makes: bool) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        assert options.pop("device", "double:0") in ("double:0", None), "made on the wrong device"
        assert not (makes and any(isinstance(a, Array) for a in args)) or function.__name__ in _COPY
        if function.__name__ == "asarray" and isinstance(args[0], np.ndarray):  # a copy on purpose
            args = (Array(args[0]), *args[1:])
        named = {name: _inside(value) for name, value in options.items()}
        return _outside(function(*map(_inside, args), **named))

    return call


class _Extension(ModuleType):
    """The functions of an extension of the standard."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(getattr(xp_numpy, self.__name__), name)
        return _wrapped(found, makes=name.endswith("freq"))


linalg, fft = _Extension("linalg"), _Extension("fft")
__array_namespace_info__ = xp_numpy.__array_namespace_info__

_MAKERS = ("arange", "asarray", "empty", "eye", "full", "linspace", "ones", "zeros")
_COPY = ("asarray", "full")
_AS_THEY_ARE = ("isdtype", "finfo", "iinfo", "can_cast", "result_type")


def _operator(function: Callable[..., Any], *, swapped: bool = False) -> Callable[..., Any]:
    def call(self: Array, *others: Any) -> Any:
        if not all(isinstance(x, Array | int | float | complex) for x in others):
            return NotImplemented
        a, b = self.revealed, [_inside(x) for x in others]
        return Array(function(*b, a) if swapped else function(a, *b))

    return call


_NUMBERS = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul")
_BITS = ("and", "or", "xor", "lshift", "rshift")
for _name in (*_NUMBERS, *_BITS):
    _function = getattr(operator, f"__{_name}__")
    setattr(Array, f"__{_name}__", _operator(_function))
    setattr(Array, f"__r{_name}__", _operator(_function, swapped=True))
for _name in ("lt", "le", "gt", "ge", "eq", "ne", "neg", "pos", "abs", "invert"):
    setattr(Array, f"__{_name}__", _operator(getattr(operator, f"__{_name}__")))


def __getattr__(name: str) -> Any:  # the module is the namespace
    if name in DTYPES:
        return DTYPES[name]
    if name.startswith("_"):
        raise AttributeError(name)
    found = getattr(xp_numpy, name)
    if not callable(found) or isinstance(found, type):
        return found
    if name == "result_type":
        return lambda *args: found(*(a.dtype if isinstance(a, Array) else a for a in args))
    return found if name in _AS_THEY_ARE else _wrapped(found, makes=name in _MAKERS)

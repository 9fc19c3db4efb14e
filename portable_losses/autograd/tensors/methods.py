"""What NumPy code asks of an array: NumPy's two protocols, CuPy's one, and the array's methods.

What a name of NumPy's means is in a table of its own, ``backends/numpy_code/``, which is loaded
when it is first asked. Nothing here depends on the library below: a Tensor over PyTorch arrays has
NumPy's methods, too.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from portable_losses.autograd._libraries import library_of
from portable_losses.autograd.tensors.python import PythonTensor

__all__ = ["NumpyTensor", "numpy_function"]

_FUNCTIONS: dict[str, Callable[..., Any]] = {}


def numpy_function(name: str) -> Callable[..., Any] | None:
    """Return the function of the table that NumPy calls `name`, None where there is none."""
    if not _FUNCTIONS:
        _FUNCTIONS.update(import_module("portable_losses.backends.numpy_code").FUNCTIONS)
    return _FUNCTIONS.get(name)


def _function(name: str) -> Any:
    """Return a function of the table that is known to be there."""
    return numpy_function(name)


def _protocol(name: str) -> Callable[..., Any]:
    """Return what answers a protocol, which takes its place here after the first call."""

    def answer(*args: Any) -> Any:
        found = getattr(import_module("portable_losses.backends.numpy_code.protocols"), name)
        globals()[f"_{name}"] = found
        return found(*args)

    return answer


_answer_ufunc = _protocol("answer_ufunc")
_answer_function = _protocol("answer_function")
_answer_cupy = _protocol("answer_cupy")


def method(name: str) -> Callable[..., Any]:
    """Return a method: NumPy's function `name`, of this Tensor."""

    def call(self: Any, *args: Any, **options: Any) -> Any:
        function = _FUNCTIONS.get(name) or _function(name)
        return function(self, *args, xp=library_of(self.array).tape, **options)

    call.__name__ = name
    call.__doc__ = f"``numpy.{name}`` of this Tensor."
    return call


def _update(x: Any, values: Any) -> None:
    """Put `values` at every place of the Tensor `x`."""
    x[...] = values


class NumpyTensor(PythonTensor):
    """NumPy's protocols and methods, with NumPy's meaning over the arrays of every library."""

    __slots__ = ()

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return _answer_ufunc(self, ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return _answer_function(library_of(self.array).tape, function, types, args, options)

    def __cupy_override_elementwise_kernel__(
        self, kernel: Any, *inputs: Any, **options: Any
    ) -> Any:
        return _answer_cupy(library_of(self.array).tape, kernel, inputs, options)

    # ---- reductions ----
    all = method("all")
    any = method("any")
    argmax = method("argmax")
    argmin = method("argmin")
    cumprod = method("cumprod")
    cumsum = method("cumsum")
    max = method("max")
    mean = method("mean")
    min = method("min")
    prod = method("prod")
    std = method("std")
    sum = method("sum")
    var = method("var")

    # ---- shapes and places ----
    argpartition = method("argpartition")
    argsort = method("argsort")
    choose = method("choose")
    diagonal = method("diagonal")
    nonzero = method("nonzero")
    put = method("put")
    ravel = method("ravel")
    repeat = method("repeat")
    searchsorted = method("searchsorted")
    squeeze = method("squeeze")
    swapaxes = method("swapaxes")
    take = method("take")
    trace = method("trace")

    # ---- numbers ----
    astype = method("astype")
    clip = method("clip")
    conj = method("conjugate")
    conjugate = method("conjugate")
    dot = method("dot")
    round = method("round")

    # ---- where the method is not the function ----

    def compress(self, condition: Any, axis: Any = None, out: Any = None) -> Any:
        """``numpy.compress`` of this Tensor."""
        xp = library_of(self.array).tape
        return _function("compress")(condition, self, axis=axis, out=out, xp=xp)

    copy = method("copy")

    def fill(self, value: Any) -> None:
        """Put `value` at every place of this Tensor."""
        _update(self, value)

    @property
    def flat(self) -> Iterator[Any]:
        """The entries, one after the other."""
        return iter(self.ravel())

    def flatten(self, order: str = "C") -> Any:
        """Return a copy with one axis."""
        return library_of(self.array).tape.asarray(self.ravel(order), copy=True)

    @property
    def imag(self) -> Any:
        """The imaginary part; zeros of a real Tensor."""
        return _function("imag")(self, xp=library_of(self.array).tape)

    @property
    def real(self) -> Any:
        """The real part; of a real Tensor itself."""
        return _function("real")(self, xp=library_of(self.array).tape)

    def reshape(self, *shape: Any, order: str = "C", copy: bool | None = None) -> Any:
        """Return a view of another shape, given as a tuple or as numbers."""
        if len(shape) == 1:
            (shape,) = shape
        xp = library_of(self.array).tape
        return _function("reshape")(self, shape, order=order, copy=copy, xp=xp)

    def sort(self, axis: int = -1, kind: Any = None, order: Any = None) -> None:
        """Sort in place, as NumPy's method does; ``numpy.sort`` returns a sorted copy."""
        xp = library_of(self.array).tape
        _update(self, _function("sort")(self, axis=axis, kind=kind, order=order, xp=xp))

    def partition(self, kth: Any, axis: int = -1, kind: str = "introselect") -> None:
        """Partition in place, as NumPy's method does."""
        xp = library_of(self.array).tape
        _update(self, _function("partition")(self, kth, axis=axis, kind=kind, xp=xp))

    def transpose(self, *axes: Any) -> Any:
        """Return a view with the axes in another order, by default reversed."""
        if len(axes) == 1 and not isinstance(axes[0], int):
            (axes,) = axes
        return _function("transpose")(self, axes or None, xp=library_of(self.array).tape)

"""Whose array is this: the array libraries under the tape, found by the type of an array.

Nothing here makes a Tensor, or a namespace of the tape.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, ClassVar, TypeVar

from array_api_compat import is_array_api_obj as is_array
from array_api_compat import is_numpy_array

from portable_losses._backend import backend_of, namespace_of_type
from portable_losses._plain import array_of_plain, default_floating, is_plain, numpy_or
from portable_losses._polyfill import device_of
from portable_losses._tape import TapeArray, TapeNamespace, raw_array
from portable_losses._typing import Array, Namespace

__all__ = [
    "Library",
    "array_of",
    "check_differentiable",
    "copy_like",
    "default_library",
    "is_array",
    "library_named",
    "library_of",
    "library_of_argument",
    "tape_of_library",
]


Made = TypeVar("Made", bound=TapeNamespace)


class Library:
    """An array library that Tensors wrap: there is one object for each.

    Attributes
    ----------
    name : str
        As the library's own namespace has it: "numpy", "jax.numpy", ...
    xp : namespace
        Its Array API from array_api_compat, or its own where that has none.
    tape : TapeNamespace
        The functions of `xp`, recorded: the namespace of Tensors over its arrays.
    quiet : callable, () -> context manager, or None
        Within it the library does not warn; None: it never does.
    one_like : callable, (x) -> array, or None
        1 of the kind of a single number; None: ``x**0``.
    waits : bool
        May a number be one that others have to wait for, as in a graph of tasks?
    """

    __slots__ = ("name", "one_like", "quiet", "tape", "waits", "xp")

    # A namespace has the functions that make Tensors, and every Tensor has a namespace: so one of
    # the two is not imported, but registered here.
    tape_class: ClassVar[Callable[["Library"], TapeNamespace]]

    def __init__(self, name: str, xp: Namespace) -> None:
        self.name = name
        self.xp = xp
        arrays, kernel = backend_of(xp).arrays, backend_of(xp).speed.elementwise_kernel
        self.quiet, self.one_like = arrays.quiet, arrays.one_like
        self.waits = kernel is not None and kernel.counts_unread is not None
        self.tape: Any = Library.tape_class(self)

    def __repr__(self) -> str:
        return f"<library {self.name}>"

    def knows(self, kind: type) -> bool:
        """Say whether arrays of this type were met before and belong to this library."""
        return _BY_TYPE.get(kind) is self

    def owns(self, x: Any) -> bool:
        """Say whether the array (or scalar) `x` belongs to this library."""
        return bool(is_array(x)) and library_of(x) is self

    def check(self, x: Any, name: str) -> None:
        """Raise TypeError unless `x` is an array of this library."""
        if _BY_TYPE.get(x.__class__) is self:
            return
        if not is_array(x):
            msg = f"`{name}` must be an array of {self.name}, got {type(x).__name__}"
            raise TypeError(msg)
        other = library_of(x)
        if other is not self:
            msg = f"arrays of two libraries meet: a Tensor over {self.name} and {other.name}"
            raise TypeError(msg)

    def taken(self, x: Any, name: str, beside: Array | None = None) -> Array:
        """Return an array of this library for what a user gave beside one; TypeError for others.

        Of another library, NumPy's integers and truth values are taken: labels, masks, positions.
        """
        if is_numpy_array(x) and x.dtype.kind in "biu" and not self.owns(x):
            device = None if beside is None else device_of(beside, xp=self.xp)
            return self.xp.asarray(x, device=device)
        self.check(x, name)
        return x


def tape_of_library(made: type[Made]) -> type[Made]:
    """Register the class of namespaces that `Library.tape` is made by."""
    Library.tape_class = made
    return made


_BY_NAME: dict[str, Library] = {}
_BY_TYPE: dict[type, Library] = {}  # of arrays: one look-up instead of a microsecond
# The dtypes found to be floating. The class stands first: a dtype of array-api-strict has the hash
# of NumPy's, and must not be compared with it.
_FLOATING: set[tuple[type, Any]] = set()


def library_of(x: Array) -> Library:
    """Return the library of the array `x`, of a Tensor that of its array."""
    found = _BY_TYPE.get(x.__class__)
    if found is None:
        if isinstance(x, TapeArray):
            return library_of(x.array)
        found = _BY_TYPE[x.__class__] = library_named(namespace_of_type(x))
    return found


def library_of_argument(x: Any) -> Library:
    """Return the library of what a user gave; TypeError if that is no array."""
    known = _BY_TYPE.get(x.__class__)
    if known is not None:
        return known
    if not is_array(x):
        msg = f"an array is needed, got {type(x).__name__}; make one with `xp.asarray`"
        raise TypeError(msg)
    return library_of(x)


def array_of(data: Any, dtype: Any = None, *, differentiable: bool = False) -> Array:
    """Return what a user gave as an array: that of a Tensor, NumPy's for numbers and lists.

    `differentiable`: integers and bools become the library's default floating dtype, unless `dtype`
    says what they are to be; TypeError if that has no gradient.
    """
    array = data
    library = _BY_TYPE.get(data.__class__)
    if library is None:
        array = raw_array(data)
        if is_plain(array):
            array = array_of_plain(array, "data", xp=default_library().xp)
        library = library_of_argument(array)
    if dtype is not None:
        array = library.xp.astype(array, dtype, copy=False)
    if differentiable and (array.dtype.__class__, array.dtype) not in _FLOATING:
        if dtype is None and library.xp.isdtype(array.dtype, ("bool", "integral")):
            dtype = default_floating(library.xp, device_of(array, xp=library.xp))
            array = library.xp.astype(array, dtype)
        check_differentiable(array)
    return array


def copy_like(like: Array, values: Any) -> Array:
    """Return values, of the library of `like` or plain, in new memory: in its dtype, where it is.

    TypeError for an array of another library.
    """
    library, given = library_of(like), raw_array(values)
    if not is_plain(given):
        library.check(given, "values")
        return library.xp.astype(given, like.dtype, copy=True)
    device = device_of(like, xp=library.xp)
    return array_of_plain(given, "values", xp=library.xp, dtype=like.dtype, device=device)


def default_library() -> Library:
    """Return the library of plain numbers: NumPy, if nothing says another one."""
    return library_named(numpy_or(None, "data"))


def library_named(xp: Namespace) -> Library:
    """Return the library of a namespace, whether it is array_api_compat's or the library's own."""
    full: str = xp.__name__
    outer, _, name = full.rpartition("array_api_compat.")
    if outer and backend_of(xp).name != name.partition(".")[0]:  # of another library, around this
        name = full
    found = _BY_NAME.get(name)
    return found or _BY_NAME.setdefault(name, Library(name, _compatible(name, xp)))


def _compatible(name: str, xp: Namespace) -> Namespace:
    """Return array_api_compat's namespace of a library, or `xp` where it has none."""
    module = f"array_api_compat.{name}"
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        return xp


def check_differentiable(x: Any) -> None:
    """Raise TypeError unless `x` is an array of a real or complex floating dtype."""
    library = _BY_TYPE.get(x.__class__) or library_of_argument(x)
    dtype = x.dtype
    kind = (dtype.__class__, dtype)
    if kind in _FLOATING:
        return
    if library.xp.isdtype(dtype, ("real floating", "complex floating")):
        _FLOATING.add(kind)
    else:
        msg = f"only floating arrays have a gradient, got {dtype}; convert with `xp.astype` first"
        raise TypeError(msg)

"""`namespace(xp)`: the Array API of a library, with every function recorded on the tape."""

from importlib import import_module
from types import ModuleType
from typing import Any, NoReturn

from array_api_compat import is_array_api_obj

from portable_losses._backend import Backend, namespace_of_type
from portable_losses._typing import Array, Namespace
from portable_losses.autograd.rules import LIST
from portable_losses.autograd.tape import Node, item_nodes

__all__ = ["TapeNamespace", "is_array", "library_of", "lift", "namespace", "space_of"]

is_array = is_array_api_obj


class TapeNamespace:
    """An Array API namespace whose arrays are Tensors over the arrays of one library.

    Its functions take Tensors, arrays of the library and Python scalars, and are made when they
    are first asked for. There is one per library; get it with `namespace`.
    """

    def __init__(
        self,
        library: str,
        inner: Namespace,
        prefix: str = "",
        main: "TapeNamespace | None" = None,
    ) -> None:
        dotted = f".{prefix}".rstrip(".")
        self.__dict__.update(
            inner=inner,
            library=library,
            main=self if main is None else main,  # of an extension
            prefix=prefix,
            __name__=f"portable_losses.autograd.{library}{dotted}",
            __portable_losses_wraps__=inner,  # whose arrays go together with Tensors
        )

    def __getattr__(self, name: str) -> Any:
        from portable_losses.autograd.functions import build

        if name.startswith("__") and name not in _DUNDERS:
            raise AttributeError(name)
        if name == "__array_api_version__":  # array-api-strict changes it at run time
            return self.inner.__array_api_version__
        made = self.__dict__[name] = (
            self._backend() if name == "__portable_losses_backend__" else build(self, name)
        )
        return made

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        msg = f"{self!r} is shared and cannot be changed"
        raise AttributeError(msg)

    def __dir__(self) -> list[str]:
        return sorted({*dir(self.inner), *_DUNDERS})

    def __repr__(self) -> str:
        return f"<namespace {self.__name__}>"

    def __reduce__(self) -> Any:
        return _unpickled, (self.library, self.prefix.rstrip("."))

    def __array_namespace_info__(self) -> Any:
        return self.inner.__array_namespace_info__()

    def _backend(self) -> Backend:
        from portable_losses.autograd.pairs import tape_backend

        return tape_backend(self)

    def checked(self, api_version: str | None) -> "TapeNamespace":
        """Return this namespace if it follows `api_version` of the standard."""
        if api_version is not None and api_version not in _VERSIONS:
            msg = f"`api_version` must be one of {', '.join(_VERSIONS)}, got {api_version!r}"
            raise ValueError(msg)
        return self

    def knows(self, kind: type) -> bool:
        """Say whether arrays of this type were met and belong to the wrapped library."""
        found = _BY_TYPE.get(kind)
        return found is not None and found.library == self.library

    def owns(self, x: Any) -> bool:
        """Say whether the raw array (or scalar) `x` belongs to the wrapped library."""
        return bool(is_array_api_obj(x)) and space_of(x).library == self.library

    def check_library(self, x: Any, name: str) -> None:
        """Raise TypeError unless the raw array `x` belongs to the wrapped library."""
        if self.knows(x.__class__):
            return
        if not is_array_api_obj(x):
            msg = f"`{name}` must be an array of {self.library}, got {type(x).__name__}"
            raise TypeError(msg)
        other = space_of(x)
        if other.library != self.library:  # an extension (linalg) is not the main namespace
            msg = f"arrays of two libraries meet: a Tensor over {self.library} and {other.library}"
            raise TypeError(msg)

    def check_differentiable(self, x: Array) -> None:
        """Raise TypeError unless the dtype of `x` is real or complex floating."""
        dtype = x.dtype
        kind = (dtype.__class__, dtype)
        if kind in _FLOATING:
            return
        if self.inner.isdtype(dtype, ("real floating", "complex floating")):
            _FLOATING.add(kind)
        else:
            msg = (
                f"only floating arrays have a gradient, got {dtype}; convert with `xp.astype` first"
            )
            raise TypeError(msg)


_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")
_DUNDERS = ("__array_api_version__", "__array_namespace_info__", "__portable_losses_backend__")

_BY_LIBRARY: dict[str, TapeNamespace] = {}
# The dtypes found to be floating. The class stands first: a dtype of array-api-strict has the hash
# of NumPy's, and must not be compared with it.
_FLOATING: set[tuple[type, Any]] = set()
_BY_TYPE: dict[type, TapeNamespace] = {}  # one look-up instead of a microsecond


def namespace(xp: Namespace, /) -> Any:
    """Return the Array API namespace that records `xp`'s functions.

    Parameters
    ----------
    xp : namespace
        An array library, or its namespace from array_api_compat (both give the same result).

    Returns
    -------
    namespace
        One object per library, with every function, constant and dtype of `xp`. A function that
        has no gradient rule raises TypeError when it meets a tracked Tensor.

    Raises
    ------
    AttributeError
        If `xp` is no namespace: it has no `__name__`.

    Notes
    -----
    A Tensor's ``__array_namespace__()`` gives the same object, so that code written for the
    Array API is differentiated as it stands.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import namespace, tensor
    >>> xp = namespace(np)
    >>> x = tensor(np.asarray([0.0, 1.0]))
    >>> xp.sum(xp.where(x > 0, x * x, x)).backward()
    >>> x.grad.tolist()
    [1.0, 2.0]
    """
    if isinstance(xp, TapeNamespace):
        return xp
    name: str = xp.__name__
    library = name.rpartition("array_api_compat.")[2]
    if library not in _BY_LIBRARY:
        _BY_LIBRARY[library] = TapeNamespace(library, _inner(library, xp))
    return _BY_LIBRARY[library]


def _inner(library: str, xp: Namespace) -> Namespace:
    """Return array_api_compat's namespace of a library, or `xp` where it has none."""
    module = f"array_api_compat.{library}"
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        return xp


def _unpickled(library: str, extension: str) -> Any:
    found = namespace(import_module(library))
    return getattr(found, extension) if extension else found


def space_of(x: Array) -> TapeNamespace:
    """Return the tape's namespace for the raw array `x`."""
    found = _BY_TYPE.get(x.__class__)
    if found is None:
        found = _BY_TYPE[x.__class__] = namespace(namespace_of_type(x))
    return found


def space_of_user(x: Any) -> TapeNamespace:
    """Return the tape's namespace for what a user gave; TypeError if it is no array."""
    known = _BY_TYPE.get(x.__class__)
    if known is not None:
        return known
    if not is_array_api_obj(x):
        msg = f"an array is needed, got {type(x).__name__}; make one with `xp.asarray`"
        raise TypeError(msg)
    return space_of(x)


def library_of(x: Array) -> Namespace:
    """Return the wrapped namespace of the raw array `x`."""
    found = _BY_TYPE.get(x.__class__)
    return (space_of(x) if found is None else found).inner


def lift(node: Node) -> tuple[Any, tuple[Any, ...], TapeNamespace]:
    """Return result, arguments and namespace of a node as Tensors, so that a rule is recorded."""
    from portable_losses.autograd.tensor import tensor_of

    def lifted(raw: Any, parent: Node | None) -> Any:
        return tensor_of(raw, parent) if parent is not None or is_array_api_obj(raw) else raw

    out, parents = node.out, node.parents
    args: Any = node.args
    if node.operation is not None and node.operation.form is LIST:
        arrays = [lifted(a, p) for a, p in zip(args[0], parents, strict=True)]
        args = (arrays, *args[1:])
    else:
        arrays = [lifted(a, p) for a, p in zip(args, parents, strict=False)]
        args = (*arrays, *args[len(parents) :])
    if type(out) is tuple:
        items = item_nodes(node, out)
        results: Any = tuple(tensor_of(x, item) for x, item in zip(out, items, strict=True))
        return results, args, space_of(out[0])
    return tensor_of(out, node), args, space_of(out)


def is_module(x: Any) -> bool:
    """Say whether `x` is a part of a library rather than a function of it."""
    return isinstance(x, ModuleType)

"""`namespace(xp)`: the Array API of a library, with every function recorded on the tape."""

from importlib import import_module
from types import ModuleType
from typing import Any, NoReturn

from portable_losses import _tape
from portable_losses._backend import Backend
from portable_losses._typing import Array, Namespace
from portable_losses.autograd._libraries import Library, library_named, library_of

__all__ = ["TapeNamespace", "namespace", "space_of"]


class TapeNamespace(_tape.TapeNamespace):
    """An Array API namespace whose arrays are Tensors over the arrays of one library.

    Its functions take Tensors, arrays of the library and Python scalars, and are made when they
    are first asked for. There is one per library; get it with `namespace`.
    """

    def __init__(
        self,
        library: Library,
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
            __name__=f"portable_losses.autograd.{library.name}{dotted}",
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
        return _unpickled, (self.library.name, self.prefix.rstrip("."))

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


_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")
_DUNDERS = ("__array_api_version__", "__array_namespace_info__", "__portable_losses_backend__")

_BY_LIBRARY: dict[Library, TapeNamespace] = {}


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
    return _of_library(library_named(xp))


def _of_library(library: Library) -> TapeNamespace:
    found = _BY_LIBRARY.get(library)
    return found or _BY_LIBRARY.setdefault(library, TapeNamespace(library, library.xp))


def _unpickled(library: str, extension: str) -> Any:
    found = namespace(import_module(library))
    return getattr(found, extension) if extension else found


def space_of(x: Array) -> TapeNamespace:
    """Return the tape's namespace for the raw array `x`."""
    return _of_library(library_of(x))


def is_module(x: Any) -> bool:
    """Say whether `x` is a part of a library rather than a function of it."""
    return isinstance(x, ModuleType)

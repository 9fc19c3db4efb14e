"""`namespace(xp)`: the Array API of a library, with every function recorded on the tape."""

from importlib import import_module
from types import ModuleType
from typing import Any, NoReturn

from portable_losses._tape import TapeNamespace
from portable_losses._typing import Namespace
from portable_losses.autograd._libraries import Library, library_named, tape_of_library
from portable_losses.autograd.namespaces.functions import (
    composed_function,
    constant_function,
    constants_only_function,
    own_function,
    recorded_function,
)
from portable_losses.autograd.namespaces.own import OWN_FUNCTIONS
from portable_losses.autograd.namespaces.pairs import tape_backend
from portable_losses.autograd.namespaces.signatures import signature_of
from portable_losses.autograd.namespaces.special import SpecialFunctions
from portable_losses.autograd.namespaces.views import RETURN_VIEWS, viewing
from portable_losses.autograd.rules import COMPOSED, OPERATIONS
from portable_losses.autograd.rules.constant import NO_GRADIENT

__all__ = ["RecordingNamespace", "namespace"]


@tape_of_library
class RecordingNamespace(TapeNamespace):
    """An Array API namespace whose arrays are Tensors over the arrays of one library.

    Its functions take Tensors, arrays of the library and Python scalars, and are made when they
    are first asked for. There is one per library; get it with `namespace`.
    """

    def __init__(
        self, library: Library, inner: Namespace | None = None, extension: str = ""
    ) -> None:
        dotted = f".{extension}" if extension else ""
        self.__dict__.update(
            inner=library.xp if inner is None else inner,
            library=library,
            prefix=f"{extension}." if extension else "",
            __name__=f"portable_losses.autograd.{library.name}{dotted}",
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in _DUNDERS:
            raise AttributeError(name)
        if name == "__array_api_version__":  # array-api-strict changes it at run time
            return self.inner.__array_api_version__
        made = self.__dict__[name] = self._made(name)
        return made

    def _made(self, name: str) -> Any:
        """Return what ``namespace(xp).<name>`` is."""
        if name == "__portable_losses_backend__":
            return tape_backend(self)
        if self.prefix + name == "special":  # not the library's own: SciPy's names
            return SpecialFunctions(self)
        target = getattr(self.inner, name, None)
        if isinstance(target, ModuleType):
            inside = name in ("linalg", "fft")
            return RecordingNamespace(self.library, target, name) if inside else target
        function = _function(self, name)
        return target if function is None else _described(function, self, name)

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

    def checked(self, api_version: str | None) -> "RecordingNamespace":
        """Return this namespace if it follows `api_version` of the standard."""
        if api_version is not None and api_version not in _VERSIONS:
            msg = f"`api_version` must be one of {', '.join(_VERSIONS)}, got {api_version!r}"
            raise ValueError(msg)
        return self


_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")
_DUNDERS = ("__array_api_version__", "__array_namespace_info__", "__portable_losses_backend__")


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
    return library_named(xp).tape


def _function(tape: RecordingNamespace, name: str) -> Any:
    """Return ``namespace(xp).<name>``, None where that is no function (a dtype, a constant).

    The order counts: ours first, as the library's own would not do; then what is composed or
    recorded for tracked arguments; then what has no gradient on purpose.
    """
    full = tape.prefix + name
    missing = not hasattr(tape.inner, name)
    target = getattr(tape.inner, name, None)
    made: Any
    if full in OWN_FUNCTIONS:
        made = own_function(tape, OWN_FUNCTIONS[full])
    elif full in COMPOSED and not (tape.prefix and missing):
        made = composed_function(tape, name, COMPOSED[full], missing=missing)
    elif missing:
        msg = f"{tape!r} has no `{name}`"
        raise AttributeError(msg)
    elif full in OPERATIONS:
        made = recorded_function(tape, name, OPERATIONS[full])
    elif full in NO_GRADIENT:
        made = constant_function(tape, name)
    elif callable(target) and not isinstance(target, type):  # not a dtype
        made = constants_only_function(tape, name)
    else:
        return None
    return viewing(full, made) if full in RETURN_VIEWS else made


def _described(function: Any, tape: RecordingNamespace, name: str) -> Any:
    """Return `function` under its name, with the library's documentation and our signature."""
    function.__name__ = function.__qualname__ = name
    function.__module__ = tape.__name__
    if hasattr(tape.inner, name):
        function.__doc__ = getattr(tape.inner, name).__doc__
    found = signature_of(tape.prefix + name)
    if found is not None:
        function.__signature__ = found
    return function


def _unpickled(library: str, extension: str) -> Any:
    """Return the namespace that was pickled by its names."""
    found = namespace(import_module(library))
    return getattr(found, extension) if extension else found

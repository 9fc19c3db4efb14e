"""`detect_anomaly`: which operation, on which line of the user, first made a NaN or an infinity.

While it is on, another recorder makes the nodes, which looks at every result as well; while it is
off, only the walk back asks for it, once.
"""

import linecache
import math
import sys
import warnings
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

from array_api_compat import is_dask_namespace

from portable_losses._typing import Array
from portable_losses.autograd._error_notes import shown
from portable_losses.autograd._libraries import is_array, library_of
from portable_losses.autograd.graph.node import NOTHING, Node, new_node
from portable_losses.autograd.graph.recording import recorder, use_recorder
from portable_losses.autograd.rules import Operation
from portable_losses.autograd.tensors.unwrapping import unwrap

__all__ = ["detect_anomaly"]

_OURS = ("portable_losses", "array_api_compat")


@contextmanager
def detect_anomaly(*, infinities: bool = True) -> Generator[None, None, None]:
    """Raise where an operation first makes a NaN or an infinity, forward or backward.

    Parameters
    ----------
    infinities : bool, optional
        False looks for NaN only.

    Returns
    -------
    context manager
        For this thread or task, also a decorator of functions.

    Raises
    ------
    FloatingPointError
        Naming the operation, what it was given and the line of code that called it (of yours,
        not of this package). In the backward walk: the operation whose gradient it is.

    Warns
    -----
    RuntimeWarning
        Once, where values cannot be read: Dask arrays, and anything inside ``jax.jit`` or
        ``torch.compile``. Nothing is found there.

    Notes
    -----
    Only what is recorded is looked at. Infinities that were given (a mask of ``-inf``) are not
    made, and pass; a NaN that was given is reported where it is first used. Every result is read,
    which on a GPU waits for it: for debugging.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import detect_anomaly, tensor
    >>> x = tensor(np.asarray([1.0, 0.0]))
    >>> try:
    ...     with detect_anomaly(), np.errstate(all="ignore"):
    ...         y = 1 / x
    ... except FloatingPointError as error:
    ...     print(str(error).splitlines()[0])
    `divide` made an infinity at (1,) of (2,) float64
    """
    detector = _AnomalyDetector(infinities=infinities)
    with use_recorder(detector.record if recorder() else None, detector):
        yield


class _AnomalyDetector:
    """The detector of one ``with detect_anomaly()``: looks at results and gradients."""

    def __init__(self, *, infinities: bool) -> None:
        self.infinities = infinities
        self.warned = False

    def record(
        self,
        operation: Operation,
        out: Any,
        args: tuple[Any, ...] = (),
        options: dict[str, Any] = NOTHING,
        parents: tuple[Node | None, ...] = (),
    ) -> Node:
        """Return the node of a call, if its result is sound."""
        node = new_node(operation, out, args, options, parents)
        node.line = _line_of_user()
        given = [*args, *options.values()]
        for result in out if type(out) is tuple else (out,):
            found = self._found(result, given)
            if found:
                before = ", ".join(map(shown, _flat(args)))
                msg = f"`{operation.name}` {found}\n  given {before}\n  {node.line}"
                raise FloatingPointError(msg)
        return node

    def check_gradient(self, node: Node, position: int, grad: Any, part: Any) -> None:
        """Raise if the gradient of an operation made what its own gradient did not hold."""
        found = self._found(part, grad if isinstance(grad, tuple) else (grad,))
        if found:
            operation: Any = node.operation
            line = getattr(node, "line", "a line before `detect_anomaly`")
            msg = (
                f"the gradient of `{operation.name}` by argument {position} {found}\n"
                f"  the operation was called in {line}"
            )
            raise FloatingPointError(msg)

    def check_given(self, grads: Iterable[Any]) -> None:
        """Raise if the gradient that a walk begins with holds a NaN."""
        for grad in grads:
            if self._first(unwrap(grad)[0], "isnan") is not None:
                msg = f"the gradient given to the backward walk holds a NaN\n  {_line_of_user()}"
                raise FloatingPointError(msg)

    def _found(self, out: Any, given: Iterable[Any]) -> str:
        """Say what of `out` is unsound and not there before, '' if nothing is."""
        x = unwrap(out)[0]
        kinds = {"isnan": "a NaN", "isinf": "an infinity"}
        for kind, what in kinds.items():
            place = self._first(x, kind) if kind == "isnan" or self.infinities else None
            if place is None:
                continue
            had = [v for v in _flat(given) if self._holds(v, kind)]
            if not had:
                return f"made {what} at {place} of {shown(x)}"
            if kind == "isnan":
                return f"was given {what}, now at {place} of {shown(x)}"
        return ""

    def _holds(self, x: Any, kind: str) -> bool:
        if isinstance(x, float):
            return getattr(math, kind)(x)  # type: ignore[no-any-return]
        return is_array(x) and self._first(unwrap(x)[0], kind) is not None

    def _first(self, x: Array, kind: str) -> tuple[int, ...] | None:
        """Return the first place where `kind` is true, None if there is none or it is not known."""
        if not is_array(x):
            return None
        array: Any = x
        xp = library_of(array).xp
        if not xp.isdtype(array.dtype, ("real floating", "complex floating")):
            return None
        try:
            if is_dask_namespace(xp):
                self._unreadable(x)
                return None
            hit = getattr(xp, kind)(array)
            if not bool(xp.any(hit)):
                return None
            place = int(xp.argmax(xp.reshape(xp.astype(hit, xp.int8), (-1,))))
        except Exception:
            self._unreadable(x)
            return None
        places: list[int] = []
        for n in reversed(array.shape):
            place, i = divmod(place, n)
            places.insert(0, i)
        return tuple(places)

    def _unreadable(self, x: Array) -> None:
        """Warn once that values cannot be read."""
        if not self.warned:
            self.warned = True
            name = library_of(x).name
            msg = f"detect_anomaly cannot look at values here ({name}: lazy or traced); not checked"
            warnings.warn(msg, RuntimeWarning, stacklevel=2)


def _flat(args: Iterable[Any]) -> list[Any]:
    """Return arguments with the arrays of a list among them."""
    return [v for x in args for v in (x if isinstance(x, list | tuple) else (x,))]


def _line_of_user() -> str:
    """Return the file, line and code of the innermost call from outside this package."""
    frame: Any = sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    path, line = frame.f_code.co_filename, frame.f_lineno
    code = linecache.getline(path, line).strip()
    where = f'File "{path}", line {line}, in {frame.f_code.co_name}'
    return f"{where}\n    {code}" if code else where


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in _OURS

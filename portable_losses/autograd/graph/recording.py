"""What is recorded, per thread and per task: the recorder, which makes the nodes.

A *recorder* is a function with the parameters of `new_node` that returns a Node. It is `new_node`
itself, the one of `detect_anomaly`, or None: then nothing is recorded.
"""

from collections.abc import Callable
from contextlib import ContextDecorator
from contextvars import ContextVar
from typing import Any, Protocol, Self, TypeAlias

from portable_losses.autograd.graph.node import Node, new_node
from portable_losses.autograd.rules.table import Operation

__all__ = [
    "RECORDER",
    "Detector",
    "Recorder",
    "call_recorded",
    "detector",
    "enable_grad",
    "no_grad",
    "recorder",
    "recorder_if_enabled",
    "use_recorder",
]

Recorder: TypeAlias = Callable[..., Node]


class Detector(Protocol):
    """What checks results and gradients while `detect_anomaly` is on (`debug/anomaly.py`)."""

    def record(
        self,
        operation: Operation,
        out: Any,
        args: tuple[Any, ...],
        options: dict[str, Any],
        parents: tuple[Node | None, ...],
    ) -> Node:
        """Return the node of a call; raise if its result is unsound."""
        ...

    def check_gradient(self, node: Node, position: int, grad: Any, part: Any) -> None:
        """Raise if `part`, the gradient of an argument, is unsound."""

    def check_given(self, grads: Any) -> None:
        """Raise if the gradients that a walk begins with are unsound."""


RECORDER: ContextVar[Recorder | None] = ContextVar("portable_losses.recorder", default=new_node)
_DETECTOR: ContextVar[Detector | None] = ContextVar("portable_losses.detector", default=None)
recorder = RECORDER.get  # the one in use; None where nothing is recorded
detector = _DETECTOR.get  # None while `detect_anomaly` is off


def recorder_if_enabled() -> Recorder:
    """Return the recorder that this thread or task uses wherever recording is enabled."""
    checker = detector()
    return new_node if checker is None else checker.record


class use_recorder(ContextDecorator):  # noqa: N801 - used as a function
    """Use another recorder, None for none, and another detector unless that is None."""

    __slots__ = ("_detector", "_detector_before", "_recorder", "_recorder_before")

    def __init__(self, recorder: Recorder | None, detector: Detector | None = None) -> None:
        self._recorder = recorder
        self._detector = detector

    def _recreate_cm(self) -> Self:
        """Return another one for every call of a decorated function, as `contextmanager` does."""
        return type(self)(self._recorder, self._detector)

    def __enter__(self) -> None:
        self._recorder_before = RECORDER.set(self._recorder)
        if self._detector is not None:
            self._detector_before = _DETECTOR.set(self._detector)

    def __exit__(self, *_: object) -> None:
        RECORDER.reset(self._recorder_before)
        if self._detector is not None:
            _DETECTOR.reset(self._detector_before)


def no_grad() -> Any:
    """Record nothing, as a context manager (``with no_grad():``) or a decorator.

    The state belongs to the thread and the task that enters it. A generator or coroutine function
    needs the ``with`` inside.

    Returns
    -------
    context manager
        Also a decorator of functions.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import no_grad, tensor
    >>> x = tensor(np.asarray([1.0, 2.0]))
    >>> with no_grad():
    ...     x -= 0.5
    >>> x.tolist(), x.requires_grad
    ([0.5, 1.5], True)
    """
    return use_recorder(None)


def enable_grad() -> Any:
    """Record again inside a `no_grad`, as a context manager or a decorator.

    Returns
    -------
    context manager
        Also a decorator of functions.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import enable_grad, no_grad, tensor
    >>> x = tensor(np.asarray([1.0, 2.0]))
    >>> with no_grad(), enable_grad():
    ...     y = x * 2
    >>> y.requires_grad
    True
    """
    return use_recorder(recorder_if_enabled())


def call_recorded(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Return what `function` returns, and record what it does, inside `no_grad` as well."""
    if recorder():
        return function(*args, **options)
    with enable_grad():
        return function(*args, **options)

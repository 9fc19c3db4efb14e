"""Views: what is updated in place through one Tensor is seen through the other, as in NumPy.

::

    root ---- x[1:] ----> y ---- reshape ----> z        z refers to the root and to the two steps

Nothing is shared underneath. Updating a view computes a new root, step by step backwards, and
puts it under the root's Tensor; a view notices that the root holds another array and repeats its
steps, when it is next read. All of that is recorded like any other operation, so the gradients
are right, and no array that a rule has saved ever changes. Taking a view changes nothing but
the view, so that threads may share a root, and no root refers to its views.
"""

from collections.abc import Callable
from numbers import Integral
from operator import attrgetter
from typing import Any, NoReturn

from portable_losses._backend import backend_of
from portable_losses._tape import TapeArray
from portable_losses._typing import Array
from portable_losses.autograd._libraries import library_of
from portable_losses.autograd.tape import Node, recorder, recording_with
from portable_losses.autograd.tensor import Tensor
from portable_losses.autograd.tracked import Tracked

__all__ = ["VIEWS", "View", "is_view_key", "viewing"]

Step = tuple[str, tuple[Any, ...], dict[str, Any]]  # a function's name, arguments, and options

_DEEPEST = 32  # steps that one view remembers
_UNKNOWN: Step = ("", ("",), {})  # a step that may have made a copy
_array: Any = TapeArray.__dict__["array"]
_node: Any = Tracked.__dict__["_node"]


class View(Tensor):
    """A Tensor that shows part of another one, or all of it in another shape."""

    __slots__ = ("_records", "_root", "_seen", "_steps")

    _root: Tensor
    _seen: Array  # what the root held when this was last computed
    _steps: tuple[Step, ...]
    _records: bool  # False for a view taken under `no_grad`, a constant for ever

    def __init__(self, array: Array, node: Node | None, parent: Tensor, step: Step) -> None:
        _array.__set__(self, array)
        _node.__set__(self, node)
        if isinstance(parent, View):
            self._root, self._steps = parent._root, (*parent._steps, step)
            self._seen = parent._seen
        else:
            self._root, self._steps = parent, (step,)
            self._seen = parent.array
        self._records = node is not None or parent._node is None

    @property
    def array(self) -> Any:
        """The wrapped library's own array."""
        root = self._root
        if root.array is not self._seen:
            self._look_again(root)
        return _array.__get__(self)

    @array.setter
    def array(self, value: Array) -> None:
        _array.__set__(self, value)

    @property
    def _node(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        root = self._root
        if root.array is not self._seen:
            self._look_again(root)
        return _node.__get__(self)

    @_node.setter
    def _node(self, value: Node | None) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        if value is not None and value.operation is None:
            msg = "a view cannot become a leaf; make one of its values with `tensor(x.array)`"
            raise RuntimeError(msg)
        _node.__set__(self, value)

    def shows(self, root: Tensor, key: Any) -> bool:
        """Say whether this is ``root[key]``."""
        if self._root is not root or len(self._steps) != 1 or self._steps[0][0] != "getitem":
            return False
        parts, mine = _parts(key), _parts(self._steps[0][1][0])
        return all(map(_is_basic, parts)) and parts == mine

    def _look_again(self, root: Tensor) -> None:
        """Repeat the steps on what the root holds now."""
        self._check_followed()
        shown = root
        with recording_with(recorder() if self._records else None):
            for step in self._steps:
                shown = _forward(step, shown)
        _array.__set__(self, _array.__get__(shown))
        _node.__set__(self, _node.__get__(shown))
        self._seen = root.array

    def _become(self, new: Tracked) -> Any:
        """Put `new` under the root, where this view shows it."""
        self._check_like(new)
        self._check_followed()
        root = self._root
        before = [root]
        for step in self._steps[:-1]:
            before.append(_forward(step, before[-1]))
        for step, x in zip(reversed(self._steps), reversed(before), strict=True):
            new = _backward(step, x, new)
        root._become(new)
        return self

    def _check_followed(self) -> None:
        """Raise RuntimeError where nobody can say what the steps of this view show."""
        if len(self._steps) > _DEEPEST:
            msg = f"a view through {len(self._steps)} steps is not followed; copy it in between"
            raise RuntimeError(msg)
        if any(step is _UNKNOWN for step in self._steps):
            _refuse("`reshape` of a view: whether it is one, too, depends on the library")


def _same_memory(x: Tensor, made: Array) -> bool | None:
    """Say whether `reshape` of `x` made a view of it, None where nobody can say."""
    raw = x.array
    shares = backend_of(library_of(raw).xp).arrays.is_view
    if shares is not None:
        return shares(made, raw)
    return None if x.__class__ is View else True  # what is no view counts as contiguous


def is_view_key(key: Any, out: Array) -> bool:
    """Say whether ``out = x[key]`` is a view of `x`: basic indexing that leaves an axis.

    As in NumPy, a key of nothing but integers that takes a single entry gives a number.
    """
    kind = key.__class__
    if kind is slice or key is None or key is Ellipsis:
        return True
    sliced = False
    for k in key if kind is tuple else (key,):
        if not _is_basic(k):
            return False
        sliced = sliced or not isinstance(k, Integral)
    return sliced or out.ndim > 0


def _is_basic(k: Any) -> bool:
    kind = k.__class__
    if kind is slice or kind is int or k is None or k is Ellipsis:
        return True
    return isinstance(k, Integral) and kind is not bool


def _parts(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def viewing(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``xp.<name>``, whose result is a view of its first argument."""
    if name in _SEVERAL:
        return lambda *args, **options: _SEVERAL[name](function, *args, **options)

    def call(x: Any, /, *args: Any, **options: Any) -> Any:
        out = function(x, *args, **options)
        if out is x or not isinstance(x, Tensor) or (options and options.get("copy")):
            return out
        step: Step = (name, args, options)
        if name == "flip":
            if not x.shape:  # NumPy returns a number
                return out
        elif name == "reshape":
            shares = _same_memory(x, out.array)
            if shares is None:
                step = _UNKNOWN
            elif not shares:
                return out
        return View(out.array, out._node, x, step)

    return call


# ---- every step, forwards and backwards ---------------------------------------------------------


def _forward(step: Step, x: Tensor) -> Tensor:
    name, args, options = step
    if name == "getitem":
        return x[args[0]]
    shown: Tensor = attrgetter(name)(library_of(x.array).tape)(x, *args, **options)
    return shown


def _backward(step: Step, x: Tensor, new: Any) -> Any:
    """Return what becomes of `x` when what the step showed of it becomes `new`."""
    name, args, options = step
    return VIEWS[name](library_of(x.array).tape, x, new, *args, **options)


def _index(xp: Any, x: Tensor, new: Tensor, key: Any) -> Any:
    parts = _parts(key)
    if None in parts:  # array-api-strict assigns to no key with None
        key = tuple(k for k in parts if k is not None)
        new = xp.reshape(new, x[key].shape)
    return xp.setitem(x, key, new)


def _reshape(xp: Any, x: Tensor, new: Tensor, *_: Any, **__: Any) -> Any:
    return xp.reshape(new, x.shape)


def _permute_dims(xp: Any, x: Tensor, new: Tensor, /, axes: tuple[int, ...]) -> Any:
    places = [a % len(axes) for a in axes]
    return xp.permute_dims(new, tuple(places.index(i) for i in range(len(axes))))


def _moveaxis(xp: Any, x: Tensor, new: Tensor, source: Any, destination: Any, /) -> Any:
    return xp.moveaxis(new, destination, source)


def _matrix_transpose(xp: Any, x: Tensor, new: Tensor, /) -> Any:
    return xp.matrix_transpose(new)


def _flip(xp: Any, x: Tensor, new: Tensor, /, *, axis: Any = None) -> Any:
    return xp.flip(new, axis=axis)


def _refuse(what: str) -> NoReturn:
    msg = f"{what}; copy it with `xp.asarray(x, copy=True)`, or update the original"
    raise RuntimeError(msg)


def _broadcast_to(xp: Any, x: Tensor, new: Tensor, *_: Any, **__: Any) -> NoReturn:
    _refuse("what `broadcast_to` returns is not updated in place: several entries are one")


def _part(xp: Any, x: Tensor, new: Tensor, *_: Any, **__: Any) -> NoReturn:
    _refuse("what `real`, `imag` and `diagonal` return is not updated in place")


# ---- several views at once ----------------------------------------------------------------------


def _unstack(function: Callable[..., Any], x: Any, /, *, axis: int = 0) -> Any:
    parts = function(x, axis=axis)
    if not isinstance(x, Tensor):
        return parts
    before = (slice(None),) * (axis % x.ndim)
    steps: list[Step] = [("getitem", ((*before, i, ...),), {}) for i in range(len(parts))]
    return tuple(View(p.array, p._node, x, step) for p, step in zip(parts, steps, strict=True))


def _broadcast_arrays(function: Callable[..., Any], *xs: Any) -> Any:
    return tuple(
        View(made.array, made._node, x, ("broadcast_to", (made.shape,), {}))
        if isinstance(x, Tensor)
        else made
        for x, made in zip(xs, function(*xs), strict=True)
    )


_SEVERAL: dict[str, Callable[..., Any]] = {
    "unstack": _unstack,
    "broadcast_arrays": _broadcast_arrays,
}

# The functions that return views in NumPy, and how an update goes back through them.
VIEWS: dict[str, Callable[..., Any]] = {
    "getitem": _index,
    "reshape": _reshape,
    "squeeze": _reshape,
    "expand_dims": _reshape,
    "permute_dims": _permute_dims,
    "moveaxis": _moveaxis,
    "matrix_transpose": _matrix_transpose,
    "linalg.matrix_transpose": _matrix_transpose,
    "flip": _flip,
    "broadcast_to": _broadcast_to,
    "real": _part,
    "imag": _part,
    "linalg.diagonal": _part,
    **_SEVERAL,  # their parts remember `getitem` and `broadcast_to`
}

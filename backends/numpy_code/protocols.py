"""NumPy's two protocols, and CuPy's, answered from the table of names.

A name goes to the namespace of the Tensor at hand, whatever library that is: ``np.exp`` of a
Tensor over PyTorch is PyTorch's.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from itertools import accumulate
from numbers import Number
from typing import Any, NoReturn

from portable_losses._backend import backend_of_array
from portable_losses._tape import TapeArray

from .axes import axis_of
from .elementwise import truth
from .names import FUNCTIONS, REFUSED, check_out, dtype_of, stored
from .operands import tensor

__all__ = ["OF_VALUES", "answer_cupy", "answer_function", "answer_ufunc"]

Call = Callable[..., Any]

# ---- functions ----------------------------------------------------------------------------------


_FOUND: dict[Any, Call] = {}  # of functions, by their Python object


def answer_function(
    xp: Any, function: Call, kinds: Iterable[type], args: Any, options: Mapping[str, Any]
) -> Any:
    """Return what a function below ``numpy`` is of Tensors; NotImplemented if it is not ours."""
    for kind in kinds:
        if not (issubclass(kind, TapeArray) or _is_known(kind, xp)):
            return NotImplemented
    made = _FOUND.get(function)
    if made is None:
        made = _FOUND[function] = _named(function)
    if "xp" in options:  # an argument of `np.interp`, and no namespace
        options = {**options, "points": options["xp"]}
        del options["xp"]
    return made(*args, xp=xp, **options)


def _named(function: Call) -> Call:
    """Return what stands in the table for a function below ``numpy``."""
    inside = function.__module__.partition(".")[2]
    name = f"{inside}.{function.__name__}" if inside else function.__name__
    if name in OF_VALUES:
        return _of_values(function, detached=name in _TEXTS)
    made = FUNCTIONS.get(name)
    if made is None:
        _refuse(f"numpy.{name}", REFUSED.get(name))
    return made


_TEXTS = frozenset(["array2string", "array_repr", "array_str"])
OF_VALUES = _TEXTS | {"save", "savetxt", "savez", "savez_compressed"}  # NumPy's own are called


def _of_values(function: Call, *, detached: bool) -> Call:
    """Return NumPy's own function of the values; only a text may be of tracked ones."""

    def values(x: Any) -> Any:
        if not isinstance(x, TapeArray):
            return x
        kept: Any = x
        return (kept.detach() if detached else kept).__array__()

    def call(*args: Any, xp: Any, **options: Any) -> Any:
        return function(*map(values, args), **{key: values(v) for key, v in options.items()})

    return call


def _is_known(kind: type, xp: Any) -> bool:
    """Say whether arrays of this type are NumPy's or of the library below the Tensors."""
    return kind.__module__.partition(".")[0] == "numpy" or xp.library.knows(kind)


def _refuse(name: str, advice: str | None) -> NoReturn:
    """Raise TypeError: the function `name` does not compute with Tensors."""
    what = advice or "compose it of others, or use `.detach()` where no gradient is needed"
    msg = f"`{name}` of a Tensor is not known, and its gradient would be lost; {what}"
    raise TypeError(msg)


# ---- ufuncs -------------------------------------------------------------------------------------

# Python's operators answer first: they are the quickest way, and one table of rules.
_OPERATORS: dict[str, tuple[str, str]] = {
    "add": ("__add__", "__radd__"),
    "subtract": ("__sub__", "__rsub__"),
    "multiply": ("__mul__", "__rmul__"),
    "divide": ("__truediv__", "__rtruediv__"),
    "true_divide": ("__truediv__", "__rtruediv__"),  # CuPy's name
    "power": ("__pow__", "__rpow__"),
    "matmul": ("__matmul__", "__rmatmul__"),
    "floor_divide": ("__floordiv__", "__rfloordiv__"),
    "remainder": ("__mod__", "__rmod__"),
    "less": ("__lt__", "__gt__"),
    "less_equal": ("__le__", "__ge__"),
    "greater": ("__gt__", "__lt__"),
    "greater_equal": ("__ge__", "__le__"),
    "equal": ("__eq__", "__eq__"),
    "not_equal": ("__ne__", "__ne__"),
    "bitwise_and": ("__and__", "__rand__"),
    "bitwise_or": ("__or__", "__ror__"),
    "bitwise_xor": ("__xor__", "__rxor__"),
    "left_shift": ("__lshift__", "__rlshift__"),
    "right_shift": ("__rshift__", "__rrshift__"),
}
_REDUCED = {
    "add": "sum",
    "multiply": "prod",
    "maximum": "max",
    "minimum": "min",
    "logical_and": "all",
    "logical_or": "any",
}
_ACCUMULATED = {"add": "cumsum", "multiply": "cumprod"}
# Taken together one after the other; a comparison gives what is no operand of the next.
_NOT_FOLDED = frozenset(name for name in _OPERATORS if "equal" in name) | {"less", "greater"}
_CALLS: dict[Any, Call] = {}  # of ufuncs: what was found for each
_NAMES: dict[Any, tuple[str, str]] = {}  # of those that are operators
# How the numbers are computed inside NumPy, which is nothing to the tape.
_IGNORED = frozenset(["casting", "order", "subok"])
_AXES = frozenset(["axis", "axes", "keepdims"])  # of `vecdot` and the like


def answer_ufunc(x: Any, ufunc: Any, method: str, inputs: Any, options: dict[str, Any]) -> Any:
    """Return what a ufunc, or a method of one, is of Tensors, one of which is `x`."""
    if method == "__call__" and not options and (names := _NAMES.get(ufunc)) is not None:
        first, second = inputs
        try:
            if isinstance(first, TapeArray):
                return getattr(first, names[0])(second)
            return getattr(second, names[1])(first)
        except (TypeError, RuntimeError):  # maybe the library's operator alone refuses them
            pass
    xp = x.__array_namespace__()
    if method != "__call__":
        return _method(ufunc, method, inputs, options, xp=xp)
    call = _CALLS.get(ufunc)
    if call is None:
        call = _CALLS[ufunc] = _call_of(ufunc.__name__, ufunc.nin)
        if ufunc.__name__ in _OPERATORS:
            _NAMES[ufunc] = _OPERATORS[ufunc.__name__]
    if options:
        return _with_options(call, ufunc.__name__, inputs, options, xp=xp)
    return call(*inputs, xp=xp)


def answer_cupy(xp: Any, kernel: Any, inputs: Any, options: dict[str, Any]) -> Any:
    """Return what a ufunc of CuPy's is of Tensors: its names are ``cupy_add`` and the like."""
    name = kernel.name
    for prefix in ("cupyx_scipy_special_", "cupyx_scipy_", "cupy_"):
        name = name.removeprefix(prefix)
    call = _CALLS.get(name)
    if call is None:
        call = _CALLS[name] = _call_of(name, kernel.nin)
    return _with_options(call, name, inputs, options, xp=xp)


def _call_of(name: str, count: int) -> Call:
    """Return a function of a ufunc's inputs: an operator's, that of the table, or SciPy's."""
    if name in _OPERATORS:
        return _operator(name)
    made = FUNCTIONS.get(name) or _special(name)
    if count == 1:
        return made

    def call(*inputs: Any, xp: Any, **options: Any) -> Any:
        return made(*inputs, xp=xp, **options) if all(map(_is_operand, inputs)) else NotImplemented

    return call


def _special(name: str) -> Call:
    """Return SciPy's ufunc `name`, of the namespace that a call names."""

    def call(*inputs: Any, xp: Any) -> Any:
        found = getattr(xp.special, name, None)
        if found is None:
            _refuse(name, REFUSED.get(name))
        return found(*inputs)

    return call


def _operator(name: str) -> Call:
    """Return a function of two operands, one of them a Tensor, whose method answers.

    What the library's operator refuses, integers beside floating numbers on array-api-strict, is
    the table's affair.
    """
    forward, reflected = _OPERATORS[name]

    def call(x1: Any, x2: Any, /, *, xp: Any) -> Any:
        try:
            if isinstance(x1, TapeArray):
                return getattr(x1, forward)(x2)
            return getattr(x2, reflected)(x1)
        except (TypeError, RuntimeError):
            return FUNCTIONS[name](x1, x2, xp=xp)

    return call


def _is_operand(x: Any) -> bool:
    """Say whether a ufunc of Tensors takes `x`; other types answer for themselves."""
    if isinstance(x, TapeArray | Number | list | tuple):
        return True
    return backend_of_array(x) is not None


def _with_options(
    call: Call, name: str, inputs: tuple[Any, ...], options: dict[str, Any], *, xp: Any
) -> Any:
    """Return what a ufunc's call with `out`, `where`, `dtype` or `axis` is of Tensors."""
    outs = options.pop("out", None) or ()
    outs = outs if isinstance(outs, tuple) else (outs,)
    for out in outs:
        if out is not None:
            check_out(out)
    where = options.pop("where", True)
    dtype = options.pop("dtype", None)
    options = {key: value for key, value in options.items() if key not in _IGNORED}
    for key in options:
        if key not in _AXES or name in _OPERATORS:
            msg = f"`{key}` of `{name}` is not known of Tensors"
            raise TypeError(msg)
    if where is not True and not outs:
        msg = f"`where` of `{name}` needs `out`, which has the other entries; use `np.where`"
        raise TypeError(msg)
    if dtype is not None:
        kind = dtype_of(dtype, xp=xp)
        inputs = tuple(xp.astype(tensor(v, inputs, xp=xp), kind) for v in inputs)
    elif not any(isinstance(v, TapeArray) for v in inputs):  # NumPy's arrays, into a Tensor
        inputs = tuple(tensor(v, outs, xp=xp) for v in inputs)
    made = call(*inputs, xp=xp, **options)
    if not outs or made is NotImplemented:
        return made
    results = made if isinstance(made, tuple) else (made,)
    kept = [
        new if out is None else stored(out, _chosen(where, new, out, xp=xp), xp=xp)
        for out, new in zip(outs, results, strict=True)
    ]
    return tuple(kept) if isinstance(made, tuple) else kept[0]


def _chosen(where: Any, new: Any, out: Any, *, xp: Any) -> Any:
    """Return `new` where it is wanted, and what `out` has elsewhere."""
    return new if where is True else xp.where(tensor(where, new, xp=xp), new, out)


# ---- methods of ufuncs --------------------------------------------------------------------------


def _method(
    ufunc: Any, method: str, inputs: tuple[Any, ...], options: dict[str, Any], *, xp: Any
) -> Any:
    """Return ``np.add.reduce`` and the like of Tensors."""
    name = ufunc.__name__
    if method == "outer":
        a, b = (tensor(v, inputs, xp=xp) for v in inputs)
        pair = (a[(..., *[None] * b.ndim)], b)
        return answer_ufunc(b, ufunc, "__call__", pair, options)
    table = {"reduce": _REDUCED, "accumulate": _ACCUMULATED}.get(method)
    if table is None:
        _refuse(f"{name}.{method}", _ADVICE.get(method))
    options = {"axis": 0, **options} if len(inputs) == 1 else options
    if name in table:
        return FUNCTIONS[table[name]](*inputs, xp=xp, **options)
    foldable = ufunc.nin == 2 and ufunc.nout == 1 and name not in _NOT_FOLDED
    if not foldable or len(inputs) != 1 or options.keys() - {"axis", "keepdims", "out"}:
        _refuse(f"{name}.{method}", "fold the parts of `np.unstack` by `functools.reduce`")
    for out in options.get("out", ()):
        check_out(out)
    x = (truth if name.startswith("logical_") else tensor)(inputs[0], xp=xp)
    if options["axis"] is None:
        x, options["axis"] = xp.reshape(x, (-1,)), 0
    axis = axis_of(options["axis"], x.ndim)
    made = _folded(name, xp.unstack(x, axis=axis), method, axis, xp=xp)
    made = xp.expand_dims(made, axis=axis) if options.get("keepdims") else made
    return stored(options["out"], made, xp=xp) if "out" in options else made


def _folded(name: str, parts: Sequence[Any], method: str, axis: int, *, xp: Any) -> Any:
    """Return parts taken together by a ufunc, one after the other: the last result or all."""
    call = _call_of(name, 2)

    def joined(a: Any, b: Any) -> Any:
        return call(a, b, xp=xp)

    if method == "accumulate":
        return xp.stack(list(accumulate(parts, joined)), axis=axis)
    if not parts:
        msg = f"zero-size array to reduction operation {name} which has no identity"
        raise ValueError(msg)
    return reduce(joined, parts)


_ADVICE = {
    "at": "use `x[key] = v` on a Tensor, or `scatter_add` of its namespace",
    "reduceat": "use `np.split` and a sum of each part, or differences of `np.cumsum`",
}

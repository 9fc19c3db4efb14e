"""NumPy's functions that make arrays: beside a Tensor, and between two of them."""

from collections.abc import Callable
from typing import Any

from portable_losses._polyfill import device_of, readable
from portable_losses._tape import raw_array

from .axes import axis_of, inserted_axes, whole_shape
from .names import dtype_of, named
from .operands import arrays, default_float, floating, tensor

__all__ = ["linspace"]


# ---- in the shape of another --------------------------------------------------------------------


def _like(name: str) -> Callable[..., Any]:
    """Return NumPy's `zeros_like`, `ones_like` or `empty_like`."""

    def like(
        a: Any,
        dtype: Any = None,
        order: str = "K",
        subok: bool = True,
        shape: Any = None,
        *,
        device: Any = None,
        xp: Any,
    ) -> Any:
        a = tensor(a, xp=xp)
        kind = a.dtype if dtype is None else dtype_of(dtype, xp=xp)
        sizes = a.shape if shape is None else whole_shape(shape)
        return getattr(xp, name)(sizes, dtype=kind, device=device or device_of(a, xp=xp))

    like.__doc__ = f"Return {name} in the shape, dtype and device of another array."
    return like


for _name in ("zeros", "ones", "empty"):
    named(f"{_name}_like")(_like(_name))


@named("full_like")
def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
    xp: Any,
) -> Any:
    """Return one value, or values that broadcast, in the shape and dtype of another array."""
    a = tensor(a, xp=xp)
    kind = a.dtype if dtype is None else dtype_of(dtype, xp=xp)
    value = xp.astype(arrays(a, fill_value, xp=xp)[1], kind)
    wide = xp.broadcast_to(value, a.shape if shape is None else whole_shape(shape))
    return xp.asarray(wide, device=device, copy=True)


# ---- ``like=`` ----------------------------------------------------------------------------------


def _filled(name: str) -> Callable[..., Any]:
    """Return NumPy's `zeros`, `ones` or `empty` with ``like=`` a Tensor."""

    def filled(
        shape: Any, dtype: Any = None, order: str = "C", *, device: Any = None, xp: Any
    ) -> Any:
        return getattr(xp, name)(whole_shape(shape), dtype=_dtype(dtype, xp=xp), device=device)

    filled.__doc__ = f"Return {name} of a shape, of the library of a Tensor."
    return filled


def _dtype(dtype: Any, *, xp: Any) -> Any:
    """Return the library's own dtype; by default its floats."""
    return default_float(xp=xp) if dtype is None or dtype is float else dtype_of(dtype, xp=xp)


for _name in ("zeros", "ones", "empty"):
    named(_name)(_filled(_name))


@named("full")
def full(
    shape: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "C",
    *,
    device: Any = None,
    xp: Any,
) -> Any:
    """Return one value, or values that broadcast, in a shape."""
    value = tensor(fill_value, xp=xp)
    if dtype is not None:
        value = xp.astype(value, dtype_of(dtype, xp=xp))
    return xp.asarray(xp.broadcast_to(value, whole_shape(shape)), device=device, copy=True)


@named("eye")
def eye(
    N: int,  # noqa: N803 - NumPy's name
    M: Any = None,  # noqa: N803
    k: int = 0,
    dtype: Any = float,
    order: str = "C",
    *,
    device: Any = None,
    xp: Any,
) -> Any:
    """Return ones on a diagonal, of the library of a Tensor."""
    columns = N if M is None else M
    size = max(N, columns)  # Dask has square ones only
    made = xp.eye(size, size, k=k, dtype=_dtype(dtype, xp=xp), device=device)
    return made if columns == N else made[:N, :columns]


@named("identity")
def identity(n: int, dtype: Any = None, *, xp: Any) -> Any:
    """Return the identity matrix, of the library of a Tensor."""
    return eye(n, dtype=dtype, xp=xp)


@named("arange")
def arange(*args: Any, dtype: Any = None, device: Any = None, xp: Any, **options: Any) -> Any:
    """Return numbers in equal steps, of the library of a Tensor."""
    known = dict(zip(("start", "stop", "step", "dtype"), args, strict=False)) | options
    first = known.pop("start", known.pop("start_or_stop", 0))
    stop, step = known.pop("stop", None), known.pop("step", 1)
    kind = dtype_of(known.pop("dtype", dtype), xp=xp)
    if known:
        msg = f"arange() got an unexpected keyword argument {next(iter(known))!r}"
        raise TypeError(msg)
    first, stop = (0, first) if stop is None else (first, stop)
    return xp.arange(first, stop, 1 if step is None else step, dtype=kind, device=device)


# ---- between two ends ---------------------------------------------------------------------------


@named("linspace")
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
    xp: Any,
) -> Any:
    """Return numbers in equal steps between two ends, both of which may be arrays."""
    num = num.__index__()
    if num < 0:
        msg = f"Number of samples, {num}, must be non-negative."
        raise ValueError(msg)
    start, stop = xp.broadcast_arrays(*(floating(x, xp=xp) for x in arrays(start, stop, xp=xp)))
    steps = num - 1 if endpoint else num
    kind, home = start.dtype, device_of(start, xp=xp)
    shares = [i / steps for i in range(num)] if steps > 0 else [0.0] * num
    weight = xp.reshape(xp.asarray(shares, dtype=kind, device=home), (num,) + (1,) * start.ndim)
    made = start * (1 - weight) + stop * weight
    if axis:
        made = xp.moveaxis(made, 0, axis_of(axis, made.ndim))
    if dtype is not None:
        wanted = dtype_of(dtype, xp=xp)
        made = xp.floor(made) if xp.isdtype(wanted, "integral") else made
        made = xp.astype(made, wanted)
    if device is not None:
        made = xp.asarray(made, device=device)
    if not retstep:
        return made
    return made, (stop - start) / steps if steps > 0 else (stop - start) * float("nan")


@named("logspace")
def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
    *,
    xp: Any,
) -> Any:
    """Return powers of a base, whose exponents are in equal steps."""
    start, stop, base = (floating(x, xp=xp) for x in arrays(start, stop, base, xp=xp))
    start, stop, base = xp.broadcast_arrays(start, stop, base)
    exponents = linspace(start, stop, num, endpoint, axis=axis, xp=xp)
    (place,) = inserted_axes(axis, start.ndim)
    return _in_dtype(xp.pow(xp.expand_dims(base, axis=place), exponents), dtype, xp=xp)


def _in_dtype(x: Any, dtype: Any, *, xp: Any) -> Any:
    return x if dtype is None else xp.astype(x, dtype_of(dtype, xp=xp))


def _is_known_zero(x: Any, *, xp: Any) -> bool:
    """Say whether an entry is seen to be 0, where looking is free."""
    return readable(raw_array(x), xp=xp.inner) and bool(xp.any(x.detach() == 0))


@named("geomspace")
def geomspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
    *,
    xp: Any,
) -> Any:
    """Return numbers between two ends in equal ratios; both ends are met."""
    start, stop = (floating(x, xp=xp) for x in arrays(start, stop, xp=xp))
    start, stop = xp.broadcast_arrays(start, stop)
    if any(_is_known_zero(x, xp=xp) for x in (start, stop)):
        msg = "Geometric sequence cannot include zero"
        raise ValueError(msg)
    ratio = stop / start
    exponents = linspace(xp.zeros_like(ratio), xp.log(ratio), num, endpoint, xp=xp)
    made = start * xp.exp(exponents)
    if axis:
        made = xp.moveaxis(made, 0, axis_of(axis, made.ndim))
    return _in_dtype(made, dtype, xp=xp)

"""PyTorch's DTensor: tensors whose parts lie on the processes of a mesh.

Formulas run on DTensors as they stand, and DTensor adds up what is in parts: a sum over classes
that are sharded is an all-reduce of one number for each row. What DTensor would gather is done here
on the parts: the place of a row's largest entry, and the entry at a place. What needs whole rows,
as a sort does, gets them by an all-to-all: the batch is in parts then, and the classes are not.
"""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any, cast

import array_api_compat.torch as xp_torch
import numpy as np
import torch
from torch.distributed.tensor import DTensor, Replicate, Shard
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

from portable_losses._backend import (
    Arrays,
    Autodiff,
    Backend,
    Indexing,
    Pair,
    Speed,
    load_backend,
)
from portable_losses._typing import Array, Options

from .kernels.cross_entropy.linear_dtensor import LINEAR_CROSS_ENTROPY
from .kernels.cross_entropy.sweep import WEIGHT
from .kernels.rows.rowwise_dtensor import rowwise

PLAIN: Any = load_backend("torch")

# ---- where a DTensor lies ----------------------------------------------------------------------


class Place:
    """The mesh of a DTensor, for creation functions: what they make is the same everywhere.

    Only a range as long as the tensor's last axis is in the same parts as that.
    """

    def __init__(self, x: Array) -> None:
        self.mesh = x.device_mesh
        self.size = x.shape[-1] if x.ndim else None
        self.parts = _parts(x, -1) if x.ndim else []

    def put(self, made: Array) -> Array:
        """Return a tensor that every process has made."""
        everywhere = [Replicate()] * self.mesh.ndim
        return DTensor.from_local(made, self.mesh, everywhere, run_check=False)

    def arange(self, *args: Any, **options: Any) -> Array:
        """Return ``arange``, of the places along the last axis in its parts."""
        device = self.mesh.device_type
        if not self.parts or args != (self.size,):
            return self.put(xp_torch.arange(*args, device=device, **options))
        placed = [Shard(0) if i in self.parts else Replicate() for i in range(self.mesh.ndim)]
        (count,), (start,) = compute_local_shape_and_global_offset(args, self.mesh, placed)
        own = xp_torch.arange(start, start + count, device=device, **options)
        return DTensor.from_local(
            own, self.mesh, placed, run_check=False, shape=torch.Size(args), stride=(1,)
        )


def _parts(x: Array, axis: int) -> list[int]:
    """Return the dimensions of the mesh over which an axis lies in parts."""
    axis %= x.ndim
    if any(not (p.is_shard() or p.is_replicate() or p.is_partial()) for p in x.placements):
        raise InParts  # of axes that were joined to one
    return [i for i, p in enumerate(x.placements) if p.is_shard() and p.dim == axis]


def _made_on(make: Callable[..., Array]) -> Callable[..., Array]:
    """Return a creation function whose `device` may be a `Place`."""

    @wraps(make)
    def call(*args: Any, device: Any = None, **options: Any) -> Array:
        if not isinstance(device, Place):
            return make(*args, device=device, **options)
        if make is xp_torch.arange:
            return device.arange(*args, **options)
        if isinstance(args[0], DTensor):
            return make(*args, **options)
        return device.put(make(*args, device=device.mesh.device_type, **options))

    return call


# ---- along an axis that is in parts ------------------------------------------------------------


class InParts(Exception):  # noqa: N818 - no error: the rows are put together first
    """An operation needs whole rows, which lie in parts."""


def _whole(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of the entries along an axis, by default the last, that needs them all."""

    @wraps(function)
    def call(x: Array, /, *args: Any, axis: int = -1, **options: Any) -> Any:
        if axis is None:
            cut = any(p.is_shard() for p in x.placements)
        else:
            cut = bool(x.ndim and _parts(x, axis))
        if cut:
            raise InParts
        return function(x, *args, axis=axis, **options)

    return call


def _added_up(x: Any) -> Any:
    """Return a DTensor whose partial sums, or largest entries, have come together: once."""
    if isinstance(x, DTensor) and any(p.is_partial() for p in x.placements):
        placed = [Replicate() if p.is_partial() else p for p in x.placements]
        return x.redistribute(placements=placed)
    return x


def _reducing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a reduction whose result is no longer in parts: every use would add these up."""
    side = {"max": "min", "min": "max"}.get(function.__name__)  # of the dtype's numbers

    @wraps(function)
    def call(x: Any, *args: Any, **options: Any) -> Any:
        if side is not None and isinstance(x, DTensor):
            x = _filled(x, options.get("axis"), side)
        return _added_up(function(x, *args, **options))

    return call


def _filled(x: Any, axis: Any, side: str) -> Any:
    """Return `x` with an entry more in each of its parts where one has none along `axis`."""
    axes = range(x.ndim) if axis is None else [i % x.ndim for i in np.atleast_1d(axis)]
    own, shape = x.to_local(), list(x.shape)
    fill = _ENDS[side] if x.is_floating_point() else getattr(torch.iinfo(x.dtype), side)
    for dim in {p.dim for p in x.placements if p.is_shard() and p.dim in axes}:
        count = math.prod(x.device_mesh.size(i) for i in _parts(x, dim))
        if -(-x.shape[dim] // count) * (count - 1) >= x.shape[dim]:
            more = own.new_full([1 if d == dim else n for d, n in enumerate(own.shape)], fill)
            own, shape[dim] = torch.cat([own, more], dim), x.shape[dim] + count
    if shape == list(x.shape):
        return x
    stride = torch.empty(shape, device="meta").stride()
    given: Any = {"run_check": False, "shape": torch.Size(shape), "stride": stride}
    return DTensor.from_local(own, x.device_mesh, x.placements, **given)


def argmax(x: Array, /, *, axis: int, keepdims: bool = False) -> Array:
    """Return the place of the largest entry, the first of equal ones: two all-reduces."""
    if not _parts(x, axis):
        return torch.argmax(x, dim=axis, keepdim=keepdims)
    if _has_empty_part(x, axis):
        raise InParts
    x = x.detach()
    largest = _added_up(torch.amax(x, dim=axis, keepdim=True))
    places = _places(x, axis)
    size = x.shape[axis]
    first = torch.amin(torch.where(x == largest, places, size), dim=axis, keepdim=keepdims)
    first = _added_up(first)
    return torch.where(first == size, 0, first)  # of NaN


def _places(x: Array, axis: int) -> Array:
    """Return the places along an axis, in its parts and shaped to compare with `x`."""
    axis %= x.ndim
    last = torch.movedim(x, axis, -1)
    return Place(last).arange(x.shape[axis]).reshape([-1] + [1] * (x.ndim - 1 - axis))


def take_along_axis(x: Array, indices: Array, *, axis: int) -> Array:
    """Return the entries at `indices`; one of each row that is in parts, by an all-reduce."""
    indices = _spread(indices, x, axis)
    if not _parts(x, axis):
        return torch.gather(x, axis, indices)
    if indices.shape[axis] != 1:
        raise InParts
    hit = _places(x, axis) == indices
    return _added_up(torch.where(hit, x, 0).sum(axis, keepdim=True))


def _spread(indices: Array, x: Array, axis: int) -> Array:
    """Return indices in the parts of `x`, whole along the axis."""
    whole = _parts(x, axis)
    wanted = [
        Replicate() if i in whole or p.is_partial() else p for i, p in enumerate(x.placements)
    ]
    return indices.redistribute(placements=wanted)


def broadcast_to(x: Array, shape: tuple[int, ...]) -> Array:
    """Return ``x`` with this shape; what is one entry long is the same everywhere."""
    ones = [i for i, n in enumerate(x.shape) if n == 1]
    placed = [Replicate() if p.is_shard() and p.dim in ones else p for p in x.placements]
    return x.redistribute(placements=placed).expand(shape)


def broadcast_arrays(*arrays: Array) -> list[Array]:
    """Return the arrays with one shape."""
    shape = torch.broadcast_shapes(*[x.shape for x in arrays])
    return [broadcast_to(x, shape) for x in arrays]


def mean(x: Array, /) -> Array:
    """Return the mean of all entries; torch's gathers parts of unequal sizes."""
    return _added_up(x.sum()) / x.numel()


def reshape(x: Array, shape: tuple[int, ...]) -> Array:
    """``xp.reshape``; axes whose parts cannot be joined where they lie are brought together."""
    try:
        return xp_torch.reshape(x, shape)
    except RuntimeError:
        whole = x.redistribute(placements=[Replicate()] * x.device_mesh.ndim)
        return xp_torch.reshape(whole, shape)


class Namespace:
    """PyTorch's namespace for DTensors, with the functions of this file."""

    __name__ = "torch_dtensor"

    argmax = staticmethod(argmax)
    mean = staticmethod(mean)
    broadcast_to = staticmethod(broadcast_to)
    broadcast_arrays = staticmethod(broadcast_arrays)
    reshape = staticmethod(reshape)

    def __getattr__(self, name: str) -> Any:
        found = getattr(xp_torch, name)
        if name in _CREATION:
            found = _made_on(found)
        elif name in _REDUCING:
            found = _reducing(found)
        elif name in _OF_WHOLE:
            found = _whole(found)
        setattr(self, name, found)
        return found


_CREATION = frozenset(
    [
        *("arange", "asarray", "empty", "empty_like", "eye", "full", "full_like", "linspace"),
        *("ones", "ones_like", "zeros", "zeros_like"),
    ]
)
_ENDS = {"min": -math.inf, "max": math.inf}  # of floating numbers
_REDUCING = frozenset(["all", "any", "count_nonzero", "matmul", "max", "min", "prod", "sum"])
_OF_WHOLE = frozenset(["argsort", "cumulative_prod", "cumulative_sum", "flip", "roll", "sort"])


XP = Namespace()


def _has_empty_part(x: Array, axis: int = -1) -> bool:
    """Say whether some process has nothing of an axis."""
    size = x.shape[axis]
    for i in _parts(x, axis):
        count = x.device_mesh.size(i)
        each = -(-size // count)
        if each * (count - 1) >= size:
            return True
        size = each
    return False


# ---- calls -------------------------------------------------------------------------------------


class _Placed(torch.autograd.Function):  # type: ignore[misc, unused-ignore]
    """A DTensor whose gradient lies as it does."""

    @staticmethod
    def forward(ctx: Any, x: Array) -> Array:
        ctx.placements = x.placements
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:  # type: ignore[override, unused-ignore]
        return grad.redistribute(placements=ctx.placements)


def _ready(x: Any) -> Any:
    """Return an argument to compute with: partial sums added up, the gradient in the same parts."""
    if not isinstance(x, DTensor):
        return x
    x = _added_up(x)
    return _Placed.apply(x) if x.requires_grad else x


def _moved(x: Any, *, whole: bool) -> Any:
    """Return DTensors in parts of another axis than they are, or `whole`; all else as it is."""
    if isinstance(x, tuple):
        return tuple([_moved(one, whole=whole) for one in x])
    if not isinstance(x, DTensor):
        return x
    wanted = []
    for p in cast(Any, x.placements):
        others = [i for i in range(x.ndim) if not (p.is_shard() and i == p.dim)]
        if p.is_shard():
            p = Replicate() if whole or not others else Shard(others[0])
        wanted.append(p)
    return x.redistribute(placements=wanted)


def call(
    function: Callable[..., Any], args: tuple[Any, ...], options: Options, *, full_precision: bool
) -> Any:
    """Call a function; where it needs rows that are in parts, put these together before."""
    args, options = tuple(map(_ready, args)), {n: _ready(x) for n, x in options.items()}
    try:
        return PLAIN.arrays.call(function, args, options, full_precision=full_precision)
    except InParts:
        pass
    for whole in (False, True):
        named = {n: _moved(x, whole=whole) for n, x in options.items()}
        given = _moved(args, whole=whole)
        try:
            return PLAIN.arrays.call(function, given, named, full_precision=full_precision)
        except InParts:
            if whole:
                raise
    return None


class _Kept(torch.autograd.Function):  # type: ignore[misc, unused-ignore]
    """Runs a pair by its kernel, whose backward keeps what the value has found."""

    @staticmethod
    def forward(ctx: Any, pair: Pair, options: Options, wanted: Any, *arrays: Array) -> Any:
        kernel: Any = pair.kernel
        out, ctx.pull = kernel.run(pair, arrays, options, wanted)
        if ctx.pull is pair.backward:
            ctx.pull = _in_parts(ctx.pull)
        ctx.pair, ctx.options, ctx.wanted, ctx.count = pair, options, wanted, len(arrays)
        ctx.save_for_backward(*arrays, *(out if isinstance(out, tuple) else (out,)))
        ctx.several = isinstance(out, tuple)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Array) -> tuple[Array | None, ...]:
        saved, count = ctx.saved_tensors, ctx.count
        arrays, outs = saved[:count], saved[count:]
        given = tuple([_as(g, x) for g, x in zip(grads, outs, strict=True)])
        if torch.is_grad_enabled():  # it may be differentiated again
            again = attach_gradient(ctx.pair._replace(kernel=None), arrays, ctx.options)
            outs = again if ctx.several else (again,)
            made = torch.autograd.grad(
                outs, [arrays[i] for i in ctx.wanted], given, create_graph=True, allow_unused=True
            )
            found = dict(zip(ctx.wanted, made, strict=True))
            return None, None, None, *[found.get(i) for i in range(count)]
        grad, out = (given, outs) if ctx.several else (given[0], outs[0])
        return None, None, None, *ctx.pull(grad, out, *arrays, **ctx.options)


def attach_gradient(pair: Pair, arrays: tuple[Array, ...], options: Options) -> Any:
    """Do what PyTorch's does; gradients come in the parts of the results."""
    if pair.kernel is not None:
        wanted: tuple[int, ...] = ()
        if torch.is_grad_enabled():
            wanted = tuple([i for i, x in enumerate(arrays) if x is not None and x.requires_grad])
        if wanted:
            return _Kept.apply(pair, options, wanted, *arrays)
        return pair.kernel.run(pair, arrays, options, ())[0]
    pair = pair._replace(backward=_in_parts(pair.backward))
    return PLAIN.autodiff.attach_gradient(pair, arrays, options)


def _in_parts(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Return a backward whose gradients lie as the results do."""

    def call(grad: Any, out: Any, *arrays: Array, **options: Any) -> Any:
        if isinstance(out, tuple):
            grad = tuple([_as(g, x) for g, x in zip(grad, out, strict=True)])
        else:
            grad = _as(grad, out)
        given = grad, out, *arrays
        try:
            return backward(*given, **options)
        except InParts:
            return backward(*_moved(given, whole=True), **options)

    return call


def _as(grad: Array, x: Array) -> Array:
    """Return a gradient in the parts of `x`; PyTorch has a plain zero where there is none."""
    if not isinstance(grad, DTensor):
        return torch.zeros_like(x)
    return grad if grad.placements == x.placements else grad.redistribute(placements=x.placements)


BACKEND = Backend(
    "torch_dtensor",
    Autodiff(
        attach_gradient=attach_gradient,
        stop_gradient=torch.Tensor.detach,
        differentiable_again=PLAIN.autodiff.differentiable_again,
    ),
    Arrays(
        readable=lambda x: False,
        device=Place,
        call=call,
        concat=torch.cat,
        computed_in=PLAIN.arrays.computed_in,
        namespaces={DTensor: XP},
    ),
    Indexing(take_along_axis=take_along_axis),
    Speed(
        row_kernel=rowwise(),
        kernels={"cross_entropy": rowwise(WEIGHT), "linear_cross_entropy": LINEAR_CROSS_ENTROPY},
    ),
)

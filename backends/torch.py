"""PyTorch: gradients through ``torch.autograd.Function``, in every mode PyTorch has."""

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any

import array_api_compat.torch as xp_torch
import torch
from torch._C._functorch import is_functorch_wrapped_tensor, is_legacy_batchedtensor
from torch.autograd import forward_ad

from portable_losses._backend import Arrays, Autodiff, Backend, Indexing, Pair, Speed
from portable_losses._typing import Array, Namespace, Options

from .kernels.cross_entropy.linear_torch import LINEAR_CROSS_ENTROPY
from .kernels.cross_entropy.sweep_torch import CROSS_ENTROPY, WEIGHT
from .kernels.formulas.elementwise_torch import (
    ELEMENTWISE,
    backward_of,
)
from .kernels.formulas.plain_torch import is_plain_in_memory, is_watched
from .kernels.formulas.ready_torch import ready
from .kernels.formulas.several_torch import several
from .kernels.gpu_rows.rows_torch import CUDA
from .kernels.machine.by_device import by_device
from .kernels.rows.rowwise_torch import rowwise, several_of_rows


class _BoundPair:
    """A pair and its options as one object: PyTorch would flatten a dict or tuple."""

    __slots__ = ("options", "pair", "ready", "wanted")

    def __init__(
        self, pair: Pair, options: Options, wanted: tuple[int, ...] = (), ready: Any = None
    ) -> None:
        self.pair = pair
        self.options = options
        self.wanted = wanted  # places of the arrays that need a gradient
        self.ready = ready  # what the kernel does with arrays of these kinds; None for others

    def run(self, arrays: tuple[Array, ...]) -> Any:
        """Return the result of the kernel that serves this call, and its backward."""
        if self.pair.kernel is None:
            return self.pair.forward(*arrays, **self.options), None
        return self.pair.kernel.run(self.pair, arrays, self.options, self.wanted)


class _Refused(Exception):  # noqa: N818 - an answer, caught a few lines below
    """Of a kernel that is ready: it does not take these arrays."""


class _Attached(torch.autograd.Function):  # type: ignore[misc, unused-ignore]
    """Runs a `Pair` as one node of PyTorch's graph; this form is the one torch.compile takes."""

    generate_vmap_rule = True

    @staticmethod
    def forward(bound: _BoundPair, *arrays: Array) -> Any:
        return bound.pair.forward(*arrays, **bound.options)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Save inputs and outputs, for both modes."""
        ctx.bound, *arrays = inputs
        ctx.count = len(arrays)
        ctx.several = isinstance(output, tuple)
        outs = output if ctx.several else (output,)
        ctx.save_for_backward(*arrays, *outs)
        ctx.save_for_forward(*arrays, *outs)

    @staticmethod
    def backward(ctx: Any, *grads: Array) -> tuple[Array | None, ...]:
        arrays, outs = ctx.saved_tensors[: ctx.count], ctx.saved_tensors[ctx.count :]
        pulled = _pull_back(ctx, grads, outs, arrays)
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            pulled = _depending(pulled, arrays)
        return None, *pulled


class _Eager(torch.autograd.Function):  # type: ignore[misc, unused-ignore]
    """The same for tensors that no transform sees, in two thirds of the time of a small call."""

    @staticmethod
    def forward(ctx: Any, bound: _BoundPair, *arrays: Array) -> Any:
        made = bound.run(arrays) if bound.ready is None else bound.ready(arrays)
        if made is None:
            raise _Refused
        out, ctx.fused = made
        ctx.bound = bound
        ctx.count = len(arrays)
        ctx.several = out.__class__ is tuple
        if ctx.several:
            ctx.save_for_backward(*arrays, *out)
        else:
            ctx.save_for_backward(*arrays, out)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Array) -> tuple[Array | None, ...]:
        fused: Any = ctx.fused
        if fused is None or torch.is_grad_enabled() or not all(map(is_plain_in_memory, grads)):
            pulled: tuple[Array | None, ...] = _Attached.backward(ctx, *grads)
            return pulled
        if fused.__class__ is torch.Tensor:
            return None, fused * grads[0], *(None,) * (ctx.count - 1)
        saved, count = ctx.saved_tensors, ctx.count
        if ctx.several:
            grad, out = grads, saved[count:]
        else:
            grad, out = grads[0], saved[-1]
        return None, *fused(grad, out, *saved[:count], **ctx.bound.options)


# `Function.apply` without its look for transforms, of which there is none here.
_above: Any = super(torch.autograd.Function, _Eager)
_record = _above.apply


class _AttachedBothWays(_Attached):
    """The same with forward mode, which torch.compile refuses to see."""

    generate_vmap_rule = True

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        """Transpose the backward, which is linear in its gradient."""
        # PyTorch switches forward mode off in here, so that nested levels would see constants;
        # with it on, this level's own tangents must go, or the call would recurse into this jvp.
        with forward_ad._set_fwd_grad_enabled(True), torch.enable_grad():
            saved: list[Any] = [
                None if s is None else forward_ad.unpack_dual(s).primal for s in ctx.saved_tensors
            ]
            arrays, outs = saved[: ctx.count], saved[ctx.count :]
            moving = [i for i in range(ctx.count) if tangents[i + 1] is not None]

            def back(*grads: Array) -> tuple[Array, ...]:
                pulled = _pull_back(ctx, grads, outs, arrays)
                return tuple(
                    torch.zeros_like(arrays[i]) if pulled[i] is None else pulled[i] for i in moving
                )

            push = torch.func.vjp(back, *(torch.zeros_like(out) for out in outs))[1]
            pushed = push(tuple(tangents[i + 1] for i in moving))
        return pushed if ctx.several else pushed[0]


def _pull_back(ctx: Any, grads: Any, outs: Any, arrays: Any) -> tuple[Array | None, ...]:
    """Return the gradients by the portable pair, which may be differentiated again."""
    grad, out = (tuple(grads), tuple(outs)) if ctx.several else (grads[0], outs[0])
    pair = ctx.bound.pair
    backward = pair.backward if pair.kernel is None else backward_of(pair, arrays)
    pulled: tuple[Array | None, ...] = backward(grad, out, *arrays, **ctx.bound.options)
    return pulled


class _Depending(torch.autograd.Function):  # type: ignore[misc, unused-ignore]
    """Its first argument as a function of all, with the derivative 0 by the others."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Array, *others: Array) -> Array:
        return x.view_as(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, *grads: Array) -> tuple[Array | None, ...]:
        others = ctx.saved_tensors
        return *grads, *_depending(tuple(map(torch.zeros_like, others)), others)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        return tangents[0].view_as(tangents[0])


def _depending(grads: tuple[Array | None, ...], arrays: Any) -> tuple[Array | None, ...]:
    """Return gradients that can be differentiated by every array, also where they are constant.

    PyTorch raises for what does not depend on a tensor, and its own piecewise linear functions
    have the second derivative 0. The transforms of torch.func do not ask.
    """
    moving = [a for a in arrays if a is not None and a.requires_grad]
    if not moving or not all(map(_is_plain, moving)):
        return grads
    return tuple(None if g is None else _Depending.apply(g, *moving) for g in grads)


def attach_gradient(pair: Pair, arrays: tuple[Array, ...], options: Options) -> Any:
    """Make `pair` one differentiable operation of every order and both modes."""
    wanted: tuple[int, ...] = ()
    if torch.is_grad_enabled():
        wanted = tuple([i for i, a in enumerate(arrays) if a is not None and a.requires_grad])
    # What a kernel takes no transform sees.
    if pair.kernel is not None or not torch.compiler.is_compiling():
        bound = _BoundPair(pair, options, wanted)
        if pair.kernel is not None or _is_constant(arrays):
            # Without a node it takes a fifth of the time of a small call.
            return _record(bound, *arrays) if wanted else bound.run(arrays)[0]
        return _AttachedBothWays.apply(bound, *arrays)
    if wanted:
        return _Attached.apply(_BoundPair(pair, options), *arrays)
    # torch.compile of torch.func's transforms looks into an autograd.Function and differentiates
    # what it finds there (PyTorch 2.13), so every forward of ours is right under that as well.
    return pair.forward(*arrays, **options)


def repeat_gradient(pair: Pair, arrays: tuple[Array, ...], options: Options) -> Any:
    """Return what `attach_gradient` does with a pair and its kernel, for arrays of these kinds.

    It returns None for tensors that a transform has wrapped, or that have gaps in memory.
    """
    kernel: Any = pair.kernel
    known: dict[tuple[int, ...], _BoundPair | None] = {}  # by the arrays that need a gradient

    def again(*arrays: Any, **changed: Any) -> Any:
        wanted: tuple[int, ...] = ()
        for i, x in enumerate(arrays):
            if x is not None:
                if not (is_plain_in_memory(x) and x.is_contiguous()):
                    return None
                if x.requires_grad:
                    wanted += (i,)
        if wanted and not torch.is_grad_enabled():
            wanted = ()
        if wanted not in known:
            ready = kernel.ready(pair, arrays, options, wanted)
            known[wanted] = ready and _BoundPair(pair, options, wanted, ready)
        bound = known[wanted]
        if bound is None:
            return None
        if changed:
            run = partial(bound.ready, **changed)
            bound = _BoundPair(pair, {**options, **changed}, wanted, run)
        if not wanted:
            made = bound.ready(arrays)
            return None if made is None else made[0]
        try:
            return _record(bound, *arrays)
        except _Refused:
            return None

    return again


def repeats() -> bool:
    """Say whether no trace, transform, mode or forward mode sees what is done with tensors."""
    return not (is_watched() or torch.is_autocast_enabled("cpu"))


def differentiable_again(x: Array) -> Array:
    """Return the values of `x`, so that their gradient can be differentiated by it."""
    # Of slope 1 on both sides this is no operation, but its backward depends on x.
    return torch.nn.functional.leaky_relu(x, 1.0) if x.requires_grad else x


def readable(x: Array) -> bool:
    """Say whether `x` is a plain tensor in host memory, outside every trace and transform."""
    if torch.compiler.is_compiling() or x.__class__ not in _PLAIN:
        return False
    return x.is_cpu and _is_plain(x)


_ORDERED = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def extremes(x: Array) -> Any:
    """Return the smallest and the largest entry; None for dtypes that have none in PyTorch."""
    if not (x.dtype.is_floating_point or x.dtype in _ORDERED):
        return None
    return torch.aminmax(x.detach() if x.requires_grad else x)


def _is_plain(x: Array) -> bool:
    """Say whether `x` is wrapped by no transform of PyTorch's."""
    return not (is_functorch_wrapped_tensor(x) or is_legacy_batchedtensor(x))


def _is_constant(arrays: tuple[Array, ...]) -> bool:
    """Say whether neither a transform nor forward mode sees what is done with these arrays."""
    return forward_ad._current_level < 0 and all(a is None or _is_plain(a) for a in arrays)


def call(
    function: Callable[..., Any], args: tuple[Any, ...], options: Options, *, full_precision: bool
) -> Any:
    """Call a function on tensors of one device; under autocast, some of halves made float32."""
    first = args[0]
    here = first.device
    for x in (*args, *options.values()):
        if isinstance(x, torch.Tensor) and x is not first and x.device != here and x.ndim:
            raise _apart(function, args, options)
    if not (full_precision and _is_autocast(here.type)):
        return function(*args, **options)
    with torch.autocast(here.type, enabled=False):  # which would round what we multiply
        return function(*map(_float32, args), **{n: _float32(x) for n, x in options.items()})


def _is_autocast(kind: str) -> bool:
    """Say whether mixed precision is on for devices of this kind."""
    available = kind == "cpu" or torch.amp.is_autocast_available(kind)
    return available and torch.is_autocast_enabled(kind)


def _apart(function: Callable[..., Any], args: tuple[Any, ...], options: Options) -> ValueError:
    """Return the error of tensors on several devices."""
    given = dict(zip(signature(function).parameters, args, strict=False)) | options
    places = {n: x.device for n, x in given.items() if isinstance(x, torch.Tensor)}
    named = ", ".join(f"`{name}`: {place}" for name, place in places.items())
    return ValueError(f"all arrays must be on one device, got {named}")


def _float32(x: Any) -> Any:
    """Return a tensor of halves in float32, anything else as it is."""
    return x.float() if isinstance(x, torch.Tensor) and x.dtype in _HALVES else x


_HALVES = (torch.float16, torch.bfloat16)


def device(x: Array) -> Any:
    """Return where `x` lies; ``array_api_compat.device`` cannot be traced by torch.compile."""
    return x.device


def scatter_add(shape: tuple[int, ...], key: Any, values: Array, *, xp: Namespace) -> Array:
    """Zeros of `shape` with `values` added at `key`."""
    zeros = torch.zeros(shape, dtype=values.dtype, device=values.device)
    keys = key if isinstance(key, tuple) else (key,)
    if keys and all(isinstance(k, torch.Tensor) and k.ndim for k in keys):
        return zeros.index_put(keys, values, accumulate=True)
    # slices among the arrays: let the same key pick positions, and add there
    places = torch.arange(zeros.numel(), device=values.device).reshape(shape)[key]
    flat = zeros.reshape(-1).index_add(0, places.reshape(-1), values.reshape(-1))
    return flat.reshape(shape)


def take_along_axis(x: Array, indices: Array, *, axis: int) -> Array:
    """Return the entries of `x` at `indices`; torch.take_along_dim compiles once for every size."""
    return torch.gather(x, axis, indices)


_PLAIN = (torch.Tensor, torch.nn.Parameter)


def is_view(made: Array, x: Array) -> bool:
    """Say whether `made`, a reshaped `x`, shares its memory."""
    return bool(made._is_view())


BACKEND = Backend(
    "torch",
    Autodiff(
        attach_gradient=attach_gradient,
        stop_gradient=torch.Tensor.detach,
        differentiable_again=differentiable_again,
        repeat_gradient=repeat_gradient,
    ),
    Arrays(
        readable=readable,
        device=device,
        call=call,
        concat=torch.cat,  # torch.concat has no batching rule in gradients with is_grads_batched
        is_view=is_view,
        computed_in=dict.fromkeys((torch.uint16, torch.uint32, torch.uint64), torch.int64),
        namespaces=dict.fromkeys(_PLAIN, xp_torch),
        refused={
            "torch.MaskedTensor": "its mask would be lost; pass `x.get_data()`, and "
            "`where=x.get_mask()`",
        },
        elsewhere={"torch.DTensor": "torch_dtensor"},
    ),
    Indexing(scatter_add=scatter_add, take_along_axis=take_along_axis),
    Speed(
        reductions={"extremes": extremes},
        spread=torch.Tensor.expand,  # which, unlike broadcast_to, is known to every transform
        several=several,
        several_of_rows=several_of_rows(WEIGHT),
        repeats=repeats,
        elementwise_kernel=ELEMENTWISE._replace(ready=ready),
        row_kernel=rowwise(None, WEIGHT),
        special={"erf": torch.special.erf, "erfc": torch.special.erfc},
        kernels={
            "cross_entropy": by_device(
                cpu=rowwise(CROSS_ENTROPY, WEIGHT), cuda=CUDA["cross_entropy"]
            ),
            "linear_cross_entropy": LINEAR_CROSS_ENTROPY,
            "log_softmax": by_device(cpu=rowwise(), cuda=CUDA["log_softmax"]),
            "logsumexp": by_device(cpu=rowwise(), cuda=CUDA["logsumexp"]),
            "softmax": by_device(cpu=rowwise(), cuda=CUDA["softmax"]),
        },
    ),
)

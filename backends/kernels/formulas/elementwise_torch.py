"""Elementwise pairs on PyTorch tensors in host memory, as machine code: one pass each way.

The gradient is computed from the saved operands in one pass of its own, as PyTorch's functions do
it. Where it is differentiated in turn, the portable pair is. Transforms and forward mode never come
here: they see the portable pair.
"""

__library__ = "torch"

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch._C._functorch import is_functorch_wrapped_tensor, is_legacy_batchedtensor
from torch.autograd import forward_ad

from portable_losses._backend import Kernel, Pair
from portable_losses._typing import Array, Options

from ..machine.blocks import in_blocks, limit_workers
from .machine_code import machine_code
from .trace import Formula, key_of, trace

__all__ = ["ELEMENTWISE"]

FEWEST = 2**16  # entries from which on several threads pay
SPAN = 2**17  # entries that machine code takes at once
KEPT = 512  # programs: each is of a function, dtypes and options
FLOATS = (torch.float32, torch.float64)
NAMES = {torch.float32: "float32", torch.float64: "float64", torch.bool: "bool"}
PLAIN = (torch.Tensor, torch.nn.Parameter)


class Code:
    """Machine code of one formula, called on tensors."""

    def __init__(self, formula: Formula, code: Any, dtypes: tuple[str, ...]) -> None:
        self._code = code  # lives as long as this
        self._run = code.function()
        self._sizes = [np.dtype(name).itemsize for name in dtypes]
        self._strided = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(code.strided)
        self.count = len(formula.results)

    def __call__(self, given: list[Array], like: Array) -> list[Array]:
        """Return the results, of the shape of `like`; operands of other strides are copied."""
        outs = [torch.empty_like(like) for _ in range(self.count)]
        count = like.numel()
        operands = [x if x.is_contiguous() else _laid_out(x) for x in given]
        arrays = [*operands, *outs]
        if any(x.stride() and not any(x.stride()) and x.numel() > 1 for x in operands):
            self._run_strided(arrays, count)
            return outs
        places = [x.data_ptr() for x in arrays]
        if count < FEWEST:
            self._run(*places, count)
            return outs

        def work(block: slice) -> None:
            starts = [p + block.start * size for p, size in zip(places, self._sizes, strict=True)]
            self._run(*starts, block.stop - block.start)

        with limit_workers(torch.get_num_threads()):
            in_blocks(work, count, SPAN)
        return outs

    def _run_strided(self, arrays: list[Array], count: int) -> None:
        """Run on operands of which some are one number, repeated."""
        steps = [
            size if x.is_contiguous() else 0 for x, size in zip(arrays, self._sizes, strict=True)
        ]
        strides = (ctypes.c_int64 * len(arrays))(*steps)
        places = [x.data_ptr() for x in arrays]

        def work(block: slice) -> None:
            starts = [p + block.start * step for p, step in zip(places, steps, strict=True)]
            pointers = (ctypes.c_void_p * len(starts))(*starts)
            size = ctypes.c_int64(block.stop - block.start)
            self._strided(
                ctypes.addressof(pointers), ctypes.addressof(size), ctypes.addressof(strides), None
            )

        with limit_workers(torch.get_num_threads()):
            in_blocks(work, count, SPAN)


def _laid_out(x: Array) -> Array:
    """Return `x` without gaps, or as it is where all of its entries are one number."""
    return x if x.numel() > 1 and not any(x.stride()) else x.contiguous()


class Program:
    """A pair as machine code: its value, and its gradients by those operands that need one."""

    def __init__(
        self, pair: Pair, value: Code, dtypes: tuple[str | None, ...], options: Options
    ) -> None:
        self._pair = pair
        self._options = options
        self._value = value
        self._dtypes = dtypes
        self._gradients: dict[tuple[int, ...], Code | None] = {}

    def value(self, arrays: tuple[Array, ...]) -> Array:
        """Return the value."""
        return self._value([x for x in arrays if x is not None], arrays[0])[0]

    def gradients(
        self, grad: Array, arrays: tuple[Array, ...], wanted: tuple[int, ...]
    ) -> tuple[Array | None, ...] | None:
        """Return the gradients by the operands at these places; None without code for it."""
        if wanted not in self._gradients:
            self._gradients[wanted] = self._gradient_code(wanted)
        code = self._gradients[wanted]
        if code is None or grad.dtype != arrays[0].dtype:
            return None
        found = iter(code([grad, *(x for x in arrays if x is not None)], arrays[0]))
        return tuple([next(found) if i in wanted else None for i in range(len(arrays))])

    def _gradient_code(self, wanted: tuple[int, ...]) -> Code | None:
        """Return the code of the gradients at the places `wanted`, of ``(grad, *arrays)``."""
        pair = self._pair

        def pulled(grad: Any, *arrays: Any, **options: Any) -> tuple[Any, ...]:
            out = pair.forward(*arrays, **options)
            if pair.rules:
                return tuple([pair.rules[i](grad, out, *arrays, **options) for i in wanted])
            found = pair.backward(grad, out, *arrays, **options)
            return tuple([found[i] for i in wanted])

        family = pair.forward, pair.backward, wanted
        return _code(pulled, family, (self._dtypes[0], *self._dtypes), self._options)


def _code(
    function: Callable[..., Any], family: Any, dtypes: tuple[str | None, ...], options: Options
) -> Code | None:
    """Return the code of a function of arrays of these dtypes; None where there is none."""
    traced = tuple([None if name is None else np.dtype(name) for name in dtypes])
    given = [x for x in traced if x is not None]
    found = machine_code(
        lambda: trace(function, traced, options),
        (family, dtypes),
        lambda formula: [*given, *formula.dtypes],
    )
    if found is None:
        return None
    formula, code = found
    return Code(formula, code, tuple(d.name for d in (*given, *formula.dtypes)))


_PROGRAMS: dict[Any, Program | None] = {}  # None: the pair cannot be compiled


def _program(pair: Pair, arrays: tuple[Any, ...], options: Options) -> Program | None:
    """Return the program of a pair for arrays of these dtypes; None where there is none."""
    dtypes = tuple([None if x is None else x.dtype for x in arrays])
    key = pair.forward, pair.backward, dtypes, *key_of(options)
    try:
        return _PROGRAMS[key]
    except KeyError:
        pass
    except TypeError:  # an option that is no plain value
        return None
    if len(_PROGRAMS) > KEPT:
        _PROGRAMS.clear()
    names = tuple([None if d is None else NAMES[d] for d in dtypes])
    plain = {name: x for name, x in options.items() if name != "xp"}
    code = _code(pair.forward, (pair.forward, pair.backward), names, plain)
    _PROGRAMS[key] = None
    if code is not None and code.count == 1:
        _PROGRAMS[key] = Program(pair, code, names, plain)
    return _PROGRAMS[key]


# ---- the kernel --------------------------------------------------------------------------------


def _accepts(*arrays: Any, **_: Any) -> bool:
    """Say whether these are plain tensors in host memory, of one shape, outside every transform."""
    first = arrays[0]
    if torch.compiler.is_compiling() or first.dtype not in FLOATS or forward_ad._current_level >= 0:
        return False
    shape = first.shape
    for x in arrays:
        if x is not None and (
            x.__class__ not in PLAIN
            or x.shape != shape
            or x.dtype not in NAMES
            or x.device.type != "cpu"
            or is_functorch_wrapped_tensor(x)
            or is_legacy_batchedtensor(x)
            or x.is_neg()
        ):
            return False
    return True


def _run(pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]) -> Any:
    """Return the value, and a backward by the operands that need a gradient."""
    program = _program(pair, arrays, options)
    if program is None:
        return pair.forward(*arrays, **options), pair.backward

    def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> Any:
        found = program.gradients(grad, arrays, wanted)
        return pair.backward(grad, out, *arrays, **options) if found is None else found

    return program.value(arrays), backward


ELEMENTWISE = Kernel(_accepts, _run, gradients=16)

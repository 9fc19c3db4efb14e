"""A formula as one launch on PyTorch's CUDA tensors, by PyTorch's own compiler of CUDA text.

``torch.cuda.jiterator`` compiles an elementwise function, a template of the dtype, at its first
call. Half types are converted within, so that the formula is one of float32.
"""

__library__ = "torch"

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.cuda import jiterator

from portable_losses._typing import Array, Options

from ..trial.odd_entries import difference, grid
from .program_cuda import Program, written
from .trace import Untraceable

__all__ = ["CudaCode", "cuda_code", "source_of"]

WIDE = {"float16": "float32", "bfloat16": "float32"}
MOST = 8  # operands and results that the compiler takes


class CudaCode:
    """One launch of a formula."""

    def __init__(self, name: str, program: Program) -> None:
        self.source = source_of(name, program)
        count = len([x for x in program.returned if x is not None])
        self._run = jiterator._create_multi_output_jit_fn(self.source, count)

    def __call__(self, given: list[Array], like: Array) -> list[Array]:
        """Return the results."""
        found = self._run(*given)
        return [found] if isinstance(found, torch.Tensor) else list(found)


def source_of(name: str, program: Program) -> str:
    """Return a template of CUDA C++ that runs a program on one entry."""
    results = [(f"y{i}", *one) for i, one in enumerate(program.returned) if one is not None]
    taken = [f"T {x}_" for _, x in program.taken]
    returned = [f"T& {y}" for y, _, _ in results]
    head = [
        f"const {kind} {x} = {x}_ != T(0);" if kind == "bool" else f"const {kind} {x} = {x}_;"
        for kind, x in program.taken
    ]
    tail = [f"{y} = {variable};" for y, _, variable in results]
    body = "\n".join([*head, *program.lines, *tail])
    return f"template <typename T> void {name}({', '.join([*taken, *returned])}) {{\n{body}\n}}"


def cuda_code(
    function: Callable[..., Any], dtypes: tuple[str | None, ...], options: Options, device: Any
) -> CudaCode | None:
    """Return a function of tensors of these dtypes as one launch; None where there is none.

    It is tried on odd numbers first, beside the formula run step by step on the same device.
    """
    traced = tuple([None if x is None else np.dtype(WIDE.get(x, x)) for x in dtypes])
    plain = {key: value for key, value in options.items() if key != "xp"}
    try:
        program = written(function, traced, plain)
    except (Untraceable, AttributeError):
        return None
    results = [x for x in program.returned if x is not None]
    if len(program.taken) > MOST or len(results) > MOST:
        return None
    name = "portable_losses_" + function.__name__.strip("_<>")
    code: CudaCode | None = None
    fault: str | None
    try:
        code = CudaCode(name, program)
        arrays = [None if x is None else torch.asarray(x, device=device) for x in grid(traced)]
        given = [x for x in arrays if x is not None]
        with torch.no_grad():
            want = function(*arrays, **options)
        wanted = want if isinstance(want, tuple) else (want,)
        wanted = tuple([x for x in wanted if x is not None])
        fault = difference(tuple(code(given, given[0])), wanted, lambda x: x.cpu().numpy())
        if dtypes != tuple([None if x is None else x.name for x in traced]):
            code(
                [x.to(getattr(torch, str(name))) for x, name in _present(arrays, dtypes)], given[0]
            )
    except Exception as error:  # compilers and drivers raise errors of any type
        fault = f"{type(error).__name__}: {error}"
    if fault is None:
        return code
    msg = f"the kernel of {function.__name__} is not used on this GPU, as {fault}"
    warnings.warn(msg, RuntimeWarning, stacklevel=4)
    return None


def _present(arrays: list[Any], dtypes: tuple[str | None, ...]) -> list[tuple[Any, str | None]]:
    """Return the arrays that are there, each with its dtype."""
    return [(x, name) for x, name in zip(arrays, dtypes, strict=True) if x is not None]

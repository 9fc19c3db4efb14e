"""Elementwise pairs on PyTorch tensors as machine code, on CUDA as one launch: a pass each way.

The gradient is computed from the saved operands in one pass of its own, as PyTorch's functions do
it. Where it is differentiated in turn, the portable pair is. Transforms and forward mode never come
here: they see the portable pair.
"""

__library__ = "torch"

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from portable_losses._backend import Kernel, Pair
from portable_losses._typing import Array, Options

from .code_cuda_torch import CudaCode, cuda_code
from .code_torch import DTYPES, FEWEST, NAMES, Code, is_dense
from .gradients import pulled, value_and_slope
from .machine_code import ANYWHERE, NATIVE, compiler, machine_code
from .plain_torch import are_plain
from .trace import Formula, key_of, slopes_of, trace

__all__ = ["ELEMENTWISE", "FLOATS", "HALVES", "WIDE", "backward_of", "code_of", "program_of"]

KEPT = 512  # programs: each is of a function, dtypes and options
FLOATS = (torch.float32, torch.float64)
HALVES = (torch.float16, torch.bfloat16)
SUMMED = FLOATS + HALVES


class Program:
    """A pair as machine code: its value, and its gradients by those operands that need one."""

    def __init__(
        self,
        pair: Pair,
        value: Code | CudaCode,
        dtypes: tuple[str | None, ...],
        result: str,
        options: Options,
    ) -> None:
        self._pair = pair
        self._options = options
        self._value = value
        self._dtypes = dtypes
        self._result = result
        self._gradients: dict[tuple[int, ...], Code | CudaCode | None] = {}
        self._slopes: dict[bool, Code | None] = {}  # of value and slope, once they are asked for

    def value(self, arrays: tuple[Array, ...]) -> Array:
        """Return the value."""
        return self._value([x for x in arrays if x is not None], arrays[0])[0]

    def value_and_slope(self, arrays: tuple[Array, ...]) -> list[Array] | None:
        """Return the value, and its slope in the first operand, of few entries; None of many.

        Of many entries the slope takes longer to store than to compute.
        """
        first = arrays[0]
        if first.numel() >= FEWEST or (code := self._sloped(first, added=False)) is None:
            return None
        return code([x for x in arrays if x is not None], first)

    def sum(
        self, arrays: tuple[Array, ...], divisor: int, *, sloped: bool
    ) -> tuple[Array, Array | None]:
        """Return the sum of the value over `divisor`, and its slope in the first operand.

        The slope is None unless it is asked for, and there is code for it.
        """
        given = [x for x in arrays if x is not None]
        if sloped and (both := self._sloped(arrays[0], added=True)) is not None:
            added, (slope,) = both.sum(given, divisor)
            return added, slope
        code: Any = self._value  # of tensors in host memory
        return code.sum(given, divisor)[0], None

    def ready(self, x: Array, *, added: bool, sloped: bool) -> tuple[Any, bool]:
        """Return the value, or the sum, of few entries like `x`, as `Code.few` does.

        And whether it has the slope in the first operand as well.
        """
        found = self._sloped(x, added=added) if sloped else None
        code: Any = found or self._value
        return code.few(x, added=added), found is not None

    def _sloped(self, x: Array, *, added: bool) -> Code | None:
        """Return the code of value and slope, which is made when it is first asked for."""
        if added not in self._slopes:
            self._slopes[added] = self._slope_code(x.device, added=added)
        return self._slopes[added]

    def _slope_code(self, device: Any, *, added: bool) -> Code | None:
        """Return the code of the value and its slope in the first operand.

        The gradients of entries are products with that slope only where the rule is such a product:
        else their last digit may be another. Those of a sum are by definition.
        """
        pair = self._pair
        if device.type != "cpu" or self._dtypes[0] in WIDE:  # a slope of halves is rounded twice
            return None
        dtypes = [None if x is None else np.dtype(x) for x in self._dtypes]
        given = [str(x) for x in self._dtypes if x is not None]
        rule = pair.rules[0] if pair.rules else pair.backward
        found = machine_code(
            lambda: (
                trace(value_and_slope(pair), dtypes, self._options, native=NATIVE)
                if added
                else slopes_of(pair.forward, [rule], dtypes, self._options, native=NATIVE)
            ),
            (pair.forward, pair.backward, added, *given),
            lambda formula: [*given, self._result, self._result],
        )
        return None if found is None else Code(*found, (*given, self._result, self._result))

    def gradients(
        self, grad: Array, arrays: tuple[Array, ...], wanted: tuple[int, ...]
    ) -> tuple[Array | None, ...] | None:
        """Return the gradients by the operands at these places; None without code for it."""
        code = self.pulled(wanted, grad.device)
        if code is None or grad.dtype != DTYPES[self._result]:
            return None
        found = iter(code([grad, *(x for x in arrays if x is not None)], arrays[0]))
        return tuple([next(found) if i in wanted else None for i in range(len(arrays))])

    def pulled(self, wanted: tuple[int, ...], device: Any) -> Any:
        """Return the code of the gradients by these operands, made when it is first asked for."""
        if wanted not in self._gradients:
            self._gradients[wanted] = self._gradient_code(wanted, device)
        return self._gradients[wanted]

    def _gradient_code(self, wanted: tuple[int, ...], device: Any) -> Code | CudaCode | None:
        """Return the code of the gradients at the places `wanted`, of ``(grad, *arrays)``."""
        pair = self._pair
        family = pair.forward, pair.backward, wanted
        given = (self._result, *self._dtypes)
        return code_of(
            pulled(pair, wanted), family, given, str(self._dtypes[0]), self._options, device
        )


def code_of(
    function: Callable[..., Any],
    family: Any,
    given: tuple[str | None, ...],
    result: str,
    options: Options,
    device: Any,
    *,
    checked: bool = False,
) -> Code | CudaCode | None:
    """Return the code of a function of arrays of these dtypes; None where there is none.

    Half dtypes are those of arrays in memory: the formula is one of float32. Of a `checked` one,
    the last result says in one byte whether there is a true one.
    """
    if device.type == "cuda":
        same = {x for x in given if x not in (None, "bool")} == {result}
        return cuda_code(function, given, options, device) if same else None
    traced = tuple([None if x is None else np.dtype(WIDE.get(x, x)) for x in given])
    operands = [x for x in given if x is not None]

    def dtypes(formula: Formula) -> tuple[str, ...]:
        return (*operands, *[result] * (len(formula.results) - checked))

    found = machine_code(
        lambda: trace(function, traced, options, native=NATIVE),
        (family, given, result),
        lambda formula: [*dtypes(formula), *[ANYWHERE] * checked],
    )
    return None if found is None else Code(*found, dtypes(found[0]))


WIDE = {"float16": "float32", "bfloat16": "float32"}
_PROGRAMS: dict[Any, Program | None] = {}  # None: the pair cannot be compiled


def program_of(
    pair: Pair, arrays: tuple[Any, ...], options: Options, *, wide: bool = False
) -> Program | None:
    """Return the program of a pair for arrays of these dtypes; None where there is none."""
    dtypes = tuple([None if x is None else x.dtype for x in arrays])
    device, wide = arrays[0].device, wide or pair.wide
    key = pair.forward, pair.backward, wide, dtypes, device, *key_of(options)
    try:
        return _PROGRAMS[key]
    except KeyError:
        pass
    except TypeError:  # an option that is no plain value
        return None
    if len(_PROGRAMS) > KEPT:
        _PROGRAMS.clear()
    pair = pair._replace(wide=wide)
    names = tuple([None if d is None else NAMES[d] for d in dtypes])
    result = WIDE.get(str(names[0]), str(names[0])) if pair.wide else str(names[0])
    plain = {name: x for name, x in options.items() if name != "xp"}
    code = code_of(pair.forward, (pair.forward, pair.backward), names, result, plain, device)
    made = None if code is None else Program(pair, code, names, result, plain)
    _PROGRAMS[key] = made
    return made


# ---- the kernel --------------------------------------------------------------------------------


def _accepts(*arrays: Any, **_: Any) -> bool:
    """Say whether these are plain tensors of a dtype that is computed in."""
    return arrays[0].dtype in FLOATS and are_plain(arrays)


def _takes(pair: Pair, arrays: tuple[Any, ...], options: Options) -> bool:
    """Say whether these are plain tensors of one dtype."""
    dtype = arrays[0].dtype
    if dtype not in SUMMED or not are_plain(arrays):
        return False
    return len(arrays) == 1 or all(x is None or x.dtype is dtype for x in arrays)


def _sums(pair: Pair, arrays: tuple[Any, ...], options: Options) -> bool:
    """Say whether these are plain tensors in host memory that lie alike, with machine code."""
    first = arrays[0]
    dtype = first.dtype
    if dtype not in SUMMED or not first.is_cpu or not are_plain(arrays) or not first.numel():
        return False  # a launch on a card returns entries
    gapless = first.is_contiguous()
    if not (gapless or is_dense(first)):
        return False
    mask = arrays[-1] if pair.masked else None
    for x in arrays:
        if x is not None and not (
            (x.dtype is dtype or x is mask)
            and (x.is_contiguous() if gapless else x.stride() == first.stride())
        ):
            return False
    return compiler() is not None


def _run(pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]) -> Any:
    """Return the value, and a backward by the operands that need a gradient."""
    if pair.summand is not None:
        return _run_summed(pair, arrays, options, wanted)
    program = program_of(pair, arrays, options)
    if program is None:
        return _run_portable(pair, arrays, options)
    found = program.value_and_slope(arrays) if wanted == (0,) else None
    value, saved = (program.value(arrays), None) if found is None else found
    absent = (None,) * (len(arrays) - 1)

    def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> Any:
        nonlocal saved
        slope, saved = saved, None  # the gradient takes its memory; a second one is computed
        if slope is not None:
            return slope.mul_(grad), *absent
        found = program.gradients(grad, arrays, wanted)
        return backward_of(pair, arrays)(grad, out, *arrays, **options) if found is None else found

    return value, backward


def _run_portable(pair: Pair, arrays: tuple[Any, ...], options: Options) -> Any:
    """Return the value and the backward of a pair that cannot be compiled."""
    dtype = arrays[0].dtype
    if dtype not in HALVES:
        return pair.forward(*arrays, **options), pair.backward
    wide = [x.float() if x is not None and x.dtype in HALVES else x for x in arrays]
    out = pair.forward(*wide, **options)
    return out if pair.wide else out.to(dtype), backward_of(pair, arrays)


def _run_summed(
    pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]
) -> Any:
    """Return the sum of the summand over the divisor, and a backward."""
    each: Any = pair.summand
    rest = dict(options)
    divisor, absent = rest.pop("divisor"), (None,) * (len(arrays) - 1)
    program = program_of(each, arrays, rest, wide=True)
    if program is None:
        return _run_unsummed(each._replace(wide=True), arrays, rest, wanted, divisor)
    value, saved = program.sum(arrays, divisor, sloped=wanted == (0,))

    def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> Any:
        nonlocal saved
        slope, saved = saved, None
        if slope is not None:
            unscaled = grad.item() == 1  # of a loss it mostly is
            return (slope if unscaled else slope.mul_(grad), *absent)
        spread = (grad / divisor).expand(arrays[0].shape)
        found = program.gradients(spread, arrays, wanted)
        return backward_of(pair, arrays)(grad, out, *arrays, **options) if found is None else found

    return value, backward


def _run_unsummed(
    each: Pair, arrays: tuple[Any, ...], rest: Options, wanted: tuple[int, ...], divisor: int
) -> Any:
    """Return the same of a pair that cannot be compiled."""
    entries, pull = _run(each, arrays, rest, wanted)

    def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> Any:
        return pull((grad / divisor).expand(entries.shape), entries, *arrays, **rest)

    return entries.sum() / divisor, backward


def backward_of(pair: Pair, arrays: tuple[Any, ...]) -> Callable[..., Any]:
    """Return the backward of a pair; of half dtypes one that computes in float32."""
    if arrays[0].dtype not in HALVES:
        return pair.backward

    def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> tuple[Any, ...]:
        wide = [x.float() if x is not None and x.dtype in HALVES else x for x in arrays]
        out = pair.forward(*wide, **options)
        grads = tuple([g.float() for g in grad]) if isinstance(grad, tuple) else grad.float()
        pulled = pair.backward(grads, out, *wide, **options)
        return tuple(
            [None if g is None else g.to(x.dtype) for g, x in zip(pulled, arrays, strict=True)]
        )

    return backward


ELEMENTWISE = Kernel(_accepts, _run, gradients=16, takes=_takes, sums=_sums)

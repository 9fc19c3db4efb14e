"""An elementwise pair of small tensors with everything looked up: what a plan runs."""

__library__ = "torch"

from typing import Any

from portable_losses._backend import Pair
from portable_losses._typing import Options

from .code_torch import FEWEST
from .elementwise_torch import backward_of, program_of

__all__ = ["ready"]


def ready(pair: Pair, arrays: tuple[Any, ...], options: Options, wanted: tuple[int, ...]) -> Any:
    """Return `_run` for few entries of these dtypes and shapes, without gaps; None without code."""
    first, each = arrays[0], pair.summand or pair
    rest = dict(options)
    divisor = rest.pop("divisor", None)
    if not first.is_cpu or first.numel() >= FEWEST:
        return None
    program = program_of(each, arrays, rest, wide=pair.summand is not None or pair.wide)
    if program is None:
        return None
    value, sloped = program.ready(first, added=divisor is not None, sloped=wanted == (0,))
    given = [i for i, x in enumerate(arrays) if x is not None]
    whole, absent = len(given) == len(arrays), (None,) * (len(arrays) - 1)

    few: Any = None
    if wanted == (0,) and divisor is None and not sloped:
        code = program.pulled(wanted, first.device)
        few = None if code is None else code.few(first, added=False)

    def pull(grad: Any, out: Any, *arrays: Any, **options: Any) -> Any:
        if few is not None and grad.is_contiguous() and grad.dtype is arrays[0].dtype:
            present = arrays if whole else [arrays[i] for i in given]
            return few((grad, *present), None)[0], *absent
        by = options.get("divisor")
        spread = grad if by is None else (grad / by).expand(arrays[0].shape)
        found = program.gradients(spread, arrays, wanted)
        return backward_of(pair, arrays)(grad, out, *arrays, **options) if found is None else found

    def run(arrays: tuple[Any, ...], divisor: float | None = divisor) -> Any:
        made = value(arrays if whole else [arrays[i] for i in given], divisor)
        return made if sloped else (made[0], pull)

    return run

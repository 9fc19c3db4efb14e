"""Functions with several results on PyTorch tensors, that nothing differentiates."""

__library__ = "torch"

from array import array
from collections.abc import Callable, Sequence
from typing import Any

from portable_losses._typing import Array, Options

from .code_torch import NAMES
from .elementwise_torch import FLOATS, KEPT, code_of
from .plain_torch import are_plain
from .trace import key_of

__all__ = ["several"]


def several(
    function: Callable[..., Any],
    arrays: tuple[Array, ...],
    options: Options,
    out: Sequence[Any] = (),
    *,
    checked: bool = False,
) -> Any:
    """Return the results of an elementwise function, of plain tensors in one pass.

    Of a `checked` one the last result is a mask, in whose place is whether it is true anywhere.
    """
    first = arrays[0]
    given = tuple([x if x.shape == first.shape else x.expand(first.shape) for x in arrays])
    code = None
    if first.dtype in FLOATS and are_plain(given):
        dtypes = tuple([x.dtype for x in given])
        key = function, checked, dtypes, first.device, *key_of(options)
        if key not in _SEVERAL:
            if len(_SEVERAL) > KEPT:
                _SEVERAL.clear()
            names = tuple([NAMES[d] for d in dtypes])
            plain = {name: x for name, x in options.items() if name != "xp"}
            how = function, function, names, names[0], plain, first.device
            _SEVERAL[key] = code_of(*how, checked=checked)
        code = _SEVERAL[key]
    if code is None:
        made = function(*arrays, **options)
        return (*made[:-1], bool(made[-1].any())) if checked else made
    given, like = tuple([x.detach() for x in given]), first.detach()
    if not checked:
        return tuple(code(list(given), like))
    anywhere = array("b", [0])
    return (*code(list(given), like, anywhere.buffer_info()[0]), bool(anywhere[0]))


_SEVERAL: dict[Any, Any] = {}  # None: the function cannot be compiled

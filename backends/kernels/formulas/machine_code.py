"""Formulas as machine code, where llvmlite is installed and the processor is known; else None.

llvmlite is imported by the first formula that is compiled. What was compiled is kept for the
process; a formula whose options change from call to call is compiled for the first few only.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from importlib import import_module
from threading import Lock
from typing import Any

from .trace import Untraceable

__all__ = ["ANYWHERE", "LARGE", "MOST", "NATIVE", "PARTS", "compiler", "machine_code"]

LARGE = 3 * 2**22  # bytes of operands and results that are in no cache for the next call
PARTS: ContextVar[int] = ContextVar("parts", default=1)  # arrays such as those of a call, in all
MOST = 64  # codes of one function, dtypes and gradients: each is of other options

ANYWHERE = "anywhere"  # the dtype of a last result: one byte, 1 where truth values have a true one

NATIVE = ("erf", "erfc", "fma")  # steps beyond the standard's functions, as accurate as ours

HERE = __name__.rpartition(".")[0]

_COMPILERS: dict[str, Any] = {}  # modules; None where there is none
_COUNT: Counter[Any] = Counter()
_CODES: dict[
    Any, Any
] = {}  # by formula and dtypes: NumPy's arrays and PyTorch's tensors share them
_LOCK = Lock()  # LLVM is used by one thread at a time


def compiler(room: str = HERE) -> Any:
    """Return the module of a room that compiles its formulas, None where there is none."""
    if room not in _COMPILERS:
        try:
            found = import_module(f"{room}.program_llvm")
        except ModuleNotFoundError as error:
            if error.name != "llvmlite":
                raise
            found = None
        _COMPILERS[room] = found if found and found.is_supported() else None
    return _COMPILERS[room]


def machine_code(
    written: Callable[[], Any],
    family: Any,
    dtypes: Callable[[Any], Sequence[Any]],
    room: str = HERE,
) -> tuple[Any, Any] | None:
    """Return the formula that is `written`, and its code; None where it cannot be compiled.

    `family` tells the formulas apart that differ in options alone; `dtypes` are those of the arrays
    in memory, operands and then results. `room` has the compiler.
    """
    with _LOCK:
        found = compiler(room)
        if found is None or _COUNT[family] >= MOST:
            return None
        try:
            formula = written()
            names = tuple(map(str, dtypes(formula)))
            key = repr(formula), names  # tells 0.0 from -0.0
            if key not in _CODES:
                _CODES[key] = found.compiled(formula, names)
        except (Untraceable, AttributeError):
            return None
        _COUNT[family] += 1
        code = _CODES[key]
        return formula, code

"""Formulas as machine code, where llvmlite is installed and the processor is known; else None.

llvmlite is imported by the first formula that is compiled. What was compiled is kept for the
process; a formula whose options change from call to call is compiled for the first few only.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from importlib import import_module
from threading import Lock
from typing import Any

from .trace import Formula, Untraceable

__all__ = ["LARGE", "MOST", "NATIVE", "compiler", "machine_code"]

LARGE = 2**24  # bytes of operands and results from which on they are in no cache for the next call
MOST = 64  # codes of one function, dtypes and gradients: each is of other options

NATIVE = ("erf", "erfc", "fma")  # steps beyond the standard's functions, as accurate as ours

_COMPILER: list[Any] = []  # the module, or None where there is none
_COUNT: Counter[Any] = Counter()
_CODES: dict[
    Any, Any
] = {}  # by formula and dtypes: NumPy's arrays and PyTorch's tensors share them
_LOCK = Lock()  # LLVM is used by one thread at a time


def compiler() -> Any:
    """Return the module that compiles formulas, None where there is none."""
    if not _COMPILER:
        try:
            found = import_module(f"{__package__}.program_llvm")
        except ModuleNotFoundError as error:
            if error.name != "llvmlite":
                raise
            found = None
        _COMPILER.append(found if found and found.is_supported() else None)
    return _COMPILER[0]


def machine_code(
    written: Callable[[], Formula], family: Any, dtypes: Callable[[Formula], Sequence[Any]]
) -> tuple[Formula, Any] | None:
    """Return the formula that is `written`, and its code; None where it cannot be compiled.

    `family` tells the formulas apart that differ in options alone; `dtypes` are those of the arrays
    in memory, operands and then results.
    """
    with _LOCK:
        found = compiler()
        if found is None or _COUNT[family] >= MOST:
            return None
        try:
            formula = written()
            names = tuple(map(str, dtypes(formula)))
            key = repr(formula._replace(several=None)), names  # tells 0.0 from -0.0
            if key not in _CODES:
                _CODES[key] = found.compiled(formula, names)
        except (Untraceable, AttributeError):
            return None
        _COUNT[family] += 1
        code = _CODES[key]
        return formula, code

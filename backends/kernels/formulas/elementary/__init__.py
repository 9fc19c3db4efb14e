"""Elementary functions on the operations of an `Arithmetic` alone: the same bits everywhere.

Each takes the arithmetic ``a`` of float32 or float64 and returns the function of `x`, at most one
ulp off over the whole range (docs/elementary.md has the figures): subnormal numbers, signed zeros,
infinities and NaN included. There are no branches: a loop around them runs on vectors.
"""

from .error_function import erf, erfc
from .exponentials import exp, exp2, exp_between, expm1, expm1_between, sinh, tanh
from .logarithms import arctanh, log, log1p, log1p_between, log2
from .powers import power

__all__ = [
    "arctanh",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "exp_between",
    "expm1",
    "expm1_between",
    "log",
    "log1p",
    "log1p_between",
    "log2",
    "power",
    "sinh",
    "tanh",
]

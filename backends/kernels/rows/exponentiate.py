"""The exponentials of rows, into memory that is there: NumPy, and PyTorch on the CPU."""

from typing import Any

from portable_losses._rows import NOTHING
from portable_losses._typing import Array

__all__ = ["exponentiate"]


def exponentiate(m: Any, z: Array, n: Array, d: Array, e: Array) -> None:
    """Write `portable_losses._rows.exponentials` of ``d = z - n``, which is overwritten, to `e`.

    That may be the memory of `z` or `d`. `m` has the functions of the arrays.
    """
    m.clip(d, NOTHING[d.dtype == m.float64], None, out=d)
    excess = d + n
    m.subtract(excess, z, out=excess)
    m.clip(excess, None, 1.0, out=excess)
    m.negative(excess, out=excess)
    m.add(excess, 1, out=excess)
    m.exp(d, out=e)
    m.multiply(e, excess, out=e)

"""NumPy's names on Tensors: plain NumPy code is recorded, over the arrays of every library.

`names.py` is the table: NumPy's names, and for each a function with NumPy's signature, composed of
the standard's functions. The files of functions fill it, `protocols.py` answers NumPy and CuPy from
it, and the methods of a Tensor are looked up in it.
"""

from . import (  # each fills the table
    calculus,
    creation,
    diagonals,
    dtypes,
    einsum,
    elementwise,
    fourier,
    joining,
    linear_algebra,
    logic,
    mathematics,
    nan_reductions,
    norms,
    padding,
    places,
    polynomials,
    products,
    quantiles,
    reductions,
    refused,
    sets,
    shapes,
    sorting,
    statistics,
)
from .names import FUNCTIONS

__all__ = [
    "FUNCTIONS",
    "calculus",
    "creation",
    "diagonals",
    "dtypes",
    "einsum",
    "elementwise",
    "fourier",
    "joining",
    "linear_algebra",
    "logic",
    "mathematics",
    "nan_reductions",
    "norms",
    "padding",
    "places",
    "polynomials",
    "products",
    "quantiles",
    "reductions",
    "refused",
    "sets",
    "shapes",
    "sorting",
    "statistics",
]

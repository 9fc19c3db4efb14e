"""NumPy's names on Tensors: plain NumPy code is recorded, over the arrays of every library.

`names.py` is the table: a name of NumPy's and a function with NumPy's signature, composed of the standard's functions.
The files of functions fill it, `protocols.py` answers NumPy (and CuPy) from it, and Tensor's methods are in it.
"""

from . import (
    calculus,
    creation,
    diagonals,
    einsum,
    fourier,
    joining,
    linear_algebra,
    norms,
    padding,
    places,
    polynomials,
    products,
    shapes,
)

__all__ = [
    "calculus",
    "creation",
    "diagonals",
    "einsum",
    "fourier",
    "joining",
    "linear_algebra",
    "norms",
    "padding",
    "places",
    "polynomials",
    "products",
    "shapes",
]

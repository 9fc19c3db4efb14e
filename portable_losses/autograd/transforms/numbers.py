"""Python numbers as arguments: ``grad(f)(3.0)`` is a number, too."""

from typing import Any

from portable_losses._polyfill import device_of
from portable_losses._typing import Array
from portable_losses.autograd._libraries import default_library, is_array, library_of
from portable_losses.autograd.tensors.tensor import Tensor, tensor_of
from portable_losses.autograd.transforms.nested import flatten_nested

__all__ = ["arrays_for_numbers", "floating", "is_number", "numbers_for_arrays"]

_NUMBERS = frozenset([bool, int, float, complex])


def is_number(x: Any) -> bool:
    """Say whether `x` is a Python number, and no array."""
    return x.__class__ in _NUMBERS


def floating(number: Any, beside: Any) -> Array:
    """Return a number as an array of the library of those in `beside`, else of NumPy."""
    found = next(filter(is_array, flatten_nested(beside)[0]), None)
    xp = default_library().xp if found is None else library_of(found).xp
    home = None if found is None else device_of(found, xp=xp)
    return xp.asarray(number if isinstance(number, complex) else float(number), device=home)


def arrays_for_numbers(tree: Any, beside: Any = ()) -> tuple[Any, bool]:
    """Return `tree` with arrays for its Python numbers, and whether it holds nothing else."""
    leaves, rebuild = flatten_nested(tree)
    numbers = list(map(is_number, leaves))
    if not any(numbers):
        return tree, False
    others = [leaves, beside]
    arrays = [floating(x, others) if n else x for x, n in zip(leaves, numbers, strict=True)]
    return rebuild(arrays), all(numbers)


def numbers_for_arrays(tree: Any) -> Any:
    """Return `tree` with Python numbers for its arrays without axes, but for Tensors."""
    leaves, rebuild = flatten_nested(tree)
    return rebuild(x if isinstance(x, Tensor) or x.shape else tensor_of(x).item() for x in leaves)

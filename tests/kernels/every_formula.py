"""Every elementwise function that the rows of the tests call, as the libraries' kernels see it."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from portable_losses import _backend
from portable_losses._backend import Speed, load_backend
from tests.libraries import named
from tests.rows import ONCE

Seen = dict[tuple[Any, ...], Any]


@cache
def every_formula() -> Seen:
    """The functions, forward and backward: each with the kinds of its arrays, and its options."""
    library, seen = named("numpy"), Seen()

    def note(function: Callable[..., Any], arrays: Any, options: Any) -> Any:
        given = tuple(sorted((k, v) for k, v in options.items() if k != "xp"))
        present = tuple(None if x is None else x.dtype.kind for x in arrays)
        seen[function, present, given] = None
        return function(*arrays, **options)

    with pytest.MonkeyPatch.context() as patch:
        spied = replace(load_backend("numpy"), speed=Speed(elementwise=note))
        patch.setitem(_backend._LOADED, "numpy", spied)
        for sample in (one for one in ONCE if one.variables):
            with library.active():
                arrays = sample.on(library)
                f = sample.scalar(arrays, library, "float64")
                library.gradient(f, range(len(sample.variables)))(
                    *[arrays[key] for key in sample.variables]
                )
    return seen


def dtypes_of(present: tuple[str | None, ...], dtype: Any) -> tuple[Any, ...]:
    """The dtypes of the arrays of a function, of which the floating ones are `dtype`."""
    return tuple(None if k is None else np.dtype(bool if k == "b" else dtype) for k in present)

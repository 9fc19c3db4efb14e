"""Odd numbers in many combinations, on which a kernel of a formula is held against the formula."""

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["difference", "grid"]

ULPS = 4  # by which CuPy's own functions may differ from those of a kernel

ODD = (
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 0.25, 2.0, -3.0, 17.0, -17.0, 60.0, -60.0, 90.0, -90.0, 1e-3,
    -1e-3, 1e-30, -1e-30, 3e38, -3e38, np.inf, -np.inf, np.nan,
)  # fmt: skip


def grid(dtypes: tuple[Any, ...]) -> list[Any]:
    """Return arrays of NumPy on which to try a kernel: odd numbers in many combinations."""
    rng = np.random.default_rng(5)
    found: list[Any] = []
    for dtype in dtypes:
        numbers = np.concatenate([rng.choice(ODD, 2000), 4 * rng.standard_normal(1000)])
        rng.shuffle(numbers)
        if dtype is None:
            found.append(None)
        else:
            found.append(numbers > 0 if dtype.kind == "b" else numbers.astype(dtype))
    return found


def difference(
    got: tuple[Any, ...], want: tuple[Any, ...], numpy: Callable[..., Any]
) -> str | None:
    """Return how results differ from what the formula gives step by step; None if not."""
    if len(got) != len(want) or [x is None for x in got] != [x is None for x in want]:
        return "it returns other results than the formula"
    for one, two in ((numpy(a), numpy(b)) for a, b in zip(got, want, strict=True) if a is not None):
        if (one.shape, one.dtype) != (two.shape, two.dtype):
            return f"it returns {one.dtype}{one.shape}, not {two.dtype}{two.shape}"
        same = (one == two) | ((one != one) & (two != two))
        if two.dtype.kind == "f":
            limits = np.finfo(two.dtype)
            with np.errstate(invalid="ignore", over="ignore"):
                far = ULPS * float(limits.eps) * np.abs(two) + float(limits.smallest_normal)
                same |= np.abs(one - two) <= far
        if not same.all():
            place = int(np.argmin(same))
            return f"it returns {one[place]} where the formula has {two[place]}"
    return None

"""When two results are the same: bits, or digits up to what the dtype allows."""

from typing import Any

import numpy as np

__all__ = ["TOLERANCES", "difference", "same_bits"]

#: relative tolerance, and the smallest normal number
TOLERANCES = {
    "float16": (2e-2, 6.2e-5),
    "bfloat16": (8e-2, 1.2e-38),
    "float32": (2e-4, 1.2e-38),
    "float64": (1e-9, 2.3e-308),
}
LARGEST = {"float16": 65504.0, "bfloat16": 3.39e38, "float32": 3.403e38, "float64": 1.798e308}


def difference(got: Any, want: Any, dtype: str, *, scale: float = 0.0) -> str:
    """Say how `got` differs from `want`: "" (not), "shape", "nan", "infinite" or "digits".

    `scale` is the size of the terms that both are sums of.
    """
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape:
        return "shape"
    if got.dtype.kind not in "fc":
        return "" if np.array_equal(got, want) else "digits"
    if got.tobytes() == want.tobytes() and got.dtype == want.dtype:
        return ""
    rtol, tiny = TOLERANCES[dtype]
    with np.errstate(all="ignore"):
        a, b = got.astype(np.float64), want.astype(np.float64)
        if not np.array_equal(np.isnan(a), np.isnan(b)):
            return "nan"
        near = np.abs(a - b) <= rtol * np.maximum(np.abs(a), np.abs(b)) + rtol * scale + 4 * tiny
        near |= np.isnan(a) | (a == b)
        if near.all():
            return ""
        infinite = np.isinf(a) != np.isinf(b)
        edge = LARGEST[dtype] * (1 - 4 * rtol)  # a finite number next to overflow
        near |= infinite & (np.minimum(np.abs(a), np.abs(b)) >= edge) & (np.sign(a) == np.sign(b))
        if near.all():
            return ""
        return "infinite" if (infinite & ~near).any() else "digits"


def same_bits(got: Any, want: Any) -> bool:
    """Say whether both are the same numbers, NaN being NaN and 0 having no sign."""
    got, want = np.asarray(got), np.asarray(want)
    return got.shape == want.shape and np.array_equal(got, want, equal_nan=got.dtype.kind in "fc")

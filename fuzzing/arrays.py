"""One array of a call: its numbers, its dtype, how it lies in memory, and its text."""

import math
import warnings
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

__all__ = [
    "LAYOUTS",
    "Given",
    "Text",
    "draw_layout",
    "laid_out",
    "number_text",
    "shown",
    "substitute",
]

LAYOUTS = ("F", "reversed", "strided", "broadcast", "read-only", "big-endian")


@dataclass(frozen=True)
class Text:
    """An option that is not written as its ``repr``."""

    value: Any
    text: str

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True, eq=False)
class Given:
    """An array argument.

    `values` is a NumPy array in C order; `dtype` differs from its own for bfloat16, which NumPy
    has not. `form` is "array", or what is given in place of an array on purpose.
    """

    values: Any
    dtype: str
    domain: str = "real"
    layout: str = "C"
    form: str = "array"

    @property
    def floating(self) -> bool:
        """Say whether it is an array of real numbers, to differentiate by."""
        return self.form == "array" and self.values.dtype.kind == "f"


def substitute(x: Given) -> Any:
    """Make what is given in place of an array on purpose."""
    if x.form == "text":
        return "text"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if x.form == "matrix":
            return np.matrix(x.values)
    return np.ma.masked_array(x.values, mask=_first_place(x.values))


def laid_out(x: Any, layout: str) -> Any:
    """Return the NumPy array with the numbers of `x` that lies in memory as `layout` says."""
    if layout == "C" or (x.ndim == 0 and layout not in ("read-only", "big-endian")):
        return x
    if layout == "F":
        return np.asfortranarray(x)
    if layout == "reversed":
        return np.flip(np.flip(x).copy())
    if layout == "strided":
        return np.repeat(x, 2, axis=-1)[..., ::2]
    if layout == "broadcast":
        return np.broadcast_to(x[:1], x.shape)
    if layout == "read-only":
        return np.broadcast_to(x, x.shape)
    return x.astype(x.dtype.newbyteorder(">"))


def draw_layout(r: Random, values: Any) -> tuple[Any, str]:
    """Return `values`, the same along axis 0 if that is to be broadcast, and a layout."""
    if r.random() < 0.7:
        return values, "C"
    layout = r.choice(LAYOUTS)
    if layout == "broadcast":
        if values.ndim == 0 or 0 in values.shape:
            return values, "read-only"
        values = np.broadcast_to(values[:1], values.shape).copy()
    return values, layout


def _first_place(values: Any) -> Any:
    """Return a mask that is True at the first entry."""
    return np.arange(values.size).reshape(values.shape) == 0


def number_text(x: Any) -> str:
    """Return a number as Python reads it, with ``nan`` and ``inf`` as names."""
    if isinstance(x, list):
        return f"[{', '.join(map(number_text, x))}]"
    if isinstance(x, float) and math.isinf(x):
        return "inf" if x > 0 else "-inf"
    return repr(x)


def shown(x: Given) -> str:
    """Return the NumPy expression that makes `x`."""
    numbers = number_text(x.values.tolist())
    dtype = x.values.dtype.name
    empty = 0 in x.values.shape
    array = (
        f"np.zeros({x.values.shape}, {dtype!r})" if empty else f"np.asarray({numbers}, {dtype!r})"
    )
    if x.form != "array":
        return {
            "text": "'text'",
            "matrix": f"np.matrix({array})",
            "masked": f"np.ma.masked_array({array}, {_first_place(x.values).tolist()})",
        }[x.form]
    if x.layout == "F":
        return f"np.asfortranarray({array})" if x.values.ndim else array
    if x.layout == "reversed":
        return f"np.flip(np.flip({array}).copy())"
    if x.layout == "strided":
        return f"np.repeat({array}, 2, axis=-1)[..., ::2]" if x.values.ndim else array
    if x.layout in ("read-only", "broadcast"):
        source = number_text(x.values[:1].tolist()) if x.layout == "broadcast" else numbers
        array = array if empty else f"np.asarray({source}, {dtype!r})"
        return f"np.broadcast_to({array}, {x.values.shape})"
    if x.layout == "big-endian":
        return f"{array}.astype({x.values.dtype.newbyteorder('>').str!r})"
    return array

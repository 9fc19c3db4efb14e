"""A call of a public function beside its definition: a `Sample`. The rows are in tests/rows/.

A row is all that a new function needs: how to call it, and what it is defined to be. Its exact
value, gradient and second derivative follow from it, by differences at a hundred digits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import mpmath
import numpy as np
from array_api_compat import array_namespace

from portable_losses._typing import Array
from tests.definitions import DIGITS, exact
from tests.libraries import Library

__all__ = ["Arrays", "Sample"]

STEP = mpmath.mpf(10) ** -40

Key = int | str
Arrays = Mapping[Key, Array]


@dataclass(frozen=True, eq=False)
class Sample:
    """A call, and its definition.

    Parameters
    ----------
    function : callable
        Of the library.
    definition : callable
        The same call on NumPy arrays of mpmath numbers.
    arrays : tuple
        Positional arguments: nested lists, or Python integers that stay.
    options : dict
        Keyword arguments; the NumPy arrays among them become the library's.
    note : str
        What tells this row from others of the same function.
    constants : tuple
        Floating arrays that are not to be differentiated, by position or name.
    inside : dict
        Where an array may be moved for differences, (low, high) by position or name: inside its
        domain and off every kink. By default the first in (-1.25, 1.75), others in (0.2, 0.8).
    smooth_at_zero : bool
        Is it twice differentiable where the arrays that `zeros` names are 0?
    zeros : tuple
        The arrays that are set to 0 for that.
    """

    function: Callable[..., Any]
    definition: Callable[..., Any]
    arrays: tuple[Any, ...]
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    note: str = ""
    constants: tuple[Key, ...] = ()
    inside: Mapping[Key, tuple[float, float]] = field(
        default_factory=dict[Key, tuple[float, float]]
    )
    smooth_at_zero: bool = True
    zeros: tuple[Key, ...] = (0,)

    def __str__(self) -> str:
        return f"{self.function.__name__} {self.note}".strip()

    @cached_property
    def given(self) -> dict[Key, Any]:
        """Every array of the call, by position or name."""
        arrays: dict[Key, Any] = {
            i: np.asarray(a) for i, a in enumerate(self.arrays) if not isinstance(a, int)
        }
        return arrays | {k: v for k, v in self.options.items() if isinstance(v, np.ndarray)}

    @cached_property
    def variables(self) -> tuple[Key, ...]:
        """The arrays to differentiate by."""
        floating = [key for key, a in self.given.items() if a.dtype.kind == "f"]
        return tuple(key for key in floating if key not in self.constants)

    @cached_property
    def moderate(self) -> dict[Key, Any]:
        """The arrays of the call, the variables among them moved to where differences work."""
        random, arrays = np.random.default_rng(0), dict(self.given)
        for key in self.variables:
            low, high = self.inside.get(key, (-1.25, 1.75) if key == 0 else (0.2, 0.8))
            arrays[key] = random.uniform(low, high, arrays[key].shape)
        return arrays

    # ---- on a library -------------------------------------------------------------------------

    def on(self, library: Library, dtype: str = "float64") -> dict[Key, Array]:
        """Make the arrays of the call."""
        return {key: library.array(a, dtype) for key, a in self.given.items()}

    def call(self, arrays: Arrays) -> tuple[Array, ...]:
        """Call the function; the results are a tuple in any case."""
        return self._call(self.function, arrays)

    def _call(self, function: Callable[..., Any], arrays: Arrays) -> tuple[Any, ...]:
        positional = [arrays.get(i, a) for i, a in enumerate(self.arrays)]
        options = {name: arrays.get(name, value) for name, value in self.options.items()}
        result = function(*positional, **options)
        return result if isinstance(result, tuple) else (result,)

    def scalar(self, arrays: Arrays, library: Library, dtype: str) -> Callable[..., Array]:
        """Return the function of the variables that is differentiated.

        It is the sum of the results' finite entries, each with a weight of its own.
        """
        finite = [None if np.all(np.isfinite(v)) else np.isfinite(v) for v in self.value]
        masks = [None if f is None else library.array(f) for f in finite]
        weights = [library.array(weights_of(v), dtype) for v in self.value]

        def f(*variables: Array) -> Array:
            outs = self.call({**arrays, **dict(zip(self.variables, variables, strict=True))})
            xp = array_namespace(*outs)
            total: Array = 0
            for out, weight, mask in zip(outs, weights, masks, strict=True):
                kept = out if mask is None else xp.where(mask, out, xp.zeros_like(out))
                total = xp.sum(kept * weight, dtype=out.dtype) + total
            return total

        return f

    # ---- exactly ------------------------------------------------------------------------------

    @cached_property
    def value(self) -> tuple[Any, ...]:
        """The exact results, rounded to float64."""
        with mpmath.workdps(DIGITS):
            return tuple(rounded(r) for r in self._exact({}))

    @cached_property
    def gradient(self) -> tuple[Any, ...]:
        """The exact gradient of `scalar` by every variable, rounded to float64."""
        with mpmath.workdps(DIGITS):
            return tuple(self._gradient_by(key) for key in self.variables)

    @cached_property
    def curvature(self) -> float:
        """The exact second derivative of `scalar` along two directions, rounded to float64."""
        with mpmath.workdps(DIGITS):
            u = {key: STEP * exact(self.direction(key, 3)) for key in self.variables}
            v = {key: STEP * exact(self.direction(key, 5)) for key in self.variables}
            near = self._scalar({k: u[k] + v[k] for k in u})
            near += self._scalar({k: -u[k] - v[k] for k in u})
            far = self._scalar({k: u[k] - v[k] for k in u})
            far += self._scalar({k: v[k] - u[k] for k in u})
            return float((near - far) / (4 * STEP**2))

    def direction(self, key: Key, stride: int) -> Any:
        """A direction of one variable: numbers between -1 and 1."""
        shape = self.given[key].shape
        return (np.arange(np.prod(shape)) * stride % 7 - 3).reshape(shape) / 4

    def _gradient_by(self, key: Key) -> Any:
        slopes = []
        for place in np.ndindex(self.given[key].shape):
            step = exact(np.zeros(self.given[key].shape))
            step[place] = STEP
            ahead, behind = self._scalar({key: step}), self._scalar({key: -step})
            slopes.append((ahead - behind) / (2 * STEP))
        return rounded(np.asarray(slopes, dtype=object).reshape(self.given[key].shape))

    def _exact(self, steps: Arrays) -> tuple[Any, ...]:
        arrays = {key: exact(a) for key, a in self.given.items()}
        return self._call(self.definition, arrays | {k: arrays[k] + s for k, s in steps.items()})

    def _scalar(self, steps: Arrays) -> Any:
        return sum(
            sum(
                w * r
                for w, r, v in zip(weights_of(value).flat, out.flat, value.flat, strict=True)
                if np.isfinite(v)
            )
            for out, value in zip(map(np.asarray, self._exact(steps)), self.value, strict=True)
        )


def weights_of(value: Any) -> Any:
    """The weight of each entry in `Sample.scalar`: eighths, exact in every dtype."""
    return ((np.arange(np.size(value)) * 5 % 8 + 1) / 8).reshape(np.shape(value))


def rounded(x: Any) -> Any:
    return np.asarray(x).astype(np.float64)

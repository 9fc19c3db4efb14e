"""Functions of numbers beside their definitions: rows for the laws and the measure of accuracy.

A `Curve` is a function of one number, `OfTwo` of two, a `Pointwise` a loss of one element. What a
definition says of finite numbers is completed here: by NaN for NaN and outside the domain, and by
the limits at infinities. So a definition may take roots and logarithms of what is positive in the
domain, although the measure of accuracy asks for the numbers next to its ends.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf, nan

from portable_losses._typing import Array
from tests import definitions
from tests.definitions import Exact, Number, elementwise
from tests.samples import Sample

__all__ = ["Curve", "OfTwo", "Pointwise"]

X = ((-1e4, -30.5, -2.25, -0.75), (0.0, 1e-3, 3.0, 40.0))
BENT = ((-1e4, -30.5, -2.25, -0.75), (0.625, 1e-3, 3.5, 40.0))  # no point on a kink


@dataclass(frozen=True, eq=False)
class Curve:
    """A function of one number.

    Parameters
    ----------
    function : callable
        Of the library.
    exact, exact_slope : callable
        Value and derivative at finite numbers of the domain; at a kink the slope is the documented
        one.
    ends : tuple
        (value, slope) at -inf, and at inf.
    options : dict
        Keyword arguments of the function.
    note : str
        What tells this from others of the same function.
    low, high : float
        The interval that the function is defined on; it is not measured outside.
    kinks : tuple of float
        Where the slope jumps.
    unbounded : bool
        Is the truth infinite at some finite inputs?
    at : nested tuples, optional
        The inputs of the row for the laws, none of them on a kink.
    inside : (float, float), optional
        An interval for differences.
    """

    function: Callable[..., Any]
    exact: Exact
    exact_slope: Exact
    ends: tuple[tuple[Number, Number], tuple[Number, Number]] = ((nan, nan), (nan, nan))
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    note: str = ""
    low: float = -np.inf
    high: float = np.inf
    kinks: tuple[float, ...] = ()
    unbounded: bool = False
    at: Any = None
    inside: tuple[float, float] = (-1.25, 1.75)

    def __str__(self) -> str:
        return f"{self.function.__name__} {self.note}".strip()

    def __call__(self, x: Array) -> Any:
        return self.function(x, **self.options)

    @property
    def truths(self) -> tuple[Exact, ...]:
        """The exact value and its exact derivative."""
        return self.value, self.slope

    def value(self, x: Number) -> Number:
        """The exact value at any number."""
        return self._at(x, 0, self.exact)

    def slope(self, x: Number) -> Number:
        """The exact derivative at any number."""
        return self._at(x, 1, self.exact_slope)

    def _at(self, x: Number, which: int, function: Exact) -> Number:
        if not self.low <= x <= self.high:
            return nan
        return mpf(self.ends[x > 0][which]) if mpmath.isinf(x) else function(x)

    @cached_property
    def row(self) -> Sample:
        """The row for the laws."""
        at = self.at or (BENT if self.kinks else X)
        return Sample(
            self.function,
            lambda x, **_: elementwise(self.value)(x),
            (at,),
            self.options,
            self.note,
            inside={0: self.inside},
            smooth_at_zero=self.low < 0 and not self.unbounded and 0.0 not in self.kinks,
        )


@dataclass(frozen=True, eq=False)
class OfTwo:
    """A function of two numbers with its derivatives by each, everywhere in floating numbers.

    `columns` makes both arguments for the measure of accuracy, `at` is the row for the laws.
    """

    function: Callable[..., Any]
    value: Exact
    by_first: Exact
    by_second: Exact
    columns: Callable[[Any], tuple[Array, Array]]
    at: tuple[Any, Any]
    inside: Mapping[Any, tuple[float, float]] = field(default_factory=dict[Any, Any])
    smooth_at_zero: bool = False

    def __str__(self) -> str:
        return self.function.__name__

    @property
    def truths(self) -> tuple[Exact, ...]:
        """The exact value and its exact derivatives."""
        return self.value, self.by_first, self.by_second

    @cached_property
    def row(self) -> Sample:
        """The row for the laws."""
        return Sample(
            self.function,
            elementwise(self.value),
            self.at,
            inside=self.inside,
            smooth_at_zero=self.smooth_at_zero,
        )


#: What an argument of a `Pointwise` may be.
DOMAINS: dict[str, Callable[[Number], bool]] = {
    "real": lambda x: True,
    "nonnegative": lambda x: x >= 0,
    "positive": lambda x: x > 0,
    "count": lambda x: x >= 0,
    "share": lambda x: 0 <= x <= 1,
    "bit": lambda x: 0 <= x <= 1,
    "sign": lambda x: -1 <= x <= 1,
}
INPUT = ((0.5, -3.0, 1e4), (2.0, 0.125, -1.5))
OBSERVED = ((0.25, 1.0, -1e4), (1.75, 0.0, -1.0))
OF_ELEMENT = np.asarray([[1.0, 0.0, 2.0], [0.5, 1.0, 0.25]])


@dataclass(frozen=True, eq=False)
class Pointwise:
    """A loss of one element: its value, and its derivative by the first argument.

    Parameters
    ----------
    function : callable
        ``function(input, target, *, sample_weight, reduction, **options)``.
    exact, exact_slope : callable
        Of two finite numbers of the domains; a tuple is a sum that cancels by nature: its terms.
    options : dict
        Keyword arguments of the function.
    note : str
        What tells this from others of the same function.
    inputs, targets : str
        A domain: "real", "share" (in [0, 1]), "sign" (-1 or 1), "bit" (0 or 1), "positive",
        "count" (0, 1, 2, ...), "nonnegative".
    x, y : nested tuples
        The arrays of the rows for the laws.
    smooth_at_zero : bool
        Is it twice differentiable where input and target are 0?
    unbounded : bool
        Is the truth infinite at some finite inputs?
    inside : dict
        Intervals for differences, by argument.
    """

    function: Callable[..., Any]
    exact: Exact
    exact_slope: Exact
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    note: str = ""
    inputs: str = "real"
    targets: str = "real"
    x: Any = INPUT
    y: Any = OBSERVED
    smooth_at_zero: bool = True
    unbounded: bool = True
    inside: Mapping[Any, tuple[float, float]] = field(default_factory=dict[Any, Any])

    def __str__(self) -> str:
        return f"{self.function.__name__} {self.note}".strip()

    def __call__(self, x: Array, y: Array) -> Any:
        return self.function(x, y, reduction="none", **self.options)

    @property
    def truths(self) -> tuple[Exact, ...]:
        """The exact value and its exact derivative."""
        return self.value, self.slope

    def value(self, x: Number, y: Number) -> Any:
        """The exact value at finite numbers, NaN outside the domains."""
        return self._at(x, y, self.exact)

    def slope(self, x: Number, y: Number) -> Any:
        """The exact derivative by the first at finite numbers, NaN outside the domains."""
        return self._at(x, y, self.exact_slope)

    def _at(self, x: Number, y: Number, function: Exact) -> Any:
        inside = DOMAINS[self.inputs](x) and DOMAINS[self.targets](y)
        return function(x, y) if inside else nan

    @cached_property
    def rows(self) -> list[Sample]:
        """The rows for the laws; the first of a function has all, options only two."""
        return [
            self._row("sample_weight", sample_weight=OF_ELEMENT),
            self._row("none", reduction="none"),
            *([] if self.note else [self._row("mean"), self._row("sum", reduction="sum")]),
        ]

    def _row(self, note: str, **more: Any) -> Sample:
        def definition(x: Array, y: Array, **given: Any) -> Array:
            kept = {k: given[k] for k in ("sample_weight", "reduction") if k in given}
            terms = elementwise(lambda x, y: _total(self.exact(x, y)))(x, y + definitions.ZERO)
            return definitions.reduce(terms, kept.pop("reduction", "mean"), **kept)

        return Sample(
            self.function,
            definition,
            (self.x, self.y),
            {**self.options, **more},
            f"{self.note}, {note}".removeprefix(", "),
            constants=(1,) if self.targets in ("sign", "bit", "count") else (),
            inside=self.inside,
            smooth_at_zero=self.smooth_at_zero,
            zeros=(0, 1) if self.targets == "real" else (0,),
        )


def _total(value: Any) -> Number:
    return mpmath.fsum(value) if isinstance(value, tuple) else value

"""Second derivatives in the tails: never 0, NaN or infinity where the truth is a normal number.

Those of compiled formulas have a mixed error of at most 16 ulp, others may be 1 % off here; their
last digits are measured by `make accuracy`.
"""

from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from tests.accuracy.curvature import Row, bends, bends_of, gross, inputs_of
from tests.accuracy.ulp import IS_COMPILED, PRECISION
from tests.libraries import EVERY_ROW, INSTALLED, Library, named
from tests.rows import CURVES, OF_TWO, POINTWISE

ROWS: list[Row] = [*CURVES, *OF_TWO, *POINTWISE]
DTYPES = (np.float32, np.float64)
EVERY = 4 if EVERY_ROW else 80
# JAX compiles each of them for a second, and XLA takes subnormal numbers, intermediate ones, for 0:
# it has nothing of what is so close to the smallest normal number.
ON_JAX = [
    row
    for row in ROWS
    if EVERY_ROW or str(row) in ("gamma_deviance_loss", "mish", "poisson_deviance_loss")
]
CLOSE = 2.0**8
BAR = 16  # ulps of a compiled formula's second derivative
EACH = [
    (library, row, dtype)
    for name, rows in (("numpy", ROWS), ("torch", ROWS), ("jax", ON_JAX))
    if INSTALLED["jax.numpy" if name == "jax" else name]
    for library in (named(name),)
    for row in rows
    for dtype in DTYPES
    if name != "jax" or dtype != np.float64  # whose JAX needs a process of its own
]
CASES = [  # by default each row in one dtype on NumPy, in the other on PyTorch
    (library, row, dtype)
    for library, row, dtype in EACH
    if EVERY_ROW
    or library.name == "jax"
    or (ROWS.index(row) + (library.name == "torch") + (dtype == np.float64)) % 2
]


def assert_not_gross(library: Library, row: Row, dtype: Any, columns: tuple[Any, ...]) -> None:
    with np.errstate(all="ignore"):
        found = bends(row, library, columns)
    for got, exact in zip(found, bends_of(row, dtype), strict=True):
        compiled = IS_COMPILED and library.name in ("numpy", "torch")
        share = BAR * 2.0 ** -PRECISION[np.dtype(dtype)] if compiled else 0.01
        wrong = gross(got, columns, exact, share=share)
        if library.name == "jax":
            least = CLOSE * float(np.finfo(dtype).tiny)
            wrong = {k: [p for p in v if abs(p[-1]) > least] for k, v in wrong.items()}
        assert not any(wrong.values()), wrong


@pytest.mark.parametrize(
    ("library", "row", "dtype"), CASES, ids=lambda v: getattr(v, "__name__", str(v))
)
def test_a_second_derivative_is_neither_lost_nor_infinite(
    library: Library, row: Row, dtype: Any
) -> None:
    assert_not_gross(library, row, dtype, inputs_of(row, dtype, every=EVERY))


# What was wrong once: the function, its inputs far out, and the others of the call.
FAR: list[tuple[str, list[tuple[float, ...]]]] = [
    ("sigmoid", [(1e-9,), (-1e-30,), (3e-5,)]),
    ("tanh", [(1e-9,), (-1e-30,)]),
    ("softcap", [(1e-9,), (-1e-30,)]),
    ("mish", [(20.0,), (40.4,), (-40.0,), (43.0,)]),
    ("erfcx", [(1e4,), (1e6,), (700.0,)]),
    ("binary_cross_entropy", [(1e-9, 0.0), (4e-7, 1e-30), (1e-12, 0.0)]),
    ("pseudo_huber_loss", [(5e4, -2.5), (-4e5, 3.0)]),
    ("gamma_deviance_loss", [(80.0, 1.5), (-30.0, 2.0), (64.0, 0.125)]),
    ("poisson_deviance_loss", [(-40.0, 3.0), (-79.0, 4e27), (5.0, 4e16)]),
    ("generalized_kl_div", [(-40.0, 3.0), (-79.0, 4e27)]),
    ("js_div", [(-79.0, 0.9), (-64.0, 0.0)]),
    ("sigmoid_focal_loss gamma 0.5", [(90.0, 1.0), (-60.0, 0.25)]),
    ("rel_entr", [(3.5e-28, 3.5e-28), (3e33, 4e33)]),
    ("xlogy", [(1e-30, 6e-21), (2e18, 4e22)]),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["numpy", "torch"])
@pytest.mark.parametrize(
    ("row", "points"), FAR, ids=lambda one: one if isinstance(one, str) else ""
)
def test_it_is_right_where_it_once_was_lost(
    row: str, points: list[tuple[float, ...]], name: str, dtype: Any
) -> None:
    known = next(one for one in ROWS if str(one) == row)
    columns = tuple(np.asarray(column, dtype) for column in zip(*points, strict=True))
    assert_not_gross(named(name), known, dtype, columns)


@pytest.mark.skipif(not INSTALLED["jax.numpy"], reason="needs JAX")
def test_no_compiler_joins_divisions_to_one_by_a_product_that_vanishes() -> None:
    row = next(one for one in ROWS if str(one) == "binary_cross_entropy")
    points = [(1.9e-27, 0.0), (2e-30, 0.0), (1.9e-27, 1e-20), (2e-30, 1e-30), (0.3, 0.25)]
    columns = tuple(np.asarray(column, np.float32) for column in zip(*points, strict=True))
    assert_not_gross(named("jax"), row, np.float32, columns)


# Rows of logits: the diagonal of the Hessian where one class is nearly certain.
ROW_LOSSES: dict[str, Any] = {
    "cross_entropy": lambda z, y: pl.cross_entropy(z, y),
    "log_softmax": lambda z, y: pl.nll_loss(pl.log_softmax(z), y),
    "logsumexp": lambda z, y: pl.logsumexp(z, axis=-1)[0],
    "linear_cross_entropy": None,
}


@pytest.mark.parametrize("name", ["numpy", "torch"])
@pytest.mark.parametrize("loss", ROW_LOSSES)
@pytest.mark.parametrize("gap", [20.0, 45.0, 200.0])
@pytest.mark.parametrize("target", [0, 1])
def test_the_hessian_of_a_certain_row_keeps_its_digits(
    name: str, loss: str, gap: float, target: int
) -> None:
    library = named(name)
    z, y = library.array([[0.0, gap, -10.0]], "float64"), library.array(np.asarray([target]))
    if loss == "linear_cross_entropy":
        layer = library.array(np.eye(3), "float64")
        function: Any = lambda z: pl.linear_cross_entropy(z, layer, y)  # noqa: E731
    else:
        function = lambda z: ROW_LOSSES[loss](z, y)  # noqa: E731
    slope = library.gradient(function, (0,))
    first, last = np.exp(-gap), np.exp(-gap - 10)
    for place, want in enumerate((first, first + last, last)):
        bend = library.gradient(lambda z, i=place: slope(z)[0][0, i], (0,))
        np.testing.assert_allclose(library.numpy(bend(z)[0])[0, place], want, rtol=1e-7)

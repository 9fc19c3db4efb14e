"""`derivatives` at predictions up to 1000 away: no normal result is lost, each has its digits.

A result may be off by 8 units in the last place, and by what 8 of prediction or target make of it:
next to a root no digits are asked for that these do not have. So it is for the terms of a sum that
cancels by nature, where the definition has them.
"""

from typing import Any

import mpmath
import numpy as np
import pytest

import portable_losses as pl
from portable_losses._typing import Array
from tests.accuracy.curvature import bends_of, total
from tests.curves import Pointwise
from tests.libraries import EVERY_ROW, LIBRARIES, Library
from tests.rows import POINTWISE

SIZES = (1e-3, 0.5, 3.0, 20.0, 40.0, 88.0, 300.0, 700.0, 745.0, 1000.0)
DENSE = np.concatenate([np.geomspace(1e-12, 1000.0, 40), np.linspace(0.05, 8.0, 30)])
POSITIVE = np.concatenate([np.asarray(SIZES), DENSE if EVERY_ROW else ()])
SIGNED = np.unique(np.concatenate([-POSITIVE, np.zeros(1), POSITIVE]))
# Targets of each domain.
TARGETS = {
    "real": (-2.25, 0.0, 700.0),
    "nonnegative": (0.0, 0.25, 7.5),
    "positive": (0.25, 7.5),
    "count": (0.0, 1.0, 7.0),
    "share": (0.0, 0.25, 1.0),
    "bit": (0.0, 1.0),
    "sign": (-1.0, 1.0),
}
EDGES = {  # with PORTABLE_LOSSES_ROWS=all
    "real": (1e-3, -40.0),
    "nonnegative": (1e-30, 1e-6, 1e6),
    "positive": (1e-30, 1e-6, 1e6),
    "count": (3.0, 1000.0),
    "share": (1e-30, 1e-6, 0.5, 1 - 2.0**-24),
    "bit": (),
    "sign": (),
}
DIGITS = 8
ROWS = [one for one in POINTWISE if one.inputs in ("real", "positive")]


def given(row: Pointwise, dtype: str) -> tuple[Array, Array]:
    """Predictions and targets, each of one with each of the other."""
    x: Any = SIGNED if row.inputs == "real" else SIGNED[SIGNED > 0]
    targets = (*TARGETS[row.targets], *(EDGES[row.targets] if EVERY_ROW else ()))
    grid: Any = np.meshgrid(x, np.asarray(targets))
    return grid[0].ravel().astype(dtype), grid[1].ravel().astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cuts", [(-1.0, 1.0), (-700.0, -0.5, 40.0)], ids=str)
def test_ordered_classes_keep_theirs(cuts: Any, dtype: str) -> None:
    classes = np.arange(len(cuts) + 1)
    grid: Any = np.meshgrid(SIGNED.astype(dtype), classes)
    x, y = grid[0].ravel(), grid[1].ravel()
    found = pl.derivatives(pl.ordinal_cross_entropy, x, y, order=2, thresholds=np.asarray(cuts))
    bounds = [-mpmath.inf, *cuts, mpmath.inf]
    eps, tiny = float(np.finfo(dtype).eps), float(np.finfo(dtype).tiny)
    with mpmath.workdps(900):
        for i, (u, k) in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
            a, b = mpmath.mpf(u) - bounds[k + 1], bounds[k] - mpmath.mpf(u)
            p, q = (1 / (1 + mpmath.exp(-v)) for v in (a, b))
            value = -mpmath.log(1 - p - q)
            for got, want in zip(found, (value, p - q, p * (1 - p) + q * (1 - q)), strict=True):
                if tiny < abs(want):
                    assert abs(float(got[i]) - want) <= DIGITS * eps * abs(want), (u, k)


CASES = [  # float64 is not JAX's in this process
    (library, dtype)
    for library in LIBRARIES
    if library.name == "numpy" or (EVERY_ROW and library.name in ("torch", "jax"))
    for dtype in ("float32", "float64")
    if (library.name, dtype) != ("jax", "float64")
]


@pytest.mark.parametrize(("library", "dtype"), CASES, ids=str)
@pytest.mark.parametrize("row", ROWS if EVERY_ROW else ROWS[::3], ids=str)
def test_no_digit_is_lost_that_the_input_has(row: Pointwise, library: Library, dtype: str) -> None:
    x, y = given(row, dtype)
    arrays = [library.array(one, dtype) for one in (x, y)]
    made = pl.derivatives(row.function, *arrays, order=2, **row.options)
    found = [library.numpy(one) for one in made]
    weight = np.resize(np.asarray([-2.0, 0.0, 1.0]), x.shape).astype(dtype)
    weighted = pl.derivatives(
        row.function, *arrays, order=2, sample_weight=library.array(weight, dtype), **row.options
    )
    for got, one in zip(weighted, found, strict=True):
        with np.errstate(over="ignore"):
            want = weight * np.where(weight == 0, 0, one)
        np.testing.assert_array_equal(library.numpy(got), want)
    eps, tiny, most = (float(getattr(np.finfo(dtype), n)) for n in ("eps", "tiny", "max"))
    tiny *= 2.0**8 if library.name == "jax" else 1.0  # XLA takes subnormal parts for 0
    (bend,) = bends_of(row, np.dtype(dtype).type)
    wrong = []
    with mpmath.workdps(60):
        for i, (u, t) in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
            point = mpmath.mpf(u), mpmath.mpf(t)
            exact = (row.value, row.slope, bend)
            for k, (got, one) in enumerate(zip(found, exact, strict=True)):
                want = total(one(*point))
                if mpmath.isnan(want) or not tiny < abs(want) < most:
                    continue
                off = abs(mpmath.mpf(float(got[i])) - want) / (DIGITS * eps)
                if not (off <= abs(want) or off <= abs(want) + allowed(exact, k, *point)):
                    wrong.append((k, u, t, float(got[i]), float(want)))
    assert not wrong, wrong[:6]


@pytest.mark.parametrize(
    "options", [{"divergence": "js", "beta": 0.2}, {"divergence": "reverse_kl"}]
)
def test_distillation_of_certain_rows_keeps_its_curvature(options: Any) -> None:
    z, t = np.asarray([[300.0, -40.0, 0.0]]), np.asarray([[-200.0, 90.0, 15.0]])
    found = pl.derivatives(pl.distillation_loss, z, t, order=2, hessian="row", **options).hessian
    with mpmath.workdps(400):
        q, p = ([mpmath.exp(v) for v in map(mpmath.mpf, x[0])] for x in (z, t))
        q, p = ([v / sum(x) for v in x] for x in (q, p))
        share = mpmath.mpf(options.get("beta", 0))
        m = [share * b + (1 - share) * a for a, b in zip(q, p, strict=True)]
        ratios = [mpmath.log(a / b) for a, b in zip(q, m if share else p, strict=True)]
        # The derivatives of the terms by log(q), over q.
        first = [(1 - share) * r for r in ratios]
        parts = [(1 - share) * (share * b / c if share else 1) for b, c in zip(p, m, strict=True)]
        bends = [a + b for a, b in zip(first, parts, strict=True)]
        of_first, of_bends = (mpmath.fdot(q, x) for x in (first, bends))
        for i in range(3):
            for j in range(3):
                want = q[i] * q[j] * (of_first + of_bends - bends[i] - bends[j])
                want += q[i] * (bends[i] - of_first) if i == j else 0
                assert abs(found[0, i, j] - want) <= 1e-13 * abs(want), (i, j)


def allowed(exact: Any, k: int, u: Any, t: Any) -> Any:
    """What the rounding of prediction and target changes, and of the terms of a sum."""
    terms = exact[k](u, t)
    size = max(map(abs, terms)) if isinstance(terms, tuple) else mpmath.mpf(0)
    if k < 2:
        slope = total(exact[k + 1](u, t))
    else:
        step = abs(u) * mpmath.mpf("1e-9")
        slope = (exact[k](u + step, t) - total(terms)) / step if step else mpmath.mpf(0)
    return size if mpmath.isnan(slope) else size + abs(slope) * max(abs(u), abs(t))

"""Value, gradient and Hessian of a cross entropy with a `softcap`, as `derivatives` returns them.

Each is within 8 ulp of its largest term, and what one ulp of each logit makes, which is known from
the definition.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import fsum, mpf

import portable_losses as pl
from portable_losses._typing import Array
from portable_losses.differentials import derivatives
from tests.accuracy import references
from tests.accuracy.test_elements import DTYPES
from tests.definitions import tanh_slope
from tests.libraries import LIBRARIES, Library

BAR = 8
CLOSE = 2.0**8  # XLA takes subnormal numbers, intermediate ones, for 0
EAGER = [one for one in LIBRARIES if one.name in ("numpy", "torch")]
COMPILED = [one for one in LIBRARIES if one.module == "jax.numpy"]
CAPS = (30.0, 0.7, 50.1)  # the last has other digits in float32
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "everything": {"label_smoothing": 0.125, "z_loss": 0.0625},
}
INDEX = 1


def rows(cap: float, dtype: Any) -> Array:
    """Return rows that are small, near the cap, beyond it, far apart, equal, and far beyond."""
    shapes = [(0.01, -0.02, 0.015), (0.9, 1.1, -0.4), (3.1, 2.7, 2.9), (9.0, -8.0, 0.3)]
    return cap * np.asarray([*shapes, (2.5, 2.5, 2.5), (11.0, 12.0, -10.5)], dtype)


def exact(x: list[Any], cap: float, options: Any) -> list[tuple[Any, Any]]:
    """Return value, gradient and the diagonal of the Hessian, each with its largest term."""
    known = {"softcap": mpf(cap), **options}
    value = references.cross_entropy(x, INDEX, **known)
    z, shares, z_loss = references.prepared(x, INDEX, **known)
    level = 2 * z_loss * references.logsumexp(z)
    found = [(value, value)]
    bends = list[tuple[Any, Any]]()
    for v, p, share in zip(x, references.softmax(z), shares, strict=True):
        slope = tanh_slope(v / mpf(cap))
        bent = -2 * mpmath.tanh(v / mpf(cap)) / mpf(cap)
        whole = not z_loss and share in (0, 1)
        pull = [(p - share) * slope] if whole else [t * slope for t in (p, level * p, -share)]
        found.append((fsum(pull), max(map(abs, pull))))
        of_p = p * (1 - p) * slope**2
        bend = [of_p, level * of_p, 2 * z_loss * (p * slope) ** 2, *(t * bent for t in pull)]
        bends.append((fsum(bend), max(map(abs, bend))))
    return found + bends


@cache
def truths(cap: float, name: str, dtype: Any) -> list[list[tuple[Any, Any, Any]]]:
    """Return the results of each row, their largest terms, and what one ulp of each logit makes."""
    found = []
    with mpmath.workdps(references.CERTAIN):
        for row in rows(cap, dtype):
            x = [mpf(float(v)) for v in row]
            here = exact(x, cap, OPTIONS[name])
            allowed = [mpf(0)] * len(here)
            for i, v in enumerate(row):
                step = float(np.spacing(abs(v)))
                moved = exact([y + step * (i == j) for j, y in enumerate(x)], cap, OPTIONS[name])
                pairs = zip(allowed, moved, here, strict=True)
                allowed = [a + abs(m - h) for a, (m, _), (h, _) in pairs]
            found.append([(v, t, a) for (v, t), a in zip(here, allowed, strict=True)])
    return found


def assert_held(library: Library, dtype: Any, run: Callable[..., Any]) -> None:
    """Hold all results of `derivatives`, which `run` calls, to the bar."""
    tiny = float(np.finfo(dtype).tiny)
    for cap in CAPS:
        x = rows(cap, dtype)
        index = library.array(np.full(len(x), INDEX))
        for name, options in OPTIONS.items():

            def of(z: Array, options: Any = options, cap: float = cap, index: Any = index) -> Any:
                made = derivatives(pl.cross_entropy, z, index, order=2, softcap=cap, **options)
                return tuple(made)

            value, *rest = map(library.numpy, run(of, library.array(x, np.dtype(dtype).name)))
            got = np.concatenate([value[:, None], *rest], axis=1)
            for i, known in enumerate(truths(cap, name, dtype)):
                for made, (want, term, allowed) in zip(got[i], known, strict=True):
                    if abs(want) > CLOSE * tiny:
                        unit = float(np.spacing(dtype(abs(float(term)))))
                        off = float((abs(mpf(float(made)) - want) - allowed) / unit)
                        assert off <= BAR, (cap, name, x[i], made, float(want))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("library", EAGER, ids=str)
def test_a_capped_row_keeps_its_digits_up_to_the_hessian(library: Library, dtype: Any) -> None:
    assert_held(library, dtype, lambda f, x: f(x))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("library", EAGER[:1], ids=str)
def test_so_it_does_without_kernels(
    library: Library, dtype: Any, portable: Callable[..., Any]
) -> None:
    assert_held(library, dtype, portable)


@pytest.mark.skipif(not COMPILED, reason="JAX is not installed")
def test_so_it_does_where_a_compiler_has_joined_the_steps() -> None:
    import jax

    assert_held(COMPILED[0], np.float64, lambda f, x: jax.jit(f)(x))

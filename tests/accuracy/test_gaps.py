"""Functions of rows are within 8 ulp of the truth at any distance from the largest entry."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from tests.accuracy.gaps import CASES, One, both, distilled, measured
from tests.accuracy.test_elements import DTYPES
from tests.libraries import LIBRARIES, Library

BAR = 8
EAGER = [one for one in LIBRARIES if one.name in ("numpy", "array_api_strict", "torch")]
COMPILED = [one for one in LIBRARIES if one.module == "jax.numpy"]
FEW = (  # each takes a second
    "softmax",
    "log_softmax",
    "logsumexp",
    "cross_entropy smoothed",
    "cross_entropy capped z_loss",
    "softmax_focal_loss",
)


def assert_near(library: Library, name: str, dtype: Any, run: Callable[..., Any]) -> None:
    """Hold value and gradient of a case, which `run` computes, to the bar."""
    for what, (worst, place) in zip(
        ("value", "gradient"), measured(library, name, dtype, run), strict=True
    ):
        assert worst <= BAR, (what, worst, place)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("library", EAGER, ids=str)
def test_a_row_is_right_at_every_distance_from_its_largest_entry(
    library: Library, name: str, dtype: Any
) -> None:
    assert_near(library, name, dtype, both(library, name))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("library", EAGER[::2], ids=str)
def test_so_it_is_without_kernels(
    library: Library, name: str, dtype: Any, portable: Callable[..., Any]
) -> None:
    run = both(library, name)
    assert_near(library, name, dtype, lambda *arrays: portable(run, *arrays))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("library", LIBRARIES, ids=str)
def test_a_small_spread_about_a_large_mean_keeps_its_digits(library: Library, dtype: Any) -> None:
    unit = 2.0 ** (-13 if dtype == np.float32 else -40)
    steps = np.asarray([[0, 1, 3, 4, 11], [7, 2, 2, 1, -9]])
    x = (1001 + steps * unit).astype(dtype)
    d = 5 * steps - np.sum(steps, axis=1, keepdims=True)  # exact, as are the sums of squares
    want = d / np.sqrt(np.sum(d * d, axis=1, keepdims=True) / 5)
    got = library.numpy(pl.standardize(library.array(x, np.dtype(dtype).name), eps=0.0))
    np.testing.assert_allclose(got, want, rtol=BAR * float(np.finfo(dtype).eps) / 2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("divergence", ["kl", "reverse_kl", "js"])
@pytest.mark.parametrize("library", LIBRARIES, ids=str)
def test_a_student_next_to_its_teacher_keeps_its_digits(
    library: Library, divergence: Any, dtype: Any
) -> None:
    rng = np.random.default_rng(8)
    teacher = (3 * rng.standard_normal((4, 6))).astype(dtype)
    student = (teacher + rng.standard_normal((4, 6)) / 1024).astype(dtype)
    teacher[0, 2] = student[0, 2] = -np.inf  # a class of neither
    student[1, 3], teacher[1, 3] = -95, -85  # and one of which there is next to nothing
    want, slopes = [], []
    exact = distilled(divergence, 3.0, 0.25)
    with mpmath.workdps(50):
        for rows in zip(student, teacher, strict=True):
            there = np.isfinite(rows[0])
            x, t = ([mpmath.mpf(float(v)) for v in row[there]] for row in rows)
            (value,), terms = exact(x, One(0, 0, x, x, t, x))
            want.append(float(value))
            row = np.zeros(6)
            row[there] = [float(mpmath.fsum(v)) for v in terms]
            slopes.append(row)

    def loss(x: Any) -> Any:
        return pl.distillation_loss(
            x, given, temperature=3.0, divergence=divergence, beta=0.25, reduction="none"
        )

    name, eps = np.dtype(dtype).name, float(np.finfo(dtype).eps)
    given, x = library.array(teacher, name), library.array(student, name)
    np.testing.assert_allclose(library.numpy(loss(x)), want, rtol=BAR * eps)
    slope = library.numpy(library.gradient(lambda z: array_namespace(z).sum(loss(z)), [0])(x)[0])
    for got, known in zip(slope, slopes, strict=True):
        np.testing.assert_allclose(got, known, rtol=BAR * eps, atol=BAR * eps * np.max(known))


@pytest.mark.skipif(not COMPILED, reason="JAX is not installed")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FEW)
def test_so_it_is_where_a_compiler_has_joined_the_steps(name: str, dtype: Any) -> None:
    import jax

    (library,) = COMPILED
    assert_near(library, name, dtype, jax.jit(both(library, name)))

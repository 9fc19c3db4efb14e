"""What cancels in a row is within 8 ulp, and what one ulp of each of its inputs makes."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.accuracy.cancellations import CASES, both, measured
from tests.accuracy.test_elements import DTYPES
from tests.libraries import EVERY_ROW, LIBRARIES, Library

BAR = 8
EAGER = [one for one in LIBRARIES if one.name in ("numpy", "torch")]
COMPILED = [one for one in LIBRARIES if one.module == "jax.numpy"]
STEP_BY_STEP = ("js_div", "normalize", "cosine_similarity", "cross_entropy")  # each compiles steps
EACH = [(name, dtype) for name in CASES for dtype in DTYPES]
HELD = [one for i, one in enumerate(EACH) if EVERY_ROW or (i + i // 2) % 2]


def assert_held(library: Library, name: str, dtype: Any, run: Callable[..., Any]) -> None:
    """Hold value and gradient of a case, which `run` computes, to the bar."""
    (_, value), (_, gradient) = measured(library, name, dtype, run)
    assert value <= BAR
    assert gradient <= BAR


@pytest.mark.parametrize(("name", "dtype"), HELD)
@pytest.mark.parametrize("library", EAGER, ids=str)
def test_a_row_that_cancels_is_off_by_what_the_rounding_of_its_inputs_makes(
    library: Library, name: str, dtype: Any
) -> None:
    assert_held(library, name, dtype, both(library, name))


@pytest.mark.parametrize(("name", "dtype"), HELD)
@pytest.mark.parametrize("library", EAGER[:1], ids=str)
def test_so_it_is_off_without_kernels(
    library: Library, name: str, dtype: Any, portable: Callable[..., Any]
) -> None:
    run = both(library, name)
    assert_held(library, name, dtype, lambda *arrays: portable(run, *arrays))


@pytest.mark.parametrize(("name", "dtype"), HELD)
@pytest.mark.parametrize("library", COMPILED, ids=str)
def test_so_it_is_where_a_compiler_has_joined_the_steps(
    library: Library, name: str, dtype: Any
) -> None:
    import jax

    assert_held(library, name, dtype, jax.jit(both(library, name)))


@pytest.mark.parametrize(
    ("name", "dtype"), [one for one in HELD if EVERY_ROW or one[0] in STEP_BY_STEP]
)
@pytest.mark.parametrize("library", COMPILED, ids=str)
def test_so_it_is_where_each_step_is_compiled_alone(
    library: Library, name: str, dtype: Any
) -> None:
    assert_held(library, name, dtype, both(library, name))

"""Initial values: the same on every library, distributed as they should be."""

import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from portable_losses import nn
from portable_losses.autograd import tensor
from portable_losses.nn import init
from tests.libraries import Library

Fill = Callable[..., Any]

RANDOM: dict[str, Fill] = {
    "normal": lambda p, rng: init.normal_(p, mean=1.0, std=0.5, rng=rng),
    "uniform": lambda p, rng: init.uniform_(p, low=-2.0, high=3.0, rng=rng),
    "xavier uniform": lambda p, rng: init.xavier_uniform_(p, gain=2.0, rng=rng),
    "xavier normal": lambda p, rng: init.xavier_normal_(p, rng=rng),
    "kaiming uniform": lambda p, rng: init.kaiming_uniform_(p, rng=rng),
    "kaiming normal": lambda p, rng: init.kaiming_normal_(p, mode="fan_out", rng=rng),
}


def blank(*shape: int) -> nn.Parameter:
    return nn.Parameter(np.zeros(shape))


@pytest.mark.parametrize("fill", RANDOM.values(), ids=RANDOM)
def test_one_seed_gives_the_same_numbers_on_every_library(library: Library, fill: Fill) -> None:
    p = nn.Parameter(library.array(np.zeros((5, 3))))
    assert fill(p, 11) is p
    np.testing.assert_array_equal(library.numpy(p), fill(blank(5, 3), 11).array)
    assert p.requires_grad


def test_smaller_dtypes_get_the_same_numbers_rounded(library: Library) -> None:
    p = nn.Parameter(library.array(np.zeros((4, 4)), "float32"))
    init.normal_(p, rng=5)
    assert p.dtype == library.xp.float32
    expected = init.normal_(blank(4, 4), rng=5).array.astype(np.float32)
    np.testing.assert_array_equal(library.numpy(p), expected)


@pytest.mark.parametrize(
    "fill, mean, deviation",
    [
        (RANDOM["normal"], 1.0, 0.5),
        (RANDOM["uniform"], 0.5, 5 / 12**0.5),
        (RANDOM["xavier uniform"], 0.0, 2 * (2 / 500) ** 0.5),
        (RANDOM["xavier normal"], 0.0, (2 / 500) ** 0.5),
        (RANDOM["kaiming uniform"], 0.0, (2 / 300) ** 0.5),
        (RANDOM["kaiming normal"], 0.0, (2 / 200) ** 0.5),
    ],
    ids=RANDOM,
)
def test_mean_and_deviation_are_those_of_the_formula(
    fill: Fill, mean: float, deviation: float
) -> None:
    values = fill(blank(200, 300), 0).array
    np.testing.assert_allclose(values.mean(), mean, atol=5 * deviation / 60_000**0.5)
    np.testing.assert_allclose(values.std(), deviation, rtol=0.01)


def test_uniform_numbers_stay_within_their_bounds() -> None:
    values = init.uniform_(blank(100, 100), low=-2.0, high=3.0, rng=0).array
    assert -2.0 <= values.min() < -1.99
    assert 2.99 < values.max() < 3.0


def test_normal_numbers_follow_the_normal_distribution() -> None:
    stats = pytest.importorskip("scipy.stats")
    values = init.normal_(blank(20_001), rng=1).array
    assert stats.kstest(values, "norm").pvalue > 0.01
    assert len(np.unique(values)) == len(values)
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.03


def test_fans_count_what_a_kernel_covers() -> None:
    values = init.kaiming_normal_(blank(20, 10, 5, 5), nonlinearity="linear", rng=0).array
    np.testing.assert_allclose(values.std(), (10 * 25) ** -0.5, rtol=0.03)


def test_constants_are_constant(library: Library) -> None:
    p = nn.Parameter(library.array(np.asarray([1.0, 2.0])))
    assert library.numpy(init.ones_(p)).tolist() == [1.0, 1.0]
    assert library.numpy(init.zeros_(p)).tolist() == [0.0, 0.0]
    assert library.numpy(init.constant_(p, 0.25)).tolist() == [0.25, 0.25]


def test_the_callers_array_is_not_written_to() -> None:
    array = np.zeros(3)
    init.ones_(nn.Parameter(array))
    assert array.tolist() == [0.0, 0.0, 0.0]


def test_a_generator_goes_on_and_a_seed_begins_anew() -> None:
    source = random.Random(3)
    first, second = (init.normal_(blank(4), rng=source).array for _ in range(2))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, init.normal_(blank(4), rng=3).array)


def test_numpys_generators_are_taken() -> None:
    drawn = init.normal_(blank(2, 3), std=2.0, rng=np.random.default_rng(1)).array
    expected = 2 * np.random.default_rng(1).standard_normal(6).reshape(2, 3)
    np.testing.assert_array_equal(drawn, expected)
    drawn = init.uniform_(blank(4), rng=np.random.default_rng(1)).array
    np.testing.assert_array_equal(drawn, np.random.default_rng(1).random(4))


def test_manual_seed_seeds_what_has_no_generator_of_its_own() -> None:
    nn.init.manual_seed(5)
    first = nn.Linear(3, 2).weight.array
    second = nn.Linear(3, 2).weight.array
    nn.init.manual_seed(5)
    np.testing.assert_array_equal(nn.Linear(3, 2).weight.array, first)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    "rng, error, message",
    [
        (-1, ValueError, "`rng` must be at least 0, got -1"),
        (True, TypeError, "`rng` must be None, a seed, a random.Random, or a generator"),
        ("seed", TypeError, "got str"),
    ],
)
def test_what_is_no_generator_is_refused(rng: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        init.normal_(blank(2), rng=rng)


@pytest.mark.parametrize("seed, error", [(-1, ValueError), (1.5, TypeError), (True, TypeError)])
def test_a_seed_is_an_int_of_at_least_0(seed: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="`seed` must be"):
        init.manual_seed(seed)


def test_options_out_of_their_domain_are_refused() -> None:
    p = blank(2, 2)
    with pytest.raises(ValueError, match="`std` must be at least 0, got -1"):
        init.normal_(p, std=-1.0)
    with pytest.raises(ValueError, match="`high` must be at least `low`"):
        init.uniform_(p, low=1.0, high=0.0)
    with pytest.raises(ValueError, match="`mode` must be one of"):
        init.kaiming_normal_(p, mode="in")
    with pytest.raises(ValueError, match="`nonlinearity` must be one of"):
        init.calculate_gain("sine")
    with pytest.raises(ValueError, match="`gain` must be greater than 0"):
        init.xavier_normal_(p, gain=0.0)
    with pytest.raises(
        ValueError, match=re.escape("at least 2 axes, (out, in, ...), got shape (2,)")
    ):
        init.xavier_uniform_(blank(2))


def test_only_leaves_are_filled() -> None:
    with pytest.raises(TypeError, match="`parameter` must be a Parameter, got ndarray"):
        init.zeros_(np.ones(2))  # type: ignore[type-var]
    with pytest.raises(ValueError, match="must be a leaf"):
        init.zeros_(tensor(np.ones(2)) * 2)


def test_gains_are_those_of_the_literature() -> None:
    assert init.calculate_gain("linear") == init.calculate_gain("sigmoid") == 1.0
    assert init.calculate_gain("tanh") == 5 / 3
    assert init.calculate_gain("relu") == 2**0.5
    assert init.calculate_gain("leaky_relu", negative_slope=1.0) == 1.0

"""What stands around every public function: names of options, warnings, NumPy arrays."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from portable_losses import autograd
from tests.libraries import EVERY_ROW, INSTALLED, LIBRARIES, PUBLIC, Library, named
from tests.rows import FEW, ONCE, TABLE
from tests.samples import Key, Sample

FUNCTIONS: list[Callable[..., Any]] = [getattr(pl, name) for name in PUBLIC]
# Finite numbers at the ends of each dtype, around 1, and around where exp and squares end.
ENDS = {
    "float16": [6e4, -6e4, 6e-8, -6e-8, 0.0, 1.0, -11.0, 300.0],
    "float32": [3e38, -3e38, 1e-45, -1e-45, 0.0, 1.0, -104.0, 2e19],
    "float64": [1.7e308, -1.7e308, 5e-324, -5e-324, 0.0, 1.0, -746.0, 1e155],
}
TAKES_NUMPY = [one for one in LIBRARIES if one.name in ("jax", "dask")]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_an_option_that_a_function_does_not_have_is_named(function: Any) -> None:
    x = np.asarray([[0.5, 0.25]])
    with pytest.raises(TypeError, match=f"`{function.__name__}` takes no argument `dinn=`; "):
        function(x, dinn=1)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_options_are_given_by_name(function: Any) -> None:
    x = np.asarray([[0.5, 0.25]])
    with pytest.raises(TypeError, match=f"`{function.__name__}` takes .* by position, got 9"):
        function(*[x] * 9)


@pytest.mark.parametrize(
    "function, option, hint",
    [
        ("softmax", "dim", "write `axis=`"),
        ("mse_loss", "reduce", "write `reduction=`"),
        ("mse_loss", "y_true", r"`target` is given by position: mse_loss\(input, target\)"),
        ("mse_loss", "input", r"`input` is given by position: mse_loss\(input, target\)"),
        ("cross_entropy", "y_pred", "`logits` is given by position"),
        ("huber_loss", "mask", "write `where=`"),
        ("nll_loss", "class_weights", "write `weight=`"),
        ("logsumexp", "keepdim", "write `keepdims=`"),
    ],
)
def test_what_another_library_calls_an_option_is_answered_with_its_name_here(
    function: str, option: str, hint: str
) -> None:
    with pytest.raises(TypeError, match=f"takes no argument `{option}=`; {hint}"):
        getattr(pl, function)(np.asarray([0.5]), **{option: 1})


def ends_of(row: Sample, dtype: str, turn: int) -> dict[Key, Any]:
    """The arrays of a row with finite numbers of the ends of `dtype` in all that are floating."""
    arrays: dict[Key, Any] = {}
    for key, a in row.given.items():
        if a.dtype.kind != "f":
            arrays[key] = a
            continue
        turn += 3
        ends = np.asarray(ENDS[dtype], dtype)
        arrays[key] = np.resize(np.roll(ends, turn), a.shape)
    return arrays


EACH = [(row, dtype) for row in TABLE for dtype in ENDS]  # by default each row in one dtype
ENDED = EACH if EVERY_ROW else [case for i, case in enumerate(EACH) if (i // len(ENDS) + i) % 2]


@pytest.mark.parametrize(("row", "dtype"), ENDED, ids=str)
def test_no_finite_number_warns_or_raises_a_floating_point_error(row: Sample, dtype: str) -> None:
    arrays = ends_of(row, dtype, TABLE.index(row) % 8)
    with pl.validation(False), np.errstate(all="raise"):
        row.call(arrays)
        if row.variables:
            gradient_of(row, arrays)


def gradient_of(row: Sample, arrays: dict[Key, Any]) -> None:
    """Differentiate by a pullback: a sum of the test's own would overflow."""

    def f(*variables: Any) -> Any:
        return row.call({**arrays, **dict(zip(row.variables, variables, strict=True))})[0]

    out, pull_back = autograd.vjp(f, *(arrays[key] for key in row.variables))
    pull_back(np.ones_like(out))


@pytest.mark.parametrize("row", ONCE, ids=str)
def test_nor_does_it_on_a_library_over_numpy(row: Sample) -> None:
    strict = named("array_api_strict")
    given = ends_of(row, "float64", 1)
    arrays = {key: strict.array(a) for key, a in given.items()}
    with pl.validation(False), np.errstate(all="raise"):
        row.call(arrays)


def test_a_caller_keeps_the_setting_that_was_made() -> None:
    x = np.asarray([1000.0])
    with np.errstate(all="raise"):
        pl.sigmoid(-x)
        with pytest.raises(FloatingPointError):
            np.exp(x)
    with np.errstate(over="raise"), pytest.raises(TypeError):
        pl.mse_loss(x, 1j * x)
    assert np.geterr()["over"] == "warn"


@pytest.mark.parametrize("library", TAKES_NUMPY, ids=str)
@pytest.mark.parametrize("row", [r for r in ONCE if len(r.given) > 1], ids=str)
def test_numpy_arrays_may_stand_beside_those_of_a_library_that_takes_them(
    library: Library, row: Sample
) -> None:
    made = row.on(library)
    first = min(key for key in made if isinstance(key, int))

    def outs(x: Any) -> tuple[Any, ...]:
        return row.call({**row.given, first: x})

    if library.name == "jax":  # traced, which takes no time: they are constants of the trace
        jax = pytest.importorskip("jax")
        got = jax.make_jaxpr(outs)(made[first]).out_avals
        want = jax.make_jaxpr(lambda: row.call(made))().out_avals
        assert [(x.shape, x.dtype) for x in got] == [(x.shape, x.dtype) for x in want]
        return
    for x, like in zip(outs(made[first]), row.call(made), strict=True):
        assert (type(x), x.shape, x.dtype) == (type(like), like.shape, like.dtype)
    if row in FEW[::4]:
        for x, value in zip(outs(made[first]), row.value, strict=True):
            np.testing.assert_allclose(library.numpy(x), value, rtol=1e-6)


@pytest.mark.parametrize("library", TAKES_NUMPY, ids=str)
def test_so_they_may_beside_a_tensor(library: Library) -> None:
    y, w = np.asarray([0, 2]), np.asarray([1.0, 3.0])
    z = np.asarray([[1.0, 2.0, 3.0], [0.0, 1.0, 0.5]])

    def loss(z: Any) -> Any:
        return pl.cross_entropy(z, y, sample_weight=w)

    got = autograd.grad(loss)(library.array(z, "float32"))
    np.testing.assert_allclose(library.numpy(got), autograd.grad(loss)(z), rtol=1e-6)


def test_arrays_of_numpy_are_constants_of_a_traced_function() -> None:
    jax = pytest.importorskip("jax")
    y, w = np.asarray([0, 2]), np.asarray([1.0, 3.0])

    def loss(z: Any) -> Any:
        return pl.cross_entropy(z, y, sample_weight=w)

    z = jax.numpy.asarray([[1.0, 2.0, 3.0], [0.0, 1.0, 0.5]])
    got = jax.jit(jax.grad(loss))(z)
    want = autograd.grad(loss)(np.asarray(z, np.float64))
    np.testing.assert_allclose(np.asarray(got), want, rtol=1e-6)


class Frame:
    """A column of a table, as pandas and polars have them."""

    def to_numpy(self) -> Any:
        return np.asarray([1.0])


KINDS: dict[str, tuple[Callable[[], Any], str]] = {
    "text": (lambda: "1.0", "got str; convert it first, for example with xp.asarray"),
    "column": (Frame, r"Frame; pass its `.to_numpy\(\)`"),
    "masked": (
        lambda: np.ma.masked_array([1.0], [True]),
        r"got numpy.MaskedArray; its mask would be lost; pass `x.filled\(0\)`",
    ),
    "matrix": (
        lambda: np.asarray([[1.0]]).view(np.matrix),
        r"got numpy.matrix; its `\*` is a matrix product; pass `np.asarray\(x\)`",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", ONCE, ids=str)
def test_what_is_no_array_or_means_something_else_is_refused_with_advice(
    row: Sample, kind: str
) -> None:
    make, message = KINDS[kind]
    for key, a in row.given.items():
        if kind in ("list", "number", "column") and not isinstance(key, int):
            continue
        if kind == "number" and (row.function, key) == (pl.gaussian_nll_loss, 2):
            continue  # one variance for all is a number
        with pytest.raises(TypeError, match=message):
            row.call({**row.given, key: make() if kind != "same" else a})


@pytest.mark.skipif(not INSTALLED["torch"], reason="torch is not installed")
@pytest.mark.filterwarnings("ignore:The PyTorch API of MaskedTensors")
def test_masked_tensors_are_refused() -> None:
    import torch

    x = torch.masked.masked_tensor(torch.ones(2), torch.tensor([True, False]))
    with pytest.raises(TypeError, match=r"torch.MaskedTensor; its mask .*`x.get_data\(\)`"):
        pl.relu(x)

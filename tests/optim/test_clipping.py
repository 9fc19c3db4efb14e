"""Gradient clipping: PyTorch's numbers, norms that neither overflow nor vanish, errors."""

import math
import re
from typing import Any

import numpy as np
import pytest

from portable_losses import nn, optim
from tests.libraries import LIBRARIES, Library

SHAPES: tuple[tuple[int, ...], ...] = ((2, 3), (4,), ())
NORMS = [1.0, 2.0, 3.5, math.inf]


def gradients(scale: float = 1.0) -> list[Any]:
    dice = np.random.default_rng(0)
    return [scale * np.asarray(dice.standard_normal(shape)) for shape in SHAPES]


def parameters(library: Library, grads: list[Any], dtype: str | None = None) -> list[nn.Parameter]:
    """One parameter for each gradient, and one without."""
    made = [nn.Parameter(library.array(np.ones(g.shape), dtype)) for g in grads]
    for p, g in zip(made, grads, strict=True):
        p.grad = library.array(g, dtype)
    return [*made, nn.Parameter(library.array(np.ones(5), dtype))]


@pytest.mark.parametrize("norm_type", NORMS)
@pytest.mark.parametrize("max_norm", [0.5, 1e3])
def test_the_norm_and_the_gradients_are_pytorchs(
    library: Library, max_norm: float, norm_type: float
) -> None:
    torch = pytest.importorskip("torch")
    grads = gradients()
    theirs = [torch.nn.Parameter(torch.ones(g.shape, dtype=torch.float64)) for g in grads]
    for p, g in zip(theirs, grads, strict=True):
        p.grad = torch.asarray(g.copy())
    want = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
    ours = parameters(library, grads)
    got = optim.clip_grad_norm_(ours, max_norm, norm_type)
    np.testing.assert_allclose(library.numpy(got), float(want), rtol=1e-14)
    for p, peer in zip(ours, theirs, strict=False):
        np.testing.assert_allclose(library.numpy(p.grad), peer.grad.numpy(), rtol=1e-13)
    assert ours[-1].grad is None


@pytest.mark.parametrize("scale", [1e-30, 1e30])
@pytest.mark.parametrize("norm_type", NORMS)
def test_a_norm_neither_overflows_nor_vanishes(scale: float, norm_type: float) -> None:
    library = Library("numpy", "numpy")
    grads = gradients()
    want = np.linalg.norm(np.concatenate([g.ravel() for g in grads]), norm_type) * scale
    ours = parameters(library, [g * scale for g in grads], "float32")
    norm = optim.clip_grad_norm_(ours, 1.0, norm_type)
    assert norm.dtype == np.float32
    np.testing.assert_allclose(norm, want, rtol=1e-5)


HALVES = [one for one in LIBRARIES if hasattr(one.xp, "float16")]


@pytest.mark.parametrize("library", HALVES, ids=str)
def test_the_norm_of_halves_is_float32(library: Library) -> None:
    p = nn.Parameter(library.array(np.ones(1000), "float16"))
    p.grad = library.array(np.full(1000, 200.0), "float16")
    norm = optim.clip_grad_norm_([p], 1.0)
    np.testing.assert_allclose(library.numpy(norm), 200 * math.sqrt(1000), rtol=1e-6)
    assert p.grad.dtype == p.dtype


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_a_norm_that_is_not_finite_shows_and_raises_where_asked(bad: float) -> None:
    p = nn.Parameter(np.ones(2))
    p.grad = np.asarray([1.0, bad])
    with pytest.raises(ValueError, match=f"`parameters` must have a finite norm, got {bad}"):
        optim.clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    assert p.grad.tolist()[0] == 1.0  # nothing was changed
    np.testing.assert_array_equal(optim.clip_grad_norm_(p, 1.0), bad)


def test_no_gradient_and_no_entry_have_a_norm_of_0() -> None:
    p, q = nn.Parameter(np.ones(2)), nn.Parameter(np.ones((0, 2)))
    assert float(optim.clip_grad_norm_([p, q], 1.0)) == 0.0
    q.grad = np.ones((0, 2))
    assert float(optim.clip_grad_norm_([p, q], 1.0)) == 0.0
    p.grad = np.zeros(2)
    assert float(optim.clip_grad_norm_([p, q], 1.0)) == 0.0
    assert p.grad.tolist() == [0.0, 0.0]


def test_a_value_is_clipped_and_nan_kept(library: Library) -> None:
    p = nn.Parameter(library.array(np.ones(4)))
    before = library.array(np.asarray([-3.0, 0.25, np.nan, 9.0]))
    p.grad = before
    optim.clip_grad_value_(p, 1.0)
    np.testing.assert_array_equal(library.numpy(p.grad), [-1.0, 0.25, np.nan, 1.0])
    np.testing.assert_array_equal(library.numpy(before), [-3.0, 0.25, np.nan, 9.0])


def test_clipping_runs_inside_jax_jit() -> None:
    jax = pytest.importorskip("jax")

    def clipped(array: Any) -> Any:
        p = nn.Parameter(array)
        p.grad = 3 * array
        optim.clip_grad_norm_([p], 1.0, error_if_nonfinite=True)
        return p.grad.array

    np.testing.assert_allclose(jax.jit(clipped)(jax.numpy.asarray([0.6, 0.8])), [0.6, 0.8], 1e-6)


@pytest.mark.parametrize(
    ("params", "options", "error", "message"),
    [
        ([], {"max_norm": 1.0}, ValueError, "`parameters` must hold at least one parameter, got"),
        ([np.ones(2)], {"max_norm": 1.0}, TypeError, "`parameters` must hold Parameters, got nda"),
        (None, {"max_norm": 0.0}, ValueError, "`max_norm` must be greater than 0, got 0.0"),
        (
            None,
            {"max_norm": 1.0, "norm_type": -1.0},
            ValueError,
            "`norm_type` must be greater th",
        ),
    ],
)
def test_what_cannot_be_clipped_is_refused(
    params: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        optim.clip_grad_norm_([nn.Parameter(np.ones(2))] if params is None else params, **options)


def test_two_libraries_are_refused() -> None:
    torch = pytest.importorskip("torch")
    pair = [nn.Parameter(np.ones(2)), nn.Parameter(torch.ones(2))]
    with pytest.raises(TypeError, match="`parameters` must be of one library, got"):
        optim.clip_grad_norm_(pair, 1.0)

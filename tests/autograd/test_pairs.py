"""Hand-written pairs of function and gradient, as one node of the tape."""

from typing import Any

import numpy as np
import pytest

from portable_losses._backend import Pair, backend_of
from portable_losses._gradient import attach_gradient, stop_gradient, with_gradient
from portable_losses._polyfill import readable
from portable_losses.autograd import grad, gradcheck, namespace, no_grad, tensor

NP = namespace(np)


@with_gradient(lambda grad, out, x, *, xp: (grad * 7,))
def seven(x: Any, *, xp: Any) -> Any:
    """A function whose gradient is nobody's derivative."""
    return xp.exp(x)


def _scaled_gradient(grad: Any, out: Any, x: Any, weight: Any, *, xp: Any, power: int) -> Any:
    return grad * weight * power * x ** (power - 1), None if weight is None else grad * x**power


@with_gradient(_scaled_gradient)
def scaled(x: Any, weight: Any, *, xp: Any, power: int) -> Any:
    return x**power * weight


def _both_gradient(grad: Any, out: Any, x: Any, *, xp: Any) -> Any:
    sine, cosine = out
    return (grad[0] * cosine - grad[1] * sine,)


@with_gradient(_both_gradient)
def both(x: Any, *, xp: Any) -> Any:
    return xp.sin(x), xp.cos(x)


def _rooted_gradient(grad: Any, out: Any, x: Any, absent: Any, index: Any, *, xp: Any) -> Any:
    return grad / out / 2, None, None


@with_gradient(_rooted_gradient)
def rooted(x: Any, absent: Any, index: Any, *, xp: Any) -> Any:
    assert absent is None
    return xp.sqrt(x)


def test_the_pairs_own_gradient_is_used(array_library: Any) -> None:
    xp = namespace(array_library)
    x = array_library.asarray([0.0, 1.0], dtype=array_library.float64)
    got = grad(lambda x: xp.sum(seven(x, xp=xp)))(x)
    assert np.asarray(got).tolist() == [7.0, 7.0]


def test_a_pair_is_one_node() -> None:
    x = tensor(np.ones(2))
    y = seven(x, xp=NP)
    assert y._node.operation.name == "seven"
    assert y._node.parents == (x._node,)


def test_a_pair_of_constants_is_not_recorded() -> None:
    assert not seven(np.ones(2), xp=NP).requires_grad
    assert not both(np.ones(2), xp=NP)[0].requires_grad
    with no_grad():
        assert not seven(tensor(np.ones(2)), xp=NP).requires_grad


def test_a_pair_differentiates_again_and_by_every_argument(array_library: Any) -> None:
    xp = namespace(array_library)
    x, w = (
        array_library.asarray(v, dtype=array_library.float64) for v in ([0.5, 2.0], [3.0, -1.0])
    )

    def f(x: Any, w: Any) -> Any:
        return xp.sum(scaled(x, w, xp=xp, power=3) * x)

    first = grad(lambda x, w: xp.sum(grad(f)(x, w) * x), argnums=(0, 1))(x, w)
    np.testing.assert_allclose(np.asarray(first[0]), [16 * 3 * 0.125, -16 * 8.0], rtol=1e-14)
    np.testing.assert_allclose(np.asarray(first[1]), [4 * 0.0625, 4 * 16.0], rtol=1e-14)


def test_gradients_of_a_pair_agree_with_differences() -> None:
    arrays = (np.asarray([0.5, 2.0]), np.asarray([3.0, -1.0]))
    gradcheck(lambda x, w: scaled(x, w, xp=NP, power=3), arrays, order=2)
    gradcheck(lambda x: both(x * x, xp=NP), arrays[:1], order=3)
    gradcheck(lambda x: both(x, xp=NP)[1] * x, arrays[:1], order=2)
    gradcheck(lambda x: rooted(x, None, np.asarray([1, 2]), xp=NP), arrays[:1], order=2)


def test_a_gradient_that_fits_by_broadcasting_is_summed() -> None:
    got = grad(lambda w: NP.sum(scaled(np.ones((3, 2)), w, xp=NP, power=2)))(np.ones(2))
    assert got.tolist() == [3.0, 3.0]


def test_options_may_hold_constants() -> None:
    pair = Pair(
        lambda x, *, xp, shift: x + shift, lambda grad, out, x, *, xp, shift: (grad * shift,)
    )
    x = tensor(np.ones(2))
    options = {"xp": NP, "shift": tensor(np.asarray([2.0, 3.0]), requires_grad=False)}
    NP.sum(attach_gradient(pair, (x,), options)).backward()
    assert x.grad.tolist() == [2.0, 3.0]


def test_the_backend_of_the_tape_asks_the_library(array_library: Any) -> None:
    xp = namespace(array_library)
    x = array_library.asarray([1.0])
    backend = backend_of(xp)
    assert backend.name == "tape"
    assert readable(tensor(x), xp=xp) == readable(x, xp=array_library)
    assert not stop_gradient(tensor(x), xp=xp).requires_grad


def test_a_pair_works_under_jit_and_under_the_gradients_of_the_library() -> None:
    jax, torch = pytest.importorskip("jax"), pytest.importorskip("torch")
    xp = namespace(jax.numpy)
    slope = grad(lambda x: xp.sum(scaled(x, x, xp=xp, power=2)))
    x = jax.numpy.asarray([1.0, 2.0])
    assert jax.jit(slope)(x).tolist() == [3.0, 12.0]
    assert jax.jit(jax.grad(lambda x: slope(x).sum()))(x).tolist() == [6.0, 12.0]
    yp = namespace(torch)
    y = torch.tensor([1.0, 2.0], requires_grad=True)
    value = yp.sum(scaled(tensor(y), y, xp=yp, power=2))
    value.array.backward()
    assert y.grad.tolist() == [3.0, 12.0]

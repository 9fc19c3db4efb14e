"""What a checker accepts in its strict mode: the types of results are those that stand here."""
# pyright: strict

from typing import assert_type

import numpy as np

import portable_losses as pl
from portable_losses import nn
from portable_losses.autograd import grad, value_and_grad

Float32s = np.ndarray[tuple[int, int], np.dtype[np.float32]]


def arrays_keep_their_type(x: Float32s, t: pl.Tensor) -> None:
    """Of NumPy and of the tape; PyTorch's and JAX's are no other."""
    assert_type(pl.sigmoid(x), Float32s)
    assert_type(pl.softmax(t, axis=-1), pl.Tensor)
    assert_type(pl.huber_loss(t, 0.5, delta=2, where=[[True, False]]), pl.Tensor)
    assert_type(nn.HuberLoss(delta=0.1)(t, [0]), pl.Tensor)
    assert_type(pl.logsumexp(x, axis=-1), Float32s)


def two_results_are_a_pair(t: pl.Tensor, both: bool) -> None:
    """Of `return_lse`, where it is known."""
    loss, lse = pl.cross_entropy(t, [0], return_lse=True)
    assert_type((loss, lse), tuple[pl.Tensor, pl.Tensor])
    loss.backward()
    assert_type(pl.cross_entropy(t, [0]), pl.Tensor)
    print(pl.cross_entropy(t, [0], return_lse=both))


def lists_and_numbers_are_arrays(x: Float32s) -> None:
    """Of NumPy, which makes them."""
    print(float(pl.mse_loss([1.0, 2.0], [0.0, 1.0], reduction="sum")))
    print(pl.gaussian_nll_loss(x, x, [0.5, 0.5]), pl.poly_loss(x, [0], epsilon=x[0, 0]))


def functions_are_differentiated(x: Float32s) -> None:
    """A lambda has arguments that are known."""
    loss, gradient = value_and_grad(lambda z: pl.cross_entropy(z, [0]))(x)
    print(loss, gradient, grad(lambda a, b: pl.mse_loss(a, b), argnums=1)(x, x))
    print(pl.derivatives(pl.mse_loss, x, x, order=2).hessian[0], grad(np.sin)(1.0))

"""Join two arrays along their last axis, the one repeated along an axis of the other.

Once with the repetition written out, and once by a linear layer for each, whose results broadcast:
the sum of the products is the product of what is joined, and nothing is repeated.
"""

from typing import Any

import numpy as np

from portable_losses import Tensor


def main() -> tuple[Any, Any]:
    """Return the gradients of both arrays, by the first way and by the second."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(5, 3, 5)), rng.normal(size=(5, 1, 6))
    weight = rng.normal(size=(11, 4))

    a, b = Tensor(first, requires_grad=True), Tensor(second, requires_grad=True)
    joined: Any = np.concatenate([a, b.repeat([1, 3, 1])], axis=2)
    (joined @ weight).relu().sum().backward()

    c, d = Tensor(first, requires_grad=True), Tensor(second, requires_grad=True)
    (c @ weight[:5] + d @ weight[5:]).relu().sum().backward()
    print(f"joined {joined.shape}, gradients {a.grad.shape} and {b.grad.shape}")
    return (a.grad.numpy(), b.grad.numpy()), (c.grad.numpy(), d.grad.numpy())


if __name__ == "__main__":
    main()

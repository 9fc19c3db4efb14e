"""Fit ``5 x**2 + 3`` with Adam: three coefficients, no module, plain Tensors."""

import numpy as np

import portable_losses as pl
from portable_losses import Tensor, optim


def main() -> list[float]:
    """Return the fitted coefficients of ``x**2``, ``x`` and 1."""
    x = np.linspace(-1, 1, 50)
    y = 5 * x**2 + 3
    powers = np.stack([x**2, x, np.ones(50)], axis=1)
    w = Tensor.zeros(3, requires_grad=True)
    optimizer = optim.Adam([w], lr=0.1)
    for _ in range(1000):
        optimizer.zero_grad()
        pl.mse_loss(powers @ w, y).backward()
        optimizer.step()
    found: list[float] = w.tolist()
    print("{:.4f} x^2 {:+.4f} x {:+.4f}".format(*found))
    return found


if __name__ == "__main__":
    main()

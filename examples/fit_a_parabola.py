"""Fit ``5 x**2 + 3`` with Adam: two numbers, no module, plain Tensors."""

import numpy as np

import portable_losses as pl
from portable_losses import optim
from portable_losses.autograd import tensor


def main() -> tuple[float, float]:
    """Return the fitted coefficients."""
    x = np.linspace(-1, 1, 50)
    y = 5 * x**2 + 3
    a, b = tensor(np.asarray(0.0)), tensor(np.asarray(0.0))
    optimizer = optim.Adam([a, b], lr=0.1)
    for _ in range(800):
        optimizer.zero_grad()
        pl.mse_loss(a * x**2 + b, y).backward()
        optimizer.step()
    print(f"{a.item():.4f} x^2 + {b.item():.4f}")
    return a.item(), b.item()


if __name__ == "__main__":
    main()

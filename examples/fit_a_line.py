"""Fit ``y = a x + b`` with SGD, through a module of one's own."""

from typing import Any

import numpy as np

from portable_losses import nn, optim


class Line(nn.Module):
    """A slope and an intercept."""

    def __init__(self) -> None:
        self.a = nn.Parameter(0.0)
        self.b = nn.Parameter(0.0)

    def forward(self, x: Any) -> Any:
        """Return the line at `x`."""
        return self.a * x + self.b


def main() -> dict[str, float]:
    """Return the fitted parameters by name."""
    x = np.linspace(0, 2, 40)
    y = 2 * x - 1
    line, loss = Line(), nn.MSELoss()
    optimizer = optim.SGD(line.parameters(), lr=0.2)
    for _ in range(300):
        optimizer.zero_grad()
        loss(line(x), y).backward()
        optimizer.step()
    found = {name: parameter.item() for name, parameter in line.named_parameters()}
    print(f"y = {found['a']:.4f} x {found['b']:+.4f}")
    return found


if __name__ == "__main__":
    main()

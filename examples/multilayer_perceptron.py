"""A Sequential network learns two interleaved spirals, which no straight line parts."""

import numpy as np

from portable_losses import nn, optim
from portable_losses.autograd import no_grad


def spirals(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return `count` points on each of two spirals, and the number of the spiral."""
    turn = np.linspace(0.5, 3.5, count)
    arm = np.stack([turn * np.cos(turn), turn * np.sin(turn)], axis=1) / 2
    return np.concatenate([arm, -arm]), np.repeat([0, 1], count)


def main() -> float:
    """Return the share of points that are told apart."""
    points, spiral = spirals(60)
    net = nn.Sequential(
        nn.Linear(2, 24, rng=1),
        nn.Tanh(),
        nn.Linear(24, 24, rng=2),
        nn.ReLU(),
        nn.Linear(24, 2, rng=3),
    )
    loss = nn.CrossEntropyLoss()
    optimizer = optim.AdamW(net.parameters(), lr=0.02)
    for _ in range(200):
        optimizer.zero_grad()
        loss(net(points), spiral).backward()
        optimizer.step()
    with no_grad():
        accuracy = float(np.mean(net(points).array.argmax(axis=1) == spiral))
    print(f"{sum(p.array.size for p in net.parameters())} parameters, accuracy {accuracy:.3f}")
    return accuracy


if __name__ == "__main__":
    main()

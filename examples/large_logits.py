"""Softmax and its cross entropy at the logits [1000, 0], where ``exp`` overflows.

A row that is wrong by 1000 and a row that is right: the mean is 500. So is the loss of one row
whose target is half and half.
"""

from typing import Any

import numpy as np

import portable_losses as pl
from portable_losses.autograd import value_and_grad


def main() -> tuple[tuple[float, Any], tuple[float, Any]]:
    """Return the loss and its gradient, of the two rows and of the mixed target."""
    logits = np.asarray([[1000.0, 0.0], [1000.0, 0.0]])
    target = np.asarray([1, 0])
    print(f"probabilities {pl.softmax(logits).tolist()}")
    losses: Any = pl.cross_entropy(logits, target, reduction="none")
    print(f"losses {losses.tolist()}")
    loss, gradient = value_and_grad(pl.cross_entropy)(logits, target)
    print(f"mean {float(loss)}, gradient {gradient.tolist()}")
    mixed, slope = value_and_grad(pl.cross_entropy)(logits[0], np.asarray([0.5, 0.5]))
    print(f"target [0.5, 0.5]: {float(mixed)}, gradient {slope.tolist()}")
    return (float(loss), gradient), (float(mixed), slope)


if __name__ == "__main__":
    main()

"""Sigmoid and binary cross entropy at the logits 2000 and -2000."""

from typing import Any

import numpy as np

import portable_losses as pl
from portable_losses.autograd import value_and_grad


def main() -> dict[str, Any]:
    """Return probabilities, losses and gradients by name."""
    logits = np.asarray([2000.0, -2000.0, 2000.0, -2000.0])
    target = np.asarray([1.0, 0.0, 0.0, 1.0])  # two hits, two misses
    probabilities = pl.sigmoid(logits)
    losses = pl.binary_cross_entropy_with_logits(logits, target, reduction="none")
    loss, gradient = value_and_grad(pl.binary_cross_entropy_with_logits)(logits, target)
    floored = pl.binary_cross_entropy(probabilities, target, reduction="none")
    print(f"sigmoid {probabilities.tolist()}")
    print(f"losses {losses.tolist()}, mean {float(loss)}, gradient {gradient.tolist()}")
    print(f"from the probabilities, where 0 and 1 have lost the logit: {floored.tolist()}")
    return {
        "probabilities": probabilities,
        "losses": losses,
        "loss": float(loss),
        "gradient": gradient,
        "floored": floored,
    }


if __name__ == "__main__":
    main()

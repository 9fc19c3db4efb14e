"""Dtypes, indexing, and the negative log likelihood that is an indexing."""

from typing import Any

import numpy as np

import portable_losses as pl
from portable_losses import Tensor


def main() -> dict[str, Any]:
    """Return gradients and losses by name."""
    x = Tensor([1, 2, 3, 4, 5, 6, 7], requires_grad=True)  # integers become floats
    small = x[x < 5]
    small.sum().backward()
    print(f"{x.dtype} {small.data.tolist()}, gradient {x.grad.tolist()}")

    table = Tensor(np.arange(35).reshape(5, 7), requires_grad=True)
    corners = table[np.array([0, 2, 4]), np.array([0, 1, 2])]
    corners.sum().backward()
    places = np.argwhere(table.grad.numpy())
    print(f"corners {corners.tolist()}, gradient 1 at {places.tolist()}")

    steps = np.arange(4)
    logits = Tensor([steps, [3, -1, 1, 0]], requires_grad=True, dtype=np.float64)
    log_probs, classes = logits.log_softmax(axis=1), np.asarray([3, 0])
    by_hand = -log_probs[range(2), classes]
    print(f"log-softmax\n{log_probs.data.round(4)}\nlosses {by_hand.data.round(4)}")
    return {
        "mask": x.grad.data,
        "places": places,
        "log_probs": log_probs.data,
        "by hand": by_hand.data,
        "classes": pl.nll_loss(log_probs, classes, reduction="none").data,
        "one-hot": pl.cross_entropy(logits, pl.one_hot(classes, 4), reduction="none").data,
    }


if __name__ == "__main__":
    main()

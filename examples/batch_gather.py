"""Gather one entry of each row, and rows of a table: the gradient goes back where it came from.

A row that is gathered twice gets the sum of both gradients.
"""

from typing import Any

import numpy as np

from portable_losses.autograd import tensor


def main() -> tuple[Any, Any]:
    """Return the gradients of the scores and of the table."""
    scores = tensor(np.asarray([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]]))
    chosen = np.asarray([2, 0])
    picked = scores[np.arange(2), chosen]
    xp = picked.__array_namespace__()
    xp.sum(picked * np.asarray([10.0, 100.0])).backward()
    print(f"picked {picked.tolist()}, gradient {scores.grad.tolist()}")

    table = tensor(np.zeros((3, 2)))
    rows = xp.take(table, np.asarray([1, 1, 0]), axis=0)
    xp.sum(rows * np.asarray([[1.0], [2.0], [4.0]])).backward()
    print(f"table's gradient {table.grad.tolist()}")
    return scores.grad.array, table.grad.array


if __name__ == "__main__":
    main()

"""Gather one entry of each row, and rows of a table: the gradient goes back where it came from.

A row that is gathered twice gets the sum of both gradients.
"""

from typing import Any

import numpy as np

from portable_losses import Tensor


def main() -> tuple[Any, Any]:
    """Return the gradients of the scores and of the table."""
    scores = Tensor([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]], requires_grad=True)
    picked = scores[range(scores.size(0)), [2, 0]]
    (picked * [10.0, 100.0]).sum().backward()
    print(f"picked {picked.tolist()}, gradient {scores.grad.tolist()}")

    table = Tensor.zeros(3, 2, requires_grad=True)
    rows = np.take(table, [1, 1, 0], axis=0)
    (rows * np.asarray([1.0, 2.0, 4.0])[:, None]).sum().backward()
    print(f"table's gradient {table.grad.tolist()}")
    return scores.grad.data, table.grad.data


if __name__ == "__main__":
    main()

"""Merge every row of one array with every row of another by broadcasting, and go back.

What a transducer's joint network does: (T, D) and (U, D) become (T, U, D). The gradient of each is
the sum over the axis along which it was repeated.
"""

from typing import Any

import numpy as np

from portable_losses.autograd import tensor


def main() -> tuple[Any, Any]:
    """Return the gradients of both arrays."""
    frames, labels = tensor(np.ones((4, 3))), tensor(np.zeros((2, 3)))
    merged = frames[:, None, :] + 2 * labels[None, :, :]
    xp = merged.__array_namespace__()
    xp.sum(xp.exp(merged)).backward()
    print(f"merged {merged.shape}, gradients {frames.grad.shape} and {labels.grad.shape}")
    print(f"{frames.grad.array[0, 0]:.4f} = 2 e, {labels.grad.array[0, 0]:.4f} = 4 * 2 e")
    return frames.grad.array, labels.grad.array


if __name__ == "__main__":
    main()

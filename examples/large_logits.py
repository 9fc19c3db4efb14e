"""Softmax, log-softmax and cross entropy by methods of Tensors, where ``exp`` overflows.

What is subtracted from the logits cancels: that the largest is subtracted keeps every exponent at
most 0. The gradient of the cross entropy is what was predicted less what was to be.
"""

from math import log
from typing import Any

import portable_losses as pl
from portable_losses import Tensor


def softmax(logits: Any, beta: float = 1.0) -> Any:
    """Return the softmax in base ``exp(beta)``: `beta` is the inverse of a temperature."""
    powers = (beta * (logits - logits.max())).exp()
    return powers / powers.sum()


def logsumexp(logits: Any) -> Any:
    """Return ``log(sum(exp(logits)))``."""
    largest = logits.max()
    return (logits - largest).exp().sum().log() + largest


def main() -> dict[str, Any]:
    """Return the loss of a target that is half and half, its gradient, and a softmax."""
    logits, target = Tensor([1000, 0], requires_grad=True), Tensor([0.5, 0.5])
    print(f"softmax {softmax(logits).tolist()}, log-softmax {logits.log_softmax().tolist()}")
    loss = -(target * logits.log_softmax()).sum()
    loss.backward()
    print(f"loss {loss.item()}, gradient {logits.grad.tolist()}")
    assert loss.item() == pl.cross_entropy(logits, target).item()

    scores = Tensor([1.0, 3.0, 2.0])
    smooth = logsumexp(scores).item()
    print(f"{scores.max().item()} <= {smooth:.4f} <= {scores.max().item() + log(3):.4f}")
    for beta in (0.1, 1.0, 10.0):
        print(f"beta {beta}: {softmax(scores, beta).data.round(4)}")
    return {
        "loss": loss.item(),
        "gradient": logits.grad.data,
        "softmax": softmax(logits).data,
        "smooth maximum": smooth,
        "cold": softmax(scores, 10.0).data,
    }


if __name__ == "__main__":
    main()

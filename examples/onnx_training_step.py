"""A training step as one ONNX program: loss, gradients and the step, for batches of any size.

ndonnx builds the graph, our tape adds the gradients to it, and onnxruntime runs it: where the
program runs, no array library and nothing of ours is needed.
"""

from typing import Any

import ndonnx as ndx
import numpy as np
import onnxruntime

import portable_losses as pl
from portable_losses.autograd import value_and_grad

FEATURES, CLASSES, STEPS, RATE = 4, 3, 200, 0.5


def loss_of(weight: Any, bias: Any, inputs: Any, target: Any) -> Any:
    """Return the mean cross entropy of a linear layer."""
    return pl.cross_entropy(inputs @ weight + bias, target)


def training_step() -> Any:
    """Return the program: from parameters and a batch to the loss and the next parameters."""
    given = {
        "weight": ndx.argument(shape=(FEATURES, CLASSES), dtype=ndx.float32),
        "bias": ndx.argument(shape=(CLASSES,), dtype=ndx.float32),
        "inputs": ndx.argument(shape=("N", FEATURES), dtype=ndx.float32),
        "target": ndx.argument(shape=("N",), dtype=ndx.int64),
    }
    loss, slopes = value_and_grad(loss_of, argnums=(0, 1))(*given.values())
    made = {
        "loss": loss,
        "next_weight": given["weight"] - RATE * slopes[0],
        "next_bias": given["bias"] - RATE * slopes[1],
    }
    return ndx.build(given, made)


def main() -> list[float]:
    """Train in batches of several sizes, print the first and the last loss, and return all."""
    session: Any = onnxruntime.InferenceSession(training_step().SerializeToString())
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(FEATURES, CLASSES))
    weight: Any = np.zeros((FEATURES, CLASSES), np.float32)
    bias: Any = np.zeros(CLASSES, np.float32)
    losses: list[float] = []
    for _ in range(STEPS):
        inputs = rng.normal(size=(int(rng.integers(16, 65)), FEATURES)).astype(np.float32)
        batch = {"inputs": inputs, "target": np.argmax(inputs @ truth, axis=-1)}
        loss, weight, bias = session.run(None, {"weight": weight, "bias": bias, **batch})
        losses.append(float(loss))
    print(f"loss {losses[0]:.4f} -> {np.mean(losses[-20:]):.4f}")
    return losses


if __name__ == "__main__":
    main()

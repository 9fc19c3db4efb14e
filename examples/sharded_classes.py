"""Softmax regression with JAX on four devices: rows and classes sharded, logits never gathered.

The four devices are one CPU, which JAX shows as four. Which collectives a step has is read off the
compiled program.
"""

import os
import re
from collections import Counter
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import portable_losses as pl

ROWS, FEATURES, CLASSES, STEPS, RATE = 512, 16, 32, 60, 2.0
COLLECTIVE = re.compile(
    r" (all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter)(?:-start)?\("
)


def loss_of(weight: Any, inputs: Any, target: Any) -> Any:
    """Return the mean cross entropy of a linear layer."""
    return pl.cross_entropy(inputs @ weight, target)


@jax.jit
def step(weight: Any, inputs: Any, target: Any) -> tuple[Any, Any]:
    """Return the loss, and the weight after a step of gradient descent."""
    loss, slope = jax.value_and_grad(loss_of)(weight, inputs, target)
    return loss, weight - RATE * slope


def collectives(compiled: Any) -> dict[str, int]:
    """Count what the devices say to each other in a compiled program."""
    return dict(Counter(COLLECTIVE.findall(compiled.as_text())))


def main() -> tuple[list[float], dict[str, int]]:
    """Train, print the losses and the collectives of a step, and return both."""
    batches = 2 if len(jax.devices()) % 2 == 0 else 1
    parts = (batches, len(jax.devices()) // batches)
    mesh = jax.make_mesh(parts, ("rows", "classes"), axis_types=(AxisType.Auto,) * 2)

    def sharded(x: Any, *axes: str | None) -> Any:
        return jax.device_put(x, NamedSharding(mesh, PartitionSpec(*axes)))

    first, second = jax.random.split(jax.random.key(0))
    inputs = jax.random.normal(first, (ROWS, FEATURES))
    target = jnp.argmax(inputs @ jax.random.normal(second, (FEATURES, CLASSES)), axis=-1)
    inputs, target = sharded(inputs, "rows", None), sharded(target, "rows")
    weight = sharded(jnp.zeros((FEATURES, CLASSES)), None, "classes")

    losses: list[float] = []
    for _ in range(STEPS):
        loss, weight = step(weight, inputs, target)
        losses.append(float(loss))
    said = collectives(step.lower(weight, inputs, target).compile())
    print(f"{len(jax.devices())} devices; loss {losses[0]:.4f} -> {losses[-1]:.4f}")
    print("the weight stays sharded:", weight.sharding.spec)
    print("collectives of a step:", said)
    return losses, said


if __name__ == "__main__":  # the number is fixed when JAX first makes an array
    os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=4")
    main()

"""Functions of rows on a CUDA card beside PyTorch's: ``python -m benchmarks.gpu``.

Forward and backward together, in float32, each beside the time in which the card copies an array of
that size (one read and one write): what only memory bounds takes one to two copies. No card was at
hand when this was written.
"""

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

import portable_losses as pl

SHAPES = [(65536, 10), (8192, 1000), (4096, 32000), (1024, 128256)]
ROUNDS, WARM_UP = 20, 5

Step = Callable[[], Any]


def time_of(step: Step) -> float:
    """Return the median time of a step on the card, in milliseconds."""
    for _ in range(WARM_UP):
        step()
    times: list[float] = []
    for _ in range(ROUNDS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        step()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)


def training(function: Callable[[Any], Any], z: Any) -> Step:
    """Return a step that runs `function` and its gradient by `z`."""
    with torch.no_grad():
        grad = torch.ones_like(function(z))

    def step() -> None:
        torch.autograd.grad(function(z), z, grad)

    return step


def functions(target: Any) -> dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]]:
    """Return ours and PyTorch's, by name."""
    of_torch = torch.nn.functional
    return {
        "cross_entropy": (
            lambda z: pl.cross_entropy(z, target),
            lambda z: of_torch.cross_entropy(z, target),
        ),
        "softmax": (lambda z: pl.softmax(z, axis=-1), lambda z: of_torch.softmax(z, dim=-1)),
        "log_softmax": (
            lambda z: pl.log_softmax(z, axis=-1),
            lambda z: of_torch.log_softmax(z, dim=-1),
        ),
        "logsumexp": (
            lambda z: pl.logsumexp(z, axis=-1),
            lambda z: torch.logsumexp(z, dim=-1),
        ),
    }


def main() -> None:
    """Print a line for each function and shape: times as multiples of a copy."""
    if not torch.cuda.is_available():
        msg = "python -m benchmarks.gpu: PyTorch finds no CUDA card here"
        raise SystemExit(msg)
    print(torch.cuda.get_device_name(), "PyTorch", torch.__version__)
    print("rows x classes    function        copy      ours  eager  compiled  (in copies)")
    for rows, classes in SHAPES:
        z = torch.randn(rows, classes, device="cuda", requires_grad=True)
        target = torch.randint(classes, (rows,), device="cuda")
        room = torch.empty_like(z)
        copy = time_of(partial(room.copy_, z.detach()))
        for name, (ours, theirs) in functions(target).items():
            compiled = torch.compile(theirs, dynamic=False)
            times = [time_of(training(f, z)) / copy for f in (ours, theirs, compiled)]
            shown = "{:6.2f} {:6.2f}    {:6.2f}".format(*times)
            print(f"{rows:6} x {classes:6}   {name:14} {copy:6.3f} ms  {shown}")


if __name__ == "__main__":
    main()

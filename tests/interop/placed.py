"""What laws of DTensors share: samples, where they lie, and a call beside that of plain tensors."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.debug import CommDebugMode

LAWS: dict[str, Callable[[int], None]] = {}

RNG = np.random.default_rng(0)
Z = torch.as_tensor(RNG.normal(size=(6, 10)) * 3)
LABELS = torch.as_tensor([3, -100, 0, 9, 5, 5])
SHARES = torch.softmax(torch.as_tensor(RNG.normal(size=(6, 10))), 1)
OF_CLASS = torch.as_tensor(RNG.uniform(0.5, 2, 10))
OF_ROW = torch.as_tensor(RNG.uniform(0.5, 2, 6))
KEPT = torch.as_tensor([True, True, False, True, True, True])
SOME = torch.as_tensor(RNG.uniform(size=(6, 10)) < 0.7) | (torch.arange(10) == LABELS[:, None])

# Every option of cross_entropy: a row of options, whose tensors lie as `put` says.
OPTIONS: dict[str, dict[str, Any]] = {
    "": {},
    "weight": {"weight": OF_CLASS},
    "smoothing": {"label_smoothing": 0.1},
    "z_loss": {"z_loss": 0.3},
    "softcap": {"softcap": 5.0},
    "where": {"where": KEPT},
    "classes masked": {"where": SOME},
    "sample_weight": {"sample_weight": OF_ROW},
    "denominator": {"denominator": 7},
    "everything": {
        "weight": OF_CLASS,
        "label_smoothing": 0.2,
        "z_loss": 0.1,
        "softcap": 4.0,
        "where": KEPT,
        "sample_weight": OF_ROW,
    },
    "sum": {"reduction": "sum"},
    "none": {"reduction": "none"},
}


def law(function: Callable[[int], None]) -> Callable[[int], None]:
    LAWS[function.__name__] = function
    return function


def line(world: int) -> Any:
    return init_device_mesh("cpu", (world,))


def put(mesh: Any, x: Any, placements: Sequence[Any], ndim: int = 2) -> Any:
    """Distribute a tensor as one of `ndim` axes, (rows, classes), lies in these parts."""
    if not isinstance(x, torch.Tensor):
        return x
    placed = []
    for p in placements:
        of_class = p.is_shard() and p.dim == ndim - 1
        if p.is_shard() and x.ndim < ndim:
            own = x.shape[0] == Z.shape[-1] if of_class else x.shape[0] == Z.shape[0]
            p = Shard(0) if own else Replicate()
        placed.append(p)
    return distribute_tensor(x, mesh, placed)


def same(got: Any, want: Any, what: str, tolerance: float = 1e-11) -> None:
    whole = got.full_tensor() if isinstance(got, DTensor) else got
    np.testing.assert_allclose(
        whole.detach(), want.detach(), tolerance, tolerance, err_msg=what, equal_nan=True
    )


def differentiate(
    call: Callable[[Any, Any], Any], z: Any, options: dict[str, Any]
) -> tuple[Any, Any]:
    z = z.detach().requires_grad_()
    out = call(z, options)
    out = out if isinstance(out, tuple) else (out,)
    total: Any = sum((x * x).sum() for x in out)
    total.backward()
    return out[0], z.grad


def compare(
    call: Callable[[Any, Any], Any],
    z: Any,
    options: dict[str, Any],
    mesh: Any,
    placements: Sequence[Any],
    what: str,
) -> Counter[str]:
    """Hold a call on DTensors to the same call on tensors; return the collectives it took."""
    want, slope = differentiate(call, z, options)
    given = {name: put(mesh, x, placements, z.ndim) for name, x in options.items()}
    parts = put(mesh, z, placements, z.ndim)
    with CommDebugMode() as seen:
        got, grad = differentiate(call, parts, given)
    same(got, want, what)
    same(grad, slope, f"gradient of {what}")
    assert grad.placements == tuple(placements), f"{what}: {grad.placements}"
    return Counter({str(k).rpartition(".")[2]: n for k, n in seen.get_comm_counts().items()})

"""Where the rows of a DTensor lie, and the sums over the processes that share one."""

__library__ = "torch"

import math
from typing import Any, NamedTuple

import torch
from torch.autograd import forward_ad
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

from portable_losses._typing import Array

__all__ = ["Parts", "are_in_parts"]

MOST = 2**24  # classes, which float32 counts
FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


class Parts(NamedTuple):
    """The mesh of rows, and over which of its dimensions their entries lie in parts."""

    mesh: Any
    placements: tuple[Any, ...]
    shape: tuple[int, ...]
    cut: tuple[int, ...]
    rank: int  # of this process among those that share a row, and how many these are
    processes: int
    start: int  # its first entry, and how many it has
    size: int

    @classmethod
    def of(cls, x: Array) -> "Parts":
        """Return those of a DTensor."""
        mesh, last = x.device_mesh, x.ndim - 1
        cut = tuple([i for i, p in enumerate(x.placements) if p.is_shard() and p.dim == last])
        sizes, offsets = compute_local_shape_and_global_offset(x.shape, mesh, x.placements)
        place: Any = mesh.get_coordinate()
        rank = 0
        for i in cut:
            rank = rank * mesh.size(i) + place[i]
        count = math.prod([mesh.size(i) for i in cut])
        return cls(mesh, x.placements, tuple(x.shape), cut, rank, count, offsets[last], sizes[last])

    def placed(self, kind: str) -> list[Any]:
        """Return how an array of a kind lies."""
        if kind == "entries":
            return list(self.placements)
        if kind == "weights":
            return [Shard(0) if i in self.cut else Replicate() for i in range(self.mesh.ndim)]
        return [Replicate() if i in self.cut else p for i, p in enumerate(self.placements)]

    def own(self, x: Array, kind: str) -> Array:
        """Return what this process needs of an array, of rows with the axis kept."""
        if not isinstance(x, DTensor):
            return x
        placed = self.placed(kind) if x.ndim else [Replicate()] * self.mesh.ndim
        if list(x.placements) != placed:
            x = x.redistribute(placements=placed)
        local = x.to_local()
        return local[..., None] if kind == "row" and local.ndim else local

    def whole(self, x: Array, kind: str) -> Array:
        """Return a result of this process as a DTensor."""
        lead = self.shape[:-1]
        shape = {"entries": self.shape, "kept": (*lead, 1), "row": lead}[kind]
        placed = self.placed(kind)
        local, _ = compute_local_shape_and_global_offset(shape, self.mesh, placed)
        x = (x[..., 0] if kind == "row" and x.ndim else x).expand(local).contiguous()
        stride = torch.empty(shape, device="meta").stride()
        return DTensor.from_local(
            x, self.mesh, placed, run_check=False, shape=torch.Size(shape), stride=stride
        )

    def summed(self, x: Array) -> Array:
        """Return the sum over the processes that share a row: an all-reduce."""
        if self.processes == 1:
            return x
        everywhere = [Replicate()] * self.mesh.ndim
        placed = [Partial() if i in self.cut else p for i, p in enumerate(everywhere)]
        made: Any = DTensor.from_local(x, self.mesh, placed, run_check=False)
        return made.redistribute(placements=everywhere).to_local()


def are_in_parts(arrays: tuple[Any, ...]) -> bool:
    """Say whether these are DTensors of rows, in plain parts, that no transform sees."""
    first = arrays[0]
    if torch.compiler.is_compiling() or forward_ad._current_level >= 0:
        return False
    for x in arrays:
        if x is not None and not (isinstance(x, DTensor) and x.device_mesh == first.device_mesh):
            return False
    plain = all(type(p) in (Shard, Replicate) for p in first.placements)
    shape = tuple(first.shape)
    if not (plain and shape) or first.dtype not in FLOATS:
        return False
    return 1 < shape[-1] < MOST and 0 not in shape

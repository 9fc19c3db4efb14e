"""Two processes train one model, by DDP and by FSDP2: the mean is that over the rows of both.

Of the first process's rows most are left out (`ignore_index`), so the mean of the two means would
not be the mean of all. Each divides by the count of both: ``denominator=``.
"""

import multiprocessing
import os
import sys
import tempfile
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

import portable_losses as pl

STEPS, LEARNING_RATE = 20, 0.5


def data() -> tuple[torch.Tensor, torch.Tensor]:
    """Return 16 rows and their classes; of the first eight, two count."""
    made = torch.Generator().manual_seed(0)
    x = torch.randn(16, 4, generator=made)
    target = (x[:, 0] > 0).long() + (x[:, 1] > 0)
    target[:6] = -100
    return x, target


def model() -> nn.Module:
    """Return a network of two layers, which starts from zeros and halves."""
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    for i, p in enumerate(net.parameters()):
        made = torch.Generator().manual_seed(i)
        p.data = torch.randn(p.shape, generator=made) / 2
    return net


def train(net: nn.Module, x: torch.Tensor, target: torch.Tensor) -> None:
    """Take the steps of one process, or of the only one, on its rows."""
    world = dist.get_world_size() if dist.is_initialized() else 1
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE)
    for _ in range(STEPS):
        count = (target != -100).sum()
        if world > 1:
            dist.all_reduce(count)  # the rows of all processes that count
        # DDP and FSDP average the gradients of the processes, so a process divides by its share.
        loss = pl.cross_entropy(net(x), target, denominator=count / world)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def whole(p: Any) -> torch.Tensor:
    """Return all of a parameter that FSDP has cut."""
    return (p.full_tensor() if isinstance(p, DTensor) else p).detach()


def work(rank: int, world: int, file: str) -> None:
    """Train alone, then with the others; the first one says how far the parameters are apart."""
    x, target = data()
    alone = model()
    train(alone, x, target)
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=world)
    mine = slice(rank * 8, rank * 8 + 8)
    for name in ("DDP", "FSDP2"):
        net = model()
        if name == "DDP":
            net = DistributedDataParallel(net)
        else:
            fully_shard(net, mesh=init_device_mesh("cpu", (world,)))
        train(net, x[mine], target[mine])
        pairs = zip(net.parameters(), alone.parameters(), strict=True)
        apart = max(float((whole(p) - q.detach()).abs().max()) for p, q in pairs)
        if rank == 0:
            loss = float(pl.cross_entropy(alone(x), target).detach())
            print(f"{name}: loss {loss:.4f}, parameters differ by less than 1e-5: {apart < 1e-5}")
            sys.stdout.flush()
    dist.barrier()
    os._exit(0)  # without the warnings of gloo's threads


def main() -> None:
    """Start two processes."""
    torch.set_num_threads(1)
    fork = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder:
        given = [(rank, 2, f"{folder}/rendezvous") for rank in range(2)]
        workers = [fork.Process(target=work, args=one) for one in given]
        for one in workers:
            one.start()
        for one in workers:
            one.join()


if __name__ == "__main__":
    main()

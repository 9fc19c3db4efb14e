"""What holds for DTensors, in two processes (or more) that gloo joins: ``python -m`` runs it.

Each law is a function of the number of processes. The first process prints, as JSON, the error of
each law, "" where it holds: `test_torch_dtensor.py` has a test for each.
"""

import json
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import (
    DTensor,
    Partial,
    Replicate,
    Shard,
    distribute_tensor,
)

import portable_losses as pl
from portable_losses import _backend
from tests.interop.dtensor_rounds import LAWS
from tests.interop.placed import (
    LABELS,
    OPTIONS,
    SHARES,
    SOME,
    Z,
    compare,
    law,
    line,
    put,
    same,
)
from tests.libraries import EVERY_ROW
from tests.rows import FEW, ONCE
from tests.samples import Sample

__all__ = ["LAWS"]

ROWS = ONCE if EVERY_ROW else FEW
TIMED = "--timed" in sys.argv


# ---- every function ------------------------------------------------------------------------------


def table(mesh: Any, place: Callable[[torch.Tensor], Any]) -> None:
    """Hold every row of the tests' table to what the function gives of plain tensors."""
    for row in ROWS:
        moderate = {key: torch.as_tensor(np.array(a)) for key, a in row.moderate.items()}
        first = moderate[0]
        found = []
        for distributed in (False, True):
            arrays: dict[Any, Any] = {}
            for key, x in moderate.items():
                x = x.clone()
                if distributed:
                    alike = x.shape == first.shape
                    x = distribute_tensor(x, mesh, [place(x) if alike else Replicate()])
                arrays[key] = x.requires_grad_() if key in row.variables else x
            outs = row.call(arrays)
            total: Any = sum((x * x).sum() for x in outs if x.is_floating_point())
            if row.variables:
                total.backward()
            found.append((outs, {key: arrays[key] for key in row.variables}))
        hold(row, *found)


def hold(row: Sample, plain: Any, distributed: Any) -> None:
    for got, want in zip(distributed[0], plain[0], strict=True):
        assert isinstance(got, DTensor), row
        same(got, want, str(row), 1e-9)
    for key, x in plain[1].items():
        got = distributed[1][key]
        if x.grad is not None:
            same(got.grad, x.grad, f"gradient of {row} by {key}", 1e-9)
            assert got.grad.placements == got.placements, f"{row} by {key}: {got.grad.placements}"


@law
def every_function_takes_what_each_process_has(world: int) -> None:
    table(line(world), lambda x: Replicate())


@law
def every_function_takes_a_batch_in_parts(world: int) -> None:
    table(line(world), lambda x: Shard(0) if x.ndim else Replicate())


@law
def every_function_takes_classes_in_parts(world: int) -> None:
    table(line(world), lambda x: Shard(x.ndim - 1) if x.ndim else Replicate())


# ---- classes in parts ----------------------------------------------------------------------------


@law
def cross_entropy_gathers_nothing_with_any_option(world: int) -> None:
    mesh = line(world)
    for note, options in OPTIONS.items():
        if not (EVERY_ROW or note in ("", "classes masked", "everything")):
            continue
        for target in (LABELS, SHARES):
            if target is SHARES and options.get("where") is SOME:
                continue  # shares of a class that is masked
            given = {"target": target, **options}
            call = lambda z, o: pl.cross_entropy(  # noqa: E731
                z, o["target"], **{k: v for k, v in o.items() if k != "target"}
            )
            taken = compare(call, Z, given, mesh, [Shard(1)], f"cross_entropy {note}")
            assert set(taken) <= {"all_reduce"}, f"{note}: {taken}"


ROWWISE: dict[str, Callable[[Any, Any], Any]] = {
    "softmax": lambda z, o: pl.softmax(z),
    "log_softmax": lambda z, o: pl.log_softmax(z),
    "softmin": lambda z, o: pl.softmin(z),
    "logsumexp": lambda z, o: pl.logsumexp(z, axis=-1),
    "kl_div": lambda z, o: pl.kl_div(pl.log_softmax(z), o["q"], axis=-1),
    "js_div": lambda z, o: pl.js_div(pl.log_softmax(z), o["q"], axis=-1),
    "softmax_focal_loss": lambda z, o: pl.softmax_focal_loss(z, o["y"]),
    "poly_loss": lambda z, o: pl.poly_loss(z, o["y"]),
    "generalized_cross_entropy": lambda z, o: pl.generalized_cross_entropy(z, o["y"]),
    "nll_loss": lambda z, o: pl.nll_loss(pl.log_softmax(z), o["y"]),
    "multi_margin_loss": lambda z, o: pl.multi_margin_loss(z, o["first"]),
    "multiclass_hinge_loss": lambda z, o: pl.multiclass_hinge_loss(z, o["first"]),
    "ranking_softmax_loss": lambda z, o: pl.ranking_softmax_loss(z, o["q"]),
    "distillation_loss": lambda z, o: pl.distillation_loss(z, o["q"]),
}


@law
def functions_of_rows_gather_nothing(world: int) -> None:
    mesh = line(world)
    for name, call in ROWWISE.items():
        if not (EVERY_ROW or name in ("softmax", "logsumexp", "kl_div", "softmax_focal_loss")):
            continue
        given = {"q": SHARES, "y": LABELS, "first": LABELS.clip(0)}
        taken = compare(call, Z, given, mesh, [Shard(1)], name)
        assert set(taken) <= {"all_reduce"}, f"{name}: {taken}"


INF, NAN = float("inf"), float("nan")
EXTREME = [
    [40.0, 0.0, 0.0, -3.0],
    [0.0, 0.0, 40.0, 40.0],
    [-INF, 1.0, 2.0, -INF],
    [-INF, -INF, -INF, -INF],
    [INF, 0.0, 1.0, 2.0],
    [NAN, 0.0, 1.0, 2.0],
    [800.0, -800.0, 0.0, 799.0],
]


@law
def extreme_rows_have_the_digits_of_plain_tensors(world: int) -> None:
    mesh = line(world)
    for name in ("log_softmax", "softmax", "logsumexp", "cross_entropy"):
        found = []
        for wrap in (lambda x: x, lambda x: distribute_tensor(x, mesh, [Shard(x.ndim - 1)])):
            z = wrap(torch.as_tensor(EXTREME, dtype=torch.float64)).requires_grad_()
            if name == "cross_entropy":
                labels: Any = torch.zeros(len(EXTREME), dtype=torch.int64)
                if isinstance(z, DTensor):
                    labels = distribute_tensor(labels, mesh, [Replicate()])
                out = pl.cross_entropy(z, labels, reduction="none")
            else:
                out = getattr(pl, name)(z, axis=-1)
            found.append((out, *torch.autograd.grad(out.sum(), z)))
        for got, want in zip(found[1], found[0], strict=True):
            whole = got.full_tensor().detach()
            np.testing.assert_allclose(whole, want.detach(), 1e-14, 1e-300, err_msg=name)


@law
def what_sorts_is_put_together_and_right(world: int) -> None:
    mesh = line(world)
    for name in ("sparsemax", "entmax15", "cumulative_logsumexp"):
        call = lambda z, o, name=name: getattr(pl, name)(z, axis=-1)  # noqa: E731
        compare(call, Z, {}, mesh, [Shard(1)], name)


# ---- meshes, parts and derivatives ---------------------------------------------------------------


@law
def a_mesh_of_two_dimensions_divides_batch_and_classes(world: int) -> None:
    sizes = (2, world // 2)
    mesh = init_device_mesh("cpu", sizes)
    of_batch, of_class, all_ = Shard(0), Shard(1), Replicate()
    every = [(of_batch, of_class), (of_class, of_batch), (of_class, all_), (of_class, of_class)]
    for placements in every if EVERY_ROW else every[:1]:
        for note in ("", "everything") if EVERY_ROW else ("everything",):
            given = {"target": LABELS, **OPTIONS[note]}
            call = lambda z, o: pl.cross_entropy(  # noqa: E731
                z, o["target"], **{k: v for k, v in o.items() if k != "target"}
            )
            compare(call, Z, given, mesh, placements, f"cross_entropy {note} {placements}")
        compare(ROWWISE["softmax"], Z, {}, mesh, placements, f"softmax {placements}")


@law
def partial_sums_are_added_up_first(world: int) -> None:
    mesh = line(world)
    partial = DTensor.from_local(Z / world, mesh, [Partial()], run_check=False)
    labels = put(mesh, LABELS, [Replicate()])
    same(pl.cross_entropy(partial, labels), pl.cross_entropy(Z, LABELS), "cross_entropy")
    same(pl.gelu(partial), pl.gelu(Z), "gelu")


@law
def a_plain_tensor_beside_a_dtensor_is_refused(world: int) -> None:
    z = put(line(world), Z, [Shard(1)])
    with pytest.raises(TypeError, match=r"one library, got logits: torch.DTensor, target: torch.T"):
        pl.cross_entropy(z, LABELS)


@law
def a_gradient_is_differentiated_again(world: int) -> None:
    mesh, found = line(world), []
    for z, y in ((Z, LABELS), (put(mesh, Z, [Shard(1)]), put(mesh, LABELS, [Replicate()]))):
        z = z.detach().requires_grad_()
        (slope,) = torch.autograd.grad(pl.cross_entropy(z, y), z, create_graph=True)
        (slope * slope).sum().backward()
        found.append(z.grad)
    same(found[1], found[0], "second derivative")


@law
def the_mean_over_everybody_is_that_of_the_whole(world: int) -> None:
    own = slice(6 * dist.get_rank() // world, 6 * (dist.get_rank() + 1) // world)
    count = (LABELS[own] != -100).sum()
    dist.all_reduce(count)
    loss = pl.cross_entropy(Z[own], LABELS[own], denominator=count)
    dist.all_reduce(loss)
    same(loss, pl.cross_entropy(Z, LABELS), "the sum of the means")
    mesh = line(world)
    whole = pl.cross_entropy(put(mesh, Z, [Shard(0)]), put(mesh, LABELS, [Shard(0)]), denominator=5)
    same(whole, pl.cross_entropy(Z, LABELS), "of a batch in parts")


# ---- the processes -------------------------------------------------------------------------------


def work(rank: int, world: int, file: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=world)
    found = {}
    for name, function in LAWS.items():
        try:
            before = time.process_time()
            function(world)
            found[name] = ""
            if TIMED and rank == 0:
                sys.stderr.write(f"{name}: {time.process_time() - before:.2f} s\n")
        except Exception:
            found[name] = traceback.format_exc()
    if rank == 0:
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()
    dist.barrier()
    os._exit(0)


def main(world: int) -> None:
    torch.set_num_threads(1)
    # What DTensors are held to need not compile kernels.
    _backend._LOADED["torch"] = replace(_backend.load_backend("torch"), speed=_backend.Speed())
    fork = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder:
        given = [(rank, world, f"{folder}/rendezvous") for rank in range(world)]
        workers = [fork.Process(target=work, args=one) for one in given]
        for one in workers:
            one.start()
        for one in workers:
            one.join()


if __name__ == "__main__":
    main(int(sys.argv[1]))

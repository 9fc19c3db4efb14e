"""Try and measure everything on a CUDA card; write docs/gpu.md.

Run ``make card`` on a machine with an NVIDIA card and PyTorch and CuPy for it: some minutes.
``--rehearse`` runs the same on the processor with few entries, prints, and writes nothing: so it is
known to work before a card is at hand. Three parts, each of which stops when its time is over and
says so:

1. *Matrix*: rows of the tests (`tests/rows/`), value and gradient, on both libraries' arrays in
   float64, beside NumPy's.
2. *Kernels*: functions on large arrays, value and gradient, in float32 on the card beside float64
   on the processor, in units of the last place of the largest entry that belongs to a result.
3. *Speed*: forward and backward beside PyTorch eager, torch.compile and a copy of the input.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import Any

import numpy as np
import torch
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses.autograd import vjp
from tests.libraries import Library
from tests.rows import CURVES, POINTWISE, SELECTED
from tests.samples import Sample

TARGET = Path(__file__).parents[1] / "docs" / "gpu.md"
SECONDS = {"matrix": 150.0, "kernels": 90.0, "speed": 180.0}
ROUNDS, WARM_UP = 20, 3
CLOSE = 2.0**-44  # of results in float64, which both sides round
PACKAGES = ("portable-losses", "torch", "triton", "cupy-cuda12x", "jax", "numpy")

Step = Callable[[], Any]


@dataclass(frozen=True)
class Place:
    """Where it runs: a card, or the processor for a rehearsal."""

    card: bool

    @property
    def device(self) -> str:
        """The device of tensors."""
        return "cuda" if self.card else "cpu"

    @property
    def libraries(self) -> list[Library]:
        """The libraries whose arrays lie there."""
        if not self.card:
            return [Library("numpy", "numpy"), Library("torch", "torch")]
        return [Library("cupy", "cupy"), Library("torch, cuda", "torch", device="cuda")]

    def entries(self, count: int) -> int:
        """Return how many entries an array of `count` has."""
        return count if self.card else max(16, count // 2000)


def in_time(part: str, work: Iterator[str]) -> list[str]:
    """Return the lines that `work` yields until the part's time is over; then one that says so."""
    lines, end = [], time.monotonic() + SECONDS[part]
    for line in work:
        lines.append(line)
        print(line, flush=True)
        if time.monotonic() > end:
            lines.append(f"| (stopped after {SECONDS[part]:.0f} s) |")
            break
    return lines


# ---- the matrix ----------------------------------------------------------------------------------


def results(row: Sample, library: Library) -> list[Any]:
    """Return value and gradients of a row in float64, as NumPy's arrays."""
    arrays = row.on(library)
    outs = row.call(arrays)
    variables = [arrays[key] for key in row.variables]
    gradient = library.gradient(row.scalar(arrays, library, "float64"), range(len(variables)))
    slopes = gradient(*variables) if variables else ()
    return [library.numpy(x) for x in (*outs, *slopes)]


def is_close(got: Any, want: Any) -> bool:
    """Say whether two arrays are one up to rounding; NaN is NaN."""
    scale = np.where(np.isfinite(want), np.abs(want), 1.0).max(initial=1.0)
    return got.shape == want.shape and np.allclose(
        got, want, rtol=1e-11, atol=CLOSE * scale, equal_nan=True
    )


def matrix(place: Place) -> Iterator[str]:
    """Yield a line for each row that is wrong, and one for each library."""
    numpy = Library("numpy", "numpy")
    end = time.monotonic() + SECONDS["matrix"] - 10
    right, tried = [0 for _ in place.libraries], 0
    for row in SELECTED:
        if time.monotonic() > end:
            break
        tried += 1
        want = results(row, numpy)
        for i, library in enumerate(place.libraries):
            try:
                got = results(row, library)
            except Exception as error:
                yield f"| {library} | {row} | {type(error).__name__}: {str(error)[:120]!r} |"
                continue
            if all(map(is_close, got, want)):
                right[i] += 1
            else:
                yield f"| {library} | {row} | differs from NumPy |"
    for library, count in zip(place.libraries, right, strict=True):
        yield f"| {library} | {count} of {tried} rows of {len(SELECTED)} | as on NumPy |"


# ---- kernels -------------------------------------------------------------------------------------


def value_and_gradient(function: Callable[[Any], Any], x: Any) -> list[Any]:
    """Return both as NumPy's arrays of float64; results are weighed evenly."""
    if isinstance(x, torch.Tensor):
        x = x.requires_grad_()
        out = function(x)
        (slope,) = torch.autograd.grad(out, x, torch.ones_like(out))
        return [one.detach().cpu().double().numpy() for one in (out, slope)]
    out, pull = vjp(function, x)
    (slope,) = pull(out * 0 + 1)
    return [np.asarray(one.get() if hasattr(one, "get") else one, float) for one in (out, slope)]


def distance(got: Any, want: Any, *, rows: bool) -> float:
    """Return the largest distance in ulps of float32: of each result, at least of 1 in 2^10 of it.

    Of rows, an ulp is that of the row's largest entry.
    """
    size = np.abs(want)
    if rows and want.ndim:
        size = np.maximum(size, size.max(-1, keepdims=True))
    unit = np.maximum(size * 2.0**-23, 2.0**-33)
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    return float(np.where(same, 0.0, np.abs(got - want) / unit).max(initial=0.0))


def row_calls(place: Place) -> Iterator[tuple[str, Any, Callable[[Any], Any]]]:
    """Yield functions of rows with their options: a name, logits, and what is called."""
    random = np.random.default_rng(0)
    for rows, classes in [(4096, 10), (1024, 1000), (64, 32000)]:
        z = random.standard_normal((place.entries(rows), classes)) * 8
        index = random.integers(0, classes, len(z))
        options = {
            "": {},
            "smoothing": {"label_smoothing": 0.1},
            "softcap": {"softcap": 20.0},
            "z_loss": {"z_loss": 1e-3},
            "weight": {"weight": random.uniform(0.2, 2.0, classes).astype(np.float32)},
        }
        for name in ("softmax", "log_softmax", "logsumexp"):
            yield f"{name} {z.shape}", z, partial(getattr(pl, name), axis=-1)
        for note, given in options.items():

            def call(x: Any, index: Any = index, given: Any = given) -> Any:
                made = {k: like(v, x) if isinstance(v, np.ndarray) else v for k, v in given.items()}
                return pl.cross_entropy(x, like(index, x), reduction="none", **made)

            yield f"cross_entropy {note} {z.shape}".replace("  ", " "), z, call


def like(values: Any, x: Any) -> Any:
    """Return NumPy's `values` in the library and on the device of `x`, floats in its dtype."""
    if isinstance(x, torch.Tensor):
        made = torch.asarray(values, device=x.device)
        return made.to(x.dtype) if made.is_floating_point() else made
    made = array_namespace(x).asarray(values)
    return made.astype(x.dtype) if made.dtype.kind == "f" else made


def calls(place: Place) -> Iterator[tuple[str, Any, Callable[[Any], Any]]]:
    """Yield all functions that a kernel serves: a name, an array of float64, and what is called."""
    yield from row_calls(place)
    random = np.random.default_rng(1)
    count = place.entries(100_000)
    for curve in CURVES:
        low, high = max(curve.low, -30.0), min(curve.high, 30.0)
        yield str(curve), random.uniform(low, high, count), curve
    for loss in POINTWISE:
        row = loss.rows[0]
        if row.function.__name__ in ("binary_cross_entropy_with_logits", "huber_loss"):
            target = random.uniform(0, 1, count).astype(np.float32)

            def call(x: Any, row: Any = row, target: Any = target) -> Any:
                return row.function(x, like(target, x), reduction="none")

            yield row.function.__name__, random.standard_normal(count) * 8, call


def kernels(place: Place) -> Iterator[str]:
    """Yield a line for each function: how far float32 there is from float64 here, in ulps."""
    for name, x, function in calls(place):
        narrow = x.astype(np.float32)
        want = value_and_gradient(function, narrow.astype(np.float64))
        cells = []
        for library in place.libraries:
            try:
                given = library.array(np.zeros(1), "float32")
                got = value_and_gradient(function, like(narrow, given))
                far = [distance(a, b, rows=narrow.ndim > 1) for a, b in zip(got, want, strict=True)]
                cells.append(" / ".join(f"{one:.1f}" for one in far))
            except Exception as error:
                cells.append(f"{type(error).__name__}: {str(error)[:100]!r}")
        yield f"| {name} | {' | '.join(cells)} |"


# ---- speed ---------------------------------------------------------------------------------------


def time_of(step: Step, place: Place) -> float:
    """Return the median time of a step, in milliseconds."""
    for _ in range(WARM_UP):
        step()
    times: list[float] = []
    for _ in range(ROUNDS):
        if place.card:
            torch.cuda.synchronize()
        start = time.perf_counter()
        step()
        if place.card:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def training(function: Callable[[Any], Any], z: Any) -> Step:
    """Return a step that runs `function` and its gradient by `z`."""
    with torch.no_grad():
        grad = torch.ones_like(function(z))

    def step() -> None:
        torch.autograd.grad(function(z), z, grad)

    return step


def races(place: Place) -> Iterator[tuple[str, tuple[int, ...], Any, Any]]:
    """Yield a name, a shape, and our function and PyTorch's."""
    of_torch = torch.nn.functional
    shape: tuple[int, ...]
    for rows, classes in [(65536, 10), (8192, 1000), (4096, 32000), (1024, 128256)]:
        shape = (place.entries(rows), classes)
        target = torch.randint(classes, shape[:1], device=place.device)
        yield (
            "cross_entropy",
            shape,
            lambda z, t=target: pl.cross_entropy(z, t),
            lambda z, t=target: of_torch.cross_entropy(z, t),
        )
        yield "softmax", shape, pl.softmax, partial(of_torch.softmax, dim=-1)
        yield "log_softmax", shape, pl.log_softmax, partial(of_torch.log_softmax, dim=-1)
    shape = (place.entries(2**26),)
    for name in ("gelu", "silu", "mish", "softplus", "sigmoid", "relu"):
        yield name, shape, getattr(pl, name), getattr(of_torch, name)
    target = torch.rand(shape, device=place.device)
    for name in ("binary_cross_entropy_with_logits", "huber_loss", "mse_loss"):
        ours, theirs = getattr(pl, name), getattr(of_torch, name)
        yield name, shape, lambda z, f=ours: f(z, target), lambda z, f=theirs: f(z, target)


def speed(place: Place) -> Iterator[str]:
    """Yield a line for each function and shape: times as multiples of a copy."""
    for name, shape, ours, theirs in races(place):
        z = torch.randn(shape, device=place.device, requires_grad=True)
        room = torch.empty_like(z)
        copy = time_of(partial(room.copy_, z.detach()), place)
        programs = [ours, theirs]
        if place.card:
            programs.append(torch.compile(theirs, dynamic=False))
        cells = []
        for program in programs:
            try:
                cells.append(f"{time_of(training(program, z), place) / copy:.2f}")
            except Exception as error:
                cells.append(f"{type(error).__name__}: {str(error)[:80]!r}")
        size = " x ".join(map(str, shape))
        yield f"| {name} | {size} | {copy:.3f} | {' | '.join(cells)} |"


# ---- the document --------------------------------------------------------------------------------

DOCUMENT = """\
# On a card, measured

Written by `make card` on {date}: {card}. {versions}.

## The matrix

Rows of the tests, value and gradient in float64, beside NumPy's.

| library | row | result |
|---|---|---|
{matrix}

## Functions that a kernel serves

Value / gradient in float32 on the card beside float64 on the processor, in ulps of float32 (of a
row's largest entry; at least those of 2^-10).

| function | {libraries} |
|---|---|---|
{kernels}

## Speed

Forward and backward on CUDA tensors in float32, as multiples of the time of a copy of the input.

| function | shape | copy, ms | ours | PyTorch eager | torch.compile |
|---|---|---|---|---|---|
{speed}
"""


def versions() -> str:
    """Return Python and the packages that there are, with their versions."""
    found = [f"Python {python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def main(arguments: list[str]) -> None:
    """Run all parts, and write the document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rehearse", action="store_true", help="on the processor; writes nothing")
    parser.add_argument("--to", type=Path, default=TARGET, help="the document")
    options = parser.parse_args(arguments)
    place = Place(card=not options.rehearse)
    if place.card and not torch.cuda.is_available():
        msg = "make card: PyTorch finds no CUDA card here"
        raise SystemExit(msg)
    parts = {"matrix": matrix, "kernels": kernels, "speed": speed}
    lines = {name: "\n".join(in_time(name, part(place))) for name, part in parts.items()}
    text = DOCUMENT.format(
        date=date.today(),
        card=torch.cuda.get_device_name() if place.card else "no card, a rehearsal",
        versions=versions(),
        libraries=" | ".join(library.name for library in place.libraries),
        **lines,
    )
    if place.card:
        options.to.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

"""Measure every function and gradient against mpmath, beside its peers; write docs/accuracy.md.

Run ``python -m tools.report_accuracy`` (``make accuracy``). Functions of one number, of two, and
losses of one element are measured over the whole range of float32 and float64, and those of one
number at every float16 and bfloat16 there is. The rows are those of the tests (`tests/rows/`), the
measure is `tests/accuracy/ulp.py`; a peer is PyTorch's, JAX's or SciPy's function of that meaning.
"""

import argparse
import inspect
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import partial
from importlib import import_module
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from platform import machine, python_version
from typing import Any

import numpy as np

from portable_losses._typing import Array
from portable_losses.autograd import vjp
from tests.accuracy import curvature
from tests.accuracy.ulp import Report, Truth, measure, pairs, samples, truth
from tests.curves import Curve, OfTwo, Pointwise
from tests.libraries import named
from tests.rows import CURVES, OF_TWO, POINTWISE
from tools import report_rows

TARGET = Path(__file__).parents[1] / "docs" / "accuracy.md"
DTYPES = (np.float32, np.float64)
PEERS = ("torch", "jax", "scipy")
BENDS = 8  # a second derivative is measured at one in so many inputs: the truth takes long

Function = Callable[..., Any]
Row = Curve | OfTwo | Pointwise


# ---- peers -----------------------------------------------------------------------------------

# Our name, where the peer's is neither ours nor ours without underscores.
ALIASES = {
    "torch": {"hard_silu": "hardswish", "gammaln": "gammaln", "digamma": "digamma"},
    "jax": {"hard_silu": "hard_silu", "hard_shrink": "", "gammaln": "gammaln"},
    "scipy": {"sigmoid": "expit", "log_sigmoid": "log_expit", "tanh": "", "digamma": "psi"},
}
HOMES = {
    "torch": ("torch.nn.functional", "torch.special", "torch"),
    "jax": ("jax.nn", "jax.scipy.special", "jax.numpy"),
    "scipy": ("scipy.special",),
}
# A peer's function that takes something else by the same name.
STRANGERS = {
    ("scipy", "entropy"),
    ("scipy", "softplus"),
    ("jax", "entropy"),
    *(("scipy", name) for name in ("huber", "pseudo_huber", "kl_div", "huber_loss")),
}


def peer(library: str, row: Row) -> Function | None:
    """Return the function of `library` that means what the row's means, its options bound."""
    name = row.function.__name__
    options = dict(getattr(row, "options", {}))
    if isinstance(row, Pointwise):
        options["reduction"] = "none"
    if library == "jax" and name == "gelu":
        options["approximate"] = options.get("approximate") == "tanh"
    alias = ALIASES[library].get(name, name)
    for home in () if (library, name) in STRANGERS else HOMES[library]:
        module = import_module(home)
        for spelling in (alias, alias.replace("_", "")):
            function = getattr(module, spelling, None) if spelling else None
            if callable(function):
                return partial(function, **options) if _takes(library, function, options) else None
    return None


def _takes(library: str, function: Function, options: dict[str, Any]) -> bool:
    """Say whether a peer has all of these options."""
    if library == "torch" or not options:  # what is written in C++ says nothing of its options
        return True
    return set(options) <= set(inspect.signature(function).parameters)


def torch_results(function: Function, arrays: Sequence[Array], by: int) -> tuple[Array, ...]:
    """Value and gradients of PyTorch's function."""
    import torch

    leaves = [torch.asarray(a.copy()).requires_grad_(i < by) for i, a in enumerate(arrays)]
    out = function(*leaves)
    grads = torch.autograd.grad(out.sum(), leaves[:by])
    return (out.detach().numpy(), *(grad.numpy() for grad in grads))


def jax_results(function: Function, arrays: Sequence[Array], by: int) -> tuple[Array, ...]:
    """Value and gradients of JAX's function, jitted."""
    import jax

    slope = jax.grad(lambda *xs: function(*xs).sum(), argnums=tuple(range(by)))
    xs = [jax.numpy.asarray(a) for a in arrays]
    return (np.asarray(jax.jit(function)(*xs)), *map(np.asarray, jax.jit(slope)(*xs)))


def scipy_results(function: Function, arrays: Sequence[Array], by: int) -> tuple[Array, ...]:
    """Value of SciPy's function; it has no gradients."""
    del by
    return (np.asarray(function(*arrays)),)


RESULTS = {"torch": torch_results, "jax": jax_results, "scipy": scipy_results}


# ---- one row ---------------------------------------------------------------------------------


@dataclass
class Line:
    """A function in one dtype: a report of value and gradients, ours first."""

    name: str
    dtype: str
    reports: dict[str, list[Report]]  # by library, "ours" first
    bends: list[Report]  # of our second derivatives, by each argument


def inputs_of(row: Row, dtype: Any) -> tuple[Array, ...]:
    """Return the arguments that a row is measured at."""
    if isinstance(row, Curve):
        x = samples(dtype, row.low, row.high)
        return (x[~np.isnan(x)],) if row.kinks else (x,)
    if isinstance(row, Pointwise):
        return pairs(dtype, row.inputs, row.targets)
    return row.columns(dtype)


def our_results(row: Row, arrays: Sequence[Array]) -> tuple[Array, ...]:
    """Value and gradients of our function, on NumPy arrays and the tape."""
    call: Function = row.function if isinstance(row, OfTwo) else row
    value = call(*arrays)
    if isinstance(row, Pointwise):
        x, target = arrays
        _, pullback = vjp(lambda x: row(x, target), x)
    else:
        _, pullback = vjp(call, *arrays)
    return (value, *pullback(np.ones_like(value)))


def measured(row: Row, dtype: Any, libraries: Sequence[str]) -> Line:
    """Measure one row in one dtype."""
    arrays, exact = inputs_of(row, dtype), row.truths
    known: list[Truth] = [truth(f, arrays) for f in exact]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # those of the peers; ours are errors in the tests
        results = {"ours": our_results(row, arrays)}
        by = 1 if isinstance(row, Pointwise) else len(arrays)
        for library in libraries:
            function = peer(library, row)
            if function is not None:
                results[library] = RESULTS[library](function, arrays, by)
    reports = {
        library: [
            measure(got, arrays, f, known=t, forgiving=library == "ours")
            for got, f, t in zip(found, exact, known, strict=False)
        ]
        for library, found in results.items()
    }
    bends = curvature.reports(row, named("numpy"), dtype, every=BENDS)
    return Line(str(row), np.dtype(dtype).name, reports, bends)


# ---- half precision --------------------------------------------------------------------------


@dataclass
class Halves:
    """A function at every float16, or bfloat16: wrongly rounded results, and the worst in ulps."""

    name: str
    found: dict[str, tuple[int, float]]  # by "float16, ours", "float16, torch" ...


def apart(got: Any, wanted: Any) -> tuple[int, float]:
    """Return how many of the results are not the wanted ones, and the largest distance in ulps."""
    import torch

    def places(x: Any) -> Any:
        bits = x.view(torch.int16).to(torch.int64)
        return torch.where(bits >= 0, bits, -(bits + 2**15))

    both_nan = torch.isnan(got) & torch.isnan(wanted)
    one_nan = torch.isnan(got) != torch.isnan(wanted)
    distance = (places(got) - places(wanted)).abs().masked_fill(both_nan, 0)
    worst = float("inf") if bool(one_nan.any()) else float(distance.max())
    return int((distance > 0).sum()), worst


def halves_of(row: Curve) -> Halves:
    """Measure a function of one number at all 65,536 numbers of both half precision dtypes."""
    import torch

    found: dict[str, tuple[int, float]] = {}
    for dtype in (torch.float16, torch.bfloat16):
        x = torch.arange(2**16, dtype=torch.int32).to(torch.uint16).view(dtype)
        x = x[~torch.isnan(x) & (x >= row.low) & (x <= row.high)]
        wanted = row(x.double())  # within a few float64 ulp of the truth
        kind = str(dtype).removeprefix("torch.")
        found[f"{kind}, ours"] = apart(row(x), wanted.to(dtype))
        function = peer("torch", row)
        if function is not None:
            with suppress(NotImplementedError):  # PyTorch has some of them in no half precision
                found[f"{kind}, torch"] = apart(function(x), wanted.to(dtype))
    return Halves(str(row), found)


# ---- the document ----------------------------------------------------------------------------

SHORT = {"nonfinite": "nf", "lost": "z", "nonzero": "nz", "limit": "inf", "nan": "special"}


def number(x: float) -> str:
    """Three digits, without an exponent where that is short."""
    return f"{x:.1f}" if x < 1e4 else f"{x:.1e}".replace("e+0", "e").replace("e+", "e")


def cell(report: Report, *, ours: bool) -> str:
    """One entry of the table: errors, then defects."""
    text = number(report.strict)
    if ours:
        place = ", ".join(f"{x:.6g}" for x in report.strict_at)
        text += f" / {number(report.mixed)}" + (f" at {place}" if report.strict else "")
    defects = [f"{len(places)} {SHORT[kind]}" for kind, places in report.defects.items()]
    return text + (" · " + ", ".join(defects) if defects else "")


def table(lines: Sequence[Line], libraries: Sequence[str]) -> Iterator[str]:
    """The rows of one dtype in Markdown."""
    heads = ["function", "value", "gradient", "second derivative"]
    heads += [f"{one} {what}" for one in libraries for what in ("value", "gradient")]
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for line in lines:
        cells = [line.name]
        for library in ("ours", *libraries):
            reports = line.reports.get(library, [])
            value = [cell(r, ours=library == "ours") for r in reports[:1]]
            slopes = [cell(r, ours=library == "ours") for r in reports[1:]]
            cells += ["".join(value) or "-", " ; ".join(slopes) or "-"]
            if library == "ours":
                cells.append(" ; ".join(cell(r, ours=True) for r in line.bends))
        yield "| " + " | ".join(cells) + " |"


def processor() -> str:
    """Say how formulas were computed, and on what."""
    formulas = "portable_losses.backends.kernels.formulas"
    compiler = import_module(f"{formulas}.machine_code").compiler()
    if compiler is None:
        return "No formula was compiled: the digits are those of NumPy's own functions."
    found = import_module(f"{formulas}.engines_llvm").features()
    names = [name for name in ("fma", "avx2", "avx512f", "neon") if found.get(name)]
    return f"""\
Formulas were compiled, by llvmlite {version("llvmlite")} for a processor with {", ".join(names)}.
Their bits are the same on tensors, for vectors of any width and any number of threads; what is no
formula of one element is NumPy's."""


# What the cells mean, for a reader who sees "1.7e7 · 2 inf, 146 z".
_CELLS = {
    "`1.6`": "the largest **strict** error: the distance from the exact value at the given input, "
    "in units in the last place (ulp) of it",
    "`1.6 / 1.2 at -10.5`": "of this library: then the largest **mixed** error, the distance from "
    "the nearest exact value at an input within one ulp; and the input of the strict one",
    "`;`": "between the gradients by two arguments",
    "`·`": "after it, at how many inputs there is a defect",
    "`2 nf`": "NaN or infinity where the truth is finite",
    "`2 z`": "0 where the truth is a normal number",
    "`2 nz`": "a number where the truth is 0",
    "`2 inf`": "wrong at an infinite input",
    "`2 special`": "a wrong NaN, or a wrong pole",
    "`-`": "the library has no such function",
}
KEY = f"""\
| in a cell | means |
|---|---|
{chr(10).join(f"| {cell} | {meaning} |" for cell, meaning in _CELLS.items())}

The bars of compiled formulas: a mixed error of 3 (losses 5, second derivatives 16) and for
functions a strict one of 8, but where the truth has a root; those of the portable formulas are a
mixed error of 4, and 8 for losses. Normal inputs and results; NumPy arrays, gradients by the
tape. Where a result cancels by nature (losses), an ulp is one of its largest term. Second
derivatives, by one argument twice, are measured at one in {BENDS} of the inputs, off the kinks."""


def document(
    lines: Sequence[Line],
    halves: Sequence[Halves],
    libraries: Sequence[str],
    of_rows: Sequence[str] = (),
) -> str:
    """The whole page; `of_rows` is what `report_rows` writes."""
    versions = ", ".join(f"{one} {version(one)}" for one in ("numpy", *libraries, "mpmath"))
    parts = [
        "# Accuracy, measured",
        f"""\
Written by `make accuracy` on {date.today()} ({machine()}, Python {python_version()}, {versions}).
{processor()}

{KEY}""",
    ]
    for dtype in DTYPES:
        name = np.dtype(dtype).name
        lines_of = [line for line in lines if line.dtype == name]
        parts += [f"## {name}", "\n".join(table(lines_of, libraries))]
    heads = ["function", *(f"{k}, {one}" for k in ("float16", "bfloat16") for one in _WHOSE)]
    rows = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for half in halves:
        cells = [half.name]
        for head in heads[1:]:
            wrong, worst = half.found.get(head, (-1, 0.0))
            cells.append("-" if wrong < 0 else f"{worst:g} ({wrong})")
        rows.append("| " + " | ".join(cells) + " |")
    parts += of_rows
    parts += [
        "## Every float16 and every bfloat16",
        "The largest distance from the correctly rounded value, in ulps, and at how many of the\n"
        "65,536 inputs the result is another one. PyTorch tensors.",
        "\n".join(rows),
    ]
    return "\n\n".join(parts) + "\n"


_WHOSE = ("ours", "torch")
# The pages of docs/accuracy/, by the beginning of their headings.
PAGES = {"float32": "float32", "float64": "float64", "Rows": "rows", "Every": "halves"}


def pages(text: str) -> dict[Path, str]:
    """The document as pages: its head with the key, and one for each section."""
    head, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    found: dict[Path, str] = {}
    for section in sections:
        title, _, body = section.partition("\n\n")
        path = TARGET.parent / "accuracy" / f"{PAGES[re.split('[, ]', title)[0]]}.md"
        link = "[What the cells mean](../accuracy.md)."
        found[path] = f"# Accuracy: {title}\n\n{link}\n\n{body.strip()}\n"
    table = "\n".join(
        f"- [{body[12:].partition(chr(10))[0]}](accuracy/{path.name})"
        for path, body in found.items()
    )
    tree = "\n".join(
        ["```{toctree}", ":hidden:", "", *(f"accuracy/{p.stem}" for p in found), "```"]
    )
    return {TARGET: f"{head.strip()}\n\n{table}\n\n{tree}\n", **found}


def _job(task: tuple[str, int, int]) -> Line | Halves:
    kind, index, dtype = task
    if kind == "halves":
        return halves_of(CURVES[index])
    rows: list[Row] = [*CURVES, *OF_TWO, *POINTWISE]
    return measured(rows[index], DTYPES[dtype], PEERS)


def _prepare() -> None:
    import jax
    import torch

    jax.config.update("jax_enable_x64", True)
    torch.set_num_threads(1)


def main() -> None:
    """Measure everything in a few processes and write the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    workers = parser.parse_args().workers
    count = len(CURVES) + len(OF_TWO) + len(POINTWISE)
    tasks = [("line", i, dtype) for i in range(count) for dtype in range(len(DTYPES))]
    tasks += [("halves", i, 0) for i in range(len(CURVES))]
    with ProcessPoolExecutor(workers, get_context("spawn"), _prepare) as pool:
        found = list(pool.map(_job, tasks))
    lines = [one for one in found if isinstance(one, Line)]
    halves = [one for one in found if isinstance(one, Halves)]
    _prepare()
    text = document(lines, halves, PEERS, report_rows.section())
    for path, page in pages(text).items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(page, encoding="utf-8")
    done = f"wrote {TARGET}: {len(lines)} rows, {len(halves)} functions in half precision"
    sys.stdout.write(f"{done}\n")


if __name__ == "__main__":
    main()

"""Writes docs/reference: a page for every public name, and tables of them by family.

What a page of a function shows beside its docstring stands in docs/functions.toml; its errors come
from docs/accuracy and its names elsewhere from docs/names.md. A file is written only where it
changes, so that Sphinx reads no page twice.
"""

import hashlib
import inspect
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from execution import fingerprint
from peer_names import aliases, peers
from pictures import KINDS, draw
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

import portable_losses as pl

DOCS = Path(__file__).parents[1]
REFERENCE = DOCS / "reference"
PICTURES = DOCS / "_build" / "pictures"
LIBRARIES = ("PyTorch", "JAX", "optax", "Keras", "SciPy", "scikit-learn")
INVENTORIES = dict(
    zip(LIBRARIES, ("torch", "jax", "optax", "keras", "scipy", "sklearn"), strict=True)
)
# A page of the reference: its title, its packages, and what it says at its top.
CHAPTERS = {
    "activations": ("Activations", ("activations",), "Of one element, or along an axis."),
    "special": (
        "Special functions",
        ("special",),
        "What the standard lacks, with exact gradients.",
    ),
    "losses": ("Losses", ("losses",), "Each reduces by `reduction`, and takes weights and masks."),
    "of_each_sample": (
        "Derivatives of losses",
        ("differentials",),
        "Value, gradient and Hessian at once.",
    ),
    "autograd": ("The tape", ("autograd",), "Gradients of any code over any array library."),
    "objectives": (
        "Objectives",
        ("objectives",),
        "Any loss in XGBoost, LightGBM, CatBoost, sklearn.",
    ),
    "nn": ("Modules", ("nn", "nn.init"), "Every function as a module, layers, and how they start."),
    "optim": ("Optimisers", ("optim", "optim.lr_scheduler"), "Steps, clipping and learning rates."),
    "data": (
        "Batches and settings",
        ("data", ""),
        "Batches of arrays, and how values are checked.",
    ),
}
# What people look for first leads its table: the functions of its file come first.
FIRST = (
    "cross_entropy",
    "binary_cross_entropy",
    "mse_loss",
    "huber_loss",
    "relu",
    "softmax",
    "sigmoid",
)
IN_THE_CORE = ("activations", "special", "losses", "differentials", "")


# ---- what there is to tell ---------------------------------------------------------------------
@cache
def functions() -> dict[str, dict[str, Any]]:
    """What docs/functions.toml says of each function."""
    table = tomllib.loads((DOCS / "functions.toml").read_text("utf-8"))
    groups = table.pop("groups")
    found: dict[str, dict[str, Any]] = {}
    for group, members in table.items():
        for name, own in members.items():
            entry = groups[group] | (own if isinstance(own, dict) else {"formula": own})
            found[name] = entry | {"plot": entry["plot"].format(name=name)}
    return found


@cache
def others() -> dict[str, dict[str, Any]]:
    """What docs/other_names.toml says of each other name."""
    return tomllib.loads((DOCS / "other_names.toml").read_text("utf-8"))


# Modules with parameters, and the functions of which they are.
WITH_PARAMETERS = {"PReLU": "prelu", "LinearCrossEntropyLoss": "linear_cross_entropy"}


def entry_of(package: str, name: str) -> dict[str, Any] | None:
    """The formula and the picture of a name, and its example; None where there is none."""
    if package in ("activations", "special", "losses"):
        return functions().get(name)
    if package == "nn":
        function = getattr(getattr(module_of(package), name), "function", None)
        own = functions().get(WITH_PARAMETERS.get(name) or getattr(function, "__name__", ""))
        if own:
            return own
    return others().get(path_of(package, name))


@cache
def errors() -> dict[str, dict[str, list[str]]]:
    """The rows of docs/accuracy, by heading and function; of tables of functions alone."""
    found: dict[str, dict[str, list[str]]] = {}
    heading, texts = "", [path.read_text("utf-8") for path in DOCS.glob("accuracy/*.md")]
    of_functions = False
    for line in "\n".join(texts).splitlines():
        if line.startswith("# Accuracy: "):
            heading = line.removeprefix("# Accuracy: ")
        elif line.startswith(("| function ", "| what cancels ")):
            of_functions = line.startswith("| function ")
        elif line.startswith("| ") and of_functions:
            name, *row = [
                re.sub(r" at [^;·]*", "", cell).strip() for cell in line.strip("| ").split(" | ")
            ]
            found.setdefault(heading, {}).setdefault(name.partition(" ")[0], row)
    return found


def module_of(package: str) -> ModuleType:
    """The package of that name, such as ``nn.init``."""
    return import_module(f"portable_losses.{package}" if package else "portable_losses")


def names_of(package: str) -> list[str]:
    """The names of a package that have a page there."""
    module = module_of(package)
    if not package:
        return ["validation"]
    return [name for name in module.__all__ if not inspect.ismodule(getattr(module, name))]


def path_of(package: str, name: str) -> str:
    """The path of a name from ``portable_losses`` on."""
    return name if package in IN_THE_CORE else f"{package}.{name}"


@cache
def page_of(package: str, name: str) -> str:
    """The page of a name; `Tensor` and `tensor` differ on every file system."""
    other = {n.lower() for n in names_of(package) if n != name and n.lower() == name.lower()}
    is_class = other and inspect.isclass(getattr(module_of(package), name))
    return path_of(package, name) + ("-class" if is_class else "")


def summary_of(thing: object) -> str:
    """The first sentence of a docstring, as Markdown."""
    first = (inspect.getdoc(thing) or "").partition("\n\n")[0].replace("\n", " ")
    return re.sub(r"``([^`]*)``", r"`\1`", first).replace("|", r"\|")


def family_of(thing: Any) -> str:
    """The heading of a function: the first sentence of its file."""
    # the file that defines it, which a decorator does not hide
    module = sys.modules[thing.__module__]
    return (module.__doc__ or "").partition("\n")[0].rstrip(".").partition(":")[0]


# ---- the parts of a page -----------------------------------------------------------------------
PROGRAMS = {
    "NumPy": ("import numpy as np", "np.asarray({})", "{}"),
    "PyTorch": ("import torch", "torch.tensor({})", "{}"),
    "JAX": ("import jax\nimport jax.numpy as jnp", "jnp.asarray({})", "{}"),
    "Dask": ("import dask.array as da", "da.asarray({})", "{}.compute()"),
    "CuPy": ("import cupy as cp", "cp.asarray({})", "{}"),
}


def program(name: str, entry: dict[str, Any], library: str) -> str:
    """The example of a function on one array library: its value, and the gradient."""
    imports, array, shown = PROGRAMS[library]
    differentiable = entry.get("differentiable", True)
    lines = [imports, "import portable_losses as pl"]
    if differentiable and library in ("NumPy", "CuPy", "Dask"):
        lines.append("from portable_losses.autograd import grad")
    lines.append("")
    first = next(iter(entry["arrays"]))
    for argument, values in entry["arrays"].items():
        made = array.format(values)
        if library == "PyTorch" and argument == first and differentiable:
            made = made.replace("])", "], requires_grad=True)")
        lines.append(f"{argument} = {made}")
    call = f"pl.{name}({entry['call']})"
    total = call if entry.get("scalar") else f"{call}{entry.get('part', '')}.sum()"
    if library == "PyTorch" and differentiable:
        backward = total.replace(call, "result") + ".backward()"
        return "\n".join(
            [*lines, f"result = {call}", backward, "print(result)", f"print({first}.grad)"]
        )
    if library == "JAX" and differentiable and entry.get("scalar"):
        both = f"jax.jit(jax.value_and_grad(lambda {first}: {call}))({first})"
        return "\n".join([*lines, f"result, slope = {both}", "print(result)", "print(slope)"])
    if library == "JAX" and differentiable:
        call = f"jax.jit(lambda {first}: {call})({first})"
    lines.append(f"print({shown.format(call)})")
    if differentiable:
        gradient = f"grad(lambda {first}: {total})"
        if library == "JAX":
            gradient = f"jax.jit(jax.{gradient})"
        lines.append(f"print({shown.format(f'{gradient}({first})')})")
    return "\n".join(lines)


def tabs(name: str, entry: dict[str, Any]) -> Iterator[str]:
    """The example, a tab for each array library."""
    of_part = ", here of the first entry of each row" if "part" in entry else ""
    yield f"## Example\n\nThe value, then the gradient{of_part}.\n\n"
    yield ":::::{tab-set}\n:sync-group: library\n"
    for library in PROGRAMS:
        yield f"::::{{tab-item}} {library}\n:sync: {library.lower()}\n"
        yield f"```python\n{program(name, entry, library)}\n```\n::::\n"
    yield ":::::\n"


def example_of_a_module(name: str, entry: dict[str, Any]) -> str:
    """The example of a module: what is no array are its options."""
    arrays = entry["arrays"]
    options = [part for part in entry["call"].split(", ") if part not in arrays]
    given = [argument for argument in arrays if f"{argument}={argument}" not in options]
    lines = ["import numpy as np", "from portable_losses import nn", ""]
    if "pl." in entry["call"]:
        lines.insert(1, "import portable_losses as pl")
    lines += [f"{argument} = np.asarray({values})" for argument, values in arrays.items()]
    lines += [f"module = nn.{name}({', '.join(options)})", f"print(module({', '.join(given)}))"]
    return "## Example\n\n```python\n" + "\n".join(lines) + "\n```\n"


def accuracy(name: str) -> Iterator[str]:
    """Its largest errors beside its peers', as docs/accuracy has them."""
    first = aliases().get(name, name)
    single, double = (errors().get(kind, {}).get(first) for kind in ("float32", "float64"))
    rows = errors().get("Rows, at any distance from the largest entry", {}).get(first)
    if not (single and double) and not rows:
        return
    yield "## Error\n\nThe largest distance from the truth, in units in the last place (ulp); "
    yield "[what the cells mean](../accuracy.md). A dash: the library has no such function.\n"
    if single and double:
        yield "\n| | value, float32 | gradient | value, float64 | gradient |\n"
        yield "|---|---|---|---|---|\n"
        ours = [cell.partition(" / ")[0] for row in (single, double) for cell in row[:2]]
        yield f"| **portable_losses** | {' | '.join(ours)} |\n"
        for i, library in ((3, "PyTorch"), (5, "JAX"), (7, "SciPy")):
            row = [*single[i : i + 2], *double[i : i + 2]]
            yield f"| {library} | {' | '.join('–' if c == '-' else c for c in row)} |\n"
    elif rows:
        yield "\n| of ours, on | float32, value / gradient | float64 |\n|---|---|---|\n"
        for i, library in ((0, "NumPy"), (2, "PyTorch"), (4, "JAX")):
            yield f"| {library} | {rows[i]} | {rows[i + 1]} |\n"


def elsewhere(name: str, has_axis: bool) -> Iterator[str]:
    """What other libraries call it."""
    yield "## Elsewhere\n\nThe same function in other libraries; "
    yield "[all names and the differences](../names.md)."
    if has_axis:
        yield " Their `dim` is `axis` here."
    yield "\n\n| library | name |\n|---|---|\n"
    theirs = peers().get(name, [])
    for library in LIBRARIES:
        found = [p for p in theirs if p.library == library]
        links = [
            (f"{{external+{INVENTORIES[library]}:py:obj}}`{p.name}` " if p.name else "") + p.remark
            for p in found
        ]
        yield f"| {library} | {', '.join(map(str.strip, links)) or '–'} |\n"


def index_of(name: str, has_axis: bool) -> str:
    """The entries of a page in the index: its name, and those elsewhere."""
    last = {p.name.rpartition(".")[2] for p in peers().get(name, []) if p.name} - {name}
    words = [f"{word} (see {name})" for word in sorted(last)] + ["dim"] * has_axis
    return "".join(f".. index:: single: {word}\n" for word in words)


# Pictures of the pages that were written: what each shows, by file.
PICTURED: dict[str, tuple[str, dict[str, Any]]] = {}


@cache
def drawing_code() -> str:
    """What pictures are drawn with: the library, and the code that draws."""
    return fingerprint() + Path(__file__).with_name("pictures.py").read_text("utf-8")


def picture_of(name: str, entry: dict[str, Any]) -> str:
    """The path of its picture, which is another where it or the library has changed."""
    key = hashlib.sha256(f"{drawing_code()}{entry}".encode()).hexdigest()[:16]
    PICTURED[f"{name}-{key}.svg"] = (name, entry)
    return f"/_build/pictures/{name}-{key}.svg"


def draw_missing(app: Sphinx, docname: str, source: list[str]) -> None:
    """Draw the pictures of a page, in the process that reads it."""
    for file in re.findall(r"/_build/pictures/(\S+)", source[0]):
        if file in PICTURED and not (PICTURES / file).exists():
            part = PICTURES / f"{os.getpid()}-{file}"  # a page and its module's share one
            draw(*PICTURED[file], part)
            part.replace(PICTURES / file)


def shown(name: str, entry: dict[str, Any]) -> Iterator[str]:
    """Formula and picture."""
    formula = entry["formula"]
    if len(formula) > 70 and r"\qquad" in formula:  # what its letters mean has a line of its own
        lines = formula.replace(r"\qquad", r"\\[6pt]")
        formula = rf"\begin{{gathered}} {lines} \end{{gathered}}"
    yield f"$$\n{formula}\n$$\n"
    kind = KINDS[entry["picture"]][1]
    yield f"```{{figure}} {picture_of(name, entry)}\n:alt: {name}, {kind}\n:width: 560px\n```\n"


def described(package: str, name: str) -> str:
    """Signature and docstring."""
    thing = getattr(module_of(package), name)
    directive = "autoclass" if inspect.isclass(thing) else "autofunction"
    members = "\n   :members:" if inspect.isclass(thing) and package not in ("nn", "") else ""
    full = f"portable_losses.{path_of(package, name)}"
    return f"```{{eval-rst}}\n.. {directive}:: {full}{members}\n```\n"


def page(package: str, name: str) -> str:
    """The page of a name."""
    thing: Any = getattr(module_of(package), name)
    entry = entry_of(package, name)
    parts = [f"# {path_of(package, name)}\n"]
    if package in ("activations", "special", "losses"):
        has_axis = "axis" in inspect.signature(thing).parameters
        parts.append(
            f"```{{eval-rst}}\n{index_of(name, has_axis)}```\n" if index_of(name, has_axis) else ""
        )
        parts += [*(shown(name, entry) if entry else ()), described(package, name)]
        parts += [*(tabs(name, entry) if entry else ()), "".join(accuracy(name))]
        parts.append("".join(elsewhere(name, has_axis)))
        return "\n".join(parts)
    subject = path_of(package, name)
    if package == "nn" and entry and "arrays" in entry:
        subject = WITH_PARAMETERS.get(name) or thing.function.__name__
        parts.append(f"The module of {{py:obj}}`portable_losses.{subject}`.\n")
    parts += [*(shown(subject, entry) if entry else ()), described(package, name)]
    if package == "nn" and entry and "arrays" in entry and name not in WITH_PARAMETERS:
        parts.append(example_of_a_module(name, entry))
    return "\n".join(parts)


def chapter(key: str) -> str:
    """The tables of one part of the reference."""
    title, packages, text = CHAPTERS[key]
    lines = [f"# {title}\n", f"{text}\n"]
    toctree: list[str] = []
    for package in packages:
        families: dict[str, list[str]] = {}
        for name in names_of(package):
            by_file = package in ("activations", "special", "losses")
            family = family_of(getattr(module_of(package), name)) if by_file else ""
            families.setdefault(family, []).append(name)
            toctree.append(page_of(package, name))
        if len(packages) > 1:
            lines.append(f"## `portable_losses{'.' * bool(package)}{package}`\n")
        first = {family_of(getattr(pl, name)): i for i, name in reversed(list(enumerate(FIRST)))}
        for family, names in sorted(families.items(), key=lambda f: first.get(f[0], len(FIRST))):
            if family:
                lines.append(f"## {re.sub('``', '`', family)}\n")
            lines.append("| name | |\n|---|---|")
            for name in names:
                thing = getattr(module_of(package), name)
                link = f"[`{name}`]({page_of(package, name)}.md)"
                lines.append(f"| {link} | {summary_of(thing)} |")
            lines.append("")
    lines += ["```{toctree}", ":hidden:", "", *toctree, "```", ""]
    return "\n".join(lines)


def index() -> str:
    """The front page of the reference."""
    lines = [
        "# Reference\n",
        "Every public name has a page: its formula, a picture, domain and errors, ",
    ]
    lines.append(
        "an example that ran, and what other libraries call it.\n\n::::{grid} 1 2 2 3\n:gutter: 3\n"
    )
    for key, (title, packages, text) in CHAPTERS.items():
        count = sum(len(names_of(package)) for package in packages)
        lines.append(f":::{{grid-item-card}} {title}\n:link: {key}\n:link-type: doc\n")
        lines.append(f"{text} {count} names.\n:::\n")
    lines += ["::::\n", "## Names without a formula\n", "| name | why |\n|---|---|"]
    for path, reason in others()["without"].items():
        lines.append(f"| {{py:obj}}`portable_losses.{path}` | {reason} |")
    lines += ["", "```{toctree}", ":hidden:", "", *CHAPTERS, "../names", "```", ""]
    return "\n".join(lines)


def write(app: Sphinx) -> None:
    """Write what has changed, and remove the pages of names that are gone."""
    pages = {"index": index()} | {key: chapter(key) for key in CHAPTERS}
    for _, packages, _ in CHAPTERS.values():
        for package in packages:
            pages |= {page_of(package, name): page(package, name) for name in names_of(package)}
    PICTURES.mkdir(parents=True, exist_ok=True)
    for old in PICTURES.iterdir():
        if old.name not in PICTURED:
            old.unlink()
    REFERENCE.mkdir(exist_ok=True)
    for path in REFERENCE.glob("*.md"):
        if path.stem not in pages:
            path.unlink()
    for name, text in pages.items():
        path = REFERENCE / f"{name}.md"
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def add_sidebar(
    app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Give the sidebar of a page of the reference its chapters, and the names of the open one."""
    if not pagename.startswith("reference/"):
        return
    context["chapters"] = [
        (title, f"reference/{key}", names if pagename in opens else [])
        for key, (title, packages, _) in CHAPTERS.items()
        for names in [[(n, f"reference/{page_of(p, n)}") for p in packages for n in names_of(p)]]
        for opens in [{f"reference/{key}", *(target for _, target in names)}]
    ]


def drop_example(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Leave out the example of a module's docstring, which only names its function."""
    if what == "class" and hasattr(thing, "function") and "Examples" in lines:
        del lines[lines.index("Examples") :]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Write the pages before Sphinx looks for them."""
    assert pl.__all__
    app.connect("builder-inited", write)
    app.connect("source-read", draw_missing)
    app.connect("html-page-context", add_sidebar)
    app.connect("autodoc-process-docstring", drop_example, priority=100)  # before napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}

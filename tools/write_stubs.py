"""Write what type checkers read of the public functions and of the modules made of them.

``python -m tools.write_stubs`` writes `activations`, `losses` and `special` in `portable_losses/`
as ``__init__.pyi``, and ``nn/functions.pyi``, from the signatures; a test holds them. Checkers
cannot see classes that a loop makes, and `Array` is Any inside of the package. In the stubs it is
what has a shape, a number, or a list; a result has the type of the first array, but for numbers
and lists, of which NumPy makes arrays. (What stands beside a Tensor gives a Tensor, whatever comes
first; of that a stub says nothing.)
"""

import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from math import isfinite
from pathlib import Path
from types import ModuleType
from typing import Any

from portable_losses import activations, losses, special
from portable_losses.nn import functions

PACKAGE = Path(__file__).parents[1] / "portable_losses"
HEAD = '"""{summary}"""\n\n# Written by tools/write_stubs.py.\n\n'
# Of an annotation as Python prints it, in this order.
SPELLED = [
    ("typing.Literal['mean', 'sum', 'none', 'batchmean']", "BatchReduction"),
    ("typing.Literal['mean', 'sum', 'none']", "Reduction"),
    ("collections.abc.", ""),
    ("Callable[..., typing.Any]", "Callable[..., Anything]"),
    ("Callable[[typing.Any, typing.Any], typing.Any]", "Callable[[Anything, Anything], Anything]"),
    ("float | typing.Any", "float | HasShape"),
    ("typing.Any", "ArrayLike"),
    ("typing.", ""),
    ("Anything", "Any"),
]
ENTRIES = {"lmbda", "pos_weight", "var"}  # numbers or arrays of entries: lists, too
OTHER_RESULT = {"one_hot"}  # an array of another dtype than the first


def stubs() -> dict[Path, str]:
    """Return the text of each file, by path."""
    families = {family.__name__.rpartition(".")[2]: family for family in FAMILIES}
    texts = {PACKAGE / name / "__init__.pyi": family_stub(one) for name, one in families.items()}
    texts[PACKAGE / "nn" / "functions.pyi"] = modules_stub()
    return texts


FAMILIES: list[ModuleType] = [activations, losses, special]


def family_stub(family: ModuleType) -> str:
    """Return the stub of a family of functions."""
    names = family.__all__
    body = "".join(
        function_stub(getattr(family, name), name)
        if getattr(family, name).__name__ == name
        else f"{name} = {getattr(family, name).__name__}\n"
        for name in sorted(names, key=lambda name: getattr(family, name).__name__ != name)
    )
    return HEAD.format(summary=summary_of(family)) + imports_of(body) + all_of(names) + body


def modules_stub() -> str:
    """Return the stub of the functions as modules."""
    made = [name for name in functions.__all__ if name != "FunctionModule"]
    body = inspect.cleandoc(
        """
        class FunctionModule(Module):
            function: ClassVar[Callable[..., Any]]
            def __init_subclass__(cls, *, function: Callable[..., Any], **rest: Any) -> None: ...
            def __init__(self, **options: Any) -> None: ...
            def forward(self, *arrays: Any, **options: Any) -> Any: ...

        def class_name(function: str) -> str: ...
        """
    )
    body += "\n\n" + "\n".join(module_stub(getattr(functions, name)) for name in made)
    head = HEAD.format(summary=summary_of(functions)) + imports_of(body)
    head += "from portable_losses import activations, losses\n"
    head += "from portable_losses.nn.module import Module\n"
    return head + all_of(functions.__all__) + body


def summary_of(module: ModuleType) -> str:
    """Return the first line of what a module says of itself."""
    return (module.__doc__ or "").partition("\n")[0]


def all_of(names: list[str]) -> str:
    """Return the list of public names."""
    return f"\n_A = TypeVar('_A', bound=HasShape)\n__all__ = [{', '.join(map(repr, names))}]\n\n"


def imports_of(body: str) -> str:
    """Return the imports that a text needs."""
    homes = {
        "collections.abc": ["Callable"],
        "typing": ["Any", "ClassVar", "Literal", "TypeVar", "overload"],
        "portable_losses._typing": ["ArrayLike", "BatchReduction", "HasShape", "Reduction"],
    }
    used = set(re.findall(r"\w+", body)) | {"TypeVar", "HasShape"}
    lines = [
        f"from {home} import {', '.join(found)}\n"
        for home, names in homes.items()
        if (found := [name for name in names if name in used])
    ]
    return "".join(lines)


def function_stub(function: Callable[..., Any], name: str) -> str:
    """Return the overloads of a function."""
    parameters = [*inspect.signature(function).parameters.values()]
    if name in OTHER_RESULT:
        return f"def {name}({written(spell(parameters))}) -> Any: ...\n"
    return "".join(
        f"@overload\ndef {name}({written(given)}) -> {result}: ...\n"
        for given, result in variants(parameters)
    )


Spelled = list[tuple[inspect.Parameter, str]]


def variants(parameters: list[inspect.Parameter]) -> Iterator[tuple[Spelled, str]]:
    """Yield parameters with annotations, and the result, for each overload."""
    (first, _), *rest = spell(parameters)
    several = "return_lse" in {p.name for p in parameters}
    for kind, result in (("_A", "_A"), ("ArrayLike", "Any")):
        start: Spelled = [(first, kind), *rest]
        if several:
            yield flagged(start, "Literal[False]"), result
            yield flagged(start, "Literal[True]"), f"tuple[{result}, {result}]"
        else:
            yield start, result
    if several:
        yield [(first, "ArrayLike"), *rest], "Any"


def flagged(parameters: Spelled, flag: str) -> Spelled:
    """Return parameters with another annotation of `return_lse`, which has to be given if True."""
    return [
        (p if flag == "Literal[False]" else p.replace(default=p.empty), flag)
        if p.name == "return_lse"
        else (p, annotation)
        for p, annotation in parameters
    ]


def module_stub(made: type[functions.FunctionModule]) -> str:
    """Return the class of a function: its options, and how it is called."""
    function = made.function
    parameters = [*inspect.signature(function).parameters.values()]
    arrays = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
    options = spell([p for p in parameters if p.kind is p.KEYWORD_ONLY])
    family = "losses" if function.__name__ in losses.__all__ else "activations"
    lines = [f"class {made.__name__}(FunctionModule, function={family}.{function.__name__}):"]
    lines += [
        f"    {p.name}: {'Any' if re.search('Shape|ArrayLike', annotation) else annotation}"
        for p, annotation in options
    ]
    lines.append(f"    def __init__(self{', ' if options else ''}{written(options)}) -> None: ...")
    several = "return_lse" in {p.name for p in parameters}
    for given, result in () if several else variants(arrays):
        call = f"(self, {written(given)}, **options: Any) -> {result}: ..."
        lines += ["    @overload", f"    def __call__{call}"]
    if several:
        lines.append(
            f"    def __call__(self, {written(spell(arrays))}, **options: Any) -> Any: ..."
        )
    return "\n".join(lines) + "\n"


def spell(parameters: list[inspect.Parameter]) -> Spelled:
    """Return parameters, each with its annotation as a stub has it."""
    found = [(p, "Any" if p.name == "dtype" else spelled(p.annotation)) for p in parameters]
    return [
        (p, a.replace("float | HasShape", "ArrayLike") if p.name in ENTRIES else a)
        for p, a in found
    ]


def spelled(annotation: Any) -> str:
    """Return an annotation as a stub has it."""
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    text = "typing.Any" if annotation is Any else text
    for python, stub in SPELLED:
        text = text.replace(python, stub)
    return text


def written(parameters: Spelled) -> str:
    """Return parameters as they stand between parentheses."""
    parts: list[str] = []
    kinds = [p.kind for p, _ in parameters]
    for i, (p, annotation) in enumerate(parameters):
        if p.kind is p.KEYWORD_ONLY and p.KEYWORD_ONLY not in kinds[:i]:
            parts.append("*")
        parts.append(f"{p.name}: {annotation}" + ("" if p.default is p.empty else default_of(p)))
        if p.kind is p.POSITIONAL_ONLY and kinds[i + 1 : i + 2] != [p.POSITIONAL_ONLY]:
            parts.append("/")
    return ", ".join(parts)


def default_of(parameter: inspect.Parameter) -> str:
    """Return a default as a stub has it."""
    value = parameter.default
    simple = value is None or type(value) in (bool, int, str)
    simple = simple or (type(value) is float and isfinite(value))
    return f" = {value!r}" if simple else " = ..."


def main() -> None:
    """Write the files, laid out by ruff."""
    for path, text in stubs().items():
        path.write_text(text, "utf-8")
        subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", path], check=True)
        subprocess.run(
            [sys.executable, "-m", "ruff", "check", "--fix", "--quiet", path], check=True
        )
        print(path.relative_to(PACKAGE.parent))


if __name__ == "__main__":
    main()

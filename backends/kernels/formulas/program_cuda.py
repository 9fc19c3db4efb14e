"""A formula as the body of one CUDA kernel: a line of CUDA C++ for each of its steps."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from portable_losses._typing import Options

from .trace import BOOL, CAST, FLOATS, SELECT, Place, Untraceable, trace

__all__ = ["Program", "literal", "written"]

TYPES = {FLOATS[0]: "float", FLOATS[1]: "double", BOOL: "bool"}
NATIVE = ("erf", "erfc")  # what CUDA has beyond the standard, at least as accurate as ours

# By the ufunc; {f} is "f" where the numbers are float. NaN passes through the last four.
EXPRESSIONS: dict[Any, str] = {
    np.add: "{0} + {1}",
    np.subtract: "{0} - {1}",
    np.multiply: "{0} * {1}",
    np.divide: "{0} / {1}",
    np.negative: "-{0}",
    np.square: "{0} * {0}",
    np.reciprocal: "1 / {0}",
    np.power: "pow{f}({0}, {1})",
    np.absolute: "fabs{f}({0})",
    np.less: "{0} < {1}",
    np.less_equal: "{0} <= {1}",
    np.greater: "{0} > {1}",
    np.greater_equal: "{0} >= {1}",
    np.equal: "{0} == {1}",
    np.not_equal: "{0} != {1}",
    np.bitwise_and: "{0} && {1}",
    np.bitwise_or: "{0} || {1}",
    np.bitwise_xor: "{0} != {1}",
    np.invert: "!{0}",
    np.isnan: "{0} != {0}",
    np.isfinite: "{0} - {0} == 0",
    np.isinf: "{0} == {0} && {0} - {0} != 0",
    SELECT: "{0} ? {1} : {2}",
    CAST: "{0} ? 1 : 0",
    np.arctan: "atan{f}({0})",
    np.arctanh: "atanh{f}({0})",
    np.maximum: "({0} > {1} || {0} != {0}) ? {0} : {1}",
    np.minimum: "({0} < {1} || {0} != {0}) ? {0} : {1}",
    np.sign: "{0} > 0 ? 1 : ({0} < 0 ? -1 : ({0} == 0 ? 0 : {0}))",
    **{
        getattr(np, name): f"{name}{{f}}({{0}})"
        for name in (
            "exp", "expm1", "log", "log1p", "log2", "sqrt", "tanh", "sinh", "cosh", "sin", "cos",
            "tan", "floor", "ceil", "trunc",
        )
    },
    **{name: f"{name}{{f}}({{0}})" for name in NATIVE},
}  # fmt: skip

INFINITIES = {
    "float": "__int_as_float(0x7f800000)",
    "double": "__longlong_as_double(0x7ff0000000000000LL)",
}
NANS = {
    "float": "__int_as_float(0x7fc00000)",
    "double": "__longlong_as_double(0x7ff8000000000000LL)",
}


class Program(NamedTuple):
    """The lines of a body; the types and variables of what it takes and returns."""

    lines: tuple[str, ...]
    taken: tuple[tuple[str, str], ...]  # (type, name)
    returned: tuple[tuple[str, str] | None, ...]
    several: bool  # whether the function returns a tuple


def written(function: Callable[..., Any], dtypes: tuple[Any, ...], options: Options) -> Program:
    """Return ``function(*arrays, **options)``; the dtype None is an absent array.

    Untraceable where it is no formula, or has an operation without a line.
    """
    formula = trace(function, dtypes, options, native=NATIVE)
    taken = [(TYPES[dtype], f"x{i}") for i, dtype in enumerate(d for d in dtypes if d is not None)]
    names = {Place(i): name for i, (_, name) in enumerate(taken)}
    lines: list[str] = []
    suffix = "f" if formula.dtype == FLOATS[0] else ""
    for i, step in enumerate(formula.steps):
        expression = EXPRESSIONS.get(step.operation)
        if expression is None:
            raise Untraceable
        operands = [names[x] if x in names else literal(x, x.dtype) for x in step.operands]
        line = expression.format(*operands, f=suffix)
        lines.append(f"const {TYPES[step.dtype]} v{i} = {line};")
        names[Place(formula.given + i)] = f"v{i}"
    results = zip(formula.dtypes, formula.results, strict=True)
    found = iter([(TYPES[dtype], names[x]) for dtype, x in results])
    several = formula.several or (True,)
    returned = tuple(next(found) if there else None for there in several)
    return Program(tuple(lines), tuple(taken), returned, formula.several is not None)


def literal(value: Any, dtype: Any) -> str:
    """Return `value`, rounded to `dtype`, in CUDA C++."""
    kind = TYPES[dtype]
    with np.errstate(over="ignore"):
        rounded = float(dtype.type(value))
    if math.isinf(rounded):
        return f"({'-' if rounded < 0 else ''}{INFINITIES[kind]})"
    if math.isnan(rounded):
        return NANS[kind]
    return f"({rounded:.9e}f)" if kind == "float" else f"({rounded:.17e})"

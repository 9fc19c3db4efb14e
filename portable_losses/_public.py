"""What every public function does before its own work: names of options, arrays, warnings."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar, overload

from portable_losses._arguments import OptionChecks, call_with_arrays
from portable_losses._backend import backend_of, namespace_of_type
from portable_losses._options import Domain

__all__ = ["public"]

P = ParamSpec("P")
R = TypeVar("R")

# What other libraries call an argument, and what it may be called here.
OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "axes": ("axis",),
    "class_weight": ("weight",),
    "class_weights": ("weight", "class_weight"),
    "dim": ("axis",),
    "dims": ("axis",),
    "epsilon": ("eps",),
    "keepdim": ("keepdims",),
    "label": ("target", "labels"),
    "labels": ("target",),
    "label_smoothing_factor": ("label_smoothing",),
    "lambda_": ("lambd", "lmbda"),
    "mask": ("where",),
    "pred": ("input", "logits", "probs", "log_probs"),
    "predictions": ("input", "logits", "probs", "log_probs"),
    "preds": ("input", "logits", "probs", "log_probs"),
    "reduce": ("reduction",),
    "size_average": ("reduction",),
    "smoothing": ("label_smoothing", "smooth"),
    "targets": ("target",),
    "tau": ("temperature",),
    "weights": ("sample_weight", "weight"),
    "y": ("target",),
    "y_pred": ("input", "logits", "probs", "log_probs"),
    "y_true": ("target",),
}


@overload
def public(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def public(**domains: Domain) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def public(function: Callable[..., Any] | None = None, /, **domains: Domain) -> Callable[..., Any]:
    """Decorate a public function, whose first argument is an array: ``@public``.

    Or ``@public(delta=POSITIVE)``, where options are numbers: each lies in its domain.

    - Options are checked, those that its signature names as well, before any work; numbers become
      Python's, or arrays of the library by which the result is differentiated.
    - An option that it does not have is refused, with the name of the one that is meant.
    - NumPy arrays beside those of a library that takes them become arrays of that library.
    - Overflow, underflow and NaN on the way to the result neither warn nor raise: the result says
      what there is to say.
    """
    if function is None:
        return partial(public, **domains)
    parameters = inspect.signature(function).parameters
    checks = OptionChecks(parameters, domains)
    placed, first = bool(checks.places), next(iter(parameters))
    by_name = frozenset(n for n, p in parameters.items() if p.kind is not p.POSITIONAL_ONLY)
    count = sum(p.kind is not p.KEYWORD_ONLY for p in parameters.values())

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        if len(args) > count:
            raise _too_many(len(args), parameters, function.__name__)
        for name in options:
            if name not in by_name:
                raise _misnamed(name, parameters, function.__name__)
        run: Callable[..., Any] = function
        if placed:
            options = checks.named(args, options)
        if options:
            as_arrays = checks(args, options)
            if as_arrays is not None:
                run = partial(call_with_arrays, function, first, as_arrays, checks)
            elif placed:
                args, options = checks.placed(args, options)
        if not args:
            return run(*args, **options)  # which raises
        try:
            arrays = backend_of(namespace_of_type(args[0])).arrays
        except TypeError:  # no array: the function says which one
            return run(*args, **options)
        if arrays.adopt is not None:
            return _call_adopting(run, arrays.adopt, args, options)
        if arrays.quiet is None:
            return run(*args, **options)
        with arrays.quiet():
            return run(*args, **options)

    return call


def _call_adopting(
    function: Callable[..., R],
    adopt: Callable[[Any], Any],
    args: tuple[Any, ...],
    options: dict[str, Any],
) -> R:
    """Call with NumPy arrays beside those of the first argument's library made arrays of it."""
    return function(*map(adopt, args), **{name: adopt(x) for name, x in options.items()})


def _misnamed(name: str, parameters: Mapping[str, inspect.Parameter], function: str) -> TypeError:
    """Return the error of an argument, given by name, that there is not."""
    arrays = [n for n, p in parameters.items() if p.kind is not p.KEYWORD_ONLY]
    meant = [n for n in (name, *OTHER_NAMES.get(name, ())) if n in parameters]
    if meant and meant[0] in arrays:
        what = f"`{meant[0]}` is given by position: {function}({', '.join(arrays)})"
    elif meant:
        what = f"write `{meant[0]}=`"
    else:
        options = [n for n in parameters if n not in arrays]
        what = f"its options are {', '.join(options)}" if options else "it has no options"
    return TypeError(f"`{function}` takes no argument `{name}=`; {what}")


def _too_many(given: int, parameters: Mapping[str, inspect.Parameter], function: str) -> TypeError:
    """Return the error of options that are given by position."""
    arrays = [n for n, p in parameters.items() if p.kind is not p.KEYWORD_ONLY]
    options = [n for n in parameters if n not in arrays]
    hint = f"; options are given by name, as in {options[0]}=..." if options else ""
    return TypeError(
        f"`{function}` takes {', '.join(f'`{n}`' for n in arrays)} by position, "
        f"got {given} arguments{hint}"
    )

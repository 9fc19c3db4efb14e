"""What every public function does before its own work: names of options, arrays, warnings."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar, overload

from portable_losses._arguments import OptionChecks, call_with_arrays
from portable_losses._backend import backend_of_array
from portable_losses._options import Domain
from portable_losses._plain import Unfit, call_with_plain
from portable_losses._plans import Plans, may_repeat

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
    - Numbers, nested lists, and NumPy's arrays beside Tensors of another library are made arrays.
    - What a library does at a call of its own functions is done: PyTorch refuses arrays on two
      devices and widens halves under autocast, JAX and Dask take NumPy arrays beside their own.
    - Overflow, underflow and NaN on the way to the result neither warn nor raise: the result says
      what there is to say.
    """
    if function is None:
        return partial(public, **domains)
    signature = inspect.signature(function)
    parameters = signature.parameters
    checks = OptionChecks(parameters, domains)
    placed, first = bool(checks.places), next(iter(parameters))
    by_name = frozenset(n for n, p in parameters.items() if p.kind is not p.POSITIONAL_ONLY)
    full_precision = _needs_full_precision(function.__module__, function.__name__)
    alone = frozenset(name for name, domain in checks.domains.items() if not domain.broadcasts)
    count = sum(p.kind is not p.KEYWORD_ONLY for p in parameters.values())

    def checked(args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Return the result of a call of which nothing is known."""
        if len(args) > count:
            raise _too_many(len(args), parameters, function.__name__)
        try:
            run: Callable[..., Any] = function
            xs, named = args, options
            if options or placed:
                for name in options:
                    if name not in by_name:
                        raise _misnamed(name, parameters, function.__name__)
                named = checks.named(args, options) if placed else options
                as_arrays = checks(args, named)
                if as_arrays is not None:
                    run = partial(call_with_arrays, function, first, as_arrays, checks)
                elif placed:
                    xs, named = checks.placed(args, named)
            backend = backend_of_array(args[0]) if args else None
            if backend is None:  # the function says what it lacks
                return run(*xs, **named)
            arrays = backend.arrays
            if arrays.call is not None:
                return arrays.call(run, xs, named, full_precision=full_precision)
            if arrays.quiet is None:
                return run(*xs, **named)
            with arrays.quiet():
                return run(*xs, **named)
        except Unfit as error:
            unfit = error
        return call_with_plain(unfit, call, parameters, alone, args, options)

    plans = Plans(checked)

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        backend = may_repeat(args[0]) if args else None
        return checked(args, options) if backend is None else plans(backend, args, options)

    vars(call)["__signature__"] = signature  # whoever asks need not look for it again
    return call


def _needs_full_precision(module: str, name: str) -> bool:
    """Say whether mixed precision keeps a function in float32: all but activations of one entry."""
    family = module.removeprefix("portable_losses.activations.")
    return family in (module, "gumbel", "scaled", "softmaxes", "sparse") or name == "softplus"


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

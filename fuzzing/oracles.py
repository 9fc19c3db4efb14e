"""What must hold of one call on every library, and of the libraries together."""

from collections import Counter
from random import Random
from typing import Any

import numpy as np

from fuzzing import laws
from fuzzing.calls import Call
from fuzzing.comparing import difference
from fuzzing.families import elementwise, ranked_pair
from fuzzing.findings import Finding, Run, brief, what_was_wrong
from fuzzing.libraries import Library, Made, load
from portable_losses import validation

__all__ = ["check"]

UNIT_VECTORS = (
    "circle_loss", "cosine_distance", "cosine_embedding_loss", "cosine_similarity",
    "info_nce_loss", "normalize", "ntxent_loss", "triplet_margin_loss",
)  # fmt: skip
WEIGHTS = {"alpha", "class_weight", "pos_weight", "sample_weight", "weight", "where"}


def check(call: Call, names: list[str], counts: Counter[str]) -> list[Finding]:
    """Run the call on the libraries `names` and return what does not hold."""
    run = Run(call, counts)
    numpy = load("numpy")
    made = numpy.made(call)
    before = [numpy.state(x) for x in made.values()]
    reference = run.attempt(numpy, lambda: numpy.call(call, made))
    if [numpy.state(x) for x in made.values()] != before:
        run.found("inputs", "numpy: an argument was changed")
    if reference is None:
        return run.findings
    if isinstance(reference, Exception):
        if not call.bad:
            run.found("refuses", f"numpy: {brief(reference)}", reference)
            return run.findings
    else:
        if call.must:
            if not (call.bad.startswith("value of") and _weighed(call)):
                run.found("accepts", what_was_wrong(call), call.bad)
            return run.findings
        if not _form(run, numpy, reference):
            return run.findings
        _hidden(run, reference[0])
    gradient: list[Any] | None = None
    for name in names:
        library = load(name)
        if name == "numpy" or (library.few and not call.few) or library.skips(call):
            continue
        if not library.forms and any(x.form in ("matrix", "masked") for x in call.given.values()):
            continue
        gradient = _compare(run, library, reference, gradient)
    if not isinstance(reference, Exception) and not call.bad:
        fast = [n for n in names if not load(n).few] or ["numpy"]
        r = Random(~call.seed)
        chosen = "numpy" if r.random() < 0.5 and "numpy" in names else r.choice(fast)
        if not load(chosen).skips(call):
            laws.one(run, load(chosen), r, reference)
    elif call.bad.startswith("value of") and not _weighed(call) and not _takes_none_part(call):
        _unread(run, numpy, made)
    return run.findings


def _form(run: Run, library: Library, outs: tuple[Any, ...]) -> bool:
    """Say whether dtype, shape and library of the results are as documented."""
    call, before = run.call, len(run.findings)
    if call.bad:
        return True
    wanted = laws.result_dtype(call)
    if wanted == "bfloat16" and not library.narrow:
        wanted = "float32"
    shape = laws.result_shape(call)
    for out in outs:
        if not library.own(out):
            run.found("library", f"{library.name}: {type(out).__module__}.{type(out).__name__}")
        elif wanted and not str(getattr(out.dtype, "name", out.dtype)).endswith(wanted):
            run.found(
                "dtype", f"{library.name}: not that of the first array", f"{out.dtype}, {wanted}"
            )
    if shape is not None and np.shape(outs[0]) != shape:
        run.found("shape", library.name, f"{np.shape(outs[0])}, {shape}")
    return len(run.findings) == before


def _hidden(run: Run, out: Any) -> None:
    """A NaN of an elementwise function is in its result."""
    call = run.call
    by_element = call.entry.family in (elementwise, ranked_pair)
    if by_element and call.reduction in (None, "none") and not call.bad and not _weighed(call):
        first = next(iter(call.arrays.values())).values
        if not np.isnan(out[np.isnan(first)]).all():
            run.found("hides", "numpy: NaN", f"{out} of {first}")


def _compare(run: Run, library: Library, reference: Any, gradient: Any) -> list[Any] | None:
    """Call one more library, compare it with NumPy; return the gradients to compare with."""
    call = run.call
    try:
        made: Made = library.made(call)
    except Exception as e:  # an array that this library cannot hold
        if call.bad:
            return gradient
        raise AssertionError(library.name, str(call)) from e
    tracked = [n for n, x in call.given.items() if x.floating]
    slow = library.name in ("strict", "dask")  # these are under the tape for a gradient
    differentiates = (
        not isinstance(reference, Exception)
        and bool(tracked)
        and library.name != "numpy"
        and (not slow or call.seed % 3 == 0)
    )
    before = [library.state(x) for x in made.values()]
    if differentiates:
        result = run.attempt(
            library, lambda: library.differentiate(call, made, tracked), "gradient"
        )
    else:
        result = run.attempt(library, lambda: library.call(call, made))
    if [library.state(x) for x in made.values()] != before:
        run.found("inputs", f"{library.name}: an argument was changed")
    if result is None or (library.flushes and call.subnormal):
        return gradient
    if isinstance(result, Exception) or isinstance(reference, Exception):
        _compare_errors(run, library, result, reference)
        return gradient
    outs, grads = result if differentiates else (result, None)
    if not _form(run, library, outs):
        return gradient
    outs = run.attempt(library, lambda: [library.numpy(x) for x in outs], "computing", quiet=True)
    if outs is None or isinstance(outs, Exception):
        return gradient
    dtype = call.narrowest
    if dtype == "bfloat16" and call.entry.name == "mape_loss" and "eps" not in call.options:
        return gradient  # the floor is the dtype's own
    for out, ref in zip(outs, reference, strict=True):
        how = difference(out, ref, dtype)
        if how and not (how == "digits" and laws.cancels(call, out, ref, dtype)):
            run.found("value", f"{library.name}: {how}", f"{out} is not {ref}")
            return gradient
    if grads is None or not all(np.isfinite(np.asarray(r)).all() for r in reference):
        return gradient
    slopes = run.attempt(
        library, lambda: [library.numpy(g) for g in grads], "computing", quiet=True
    )
    if slopes is None or isinstance(slopes, Exception):
        return gradient
    if gradient is None:
        return list(slopes)
    scale = _gradient_scale(call, reference, gradient)
    for name, got, want in zip(tracked, slopes, gradient, strict=True):
        how = difference(got, want, dtype, scale=scale)
        if how == "nan" and call.subnormal and _weighed(call):
            continue  # 0 times an infinite slope, by a library's own rules
        if how:
            run.found("gradient", f"{library.name}: {how}, by {name}", f"{got} is not {want}")
    return gradient


def _gradient_scale(call: Call, reference: tuple[Any, ...], gradient: list[Any]) -> float:
    """Return the size of the terms that gradients are sums of."""
    sizes = [0.05 * _largest(g) for g in gradient]
    sizes.append(0.01 * _largest(reference[0]))  # the slope in a target is a difference of losses
    if "sample_weight" in call.options:  # whose gradient is a loss, less their mean
        sizes.append(_largest(reference[0]))
    of_arrays = [_largest(x.values) for x in call.arrays.values() if x.floating]
    if call.entry.name in UNIT_VECTORS:  # a gradient is what is left of one orthogonal to x
        of_rows = [np.abs(np.nan_to_num(x.values)) for x in call.arrays.values() if x.floating]
        least = [np.max(x, axis=-1)[np.max(x, axis=-1) > 0] for x in of_rows if x.size and x.ndim]
        sizes += [20.0 / float(x.min()) for x in least if x.size]
    elif call.entry.name == "linear_cross_entropy":  # weights times what sums to 0
        sizes += of_arrays
    return max(sizes)


def _largest(x: Any) -> float:
    size = np.abs(np.nan_to_num(np.asarray(x, np.float64), posinf=0, neginf=0))
    return float(size.max(initial=0.0))


def _compare_errors(run: Run, library: Library, result: Any, reference: Any) -> None:
    """An error must be one on every library, of the same type; what cannot be read may be NaN."""
    call = run.call
    bad = f" [{what_was_wrong(call)}]" if call.bad else ""
    if isinstance(reference, Exception) and isinstance(result, Exception):
        if type(result) is not type(reference):
            kinds = f"{type(result).__name__}, not {type(reference).__name__}"
            run.found("error type", f"{library.name}: {kinds}{bad}", f"{result} / {reference}")
        return
    if isinstance(result, Exception):
        oracle = "error type" if call.bad else "refuses"
        run.found(oracle, f"{library.name}: {brief(result)}{bad}", result)
        return
    if library.lazy and call.bad.startswith("value of"):
        if _weighed(call):
            return
        outs = run.attempt(
            library, lambda: [library.numpy(x) for x in result], "computing", quiet=True
        )
        if isinstance(outs, list) and all(
            np.isfinite(x).all() for x in outs if x.dtype.kind == "f"
        ):
            run.found("unread", f"{library.name}: a number for a bad {call.bad}", outs)
        return
    run.found("error type", f"{library.name}: none{bad}", reference)


def _unread(run: Run, library: Library, made: Made) -> None:
    """With the checks of values off, a bad value gives NaN, or what it would give anyway."""
    with validation(False):
        outs = run.attempt(library, lambda: library.call(run.call, made), "validation off")
    if isinstance(outs, Exception):
        run.found("validation", f"{library.name}: raises", outs)
    elif outs is not None and all(np.isfinite(x).all() for x in outs):
        run.found("validation", f"{library.name}: a number for a bad {run.call.bad}", outs)


def _weighed(call: Call) -> bool:
    """Say whether a weight of 0 or a mask may take the bad value out."""
    return bool(WEIGHTS & set(call.options))


def _takes_none_part(call: Call) -> bool:
    """Say whether the bad value may be of a class that counts for nothing."""
    alone = call.plan.classes == 1 and "margin" in call.entry.name  # no other class to compare with
    return alone or bool(call.options.get("ignore_background"))

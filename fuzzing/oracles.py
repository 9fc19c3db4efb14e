"""What must hold of one call on every library, and of the libraries together."""

import re
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

from fuzzing import laws
from fuzzing.calls import Call
from fuzzing.comparing import difference
from fuzzing.libraries import Library, Made, load
from portable_losses import validation

__all__ = ["Finding", "check"]

ALLOWED = (TypeError, ValueError, IndexError)
UNIT_VECTORS = (
    "circle_loss", "cosine_distance", "cosine_embedding_loss", "cosine_similarity",
    "info_nce_loss", "normalize", "ntxent_loss", "triplet_margin_loss",
)  # fmt: skip
NAMED_SHAPES = ("shapes must be equal, got ", "all arrays must come from one library, got ")


@dataclass(frozen=True)
class Finding:
    """Something that does not hold: a group is one oracle, function and kind."""

    oracle: str
    function: str
    kind: str
    call: Call = field(compare=False)
    detail: str = field(default="", compare=False)

    @property
    def group(self) -> tuple[str, str, str]:
        """What tells it from other findings."""
        return self.oracle, self.function, self.kind


class Run:
    """The check of one call: its findings, and how often each library was called."""

    def __init__(self, call: Call, counts: Counter[str]) -> None:
        self.call, self.counts = call, counts
        self.findings: list[Finding] = []

    def found(self, oracle: str, kind: str, detail: object = "", call: Call | None = None) -> None:
        """Write a finding down."""
        name = self.call.entry.name
        self.findings.append(Finding(oracle, name, kind, call or self.call, str(detail)[:300]))

    def attempt(
        self,
        library: Library,
        f: Callable[[], Any],
        what: str = "value",
        call: Call | None = None,
        *,
        quiet: bool = False,
    ) -> Any:
        """Return ``f()``, or the exception of the allowed kinds that it raises.

        What is raised beside these is a finding, and None is returned. A warning is one, too, and
        so is a FloatingPointError on finite input, where NumPy is asked to raise it; then `f` is
        called again with both off, as it is at once where it is to be `quiet`.
        """
        call = call or self.call
        self.counts[library.name] += 1
        if quiet:
            return self._again(library, f, what, call)
        try:
            with np.errstate(all="raise" if call.finite else "ignore"):
                return f()
        except (FloatingPointError, Warning) as e:
            where = "" if library.name == "numpy" else f"{library.name}, "
            self.found("warns", f"{where}{what}: {brief(e)}", call=call)
            return self._again(library, f, what, call)
        except Exception as e:
            return self._raised(library, e, what, call)

    def _again(self, library: Library, f: Callable[[], Any], what: str, call: Call) -> Any:
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return f()
        except Exception as e:
            return self._raised(library, e, what, call)

    def _raised(self, library: Library, e: Exception, what: str, call: Call) -> Any:
        """Judge an exception; return it, or None if it is of no allowed kind."""
        if not isinstance(e, ALLOWED):
            bad = f" [{_what_was_wrong(call)}]" if call.bad else ""
            self.found("raises", f"{library.name}: {brief(e)}{bad}", e, call)
            return None
        if not names_an_argument(str(e), call):
            self.found("nameless", f"{library.name}: {brief(e)}", e, call)
        return e


def brief(e: BaseException) -> str:
    """Return the kind of an exception and its message without numbers."""
    text = re.sub(r"-?\d[\d.e+-]*", "N", str(e).split("\n")[0])
    return f"{type(e).__name__}: {text[:70]}".rstrip()


def names_an_argument(message: str, call: Call) -> bool:
    """Say whether a message names a parameter in backticks, or the shapes by their names."""
    if any(message.startswith(start) for start in NAMED_SHAPES):
        return True
    names = set(re.findall(r"`(\w+)`", message))
    return bool(names & set(call.entry.parameters)) or "unexpected keyword argument" in message


def check(call: Call, names: list[str], counts: Counter[str]) -> list[Finding]:
    """Run the call on the libraries `names` and return what does not hold."""
    run = Run(call, counts)
    numpy = load("numpy")
    made = numpy.made(call)
    before = [_state(x) for x in made.values()]
    reference = run.attempt(numpy, lambda: numpy.call(call, made))
    if [_state(x) for x in made.values()] != before:
        run.found("inputs", "numpy: an argument was changed")
    if reference is None:
        return run.findings
    if isinstance(reference, Exception):
        if not call.bad:
            run.found("refuses", f"numpy: {brief(reference)}", reference)
            return run.findings
    else:
        if call.must:
            run.found("accepts", _what_was_wrong(call), call.bad)
            return run.findings
        if not _form(run, numpy, reference):
            return run.findings
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
    elif call.bad.startswith("value"):
        _unread(run, numpy, made)
    return run.findings


def _state(x: Any) -> Any:
    """What of an argument must not change."""
    return (x.tobytes(), x.strides, x.shape) if isinstance(x, np.ndarray) else None


def _what_was_wrong(call: Call) -> str:
    """What was wrong with a call, without its numbers."""
    return re.sub(r"(?<![a-z\d])-?\d[\d.e+]*", "N", call.bad)


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
    if differentiates:
        result = run.attempt(
            library, lambda: library.differentiate(call, made, tracked), "gradient"
        )
    else:
        result = run.attempt(library, lambda: library.call(call, made))
    if result is None:
        return gradient
    if isinstance(result, Exception) or isinstance(reference, Exception):
        _compare_errors(run, library, result, reference)
        return gradient
    outs, grads = result if differentiates else (result, None)
    if not _form(run, library, outs):
        return gradient
    outs = run.attempt(library, lambda: [library.numpy(x) for x in outs], "computing")
    if outs is None or isinstance(outs, Exception) or (library.flushes and _subnormal(call)):
        return gradient
    dtype = _narrowest(call)
    for out, ref in zip(outs, reference, strict=True):
        how = difference(out, ref, dtype)
        if how and not (how == "digits" and laws.cancels(call, out, ref, dtype)):
            run.found("value", f"{library.name}: {how}", f"{out} is not {ref}")
            return gradient
    if grads is None or not all(np.isfinite(np.asarray(r)).all() for r in reference):
        return gradient
    slopes = run.attempt(library, lambda: [library.numpy(g) for g in grads], "computing")
    if slopes is None or isinstance(slopes, Exception):
        return gradient
    if gradient is None:
        return list(slopes)
    scale = _gradient_scale(call, reference, gradient)
    for name, got, want in zip(tracked, slopes, gradient, strict=True):
        how = difference(got, want, dtype, scale=scale)
        if how:
            run.found("gradient", f"{library.name}: {how}, by {name}", f"{got} is not {want}")
    return gradient


def _gradient_scale(call: Call, reference: tuple[Any, ...], gradient: list[Any]) -> float:
    """Return the size of the terms that gradients are sums of."""
    sizes = [0.05 * _largest(g) for g in gradient]
    if "sample_weight" in call.options:  # whose gradient is a loss, less their mean
        sizes.append(_largest(reference[0]))
    if call.entry.name in UNIT_VECTORS:  # a gradient is what is left of one orthogonal to x
        size = _largest(call.given[call.entry.arrays[0]].values)
        sizes.append(20.0 / size if size else 0.0)
    return max(sizes)


def _largest(x: Any) -> float:
    size = np.abs(np.nan_to_num(np.asarray(x, np.float64), posinf=0, neginf=0))
    return float(size.max(initial=0.0))


def _compare_errors(run: Run, library: Library, result: Any, reference: Any) -> None:
    """An error must be one on every library, of the same type; what cannot be read may be NaN."""
    call = run.call
    bad = f" [{_what_was_wrong(call)}]" if call.bad else ""
    if isinstance(reference, Exception) and isinstance(result, Exception):
        if type(result) is not type(reference):
            kinds = f"{type(result).__name__}, not {type(reference).__name__}"
            run.found("error type", f"{library.name}: {kinds}{bad}", f"{result} / {reference}")
        return
    if isinstance(result, Exception):
        oracle = "error type" if call.bad else "refuses"
        run.found(oracle, f"{library.name}: {brief(result)}{bad}", result)
        return
    if library.lazy and call.bad.startswith("value"):
        outs = run.attempt(library, lambda: [library.numpy(x) for x in result], "computing")
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


def _subnormal(call: Call) -> bool:
    """Say whether any number of the call is subnormal."""
    for x in call.given.values():
        if x.floating:
            size = np.abs(x.values[(x.values != 0) & np.isfinite(x.values)])
            if size.size and size.min() < np.finfo(x.values.dtype).tiny:
                return True
    return False


def _narrowest(call: Call) -> str:
    """Return the least exact dtype of the call."""
    order = ("bfloat16", "float16", "float32", "float64")
    found = {x.dtype for x in call.given.values()}
    return next((d for d in order if d in found), "float64")

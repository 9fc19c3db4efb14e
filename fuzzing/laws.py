"""What must hold between calls: reductions, masks, shifts, the order of the examples."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np

from fuzzing.arrays import Given
from fuzzing.calls import Call
from fuzzing.comparing import difference, same_bits
from fuzzing.families import Plan
from fuzzing.findings import Run
from fuzzing.libraries import Library, load
from portable_losses import validation

__all__ = ["cancels", "one", "result_dtype", "result_shape"]

PROMOTING = ("logsubexp", "rel_entr", "xlog1py", "xlogy")
SHIFTED = {  # what a shift of all entries by c adds to the result, in c
    "softmax": 0, "log_softmax": 0, "softmin": 0, "sparsemax": 0, "entmax15": 0,
    "logsumexp": 1, "logmeanexp": 1, "cumulative_logsumexp": 1,
    "cross_entropy": 0, "poly_loss": 0, "softmax_focal_loss": 0, "generalized_cross_entropy": 0,
    "sparsemax_loss": 0, "multiclass_hinge_loss": 0, "multiclass_perceptron_loss": 0,
    "multi_margin_loss": 0, "multilabel_margin_loss": 0, "distillation_loss": 0,
    "ranking_softmax_loss": 0,
}  # fmt: skip
UNMEASURED = (  # "mean" divides by something else than the number or the weights of the elements
    "ctc_loss", "ntxent_loss", "dice_loss", "jaccard_loss", "tversky_loss",
)  # fmt: skip


OF_CLASSES = ("alpha", "bias", "class_weight", "weight")


def result_dtype(call: Call) -> str:
    """Return the documented dtype of the results, "" for whatever it may be."""
    first = next(iter(call.arrays.values()))
    if not first.floating:
        return ""
    if call.entry.name in PROMOTING:
        dtypes = {x.dtype for x in call.arrays.values()}
        return first.dtype if len(dtypes) == 1 else ""
    return first.dtype


def result_shape(call: Call) -> tuple[int, ...] | None:
    """Return the documented shape of the first result; None where it is not known."""
    plan: Plan = call.plan
    if call.cut or (call.entry.name == "one_hot" and "axis" not in call.options):
        return None
    if call.reduction is not None:
        return plan.rows if call.reduction == "none" else ()
    name = call.entry.name
    if name in PROMOTING:
        return np.broadcast_shapes(*(x.values.shape for x in call.arrays.values()))
    if name in ("logsumexp", "logmeanexp", "entropy"):
        axis = call.option("axis")
        axes = (
            range(len(plan.base)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        )
        gone = {a % max(len(plan.base), 1) for a in axes}
        kept = call.options.get("keepdims") is True
        return tuple(
            1 if i in gone else n for i, n in enumerate(plan.base) if kept or i not in gone
        )
    if call.options.get("keepdims") is True and plan.axis is not None:
        return tuple(1 if i == plan.axis else n for i, n in enumerate(plan.base))
    return plan.rows


def cancels(call: Call, out: Any, ref: Any, dtype: str) -> bool:
    """Say whether the digits of a sum of both signs may differ as much as these do."""
    if call.reduction in (None, "none"):
        if call.entry.name not in ("logsumexp", "standardize", "logmeanexp", "fenchel_young_loss"):
            return False
        sizes = [np.abs(x.values).max(initial=0.0) for x in call.given.values() if x.floating]
        scale = float(np.nan_to_num(max(sizes), posinf=0.0))
    else:
        numpy, every = load("numpy"), call.having(reduction="none", denominator=None)
        with np.errstate(all="ignore"):
            parts = numpy.call(every, numpy.made(every))[0]
            scale = float(np.abs(np.nan_to_num(parts.astype(np.float64))).max(initial=0.0))
    return not difference(out, ref, dtype, scale=scale)


def one(run: Run, library: Library, r: Random, reference: tuple[Any, ...]) -> None:
    """Try one of the laws that this call is under."""
    call = run.call
    options = call.entry.options
    laws: list[Callable[[Run, Library, Random, tuple[Any, ...]], None]] = [validation_off, again]
    if "reduction" in options:
        laws += [reductions, reductions]
    if next(_ways(call), None):
        laws += [leaks, leaks, leaks]
    if library.name == "torch" and next(iter(call.arrays.values())).floating:
        laws += [curvature, curvature]
    shares = call.plan.arrays.get("target", None)
    if (
        call.entry.name in SHIFTED
        and not {"softcap", "z_loss"} & set(call.options)
        and (shares is None or shares.dtypes == "index")
    ):
        laws += [shift]
    if any(w.batch is not None for w in call.plan.arrays.values()):
        laws += [order]
    r.choice(laws)(run, library, r, reference)


def _values(run: Run, library: Library, call: Call) -> list[Any] | None:
    """Call, and bring the results to NumPy; None where it raises, which other oracles judge."""
    made = library.made(call)
    outs = run.attempt(library, lambda: library.call(call, made), call=call, quiet=True)
    if outs is None or isinstance(outs, Exception):
        return None
    return [library.numpy(x) for x in outs]


def validation_off(run: Run, library: Library, r: Random, reference: tuple[Any, ...]) -> None:
    """With the checks of values off, a good call has the same numbers."""
    made = library.made(run.call)
    with validation(False):
        outs = run.attempt(
            library, lambda: library.call(run.call, made), "validation off", quiet=True
        )
    if isinstance(outs, Exception):
        run.found("validation", f"{library.name}: raises", outs)
    elif outs is not None:
        for out, ref in zip(outs, reference, strict=True):
            if difference(library.numpy(out), ref, run.call.narrowest) not in ("", "digits"):
                run.found("validation", f"{library.name}: other numbers", f"{out} is not {ref}")


def curvature(run: Run, library: Library, r: Random, reference: tuple[Any, ...]) -> None:
    """PyTorch has the second derivatives of the tape."""
    call = run.call
    if not call.finite or not all(np.isfinite(x).all() for x in reference):
        return
    first = next(iter(call.arrays))
    results = [_second(run, load(name), first) for name in ("tape", "torch")]
    if results[0] is None or results[1] is None:
        return
    for want, got in zip(results[0], results[1], strict=True):
        how = difference(got, want, call.narrowest) if np.isfinite(want).all() else ""
        if how and how != "digits":
            run.found("second derivative", f"torch: {how}, by {first}", f"{got} is not {want}")


def _second(run: Run, library: Library, name: str) -> list[Any] | None:
    """Return the second derivative as NumPy arrays; None where it raises."""
    made = library.made(run.call)
    slopes = run.attempt(
        library, lambda: library.second(run.call, made, [name]), "second", quiet=True
    )
    return [library.numpy(x) for x in slopes] if isinstance(slopes, list) else None


def again(run: Run, library: Library, r: Random, reference: tuple[Any, ...]) -> None:
    """The same call has the same bits each time."""
    first, second = (_values(run, library, run.call) for _ in range(2))
    if first is not None and second is not None:
        for a, b in zip(first, second, strict=True):
            if not same_bits(a, b):
                run.found("again", f"{library.name}: other bits", f"{a}, then {b}")


def reductions(run: Run, library: Library, r: Random, reference: tuple[Any, ...]) -> None:
    """The sum is that of "none", and the mean is it over the number or the weights."""
    call = run.call.having(denominator=None)
    parts, whole, mean = (
        _values(run, library, call.having(reduction=how)) for how in ("none", "sum", "mean")
    )
    if parts is None or whole is None or mean is None:
        return
    dtype = call.narrowest
    if not call.cut and parts[0].shape != call.plan.rows:
        run.found("shape", f"{library.name}: none", f"{parts[0].shape}, {call.plan.rows}")
        return
    each = np.asarray(parts[0], np.float64)
    with np.errstate(all="ignore"):
        scale = float(np.abs(np.nan_to_num(each)).max(initial=0.0)) * max(each.size, 1) * 0.05
        how = difference(whole[0], each.sum().astype(whole[0].dtype), dtype, scale=scale)
        if how:
            run.found("reduction", f"{library.name}: sum, {how}", f"{whole[0]} is not {each.sum()}")
            return
        amount = _amount(call, each)
        if amount is None:
            return
        want = np.asarray(whole[0], np.float64) / (amount or 1.0)
        how = difference(mean[0], want.astype(whole[0].dtype), dtype, scale=scale)
    if how and not (how == "infinite" and np.isinf(whole[0])):  # a sum may overflow, its mean not
        run.found("reduction", f"{library.name}: mean, {how}", f"{mean[0]} is not {want}")


def _amount(call: Call, each: Any) -> float | None:
    """What the mean divides by; None where that is not so simple."""
    options = call.options
    if call.entry.name in UNMEASURED or {"weight", "class_weight", "where", "z_loss"} & set(
        options
    ):
        return None
    target = call.arrays.get("target")
    ignored = call.option("ignore_index") if "ignore_index" in call.entry.options else None
    if ignored is not None and target is not None and (target.values == ignored).any():
        return None
    weight = options.get("sample_weight")
    if not isinstance(weight, Given):
        return float(each.size)
    return float(np.broadcast_to(weight.values.astype(np.float64), each.shape).sum())


# ---- what is masked, ignored or weightless -------------------------------------------------------


def _ways(call: Call) -> Iterator[str]:
    """The ways in which entries of this call can be made to count for nothing."""
    options, plan = call.entry.options, call.plan
    lifted = any(w.lift is not None for w in plan.arrays.values())
    target = call.arrays.get("target")
    indexed = target is not None and plan.arrays["target"].dtypes == "index"
    if "where" in options:
        yield "where"
    if "sample_weight" in options and lifted and plan.rows:
        yield "sample_weight"
    signed = target is not None and target.values.dtype.kind == "i" and target.layout == "C"
    if "ignore_index" in options and indexed and signed and plan.rows:
        yield "ignore_index"
    if "weight" in options and call.entry.name.startswith("binary_cross"):
        yield "weight"
    if call.entry.name == "logsumexp":
        yield "b"
    if call.entry.name == "kl_div" and call.option("log_target") is False:
        yield "target"


# Losses of rows whose `where` masks entries of the input.
MASKED_BY_ENTRIES = ("ranking_softmax_loss", "dice_loss", "jaccard_loss", "tversky_loss")


def leaks(run: Run, library: Library, r: Random, reference: tuple[Any, ...]) -> None:
    """NaN, an infinity or a huge number in what counts for nothing changes no bit."""
    call = run.call
    if 0 in call.plan.base:
        return
    if "return_lse" in call.options:  # a row without weight has one all the same
        call = call.having(return_lse=False)
    way = r.choice(list(_ways(call)))
    clean, dead = _weightless(r, call, way)
    if clean is None:
        return
    anything = way in ("where", "b", "ignore_index")
    bad = r.choice((np.nan, np.inf, -np.inf, 1e38, -1e38) if anything else (np.nan, np.nan, 1e38))
    spoiled = clean
    for name, mask in dead.items():
        x = clean.given[name]
        if not x.floating or not mask.any():
            continue
        filler = bad if x.domain == "real" or np.isnan(bad) or way == "where" else np.nan
        values = np.where(mask, np.float32(filler), x.values.astype(np.float64))
        with np.errstate(all="ignore"):
            values = values.astype(x.values.dtype)
        layout = "C" if x.layout == "broadcast" else x.layout
        spoiled = spoiled.having(**{name: replace(x, values=values, layout=layout)})
    if spoiled is clean:
        return
    tracked = [n for n in call.arrays if clean.arrays[n].floating]
    if library.name not in ("tape", "torch"):
        tracked = []
    twice = bool(tracked) and r.random() < 0.3
    results = [_bits(run, library, c, tracked, twice=twice) for c in (clean, spoiled)]
    if results[0] is None:
        return
    if results[1] is None:
        run.found("leak", f"{library.name}, {way}: raises for {bad}", call=spoiled)
        return
    if call.tiny and any(np.isnan(x).any() for part in results[0] for x in part):
        return  # a finite loss with an infinite slope: 0 times that is NaN
    orders = ("value", "gradient", "second derivative")
    for what, got, want in zip(orders, results[1], results[0], strict=False):
        if not all(same_bits(a, b) for a, b in zip(got, want, strict=True)):
            run.found("leak", f"{library.name}, {way}: {what}", f"{got} is not {want}", spoiled)
            return


def _bits(
    run: Run, library: Library, call: Call, tracked: list[str], *, twice: bool = False
) -> Any:
    """Return the results and the derivatives as NumPy arrays; None where the call raises."""
    made = library.made(call)
    if tracked:
        result = run.attempt(
            library,
            lambda: library.differentiate(call, made, tracked),
            "gradient",
            call,
            quiet=True,
        )
    else:
        result = run.attempt(library, lambda: (library.call(call, made), []), call=call, quiet=True)
    if result is None or isinstance(result, Exception):
        return None
    parts = [[library.numpy(x) for x in part] for part in result]
    if twice:
        slopes = run.attempt(
            library, lambda: library.second(call, made, tracked), "second", call, quiet=True
        )
        if isinstance(slopes, list):
            parts.append([library.numpy(x) for x in slopes])
    return parts


def _weightless(r: Random, call: Call, way: str) -> tuple[Call | None, dict[str, Any]]:
    """Make some entries of the call count for nothing; return it, and masks of these entries."""
    plan = call.plan
    first = next(iter(call.arrays))
    entries = "reduction" not in call.entry.options or call.entry.name in MASKED_BY_ENTRIES
    whole = way in ("b", "target", "weight") or (
        way == "where" and (entries or (call.entry.name == "cross_entropy" and r.random() < 0.5))
    )
    shape = plan.base if whole else plan.rows
    gone = np.asarray([r.random() < 0.4 for _ in range(int(np.prod(shape)))], bool).reshape(shape)
    x = call.given[first]
    if way == "where":
        if call.entry.name == "cross_entropy" and whole:
            gone = _but_targets(call, gone)
        changed: dict[str, Any] = {"where": Given(np.asarray(~gone), "bool", "mask")}
    elif way in ("sample_weight", "weight", "b"):
        values = np.where(gone, 0.0, 0.5).astype(x.values.dtype)
        changed = {way: Given(values, x.dtype, "weight")}
    elif way == "target":
        t = call.arrays["target"]
        values = np.where(gone, t.values.dtype.type(0), t.values)
        changed = {"target": replace(t, values=values, layout="C")}
    else:
        t = call.arrays["target"]
        changed = {
            "target": replace(t, values=np.where(gone, -100, t.values).astype(t.values.dtype)),
            "ignore_index": -100,
        }
    dead: dict[str, Any] = {}
    for name, w in plan.arrays.items():
        if whole:
            if call.given[name].values.shape == shape:
                dead[name] = gone
        elif w.lift is not None and (name != "target" or way not in ("ignore_index", "target")):
            lifted = np.expand_dims(gone, w.lift) if w.lift else gone
            dead[name] = np.broadcast_to(lifted, call.given[name].values.shape)
    if way == "target":
        dead = {first: gone}
    return call.having(**changed), dead


def _but_targets(call: Call, gone: Any) -> Any:
    """Return the mask of classes without those that a target names."""
    t, axis = call.arrays["target"].values, call.plan.axis or 0
    if t.shape == gone.shape:
        return gone & (t == 0)
    gone = gone.copy()
    index = np.where((t >= 0) & (t < call.plan.classes), t, 0).astype(np.int64)
    np.put_along_axis(gone, np.expand_dims(index, axis), False, axis)
    return gone


# ---- symmetries ----------------------------------------------------------------------------------


def shift(run: Run, library: Library, r: Random, reference: tuple[Any, ...]) -> None:
    """A shift of all entries changes nothing, or shifts the result."""
    call = run.call
    name = next(iter(call.arrays))
    x = call.arrays[name]
    plain = np.round(np.clip(np.nan_to_num(x.values.astype(np.float64)), -8, 8) * 8) / 8
    dtype = x.values.dtype
    results = [
        _values(run, library, call.having(**{name: replace(x, values=(plain + c).astype(dtype))}))
        for c in (0.0, 16.0)
    ]
    if results[0] is None or results[1] is None:
        return
    want = np.asarray(results[0][0], np.float64) + 16.0 * SHIFTED[call.entry.name]
    how = difference(
        results[1][0], want, call.narrowest, scale=16.0 if SHIFTED[call.entry.name] else 0
    )
    if how:
        run.found("shift", f"{library.name}: {how}", f"{results[1][0]} is not {want}")


def order(run: Run, library: Library, r: Random, reference: tuple[Any, ...]) -> None:
    """The order of the examples does not matter."""
    call, plan = run.call, run.call.plan
    turned = {
        n: _flipped(call.arrays[n], w.batch) for n, w in plan.arrays.items() if w.batch is not None
    }
    for name, x in call.options.items():
        if not isinstance(x, Given) or (name in OF_CLASSES and plan.rows != plan.base):
            continue
        if (name == "where" and plan.rows != plan.base) or call.entry.name == "ntxent_loss":
            return
        if x.values.ndim == len(plan.rows) > 0:
            turned[name] = _flipped(x, 0)
    moved = _values(run, library, call.having(**turned))
    if moved is None:
        return
    got, want, dtype = moved[0], reference[0], call.narrowest
    if call.reduction in (None, "none"):
        if got.shape != plan.rows or not got.shape or call.entry.name == "ntxent_loss":
            return
        got = np.flip(got, axis=0)
    how = difference(got, want, dtype)
    if how and not (how == "digits" and cancels(call, got, want, dtype)):
        run.found("order", f"{library.name}: {how}", f"{got} is not {want}")


def _flipped(x: Given, axis: int) -> Given:
    return replace(x, values=np.flip(x.values, axis=axis).copy())

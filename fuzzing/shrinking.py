"""Make the call of a finding smaller while the finding stays."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from fuzzing.arrays import Given
from fuzzing.calls import Call
from fuzzing.findings import Finding
from fuzzing.oracles import check

__all__ = ["shrunk", "size"]


def size(call: Call) -> int:
    """Return how large a call is to read."""
    return len(str(call))


def shrunk(finding: Finding, names: list[str], tries: int = 40) -> Finding:
    """Return the same finding at the smallest call that a few tries come to."""
    smallest = finding
    names = [n for n in names if n == "numpy" or n in finding.kind or finding.oracle == "gradient"]
    progress = True
    while progress and tries > 0:
        progress = False
        for call in _smaller(smallest.call):
            tries -= 1
            again = _same(finding, call, names)
            if again is not None and size(again.call) < size(smallest.call):
                smallest, progress = again, True
                break
            if tries <= 0:
                break
    return smallest


def _same(finding: Finding, call: Call, names: list[str]) -> Finding | None:
    """Return the finding of the same group in a smaller call, if there is one."""
    try:
        found = check(call, names, Counter())
    except Exception:  # the arrays no longer belong together
        return None
    return next((f for f in found if f.group == finding.group), None)


def _smaller(call: Call) -> Iterator[Call]:
    """Calls that are a little simpler."""
    yield from _shorter(call)
    for name in call.options:
        if name not in call.entry.required and not call.bad.startswith(f"{name}="):
            options = {k: v for k, v in call.options.items() if k != name}
            yield replace(call, options=options, cut=True)
    for name, x in call.given.items():
        if x.layout != "C":
            yield call.having(**{name: replace(x, layout="C")})
    for name, x in call.given.items():
        for values in _simpler(x):
            yield call.having(**{name: replace(x, values=values)})


def _shorter(call: Call) -> Iterator[Call]:
    """The call with fewer examples."""
    batch = {n: w.batch for n, w in call.plan.arrays.items() if w.batch is not None}
    if not batch:
        return
    counts = {call.arrays[n].values.shape[a] for n, a in batch.items()}
    if len(counts) != 1:
        return
    count = counts.pop()
    for keep in ([0], [count - 1], list(range(count // 2)), list(range(count // 2, count))):
        if not count or not 0 < len(keep) < count:
            continue
        changed: dict[str, Any] = {}
        for name, x in call.given.items():
            axis = batch.get(name)
            if axis is None and name in call.options and x.values.shape[:1] == (count,):
                axis = 0
            if axis is not None:
                layout = "C" if x.layout == "broadcast" else x.layout
                changed[name] = replace(x, values=x.values.take(keep, axis), layout=layout)
        yield replace(call.having(**changed), cut=True)


def _simpler(x: Given) -> Iterator[Any]:
    """Arrays with rounder numbers."""
    if x.values.dtype.kind != "f" or x.values.size > 100:
        return
    with np.errstate(all="ignore"):
        for rounded in (np.sign(x.values), np.round(x.values), _digits(x.values)):
            values = np.where(np.isfinite(x.values), rounded, x.values).astype(x.values.dtype)
            if not np.array_equal(values, x.values, equal_nan=True):
                yield values


def _digits(values: Any) -> Any:
    """Round to two digits."""
    return np.asarray([float(f"{v:.1e}") for v in values.ravel()]).reshape(values.shape)

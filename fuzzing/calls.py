"""From an integer to a call: the function, its arrays and options, and what must come of them."""

import math
import warnings
from dataclasses import dataclass, field, replace
from inspect import signature
from random import Random
from typing import Any

import numpy as np

from fuzzing.arrays import Given, Text, draw_layout, number_text, shown
from fuzzing.families import Plan, Wanted
from fuzzing.table import TABLE, Entry
from fuzzing.values import BAD_VALUES, INTEGERS, floats
from portable_losses.losses._targets import LAST

__all__ = ["Call", "draw"]

FEW = 4  # of so many calls one has a shape that libraries compile for
NAMES = sorted(TABLE)
FLOATS = ("float32", "float64", "float32", "float64", "float16", "bfloat16")
INTEGER_DTYPES = ("int64", "int64", "int32", "int8", "uint8", "int16", "uint16", "uint32", "uint64")
FORMS = ("text", "matrix", "masked")
#: an option that says that an array holds logarithms, the array, and its domain then
LOGARITHMS = {
    "log_input": (0, "real"),
    "log_target": (1, "nonpositive"),
    "log_var": (2, "real"),
}


@dataclass(frozen=True, eq=False)
class Call:
    """A call of a public function on arrays of NumPy numbers.

    `bad` says what is wrong with it on purpose ("" for nothing), `must` whether it has to raise
    for that. `plan` has the shapes that it was drawn from.
    """

    seed: int
    entry: Entry
    dtype: str
    arrays: dict[str, Given]
    options: dict[str, Any]
    plan: Plan
    bad: str = ""
    must: bool = False
    few: bool = False
    cut: bool = field(default=False)  # made smaller than it was drawn

    def __str__(self) -> str:
        """Return the call as a line of Python."""
        given = [shown(a) if isinstance(a, Given) else repr(a) for a in self.arrays.values()]
        given += [text_of(v) for k, v in self.options.items() if self._positional(k)]
        named = {k: v for k, v in self.options.items() if not self._positional(k)}
        given += [f"{k}={text_of(v)}" for k, v in named.items()]
        narrow = any(x.dtype == "bfloat16" for x in self.given.values())
        note = "  # bfloat16 where there is one" if narrow else ""
        return f"pl.{self.entry.name}({', '.join(given)}){note}"

    def _positional(self, name: str) -> bool:
        return self.entry.parameters[name].kind is not PARAMETER_KEYWORD

    @property
    def given(self) -> dict[str, Given]:
        """Every array, positional or not, by name."""
        more = {k: v for k, v in self.options.items() if isinstance(v, Given)}
        return self.arrays | more

    @property
    def finite(self) -> bool:
        """Say whether every number in every array is finite."""
        return all(
            a.values.dtype.kind != "f" or bool(np.isfinite(a.values).all())
            for a in self.given.values()
        )

    @property
    def subnormal(self) -> bool:
        """Whether any number of the call is subnormal."""
        if any(isinstance(v, float) and 0 < abs(v) < 2.3e-308 for v in self.options.values()):
            return True
        for x in self.given.values():
            if x.floating:
                size = np.abs(x.values[(x.values != 0) & np.isfinite(x.values)])
                if size.size and size.min() < np.finfo(x.values.dtype).tiny:
                    return True
        return False

    @property
    def tiny(self) -> bool:
        """Whether ``1 / x**2`` overflows for any number of the call."""
        for x in self.given.values():
            if x.floating and x.values.size:
                size = np.abs(x.values[x.values != 0]).min(initial=1.0)
                if size < 2 * math.sqrt(np.finfo(x.values.dtype).tiny):
                    return True
        return self.subnormal

    @property
    def narrowest(self) -> str:
        """Return the least exact dtype of the call."""
        found = {x.dtype for x in self.given.values()}
        order = ("bfloat16", "float16", "float32", "float64")
        return next((d for d in order if d in found), "float64")

    @property
    def reduction(self) -> str | None:
        """How the loss is reduced; None for what is no loss."""
        if "reduction" not in self.entry.options:
            return None
        chosen = self.options.get("reduction", "mean")
        return chosen if isinstance(chosen, str) else None

    def option(self, name: str) -> Any:
        """Return an option as given, or its default."""
        return self.options.get(name, self.entry.parameters[name].default)

    def having(self, **changes: Any) -> "Call":
        """Return the call with other arrays or options of these names."""
        arrays, options = dict(self.arrays), dict(self.options)
        for name, value in changes.items():
            (arrays if name in arrays else options)[name] = value
        return replace(self, arrays=arrays, options=options)


PARAMETER_KEYWORD = next(
    p.kind for p in TABLE["mse_loss"].parameters.values() if p.name == "reduction"
)


def text_of(value: Any) -> str:
    """Return an option as Python text."""
    if isinstance(value, Given):
        return shown(value)
    return repr(value) if isinstance(value, Text) else number_text(value)


def draw(seed: int) -> Call:
    """Return the call of that number."""
    r = Random(seed)
    few = seed % FEW == 0
    entry = TABLE[r.choice(NAMES)]
    dtype = r.choice(("float32", "float32", "float32", "float64") if few else FLOATS)
    plan = entry.family(r, entry.arrays, entry.domains, few)
    options = _options(r, entry, plan, few)
    _logarithms(entry, plan, options)
    arrays: dict[str, Any] = {n: _array(r, w, dtype, few) for n, w in plan.arrays.items()}
    options = {
        k: _array(r, v, dtype, few) if isinstance(v, Wanted) else v for k, v in options.items()
    }
    _fit_index(entry, arrays, options, plan)
    call = Call(seed, entry, dtype, arrays, options, plan, plan.bad, bool(plan.bad), few)
    return call if plan.bad or r.random() < 0.75 else _spoil(r, call)


def _options(r: Random, entry: Entry, plan: Plan, few: bool) -> dict[str, Any]:
    options = dict(plan.options)
    rate = r.choice((0.0, 0.25, 0.6))
    for name, one in entry.options.items():
        if name in options:
            continue
        if name in entry.required or r.random() < (0.6 if name == "reduction" else rate):
            value = one.draw(r, plan)
            if value is not None or name in entry.required:
                options[name] = value
                _narrow_regions(plan, name, value)
    if "distance" in options and "axis" in options:
        del options["distance"]  # which has an axis of its own, the last
    if options.get("reduction", "mean") != "mean":
        options.pop("denominator", None)
    if "min_val" in options or "max_val" in options:
        options["min_val"] = min(options.get("min_val", -1.0), options.get("max_val", 1.0))
    if "lower" in options or "upper" in options:
        options["lower"] = min(options.get("lower", 0.125), options.get("upper", 1 / 3))
    found = {name: options[name] for name in entry.options if name in options}
    axis, shape = signature(entry.function).parameters.get("axis"), plan.base
    last = axis is not None and axis.default is LAST and "axis" not in options
    if last and len(shape) > 2 and (*shape[:1], *shape[2:]) == tuple(shape[:-1]):
        found["axis"] = -1  # has to be given
    return found


def _narrow_regions(plan: Plan, name: str, value: Any) -> None:
    """Weighed classes are one region, and the background is none."""
    if name == "class_weight" and len(plan.rows) == 2 and plan.arrays.keys() == {"input", "target"}:
        plan.rows, lift = plan.rows[:1], tuple(range(1, len(plan.base)))
    elif name == "ignore_background" and value and len(plan.rows) == 2:
        plan.rows, lift = (plan.rows[0], max(plan.rows[1] - 1, 0)), None
    else:
        return
    plan.arrays = {n: replace(w, lift=lift) for n, w in plan.arrays.items()}


def _logarithms(entry: Entry, plan: Plan, options: dict[str, Any]) -> None:
    """Give an array that holds logarithms the domain of these."""
    for option, (place, domain) in LOGARITHMS.items():
        if option in entry.options and len(entry.domains) > place:
            default = entry.parameters[option].default
            if options.get(option, default) is True:
                name = entry.arrays[place]
                plan.arrays[name] = replace(plan.arrays[name], domain=domain)
    power = options.get("power", 1.5)
    if entry.name == "tweedie_deviance_loss" and isinstance(power, float | int):
        if power == 0:
            options["log_input"] = False
        name = entry.arrays[1]
        domain = "real" if power <= 0 else "positive" if power >= 2 else "nonnegative"
        plan.arrays[name] = replace(plan.arrays[name], domain=domain)


def _array(r: Random, w: Wanted, dtype: str, few: bool) -> Given:
    """Draw an array."""
    count = 1
    for n in w.shape:
        count *= n
    if w.dtypes == "bool":
        values = np.asarray([r.random() < 0.7 for _ in range(count)], bool)
        return _placed(r, values.reshape(w.shape), "bool", "mask", few)
    if w.dtypes == "index":
        return _index(r, w, count, few)
    if w.dtypes == "any real" and r.random() < 0.15:
        return _integers(r, w, count, few)
    own = dtype
    if r.random() < 0.04 and not few:
        own = r.choice(FLOATS)
    tiled = count > 500
    numbers = floats(r, w.domain.rstrip("*"), dtype, 97 if tiled else count)
    with np.errstate(all="ignore"):
        values = np.asarray(numbers, "float32" if own == "bfloat16" else own)
    if w.domain == "positive":  # also where the dtype is another one
        values[values == 0] = 1
    if own == "bfloat16":
        values = _bfloat16(values)
    values = np.resize(values, w.shape) if tiled else values.reshape(w.shape)
    return _placed(r, values, own, w.domain, few)


def _integers(r: Random, w: Wanted, count: int, few: bool) -> Given:
    """Draw an array of an integer dtype, or of bools, for a target or a weight."""
    choices = INTEGERS.get(w.domain.rstrip("*"), (0, 1))
    dtype = "int64" if few else r.choice(INTEGER_DTYPES)
    if set(choices) == {0, 1} and r.random() < 0.3:
        dtype = "bool"
    if min(choices) < 0 and dtype.startswith("u"):
        dtype = "int64"
    values = np.asarray([r.choice(choices) for _ in range(count)], dtype).reshape(w.shape)
    return _placed(r, values, dtype, w.domain, few)


def _index(r: Random, w: Wanted, count: int, few: bool) -> Given:
    """Draw class indices, labels or lengths."""
    dtype = "int64" if few or w.classes > 100 else r.choice(INTEGER_DTYPES)
    if w.domain == "label":
        numbers = [r.randrange(1, w.classes) for _ in range(count)]
    elif w.domain == "label list":
        size = max(w.classes, 1)
        dtype = "int64" if dtype.startswith("u") else dtype
        lists = [r.sample(range(size), r.randrange(size + 1)) for _ in range(count // size)]
        numbers = [v for one in lists for v in one + [-1] * (size - len(one))]
        front = [w.shape[i] for i in range(len(w.shape)) if i not in (w.lift or ())]
        place = (w.lift or (-1,))[0]
        if not w.classes:
            return _placed(r, np.zeros(w.shape, dtype), dtype, w.domain, few)
        values = np.moveaxis(np.asarray(numbers, dtype).reshape((*front, size)), -1, place)
        return _placed(r, np.ascontiguousarray(values), dtype, w.domain, few)
    else:
        numbers = [r.randrange(max(w.classes, 1)) for _ in range(count)]
        if w.ignorable and dtype.startswith("i") and r.random() < 0.3:
            numbers = [-100 if r.random() < 0.4 else n for n in numbers]
    values = np.asarray(numbers, dtype).reshape(w.shape)
    return _placed(r, values, dtype, w.domain, few)


def _placed(r: Random, values: Any, dtype: str, domain: str, few: bool) -> Given:
    """Give the array a layout."""
    if few or values.size > 500:
        return Given(values, dtype, domain)
    if domain in ("label", "label list", "length"):
        return Given(values, dtype, domain)
    values, layout = draw_layout(r, values)
    return Given(values, dtype, domain, layout)


def _bfloat16(values: Any) -> Any:
    """Round float32 numbers to those of bfloat16, to the nearest even."""
    bits = values.view(np.uint32)
    kept = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(
        0xFFFF0000
    )
    return np.where(np.isfinite(values), kept.view(np.float32), values).astype(np.float32)


def _fit_index(entry: Entry, arrays: dict[str, Given], options: dict[str, Any], plan: Plan) -> None:
    """Let ignored rows have the index that is ignored, and the others classes that exist."""
    target, ignored = arrays.get("target"), options.get("ignore_index", -100)
    wanted = plan.arrays.get("target")
    if target is None or wanted is None or wanted.dtypes != "index" or not wanted.ignorable:
        return
    t = target.values
    if ignored != -100 and t.dtype.kind == "i":
        t = np.where(t == -100, ignored, t).astype(t.dtype)
        arrays["target"] = replace(target, values=t)
    where = options.get("where")
    if isinstance(where, Given) and where.values.shape == plan.base and plan.classes:
        mask, axis = where.values.copy(), plan.axis or 0
        index = np.expand_dims(np.where((t >= 0) & (t < plan.classes), t, 0).astype(np.int64), axis)
        np.put_along_axis(mask, index, True, axis)
        layout = "C" if where.layout == "broadcast" else where.layout
        options["where"] = replace(where, values=mask, layout=layout)


# ---- what is wrong on purpose --------------------------------------------------------------------


def _spoil(r: Random, call: Call) -> Call:
    """Return the call with one thing wrong, or as it is where that thing cannot be wrong here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return r.choice((_bad_value, _bad_shape, _bad_dtype, _bad_form, _bad_option, _odd_option))(
            r, call
        )


def _bad_value(r: Random, call: Call) -> Call:
    name = r.choice(list(call.given))
    x = call.given[name]
    if not x.values.size or x.layout == "broadcast":
        return call
    values = x.values.copy()
    place = r.randrange(values.size)
    if x.floating and x.domain in BAD_VALUES:
        values.flat[place] = r.choice(BAD_VALUES[x.domain])
    elif name == "target" and x.domain == "real" and x.values.dtype.kind in "iu":
        wanted = call.plan.arrays.get(name)
        if wanted is None or wanted.dtypes != "index" or x.values.dtype.kind == "u":
            return call
        values.flat[place] = r.choice((wanted.classes, 101, -3))
    else:
        return call
    return replace(
        call.having(**{name: replace(x, values=values)}), bad=f"value of {name}", must=True
    )


def _bad_shape(r: Random, call: Call) -> Call:
    names = list(call.given)[1:]
    if not names:
        return call
    name = r.choice(names)
    x = call.given[name]
    first = next(iter(call.given.values())).values.shape
    if not x.values.ndim or x.values.shape[-1] < 2 or first[-1:] in ((), (1,)):
        return call
    if name in ("mean", "alpha") or (call.entry.name, name) == ("ctc_loss", "target"):
        return call
    values = np.concatenate([x.values, x.values[..., :2]], axis=-1)
    layout = "C" if x.layout == "broadcast" else x.layout
    changed = replace(x, values=values, layout=layout)
    return replace(call.having(**{name: changed}), bad=f"shape of {name}", must=True)


def _bad_dtype(r: Random, call: Call) -> Call:
    names = list(call.given)
    name = r.choice(names)
    x = call.given[name]
    place = names.index(name)
    wanted = call.plan.arrays.get(name)
    if r.random() < 0.4:
        if call.entry.name == "logsumexp" and place == 0:  # takes them
            return call
        dtype = r.choice(("complex64", "complex128"))
        must = True
    elif wanted is not None and wanted.dtypes == "index":
        dtype, must = r.choice(("float32", "float64", "bool")), name != "target" or True
        if wanted.shape == call.plan.base:
            must = False
    elif x.domain == "mask":
        dtype, must = r.choice(("int64", "float32", "uint8")), True
    elif place == 0:
        dtype, must = r.choice(("int64", "bool", "uint8", "int32")), True
    else:
        return call
    with np.errstate(all="ignore"):
        values = np.nan_to_num(x.values, posinf=1, neginf=-1).astype(dtype)
    changed = replace(x, values=values, dtype=dtype, layout="C")
    return replace(call.having(**{name: changed}), bad=f"dtype of {name}", must=must)


def _bad_form(r: Random, call: Call) -> Call:
    name = r.choice(list(call.given))
    x = call.given[name]
    form = r.choice(FORMS)
    if form == "matrix" and x.values.ndim != 2:
        form = "masked"
    if form == "text" and name in call.options:
        return call  # an option that may be a number as well
    changed = replace(x, form=form, layout="C")
    return replace(call.having(**{name: changed}), bad=f"{form} given", must=True)


def _bad_option(r: Random, call: Call) -> Call:
    names = [n for n, o in call.entry.options.items() if o.bad]
    if not names:
        return call
    name = r.choice(names)
    value = r.choice(call.entry.options[name].bad)
    return replace(call.having(**{name: value}), bad=f"{name}={value!r}", must=True)


def _odd_option(r: Random, call: Call) -> Call:
    names = [n for n, o in call.entry.options.items() if o.odd]
    if not names:
        return call
    name = r.choice(names)
    value = r.choice(call.entry.options[name].odd)
    return replace(call.having(**{name: value}), bad=f"{name}={value!r}")

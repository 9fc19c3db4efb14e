"""The families of functions: how the shapes of the arrays of one call belong together.

A family is a function of the generator and the function's entry in the table. It returns a `Plan`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

__all__ = ["Family", "Plan", "Wanted", "smaller"]

Shape = tuple[int, ...]

SHAPES: list[Shape] = [
    (), (1,), (3,), (4,), (5,), (6,), (0,), (2, 3), (3, 4), (4, 3), (1, 3), (3, 1), (5, 2),
    (0, 3), (2, 3, 2), (2, 1, 3), (3, 2, 2), (2, 2, 1, 3),
]  # fmt: skip
LONG: list[Shape] = [(4099,), (700, 9), (3, 1500)]  # kernels run in blocks: more than one
FEW: list[Shape] = [(4, 3)]  # for libraries that compile once for every shape


@dataclass(frozen=True)
class Wanted:
    """An array that is yet to be drawn.

    `lift` are the axes to insert into a mask of the loss's elements so that it covers the array;
    None where an entry of the array belongs to several elements. `batch` is the array's axis of
    the examples. A domain that ends in a star is the usual one, and nothing outside it raises.
    """

    domain: str
    shape: Shape
    dtypes: str = "float"  # "float", "any real", "index" or "bool"
    lift: Shape | None = None
    batch: int | None = None
    classes: int = 0  # of an index
    ignorable: bool = False


@dataclass
class Plan:
    """The arrays of a call, the shape of what it returns, and what options must know."""

    arrays: dict[str, Wanted]
    base: Shape
    rows: Shape = ()  # the shape of the loss before the reduction
    axis: int | None = None
    classes: int = 0
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    bad: str = ""  # what is wrong with the shapes, if anything


Family = Callable[[Random, tuple[str, ...], tuple[str, ...], bool], Plan]


def _shape(r: Random, few: bool, least: int = 0) -> Shape:
    """Draw a shape with at least `least` axes."""
    if few:
        return r.choice([s for s in FEW if len(s) >= least])
    if r.random() < 0.004:
        return r.choice([s for s in LONG if len(s) >= least])
    while True:
        shape = r.choice(SHAPES)
        if len(shape) >= least:
            return shape


def _axis_option(r: Random, axis: int, ndim: int, options: dict[str, Any]) -> None:
    """Write down `axis`, from the front or from the back; leave it out where it is the last."""
    if axis == ndim - 1 and r.random() < 0.6:
        return
    options["axis"] = axis if r.random() < 0.6 else axis - ndim


def elementwise(r: Random, names: tuple[str, ...], domains: tuple[str, ...], few: bool) -> Plan:
    """Arrays of one shape; the targets, after the first, of any real dtype."""
    shape = _shape(r, few)
    batch = 0 if shape else None
    arrays = {
        name: Wanted(domain, shape, "any real" if i else "float", (), batch)
        for i, (name, domain) in enumerate(zip(names, domains, strict=True))
    }
    return Plan(arrays, shape, shape)


def ordered(r: Random, names: tuple[str, ...], domains: tuple[str, ...], few: bool) -> Plan:
    """Scores, and class indices of one shape."""
    plan = elementwise(r, names, domains, few)
    w = plan.arrays[names[1]]
    plan.classes = 4
    plan.arrays[names[1]] = Wanted("real", w.shape, "index", (), w.batch, classes=plan.classes)
    return plan


def floating(r: Random, names: tuple[str, ...], domains: tuple[str, ...], few: bool) -> Plan:
    """Arrays of one shape, all of floating dtypes."""
    plan = elementwise(r, names, domains, few)
    plan.arrays = {
        name: Wanted(w.domain, w.shape, "float", w.lift, w.batch) for name, w in plan.arrays.items()
    }
    return plan


def ranked_pair(r: Random, names: tuple[str, ...], domains: tuple[str, ...], few: bool) -> Plan:
    """Two floating arrays of one shape, and a target for every pair."""
    plan = elementwise(r, names, domains, few)
    w = plan.arrays[names[1]]
    plan.arrays[names[1]] = Wanted(w.domain, w.shape, "float", w.lift, w.batch)
    return plan


def broadcasting(r: Random, names: tuple[str, ...], domains: tuple[str, ...], few: bool) -> Plan:
    """Two floating arrays that broadcast together."""
    shape = _shape(r, few)
    shapes = [shape, shape]
    if r.random() < 0.4 and not few:
        shapes[r.randrange(2)] = smaller(r, shape)
    arrays = {n: Wanted(d, s) for n, d, s in zip(names, domains, shapes, strict=True)}
    return Plan(arrays, shape, shape)


def smaller(r: Random, shape: Shape) -> Shape:
    """Return a shape that broadcasts to `shape`."""
    kept = tuple(1 if r.random() < 0.4 else n for n in shape)
    return kept[r.randrange(len(shape) + 1) :] if r.random() < 0.5 else kept


def along_axis(r: Random, names: tuple[str, ...], domains: tuple[str, ...], few: bool) -> Plan:
    """Floating arrays of one shape with at least one axis, and one of its axes."""
    shape = _shape(r, few, 1)
    axis = r.randrange(len(shape))
    arrays = {n: Wanted(d, shape, "float", ()) for n, d in zip(names, domains, strict=True)}
    plan = Plan(arrays, shape, shape, axis, shape[axis])
    _axis_option(r, axis, len(shape), plan.options)
    return plan


def channels(r: Random, names: tuple[str, ...], domains: tuple[str, ...], few: bool) -> Plan:
    """An array, and slopes for one of its axes."""
    plan = along_axis(r, names[:1], domains[:1], few)
    sizes = [(plan.classes,), (1,), ()]
    plan.arrays[names[1]] = Wanted(domains[1], r.choice(sizes))
    return plan


def gated(r: Random, names: tuple[str, ...], domains: tuple[str, ...], few: bool) -> Plan:
    """An array and its gate, or both in one array of an even size."""
    if r.random() < 0.5:
        return along_axis(r, names, domains, few)
    shape = (4,) if few else r.choice([(2,), (4,), (3, 4), (2, 3), (0, 2), (2, 2, 3), (3, 0)])
    axis = r.choice([i for i, n in enumerate(shape) if n % 2 == 0])
    plan = Plan({names[0]: Wanted(domains[0], shape)}, shape, shape, axis, shape[axis])
    plan.rows = (*shape[:axis], shape[axis] // 2, *shape[axis + 1 :])
    _axis_option(r, axis, len(shape), plan.options)
    return plan


def _rowwise(
    r: Random, few: bool, empty: bool = False
) -> tuple[Shape, int, Shape, dict[str, Any], str]:
    """Draw a shape with a class axis that is not empty (or a mistake); the rows are the rest."""
    shape = _shape(r, few, 1)
    axis = r.randrange(len(shape))
    bad = ""
    if shape[axis] == 0 and not empty:
        bad = "no classes"
    options: dict[str, Any] = {}
    _axis_option(r, axis, len(shape), options)
    return shape, axis, shape[:axis] + shape[axis + 1 :], options, bad


def _row_batch(axis: int, shape: Shape) -> int | None:
    """Return the axis of the whole array that is the rows' first."""
    return None if len(shape) < 2 else int(axis == 0)


def classes(r: Random, names: tuple[str, ...], domains: tuple[str, ...], few: bool) -> Plan:
    """Logits, and class indices or the probabilities of every class."""
    shape, axis, rows, options, bad = _rowwise(r, few)
    first, second = names
    batch = _row_batch(axis, shape)
    logits = Wanted(domains[0], shape, "float", (axis,), batch)
    if domains[1] == "index" or (domains[1] != "shares only" and r.random() < 0.6):
        ignorable = domains[1] != "index"
        size = max(shape[axis], 1)
        target = Wanted(
            "real", rows, "index", (), 0 if rows else None, classes=size, ignorable=ignorable
        )
    else:
        target = Wanted("share", shape, "any real", (axis,), batch)
    return Plan({first: logits, second: target}, shape, rows, axis, shape[axis], options, bad)


def rowwise(r: Random, names: tuple[str, ...], domains: tuple[str, ...], few: bool) -> Plan:
    """Arrays of one shape with a class axis, that a row becomes one number of."""
    shape, axis, rows, options, bad = _rowwise(r, few)
    batch = _row_batch(axis, shape)
    arrays = {
        n: Wanted(d, shape, "any real" if i else "float", (axis,), batch)
        for i, (n, d) in enumerate(zip(names, domains, strict=True))
    }
    return Plan(arrays, shape, rows, axis, shape[axis], options, bad)


def logit_pair(r: Random, names: tuple[str, ...], domains: tuple[str, ...], few: bool) -> Plan:
    """As `rowwise`, with both arrays floating."""
    plan = rowwise(r, names, domains, few)
    plan.arrays = {
        n: Wanted(w.domain, w.shape, "float", w.lift, w.batch) for n, w in plan.arrays.items()
    }
    return plan


def label_lists(r: Random, names: tuple[str, ...], domains: tuple[str, ...], few: bool) -> Plan:
    """Scores, and rows of class indices that end at the first -1."""
    plan = rowwise(r, names, domains, few)
    w = plan.arrays[names[1]]
    plan.arrays[names[1]] = Wanted(
        "label list", w.shape, "index", w.lift, w.batch, classes=plan.classes
    )
    return plan


def divergence(r: Random, names: tuple[str, ...], domains: tuple[str, ...], few: bool) -> Plan:
    """Two arrays of one shape; some axes may be summed over."""
    shape = _shape(r, few)
    axes: Shape = ()
    options: dict[str, Any] = {}
    if shape and r.random() < 0.6:
        count = 1 if r.random() < 0.8 else len(shape)
        axes = tuple(sorted(r.sample(range(len(shape)), count)))
        options["axis"] = axes[0] if len(axes) == 1 and r.random() < 0.8 else axes
    rows = tuple(n for i, n in enumerate(shape) if i not in axes)
    batch = next((i for i in range(len(shape)) if i not in axes), None)
    arrays = {
        n: Wanted(d, shape, "any real" if i else "float", axes, batch)
        for i, (n, d) in enumerate(zip(names, domains, strict=True))
    }
    return Plan(arrays, shape, rows, axes[0] if axes else None, 0, options)


def vectors(r: Random, names: tuple[str, ...], domains: tuple[str, ...], few: bool) -> Plan:
    """Arrays of vectors along an axis; a target, where there is one, for every vector."""
    shape = _shape(r, few, 1)
    axis = r.randrange(len(shape))
    rows = shape[:axis] + shape[axis + 1 :]
    options: dict[str, Any] = {}
    _axis_option(r, axis, len(shape), options)
    batch = _row_batch(axis, shape)
    arrays = {
        n: Wanted(d, shape, "float", (axis,), batch)
        if d == "real"
        else Wanted(d, rows, "any real", (), 0 if rows else None)
        for n, d in zip(names, domains, strict=True)
    }
    return Plan(arrays, shape, rows, axis, shape[axis], options)


def regions(r: Random, names: tuple[str, ...], domains: tuple[str, ...], few: bool) -> Plan:
    """Probabilities and labels of pixels, summed over all axes but the first and the classes'."""
    shape = (4, 3) if few else r.choice([(2, 3), (3, 4), (0, 3), (3, 0), (2, 3, 2), (2, 2, 1, 3)])
    options: dict[str, Any] = {}
    class_axis: int | None = None
    if r.random() < 0.5 and len(shape) > 2:
        class_axis = r.randrange(1, len(shape))
        options["class_axis"] = class_axis if r.random() < 0.6 else class_axis - len(shape)
    summed = tuple(i for i in range(1, len(shape)) if i != class_axis)
    rows = shape[:1] if class_axis is None else (shape[0], shape[class_axis])
    lift = summed
    arrays = {
        n: Wanted(d, shape, "any real" if i else "float", lift, 0)
        for i, (n, d) in enumerate(zip(names, domains, strict=True))
    }
    size = 0 if class_axis is None else shape[class_axis]
    return Plan(arrays, shape, rows, class_axis, size, options)


def linear(r: Random, names: tuple[str, ...], domains: tuple[str, ...], few: bool) -> Plan:
    """Hidden states, the weight of a layer, and targets."""
    rows: Shape = (4,) if few else r.choice([(), (1,), (3,), (5,), (0,), (2, 3)])
    if not few and r.random() < 0.01:
        rows = (300,)
    width, size = (2, 3) if few else (r.randrange(1, 4), r.randrange(1, 5))
    last = len(rows)
    batch = 0 if rows else None
    arrays = {
        names[0]: Wanted("real", (*rows, width), "float", (last,), batch),
        names[1]: Wanted("real", (size, width)),
        names[2]: Wanted("real", rows, "index", (), batch, classes=size, ignorable=True)
        if r.random() < 0.7
        else Wanted("share", (*rows, size), "any real", (last,), batch),
    }
    return Plan(arrays, (*rows, size), rows, None, size)


def alignments(r: Random, names: tuple[str, ...], domains: tuple[str, ...], few: bool) -> Plan:
    """Frames of several sequences, their labels, and both their lengths."""
    frames, count = r.choice((0, 1, 2, 4, 7)), r.choice((0, 1, 2, 3))
    size, labels = r.randrange(2, 5), r.randrange(4)
    if few:
        frames, count, size, labels = 5, 2, 3, 2
    arrays = {
        names[0]: Wanted("nonpositive", (frames, count, size), "float", (0, 2), 1),
        names[1]: Wanted("label", (count, labels), "index", (1,), 0, classes=size),
        names[2]: Wanted("length", (count,), "index", (), 0, classes=frames + 1),
        names[3]: Wanted("length", (count,), "index", (), 0, classes=labels + 1),
    }
    return Plan(arrays, (frames, count, size), (count,), None, size)


def contrasts(r: Random, names: tuple[str, ...], domains: tuple[str, ...], few: bool) -> Plan:
    """Embeddings with labels, and others to compare with."""
    count, width = (4, 3) if few else (r.choice((0, 1, 2, 3, 5)), r.randrange(1, 4))
    label = Wanted("real", (count,), "index", None, 0, classes=3)
    others = "ref_embeddings" in names and r.random() < 0.5
    lift = (1,) if others else None
    arrays = {names[0]: Wanted("real", (count, width), "float", lift, 0), names[1]: label}
    if others:
        more = 2 if few else r.choice((0, 1, 3))
        arrays[names[2]] = Wanted("real", (more, width))
        arrays[names[3]] = Wanted("real", (more,), "index", None, classes=3)
    rows: Shape = (count,) if "ref_embeddings" in names else (count, count)
    return Plan(arrays, (count, width), rows)


def queries(r: Random, names: tuple[str, ...], domains: tuple[str, ...], few: bool) -> Plan:
    """Queries, their keys, and negatives for all or for each."""
    count, width = (4, 3) if few else (r.choice((0, 1, 2, 3, 5)), r.randrange(1, 4))
    arrays = {
        names[0]: Wanted("real", (count, width), "float", (1,), 0),
        names[1]: Wanted("real", (count, width), "float", None, 0),
    }
    more = 2 if few else r.choice((0, 1, 3))
    choice = r.random()
    options: dict[str, Any] = {}
    if choice < 0.3:
        arrays[names[2]] = Wanted("real", (more, width))
    elif choice < 0.5:
        arrays[names[2]] = Wanted("real", (count, more, width), "float", (1, 2), 0)
    elif choice < 0.7:
        options["symmetric"] = True
        arrays[names[0]] = Wanted("real", (count, width), "float", None, 0)
    return Plan(arrays, (count, width), (count,), None, 0, options)


def indices(r: Random, names: tuple[str, ...], domains: tuple[str, ...], few: bool) -> Plan:
    """Class indices, and the number of classes."""
    shape = _shape(r, few)
    size = 3 if few else r.randrange(1, 5)
    ndim = len(shape) + 1
    axis = r.randrange(ndim)
    plan = Plan({names[0]: Wanted("real", shape, "index", None, classes=size)}, shape, shape)
    plan.options["num_classes"] = size
    plan.rows = (*shape[:axis], size, *shape[axis:])
    _axis_option(r, axis, ndim, plan.options)
    return plan

"""NumPy's `einsum`: sums of products by names of axes, contracted pair by pair through `matmul`."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import prod
from string import ascii_letters
from typing import Any, NamedTuple

from .names import dtype_of, named
from .operands import arrays

__all__ = ["einsum"]


class Term(NamedTuple):
    """An array and the names of its axes, each once."""

    array: Any
    names: tuple[str, ...]


# ---- subscripts ---------------------------------------------------------------------------------


def _parsed(operands: Sequence[Any]) -> tuple[list[str], str | None, list[Any]]:
    """Return the subscripts of every operand, those of the result, and the operands."""
    if isinstance(operands[0], str):
        left, arrow, right = operands[0].replace(" ", "").partition("->")
        return left.split(","), right if arrow else None, list(operands[1:])
    pairs, last = divmod(len(operands), 2)
    lists = [_letters(operands[2 * i + 1]) for i in range(pairs)]
    result = _letters(operands[-1]) if last else None
    return lists, result, [operands[2 * i] for i in range(pairs)]


def _letters(subscripts: Iterable[Any]) -> str:
    """Return a list of integers and ellipses as letters."""
    return "".join("..." if s is Ellipsis else ascii_letters[s] for s in subscripts)


@lru_cache
def _named_axes(
    subscripts: tuple[str, ...], result: str | None, ranks: tuple[int, ...]
) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """Return the name of every axis; those under an ellipsis have numbers, the last one "0"."""
    names: list[tuple[str, ...]] = []
    if len(subscripts) != len(ranks):
        msg = f"`subscripts` must name {len(ranks)} operands, got {len(subscripts)}"
        raise ValueError(msg)
    for given, ndim in zip(subscripts, ranks, strict=True):
        before, dots, behind = given.partition("...")
        free = ndim - len(before) - len(behind)
        if free < 0 or (free and not dots) or "." in before + behind:
            msg = f"subscripts {given!r} do not fit an operand with {ndim} axes"
            raise ValueError(msg)
        names.append((*before, *(str(i) for i in reversed(range(free))), *behind))
    most = max((sum(n.isdigit() for n in axes) for axes in names), default=0)
    wide = tuple(str(i) for i in reversed(range(most)))
    every = [n for axes in names for n in axes]
    if result is None:
        once = sorted({n for n in every if every.count(n) == 1 and not n.isdigit()})
        return names, (*wide, *once)
    before, dots, behind = result.partition("...")
    wanted = (*before, *(wide if dots else ()), *behind)
    letters = (*before, *behind)
    if len(set(letters)) < len(letters) or not set(letters) <= set(every):
        msg = f"subscripts {result!r} of the result must be among those of the operands, each once"
        raise ValueError(msg)
    return names, wanted


# ---- one operand --------------------------------------------------------------------------------


def _diagonal(x: Any, names: tuple[str, ...], *, xp: Any) -> Term:
    """Return the array on the diagonals of the axes that have one name."""
    while len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        i = names.index(twice)
        j = names.index(twice, i + 1)
        if x.shape[i] != x.shape[j]:
            msg = f"axes named {twice!r} must have one size, got {x.shape[i]} and {x.shape[j]}"
            raise ValueError(msg)
        x = xp.linalg.diagonal(xp.moveaxis(x, (i, j), (-2, -1)))
        names = (*(n for place, n in enumerate(names) if place not in (i, j)), twice)
    return Term(x, names)


def _summed(term: Term, kept: Iterable[str], *, xp: Any) -> Term:
    """Return the sum along the axes that are not kept."""
    gone = tuple(i for i, n in enumerate(term.names) if n not in kept)
    if not gone:
        return term
    rest = tuple(n for n in term.names if n in kept)
    return Term(xp.sum(term.array, axis=gone, dtype=term.array.dtype), rest)


def _arranged(term: Term, names: Sequence[str], *, xp: Any) -> Any:
    """Return the array with axes in the order of `names`, of size 1 where it has none."""
    order = tuple(term.names.index(n) for n in names if n in term.names)
    x = term.array
    if order != tuple(range(x.ndim)):
        x = xp.permute_dims(x, order)
    sizes = iter(x.shape)
    shape = tuple(next(sizes) if n in term.names else 1 for n in names)
    return _shaped(x, shape, xp=xp)


# ---- two operands -------------------------------------------------------------------------------


def _product(a: Term, b: Term, kept: set[str], sizes: dict[str, int], *, xp: Any) -> Term:
    """Return the product of two terms, summed along what is not kept, by one `matmul`."""
    own = [
        [n for n in t.names if sizes[n] == 1 or t.array.shape[t.names.index(n)] > 1] for t in (a, b)
    ]
    a, b = (_summed(t, {*kept, *other}, xp=xp) for t, other in ((a, own[1]), (b, own[0])))
    both = [n for n in a.names if n in b.names]
    split = [n for n in both if a.array.shape[a.names.index(n)] != b.array.shape[b.names.index(n)]]
    summed = [n for n in both if n not in kept]
    if not summed or split:
        names = (*a.names, *(n for n in b.names if n not in a.names))
        left, right = _arranged(a, names, xp=xp), _arranged(b, names, xp=xp)
        return _summed(Term(left * right, names), kept, xp=xp)
    batch = [n for n in both if n in kept]
    free = [[n for n in t.names if n not in both] for t in (a, b)]
    names = (*batch, *free[0], *free[1])

    shape = {n: size for t in (a, b) for n, size in zip(t.names, t.array.shape, strict=True)}

    def merged(*groups: Sequence[str]) -> tuple[int, ...]:
        """Return the batch's sizes, and the size of each group of axes as one."""
        wanted = [g for g in groups if g or batch]
        return (*(shape[n] for n in batch), *(prod(shape[n] for n in g) for g in wanted))

    left = _arranged(a, [*batch, *free[0], *summed], xp=xp)
    right = _arranged(b, [*batch, *summed, *free[1]], xp=xp)
    left = _shaped(left, merged(free[0], summed), xp=xp)
    right = _shaped(right, merged(summed, free[1]), xp=xp)
    made = xp.matmul(left, right)
    return Term(_shaped(made, tuple(shape[n] for n in names), xp=xp), names)


def _shaped(x: Any, shape: tuple[int, ...], *, xp: Any) -> Any:
    """Return `x` in a shape, as it is where it has that."""
    return x if shape == tuple(x.shape) else xp.reshape(x, shape)


def _cheapest(
    terms: Sequence[Term], wanted: Sequence[str], sizes: dict[str, int]
) -> tuple[int, int]:
    """Return the pair whose product is smallest beside what goes with it."""

    def growth(pair: tuple[int, int]) -> tuple[int, int]:
        i, j = pair
        names = set(terms[i].names) | set(terms[j].names)
        after = names & _kept(terms, pair, wanted)
        size = prod(sizes[n] for n in after)
        return size - sum(prod(sizes[n] for n in terms[k].names) for k in pair), prod(
            sizes[n] for n in names
        )

    pairs = [(i, j) for j in range(len(terms)) for i in range(j)]
    if len(pairs) == 1:
        return pairs[0]
    return min(pairs, key=growth)


def _kept(terms: Sequence[Term], pair: tuple[int, ...], wanted: Sequence[str]) -> set[str]:
    """Return the names that the result or another term than those of the pair has."""
    others = [t.names for k, t in enumerate(terms) if k not in pair]
    return {n for names in (wanted, *others) for n in names}


@named("einsum")
def einsum(
    *operands: Any,
    out: Any = None,
    optimize: Any = False,
    dtype: Any = None,
    order: str = "K",
    casting: str = "safe",
    xp: Any,
) -> Any:
    """Return the sum of products that the subscripts say; the order of contraction is our own."""
    subscripts, result, given = _parsed(operands)
    found = arrays(*given, xp=xp)
    if dtype is not None:
        found = [xp.astype(x, dtype_of(dtype, xp=xp)) for x in found]
    names, wanted = _named_axes(tuple(subscripts), result, tuple(x.ndim for x in found))
    terms = [_diagonal(x, axes, xp=xp) for x, axes in zip(found, names, strict=True)]
    sizes = _sizes(terms)
    while len(terms) > 1:
        i, j = _cheapest(terms, wanted, sizes)
        made = _product(terms[i], terms[j], _kept(terms, (i, j), wanted), sizes, xp=xp)
        terms = [*(t for k, t in enumerate(terms) if k not in (i, j)), made]
    return _arranged(_summed(terms[0], wanted, xp=xp), wanted, xp=xp)


def _sizes(terms: Sequence[Term]) -> dict[str, int]:
    """Return the size of every axis; 1 broadcasts against any other."""
    sizes: dict[str, int] = {}
    for term in terms:
        for name, n in zip(term.names, term.array.shape, strict=True):
            if 1 not in (n, sizes.get(name, 1)) and n != sizes[name]:
                msg = f"axes named {name!r} must have one size, got {sizes[name]} and {n}"
                raise ValueError(msg)
            sizes[name] = n if sizes.get(name, 1) == 1 else sizes[name]
    return sizes


@named("einsum_path")
def einsum_path(
    *operands: Any, optimize: Any = "greedy", einsum_call: bool = False, xp: Any
) -> Any:
    """Return the order of contraction, as NumPy writes it, and a line that says it in words."""
    subscripts, result, given = _parsed(operands)
    found = arrays(*given, xp=xp)
    names, wanted = _named_axes(tuple(subscripts), result, tuple(x.ndim for x in found))
    terms = [_diagonal(x.detach(), axes, xp=xp) for x, axes in zip(found, names, strict=True)]
    sizes = _sizes(terms)
    path: list[Any] = ["einsum_path"]
    while len(terms) > 1:
        i, j = _cheapest(terms, wanted, sizes)
        kept = _kept(terms, (i, j), wanted)
        left = tuple(n for n in sizes if n in kept and n in {*terms[i].names, *terms[j].names})
        shape = xp.zeros(tuple(sizes[n] for n in left))
        terms = [*(t for k, t in enumerate(terms) if k not in (i, j)), Term(shape, left)]
        path.append((i, j))
    path = path if len(path) > 1 else ["einsum_path", (0,)]
    return path, f"  Complete contraction:  {','.join(subscripts)}->{''.join(wanted)}"

"""Cross entropy of a linear layer in one sweep: NumPy, and PyTorch on the CPU.

A block of rows at a time, the logits are one matrix product into memory that all blocks share,
where the machine code of cross entropy, or `sweep` where there is none, turns them into the
gradient: two more products, and the block is done. That gradient is made along with the losses,
before the gradients of the losses are known. Mostly they are foreseen: after "mean" and "sum" the
same number for every row, or that times the row's weight. Then the backward multiplies by the
number, and the logits are computed once. Where they turn out otherwise, or nothing is foreseen, it
sweeps again with the gradients that came.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from portable_losses._backend import Pair
from portable_losses._dtypes import narrow, widen
from portable_losses._gradient import NAMED_PAIRS
from portable_losses._typing import Array, Options
from portable_losses.losses._targets import Target

from ..rows.foreseen import foreseen_gradients
from ..rows.rowwise import Rowwise
from .sweep import WEIGHT, Library, RowArguments, finish, losses, sweep

__all__ = ["ARRAYS", "WEIGHTS", "Products", "fits", "run"]

WEIGHTS = 1, 1 + WEIGHT  # places of bias and class weights, behind the logits
ARRAYS = 3  # hidden, weight, bias: those whose gradients are made here
PARTS = 9  # a block has at most so small a part of the rows, so that memory stays small,
SMALL_BYTES = 2**20  # unless it has no more logits than this
BLOCK_BYTES = 2**23  # of logits: few classes are no reason for a block that leaves the cache
FEWEST_ROWS = 512  # with fewer, products are slow, and so is adding to the weight's gradient
PART_BYTES = 2**22  # of logits, or of the weight, in a product: BLAS copies what it is given
EVEN = 32  # rows and classes are a multiple of this, which products like
NEAR = 8  # units in the last place: what is foreseen has been rounded a few times


class Products(NamedTuple):
    """A library and its products of matrices.

    ``logits(out, x, weight)`` writes ``x @ weight.T`` to `out`, and ``product(out, a, b, add)``
    writes ``a @ b``, or adds it. `rows` compiles functions of the logits and `WEIGHTS`.
    """

    library: Library
    rows: Rowwise
    logits: Callable[[Array, Array, Array], Any]
    product: Callable[[Array, Array, Array, bool], Any]


class Work(NamedTuple):
    """A call of the pair in the dtype to compute in, and the sizes of its blocks."""

    hidden: Array
    weight: Array
    bias: Array | None
    index: Array
    class_weight: Array | None
    options: Options
    rows: int
    parts: list[slice]  # of the classes

    def rows_of(self, block: slice, m: Any) -> Array:
        """Return the rows of a block, 0 for those of a class of weight 0 that are not finite."""
        x = widen(self.hidden[block], xp=self.options["xp"])
        index = self.index[block]
        if self.options["with_lse"] or (self.class_weight is None and index.ndim == 1):
            return x
        weight: Any = 1 if self.class_weight is None else self.class_weight
        zero = weight[index] == 0 if index.ndim == 1 else (index * weight == 0).all(-1)
        idle = zero & ~m.isfinite(x).all(-1)
        return m.where(idle[:, None], 0.0, x)

    def logits(self, z: Array, block: slice) -> RowArguments:
        """Return the arguments of `sweep` for a block's logits."""
        smoothing, index = self.options["label_smoothing"], self.index[block]
        return RowArguments(z, index, self.class_weight, None, smoothing, None, self.options)


class Made(NamedTuple):
    """The gradients, those that are wanted, and of what losses' gradients."""

    grads: Sequence[Array | None]
    given: tuple[Array, ...]


def fits(hidden: Array, *_: Any, **__: Any) -> bool:
    """Say whether there are rows."""
    return 0 not in hidden.shape


def _sweepable(index: Array, class_weight: Array | None, options: Options) -> bool:
    """Say whether targets are indices, and the sweep written by hand has all of these options."""
    simple = index.ndim == 1 and options["softcap"] is None
    return simple and not (options["label_smoothing"] and class_weight is not None)


def run(
    products: Products,
    pair: Pair,
    arrays: tuple[Any, ...],
    options: Options,
    wanted: tuple[int, ...],
) -> tuple[Any, Callable[..., Any]]:
    """Return the pair's result, and a backward that uses what the sweep made of the rows."""
    if _code(products, _work(arrays, options), wanted, None) is None and not _sweepable(
        arrays[3], arrays[4], options
    ):
        return pair.forward(*arrays, **options), pair.backward
    early = wanted if options["foreseen"] is not None else ()
    with products.library.quiet():
        out, made = _sweep(products, _work(arrays, options), early, None)
    if not wanted:
        return out, pair.backward
    saved = made if early else None

    def backward(grad: Any, out: Any, *arrays: Any, **options: Any) -> tuple[Any, ...]:
        nonlocal saved
        with products.library.quiet():
            made, saved = saved, None  # they are multiplied in place
            factor = None if made is None else _common(products.library.module, made.given, grad)
            if made is None or factor is None:
                made = _sweep(products, _work(arrays, options), wanted, grad)[1]
            found = [
                None if x is None else _scaled(x, factor, like.dtype, options["xp"])
                for x, like in zip(made.grads, arrays[:ARRAYS], strict=True)
            ]
        return *found, *(None for _ in arrays[ARRAYS:])

    return out, backward


def _work(arrays: tuple[Any, ...], options: Options) -> Work:
    """Return the call with the rows of a block, few enough for memory and cache, and its parts."""
    hidden, weight, bias, index, class_weight = arrays
    xp = options["xp"]
    dtype = widen(hidden[:0, ...], xp=xp).dtype
    weight = narrow(weight, dtype, xp=xp)
    bias = None if bias is None else narrow(bias, dtype, xp=xp)
    (classes, width), size = weight.shape, xp.finfo(dtype).bits // 8
    count, row_bytes = hidden.shape[0], max(classes, 1) * size
    rows = max(FEWEST_ROWS, BLOCK_BYTES // row_bytes)
    rows = min(rows, max(count // PARTS, SMALL_BYTES // row_bytes, 1))
    rows = rows // EVEN * EVEN or rows
    blocks = -(-count // max(rows, 1))
    rows = min(rows, -(-count // max(blocks * EVEN, 1)) * EVEN)  # the last has nearly as many
    rows = min(options["chunk_size"] or rows, count)
    step = max(PART_BYTES // (max(rows, width) * size) // EVEN * EVEN, 1)
    parts = [slice(i, min(i + step, classes)) for i in range(0, max(classes, 1), step)]
    return Work(hidden, weight, bias, index, class_weight, options, rows, parts)


def _sweep(
    products: Products, work: Work, wanted: tuple[int, ...], grad: tuple[Array, ...] | None
) -> tuple[tuple[Array, ...], Made]:
    """Return losses, and the gradients that are wanted, for `grad` or for what is foreseen."""
    library = products.library
    m, inner = library.module, library._replace(in_blocks=_at_once)
    (count, width), (classes, _), dtype = work.hidden.shape, work.weight.shape, work.weight.dtype
    room = library.empty((work.rows, classes), dtype)
    outs = [
        m.empty(count, dtype=dtype, **library.at)
        for _ in range(2 if work.options["with_lse"] else 1)
    ]
    given = _given(m, outs, work.options, dtype) if grad is None else grad
    by_hidden = library.empty((count, width), dtype) if 0 in wanted else None
    by_weight = library.empty((classes, width), dtype) if 1 in wanted else None
    by_bias = library.empty((1, classes), dtype) if 2 in wanted else None
    weights = [work.weight[part] for part in work.parts]
    code = _code(products, work, wanted, grad)

    for start in range(0, count, work.rows):
        block = slice(start, min(start + work.rows, count))
        x, z = work.rows_of(block, m), room[: block.stop - start]
        pieces = [z[:, part] for part in work.parts]
        for own, weight in zip(pieces, weights, strict=True):
            products.logits(own, x, weight)

        def of_rows(part: slice, z: Array = z, start: int = start) -> None:
            rows, own = slice(start + part.start, start + part.stop), z[part]
            if work.bias is not None:
                m.add(own, work.bias, out=own)
            given_rows = work.logits(own, rows)
            swept = sweep(inner, given_rows, own)
            for out, found in zip(outs, losses(m, given_rows, swept), strict=True):
                out[rows] = found
            if wanted:
                if grad is None:
                    _foresee(given, outs, work.options["foreseen"], rows)
                finish(inner, given_rows, swept, tuple(g[rows] for g in given))

        if code is None:
            library.in_blocks(of_rows, len(z), max(1, library.size // classes))
        else:
            code(z, block, outs, given)
            if wanted and grad is None:
                _foresee(given, outs, work.options["foreseen"], block)
        for i, own in enumerate(pieces):
            if by_hidden is not None:
                products.product(by_hidden[block], own, weights[i], i > 0)
            if by_weight is not None:
                products.product(by_weight[work.parts[i]], own.T, x, start > 0)
        if by_bias is not None:
            ones = m.ones((1, len(z)), dtype=dtype, **library.at)
            products.product(by_bias, ones, z, start > 0)
    by_bias = None if by_bias is None else by_bias[0]
    return tuple(outs), Made((by_hidden, by_weight, by_bias), given)


def _code(
    products: Products, work: Work, wanted: tuple[int, ...], grad: tuple[Array, ...] | None
) -> Callable[..., None] | None:
    """Return what turns a block's logits into losses and their gradient; None: there is no code.

    The gradients of the losses are `grad`, or foreseen.
    """
    pair, rows = NAMED_PAIRS["cross_entropy"], products.rows
    names = "label_smoothing", "softcap", "with_lse", "xp"
    options = {name: work.options[name] for name in names}
    penalty = 0.0 if work.options["foreseen"] is None else work.options["foreseen"][1]
    count = 1 + options["with_lse"]
    first = 0 if not wanted else count if grad is not None else 1

    def swept(*given: Any, **options: Any) -> tuple[Any, ...]:
        """Return the losses, and the gradient by the logits if one is wanted."""
        grads, (z, bias, *target) = given[:first], given[first:]
        z = z if bias is None else z + bias
        out: tuple[Any, ...] = pair.forward(z, *target, **options)
        if not grads:
            return out
        if grad is None:
            grads = foreseen_gradients(grads[0], out, penalty)
        return *out, pair.backward(grads, out, z, *target, **options)[0]

    def arrays(z: Array, block: slice, grads: Sequence[Array]) -> tuple[Any, ...]:
        """Return the arguments of `swept` for a block."""
        index = work.index[block]
        if index.ndim == 1:
            own = Target(indices=index)
        else:
            own = Target(q=narrow(index, z.dtype, xp=options["xp"]))
        return *grads, z, work.bias, *own._replace(weight=work.class_weight)

    library, m = rows.library, products.library
    one = m.module.empty((1, work.weight.shape[0]), dtype=work.weight.dtype, **m.at)
    sample = arrays(one, slice(0, 1), [library.rows(1.0, one)] * first)
    family = pair.forward, pair.backward, "linear", first, grad is None, penalty
    results = [library.name(one)]
    fits = one.shape[1] > 1
    code = rows.program(swept, family, sample, options, first, results, one) if fits else None
    if code is None:
        return None

    def run(z: Array, block: slice, outs: Sequence[Array], given: Sequence[Array]) -> None:
        grads = [g[block] for g in given[:first]]
        present = [x for x in arrays(z, block, grads) if x is not None]
        results = code.rows.kinds[code.rows.formula.given :]
        found = code(library, present, z, [z if kind == "entries" else None for kind in results])
        for out, values in zip(outs, found, strict=False):
            out[block] = values

    return run


def _at_once(work: Callable[[slice], None], count: int, size: int) -> None:
    work(slice(0, count))


def _given(m: Any, outs: list[Array], options: Options, dtype: Any) -> tuple[Array, ...]:
    """Return room for the gradients of all losses, and what is foreseen of them so far."""
    given = tuple(m.empty_like(out) for out in outs)
    if options["foreseen"] is not None:
        factor, _ = options["foreseen"]
        given[0][:] = 1 if factor is None else narrow(factor, dtype, xp=options["xp"])
    return given


def _foresee(
    given: tuple[Array, ...], outs: list[Array], foreseen: tuple[Array | None, float], rows: slice
) -> None:
    """Fill in the gradient of these rows' logsumexp, that of its square times the penalty."""
    if len(given) > 1:
        _, penalty = foreseen
        given[1][rows] = given[0][rows] * (2 * penalty * outs[1][rows])


def _common(m: Any, given: tuple[Array, ...], grad: tuple[Array, ...]) -> Array | None:
    """Return what `given` must be multiplied by to become `grad`, None if there is no number."""
    place = given[0].argmax()
    top = given[0][place]
    factor = grad[0][place] / m.where(top == 0, 1.0, top)
    unit = NEAR * m.finfo(given[0].dtype).eps
    for had, got in zip(given, grad, strict=True):
        want = had * factor
        if not bool((m.abs(got - want) <= unit * m.abs(want)).all()):
            return None
    return factor


def _scaled(x: Array, factor: Array | None, dtype: Any, xp: Any) -> Array:
    if factor is not None:
        x *= factor
    return narrow(x, dtype, xp=xp)

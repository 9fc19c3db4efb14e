"""Formulas of rows as machine code: against the pairs, on every processor, and what is computed."""

import math
from collections.abc import Callable
from importlib import import_module
from itertools import product
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses import _backend, autograd
from portable_losses._gradient import NAMED_PAIRS
from portable_losses._typing import Array
from tests.libraries import EVERY_ROW, named

KERNELS = "portable_losses.backends.kernels"
pytest.importorskip("llvmlite")
trace: Any = import_module(f"{KERNELS}.rows.trace")
passes: Any = import_module(f"{KERNELS}.rows.passes")
llvm: Any = import_module(f"{KERNELS}.rows.program_llvm")
machine: Any = import_module(f"{KERNELS}.formulas.machine_code")
compiled_rows: Any = import_module(f"{KERNELS}.rows.compiled_rows")
foreseen: Any = import_module(f"{KERNELS}.rows.foreseen")
threads: Any = import_module(f"{KERNELS}.machine.teams")

if machine.compiler() is None:
    pytest.skip("no machine code for this processor", allow_module_level=True)

XP: Any = array_namespace(np.empty(1))
RELATIVES = "softmax", "log_softmax", "logsumexp"
PLAIN: dict[str, Any] = {"label_smoothing": 0.0, "softcap": None, "with_lse": False}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": PLAIN,
    "smooth": {**PLAIN, "label_smoothing": 0.125},
    "even": {**PLAIN, "label_smoothing": 1.0},
    "capped": {**PLAIN, "softcap": 4.0},
    "with lse": {**PLAIN, "with_lse": True},
    "all": {"label_smoothing": 0.125, "softcap": 4.0, "with_lse": True},
}
TARGETS = "index", "shares"
EVERY = "all of them"
MASKS = "none", "rows", "classes", "weights", EVERY
ROWS = 11
KINDS = [*((mask, "float32") for mask in MASKS), (EVERY, "float64")]
COMBINED = [
    (options, what, *kind)
    for i, (what, kind, options) in enumerate(product(TARGETS, KINDS, OPTIONS))
    if EVERY_ROW or i % 2 == 0
]


def logits(classes: int, dtype: str) -> Array:
    """Rows that are hard: ties, certain, wrong, -inf here and everywhere, infinite, NaN, large."""
    z = np.random.default_rng(classes).standard_normal((ROWS, classes)) * 3
    z[0, :2] = 1.5
    z[1, 0] = 60.0
    z[2, -1] = -90.0
    z[3, 1] = -np.inf
    z[4] = -np.inf
    z[5, 0] = np.inf
    z[6, -1] = np.nan
    z[7] = 7.25
    z[8] += 1e4
    return z.astype(dtype)


def target(z: Array, what: str, mask: str) -> tuple[Any, ...]:
    """The arrays of a `Target` for these logits."""
    count, classes = z.shape
    every = mask == EVERY
    q = np.random.default_rng(1).dirichlet(np.ones(classes), count).astype(z.dtype)
    q[:, 1] = 0
    index = np.arange(count) % classes
    weight = np.linspace(0, 2, classes).astype(z.dtype)
    return (
        q if what == "shares" else None,
        index if what == "index" else None,
        weight if every or mask == "weights" else None,
        np.arange(count) % 4 != 1 if every or mask == "rows" else None,
        np.arange(count * classes).reshape(z.shape) % 5 != 2
        if every or mask == "classes"
        else None,
    )


def kernel_of(name: str) -> Any:
    """NumPy's kernel, none of whose calls may be served by another."""
    found = _backend.load_backend("numpy").speed.kernels[name]
    return found.run


def assert_near(got: Any, want: Any, ulps: float) -> None:
    """Hold to so many ulps of the value, or of 1 where it is a difference; NaN and inf alike."""
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    unit = ulps * np.finfo(want.dtype).eps
    np.testing.assert_allclose(got, want, rtol=unit, atol=unit)


def run_both(name: str, arrays: tuple[Any, ...], options: Any) -> list[tuple[Any, Any]]:
    """Value and gradient by the first array, of the machine code and of the pair."""
    pair, found = NAMED_PAIRS[name], []
    options = {"xp": XP, **options}
    out, backward = kernel_of(name)(pair, arrays, options, (0,))
    assert backward is not pair.backward
    with np.errstate(all="ignore"):
        want = pair.forward(*arrays, **options)
        several = isinstance(want, tuple)
        for got, exact in zip(*((out, want) if several else ([out], [want])), strict=True):
            found.append((got, exact))
        grads = tuple(
            [np.linspace(0.5, 1.5, x.size, dtype=x.dtype).reshape(x.shape) for x, _ in found]
        )
        grad = grads if several else grads[0]
        slope = backward(grad, want, *arrays, **options)[0]
        found.append((slope, pair.backward(grad, want, *arrays, **options)[0]))
    return found


SIZES = [2, 7, 8, 16, 17, 33, 100]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", SIZES)
@pytest.mark.parametrize("name", RELATIVES)
def test_machine_code_is_the_pair(name: str, classes: int, dtype: str) -> None:
    for got, want in run_both(name, (logits(classes, dtype),), {}):
        assert_near(got, want, 12)


@pytest.mark.parametrize(("options", "what", "mask", "dtype"), COMBINED)
def test_cross_entropy_with_every_option_is_the_pair(
    options: str, what: str, mask: str, dtype: str
) -> None:
    z = logits(19, dtype)
    for got, want in run_both("cross_entropy", (z, *target(z, what, mask)), OPTIONS[options]):
        large = np.abs(want) < 1e3
        assert_near(np.where(large, got, 0), np.where(large, want, 0), 16)
        np.testing.assert_allclose(got, want, rtol=8 * float(np.finfo(dtype).eps), atol=1e-4)


# ---- the same bits -------------------------------------------------------------------------------


def formula(name: str, dtype: str, options: Any, **given: Any) -> Any:
    """The formula of value and gradient, and the arrays it is of."""
    pair, z = NAMED_PAIRS[name], logits(given.pop("classes", 37), dtype)
    if name != "cross_entropy":
        return trace.trace(pair.forward, [z.dtype], ["entries"], options), (z,)
    arrays = (z, *target(z, given["what"], given["mask"]))
    kinds = ["entries", "entries", "row", "weights", "row", "entries"]

    def both(grad: Any, *arrays: Any, **options: Any) -> Any:
        out = pair.forward(*arrays, **options)
        grads = foreseen.foreseen_gradients(grad, out, 0.25)
        return *out, pair.backward(grads, out, *arrays, **options)[0]

    grad = np.linspace(0.5, 1.5, ROWS, dtype=dtype)
    present = [(x, kind) for x, kind in zip(arrays, kinds, strict=True) if x is not None]
    dtypes = [grad.dtype, *(None if x is None else x.dtype for x in arrays)]
    own = ["row", *(kind for _, kind in present)]
    made = trace.trace(both, dtypes, own, options, native=machine.NATIVE)
    return made, (grad, *(x for x, _ in present))


def computed(rows: Any, arrays: tuple[Array, ...], without: str = "") -> bytes:
    """The bytes of all results of machine code."""
    dtype = str(rows.formula.dtype)
    count, given = rows.formula.given, [str(x.dtype) for x in arrays]
    code = llvm.compiled(rows, [*given, *[dtype] * (len(rows.kinds) - count)], without=without)
    classes = max(x.shape[-1] for x in arrays)
    shapes = {"entries": (ROWS, classes), "kept": (ROWS, 1), "row": (ROWS,)}
    outs = [np.empty(shapes[kind], dtype) for kind in rows.kinds[count:]]
    both = (*arrays, *outs)
    places = [x.ctypes.data for x in both]
    strides = [
        0 if kind == "weights" else x.strides[0] for x, kind in zip(both, rows.kinds, strict=True)
    ]
    code.share(places, strides, ROWS, classes, threads.pool)
    return b"".join([np.where(np.isnan(x), np.inf, x).tobytes() for x in outs])  # a NaN has a sign


CASES: list[Any] = [
    *((name, {}, {}) for name in RELATIVES),
    *(
        ("cross_entropy", OPTIONS[option], {"what": what, "mask": mask})
        for option, what, mask in [
            ("plain", "index", "none"),
            ("all", "index", "all of them"),
            ("smooth", "shares", "rows"),
            ("capped", "shares", "all of them"),
        ]
    ),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "options", "given"), CASES)
def test_the_bits_do_not_depend_on_the_vectors_of_the_processor(
    name: str, options: Any, given: Any, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, arrays = formula(name, dtype, options, **given)
    want = computed(rows, arrays)
    for without in ("avx512", "avx2"):
        assert computed(rows, arrays, without) == want
    monkeypatch.setattr(compiled_rows, "SPAN", 80)
    assert computed(rows, arrays) == want


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_what_is_written_past_the_caches_has_the_same_bits(
    name: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.random.default_rng(3).standard_normal((66, 1001)).astype(dtype)  # lines begin anywhere
    found = []
    for large in (0, math.inf):
        monkeypatch.setattr(compiled_rows, "LARGE", large)
        value, pull_back = autograd.vjp(getattr(pl, name), x)
        found.append((value.tobytes(), pull_back(x[::-1].copy())[0].tobytes()))
    assert found[0] == found[1]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "softmax": pl.softmax,
    "log_softmax": pl.log_softmax,
    "logsumexp": lambda x: pl.logsumexp(x, axis=-1),
    "cross_entropy": lambda x: pl.cross_entropy(x, target(x, "index", "none")[1]),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("classes", [10, 1000])
def test_numpy_and_torch_have_the_same_bits(name: str, dtype: str, classes: int) -> None:
    torch: Any = pytest.importorskip("torch")
    z = logits(classes, dtype)[7:]
    index = torch.arange(len(z)) % classes
    f = FUNCTIONS[name]
    x = torch.from_numpy(z.copy()).requires_grad_()
    out = pl.cross_entropy(x, index) if name == "cross_entropy" else f(x)
    out.sum().backward()
    value, pull_back = autograd.vjp(f, z)
    (grad,) = pull_back(np.ones_like(value))
    np.testing.assert_array_equal(out.detach().numpy(), value)
    np.testing.assert_array_equal(x.grad.numpy(), grad)


# ---- halves, long rows, what is foreseen ---------------------------------------------------------


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_halves_are_computed_in_float32_and_rounded_once(name: str, half: str) -> None:
    torch: Any = pytest.importorskip("torch")
    f, dtype = FUNCTIONS[name], getattr(torch, half)
    z = torch.randn(9, 50, generator=torch.Generator().manual_seed(3)).to(dtype)
    g = torch.randn(9, 50, generator=torch.Generator().manual_seed(4)).to(dtype)
    narrow, wide = z.clone().requires_grad_(), z.float().requires_grad_()
    f(narrow).backward(g)
    f(wide).backward(g.float())
    torch.testing.assert_close(f(narrow), f(wide).to(dtype), rtol=0, atol=0)
    torch.testing.assert_close(narrow.grad, wide.grad.to(dtype), rtol=0, atol=0)


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_cross_entropy_of_halves_is_that_of_float32_and_differentiates_twice(half: str) -> None:
    torch: Any = pytest.importorskip("torch")
    z = torch.randn(9, 50, generator=torch.Generator().manual_seed(5)).to(getattr(torch, half))
    index = torch.arange(9)
    narrow, wide = z.clone().requires_grad_(), z.float().requires_grad_()
    losses = [pl.cross_entropy(x, index, label_smoothing=0.1, z_loss=0.1) for x in (narrow, wide)]
    grads = [
        torch.autograd.grad(loss, x, create_graph=True)[0]
        for loss, x in zip(losses, (narrow, wide), strict=True)
    ]
    torch.testing.assert_close(grads[0], grads[1].to(z.dtype), rtol=1e-2, atol=1e-5)
    second = [
        torch.autograd.grad((g.float() ** 2).sum(), x)[0]
        for g, x in zip(grads, (narrow, wide), strict=True)
    ]
    torch.testing.assert_close(second[0].float(), second[1], rtol=3e-2, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_row_of_32000_classes_keeps_its_digits(dtype: str) -> None:
    z = np.random.default_rng(2).standard_normal((2, 32_000)).astype(dtype)
    z[1] = np.where(np.arange(32_000) % 2, 0.1, 0.3)  # whose roundings do not cancel
    for row, got in zip(z, pl.logsumexp(z, axis=-1), strict=True):
        exact = math.log(math.fsum(map(math.exp, row.tolist())))
        assert got == pytest.approx(exact, rel=2 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("name", ["numpy", "torch"])
@pytest.mark.parametrize("factor", [1.0, 3.0, 1 / 3, 0.0])
@pytest.mark.parametrize("options", [{}, {"z_loss": 0.5}, {"sample_weight": np.linspace(0, 2, 5)}])
def test_a_loss_that_is_multiplied_has_its_gradient(
    name: str, factor: float, options: Any, portable: Any
) -> None:
    library, index = named(name), named(name).array(np.arange(5))
    given = {k: library.array(x) if isinstance(x, np.ndarray) else x for k, x in options.items()}
    z = library.array(np.random.default_rng(1).standard_normal((5, 6)))

    def slope() -> Any:
        f = lambda z: factor * pl.cross_entropy(z, index, **given)  # noqa: E731
        return library.numpy(library.gradient(f, (0,))(z)[0])

    np.testing.assert_allclose(slope(), portable(slope), rtol=1e-13, atol=1e-17)


def test_losses_that_are_weighed_afterwards_are_computed_again() -> None:
    """What was foreseen is not what came: no common factor."""
    torch: Any = pytest.importorskip("torch")
    z = torch.randn(5, 6, dtype=torch.float64).requires_grad_()
    loss = pl.cross_entropy(z, torch.arange(5), z_loss=0.5, return_lse=True)
    (loss[0] + loss[1].sum()).backward()
    got, z.grad = z.grad, None
    log_p = torch.log_softmax(z, -1)
    lse = torch.logsumexp(z, -1)
    (
        torch.nn.functional.nll_loss(log_p, torch.arange(5)) + (0.5 * lse**2).mean() + lse.sum()
    ).backward()
    torch.testing.assert_close(got, z.grad)


# ---- what is computed, and how often -------------------------------------------------------------


@pytest.mark.parametrize(("name", "options", "given"), CASES)
def test_nothing_slow_is_computed_twice(name: str, options: Any, given: Any) -> None:
    rows, _ = formula(name, "float32", options, **given)
    plan = passes.plan(rows)
    count, steps = rows.formula.given, rows.formula.steps
    slow = (np.exp, np.tanh, np.expm1, np.log, np.log1p)
    met = [
        x
        for one in plan.passes
        for x in one.values
        if x >= count and x not in one.loaded and steps[x - count].operation in slow
    ]
    assert met
    assert len(met) == len(set(met))
    assert len({one.stage for one in plan.passes}) <= 5


def masked_shares(x: Any, *, xp: Any) -> Any:
    """Whose later loop takes what an earlier one has selected for a sum, and only for it."""
    e = xp.where(x > 0, xp.exp(x), 0.0)
    return e / (1 + xp.sum(e, axis=-1, keepdims=True))


def exponentials_twice(x: Any, *, xp: Any) -> Any:
    """Whose second sum is of what the first has, where that is large."""
    e = xp.exp(x)
    half = xp.sum(e, axis=-1, keepdims=True) / 2
    return e / (1 + xp.sum(xp.where(e > half, e, 0.0), axis=-1, keepdims=True))


def counted(x: Any, *, xp: Any) -> Any:
    return x / (
        1 + xp.sum(xp.where(x > 0, x.dtype.type(1), x.dtype.type(0)), axis=-1, keepdims=True)
    )


@pytest.mark.parametrize("function", [masked_shares, exponentials_twice, counted])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_loop_keeps_what_it_computes_once(function: Any, dtype: str) -> None:
    rows = trace.trace(function, [np.dtype(dtype)], ["entries"], {})
    for one in passes.plan(rows).passes:
        assert one.kept <= set(one.values) - one.loaded
    x = np.random.default_rng(6).standard_normal((ROWS, 19)).astype(dtype)
    found = np.frombuffer(computed(rows, (x,)), dtype).reshape(x.shape)
    assert_near(found, function(x, xp=XP), 8)


def test_a_sum_over_rows_is_left_to_the_pair() -> None:
    def function(x: Any, *, xp: Any) -> Any:
        return x - xp.sum(x, axis=0, keepdims=True)

    with pytest.raises(trace.Untraceable):
        trace.trace(function, [np.dtype(np.float32)], ["entries"], {})


def test_without_memory_for_buffers_there_is_an_error() -> None:
    rows, (z,) = formula("softmax", "float32", {})
    code = llvm.compiled(rows, ["float32", "float32"])
    with pytest.raises(MemoryError):
        code.run([z.ctypes.data] * 2, [0, 0], 1, 2**61)

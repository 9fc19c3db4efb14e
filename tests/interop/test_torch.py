"""What PyTorch does with our functions: both modes, transforms, compilation, meta tensors."""

import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import array_api_compat.torch as xp
import mpmath
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import portable_losses as pl
from portable_losses._gradient import with_gradient
from portable_losses._typing import Array
from tests.libraries import EVERY_ROW, named
from tests.rows import BY_FILE, CURVES, ONCE, TABLE
from tests.samples import Arrays, Key, Sample

TORCH = named("torch")
VARIABLE = [row for row in ONCE if row.variables]

over_rows = pytest.mark.parametrize("sample", VARIABLE, ids=str)

Function = Callable[[Array], Array]


def leaf_of(x: Array) -> Array:
    """The values of `x`, in its layout, to differentiate by."""
    return x.detach().requires_grad_()


def moderate(sample: Sample) -> dict[Key, Array]:
    """The arrays of a row, the floats among them inside every domain and off every kink."""
    return {key: torch.asarray(a) for key, a in sample.moderate.items()}


def total(outs: tuple[Array, ...]) -> Array:
    """The sum of the results' finite entries, each with a weight of its own."""
    outs = tuple(torch.where(torch.isfinite(out), out, 0.0) for out in outs)
    weights = [1 + torch.arange(out.numel(), device=out.device) % 7 / 8 for out in outs]
    return sum(torch.sum(out * w.reshape(out.shape)) for out, w in zip(outs, weights, strict=True))


def flat(sample: Sample, arrays: Arrays) -> tuple[Function, Array]:
    """The row as a number that depends on one vector, and that vector."""
    shapes = {key: arrays[key].shape for key in sample.variables}

    def f(x: Array) -> Array:
        parts = torch.split(x, [shape.numel() for shape in shapes.values()])
        moved = {k: p.reshape(s) for (k, s), p in zip(shapes.items(), parts, strict=True)}
        return total(sample.call({**arrays, **moved}))

    return f, torch.cat([arrays[key].reshape(-1) for key in shapes])


def assert_close(got: Array, want: Array, *, rtol: float = 1e-10) -> None:
    size = float(want.detach().abs().max()) if want.numel() else 0.0
    torch.testing.assert_close(got, want, rtol=rtol, atol=rtol * max(size, 0.1))


# ---- derivatives against differences ---------------------------------------------------------


def check_derivatives(f: Function, x: Array) -> None:
    x = leaf_of(x)
    close: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-6, "fast_mode": True}
    assert gradcheck(f, x, check_forward_ad=True, check_batched_grad=True, **close)
    assert gradgradcheck(f, x, check_fwd_over_rev=True, **close)


@over_rows
def test_both_modes_and_their_mixtures_agree_with_differences(sample: Sample) -> None:
    check_derivatives(*flat(sample, moderate(sample)))


@pytest.mark.parametrize("sample", [row for row in VARIABLE if row.smooth_at_zero], ids=str)
def test_they_agree_with_differences_at_exactly_zero(sample: Sample) -> None:
    arrays = moderate(sample)
    for key in sample.zeros:
        arrays[key] = torch.zeros_like(arrays[key])
    check_derivatives(*flat(sample, arrays))


AT_A_KINK: dict[str, tuple[Function, float, float]] = {  # with the value and the slope at 0
    **{
        str(curve): (curve, float(curve.value(mpmath.mpf(0))), float(curve.slope(mpmath.mpf(0))))
        for curve in CURVES
        if 0.0 in curve.kinks
    },
    "logit": (pl.logit, -math.inf, math.inf),
    "l1_loss": (lambda x: pl.l1_loss(x, torch.zeros_like(x)), 0, 0),
    "smooth_l1_loss, beta 0": (lambda x: pl.smooth_l1_loss(x, torch.zeros_like(x), beta=0), 0, 0),
    "smooth_l1_loss": (lambda x: pl.smooth_l1_loss(x, torch.zeros_like(x)), 0, 0),
    "huber_loss": (lambda x: pl.huber_loss(x, torch.zeros_like(x)), 0, 0),
}


@pytest.mark.parametrize("name", AT_A_KINK)
def test_a_kink_and_a_pole_have_the_documented_slope_in_both_modes(name: str) -> None:
    f, value, slope = AT_A_KINK[name]
    x = leaf_of(torch.zeros((), dtype=torch.float64))
    y = f(x)
    y.backward()
    assert (y.item(), x.grad.item()) == (value, slope)
    assert torch.func.jvp(f, (x.detach(),), (torch.ones_like(x),))[1].item() == slope


# ---- torch.func ------------------------------------------------------------------------------


@over_rows
def test_the_transforms_agree_with_backward(sample: Sample) -> None:
    func, (f, x) = torch.func, flat(sample, moderate(sample))
    leaf, u = leaf_of(x), torch.cos(torch.arange(len(x), dtype=x.dtype))
    (slope,) = torch.autograd.grad(f(leaf), leaf, create_graph=True)
    bend = torch.zeros_like(x)
    if slope.requires_grad:
        (bend,) = torch.autograd.grad(slope @ u, leaf, materialize_grads=True)
    assert_close(func.grad(f)(x), slope.detach())
    assert_close(func.jvp(f, (x,), (u,))[1], (slope @ u).detach())
    assert_close(func.hessian(f)(x) @ u, bend)
    assert_close(func.jacfwd(func.jacfwd(f))(x) @ u, bend)
    assert_close(func.jvp(func.grad(f), (x,), (u,))[1], bend)


@over_rows
def test_vmap_is_a_loop(sample: Sample) -> None:
    func, (f, x) = torch.func, flat(sample, moderate(sample))
    xs = torch.stack([x, 0.75 * x, 1.125 * x])
    assert_close(func.vmap(f)(xs), torch.stack([f(x) for x in xs]))
    one_by_one = torch.stack([func.grad(f)(x) for x in xs])
    assert_close(func.vmap(func.grad(f))(xs), one_by_one)
    assert_close(func.grad(lambda xs: func.vmap(f)(xs).sum())(xs), one_by_one)


# ---- a rule is what differentiates, whatever the function is ---------------------------------


@with_gradient(lambda grad, out, x, *, xp: (7 * grad,))
def seven(x: Array, *, xp: Any) -> Array:
    """A function whose gradient is nobody's derivative."""
    return xp.exp(x)


@with_gradient(lambda grad, out, x, *, xp: (7 * x * grad,))
def sloping(x: Array, *, xp: Any) -> Array:
    """One whose second derivative is nobody's."""
    return xp.exp(x)


def of_seven(x: Array) -> Array:
    return torch.sum(seven(x, xp=xp))


def test_a_deliberately_wrong_rule_comes_back_through_every_transform() -> None:
    func, x = torch.func, torch.asarray([0.5, -2.0])
    leaf = leaf_of(x)
    of_seven(leaf).backward()
    assert leaf.grad.tolist() == [7, 7]
    assert func.grad(of_seven)(x).tolist() == [7, 7]
    assert func.jvp(of_seven, (x,), (torch.asarray([1.0, 10.0]),))[1].item() == 77
    assert func.vmap(func.grad(of_seven))(x[:, None]).tolist() == [[7], [7]]
    assert func.grad(lambda x: func.vmap(of_seven)(x[:, None]).sum())(x).tolist() == [7, 7]
    assert func.jacfwd(of_seven)(x).tolist() == [7, 7]
    assert func.jacrev(of_seven)(x).tolist() == [7, 7]


def test_the_second_derivative_is_that_of_the_rule() -> None:
    func, x = torch.func, torch.asarray([0.5, -2.0])
    wanted = [[7, 0], [0, 7]]
    for outer in (func.jacfwd, func.jacrev):
        for inner in (func.jacfwd, func.jacrev):
            hessian = outer(inner(lambda x: torch.sum(sloping(x, xp=xp))))(x)
            assert hessian.tolist() == wanted
            assert outer(inner(of_seven))(x).tolist() == [[0, 0], [0, 0]]


def test_a_rule_is_what_a_compiled_backward_runs() -> None:
    x = leaf_of(torch.asarray([0.5, -2.0]))
    compiled(of_seven)(x).backward()
    assert x.grad.tolist() == [7, 7]


# ---- torch.compile ---------------------------------------------------------------------------


def compiled(f: Callable[..., Any], backend: str = "aot_eager", **options: Any) -> Any:
    torch.compiler.reset()  # what an earlier test compiled would make sizes symbolic
    return torch.compile(f, fullgraph=True, backend=backend, **options)


def run(rows: list[Sample], arrays: list[dict[Key, Array]]) -> list[Array]:
    return [out for row, given in zip(rows, arrays, strict=True) for out in row.call(given)]


def run_with_gradients(
    f: Callable[..., list[Array]], rows: list[Sample], given: list[dict[Key, Array]]
) -> tuple[list[Array], list[Array]]:
    arrays = [dict(one) for one in given]
    leaves: list[Array] = []
    for row, one in zip(rows, arrays, strict=True):
        for key in row.variables:
            one[key] = leaf_of(one[key])
            leaves.append(one[key])
    outs = f(rows, arrays)
    if not leaves:
        return outs, []
    return outs, list(torch.autograd.grad(total(tuple(outs)), leaves, materialize_grads=True))


def assert_compiles(rows: list[Sample], backend: str) -> None:
    arrays = [row.on(TORCH) for row in rows]
    wanted = run_with_gradients(run, rows, arrays)
    got = run_with_gradients(compiled(run, backend, dynamic=False), rows, arrays)
    for of, want in zip(got, wanted, strict=True):
        for x, y in zip(of, want, strict=True):
            assert_close(x, y, rtol=1e-13)


#: Each takes a second; the functions of one number are compiled at zero below, all together.
COMPILED = BY_FILE if EVERY_ROW else BY_FILE[::7]
BY_FUNCTION = list(dict.fromkeys(row.function for row in COMPILED))


@pytest.mark.parametrize("function", BY_FUNCTION, ids=lambda f: f.__name__)
def test_a_compiled_function_is_the_function(function: Function) -> None:
    assert_compiles([row for row in COMPILED if row.function is function], "aot_eager")


# Inductor writes C++, which asks for a compiler that PyTorch itself does not bring.
@pytest.mark.parametrize("backend", ["inductor"] if shutil.which("c++") else ["aot_eager"])
def test_generated_code_is_right_as_well(backend: str) -> None:
    wanted = ("gelu", "binary_cross_entropy_with_logits mean")
    assert_compiles([row for row in TABLE if str(row) in wanted], backend)


ZERO_SLOPES: dict[str, tuple[Function, float]] = {
    **{name: (f, slope) for name, (f, _, slope) in AT_A_KINK.items() if math.isfinite(slope)},
    **{
        str(curve): (curve, float(curve.slope(mpmath.mpf(0))))
        for curve in CURVES
        if curve.low < 0 and not curve.unbounded and (EVERY_ROW or curve.row in BY_FILE[::6])
    },
    "bce": (lambda x: pl.binary_cross_entropy_with_logits(x, torch.zeros_like(x)), 0.5),
    "log_softmax": (lambda x: pl.log_softmax(torch.stack([x, 0 * x]), axis=0)[0], 0.5),
    "logsumexp": (lambda x: pl.logsumexp(torch.stack([x, 0 * x]), axis=0), 0.5),
}


def test_a_compiled_transform_has_the_right_gradient_at_zero() -> None:
    def slopes(x: Array) -> list[Array]:
        return [torch.func.grad(f)(x) for f, _ in ZERO_SLOPES.values()]

    got = compiled(slopes)(torch.zeros((), dtype=torch.float64))
    assert [g.item() for g in got] == pytest.approx(
        [slope for _, slope in ZERO_SLOPES.values()], abs=1e-15
    )


def test_a_compiled_vmap_is_a_loop() -> None:
    x = torch.asarray([[0.0, 0.0], [3.0, -1.0]], dtype=torch.float64)
    y = torch.asarray([1, 0])

    def losses(x: Array) -> Array:
        return torch.func.vmap(lambda x, y: pl.softplus(pl.cross_entropy(x, y)))(x, y)

    leaf, again = (leaf_of(x) for _ in range(2))
    got, want = compiled(losses)(leaf), losses(again)
    assert_close(got, want)
    got.sum().backward()
    want.sum().backward()
    assert_close(leaf.grad, again.grad)


def test_a_symbolic_size_fits_the_size_that_it_is() -> None:
    f = compiled(lambda x, y, w: pl.cross_entropy(x, y, weight=w))
    x, y, w = torch.zeros(4, 3), torch.asarray([0, 1, 2, 0]), torch.ones(3)
    for dim in (0, 1):
        torch._dynamo.maybe_mark_dynamic(x, dim)
    torch._dynamo.mark_static(w)
    assert f(x, y, w).item() == pytest.approx(math.log(3))


FIRST = """
import torch
import portable_losses as pl

x = torch.zeros(4, 3, requires_grad=True)
loss = torch.compile(pl.cross_entropy, fullgraph=True, backend="aot_eager")
loss(x, torch.asarray([0, 1, 2, 0])).backward()
assert (x.grad[0] - torch.asarray([-2, 1, 1]) / 12).abs().max() < 1e-6
"""


def test_the_first_call_of_a_program_may_be_a_compiled_one() -> None:
    # Importing torch.compile's parts tells of functions that PyTorch itself will drop.
    quiet = ["-W", "error", "-W", "ignore::DeprecationWarning"]
    done = subprocess.run([sys.executable, *quiet, "-c", FIRST], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# ---- nothing is read -------------------------------------------------------------------------


@pytest.mark.parametrize("sample", ONCE, ids=str)
def test_shapes_and_dtypes_are_known_without_values(sample: Sample) -> None:
    arrays = sample.on(TORCH, "float32")
    there = {key: a.to("meta") for key, a in arrays.items()}
    leaves = [there[key].requires_grad_() for key in sample.variables]
    outs = sample.call(there)
    for out, want in zip(outs, sample.call(arrays), strict=True):
        assert (out.shape, out.dtype, out.device.type) == (want.shape, want.dtype, "meta")
    if leaves:
        for leaf, grad in zip(leaves, torch.autograd.grad(total(outs), leaves), strict=True):
            assert (grad.shape, grad.dtype, grad.device.type) == (leaf.shape, leaf.dtype, "meta")


def unreduced(function: Callable[..., Array]) -> Callable[..., Array]:
    """The loss of each row, or element; a third array is `sample_weight`."""
    return lambda x, y, w=None: function(x, y, sample_weight=w, reduction="none")


LOGITS = [[1.0, 2.0], [3.0, 5.0], [0.5, 0.25]]
PROBS, LABELS, MINUS = [0.5, 0.25, 0.5], [0.0, 1.0, 1.0], [1.0, -1.0, 1.0]
SHARES = [[0.5, 0.5], [1.5, -0.5], [1.0, 0.0]]

# what readable arrays raise, and a call whose second row is bad
BAD: dict[str, tuple[type[Exception], Callable[..., Array], tuple[Any, ...]]] = {
    "class index": (IndexError, pl.cross_entropy, (LOGITS, [0, 2, 1])),
    "class index, nll": (IndexError, pl.nll_loss, (LOGITS, [0, -1, 1])),
    "class share": (ValueError, pl.cross_entropy, (LOGITS, SHARES)),
    "weight of a row": (ValueError, pl.cross_entropy, (LOGITS, [0, 1, 1], MINUS)),
    "probability": (ValueError, pl.binary_cross_entropy, ([0.5, 1.5, 0.25], LABELS)),
    "label": (ValueError, pl.binary_cross_entropy_with_logits, (PROBS, MINUS)),
    "weight of an element": (ValueError, pl.huber_loss, (PROBS, LABELS, MINUS)),
}


@pytest.mark.parametrize("name", BAD if EVERY_ROW else [*BAD][::2])
def test_a_bad_value_raises_where_it_can_be_read_and_is_nan_elsewhere(name: str) -> None:
    error, function, given = BAD[name]
    f = unreduced(function)
    arrays = [torch.asarray(x) for x in given]
    with pytest.raises(error):
        f(*arrays)
    f(*(a.to("meta") for a in arrays))
    mapped = torch.func.vmap(lambda x, *rest: f(x[None], *(r[None] for r in rest))[0])
    for unread in (mapped, compiled(f)):
        leaf = leaf_of(arrays[0])
        loss = unread(leaf, *arrays[1:])
        assert torch.isnan(loss).tolist() == [False, True, False]
        loss.sum().backward()
        of_rows = torch.isnan(leaf.grad).reshape(3, -1)
        assert of_rows.all(dim=1).tolist() == of_rows.any(dim=1).tolist() == [False, True, False]


# ---- dtypes and layouts ----------------------------------------------------------------------


def places(x: Array) -> Array:
    """Number the values of a half precision dtype in their order."""
    bits = x.view(torch.int16).to(torch.int64)
    return torch.where(bits >= 0, bits, -(bits + 2**15))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@over_rows
def test_half_precision_is_the_exact_result_rounded(sample: Sample, dtype: Any) -> None:
    half = sample.on(TORCH, str(dtype).removeprefix("torch."))
    double = {k: a.double() if k in sample.variables else a for k, a in half.items()}
    for out, exact in zip(sample.call(half), sample.call(double), strict=True):
        assert out.dtype == dtype
        apart = places(out) - places(exact.to(dtype))
        assert apart.abs().max() <= 1


def strided(x: Array) -> Array:
    """The same values with gaps between them, in Fortran's order."""
    x = x.mT if x.ndim > 1 else x
    x = torch.stack([x, x], -1)[..., 0]
    return x.mT if x.ndim > 1 else x


@over_rows
def test_the_layout_in_memory_does_not_matter(sample: Sample) -> None:
    arrays = sample.on(TORCH)
    spread = {key: strided(a) for key, a in arrays.items()}
    wanted = run_with_gradients(run, [sample], [arrays])
    got = run_with_gradients(run, [sample], [spread])
    for of, want in zip(got, wanted, strict=True):
        for x, y in zip(of, want, strict=True):
            torch.testing.assert_close(x, y, rtol=1e-14, atol=1e-14, equal_nan=True)

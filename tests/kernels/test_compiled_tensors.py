"""Machine code on PyTorch tensors: NumPy's bits, gradients, and where the portable pair serves."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from itertools import product
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from portable_losses import _backend
from portable_losses._backend import load_backend
from portable_losses.autograd import vjp
from tests.accuracy.ulp import pairs, samples
from tests.curves import Curve
from tests.kernels.entries import LAYOUTS, bits, numbers, targets
from tests.libraries import EVERY_ROW
from tests.rows import CURVES, POINTWISE

pytest.importorskip("llvmlite")
torch: Any = pytest.importorskip("torch")
elements: Any = import_module("portable_losses.backends.kernels.formulas.elementwise_torch")
code: Any = import_module("portable_losses.backends.kernels.formulas.code_torch")

DTYPES = ["float32", "float64"]
HALVES = ["float16", "bfloat16"]
FUNCTIONS = [pl.silu, pl.gelu, pl.softplus, pl.relu, pl.log_sigmoid]
Function = Callable[..., Any]


def bce(z: Any, y: Any) -> Any:
    return pl.binary_cross_entropy_with_logits(z, y, reduction="none")


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is called of the kernel's programs from now on, by calls without a plan."""
    known = load_backend("torch")
    monkeypatch.setitem(
        _backend._LOADED, "torch", replace(known, speed=replace(known.speed, repeats=None))
    )
    seen: list[str] = []
    for name in ("value", "gradients", "value_and_slope"):
        method = getattr(elements.Program, name)

        def noted(self: Any, *rest: Any, method: Any = method, name: str = name) -> Any:
            seen.append(name)
            return method(self, *rest)

        monkeypatch.setattr(elements.Program, name, noted)
    return seen


def numpys(function: Function, *arrays: Any) -> tuple[Any, ...]:
    """The value and all gradients on NumPy, every entry with a weight of its own."""
    out, pull = vjp(function, *arrays)
    return out, *pull(weights(out.shape, out.dtype))


def weights(shape: Any, dtype: Any) -> Any:
    return np.linspace(0.5, 1.0, int(np.prod(shape))).astype(dtype).reshape(shape)


def torchs(function: Function, *tensors: Any) -> tuple[Any, ...]:
    """The same on tensors, as NumPy's arrays."""
    leaves = [x.detach().requires_grad_() for x in tensors]
    out = function(*leaves)
    grad = torch.asarray(weights(tuple(out.shape), out.detach().numpy().dtype))
    found = torch.autograd.grad(out, leaves, grad)
    return tuple(x.detach().numpy() for x in (out, *found))


# ---- the same bits -----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")  # nor written to
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("function", [*FUNCTIONS, bce], ids=lambda f: f.__name__)
def test_tensors_have_the_bits_of_arrays_in_every_layout(
    function: Function, dtype: str, runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = numbers(2**13, dtype), targets(2**13, dtype)
    monkeypatch.setattr(code, "SPAN", 3000)
    for name, layout in {**LAYOUTS, "a number": lambda x: x[20].reshape(())}.items():
        if name == "backwards":
            continue  # no tensor has such strides
        given = [layout(x), layout(y)][: 2 if function is bce else 1]
        want = numpys(function, *given)
        for fewest, large in ((1, 2**30), (1, 0), (2**30, 2**30)):
            for module in (code, elements):
                monkeypatch.setattr(module, "FEWEST", fewest)
            monkeypatch.setattr(code, "LARGE", large)
            assert bits(torchs(function, *map(torch.asarray, given))) == bits(want), name
    assert {*runs} >= {"value", "gradients"}


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")  # nor written to
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", [*CURVES, *POINTWISE][:: 1 if EVERY_ROW else 8], ids=str)
def test_every_function_of_one_element_has_the_bits_of_numpy(row: Any, dtype: str) -> None:
    kind: Any = np.dtype(dtype).type
    if isinstance(row, Curve):
        x, more = samples(kind, row.low, row.high), list[Any]()
    else:
        x, *more = pairs(kind, row.inputs, row.targets)
    with np.errstate(all="ignore"):
        want = numpys(lambda z: row(z, *more), x)
    others = [torch.asarray(one) for one in more]
    assert bits(torchs(lambda z: row(z, *others), torch.asarray(x))) == bits(want)


def test_threads_of_pytorch_change_no_bit() -> None:
    x = torch.asarray(numbers(2**19))
    before, found = torch.get_num_threads(), []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            found.append(bits(torchs(pl.gelu, x)))
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]


@pytest.mark.parametrize("dtype", [*DTYPES, *HALVES])
def test_results_lie_in_memory_as_their_operands(dtype: str) -> None:
    x = torch.randn(2, 5, 4, 3, dtype=getattr(torch, dtype))
    pictures = x.to(memory_format=torch.channels_last)
    for one in (x, pictures, x.transpose(0, 3)):
        leaf = one.detach().requires_grad_()
        out = pl.silu(leaf)
        (grad,) = torch.autograd.grad(out.sum(), leaf)  # of one number, expanded
        assert out.stride() == grad.stride() == one.stride()
        assert torch.equal(out.contiguous(), pl.silu(one.contiguous()))
        (same,) = torch.autograd.grad(pl.silu(leaf), leaf, torch.ones_like(leaf).contiguous())
        assert torch.equal(grad, same)


# ---- gradients ---------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [(0,), (1,), (0, 1)], ids=str)
def test_gradients_are_those_by_the_operands_that_want_them(
    wanted: tuple[int, ...], runs: list[str]
) -> None:
    given = [numbers(99, "float64"), targets(99, "float64")]
    tensors = [torch.asarray(x).requires_grad_(i in wanted) for i, x in enumerate(given)]
    out = bce(*tensors)
    want = numpys(bce, *given)
    grad = torch.asarray(weights(99, "float64"))
    for _ in range(2):  # the graph is kept
        found = torch.autograd.grad(out, [tensors[i] for i in wanted], grad, retain_graph=True)
        assert bits(tuple(x.numpy() for x in found)) == bits(tuple(want[1 + i] for i in wanted))
    # Of few entries the slope by the first operand comes with the value, and serves once.
    first = ["value_and_slope"] if wanted == (0,) else ["value", "gradients"]
    assert runs == [*first, "gradients"]


def test_a_parameter_is_a_tensor(
    runs: list[str],
) -> None:
    weight = torch.nn.Parameter(torch.randn(50, dtype=torch.float64))
    (pl.gelu(weight) * 2).sum().backward()
    x = weight.detach().clone().requires_grad_()
    torch.testing.assert_close(
        weight.grad, torch.autograd.grad(torch.nn.functional.gelu(x).sum() * 2, x)[0]
    )
    assert runs == ["value_and_slope"]


@pytest.mark.parametrize("function", [*FUNCTIONS, bce], ids=lambda f: f.__name__)
def test_derivatives_of_derivatives_are_those_of_the_portable_pair(
    function: Function, portable: Callable[..., Any], runs: list[str]
) -> None:
    rng = np.random.default_rng(3)
    given = [3 * rng.standard_normal(40), rng.random(40)][: 2 if function is bce else 1]

    def derivatives() -> list[Any]:
        leaves = [torch.asarray(x.copy()).requires_grad_() for x in given]
        out = function(*leaves)
        first = torch.autograd.grad(out.sum(), leaves, create_graph=True)
        second = torch.autograd.grad(sum((g * g).sum() for g in first), leaves, create_graph=True)
        third = torch.autograd.grad(sum(g.sum() for g in second), leaves)
        return [x.detach().numpy() for x in (out, *first, *second, *third)]

    found, want = derivatives(), portable(derivatives)
    assert "value_and_slope" in runs
    for got, one in zip(found, want, strict=True):
        np.testing.assert_allclose(got, one, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("function", [pl.gelu, pl.softplus, bce], ids=lambda f: f.__name__)
def test_pytorchs_own_checks_of_gradients_hold(function: Function) -> None:
    x = torch.linspace(-2.1, 2.3, 6, dtype=torch.float64, requires_grad=True)
    y = torch.linspace(0.1, 0.9, 6, dtype=torch.float64, requires_grad=True)
    given = (x, y) if function is bce else (x,)
    assert torch.autograd.gradcheck(function, given)
    assert torch.autograd.gradgradcheck(function, given)


@pytest.mark.parametrize("function", [pl.silu, torch.nn.functional.silu], ids=["ours", "PyTorch's"])
def test_an_operand_that_was_changed_in_place_is_noticed(function: Function) -> None:
    x = torch.randn(9, requires_grad=True)
    z = x * 1
    out = function(z)
    z.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()


# ---- where the portable pair serves ------------------------------------------------------------


class Own(torch.Tensor):  # type: ignore[misc, unused-ignore]
    """A tensor of another class, as those that are spread over devices."""


def compiled(function: Function, x: Any) -> Any:
    return torch.compile(function, backend="eager", fullgraph=True)(x)


def forward_mode(function: Function, x: Any) -> Any:
    with torch.autograd.forward_ad.dual_level():
        made = torch.autograd.forward_ad.make_dual(x, torch.ones_like(x))
        return torch.autograd.forward_ad.unpack_dual(function(made)).primal


def fake(function: Function, x: Any) -> Any:
    mode = import_module("torch._subclasses.fake_tensor").FakeTensorMode()
    with mode:
        made = function(mode.from_tensor(x))
    assert made.shape == x.shape
    return function(x.as_subclass(Own)).as_subclass(torch.Tensor)


ELSEWHERE: dict[str, Function] = {
    "a subclass": lambda f, x: f(x.as_subclass(Own)).as_subclass(torch.Tensor),
    "a fake tensor": fake,
    "vmap": lambda f, x: torch.func.vmap(f)(x.reshape(-1, 4)).reshape(-1),
    "vjp": lambda f, x: torch.func.vjp(f, x)[0],
    "jvp": lambda f, x: torch.func.jvp(f, (x,), (torch.ones_like(x),))[0],
    "forward mode": forward_mode,
    "torch.compile": compiled,
    "the lazy negative": lambda f, x: f(torch.complex(x, -x).conj().imag),
    "another device": lambda f, x: (f(x.to("meta")), f(x.as_subclass(Own)))[1].as_subclass(
        torch.Tensor
    ),
}


@pytest.mark.parametrize("way", ELSEWHERE)
def test_transforms_and_other_classes_see_the_portable_pair(
    way: str, runs: list[str], portable: Callable[..., Any]
) -> None:
    x = torch.randn(8, generator=torch.Generator().manual_seed(0))
    got = ELSEWHERE[way](pl.silu, x)
    assert runs == []
    assert bits(got.numpy()) == bits(portable(pl.silu, x).numpy())


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_modes_without_gradients_run_machine_code(mode: Any, runs: list[str]) -> None:
    with mode():
        x = torch.asarray(numbers(99)).requires_grad_()
        got = pl.silu(x)
    assert not got.requires_grad
    assert runs == ["value"]
    assert bits(got.numpy()) == bits(pl.silu(numbers(99)))


# ---- halves ------------------------------------------------------------------------------------


def rounding_error(got: Any, exact: Any) -> Any:
    """The distance from float64 numbers in ulps of theirs in the half dtype; 0 where both agree."""
    info = torch.finfo(got.dtype)
    digits = {torch.float16: 10, torch.bfloat16: 7}[got.dtype]
    least = np.log2(info.tiny)
    with np.errstate(all="ignore"):
        power = np.maximum(np.floor(np.log2(np.abs(exact))), least)
        unit = np.exp2(np.where(np.isfinite(power), power, least) - digits)
        found = got.to(torch.float64).numpy()
        beyond = np.abs(exact) >= info.max * (1 + 2.0 ** -(digits + 2))  # rounds to infinity
        right = np.where(beyond, np.copysign(np.inf, exact), exact)
        same = (found == right) | (np.isnan(found) & np.isnan(right))
        return np.where(same, 0.0, np.abs(found - right) / unit)


EACH = [(curve, dtype) for curve in CURVES for dtype in HALVES]


@pytest.mark.parametrize(
    ("curve", "dtype"), EACH if EVERY_ROW else [*EACH[::4], *EACH[3::4]], ids=str
)
def test_every_half_is_rounded_once(curve: Any, dtype: str) -> None:
    every = torch.arange(-(2**15), 2**15).to(torch.int16).view(getattr(torch, dtype))
    x = every[(every >= curve.low) & (every <= curve.high)]
    with np.errstate(all="ignore"):
        errors = rounding_error(curve(x), np.asarray(curve(x.to(torch.float64).numpy())))
    assert np.count_nonzero(~(errors <= 0.501)) == 0, x[torch.asarray(~(errors <= 0.501))][:9]


TRAINED = [*product(POINTWISE, ["mean", "sum", "none"], HALVES)]


@pytest.mark.parametrize(
    ("row", "reduction", "half"), TRAINED if EVERY_ROW else TRAINED[::11], ids=str
)
def test_a_loss_of_halves_trains_and_is_that_of_float32_rounded_once(
    row: Any, reduction: str, half: str
) -> None:
    kind = getattr(torch, half)
    given = [torch.tensor(values, dtype=kind) for values in (row.x, row.y)]
    made = []
    for dtype in (kind, torch.float32):
        x, y = (one.detach().clone().to(dtype) for one in given)
        x.requires_grad_()
        out = row.function(x, y, **row.options, reduction=reduction)
        out.backward(torch.ones_like(out))
        made.append((out.detach().to(kind), x.grad.to(kind)))
    for mine, theirs in zip(*made, strict=True):
        unit = torch.finfo(kind).eps  # one float32 may lie across a boundary of the half type
        torch.testing.assert_close(mine, theirs, rtol=unit, atol=1e-7, equal_nan=True)
    assert made[0][0].dtype == kind


# ---- threads -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_our_own_threads_change_no_bit(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without OpenMP, as after a fork, our own threads do what PyTorch's do."""
    team_torch = import_module("portable_losses.backends.kernels.machine.team_torch")
    x = torch.asarray(numbers(300_001, dtype))
    before = [pl.silu(x), pl.mse_loss(x, x / 3)]
    monkeypatch.setattr(team_torch, "_START", [None])
    for got, want in zip([pl.silu(x), pl.mse_loss(x, x / 3)], before, strict=True):
        assert bits(got.numpy()) == bits(want.numpy())


FORKED = """
import os
import torch
import portable_losses as pl

torch.set_num_threads(2)
x = torch.linspace(-3.0, 3.0, 200_001)
want = pl.silu(x)
child = os.fork()
if not child:
    os._exit(0 if (pl.silu(x).numpy() == want.numpy()).all() else 1)  # PyTorch's own would wait
assert os.waitpid(child, 0)[1] == 0
assert torch.equal(pl.silu(x), want)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_process_has_threads_for_tensors() -> None:
    """PyTorch's own are gone there, and what waits for them waits for ever."""
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], check=True, timeout=120)

"""Kernels for GPUs where there is none: Triton's under its interpreter, the check, and the choice.

``python -m tests.test_kernels_of_gpu`` is the program that runs under the interpreter: Triton
decides when it is imported whether to interpret.
"""

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from portable_losses import _backend
from portable_losses._backend import Kernel, Pair, Speed, load_backend

pytestmark = pytest.mark.xdist_group("kernels of GPUs")  # one worker interprets Triton

ROOT = Path(pl.__file__).parents[1]
KERNELS = "portable_losses.backends.kernels"

agreement: Any = import_module(f"{KERNELS}.agreement")
choice: Any = import_module(f"{KERNELS}.choice")
gpu_rows: Any = import_module(f"{KERNELS}.gpu_rows")
hard_rows: Any = import_module(f"{KERNELS}.hard_rows")


def pair_of(module: str, name: str) -> Pair:
    """The portable halves of a function, as a kernel gets them."""
    file = import_module(f"portable_losses.{module}")
    return Pair(getattr(file, name).__wrapped__, getattr(file, f"{name}_grad"))


PAIRS = {
    "softmax": pair_of("activations.softmax", "_softmax"),
    "log_softmax": pair_of("activations.softmax", "_log_softmax"),
    "logsumexp": pair_of("special.log_exp", "_logsumexp"),
    "cross_entropy": pair_of("losses.cross_entropy", "_cross_entropy"),
}
RELATIVES = ["softmax", "log_softmax", "logsumexp"]


def unchecked(language: Any) -> dict[str, Any]:
    """How each kernel runs, without the check at first use."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu_rows, "checked", lambda run, *_: run)
        return {name[1:]: kernel.run for name, kernel in gpu_rows.kernels(language).items()}


ALL = tuple(product([0.0, 0.125], [None, 5.0], *[[False, True]] * 3))
# nothing; each option at least once, with others and without; everything
FEW = ALL[0], ALL[5], ALL[18], ALL[13], ALL[31]


def cases(xp: Any, classes: int, combinations: Any = ALL) -> Iterator[tuple[str, str, Any]]:
    """Every function, with its options: its name, what is special, and what to run."""
    for name in RELATIVES:
        yield name, "", hard_rows.case_of_rows(name, classes, {"xp": xp})
    for smoothing, cap, with_lse, weighted, masked in combinations:
        options = {"xp": xp, "label_smoothing": smoothing, "softcap": cap, "with_lse": with_lse}
        case = hard_rows.case_of_cross_entropy(classes, options, weighted=weighted, masked=masked)
        yield "cross_entropy", f"{options}, {weighted}, {masked}", case


# ---- Triton --------------------------------------------------------------------------------------

# One class; three pieces, of which the last is not full. Two tiles of rows.
CLASSES = [1, 37]
SMALL_TILES = {4: (8, 4, 4)}, (8, 16, 4)


def interpreted() -> Iterator[tuple[str, int, str | None]]:
    """Compare all kernels, on tensors of the CPU, in tiles so small that rows have many pieces."""
    torch: Any = import_module("torch")
    xp = import_module("array_api_compat.torch")
    of_torch: Any = import_module(f"{KERNELS}.rows_torch")
    gpu_rows.TILES, gpu_rows.LAST_TILE = SMALL_TILES
    trials = of_torch.TRIALS._replace(possible=lambda: True)
    language = gpu_rows.Language(
        of_torch.launches, lambda _: True, of_torch.empty, torch.Tensor.contiguous, trials
    )
    runs, like = unchecked(language), torch.zeros(1)
    for classes in CLASSES:
        for name, said, case in cases(xp, classes, FEW):
            found = agreement.first_difference(runs[name], of_torch.TRIALS, PAIRS[name], like, case)
            yield name, classes, found and f"{said}: {found}"
    yield from from_outside(language)


def from_outside(language: Any) -> Iterator[tuple[str, int, str | None]]:
    """The public functions through PyTorch's graph, with the check, beside the portable ones."""
    torch: Any = import_module("torch")
    gpu_rows.widths = lambda classes: (3,)
    fused = replace(load_backend("torch"), speed=Speed(kernels=gpu_rows.kernels(language)))
    portable = replace(load_backend("torch"), speed=Speed())
    target = torch.asarray([1, 4, -100, 0])
    functions: dict[str, Any] = {
        "softmax": lambda z: pl.softmax(z, axis=0)[0],
        "logsumexp": lambda z: pl.logsumexp(z, axis=-1),
        "cross_entropy": lambda z: pl.cross_entropy(z, target, label_smoothing=0.1, z_loss=0.5),
    }
    for name, function in functions.items():
        found: list[list[Any]] = []
        for backend in (fused, portable):
            _backend._LOADED["torch"] = backend
            z = torch.sin(torch.arange(20.0)).reshape(4, 5).requires_grad_()
            with warnings.catch_warnings():
                warnings.simplefilter("error", RuntimeWarning)
                out = function(z)
                (slope,) = torch.autograd.grad(out.sum(), z, retain_graph=True)
                (bent,) = torch.autograd.grad(out.sum(), z, create_graph=True)
            found.append([out, slope, *torch.autograd.grad((bent * bent).sum(), z)])
        near = [torch.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in zip(*found, strict=True)]
        yield name, 0, None if all(near) else f"value, slope, second slope: {near}"


@pytest.fixture(scope="module")
def differences() -> list[tuple[str, int, str | None]]:
    pytest.importorskip("triton")
    words = [sys.executable, "-W", "ignore", "-m", "tests.test_kernels_of_gpu"]
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run(
        words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [(name, classes, said) for name, classes, said in json.loads(done.stdout)]


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("name", PAIRS)
def test_tritons_kernels_are_those_of_the_pairs(name: str, classes: int, differences: Any) -> None:
    found = [said for one, size, said in differences if (one, size) == (name, classes)]
    assert found
    assert [said for said in found if said] == []


@pytest.mark.parametrize("name", ["softmax", "logsumexp", "cross_entropy"])
def test_public_functions_are_the_same_with_tritons_kernels(name: str, differences: Any) -> None:
    assert [said for one, size, said in differences if (one, size) == (name, 0)] == [None]


TYPES = {
    "count": "i32",
    "classes": "i32",
    "share": "fp32",
    "even": "fp32",
    "bound": "fp32",
    "index": "*i64",
    "counted": "*i1",
    "place": "*i32",
}
EVERY: dict[str, Any] = dict.fromkeys(("weighted", "masked", "smooth", "capped", "with_lse"), True)
COMPILED: dict[str, tuple[int, str, dict[str, Any]]] = {
    "softmax": (80, "rows_triton._softmax", {}),
    "softmax_slope": (90, "rows_triton._softmax_slope", {}),
    "log_softmax": (100, "rows_triton._log_softmax", {}),
    "log_softmax_slope": (80, "rows_triton._log_softmax_slope", {}),
    "logsumexp": (90, "rows_triton._logsumexp", {}),
    "logsumexp_slope": (100, "rows_triton._logsumexp_slope", {}),
    "cross_entropy": (90, "cross_entropy_triton._cross_entropy", EVERY),
    "cross_entropy_slope": (100, "cross_entropy_triton._cross_entropy_slope", EVERY),
}


@pytest.mark.parametrize("name", COMPILED)
def test_tritons_kernels_compile_for_every_architecture(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interpreter knows no types; the compiler insists on them, and needs no card."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    architecture, path, constants = COMPILED[name]
    module, _, kernel = path.partition(".")
    triton: Any = pytest.importorskip("triton")
    compiler: Any = import_module("triton.compiler")
    targets: Any = import_module("triton.backends.compiler")
    function = getattr(import_module(f"{KERNELS}.{module}"), kernel)
    constants = {**constants, "height": 4, "width": 64}
    signature = {
        p: "constexpr" if p in constants else TYPES.get(p, "*fp32") for p in function.arg_names
    }
    made = triton.compile(
        compiler.ASTSource(function, signature, constexprs=constants),
        target=targets.GPUTarget("cuda", architecture, 32),
        options={"num_warps": 4, "enable_fp_fusion": False},
    )
    assert made.asm["cubin"]
    for fast in ("ex2.approx", "lg2.approx", "div.full", "div.approx"):
        assert fast not in made.asm["ptx"]


def test_triton_is_imported_by_nobody_before_it_is_needed() -> None:
    program = (
        "import sys, torch\nbefore = 'triton' in sys.modules\nimport portable_losses as pl\n"
        "x = torch.ones(3, 4, requires_grad=True)\n"
        "pl.cross_entropy(x, torch.zeros(3, dtype=torch.int64)).backward()\n"
        "pl.softmax(x), pl.log_softmax(x), pl.logsumexp(x)\n"
        "print(before or 'triton' not in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "True\n"


# ---- the check at first use ----------------------------------------------------------------------

NUMPY = import_module("array_api_compat.numpy")
TRIALS = agreement.Trials(lambda x, _: np.asarray(x), np.asarray, lambda _: "a card")


def by_the_pair(pair: Pair, arrays: Any, options: Any, wanted: bool) -> Any:
    """A kernel that is right: it runs the pair."""
    with np.errstate(all="ignore"):
        return pair.forward(*arrays, **options), pair.backward


def spoiled(value: float = 1.0, slope: float = 1.0, *, at: Any = ..., put: Any = None) -> Any:
    """A kernel whose values and slopes are wrong by a factor, or whose entry at a place is."""

    def run(pair: Pair, arrays: Any, options: Any, wanted: bool) -> Any:
        out, backward = by_the_pair(pair, arrays, options, wanted)

        def back(*given: Any, **options: Any) -> Any:
            first, *rest = backward(*given, **options)
            return (first * np.float32(slope), *rest)

        if isinstance(out, tuple):
            return tuple(x * np.float32(value) for x in out), back
        out = out * np.float32(value)
        if put is not None:
            out[at] = put
        return out, back

    return run


def broken(*_: Any) -> Any:
    msg = "no such instruction"
    raise RuntimeError(msg)


WRONG: dict[str, Any] = {
    "values": spoiled(1 + 1e-4),
    "slopes": spoiled(slope=1 + 1e-4),
    "shape": lambda *a: (by_the_pair(*a)[0][:1], a[0].backward),
    "dtype": lambda *a: (by_the_pair(*a)[0].astype(np.float64), a[0].backward),
    "NaN that should not be": spoiled(at=(0, 0), put=np.nan),
    "a number for NaN": spoiled(at=(12, 0), put=0.0),
    "failure": broken,
}


def serving(run: Any, tried: list[int]) -> Any:
    def case_of(arrays: Any, options: Any) -> Iterator[Any]:
        for classes in (1, 5, 32):
            tried.append(classes)
            yield hard_rows.case_of_rows("softmax", classes, options)

    return agreement.checked(run, TRIALS, lambda *_: ("softmax",), case_of)


X = np.asarray([[0.0, 1.0, 2.0], [5.0, 5.0, 5.0]], np.float32)


@pytest.mark.filterwarnings("ignore::RuntimeWarning:array_api_compat")
@pytest.mark.parametrize("fault", WRONG)
def test_a_kernel_that_disagrees_is_refused_with_one_warning(fault: str) -> None:
    tried: list[int] = []
    serve, options = serving(WRONG[fault], tried), {"xp": NUMPY}
    with np.errstate(all="ignore"):
        with pytest.warns(RuntimeWarning, match="kernel of softmax on a card is not used") as seen:
            out, backward = serve(PAIRS["softmax"], (X,), options, True)
        assert len(seen) == 1
        np.testing.assert_array_equal(out, PAIRS["softmax"].forward(X, **options))
        assert backward is PAIRS["softmax"].backward
        before = len(tried)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            serve(PAIRS["softmax"], (X,), options, True)
        assert len(tried) == before


def test_a_kernel_that_agrees_serves_and_is_tried_once_for_each_kind() -> None:
    tried: list[int] = []
    ran: list[Any] = []

    def run(pair: Pair, arrays: Any, *rest: Any) -> Any:
        ran.append(arrays[0])
        return by_the_pair(pair, arrays, *rest)

    serve = serving(run, tried)
    with np.errstate(all="ignore"):
        for _ in range(3):
            serve(PAIRS["softmax"], (X,), {"xp": NUMPY}, True)
        assert tried == [1, 5, 32]
        assert [x is X for x in ran] == [False] * 3 + [True] * 3
        serve(PAIRS["softmax"], (X.astype(np.float64),), {"xp": NUMPY}, True)
    assert tried == [1, 5, 32] * 2


def test_a_kernel_waits_for_a_time_when_it_can_be_tried() -> None:
    """While a graph of launches is recorded, nothing can be waited for."""
    now = [False]
    trials, ran = TRIALS._replace(possible=lambda: now[0]), list[str]()

    def run(*given: Any) -> Any:
        ran.append("kernel")
        return by_the_pair(*given)

    serve = agreement.checked(run, trials, lambda *_: ("softmax",), lambda *_: iter(()))
    serve(PAIRS["softmax"], (X,), {"xp": NUMPY}, True)
    assert ran == []
    now[0] = True
    serve(PAIRS["softmax"], (X,), {"xp": NUMPY}, True)
    assert ran == ["kernel"]


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("wrong", ["values", "slopes"])
def test_every_trial_sees_a_kernel_that_is_a_little_wrong(name: str, wrong: str) -> None:
    run = WRONG[wrong]
    for classes in (3, 37):
        for one, said, case in cases(NUMPY, classes):
            with np.errstate(all="ignore"):
                found = one == name and agreement.first_difference(
                    run, TRIALS, PAIRS[name], case.arrays[0], case
                )
                right = agreement.first_difference(
                    by_the_pair, TRIALS, PAIRS[one], case.arrays[0], case
                )
            assert right is None
            assert found or one != name, said


@pytest.mark.parametrize("run", [spoiled(1 + 6e-7), spoiled(slope=1 + 6e-7)], ids=["loss", "slope"])
def test_the_trial_of_a_plain_cross_entropy_sees_five_units_in_the_last_place(run: Any) -> None:
    options = {"xp": NUMPY, "label_smoothing": 0.0, "softcap": None, "with_lse": False}
    case = hard_rows.case_of_cross_entropy(5, options, weighted=False, masked=False)
    with np.errstate(all="ignore"):
        found = agreement.first_difference(
            run, TRIALS, PAIRS["cross_entropy"], case.arrays[0], case
        )
    assert found is not None


@pytest.mark.parametrize("classes", [1, 32, 33, 128, 500, 2048, 2049, 10**6])
def test_a_trial_uses_the_tile_of_the_call(classes: int) -> None:
    assert {gpu_rows.tile(n) for n in gpu_rows.widths(classes)} == {gpu_rows.tile(classes)}


# ---- the choice ----------------------------------------------------------------------------------


def test_no_kernel_of_a_gpu_takes_a_tensor_of_the_cpu() -> None:
    torch: Any = pytest.importorskip("torch")
    found: Any = import_module(f"{KERNELS}.rows_torch").CUDA
    z, index = torch.ones(2, 3), torch.zeros(2, 1, dtype=torch.int64)
    options = {"label_smoothing": 0.0, "softcap": None, "with_lse": False}
    for name in RELATIVES:
        assert not found[f"_{name}"].accepts(z)
        assert not load_backend("torch").speed.kernels[f"_{name}"].accepts(z)
    given = (z, None, index, None, None, None)
    assert not found["_cross_entropy"].accepts(*given, **options)
    assert load_backend("torch").speed.kernels["_cross_entropy"].accepts(*given, **options)


def test_no_kernel_of_cupy_takes_another_array() -> None:
    pytest.importorskip("cupy")
    found: Any = load_backend("cupy").speed.kernels
    assert set(found) == {f"_{name}" for name in PAIRS}
    assert not found["_softmax"].accepts(X)


def taking(serves: Any) -> dict[str, Kernel]:
    language = gpu_rows.Language(dict, serves, np.empty, np.ascontiguousarray, TRIALS)
    found: dict[str, Kernel] = gpu_rows.kernels(language)
    return found


def test_a_kernel_takes_what_its_language_serves_and_no_more() -> None:
    z: Any = np.ones((2, 3), np.float32)
    index: Any = np.zeros((2, 1), np.int64)
    options = {"label_smoothing": 0.1, "softcap": 2.0, "with_lse": True}
    kernels = taking(lambda _: True)
    accepts = kernels["_cross_entropy"].accepts
    assert accepts(z, None, index, None, None, None, **options)
    assert not accepts(z, z, None, None, None, None, **options)
    assert not accepts(z, None, index, None, None, z > 0, **options)
    assert kernels["_softmax"].accepts(z)
    assert not kernels["_softmax"].accepts(z[:0])
    assert not taking(lambda _: False)["_softmax"].accepts(z)
    with agreement._portable_alone():  # the reference of a trial is made of no kernel
        assert not kernels["_softmax"].accepts(z)


def test_all_kernels_can_be_switched_off() -> None:
    program = (
        "from importlib.util import find_spec\n"
        "from portable_losses._backend import Speed, load_backend\n"
        "for name in filter(find_spec, ('numpy', 'torch', 'cupy')):\n"
        "    print(load_backend(name).speed == Speed())"
    )
    environment = {**os.environ, "PORTABLE_LOSSES_KERNELS": "off"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.splitlines()) == {"True"}


def test_the_switch_is_on_or_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTABLE_LOSSES_KERNELS", "none")
    with pytest.raises(ValueError, match="PORTABLE_LOSSES_KERNELS` must be on or off, got 'none'"):
        _backend.kernels_are_off()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(list(interpreted())))

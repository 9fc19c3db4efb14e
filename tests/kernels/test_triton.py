"""Triton's kernels where there is no GPU: under its interpreter, and compiled.

``python -m tests.kernels.test_triton`` is the program that runs under the interpreter: Triton
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
from pathlib import Path
from typing import Any

import pytest

import portable_losses as pl
from portable_losses import _backend
from portable_losses._backend import Speed, load_backend
from tests.kernels.gpu_cases import (
    FEW,
    KERNELS,
    PAIRS,
    agreement,
    cases,
    errors_of_caps,
    gpu_rows,
    unchecked,
)

ROOT = Path(pl.__file__).parents[1]


# One class; three pieces, of which the last is not full. Two tiles of rows.
CLASSES = [1, 37]
SMALL_TILES = {4: (8, 4, 4)}, (8, 16, 4)


def interpreted() -> Iterator[tuple[str, int, str | None]]:
    """Compare all kernels, on tensors of the CPU, in tiles so small that rows have many pieces."""
    torch: Any = import_module("torch")
    xp = import_module("array_api_compat.torch")
    of_torch: Any = import_module(f"{KERNELS}.gpu_rows.rows_torch")
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
    worst = errors_of_caps(runs["cross_entropy"], xp, torch.asarray)
    yield "capped", 0, None if max(worst) <= 8 else f"{worst} ulp"
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
    words = [sys.executable, "-W", "ignore", "-m", "tests.kernels.test_triton"]
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


def test_a_capped_row_is_right_at_every_distance_from_its_largest_entry(differences: Any) -> None:
    assert [said for one, _, said in differences if one == "capped"] == [None]


@pytest.mark.parametrize("name", ["softmax", "logsumexp", "cross_entropy"])
def test_public_functions_are_the_same_with_tritons_kernels(name: str, differences: Any) -> None:
    assert [said for one, size, said in differences if (one, size) == (name, 0)] == [None]


TYPES = {
    "count": "i32",
    "classes": "i32",
    "share": "fp32",
    "even": "fp32",
    "bound": "fp32",
    "low": "fp32",
    "index": "*i64",
    "counted": "*i1",
    "place": "*i32",
}
EVERY: dict[str, Any] = dict.fromkeys(("weighted", "masked", "smooth", "capped", "with_lse"), True)
COMPILED: dict[str, tuple[int, str, dict[str, Any]]] = {
    "softmax": (80, "softmax_triton._softmax", {}),
    "softmax_slope": (90, "softmax_triton._softmax_slope", {}),
    "log_softmax": (100, "softmax_triton._log_softmax", {}),
    "log_softmax_slope": (80, "softmax_triton._log_softmax_slope", {}),
    "logsumexp": (90, "softmax_triton._logsumexp", {}),
    "logsumexp_slope": (100, "softmax_triton._logsumexp_slope", {}),
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
    function = getattr(import_module(f"{KERNELS}.gpu_rows.{module}"), kernel)
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


if __name__ == "__main__":
    sys.stdout.write(json.dumps(list(interpreted())))

"""The CUDA kernels without a card: compiled for three architectures, and run by the processor.

The threads of a block become threads of the processor, a warp has four of them, and everything
that the kernels ask of CUDA is a few lines of C++. What this cannot show is the speed, and what the
card's own exponential returns: the check at first use is for that.
"""

import ctypes
import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import array_api_compat.numpy as xp
import numpy as np
import pytest

from tests.kernels.gpu_cases import PAIRS, cases, errors_of_caps, unchecked

agreement: Any = import_module("portable_losses.backends.kernels.trial.agreement")
gpu_rows: Any = import_module("portable_losses.backends.kernels.gpu_rows.kernels")
rows_cuda: Any = import_module("portable_losses.backends.kernels.gpu_rows.launches_cuda")

COMPILER = shutil.which("g++")
LANES, WARP = 8, 4  # two warps a row; and four lanes: a warp a row, two rows a block

SHIM = r"""
#include <barrier>
#include <bit>
#include <cmath>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>
#define __global__
#define __device__
#define __shared__ static
#define __launch_bounds__(x)
struct Dim { unsigned x, y; };
struct float4 { float x, y, z, w; };
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
static thread_local Dim threadIdx, blockIdx;
static Dim blockDim;
static std::unique_ptr<std::barrier<>> of_block;
static std::vector<std::unique_ptr<std::barrier<>>> of_warps;
static std::vector<double> shelf;  // what the lanes of a warp show each other
inline void __syncthreads() { of_block->arrive_and_wait(); }
template <class T> inline T __shfl_xor_sync(unsigned, T x, int mask) {
    unsigned me = threadIdx.y * blockDim.x + threadIdx.x;
    auto& warp = *of_warps[me / WARP];
    shelf[me] = x;  // exact for float and int
    warp.arrive_and_wait();
    T other = (T)shelf[me ^ mask];
    warp.arrive_and_wait();
    return other;
}
#include "rows.cu"
extern "C" { long long blocks; int rows; }
template <auto kernel> struct Launch;
template <class... A, void (*kernel)(A...)> struct Launch<kernel> {
    static void run(A... a) {
        unsigned size = LANES * rows;
        blockDim = {LANES, (unsigned)rows};
        of_block = std::make_unique<std::barrier<>>(size);
        std::barrier<> all(size);
        of_warps.clear();
        for (unsigned i = 0; i < size / WARP; ++i)
            of_warps.push_back(std::make_unique<std::barrier<>>(WARP));
        shelf.assign(size, 0);
        std::vector<std::thread> threads;
        for (unsigned i = 0; i < size; ++i)
            threads.emplace_back([=, &all] {
                threadIdx = {i % LANES, i / LANES};
                for (long long b = 0; b < blocks; ++b) {
                    blockIdx = {(unsigned)b, 0};
                    kernel(a...);
                    all.arrive_and_wait();
                }
            });
        for (auto& thread : threads) thread.join();
    }
};
#define EXPORT(name) extern "C" { auto run_##name = &Launch<&name>::run; }
EXPORT(softmax) EXPORT(softmax_slope) EXPORT(log_softmax) EXPORT(log_softmax_slope)
EXPORT(logsumexp) EXPORT(logsumexp_slope) EXPORT(cross_entropy) EXPORT(cross_entropy_slope)
"""


# ---- compiled ------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture, lanes", [(80, 32), (90, 256), (100, 1024)])
def test_the_program_compiles_for_every_architecture(architecture: int, lanes: int) -> None:
    nvrtc: Any = pytest.importorskip("cupy").cuda.nvrtc  # there is no wheel of it for macOS
    program = nvrtc.createProgram(rows_cuda.source(), "rows.cu", (), ())
    options = f"--gpu-architecture=compute_{architecture}", f"-DLANES={lanes}", "-std=c++17"
    nvrtc.compileProgram(program, options)
    text = nvrtc.getPTX(program).decode()
    for name in ("softmax", "log_softmax", "logsumexp", "cross_entropy"):
        assert f".entry {name}(" in text
        assert f".entry {name}_slope(" in text
    assert "div.full" not in text  # that of fast math
    assert "ld.global.v4.f32" in text.replace(".nc", "")


# ---- run by the processor ------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[LANES, WARP], ids="{} lanes".format)
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The kernels, each as its `Kernel` runs it, without the check at first use."""
    if COMPILER is None:
        pytest.skip("needs g++, which comes with the system and not from pip")
    folder = tmp_path_factory.mktemp("cuda")
    (folder / "shim.cpp").write_text(SHIM)
    library, lanes = folder / "rows.so", request.param
    kernels = Path(rows_cuda.__file__).parent
    defined = f"-DLANES={lanes}", f"-DWARP={WARP}"
    words = [COMPILER, "-std=c++20", "-O1", "-pthread", "-shared", "-fPIC", *defined]
    words += ["-x", "c++", f"-I{kernels}", "-o", str(library), str(folder / "shim.cpp")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = ctypes.CDLL(str(library))
    rows = 2 if lanes == WARP else 1

    def start(kernel: str, count: int, classes: int, arguments: tuple[Any, ...]) -> None:
        ctypes.c_longlong.in_dll(loaded, "blocks").value = -(-count // rows)
        ctypes.c_int.in_dll(loaded, "rows").value = rows
        given = [argument(x) for x in arguments]
        address = ctypes.c_void_p.in_dll(loaded, f"run_{kernel}").value
        assert address is not None
        ctypes.CFUNCTYPE(None, *map(type, given))(address)(*given)

    return unchecked(
        gpu_rows.Language(
            lambda: rows_cuda.launches(start),
            lambda _: True,
            lambda like, shape, dtype: np.empty(shape, dtype or like.dtype),
            np.ascontiguousarray,
            TRIALS,
        )
    )


def argument(x: Any) -> Any:
    if x is None or isinstance(x, np.ndarray):
        return ctypes.c_void_p(None if x is None else x.ctypes.data)
    kinds = {np.int64: ctypes.c_longlong, np.int32: ctypes.c_int, np.float32: ctypes.c_float}
    return kinds[type(x)](x.item())


TRIALS = agreement.Trials(lambda x, _: np.asarray(x), np.asarray, lambda _: "host")


# One class; fewer than lanes; a multiple of four, whose entries are read so, and not; long rows.
CLASSES = [1, 8, 37, 1028]


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("name", PAIRS)
def test_the_kernels_are_those_of_the_pairs(runs: Any, name: str, classes: int) -> None:
    for one, said, case in cases(xp, classes):
        if one == name:
            with np.errstate(all="ignore"):
                found = agreement.first_difference(
                    runs[name], TRIALS, PAIRS[name], case.arrays[0], case
                )
            assert found is None, said


def test_a_capped_row_is_right_at_every_distance_from_its_largest_entry(runs: Any) -> None:
    assert max(errors_of_caps(runs["cross_entropy"], xp, np.asarray)) <= 8

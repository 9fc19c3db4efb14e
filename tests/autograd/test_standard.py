"""Every function of the standard 2025.12 on the tape's namespace: there, and its gradient known.

What the functions compute is the official suite's to say; here stands what it does not ask.
"""

import inspect
import pickle
from collections.abc import Callable
from importlib import import_module
from operator import attrgetter
from typing import Any

import array_api_compat
import numpy as np
import pytest

from portable_losses.autograd import Tensor, grad, gradcheck, namespace, tensor
from portable_losses.autograd.namespaces.own import OWN_FUNCTIONS
from portable_losses.autograd.namespaces.signatures import STANDARD
from portable_losses.autograd.rules import COMPOSED, OPERATIONS
from portable_losses.autograd.rules.constant import NO_GRADIENT
from tests.autograd.cases import LIBRARIES

NP = namespace(np)

# The table of contents of the standard, typed from it and not taken from the code.
MAIN = """
arange asarray empty empty_like eye from_dlpack full full_like linspace meshgrid ones ones_like
tril triu zeros zeros_like astype can_cast finfo iinfo isdtype result_type abs acos acosh add asin
asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_invert bitwise_or bitwise_right_shift
bitwise_xor ceil clip conj copysign cos cosh divide equal exp expm1 floor floor_divide greater
greater_equal hypot imag isfinite isinf isnan less less_equal log log1p log2 log10 logaddexp
logical_and logical_not logical_or logical_xor maximum minimum multiply negative nextafter
not_equal positive pow real reciprocal remainder round sign signbit sin sinh square sqrt subtract
tan tanh trunc take take_along_axis matmul matrix_transpose tensordot vecdot broadcast_arrays
broadcast_shapes broadcast_to concat expand_dims flip moveaxis permute_dims repeat reshape roll
squeeze stack tile unstack argmax argmin count_nonzero nonzero searchsorted where isin unique_all
unique_counts unique_inverse unique_values argsort sort cumulative_prod cumulative_sum max mean min
prod std sum var all any diff
"""
LINALG = """
cholesky cross det diagonal eig eigh eigvals eigvalsh inv matmul matrix_norm matrix_power
matrix_rank matrix_transpose outer pinv qr slogdet solve svd svdvals tensordot trace vecdot
vector_norm
"""
FFT = """
fft ifft fftn ifftn rfft irfft rfftn irfftn hfft ihfft fftfreq rfftfreq fftshift ifftshift
"""
NAMES = [
    *MAIN.split(),
    *(f"linalg.{n}" for n in LINALG.split()),
    *(f"fft.{n}" for n in FFT.split()),
]
CONSTANTS = ["e", "inf", "nan", "newaxis", "pi"]
DTYPES = """
bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128
"""


def test_the_table_of_signatures_is_the_standard() -> None:
    assert len(NAMES) == 174
    assert set(NAMES) == set(STANDARD)


@pytest.mark.parametrize("name", NAMES)
def test_a_function_has_a_gradient_or_a_place_in_the_list_of_those_without(name: str) -> None:
    places = [table for table in (OPERATIONS, COMPOSED, NO_GRADIENT) if name in table]
    assert len(places) == 1 or (not places and name in OWN_FUNCTIONS)


# array_api_compat has none for Dask.
NOT_ON_DASK = """
cross det eig eigh eigvals eigvalsh matrix_power pinv slogdet
"""
LACKING = {"dask.array": {f"linalg.{n}" for n in NOT_ON_DASK.split()}}


def test_a_function_is_there_with_the_signature_of_the_standard(array_library: Any) -> None:
    xp = namespace(array_library)
    lacking = LACKING.get(array_library.__name__, set())
    for name in NAMES:
        if name in lacking:
            with pytest.raises(AttributeError, match="has no"):
                attrgetter(name)(xp)
            continue
        function = attrgetter(name)(xp)
        assert inspect.signature(function) == inspect.signature(STANDARD[name])
        assert function.__name__ == name.rpartition(".")[2]
    assert all(
        hasattr(xp, name) for name in (*CONSTANTS, *DTYPES.split(), "__array_namespace_info__")
    )


# ---- what a call with a tracked Tensor accepts ------------------------------------------------


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x: NP.sum(x, 0), "takes 1 arguments by position, got 2"),
        (lambda x: NP.sum(x, where=np.ones(3, dtype=bool)), "has no argument `where`"),
        (lambda x: NP.exp(x, out=np.zeros(3)), "has no argument `out`"),
        (lambda x: NP.add(x, x, np.zeros(3)), "takes 2 arguments by position, got 3"),
        (lambda x: NP.linalg.svd(NP.stack([x] * 3), hermitian=True), "no argument `hermitian`"),
        (lambda x: NP.concat([x, x], dtype=np.float32), "has no argument `dtype`"),
    ],
)
def test_an_argument_that_the_standard_lacks_is_refused(call: Any, message: str) -> None:
    x = np.asarray([1.0, 2.0, 3.0])
    call(tensor(x, requires_grad=False))  # the library's own affair
    with pytest.raises(TypeError, match=message):
        call(tensor(x))


@pytest.mark.parametrize("name", ["asarray_chkfinite", "histogram_bin_edges"])
def test_a_function_beyond_the_standard_refuses_a_tracked_tensor_only(name: str) -> None:
    x = np.asarray([1.0, 2.0])
    function = getattr(NP, name)
    assert isinstance(function(tensor(x, requires_grad=False)), Tensor)
    with pytest.raises(TypeError, match=f"`{name}` has no gradient rule and met a tracked Tensor"):
        function(tensor(x))


def test_a_function_that_numpy_has_beyond_the_standard_is_differentiated() -> None:
    x = tensor(np.asarray([1.0, 2.0]))
    NP.percentile(x, 25).backward()
    assert x.grad.tolist() == [0.75, 0.25]


CALLS: dict[str, Callable[[Any], Any]] = {  # how to call what is not called with one array
    "isin": lambda x: NP.isin(x, x),
    "searchsorted": lambda x: NP.searchsorted(x, x),
    "nextafter": lambda x: NP.nextafter(x, x),
    "count_nonzero": lambda x: NP.count_nonzero(x, axis=0),
    "linalg.matrix_rank": lambda x: NP.linalg.matrix_rank(NP.stack([x, x])),
}


@pytest.mark.parametrize(
    "name", ["argmax", "argsort", "isnan", "nonzero", "ones_like", "signbit", *CALLS]
)
def test_what_has_no_gradient_on_purpose_gives_constants(name: str) -> None:
    x = tensor(np.asarray([1.0, 4.0]))
    made = CALLS[name](x) if name in CALLS else attrgetter(name)(NP)(x)
    for part in made if isinstance(made, tuple) else (made,):
        assert isinstance(part, Tensor)
        assert not part.requires_grad


# ---- what the standard says and the suite does not ask of a tracked Tensor --------------------

X = np.asarray([[3.0, 0.0, 2.0], [0.0, 5.0, -1.0]])


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("initial", [False, True])
def test_a_cumulative_product_needs_no_division(axis: int, initial: bool) -> None:
    def f(x: Any) -> Any:
        return NP.cumulative_prod(x, axis=axis, include_initial=initial)

    expected = np.cumulative_prod(X, axis=axis, include_initial=initial)
    np.testing.assert_allclose(f(tensor(X)).detach().array, expected)
    gradcheck(f, [X], order=2)


def test_a_cumulative_product_of_nothing_is_nothing() -> None:
    x = tensor(np.zeros((2, 0)))
    assert NP.cumulative_prod(x, axis=1).shape == (2, 0)
    assert NP.cumulative_prod(x, axis=1, include_initial=True).shape == (2, 1)


SAME = np.asarray([[2.0, -1.0, 2.0], [np.nan, -1.0, np.nan]])


@pytest.mark.parametrize("name", [name for name in LIBRARIES if name != "dask.array"])
def test_the_unique_values_are_taken_where_they_first_stand(name: str) -> None:
    array_library = import_module(name)  # Dask cannot know how many there are
    xp = namespace(array_library)
    x = tensor(array_library.asarray(SAME))
    every = xp.unique_all(x)
    assert every._fields == ("values", "indices", "inverse_indices", "counts")
    np.testing.assert_array_equal(every.values.detach().tolist(), [-1.0, 2.0, np.nan, np.nan])
    assert every.indices.tolist() == [1, 0, 3, 5]
    assert every.inverse_indices.tolist() == [[1, 0, 1], [2, 0, 3]]
    assert every.counts.tolist() == [2, 2, 1, 1]
    assert xp.unique_counts(x)._fields == ("values", "counts")
    assert xp.unique_inverse(x)._fields == ("values", "inverse_indices")
    weights = xp.asarray([1.0, 10.0, 100.0, 1000.0], dtype=xp.float64)
    xp.sum(xp.unique_values(x) * weights).backward()
    assert x.grad.tolist() == [[10.0, 1.0, 0.0], [100.0, 0.0, 1000.0]]


def test_complex_numbers_and_no_numbers_have_unique_values() -> None:
    z = np.asarray([1j, 0j, 1 + 0j, 1j])
    assert NP.unique_all(tensor(z)).values.tolist() == [0j, 1j, 1 + 0j]
    none = NP.unique_all(tensor(np.zeros(0)))
    assert [part.shape for part in none] == [(0,)] * 4


def test_an_array_is_filled_with_a_tensor(array_library: Any) -> None:
    xp = namespace(array_library)
    value = tensor(array_library.asarray(2.0, dtype=array_library.float64))
    like = xp.ones((2, 3), dtype=xp.float32)
    parts = [xp.full((2, 3), value), xp.full(4, value), xp.full_like(like, value)]
    assert [(p.shape, p.dtype) for p in parts] == [
        ((2, 3), xp.float64),
        ((4,), xp.float64),
        ((2, 3), xp.float32),
    ]
    (xp.sum(parts[0]) + xp.sum(parts[1])).backward()
    assert float(value.grad) == 10.0
    assert not xp.full((2,), value.detach()).requires_grad
    with pytest.raises(ValueError, match="`fill_value` must have no axes"):
        xp.full((2, 3), xp.reshape(value, (1,)))


def test_a_range_is_tracked_by_its_ends() -> None:
    a, b = np.asarray(0.5), np.asarray(2.1)
    functions: list[Callable[..., Any]] = [
        lambda a, b: NP.linspace(a, b, 5) ** 2,
        lambda a, b: NP.linspace(a, 3.0, 4, endpoint=False) * b,
        lambda a, b: NP.arange(a, 4.0, b) ** 2,
        lambda a, b: NP.arange(a, b, 0.25) ** 2 * b,
    ]
    for f in functions:
        expected = f(tensor(a, requires_grad=False), tensor(b, requires_grad=False))
        np.testing.assert_allclose(f(tensor(a), tensor(b)).detach().array, expected.array)
        gradcheck(f, [a, b], order=2)
    assert NP.arange(tensor(np.asarray(3.0))).tolist() == [0.0, 1.0, 2.0]
    assert NP.linspace(tensor(a), 2.0, 3, dtype=np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="`stop` must have no axes"):
        NP.linspace(0.0, tensor(np.ones(2)), 3)


def test_functions_that_give_several_arrays_give_tuples(array_library: Any) -> None:
    xp = namespace(array_library)
    x = array_library.asarray([1.0, 2.0], dtype=array_library.float64)
    for v in (tensor(x), tensor(x, requires_grad=False)):
        for made in (xp.meshgrid(v, v), xp.broadcast_arrays(v, v), xp.unstack(v)):
            assert type(made) is tuple
            assert [isinstance(part, Tensor) for part in made] == [True, True]


def test_broadcast_shapes_is_known_to_every_library(array_library: Any) -> None:
    xp = namespace(array_library)
    assert xp.broadcast_shapes((2, 1), (3,), ()) == (2, 3)
    with pytest.raises((ValueError, RuntimeError), match="shape"):
        xp.broadcast_shapes((2,), (3,))


def test_a_tensor_of_the_same_library_passes_from_dlpack() -> None:
    x = tensor(np.ones(2))
    assert NP.from_dlpack(x) is x
    copied = NP.from_dlpack(x, copy=True)
    assert copied.requires_grad
    assert copied.array is not x.array
    assert NP.from_dlpack(np.ones(2)).tolist() == [1.0, 1.0]
    torch = pytest.importorskip("torch")
    with pytest.raises(BufferError, match=r"use `.detach\(\)`"):
        NP.from_dlpack(tensor(torch.ones(2)))
    assert NP.from_dlpack(tensor(torch.ones(2), requires_grad=False)).tolist() == [1.0, 1.0]


def test_asarray_copies_when_told_to(array_library: Any) -> None:
    xp = namespace(array_library)
    x = tensor(array_library.asarray([1.0], dtype=array_library.float64))
    assert xp.asarray(x, copy=False, dtype=x.dtype, device=x.device) is x
    copied = xp.asarray(x, copy=True)
    assert copied is not x
    assert copied.requires_grad
    moved = xp.astype(x, xp.float32, device=x.device)
    (moved + copied).backward(xp.ones((1,), dtype=xp.float64).array)
    assert x.grad.dtype == xp.float64
    assert float(x.grad[0]) == 2.0


def test_asarray_stacks_what_is_tracked(array_library: Any) -> None:
    xp = namespace(array_library)
    x = tensor(array_library.asarray([1.0, 2.0], dtype=array_library.float64))
    made = xp.asarray([[x[0], 3], (x[1] * x[0], True)])
    assert (made.shape, made.dtype) == ((2, 2), xp.float64)
    xp.sum(made * made).backward()
    assert [float(g) for g in (x.grad[0], x.grad[1])] == [10.0, 4.0]
    assert xp.asarray([x, x], dtype=xp.float32).dtype == xp.float32


def test_questions_about_dtypes_take_tensors(array_library: Any) -> None:
    xp = namespace(array_library)
    x = tensor(array_library.asarray([1.0], dtype=array_library.float32))
    assert xp.finfo(x).bits == xp.finfo(xp.float32).bits == 32
    assert xp.iinfo(xp.zeros((1,), dtype=xp.int8)).max == 127
    assert xp.result_type(x, 1.0, xp.float64) == xp.float64
    assert xp.can_cast(x, xp.float64)
    assert xp.isdtype(x.dtype, ("real floating", "integral"))
    info = xp.__array_namespace_info__()
    assert xp.isdtype(info.default_dtypes()["real floating"], "real floating")


def test_numbers_of_python_and_numpy_are_arguments(array_library: Any) -> None:
    xp = namespace(array_library)
    x = tensor(array_library.asarray([1.0, 2.0], dtype=array_library.float32))
    for made in (
        xp.maximum(x, 1.5),
        xp.multiply(np.float64(2.0), x) if array_library is not np else x * 2.0,
        xp.where(x > 1.0, x, 0.0),
        xp.clip(x, 0, 1.5),
        xp.pow(2, x),
        2 - x,
        x**2,
    ):
        assert made.requires_grad
        assert made.dtype == xp.float32


def test_namespaces_and_their_extensions_are_named() -> None:
    assert array_api_compat.array_namespace(tensor(X)) is NP
    assert NP.linalg is NP.linalg
    assert pickle.loads(pickle.dumps(NP.linalg)) is NP.linalg
    assert NP.linalg.__name__ == f"{NP.__name__}.linalg"
    assert NP.sum.__module__ == NP.__name__


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_variance_of_fewer_entries_than_the_correction_has_no_slope() -> None:
    assert np.isnan(grad(lambda x: NP.var(x, correction=2))(np.ones(1))).all()

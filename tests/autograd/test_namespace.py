"""``namespace(xp)`` as an Array API namespace, and Tensors beside other arrays."""

import math
import pickle
from importlib import import_module
from typing import Any

import array_api_compat
import array_api_compat.numpy as xp_numpy
import numpy as np
import pytest

from portable_losses.autograd import Tensor, namespace, tensor
from portable_losses.autograd.namespaces.own import OWN_FUNCTIONS
from portable_losses.autograd.rules import COMPOSED, OPERATIONS
from portable_losses.autograd.rules.constant import NO_GRADIENT
from tests.autograd.cases import LIBRARIES

NP = namespace(np)


def test_no_function_is_in_two_lists() -> None:
    assert not NO_GRADIENT & ({*OPERATIONS} | {*COMPOSED})
    assert not {*OPERATIONS} & {*COMPOSED}
    assert not {*OWN_FUNCTIONS} & ({*COMPOSED} | NO_GRADIENT)


def test_every_name_of_the_library_is_there() -> None:
    strict = pytest.importorskip("array_api_strict")
    xp = namespace(strict)
    assert [name for name in strict.__all__ if not hasattr(xp, name)] == ["__version__"]
    assert {"exp", "float32", "__array_api_version__", "__array_namespace_info__"} <= set(dir(xp))


# ---- the namespace itself ---------------------------------------------------------------------


def test_there_is_one_namespace_per_library(array_library: Any) -> None:
    x = array_library.asarray([1.0])
    xp = namespace(array_library)
    assert namespace(array_api_compat.array_namespace(x)) is xp
    assert namespace(xp) is xp
    assert tensor(x).__array_namespace__() is xp
    assert array_api_compat.array_namespace(tensor(x), tensor(x)) is xp
    assert hash(xp) == hash(namespace(array_library))
    assert xp.__name__ == f"portable_losses.autograd.{array_library.__name__}"
    assert pickle.loads(pickle.dumps(xp)) is xp


def test_dtypes_constants_and_metadata_are_those_of_the_library(array_library: Any) -> None:
    xp = namespace(array_library)
    assert xp.float32 == array_library.float32
    assert (xp.pi, xp.newaxis) == (math.pi, None)
    x = tensor(array_library.asarray([1.0], dtype=array_library.float64))
    assert xp.finfo(x.dtype).bits == 64
    assert xp.result_type(x, xp.float32) == xp.float64
    assert xp.isdtype(x.dtype, "real floating")
    assert xp.__array_namespace_info__().default_device() is not object
    made = xp.ones((2,), dtype=xp.float32)
    assert isinstance(made, Tensor)
    assert not made.requires_grad


def test_a_namespace_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="shared and cannot be changed"):
        NP.exp = None
    with pytest.raises(AttributeError, match="has no `no_such_name`"):
        NP.no_such_name  # noqa: B018


def test_an_unknown_year_of_the_standard_is_refused() -> None:
    x = tensor(np.ones(1))
    assert x.__array_namespace__(api_version="2024.12") is NP
    with pytest.raises(ValueError, match="`api_version` must be one of"):
        x.__array_namespace__(api_version="1999.01")


def test_functions_take_arrays_of_the_library_and_numbers() -> None:
    x = tensor(np.asarray([1.0, 4.0]))
    for y in (NP.add(x, 1.0), NP.add(np.ones(2), x), NP.where(x > 2, x, 0.0), NP.maximum(2.0, x)):
        assert y.requires_grad
    assert not NP.exp(np.ones(2)).requires_grad


# ---- beside other arrays ----------------------------------------------------------------------

OPERATIONS_BESIDE = [
    ("a + t", lambda a, t: a + t, True),
    ("t + a", lambda a, t: t + a, True),
    ("a - t", lambda a, t: a - t, True),
    ("a * t", lambda a, t: a * t, True),
    ("a / t", lambda a, t: a / t, True),
    ("a ** t", lambda a, t: a**t, True),
    ("a @ t", lambda a, t: a @ t, True),
    ("a < t", lambda a, t: a < t, False),
    ("a == t", lambda a, t: a == t, False),
    ("2 * t", lambda a, t: 2 * t, True),
    ("2 ** t", lambda a, t: 2**t, True),
]


@pytest.mark.parametrize(
    "text, f, tracked", OPERATIONS_BESIDE, ids=[row[0] for row in OPERATIONS_BESIDE]
)
def test_an_array_beside_a_tensor_lets_the_tensor_answer(
    array_library: Any, text: str, f: Any, tracked: bool
) -> None:
    a = array_library.asarray([1.0, 2.0], dtype=array_library.float64)
    t = tensor(a)
    if array_library.__name__ == "array_api_strict" and text.startswith("a "):
        with pytest.raises(TypeError, match="Expected Array or Python scalar"):
            f(a, t)  # it refuses every other array itself
        return
    result = f(a, t)
    assert isinstance(result, Tensor)
    assert result.requires_grad is tracked


@pytest.mark.parametrize("name", LIBRARIES[1:])
def test_arrays_of_two_libraries_are_refused(name: str) -> None:
    other = import_module(name).asarray([1.0, 2.0])
    t = tensor(np.ones(2))
    for meet in (
        lambda: t + other,
        lambda: other + t,
        lambda: NP.add(t, other),
        lambda: NP.concat([t, other]),
        lambda: t + tensor(other),
        lambda: NP.exp(other),
        lambda: t.backward(other),
    ):
        with pytest.raises(TypeError, match=r"two libraries|Expected Array"):
            meet()


def test_scalars_of_numpy_are_numbers_beside_every_library(array_library: Any) -> None:
    t = tensor(array_library.asarray([1.0, 2.0], dtype=array_library.float32))
    if array_library is not np and not array_library.__name__.startswith("dask"):
        assert (t * np.float64(2.0)).dtype == array_library.float32
    assert (np.float64(2.0) * t).requires_grad


def test_a_tracked_tensor_is_not_converted_silently() -> None:
    t = tensor(np.ones(2))
    with pytest.raises(TypeError, match=r"use `.detach\(\)`"):
        np.asarray(t)
    with pytest.raises(BufferError, match=r"use `.detach\(\)`"):
        np.from_dlpack(t)
    assert np.asarray(t.detach()).tolist() == [1.0, 1.0]
    assert np.from_dlpack(t.detach()).tolist() == [1.0, 1.0]


# ---- a Tensor as an array ---------------------------------------------------------------------


def test_a_tensor_has_what_an_array_has(array_library: Any) -> None:
    a = array_library.asarray([[1.0, 2.0, 3.0]], dtype=array_library.float64)
    t = tensor(a)
    assert (t.shape, t.ndim, t.size, t.dtype) == ((1, 3), 2, 3, a.dtype)
    assert type(t.shape) is tuple
    assert t.device == array_api_compat.device(a)
    assert t.to_device(t.device).requires_grad
    assert (t.T.shape, t.mT.shape, len(t)) == ((3, 1), (3, 1), 1)
    assert array_library.__name__ in repr(t)
    assert "tracked" in repr(t)
    if not array_library.__name__.startswith("dask"):
        assert (t.tolist(), t[0, 1].item()) == ([[1.0, 2.0, 3.0]], 2.0)
        assert [row.shape for row in t] == [(3,)]


def test_a_tensor_without_axes_is_a_number_and_no_sequence() -> None:
    t = tensor(np.asarray(2.0))
    assert (float(t), int(t), bool(t), complex(t)) == (2.0, 2, True, 2 + 0j)
    assert [10, 20, 30][tensor(np.asarray(1), requires_grad=False)] == 20
    for refuse in (iter, len):
        with pytest.raises(TypeError, match="without axes"):
            refuse(t)
    assert t.T.shape == ()


def test_asarray_of_a_tensor_is_the_tensor() -> None:
    t = tensor(np.ones(2))
    assert NP.asarray(t) is t
    assert NP.asarray(t, copy=False) is t
    assert NP.asarray(t, dtype=np.float32).requires_grad
    assert NP.astype(t, np.float64, copy=False) is t
    assert not NP.astype(t, np.int64).requires_grad
    assert not NP.sum(t, dtype=np.int64).requires_grad


def test_compat_and_plain_namespaces_meet() -> None:
    assert namespace(xp_numpy) is NP

"""NumPy's protocols on Tensors: operators, ufuncs with options, their methods, other libraries."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from portable_losses.autograd import Tensor, gradcheck, tensor

A = np.asarray([[0.5, -1.0, 2.0], [3.0, 0.25, -0.5]])


def values(x: Any) -> Any:
    return np.asarray(x.detach()) if isinstance(x, Tensor) else x


# ---- beside NumPy's own arrays ------------------------------------------------------------------

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "**": lambda a, b: abs(a) ** b,
    "@": lambda a, b: a @ b.T,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_between_an_array_and_a_tensor_is_the_tensor_s(name: str) -> None:
    operator, b = OPERATORS[name], np.asarray([[2.0, -1.5, 2.0], [1.0, 0.25, 4.0]])
    expected = operator(A, b)
    for x, y in ((tensor(A), b), (A, tensor(b)), (tensor(A), tensor(b))):
        found = operator(x, y)
        assert isinstance(found, Tensor)
        np.testing.assert_array_equal(values(found), expected)


@pytest.mark.parametrize("other", [2, 2.0, np.float32(2.0), np.float64(2.0), [1.0, 2.0, 3.0]])
def test_numbers_and_lists_promote_as_in_numpy(other: Any) -> None:
    a = A.astype(np.float32)
    for found, expected in (
        (tensor(a) * other, a * other),
        (other * tensor(a), other * a),
        (np.multiply(other, tensor(a)), np.multiply(other, a)),
    ):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(values(found), expected)


def test_an_update_of_an_array_by_a_tensor_is_refused() -> None:
    a = A.copy()
    with pytest.raises(TypeError, match="`out` must be a Tensor beside Tensors, got ndarray"):
        a += tensor(A)
    with pytest.raises(TypeError, match="its gradient would be lost"):
        np.exp(tensor(A), out=np.zeros_like(A))
    np.testing.assert_array_equal(a, A)


# ---- options and methods of ufuncs --------------------------------------------------------------


def test_a_tensor_takes_a_result_by_out() -> None:
    x, out = tensor(A), tensor(A, requires_grad=False) * 1.0
    made = np.multiply(x, 3.0, out=out)
    assert made is out
    out.sum().backward()
    np.testing.assert_array_equal(values(x.grad), np.full_like(A, 3.0))


def test_where_keeps_what_out_had() -> None:
    x, y = tensor(A), tensor(A)
    out = y * 1.0
    np.multiply(x, 3.0, out=out, where=A > 0)
    np.testing.assert_array_equal(values(out), np.multiply(A, 3.0, out=A.copy(), where=A > 0))
    out.sum().backward()
    np.testing.assert_array_equal(values(x.grad), np.where(A > 0, 3.0, 0.0))
    np.testing.assert_array_equal(values(y.grad), np.where(A > 0, 0.0, 1.0))
    with pytest.raises(TypeError, match="`where` of `multiply` needs `out`"):
        np.multiply(x, 3.0, where=A > 0)


def test_dtype_says_in_which_the_numbers_are_computed() -> None:
    found = np.add(tensor(A), 1.0, dtype=np.float32, casting="same_kind")
    assert found.dtype == np.float32
    assert np.add(tensor(A), 1, dtype="float32", casting="same_kind").dtype == np.float32


@pytest.mark.parametrize(
    "method",
    [
        lambda x: np.add.reduce(x),
        lambda x: np.add.reduce(x, axis=1, keepdims=True),
        lambda x: np.multiply.reduce(x, axis=None),
        lambda x: np.maximum.reduce(x, axis=1),
        lambda x: np.minimum.reduce(x),
        lambda x: np.add.accumulate(x),
        lambda x: np.maximum.accumulate(x, axis=1),
        lambda x: np.logaddexp.reduce(x, axis=-1, keepdims=True),
        lambda x: np.logaddexp.reduce(x, axis=None),
        lambda x: np.hypot.accumulate(x),
        lambda x: np.subtract.reduce(x),
        lambda x: np.multiply.accumulate(x, axis=1),
        lambda x: np.subtract.outer(x, A[0]),
        lambda x: np.logaddexp.outer(x, A[0]),
    ],
)
def test_methods_of_ufuncs_are_those_of_numpy(method: Callable[[Any], Any]) -> None:
    found, expected = method(tensor(A)), method(A)
    np.testing.assert_allclose(values(found), expected, rtol=1e-15)
    assert found.requires_grad


@pytest.mark.parametrize(
    "call, advice",
    [
        (lambda x: np.add.at(x, [0], 1.0), "scatter_add"),
        (lambda x: np.add.reduceat(x, [0, 1]), "np.split"),
        (lambda x: np.less.reduce(x), "not known"),
        (lambda x: np.logaddexp.reduce(x, initial=1.0), "functools.reduce"),
        (lambda x: np.hypot.reduce(x, out=np.zeros(3)), "`out` must be a Tensor"),
    ],
)
def test_a_method_that_is_not_there_says_what_to_write(
    call: Callable[[Any], Any], advice: str
) -> None:
    with pytest.raises(TypeError, match=advice):
        call(tensor(A))


# ---- other libraries ----------------------------------------------------------------------------


def test_an_xarray_of_a_tensor_is_differentiated() -> None:
    x = tensor(A)
    rows = xr.DataArray(x, dims=("row", "column"))
    weights = xr.DataArray(np.asarray([1.0, 2.0, 3.0]), dims="column")
    loss = (np.exp(rows * weights) * 2 + rows.isel(row=0)).sum()
    loss.data.backward()
    expected = 2 * np.asarray([1.0, 2.0, 3.0]) * np.exp(A * np.asarray([1.0, 2.0, 3.0]))
    expected[0] += 2.0
    np.testing.assert_allclose(values(x.grad), expected, rtol=1e-15)


OF_XARRAY: dict[str, Callable[[Any], Any]] = {
    "sum": lambda d: d.sum("a"),
    "mean": lambda d: d.mean(),
    "max": lambda d: d.max("b"),
    "std": lambda d: d.std("b"),
    "cumsum": lambda d: d.cumsum("b"),
    "diff": lambda d: d.diff("b"),
    "dot": lambda d: xr.dot(d, d, dim="b"),
    "where": lambda d: d.where(d > 0, 0.0),
    "fillna": lambda d: d.fillna(0.0),
    "groupby": lambda d: d.groupby("a").mean(),
    "concat": lambda d: xr.concat([d, 2 * d], "a"),
    "stack": lambda d: d.stack(z=("a", "b")) * 2.0,
    "sel": lambda d: d.sel(a=1).T,
    "dataset": lambda d: (xr.Dataset({"x": d}) * d)["x"],
}


@pytest.mark.parametrize("name", OF_XARRAY)
def test_what_xarray_does_is_differentiated(name: str) -> None:
    def loss(x: Any) -> Any:
        named = xr.DataArray(x, dims=("a", "b"), coords={"a": [0, 1]})
        return (OF_XARRAY[name](named) ** 2).sum().data

    assert loss(tensor(A)).item() == pytest.approx(float(loss(A)), rel=1e-15)
    gradcheck(loss, (A,), order=2)


@pytest.mark.parametrize("combine", ["t * s", "s * t"])
def test_an_array_of_xarray_answers_beside_a_tensor(combine: str) -> None:
    names = {"t": tensor(A), "s": xr.DataArray(A, dims=("a", "b"))}
    found = eval(combine, {}, names)
    assert isinstance(found, xr.DataArray)
    assert found.data.requires_grad


@pytest.mark.parametrize("combine", ["t * s", "s * t", "np.add(s, t)", "s @ t", "s + t[0]"])
def test_a_series_beside_a_tensor_is_refused(combine: str) -> None:
    names = {"t": tensor(np.ones(3)), "s": pd.Series([1.0, 2.0, 3.0]), "np": np}
    with pytest.raises(TypeError, match="gradient would be lost"):
        eval(combine, {}, names)


def test_what_is_no_array_answers_for_itself() -> None:
    class Other:
        __array_ufunc__ = None

        def __radd__(self, other: Any) -> str:
            return "mine"

    found: Any = tensor(A) + Other()
    assert found == "mine"
    with pytest.raises(TypeError):
        np.add(tensor(A), "text")

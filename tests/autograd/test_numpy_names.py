"""NumPy's own names on Tensors, from end to end: each is known or refused, views and updates."""

from collections.abc import Callable
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy._core.overrides import ARRAY_FUNCTIONS

from portable_losses.autograd import grad, no_grad, tensor
from tests.autograd.numpy_calls import OVER, numbers
from tests.libraries import Library

for _name in ("fft", "polynomial"):  # loaded when they are first asked for
    import_module(f"numpy.{_name}")
TABLE: Any = import_module("portable_losses.backends.numpy_code.names")
PROTOCOLS: Any = import_module("portable_losses.backends.numpy_code.protocols")


STRINGS = ("char.", "strings.")  # functions of text, which no Tensor holds


def name_of(function: Callable[..., Any]) -> str:
    inside = function.__module__.partition(".")[2]
    return f"{inside}.{function.__name__}" if inside else function.__name__


def test_every_function_that_asks_its_arguments_is_known_or_refused_with_advice() -> None:
    known = {*TABLE.FUNCTIONS, *PROTOCOLS.OF_VALUES}
    names = {name for name in map(name_of, ARRAY_FUNCTIONS) if not name.startswith(STRINGS)}
    assert len(names) > 280
    assert sorted(names - known - set(TABLE.REFUSED)) == []
    assert sorted(known & set(TABLE.REFUSED)) == []


def test_what_is_refused_says_what_to_write() -> None:
    with pytest.raises(TypeError, match=r"numpy.packbits.*detach"):
        np.packbits(tensor(np.asarray([1.0])))


@pytest.mark.parametrize("library", OVER, ids=str)
def test_numpy_functions_of_tensors_are_of_their_library(library: Library) -> None:
    if library.name == "dask":  # wants single chunks for a transform
        return
    x = tensor(library.array(numbers(3, 3)))
    made: Any = np.concatenate([np.linalg.inv(x), np.pad(x, 1)[1:-1, 1:-1]])
    total: Any = np.einsum("ij,ij->", made, made) + np.linalg.norm(np.fft.fft(x[0, ...]))
    total.backward()
    assert type(total.array) is type(x.array) or library.name == "numpy"
    assert x.grad is not None


# ---- updates in place -------------------------------------------------------------------------

X, V = numbers(3, 4), numbers(3, seed=1)
UPDATES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "copyto": lambda np_, x, v: np_.copyto(x, v[:, None]),
    "copyto of a number": lambda np_, x, v: np_.copyto(x, v[0], where=np.eye(3, 4, dtype=bool)),
    "put": lambda np_, x, v: np_.put(x, [0, -1, 5], v),
    "put in turn": lambda np_, x, v: np_.put(x, [0, 3, 5, 3], v[:2]),
    "put, wrapped": lambda np_, x, v: np_.put(x, [13, -13, 5], v, mode="wrap"),
    "put, clipped": lambda np_, x, v: np_.put(x, [13, -13, 5], v, mode="clip"),
    "putmask": lambda np_, x, v: np_.putmask(x, np.tri(3, 4) > 0, v),
    "place": lambda np_, x, v: np_.place(x, np.tri(3, 4) > 0, v),
    "fill_diagonal": lambda np_, x, v: np_.fill_diagonal(x, v),
    "fill_diagonal with a number": lambda np_, x, v: np_.fill_diagonal(x, v[1]),
    "fill_diagonal of a tall one": lambda np_, x, v: np_.fill_diagonal(x.T, v, wrap=True),
    "put_along_axis": lambda np_, x, v: np_.put_along_axis(
        x, np.asarray([[0, 2], [1, 3], [-1, 0]]), v[:, None], axis=1
    ),
    "put_along_axis, one axis": lambda np_, x, v: np_.put_along_axis(
        x, np.asarray([[1, 0, 2, 1]]), v[2], axis=0
    ),
}


@pytest.mark.parametrize("library", OVER, ids=str)
@pytest.mark.parametrize("name", UPDATES)
def test_updates_in_place_are_those_of_numpy(name: str, library: Library) -> None:
    if library.name == "dask" and name in ("put_along_axis", "fill_diagonal of a tall one"):
        return  # it takes one entry for each line alone, and joins no axes of several chunks
    expected = X * 2
    UPDATES[name](np, expected, V)
    x, v = tensor(library.array(X)), tensor(library.array(V))
    y = x * 2
    UPDATES[name](np, y, v)
    np.testing.assert_allclose(library.numpy(y), expected)
    np.vdot(y, y).backward()
    whole = np.zeros(3 * 4)
    for i in range(12):  # the value is quadratic: this difference is exact
        pair = [X.copy(), X.copy()]
        for sign, moved in zip((1, -1), pair, strict=True):
            moved.ravel()[i] += sign * 0.5
            moved *= 2
            UPDATES[name](np, moved, V)
        whole[i] = np.sum(pair[0] ** 2) - np.sum(pair[1] ** 2)
    np.testing.assert_allclose(library.numpy(x.grad), whole.reshape(3, 4), atol=1e-12)
    parts = np.zeros(3)
    for i in range(3):
        ends: list[Any] = []
        for step in (0.5, -0.5):
            moved, values = X * 2, V.copy()
            values[i] += step
            UPDATES[name](np, moved, values)
            ends.append(np.sum(moved**2))
        parts[i] = ends[0] - ends[1]
    np.testing.assert_allclose(library.numpy(v.grad), parts, atol=1e-12)


def test_a_leaf_is_updated_without_recording_only() -> None:
    x: Any = tensor(np.zeros((2, 2)))
    with pytest.raises(RuntimeError, match="leaf"):
        np.fill_diagonal(x, 1.0)
    with no_grad():
        np.fill_diagonal(x, 1.0)
    assert x.tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_foreign_arrays_are_not_updated_with_tensors() -> None:
    x = tensor(np.asarray([1.0, 2.0]))
    with pytest.raises(TypeError, match="copyto"):
        np.copyto(np.zeros(2), x)  # pyright: ignore[reportArgumentType, reportCallIssue]
    with pytest.raises(TypeError, match="`out` must be a Tensor"):
        np.concatenate([x, x], out=np.zeros(4))  # pyright: ignore[reportArgumentType, reportCallIssue]


def test_results_are_stored_in_a_tensor() -> None:
    x = tensor(np.asarray([1.0, 2.0]))
    out: Any = tensor(np.zeros((2, 2)), requires_grad=False)
    assert np.outer(x, x, out=out) is out
    assert out.tolist() == [[1.0, 2.0], [2.0, 4.0]]
    assert np.einsum("i,j->ij", x, x, out=out) is out
    np.vdot(out, np.ones((2, 2))).backward()
    assert x.grad.tolist() == [6.0, 6.0]


# ---- views ------------------------------------------------------------------------------------

VIEWS: dict[str, Callable[[Any], Any]] = {
    "reshape": lambda x: np.reshape(x, (4, 3)),
    "ravel": np.ravel,
    "transpose": np.transpose,
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "moveaxis": lambda x: np.moveaxis(x, 0, 1),
    "rollaxis": lambda x: np.rollaxis(x, 1),
    "squeeze": np.squeeze,
    "expand_dims": lambda x: np.expand_dims(x, 1),
    "atleast_3d": np.atleast_3d,
    "flip": np.flip,
    "flipud": np.flipud,
    "rot90": np.rot90,
    "rot90 twice": lambda x: np.rot90(x, 2),
    "split": lambda x: np.split(x, 2, axis=1)[1],
    "array_split": lambda x: np.array_split(x, 2)[0],
    "unstack": lambda x: np.unstack(x)[1],
}
COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": np.copy,
    "reshape": lambda x: np.reshape(x, (4, 3), copy=True),
    "take": lambda x: np.take(x, [0, 1], axis=1),
    "roll": lambda x: np.roll(x, 1),
    "concatenate": lambda x: np.concatenate([x]),
    "delete": lambda x: np.delete(x, 0, axis=0),
    "tile": lambda x: np.tile(x, 1),
    "meshgrid": lambda x: np.meshgrid(x)[0],
}


@pytest.mark.parametrize("library", [one for one in OVER if one.name != "jax"], ids=str)
@pytest.mark.parametrize("name", VIEWS)
def test_views_are_views_as_in_numpy(name: str, library: Library) -> None:
    if (name, library.name) == ("reshape", "dask"):  # joins no axes of several chunks
        return
    plain = X * 2
    part = VIEWS[name](plain)
    part[...] = part + 1
    y = tensor(library.array(X)) * 2
    shown = VIEWS[name](y)
    assert np.shares_memory(y, shown)
    shown[...] = shown + 1
    np.testing.assert_allclose(library.numpy(y), plain)


@pytest.mark.parametrize("name", COPIES)
def test_copies_are_copies_as_in_numpy(name: str) -> None:
    y = tensor(X) * 2
    made = COPIES[name](y)
    made[...] = 0.0
    assert not np.shares_memory(y, made)
    assert y.tolist() == (X * 2).tolist()


def test_two_halves_share_no_memory() -> None:
    x = tensor(np.zeros(4))
    assert not np.shares_memory(x[:2], x[2:])
    assert np.may_share_memory(x[:3], x[2:])


# ---- dtypes, text and files -------------------------------------------------------------------


def test_dtypes_are_those_of_the_library() -> None:
    x = tensor(np.zeros(2, dtype=np.float32))
    assert np.result_type(x, np.float64) == np.float64
    assert np.result_type(x, 1.0) == np.float32
    assert np.common_type(x, tensor(np.zeros(1))) == np.float64
    assert np.can_cast(x, np.float64)
    assert not np.can_cast(x, np.int64)
    assert np.can_cast(x, np.float16, casting="same_kind")


@pytest.mark.parametrize("library", OVER, ids=str)
def test_text_is_that_of_the_values(library: Library) -> None:
    x = tensor(library.array(X)) * 1
    assert np.array_repr(x, precision=2) == np.array_repr(X, precision=2)
    assert np.array2string(x, separator="; ") == np.array2string(X, separator="; ")


def test_values_are_saved_and_what_is_tracked_is_refused(tmp_path: Path) -> None:
    x, file = tensor(X), BytesIO()
    np.save(file, x.detach())
    file.seek(0)
    assert np.load(file).tolist() == X.tolist()
    np.savez(tmp_path / "x.npz", x=x.detach())
    assert np.load(tmp_path / "x.npz")["x"].tolist() == X.tolist()
    with pytest.raises(TypeError, match="detach"):
        np.save(BytesIO(), x)


# ---- like= ------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", OVER, ids=str)
def test_arrays_like_a_tensor_are_of_its_library(library: Library) -> None:
    like: Any = tensor(library.array(numbers(2)))
    for made, expected in (
        (np.zeros((2, 3), like=like), np.zeros((2, 3))),
        (np.ones(2, dtype=np.float32, like=like), np.ones(2, dtype=np.float32)),
        (np.full((2,), 3.0, like=like), np.full((2,), 3.0)),
        (np.eye(2, 3, 1, like=like), np.eye(2, 3, 1)),
        (np.identity(2, like=like), np.eye(2)),
        (np.tri(3, like=like), np.tri(3)),
        (np.arange(4, like=like), np.arange(4)),
        (np.arange(1, 4, 2, dtype=float, like=like), np.arange(1, 4, 2, dtype=float)),
        (np.asarray([[1, 2]], dtype=float, like=like), np.asarray([[1.0, 2.0]])),
        (np.array([1.5, 2.0], ndmin=2, like=like), np.asarray([[1.5, 2.0]])),
        (np.ascontiguousarray(1.5, like=like), np.asarray([1.5])),
    ):
        got = library.numpy(made)
        assert got.shape == expected.shape
        assert got.dtype.kind == expected.dtype.kind
        assert got.tolist() == expected.tolist()


def test_numbers_of_tensors_are_joined_to_a_tracked_array() -> None:
    def norm(x: Any) -> Any:
        return np.linalg.norm(np.array([x[0] * 2, 3.0, x[1]], like=x))

    x = np.asarray([0.5, 2.0])
    length = np.sqrt(14.0)
    np.testing.assert_allclose(grad(norm)(x), [2 / length, 2 / length])

"""Batches: which rows, in which order, of which library."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from portable_losses import Tensor
from portable_losses.data import ArrayDataset, Batches, collate
from tests.libraries import Library

X, Y = np.arange(20.0).reshape(10, 2), np.arange(10)


def rows(batches: Any, library: Library) -> list[list[int]]:
    return [library.numpy(y).tolist() for _, y in batches]


def test_batches_are_rows_in_the_order_that_a_seed_says(library: Library) -> None:
    arrays = library.array(X), library.array(Y)
    plain = Batches(arrays, batch_size=4)
    assert rows(plain, library) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert len(plain) == 3
    shuffled = Batches(arrays, batch_size=4, shuffle=True, rng=0)
    first, second = rows(shuffled, library), rows(shuffled, library)
    assert first != second
    assert [sorted(y for ys in epoch for y in ys) for epoch in (first, second)] == [
        list(range(10))
    ] * 2
    again = Batches((X, Y), batch_size=4, shuffle=True, rng=0)
    epochs = [[y.tolist() for _, y in again] for _ in range(2)]
    assert epochs == [first, second]  # on NumPy as on every library
    for x, y in shuffled:
        np.testing.assert_array_equal(library.numpy(x), X[library.numpy(y)])
        assert type(x) is type(arrays[0])


def test_tensors_named_arrays_and_a_single_one_are_taken_by_rows() -> None:
    t = Tensor(X, requires_grad=True)
    for batch in Batches({"x": t, "y": Y}, batch_size=5, shuffle=True, rng=1):
        batch["x"].sum().backward()
        assert batch["x"].data.tolist() == X[batch["y"]].tolist()
    np.testing.assert_array_equal(t.grad.data, np.ones((10, 2)))
    assert [len(x) for x in Batches(X, batch_size=3, drop_last=True)] == [3, 3, 3]
    assert len(Batches(X, batch_size=3, drop_last=True)) == 3


class Squares:
    """A data set of one's own."""

    def __len__(self) -> int:
        return 7

    def __getitem__(self, i: int) -> dict[str, Any]:
        if i >= 7:
            raise IndexError(i)
        return {"x": X[i], "pair": (i, i**2), "name": str(i)}


def test_the_items_of_a_data_set_are_put_together() -> None:
    first, *_, last = Batches(Squares(), batch_size=3)
    np.testing.assert_array_equal(first["x"], X[:3])
    assert [part.tolist() for part in first["pair"]] == [[0, 1, 2], [0, 1, 4]]
    assert first["name"] == ["0", "1", "2"]
    assert last["x"].shape == (1, 2)
    stacked = collate([Tensor([1.0], requires_grad=True), Tensor([2.0])])
    assert isinstance(stacked, Tensor)
    assert stacked.requires_grad


def test_a_stream_comes_in_batches_and_has_no_order() -> None:
    def stream() -> Iterator[int]:
        yield from range(5)

    assert [b.tolist() for b in Batches(stream(), batch_size=2)] == [[0, 1], [2, 3], [4]]
    assert [b.tolist() for b in Batches(stream(), 2, drop_last=True)] == [[0, 1], [2, 3]]
    with pytest.raises(TypeError, match="`shuffle` needs `data` with `__getitem__`"):
        Batches(stream(), shuffle=True)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: Batches((X, Y[:3])), ValueError, "the same number of rows, got"),
        (lambda: Batches(3), TypeError, "`data` must be arrays, a data set or an iterable"),
        (lambda: Batches(X, 0), ValueError, "`batch_size` must be at least 1, got 0"),
        (lambda: ArrayDataset(X, y=Y), TypeError, "either by position or by name"),
        (lambda: ArrayDataset(np.asarray(1.0)), TypeError, "of at least one axis"),
        (lambda: Batches(X, rng="a"), TypeError, "`rng` must be None, a seed"),
    ],
)
def test_what_makes_no_batches_is_refused(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_pytorchs_loader_goes_through_our_arrays() -> None:
    torch = pytest.importorskip("torch")
    data = pytest.importorskip("torch.utils.data")
    options = {"batch_size": 4, "shuffle": True}
    seed = torch.Generator().manual_seed(0)
    loader = data.DataLoader(ArrayDataset(X, Y), collate_fn=collate, generator=seed, **options)
    seen: list[int] = []
    for x, y in loader:
        assert isinstance(x, np.ndarray)
        np.testing.assert_array_equal(x, X[y])
        seen += y.tolist()
    assert sorted(seen) == list(range(10))
    x, y = next(iter(data.DataLoader(ArrayDataset(X, Y), **options)))  # PyTorch's own way to stack
    assert isinstance(Tensor(x).array, torch.Tensor)
    assert y.tolist() == [int(v) for v in x[:, 0] / 2]

"""Data in batches: rows of arrays of any library, in an order that a seed repeats.

>>> import numpy as np
>>> from portable_losses.data import Batches
>>> images, labels = np.zeros((100, 8, 8)), np.arange(100) % 10
>>> [len(y) for x, y in Batches((images, labels), batch_size=32, shuffle=True, rng=0)]
[32, 32, 32, 4]
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from portable_losses._options import check_count, check_flag
from portable_losses._plain import array_of_plain, is_plain, numpy_or
from portable_losses._polyfill import device_of
from portable_losses._tape import TapeArray
from portable_losses.autograd._libraries import is_array, library_of
from portable_losses.nn.generator import Generator, as_source, draw_uniform

__all__ = ["ArrayDataset", "Batches", "collate"]


class ArrayDataset:
    """Arrays of one length, taken by rows: what `Batches`, and PyTorch's DataLoader, go through.

    Parameters
    ----------
    *arrays : array or Tensor
        Of any library, each with the same number of rows.
    **named : array or Tensor
        By name instead.

    Raises
    ------
    TypeError
        There is no array, something is none, or some are given by name and some are not.
    ValueError
        The arrays have different numbers of rows.

    Notes
    -----
    ``dataset[i]`` is row `i` of every array: a tuple of them, a dict where they are named, and
    the row itself where there is one array alone. A slice, or positions in a list or an array, take
    several rows.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.data import ArrayDataset
    >>> dataset = ArrayDataset(np.eye(3), np.asarray([5, 6, 7]))
    >>> dataset[1]
    (array([0., 1., 0.]), np.int64(6))
    >>> len(dataset), dataset[[2, 0]][1]
    (3, array([7, 5]))
    """

    def __init__(self, *arrays: Any, **named: Any) -> None:
        if bool(arrays) == bool(named):
            msg = "give arrays either by position or by name, at least one"
            raise TypeError(msg)
        self._arrays = named or {f"arrays[{i}]": x for i, x in enumerate(arrays)}
        self._named, self._alone = bool(named), len(arrays) == 1
        for name, x in self._arrays.items():
            array: Any = x
            if not is_array(x) or not array.ndim:
                kind = type(x).__name__
                msg = f"`{name}` must be an array of at least one axis, got {kind}"
                raise TypeError(msg)
        lengths: dict[str, int] = {name: x.shape[0] for name, x in self._arrays.items()}
        if len(set(lengths.values())) > 1:
            msg = f"all arrays must have the same number of rows, got {lengths}"
            raise ValueError(msg)
        self._length = max(lengths.values())

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Any) -> Any:
        rows = {name: _rows(x, index) for name, x in self._arrays.items()}
        if self._named:
            return rows
        return next(iter(rows.values())) if self._alone else tuple(rows.values())


def _rows(x: Any, index: Any) -> Any:
    """Return rows of an array: one, those of a slice, or those at positions."""
    positions = index.tolist() if hasattr(index, "tolist") else index
    if isinstance(positions, list | tuple | range):
        xp = _namespace_of(x)
        places = xp.asarray(list(positions), dtype=xp.int64, device=device_of(x, xp=xp))
        return xp.take(x, places, axis=0)
    return x[positions, ...] if x.ndim > 1 else x[positions]


def _namespace_of(x: Any) -> Any:
    library = library_of(x)
    return library.tape if isinstance(x, TapeArray) else library.xp


class Batches:
    """Batches of a data set, in its own order or in one that a seed repeats.

    Parameters
    ----------
    data : array, tuple or dict of arrays, data set, or iterable
        Arrays of any library, or Tensors, are taken by rows, as `ArrayDataset` takes them. A data
        set is anything with ``__getitem__`` and ``__len__``: its items are fetched one by one and
        put together by `collate`. So are those of an iterable, which has no length and no order.
    batch_size : int, default 32
        Rows of a batch; the last one may have less.
    shuffle : bool, default False
        Take the rows in another order at every iteration.
    rng : optional
        What `shuffle` draws from: a seed or a generator; see `portable_losses.nn.init`. The same
        seed gives the same orders, one iteration after the other, on every library.
    drop_last : bool, default False
        Leave out a last batch that is not full.

    Raises
    ------
    TypeError
        `data` is none of these, or an iterable that is to be shuffled.
    ValueError
        `batch_size` is less than 1, or arrays have different numbers of rows.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.data import Batches
    >>> x, y = np.arange(10.0), np.arange(10)
    >>> for xs, ys in Batches((x, y), batch_size=4):
    ...     print(xs, ys)
    [0. 1. 2. 3.] [0 1 2 3]
    [4. 5. 6. 7.] [4 5 6 7]
    [8. 9.] [8 9]
    >>> len(Batches((x, y), batch_size=4, drop_last=True))
    2
    """

    def __init__(
        self,
        data: Any,
        batch_size: int = 32,
        *,
        shuffle: bool = False,
        rng: Generator = None,
        drop_last: bool = False,
    ) -> None:
        check_count(batch_size=batch_size)
        check_flag(shuffle=shuffle, drop_last=drop_last)
        self.data = _as_dataset(data)
        self.batch_size, self.shuffle, self.drop_last = batch_size, shuffle, drop_last
        self._rng = as_source(rng)
        if shuffle and not _has_rows(self.data):
            msg = "`shuffle` needs `data` with `__getitem__` and `__len__`, got an iterable"
            raise TypeError(msg)

    def __len__(self) -> int:
        n, size = len(self.data), self.batch_size
        return n // size if self.drop_last else -(-n // size)

    def __iter__(self) -> Iterator[Any]:
        if not _has_rows(self.data):
            return self._stream()
        n = len(self.data)
        if not self.shuffle:
            return self._walk(range(n))
        drawn = draw_uniform(n, self._rng)
        return self._walk(sorted(range(n), key=drawn.__getitem__))

    def _walk(self, order: Any) -> Iterator[Any]:
        """Yield the batches of an order."""
        for i in range(len(self)):
            places = order[i * self.batch_size : (i + 1) * self.batch_size]
            if not isinstance(self.data, ArrayDataset):
                yield collate([self.data[place] for place in places])
            elif isinstance(places, range):  # views of the rows, no copies
                yield self.data[places.start : places.stop]
            else:
                yield self.data[places]

    def _stream(self) -> Iterator[Any]:
        """Yield the batches of what has no order."""
        items = iter(self.data)
        while batch := list(islice(items, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield collate(batch)


def _as_dataset(data: Any) -> Any:
    """Return a data set of arrays, or `data` where it is one; TypeError where it is nothing."""
    if is_array(data):
        return ArrayDataset(data)
    if isinstance(data, Mapping) and data and all(map(is_array, data.values())):
        return ArrayDataset(**data)
    if isinstance(data, tuple | list) and data and all(map(is_array, data)):
        return ArrayDataset(*data)
    if _has_rows(data) or isinstance(data, Iterable):
        return data
    msg = f"`data` must be arrays, a data set or an iterable, got {type(data).__name__}"
    raise TypeError(msg)


def _has_rows(data: Any) -> bool:
    return hasattr(data, "__getitem__") and hasattr(data, "__len__")


def collate(items: list[Any]) -> Any:
    """Put the items of a batch together: arrays and numbers become an array of one more axis.

    Parameters
    ----------
    items : list
        Of arrays, Tensors, numbers or lists of them, or of tuples and dicts of these.

    Returns
    -------
    array, tuple or dict
        Arrays are stacked by their own library; numbers become a NumPy array; tuples and
        dicts hold the batches of their entries; of anything else there is a list.

    Raises
    ------
    ValueError
        Items have different shapes, or tuples of different lengths.

    Notes
    -----
    PyTorch's DataLoader takes this as `collate_fn`, and gives arrays of the data set's library.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.data import collate
    >>> collate([(np.ones(2), 0), (np.zeros(2), 1)])
    (array([[1., 1.],
           [0., 0.]]), array([0, 1]))
    """
    first = items[0]
    if isinstance(first, Mapping):
        return {key: collate([item[key] for item in items]) for key in first}
    if isinstance(first, tuple):
        return tuple(collate(list(column)) for column in zip(*items, strict=True))
    if is_array(first):
        return _namespace_of(first).stack(items)
    if is_plain(first):
        return array_of_plain(items, "items", xp=numpy_or(None, "items"))
    return items

"""What NumPy refuses, its names refuse of Tensors as well, with the same kind of error."""

from operator import attrgetter
from typing import Any

import numpy as np
import pytest

from portable_losses.autograd import tensor

N, V, X, S = np.asarray(1.0), np.ones(3), np.ones((2, 3)), np.ones((2, 2, 3))

CALLS: list[tuple[Any, ...]] = [
    ("reshape", X, (4, 2)),
    ("reshape", X, (-1, -1)),
    ("reshape", X, (4, -1)),
    ("transpose", X, (0,)),
    ("transpose", X, (0, 0)),
    ("transpose", X, (0, 2)),
    ("swapaxes", X, 0, 2),
    ("moveaxis", X, (0, 1), (0,)),
    ("moveaxis", X, (0, 0), (0, 1)),
    ("squeeze", X, 0),
    ("squeeze", X, 5),
    ("expand_dims", X, (0, 0)),
    ("expand_dims", X, 4),
    ("flip", X, 2),
    ("fliplr", V),
    ("flipud", N),
    ("rot90", V),
    ("rot90", X, 1, (0, 0)),
    ("rot90", X, 1, (0, 1, 1)),
    ("roll", X, (1, 2), (0, 1, 1)),
    ("roll", X, 1, 3),
    ("repeat", X, [1, 2], 1),
    ("repeat", X, -1),
    ("take", X, 7),
    ("take", X, [0, 9], 1),
    ("take", X, [0], 3),
    ("delete", V, 5),
    ("insert", V, 7, 1.0),
    ("append", X, V, 0),
    ("diag", S),
    ("diagonal", V),
    ("diagonal", X, 0, 0, 0),
    ("trace", V),
    ("pad", X, -1),
    ("pad", X, 1, "empty2"),
    ("pad", X, ((1, 2), (1, 2), (1, 2))),
    ("concatenate", [X, V]),
    ("concatenate", [X, X[:, :2]]),
    ("concatenate", []),
    ("concatenate", [X, X], 5),
    ("stack", [X, V]),
    ("stack", []),
    ("stack", [X], 4),
    ("vstack", [X, S]),
    ("hstack", []),
    ("split", V, 2),
    ("array_split", V, 0),
    ("vsplit", V, 1),
    ("dsplit", X, 1),
    ("hsplit", N, 1),
    ("block", [[X], X]),
    ("dot", X, X),
    ("dot", X, np.ones(2)),
    ("vdot", X, V),
    ("inner", X, np.ones(2)),
    ("tensordot", X, X, 1),
    ("tensordot", X, X, ([0], [0, 1])),
    ("einsum", "ij,j", X),
    ("einsum", "ijk", X),
    ("einsum", "ij->k", X),
    ("einsum", "ij->ii", X),
    ("einsum", "ii", X),
    ("einsum", "ij,jk", X, X),
    ("cross", np.ones(4), np.ones(4)),
    ("convolve", X, V),
    ("convolve", V, V[:0]),
    ("convolve", V, V, "wrong"),
    ("vander", X),
    ("polyfit", V, np.ones(4), 1),
    ("linalg.norm", S, 1),
    ("linalg.norm", X, 5),
    ("linalg.norm", V, "fro"),
    ("linalg.norm", V, "nuc"),
    ("linalg.norm", S, None, (0, 1, 2)),
    ("linalg.norm", X, 2, (0, 0)),
    ("linalg.inv", X),
    ("linalg.inv", V),
    ("linalg.det", X),
    ("linalg.solve", X, V),
    ("linalg.solve", np.eye(3), np.ones(2)),
    ("linalg.cholesky", X),
    ("linalg.cholesky", -np.eye(2)),
    ("linalg.eigh", np.eye(2), "X"),
    ("linalg.eig", X),
    ("linalg.matrix_power", X, 2),
    ("linalg.matrix_power", np.eye(2), 1.5),
    ("linalg.multi_dot", [X]),
    ("linalg.tensorinv", X, 0),
    ("linalg.lstsq", X, np.ones(5)),
    ("linalg.qr", X, "wrong"),
    ("linalg.inv", np.zeros((2, 2))),
    ("fft.fft", X, 0),
    ("fft.fft", X, None, 3),
    ("fft.fftn", X, (1, 2), (0,)),
    ("fft.rfft", X * 1j),
    ("fft.fft", X, None, -1, "wrong"),
    ("diff", V, -1),
    ("diff", N),
    ("gradient", V, 1.0, 2.0),
    ("gradient", V, np.ones(2)),
    ("gradient", np.ones(1)),
    ("trapezoid", X, np.ones(5)),
    ("linspace", V, V, -1),
    ("broadcast_to", X, (2, 2)),
    ("broadcast_arrays", X, np.ones(2)),
    ("unravel_index", [9], (2, 3)),
    ("ravel_multi_index", ([3], [0]), (2, 3)),
    ("take_along_axis", X, np.asarray([0]), 1),
    ("apply_along_axis", lambda v: v, 3, X),
    ("lib.stride_tricks.sliding_window_view", V, 5),
    ("resize", V, -1),
    ("resize", V, (-2, 2)),
    ("tile", V, -1),
    ("full_like", X, np.ones(5)),
    ("geomspace", 0 * V, 1.0, 3),
    ("interp", V, V, np.ones(2)),
    ("bincount", V),
]


def with_tensors(x: Any) -> Any:
    """Return nested arguments with Tensors for floating arrays."""
    if isinstance(x, np.ndarray) and x.dtype.kind in "fc":
        return tensor(x)
    if isinstance(x, list) and any(isinstance(v, np.ndarray | list) for v in x):
        return [with_tensors(v) for v in x]
    return x


@pytest.mark.parametrize(("name", "args"), [(name, args) for name, *args in CALLS])
def test_what_numpy_refuses_is_refused_of_tensors(name: str, args: list[Any]) -> None:
    function = attrgetter(name)(np)
    with np.errstate(all="ignore"):
        with pytest.raises((ValueError, TypeError, IndexError)) as refused:
            function(*args)
        expected = ValueError if isinstance(refused.value, ValueError) else refused.type
        with pytest.raises(expected):
            function(*map(with_tensors, args))

"""No way out of the tape is silent: code that would drop a gradient is told what to write."""

import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.signal
import scipy.stats

from portable_losses.autograd import tensor

V, M = np.asarray([1.0, 2.0, 3.0]), np.asarray([[2.0, 1.0], [1.0, 3.0]])
A: Any = np

REFUSED: dict[str, Callable[[Any, Any, Any], Any]] = {  # a vector, a matrix, a number
    "list": lambda x, m, s: A.array([s, s]),
    "objects": lambda x, m, s: A.array([s, s], dtype=object),
    "list of rows": lambda x, m, s: A.linalg.det([[s, 1.0], [1.0, s]]),
    "weights in a list": lambda x, m, s: A.average(V, weights=[s, 1.0, 1.0]),
    "vectorize": lambda x, m, s: A.vectorize(lambda v: v * 2)(x),
    "polynomial": lambda x, m, s: A.polynomial.Polynomial(x),
    "masked": lambda x, m, s: A.ma.array(x),
    "objects by astype": lambda x, m, s: x.astype(object),
    "random": lambda x, m, s: A.random.default_rng(0).normal(s),
    "random choice": lambda x, m, s: A.random.default_rng(0).choice(3, p=x / 6),
    "testing": lambda x, m, s: A.testing.assert_allclose(x, V),
    "linalg": lambda x, m, s: scipy.linalg.solve(m, V[:2]),
    "expm": lambda x, m, s: scipy.linalg.expm(m),
    "stats": lambda x, m, s: scipy.stats.norm.logpdf(V, loc=s),
    "integrate": lambda x, m, s: scipy.integrate.solve_ivp(lambda t, y: -s * y, (0, 1), [1.0]),
    "filter": lambda x, m, s: scipy.signal.lfilter([s], [1.0, 0.5], V),
    "a method of an array": lambda x, m, s: V.dot(x),
    "in place": lambda x, m, s: V.copy().__iadd__(x),
    "a product in place": lambda x, m, s: A.matmul(m, m, out=np.eye(2)),
    "real part": lambda x, m, s: setattr(np.zeros(3, complex), "real", x),
    "nditer": lambda x, m, s: list(A.ndenumerate(x)),
    "dlpack": lambda x, m, s: A.from_dlpack(x),
}
KEPT: dict[str, Callable[[Any, Any, Any], Any]] = {
    "sum": lambda x, m, s: sum(x),
    "max": lambda x, m, s: max(x),
    "sorted": lambda x, m, s: sorted(x)[1],
    "median": lambda x, m, s: statistics.median(x),
    "round": lambda x, m, s: round(s, 1),
    "divmod": lambda x, m, s: divmod(s, 3)[1],
    "divmod, turned": lambda x, m, s: divmod(7, s)[1],
    "power": lambda x, m, s: pow(2, s),
    "poly1d": lambda x, m, s: A.poly1d(x)(2.0),
    "chebyshev": lambda x, m, s: A.polynomial.chebyshev.chebval(s, [1.0, 2.0, 3.0]),
    "objects added": lambda x, m, s: (A.asarray([1, 2, 3], dtype=object) * x).sum(),
    "insert": lambda x, m, s: A.insert(V, 0, s)[0],
    "a scalar": lambda x, m, s: np.float64(2.0) * s,
}


@pytest.mark.parametrize("way", REFUSED)
def test_a_way_out_of_the_tape_is_refused_with_advice(way: str) -> None:
    x, m, s = (tensor(v) * 1 for v in (V, M, np.asarray(2.0)))
    with pytest.raises((TypeError, ValueError, BufferError)) as raised:
        REFUSED[way](x, m, s)
    said: list[str] = []
    error: BaseException | None = raised.value
    while error is not None:  # NumPy and SciPy raise their own error from ours
        said.append(str(error))
        error = error.__cause__ or error.__context__
    ours = " ".join(text for text in said if "Tensor" in text)
    assert "use" in ours or "`np." in ours


@pytest.mark.parametrize("way", KEPT)
def test_what_python_does_with_numbers_is_recorded(way: str) -> None:
    x, m, s = (tensor(v) * 1 for v in (V, M, np.asarray(2.0)))
    assert KEPT[way](x, m, s).requires_grad

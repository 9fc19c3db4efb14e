"""The spellings of the articles that this library grew out of, and the numbers that they print.

On Tensors over NumPy, PyTorch, JAX, and the double of a GPU's library; `A` makes a Tensor over the
library at hand, and `got` brings one to NumPy.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import portable_losses as pl
from portable_losses import Tensor, nn, optim
from tests.libraries import LIBRARIES, Library, named

HERE = [one for one in LIBRARIES if one.name in ("numpy", "torch", "jax", "double")]
X = [[0.5, -1.0, 2.0], [3.0, 4.0, -5.0]]
E = np.exp(X)
SOFT = E / E.sum(axis=1, keepdims=True)
COUNT = [1, 2, 3, 4, 5, 6, 7]


class Spelling(NamedTuple):
    """What is written of a Tensor, what it is in NumPy, and its gradient where 1 comes back."""

    text: str
    of: Callable[[Any], Any]
    want: Any
    slope: Any = None
    values: Any = X

    def __str__(self) -> str:
        return self.text


N = np.asarray(X)
SPELLINGS = [
    Spelling("abs(t)", abs, abs(N), np.sign(N)),
    Spelling("-t", lambda t: -t, -N, -np.ones((2, 3))),
    Spelling("t.exp()", lambda t: t.exp(), E, E),
    Spelling("t.abs().log()", lambda t: t.abs().log(), np.log(abs(N)), 1 / N),
    Spelling("t.abs() at 0", lambda t: t.abs(), [1, 0, 2], [-1, 0, 1], [-1.0, 0.0, 2.0]),
    Spelling("t.square().sqrt()", lambda t: t.square().sqrt(), abs(N), np.sign(N)),
    Spelling("t.tanh()", lambda t: t.tanh(), np.tanh(N), 1 - np.tanh(N) ** 2),
    Spelling("t.sigmoid()", lambda t: t.sigmoid(), E / (1 + E), E / (1 + E) ** 2),
    Spelling("t.relu()", lambda t: t.relu(), np.maximum(N, 0), N > 0),
    Spelling("t.softmax(1)", lambda t: t.softmax(1), SOFT, np.zeros((2, 3))),
    Spelling("t.log_softmax()", lambda t: t.log_softmax(), np.log(SOFT), 1 - 3 * SOFT),
    Spelling("t.clip(x_min=0)", lambda t: t.clip(x_min=0), np.maximum(N, 0), N >= 0),
    Spelling("t.clip(x_max=2)", lambda t: t.clip(x_max=2), np.minimum(N, 2), N <= 2),
    Spelling("t.clip(0, 2)", lambda t: t.clip(0, 2), np.clip(N, 0, 2), (N >= 0) & (N <= 2)),
    Spelling("t.clip(min=, max=)", lambda t: t.clip(min=-1, max=3), np.clip(N, -1, 3)),
    Spelling("t.clip(a_min=, a_max=)", lambda t: t.clip(a_min=-1, a_max=3), np.clip(N, -1, 3)),
    Spelling("t.clip()", lambda t: t.clip(), N, np.ones((2, 3))),
    Spelling("t.clamp(min=0)", lambda t: t.clamp(min=0), np.maximum(N, 0), N >= 0),
    Spelling("t.sum() / n", lambda t: t.sum() / 2, N.sum() / 2, np.full((2, 3), 0.5)),
    Spelling("t.mean()", lambda t: t.mean(), N.mean(), np.full((2, 3), 1 / 6)),
    Spelling("t[:, None]", lambda t: t[:, None], N[:, None], np.ones((2, 3))),
    Spelling("t[range(2), range(2)]", lambda t: t[range(2), range(2)], [0.5, 4], np.eye(2, 3)),
    Spelling("t[[1, 0]]", lambda t: t[[1, 0]], N[[1, 0]], np.ones((2, 3))),
    Spelling("t.view(3, -1)", lambda t: t.view(3, -1), N.reshape(3, 2), np.ones((2, 3))),
    Spelling("t.reshape(6)", lambda t: t.reshape(6), N.ravel(), np.ones((2, 3))),
    Spelling("t.unsqueeze(-1)", lambda t: t.unsqueeze(-1), N[..., None], np.ones((2, 3))),
    Spelling("t.repeat(1, 2, 1)", lambda t: t.repeat(1, 2, 1), np.tile(N, (1, 2, 1))),
    Spelling("t.repeat([2, 2])", lambda t: t.repeat([2, 2]), np.tile(N, (2, 2))),
    Spelling("t.repeat(2)", lambda t: t.repeat(2), N.repeat(2), np.full((2, 3), 2)),
    Spelling("t.repeat(2, 1)", lambda t: t.repeat(2, 1), N.repeat(2, 1), np.full((2, 3), 2)),
    Spelling("np.concatenate", lambda t: np.concatenate([t, t]), np.concatenate([N, N])),
    Spelling("np.stack", lambda t: np.stack([t, t * 2]), np.stack([N, 2 * N]), np.full((2, 3), 3)),
    Spelling("x[x < 5]", lambda t: t[t < 5], [1, 2, 3, 4], [1, 1, 1, 1, 0, 0, 0], COUNT),
    Spelling(
        "x[np.array, np.array]",
        lambda t: t[np.array([0, 2, 4]), np.array([0, 1, 2])],
        [0, 15, 30],
        np.isin(np.arange(35).reshape(5, 7), [0, 15, 30]),
        np.arange(35.0).reshape(5, 7),
    ),
    Spelling("softmax of [1000, 0]", lambda t: pl.softmax(t), [1, 0], [0, 0], [1000.0, 0.0]),
    Spelling("sigmoid", lambda t: pl.sigmoid(t), [1, 0], [0, 0], [2000.0, -2000.0]),
    Spelling(
        "cross entropy of [.5, .5]",
        lambda t: pl.cross_entropy(t, [0.5, 0.5]),
        500,
        [0.5, -0.5],
        [1000.0, 0.0],
    ),
    Spelling(
        "cross entropy, reduction none",
        lambda t: pl.cross_entropy(t, [0, 1], reduction="none"),
        -np.log(SOFT[[0, 1], [0, 1]]),
        SOFT - np.eye(2, 3),
    ),
    Spelling(
        "BCE of integer labels",
        lambda t: pl.binary_cross_entropy_with_logits(t, np.array([1, 0]), reduction="none"),
        [0, 0],
        [0, 0],
        [2000.0, -2000.0],
    ),
]


@pytest.fixture(params=HERE, ids=str)
def library(request: pytest.FixtureRequest) -> Library:
    one: Library = request.param
    return one


def made(library: Library, values: Any, **options: Any) -> Tensor:
    return Tensor(library.array(np.asarray(values)), **options)


@pytest.mark.parametrize("case", SPELLINGS, ids=str)
def test_a_spelling_has_numpys_value_and_its_gradient(library: Library, case: Spelling) -> None:
    t = made(library, np.asarray(case.values, float), requires_grad=True)
    out = case.of(t)
    np.testing.assert_allclose(library.numpy(out.detach()), case.want, rtol=1e-14, atol=1e-16)
    out.sum().backward()
    if case.slope is not None:
        np.testing.assert_allclose(library.numpy(t.grad), case.slope, rtol=1e-13, atol=1e-15)


# ---- making and filling ------------------------------------------------------------------------
def test_integers_that_ask_for_a_gradient_become_the_default_float(library: Library) -> None:
    for values in (COUNT, [True, False]):
        t = made(library, values, requires_grad=True)
        assert t.dtype == library.xp.asarray(0.5).dtype
        assert t.is_leaf
        np.testing.assert_array_equal(library.numpy(t), values)
    assert made(library, COUNT).dtype == library.xp.int64
    with pytest.raises(TypeError, match="only floating arrays have a gradient"):
        made(library, COUNT, requires_grad=True, dtype=library.xp.int64)
    assert made(library, COUNT, dtype=library.xp.float32).dtype == library.xp.float32


@pytest.mark.parametrize("values", [3, 2.5, 1j, True, [1, 2], [[1.0], [2.0]], (1, 2), range(3)])
def test_numbers_and_lists_are_numpys(values: Any) -> None:
    t = Tensor(values)
    assert isinstance(t.data, np.ndarray)
    np.testing.assert_array_equal(t.data, np.asarray(values))
    assert t.dtype == np.asarray(values).dtype
    assert not t.requires_grad
    assert pl.tensor(values).requires_grad


@pytest.mark.parametrize(
    "values, error", [([[1], [1, 2]], ValueError), (["a"], TypeError), ("a", TypeError)]
)
def test_what_is_no_number_makes_no_tensor(values: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"`data` must be|an array is needed"):
        Tensor(values)


def test_a_tensor_of_a_tensor_has_its_values_and_not_its_history(library: Library) -> None:
    t = made(library, X, requires_grad=True)
    twin = Tensor(t * 2, requires_grad=True)
    assert twin.is_leaf
    np.testing.assert_array_equal(library.numpy(twin), 2 * N)
    with pytest.raises(TypeError, match=r"np.stack"):
        Tensor([t[0, 0], t[0, 1]])


def test_creation_has_numpys_values(library: Library) -> None:
    xp, here = library.xp, {"xp": library.xp, "dtype": library.xp.float32}
    for t, want in (
        (Tensor.zeros(2, 3, **here), np.zeros((2, 3))),
        (Tensor.ones((2, 3), **here), np.ones((2, 3))),
        (Tensor.full(2, 7.0, **here), np.full(2, 7.0)),
        (Tensor.arange(2, 5, **here), np.arange(2, 5)),
        (Tensor.arange(3, **here), np.arange(3)),
        (Tensor.linspace(0, 1, 5, **here), np.linspace(0, 1, 5)),
        (Tensor.eye(2, 3, 1, **here), np.eye(2, 3, 1)),
    ):
        assert t.dtype == xp.float32
        np.testing.assert_array_equal(library.numpy(t), want)
    assert Tensor.empty(2, 3, **here).shape == (2, 3)
    like = made(library, X)
    options: dict[str, Any] = {"dtype": xp.float32, "requires_grad": True}
    np.testing.assert_array_equal(library.numpy(Tensor.zeros_like(like)), np.zeros((2, 3)))
    np.testing.assert_array_equal(library.numpy(Tensor.full_like(like, 2.0)), np.full((2, 3), 2))
    for twin in (Tensor.ones_like(like, **options), Tensor.empty_like(like, **options)):
        assert (twin.dtype, twin.shape, twin.requires_grad) == (xp.float32, (2, 3), True)
    with pytest.raises(TypeError, match="the dtype is given as `dtype=`"):
        Tensor.zeros(3, xp.float32)


def test_assigned_values_keep_the_leaf_its_shape_and_its_dtype(library: Library) -> None:
    t = made(library, N, requires_grad=True)
    t.sum().backward()
    grad = library.numpy(t.grad)
    given: list[Any] = [[[1, 2, 3], [4, 5, 6]], library.array(N + 1), t * 2]
    for values in given:
        want = values if isinstance(values, list) else library.numpy(values)
        assert t.assign(values) is t
        np.testing.assert_array_equal(library.numpy(t), want)
        assert t.is_leaf
        assert t.requires_grad
        assert t.dtype == library.xp.float64
    np.testing.assert_array_equal(library.numpy(t.grad), grad)
    with pl.no_grad():
        t.data = t.data * 0
    np.testing.assert_array_equal(library.numpy(t), 0 * N)
    with pytest.raises(ValueError, match="`values` must have shape"):
        t.assign([1.0])


def test_what_is_assigned_is_copied_and_earlier_results_keep_their_gradient() -> None:
    t, values = Tensor([1.0, 2.0], requires_grad=True), np.asarray([5.0, 6.0])
    square = t * t
    t.assign(values)
    values[0] = 100.0
    assert t.tolist() == [5.0, 6.0]
    square.sum().backward()
    assert t.grad.tolist() == [2.0, 4.0]
    with pytest.raises(TypeError, match="torch"):
        t.assign(pytest.importorskip("torch").ones(2))


def test_data_and_numpy_show_the_values() -> None:
    for library in (one for one in HERE if one.name != "double"):
        t = made(library, X, requires_grad=True)
        assert t.data is t.array
        assert isinstance(t.detach().numpy(), np.ndarray)
        np.testing.assert_array_equal(t.detach().numpy(), X)
        with pytest.raises(TypeError, match=r"`.detach\(\)`"):
            t.numpy()
        assert t.sum().item() == N.sum()
        assert f"{t.mean():.4f}" == f"{N.mean():.4f}"
        assert f"{t.mean()}".startswith("Tensor(")


def test_size_is_a_number_and_a_method(library: Library) -> None:
    t: Any = made(library, X)
    assert t.size() == (2, 3)
    assert t.size(-1) == 3
    assert t.size == 6
    assert len(t) == 2


@pytest.mark.parametrize("key", [float, "float32"])
def test_view_refuses_a_dtype_by_name(key: Any) -> None:
    with pytest.raises(TypeError, match=r"`view` takes a shape.*`astype`"):
        Tensor(X).view(key)


def test_clip_takes_each_end_once() -> None:
    with pytest.raises(TypeError, match="`clip` takes `min` and `max`, each once"):
        Tensor(X).clip(0, min=1)


# ---- programs ----------------------------------------------------------------------------------
def test_float32_holds_neither_1e_50_nor_1e39() -> None:
    with np.errstate(over="ignore"):
        assert Tensor([1e-50, 1e39], dtype=np.float32).tolist() == [0.0, np.inf]


def test_log_softmax_and_both_losses_of_classes_and_of_one_hot_rows(library: Library) -> None:
    logits = made(library, [[0.0, 1, 2, 3], [3.0, -1, 1, 0]])
    rows, classes = logits.log_softmax(axis=1), made(library, [3, 0])
    want = [[-3.4402, -2.4402, -1.4402, -0.4402], [-0.1852, -4.1852, -2.1852, -3.1852]]
    np.testing.assert_allclose(library.numpy(rows), want, atol=5e-5)
    one_hot = pl.one_hot(classes, 4)
    for target in (classes, one_hot):
        for loss, given in ((pl.nll_loss, rows), (pl.cross_entropy, logits)):
            got = library.numpy(loss(given, target, reduction="none"))
            np.testing.assert_allclose(got, [0.4402, 0.1852], atol=5e-5)


def test_linear_softmax_regression_on_float32_images(library: Library) -> None:
    images = library.array(np.cos(np.arange(4 * 64.0)).reshape(4, 8, 8), "float32")
    labels = library.array([0, 1, 2, 3])
    given: dict[str, Any] = {"xp": library.xp, "dtype": library.xp.float64}
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10, **given))

    def initialize(m: nn.Module) -> None:
        if isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, std=0.01)

    net.apply(initialize)
    loss = nn.CrossEntropyLoss(reduction="none")
    l = loss(net(images), labels)  # noqa: E741 - as the article has it
    optimizer = optim.SGD(net.parameters(), lr=0.5)
    for _ in range(8):
        optimizer.zero_grad()
        l = loss(net(images), labels)  # noqa: E741
        l.mean().backward()
        optimizer.step()
    hits = net(images).argmax(axis=1) == Tensor(labels)
    assert library.numpy(hits.sum()) == 4
    assert library.numpy(l.sum().detach()) < 2


def test_a_weight_is_assigned_and_learns(library: Library) -> None:
    model = nn.Linear(2, 1, xp=library.xp, dtype=library.xp.float64)
    model.weight.assign([[-0.3, 0.8]])
    out = model(library.array([[1.0, 2.0]]))
    want = 1.3 + library.numpy(model.bias)
    np.testing.assert_allclose(library.numpy(out.detach())[0], want, rtol=1e-14)
    out.sum().backward()
    np.testing.assert_array_equal(library.numpy(model.weight.grad), [[1.0, 2.0]])


def test_the_top_of_the_package_has_the_names_of_the_tape() -> None:
    assert pl.Tensor is pl.autograd.Tensor
    assert pl.tensor is pl.autograd.tensor
    assert pl.no_grad is pl.autograd.no_grad
    assert {"Tensor", "tensor", "no_grad", "nn", "data"} <= set(dir(pl))
    assert named("numpy") in HERE

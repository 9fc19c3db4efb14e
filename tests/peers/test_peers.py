"""Other libraries' numbers for the same arguments, wherever theirs are right."""

from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

import portable_losses as pl
from portable_losses._typing import Array
from tests.cases import Peer, each_reduction
from tests.libraries import EVERY_ROW, Library, named
from tests.rows import rows_of
from tests.samples import weights_of

random = np.random.default_rng(7)

# ---- torch -----------------------------------------------------------------------------------


Z = random.normal(size=(5, 4)) * 3
DEEP = random.normal(size=(2, 4, 3, 2))
INDEX, DEEP_INDEX = np.asarray([0, 3, 1, 2, 2]), random.integers(0, 4, size=(2, 3, 2))
IGNORED = np.asarray([0, -100, 1, 2, -100])
SHARES, DEEP_SHARES = random.dirichlet([1] * 4, size=5), random.dirichlet([1] * 4, size=(2, 3, 2))
WEIGHT = np.asarray([0.5, 2.0, 1.0, 0.25])
X, Y = random.normal(size=(3, 4)) * 2, random.uniform(size=(3, 4))
P, POSITIVE = random.uniform(0.1, 0.9, size=(3, 4)), random.uniform(0.5, 2, size=(3, 4))


def of(
    name: str | tuple[str, str], *arrays: Any, ours: Any = None, torchs: Any = None, **options: Any
) -> list[Peer]:
    return [Peer(name, arrays, options, ours or {}, torchs or {})]


AXIS = {"axis": 1}
rows: list[Peer] = [
    row
    for x, targets, ours in (
        (Z, (INDEX, IGNORED, SHARES), {}),
        (DEEP, (DEEP_INDEX, np.moveaxis(DEEP_SHARES, -1, 1)), AXIS),
    )
    for target in targets
    for weight in ({}, {"weight": WEIGHT})
    for smoothing in (0.0, 0.1, 1.0)
    for row in each_reduction(
        "cross_entropy", x, target, ours=ours, label_smoothing=smoothing, **weight
    )
]
rows += each_reduction(
    "cross_entropy", Z, INDEX, weight=WEIGHT, ignore_index=2, label_smoothing=0.2
)
rows += each_reduction("nll_loss", -abs(Z), INDEX, weight=WEIGHT, ignore_index=2)
rows += each_reduction("nll_loss", -abs(Z), IGNORED, weight=WEIGHT)
rows += each_reduction("nll_loss", -abs(DEEP), DEEP_INDEX, weight=WEIGHT, ours=AXIS)
rows += each_reduction("nll_loss", -abs(Z[0]), np.asarray(2))
for _name, _x in (("binary_cross_entropy", P), ("binary_cross_entropy_with_logits", X)):
    rows += each_reduction(_name, _x, Y)
    rows += each_reduction(_name, _x, Y, weight=POSITIVE)
    rows += each_reduction(_name, _x, Y, weight=WEIGHT)
rows += each_reduction("binary_cross_entropy_with_logits", X, Y, pos_weight=WEIGHT)
rows += each_reduction(
    "binary_cross_entropy_with_logits", X, Y, pos_weight=WEIGHT, weight=POSITIVE[:, :1]
)
for _name, _options in (
    ("mse_loss", [{}]),
    ("l1_loss", [{}]),
    ("smooth_l1_loss", [{}, {"beta": 0.3}, {"beta": 2.5}, {"beta": 0.0}]),
    ("huber_loss", [{}, {"delta": 0.3}, {"delta": 2.5}]),
):
    for _given in _options:
        rows += each_reduction(_name, X, Y, **_given)
for _name in ("mse_loss", "l1_loss"):  # huber_loss of torch divides by the number instead
    rows += of(_name, X, Y, ours={"sample_weight": POSITIVE}, torchs={"weight": POSITIVE})
for _name in ("relu", "sigmoid", "tanh", "softplus", "silu", "gelu"):
    rows += of(_name, X)
rows += (
    of(("log_sigmoid", "logsigmoid"), X)
    + of("leaky_relu", X, negative_slope=0.2)
    + of("softplus", X, beta=2.5)
)
rows += of("gelu", X, approximate="tanh") + of("logit", P, eps=0.3) + of("erf", X) + of("erfc", X)
for _name in ("softmax", "log_softmax", "softmin"):
    rows += of(_name, DEEP, ours={"axis": 1}, torchs={"dim": 1})
    rows += of(_name, DEEP, torchs={"dim": -1})
rows += of("logsumexp", DEEP, ours={"axis": (1, -1)}, torchs={"dim": (1, -1)})
rows += of(
    "logsumexp", DEEP, ours={"axis": 1, "keepdims": True}, torchs={"dim": 1, "keepdim": True}
)
rows += rows_of("PEERS")
rows += of("xlogy", POSITIVE, P) + of("xlog1py", POSITIVE, P)


def torchs_answer(row: Peer) -> list[Any]:
    torch = pytest.importorskip("torch")
    homes = (torch.nn.functional, torch.special, torch)
    name = row.name if isinstance(row.name, str) else row.name[1]
    function = next(getattr(home, name) for home in homes if hasattr(home, name))
    made = {
        k: torch.asarray(v) if isinstance(v, np.ndarray) else v
        for k, v in {**row.options, **row.torchs}.items()
    }
    arrays = [torch.asarray(a.copy()) for a in row.arrays]
    wanted = [a.requires_grad_() for a in arrays if a.dtype.is_floating_point]
    out = function(*arrays, **made)
    weight = torch.asarray(weights_of(out.detach().numpy()))
    grads = torch.autograd.grad((out * weight).sum(), wanted)
    return [out.detach().numpy(), *(grad.numpy() for grad in grads)]


def our_answer(row: Peer, library: Library) -> list[Any]:
    function = getattr(pl, row.name if isinstance(row.name, str) else row.name[0])
    made = {
        k: library.array(v) if isinstance(v, np.ndarray) else v
        for k, v in {**row.options, **row.ours}.items()
    }
    arrays = [library.array(a) for a in row.arrays]
    by = [i for i, a in enumerate(row.arrays) if a.dtype.kind == "f"]
    out = library.numpy(function(*arrays, **made))
    weight = library.array(weights_of(out))

    def f(*arrays: Array) -> Array:
        result = function(*arrays, **made)
        return array_namespace(result).sum(result * weight)

    return [out, *map(library.numpy, library.gradient(f, by)(*arrays))]


EACH = [
    (library, row)
    for turn, library in enumerate((named("numpy").on_tape(), named("torch")))
    for number, row in enumerate(rows)
    if EVERY_ROW or (number + turn) % 2
]


@pytest.mark.parametrize(("library", "row"), EACH, ids=str)
def test_the_same_arguments_give_torchs_numbers(library: Library, row: Peer) -> None:
    for got, want in zip(our_answer(row, library), torchs_answer(row), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14, strict=True)


# ---- scipy and jax ---------------------------------------------------------------------------

B = np.asarray([1.0, -2.0, 0.5, 0.25])
SCIPY: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "logsumexp": ((DEEP,), {}),
    "logsumexp, b": ((DEEP,), {"axis": 1, "b": POSITIVE[:1, :1]}),
    "logsumexp, sign": ((Z,), {"axis": -1, "b": B, "return_sign": True}),
    "logsumexp, sign against the largest term": (
        (np.zeros((1, 3)),),
        {"axis": 1, "b": np.asarray([-1.0, 0.9, 0.9]), "return_sign": True},
    ),
    "logsumexp, keepdims": ((DEEP,), {"axis": (0, 2), "keepdims": True}),
    "softmax": ((DEEP,), {"axis": (1, 2)}),
    "log_softmax": ((DEEP,), {"axis": 1}),
    "xlogy": ((X, POSITIVE), {}),
    "xlog1py": ((X, P), {}),
    "erf": ((X * 3,), {}),
    "erfc": ((X * 8,), {}),
    "expit": ((X * 100,), {}),
    "log_expit": ((X * 100,), {}),
    "logit": ((np.concatenate([P.ravel(), [0.0, 1.0, 1e-300]]),), {}),
    "huber": ((1.5, X), {}),
    **{name: call for calls in rows_of("SCIPY") for name, call in [calls]},
}


@pytest.mark.parametrize("case", SCIPY)
def test_the_same_arguments_give_scipys_numbers(case: str) -> None:
    special = pytest.importorskip("scipy.special")
    arrays, options = SCIPY[case]
    name = case.partition(",")[0]
    want = getattr(special, name)(*arrays, **options)
    if name == "huber":
        got = pl.huber_loss(X, np.zeros_like(X), delta=1.5, reduction="none")
    else:
        got = getattr(pl, name)(*arrays, **options)
    np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-300)


def test_the_same_arguments_give_jaxs_numbers() -> None:
    nn = pytest.importorskip("jax").nn
    names = ("relu", "leaky_relu", "sigmoid", "log_sigmoid", "softplus", "silu", "tanh")

    def ours(z: Array, mask: Array, index: Array) -> list[Array]:
        sums = [pl.logsumexp(z, axis=axis, where=mask) for axis in (0, -1)]
        others = [pl.gelu(z), pl.softmax(z, where=mask), pl.one_hot(index, 4, axis=0)]
        return [*sums, *others, *(getattr(pl, name)(z) for name in names)]

    def jaxs(z: Array, mask: Array, index: Array) -> list[Array]:
        sums = [nn.logsumexp(z, axis=axis, where=mask) for axis in (0, -1)]
        gelu = nn.gelu(z, approximate=False)
        others = [gelu, nn.softmax(z, where=mask), nn.one_hot(index, 4, axis=0)]
        return [*sums, *others, *(getattr(nn, name)(z) for name in names)]

    library = named("jax")
    both = library.quickly(lambda *arrays: (ours(*arrays), jaxs(*arrays)))
    for got, want in zip(*both(*map(library.array, (Z, Z > -1, INDEX))), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_a_certain_miss_of_probabilities_has_torchs_floor_in_value_and_slope() -> None:
    p, y = np.asarray([0.0, 1.0, 0.0, 1.0]), np.asarray([0.0, 1.0, 1.0, 0.0])
    row = Peer("binary_cross_entropy", (p, y), {"reduction": "none"}, {}, {})
    pairs = zip(our_answer(row, named("numpy").on_tape()), torchs_answer(row), strict=True)
    for got, want in list(pairs)[:2]:  # by the target torch's slope is that without the floor
        np.testing.assert_allclose(got, want, rtol=1e-8)  # torch rounds its 1e-12 to float32

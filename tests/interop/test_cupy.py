"""CuPy without a card: every name and keyword we use exists, and nothing looks at a value.

CuPy imports anywhere; its arrays need a GPU. What can be held here is that the calls we make are
calls it takes, and that our code reads no value: on the double of tests/double.py, whose arrays
refuse to show one.
"""

import ast
import inspect
import math
import operator
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import array_api_compat.cupy as xp_cupy
import cupy
import numpy as np
import pytest
from portable_losses.backends.numpy_code.names import FUNCTIONS, REFUSED

import portable_losses as pl
from portable_losses import nn, optim
from portable_losses._backend import backend_of, load_backend
from portable_losses._indexing import scatter_add
from portable_losses._polyfill import readable
from portable_losses._typing import Array
from portable_losses.autograd import namespace, tensor
from portable_losses.autograd.namespaces.signatures import STANDARD
from tests.double import ImplicitConversion
from tests.libraries import Library, named
from tests.rows import ONCE
from tests.samples import Sample

PACKAGE = Path(pl.__file__).parent
DOUBLE, NUMPY = named("double"), named("numpy")
NAN = math.nan

# ---- the names and the calls -----------------------------------------------------------------

OF_CUPY = ("xp", "xp.fft", "xp.linalg", "space.inner")  # what our code calls the namespace
OF_THE_TAPE = {"setitem"}  # functions that only the tape's own namespaces have


def parsed(folder: Path) -> Iterator[ast.AST]:
    for path in sorted(folder.rglob("*.py")):
        yield from ast.walk(ast.parse(path.read_text()))


def name_in(node: ast.AST) -> str | None:
    """The name that `node` takes from the namespace, "linalg.inv" for one of an extension."""
    if not isinstance(node, ast.Attribute) or node.attr.startswith("__"):
        return None
    owner = ast.unparse(node.value)
    if owner not in OF_CUPY or node.attr in OF_THE_TAPE:
        return None
    prefix = owner.partition(".")[2].replace("inner", "")
    return f"{prefix}.{node.attr}" if prefix else node.attr


def calls_in(nodes: Iterator[ast.AST]) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Name, positional arguments (at least) and keywords of every call into the namespace."""
    for node in nodes:
        if isinstance(node, ast.Call) and (name := name_in(node.func)):
            known = [a for a in node.args if not isinstance(a, ast.Starred)]
            yield name, len(known), tuple(sorted(k.arg for k in node.keywords if k.arg))


NAMES = sorted({name for node in parsed(PACKAGE) if (name := name_in(node))} | set(STANDARD))
CALLS = sorted(set(calls_in(parsed(PACKAGE))))


def found(name: str) -> Any:
    return operator.attrgetter(name)(xp_cupy)


def takes(function: Any, arguments: int, keywords: tuple[str, ...]) -> bool:
    """Does `function` take so many positional arguments and these keywords?"""
    if hasattr(function, "nin"):  # an elementwise kernel, which has no signature
        return arguments == function.nin and not keywords
    try:
        inspect.signature(function).bind_partial(*[None] * arguments, **dict.fromkeys(keywords))
    except TypeError:
        return False
    return True


def test_the_search_finds_what_it_is_for() -> None:
    assert {"exp", "where", "float32", "linalg.vector_norm", "fft.fftn"} <= set(NAMES)
    assert ("sum", 1, ("axis", "dtype", "keepdims")) in CALLS
    assert ("argmax", 1, ("axis", "keepdims")) in CALLS
    assert not takes(found("argmax"), 1, ("axis", "keepdim"))
    assert not takes(found("exp"), 2, ())


@pytest.mark.parametrize("name", NAMES)
def test_cupy_has_every_name_that_we_use(name: str) -> None:
    assert found(name) is not None


@pytest.mark.parametrize("name, arguments, keywords", CALLS, ids=str)
def test_cupy_takes_the_arguments_that_we_give(
    name: str, arguments: int, keywords: tuple[str, ...]
) -> None:
    if name != "from_dlpack":  # built in: no signature, and both its options are the standard's
        assert takes(found(name), arguments, keywords)


@pytest.mark.parametrize("name", STANDARD)
def test_cupy_takes_what_the_standard_has_and_the_tape_records(name: str) -> None:
    if name == "from_dlpack":
        return
    parameters = inspect.signature(STANDARD[name]).parameters
    kinds = [p.kind for p in parameters.values()]
    keywords = [k for k, p in parameters.items() if p.kind is p.KEYWORD_ONLY]
    assert takes(found(name), kinds.count(inspect.Parameter.POSITIONAL_ONLY), tuple(keywords))


def test_cupy_tells_the_precision_of_its_dtypes() -> None:
    used = {
        node.attr
        for node in parsed(PACKAGE)
        if isinstance(node, ast.Attribute)
        and ast.unparse(node.value).startswith(("xp.finfo(", "limits"))
    }
    assert used >= {"bits", "eps", "max", "smallest_normal"}
    assert all(hasattr(xp_cupy.finfo(xp_cupy.float32), name) for name in used)


# ---- the backend -----------------------------------------------------------------------------

BACKEND = import_module("portable_losses.backends.cupy")


def test_the_backend_uses_names_that_cupy_has() -> None:
    nodes = list(ast.walk(ast.parse(inspect.getsource(BACKEND))))
    used = [
        node
        for node in nodes
        if isinstance(node, ast.Attribute)
        and ast.unparse(node.value) in ("cupy", "cupyx", "special")
    ]
    assert {ast.unparse(node) for node in used} >= {"cupyx.scatter_add", "special.erf"}
    for node in used:
        assert hasattr(getattr(BACKEND, ast.unparse(node.value)), node.attr), ast.unparse(node)
    for call in nodes:
        if isinstance(call, ast.Call) and call.func in used:
            function = operator.attrgetter(ast.unparse(call.func))(BACKEND)
            keywords = tuple(k.arg for k in call.keywords if k.arg)
            assert takes(function, len(call.args), keywords), ast.unparse(call)


@pytest.mark.parametrize("name", ["gpu_rows.rows_cupy", "formulas.elementwise_cupy"])
def test_the_kernels_use_names_that_cupy_has(name: str) -> None:
    module = import_module(f"portable_losses.backends.kernels.{name}")
    nodes = ast.walk(ast.parse(inspect.getsource(module)))
    paths = {ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)}
    used = {path for path in paths if path.startswith("cupy.") and "(" not in path}
    assert used >= {"cupy.ndarray", "cupy.asarray", "cupy.cuda.get_current_stream"}
    for path in used:
        assert operator.attrgetter(path.removeprefix("cupy."))(BACKEND.cupy) is not None
    assert callable(BACKEND.cupy.cuda.Stream.is_capturing)


def test_a_special_function_of_cupy_takes_one_array() -> None:
    special = load_backend("cupy").speed.special
    assert special
    assert all(takes(function, 1, ()) for function in special.values())


def test_no_value_of_a_cupy_array_is_read() -> None:
    assert readable(object(), xp=xp_cupy) is False
    assert backend_of(xp_cupy) is load_backend("cupy")


def test_scatter_add_gives_cupy_the_place_the_key_and_the_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(BACKEND.cupy, "zeros", np.zeros)
    monkeypatch.setattr(BACKEND.cupyx, "scatter_add", np.add.at)
    key, values = np.asarray([2, 0, 2]), np.asarray([1.0, 2.0, 4.0], dtype=np.float32)
    got = scatter_add((4,), key, values, xp=xp_cupy)
    assert (got.tolist(), got.dtype) == ([2.0, 0.0, 5.0, 0.0], np.float32)


# ---- the double ------------------------------------------------------------------------------

READS: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "int": int,
    "bool": bool,
    "complex": complex,
    "index": operator.index,
    "iteration": list,
    "length": len,
    "in": lambda x: 1.0 in x,
    "np.asarray": np.asarray,
    "item": lambda x: x.item(),
    "tolist": lambda x: x.tolist(),
    "if": lambda x: 1 if x > 0 else 0,
    "format": lambda x: f"{float(x):.2f}",
    "unpacking": lambda x: [*x],
    "sum": lambda x: sum([*x]),
    "math": math.exp,
}


@pytest.mark.parametrize("read", READS)
def test_the_double_refuses_to_show_a_value(read: str) -> None:
    x = DOUBLE.array(np.asarray(1.0))
    with pytest.raises(ImplicitConversion):
        READS[read](x)


def test_the_double_goes_together_with_no_other_library() -> None:
    x = DOUBLE.array(np.ones(2))
    for one, two in ((x, np.ones(2)), (np.ones(2), x)):
        with pytest.raises(TypeError):
            operator.add(one, two)
    with pytest.raises(AssertionError):
        DOUBLE.xp.exp(np.ones(2))
    with pytest.raises(AssertionError):
        DOUBLE.xp.zeros(2, device="cpu")


def test_the_double_is_on_a_device_that_nobody_reads() -> None:
    x = DOUBLE.array(np.ones(2))
    assert readable(x, xp=DOUBLE.xp) is False
    taped = namespace(DOUBLE.xp)
    assert readable(tensor(x), xp=taped) is False


def results(sample: Sample, library: Library) -> list[Any]:
    """Values and the tape's gradients."""
    arrays = sample.on(library)
    found = [library.numpy(out) for out in sample.call(arrays)]
    if sample.variables:
        f = sample.scalar(arrays, library, "float64")
        grads = library.gradient(f, range(len(sample.variables)))
        found += map(library.numpy, grads(*(arrays[key] for key in sample.variables)))
    return found


@pytest.mark.parametrize("sample", ONCE, ids=str)
def test_numbers_are_numpys_without_a_look_at_any(sample: Sample) -> None:
    for got, want in zip(results(sample, DOUBLE), results(sample, NUMPY), strict=True):
        size = float(np.max(np.abs(want), initial=0.0, where=np.isfinite(want)))
        np.testing.assert_allclose(got, want, rtol=2e-15, atol=1e-15 * size, strict=True)


# ---- bad entries that nobody can see ---------------------------------------------------------

Z = np.asarray([[2.0, -1.0, 0.5], [0.0, 0.25, 1.0], [3.0, 1.0, -2.0]])
INDEX, SHARES = np.asarray([0, 2, 1]), np.asarray([[1.0, 0, 0], [0, 0.5, 0.5], [0.25, 0.75, 0]])
P, Y = np.asarray([0.5, 0.25, 0.75]), np.asarray([1.0, 0.0, 0.5])
ONES = np.ones(3)
CE, NLL = pl.cross_entropy, pl.nll_loss
BCE, BCL = pl.binary_cross_entropy, pl.binary_cross_entropy_with_logits


def spoiled(x: Any, value: float, at: Any = 1) -> Any:
    """`x` with a bad second entry."""
    bad = np.array(x)
    bad[at] = value
    return bad


def with_index(value: int) -> Any:
    return spoiled(INDEX, value)


MASK = np.asarray([[True, True, True], [True, True, False], [True, True, True]])
EVERY = {"label_smoothing": 0.1, "z_loss": 0.5, "softcap": 9.0, "weight": ONES}
MASKED = {"where": MASK}
ALL: Any = np.ones((3, 3), bool)
# function, arrays, bad arrays, options, bad options: the second row or entry is the bad one
BAD: dict[str, tuple[Callable[..., Array], Any, Any, dict[str, Any], dict[str, Any]]] = {
    **{
        f"{loss.__name__}, index {value}": (loss, (Z, INDEX), (Z, with_index(value)), {}, {})
        for loss in (CE, NLL)
        for value in (3, -1, 10**6, -101)
    },
    "every option": (CE, (Z, INDEX), (Z, with_index(7)), EVERY, EVERY),
    "a masked class": (CE, (Z, with_index(0)), (Z, INDEX), MASKED, MASKED),
    "negative probability": (CE, (Z, SHARES), (Z, spoiled(SHARES, -0.5, (1, 0))), {}, {}),
    "negative sample weight": (
        CE,
        (Z, INDEX),
        (Z, INDEX),
        {"sample_weight": ONES},
        {"sample_weight": spoiled(ONES, -1)},
    ),
    "negative class weight": (
        CE,
        (Z, INDEX),
        (Z, INDEX),
        {"weight": ONES},
        {"weight": spoiled(ONES, -1, 2)},
    ),
    "probability 1.5": (BCE, (P, Y), (spoiled(P, 1.5), Y), {}, {}),
    "probability -0.5": (BCE, (P, Y), (spoiled(P, -0.5), Y), {}, {}),
    "target 2 of probabilities": (BCE, (P, Y), (P, spoiled(Y, 2.0)), {}, {}),
    "target 2 of logits": (BCL, (P, Y), (P, spoiled(Y, 2.0)), {}, {}),
    "target -1 of logits": (BCL, (P, Y), (P, spoiled(Y, -1.0)), {}, {}),
    "negative weight": (BCL, (P, Y), (P, Y), {"weight": ONES}, {"weight": spoiled(ONES, -1)}),
    "negative pos_weight": (
        BCL,
        (P, spoiled(Y, 0.5)),
        (P, spoiled(Y, 0.5)),
        {"pos_weight": ONES},
        {"pos_weight": spoiled(ONES, -1)},
    ),
    **{
        f"{loss.__name__}, negative sample weight": (
            loss,
            (P, Y),
            (P, Y),
            {"sample_weight": ONES},
            {"sample_weight": spoiled(ONES, -1)},
        )
        for loss in (pl.mse_loss, pl.l1_loss, pl.smooth_l1_loss, pl.huber_loss)
    },
}


def losses(loss: Callable[..., Array], arrays: Any, options: dict[str, Any]) -> tuple[Any, Any]:
    """The losses of the rows and the gradient of their sum, on the double."""
    x, *rest = (DOUBLE.array(a) for a in arrays)
    made = {k: DOUBLE.array(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}

    def f(x: Array) -> Array:
        out = loss(x, *rest, reduction="none", **made)
        return out.__array_namespace__().sum(out)

    (grad,) = DOUBLE.gradient(f, (0,))(x)
    return DOUBLE.numpy(loss(x, *rest, reduction="none", **made)), DOUBLE.numpy(grad)


@pytest.mark.parametrize("case", BAD)
def test_a_bad_entry_turns_its_own_loss_and_gradient_to_nan_and_no_other(case: str) -> None:
    loss, arrays, bad_arrays, options, bad_options = BAD[case]
    for good, bad in zip(
        losses(loss, arrays, options), losses(loss, bad_arrays, bad_options), strict=True
    ):
        assert np.all(np.isnan(bad[1] if bad.ndim == 1 else bad[1, options.get("where", ALL)[1]]))
        np.testing.assert_array_equal(bad[[0, 2]], good[[0, 2]])
        assert np.all(np.isfinite(good))


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_bad_entry_turns_the_mean_and_the_sum_to_nan(case: str, reduction: str) -> None:
    loss, _, arrays, _, options = BAD[case]
    made = {k: DOUBLE.array(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    out = loss(*map(DOUBLE.array, arrays), reduction=reduction, **made)
    assert np.isnan(DOUBLE.numpy(out))


def test_an_index_that_is_no_class_is_a_row_of_nan() -> None:
    got = DOUBLE.numpy(pl.one_hot(DOUBLE.array(np.asarray([1, 5, -1])), 2))
    np.testing.assert_array_equal(got, [[0, 1], [NAN, NAN], [NAN, NAN]])


# ---- training --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "optimizer, options",
    [
        (optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
        (optim.Adam, {"lr": 0.1, "amsgrad": True}),
        (optim.AdamW, {"lr": 0.1}),
    ],
)
@pytest.mark.parametrize(
    "activation", [nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Softplus], ids=lambda a: str(a.__name__)
)
def test_two_steps_of_training_read_no_value(
    activation: Any, optimizer: Any, options: dict[str, Any]
) -> None:
    after = []
    for library in (DOUBLE, NUMPY):
        make = {"xp": library.xp, "dtype": library.xp.float64}
        model = nn.Sequential(
            nn.Linear(3, 4, rng=1, **make), activation(), nn.Linear(4, 3, rng=2, **make)
        )
        steps = optimizer(model.parameters(), **options)
        for _ in range(2):
            model.zero_grad()
            loss = nn.CrossEntropyLoss(label_smoothing=0.1)
            loss(model(library.array(Z)), library.array(INDEX)).backward()
            steps.step()
        after.append([library.numpy(p) for p in model.parameters()])
    for got, want in zip(*after, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-14)


def test_ufuncs_and_functions_of_cupy_take_tensors() -> None:
    """Tensors over NumPy: a ufunc of CuPy's asks its arguments before it asks for a card."""
    x = tensor(np.asarray([0.5, 0.25]))
    loss = cupy.sum(cupy.add(cupy.exp(x), 1.0) * cupy.where(x.detach() > 0.3, x, 0.0))
    loss.backward()
    assert x.grad.tolist() == pytest.approx([1.5 * np.exp(0.5) + 1.0, 0.0], rel=1e-15)


def test_every_ufunc_of_cupy_is_known_or_refused_with_advice() -> None:
    names = {x.name.removeprefix("cupy_") for x in vars(cupy).values() if isinstance(x, cupy.ufunc)}
    assert len(names) > 80
    assert [n for n in sorted(names) if n not in FUNCTIONS and n not in REFUSED] == []

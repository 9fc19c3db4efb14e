"""Linear, Flatten, containers, and the functions of the package as modules."""

import importlib
import inspect
import re
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from portable_losses import nn
from portable_losses.autograd import Tensor, tensor
from tests.libraries import Library, named
from tests.nn.test_module import linear

FUNCTIONS = [
    module
    for name in nn.__all__
    if inspect.isclass(module := getattr(nn, name))
    and issubclass(module, nn.FunctionModule)
    and module is not nn.FunctionModule
]


def test_linear_is_the_product_with_the_transposed_weight_plus_the_bias(library: Library) -> None:
    layer = linear(library, 3, 2)
    x = np.arange(24.0).reshape(2, 4, 3)
    expected = x @ library.numpy(layer.weight).T + library.numpy(layer.bias)
    np.testing.assert_allclose(library.numpy(layer(library.array(x))), expected, rtol=1e-14)


def test_linear_works_in_every_year_of_the_standard(every_library: Library) -> None:
    layer = linear(every_library, 3, 2)
    out = layer(every_library.array(np.ones((4, 3))))
    out.__array_namespace__().sum(out).backward()
    np.testing.assert_array_equal(every_library.numpy(layer.weight.grad), np.full((2, 3), 4.0))
    np.testing.assert_array_equal(every_library.numpy(layer.bias.grad), [4.0, 4.0])


def test_linear_takes_one_row_without_a_batch(library: Library) -> None:
    assert linear(library, 3, 2)(library.array(np.ones(3))).shape == (2,)


def test_one_seed_gives_the_same_layer_on_every_library(library: Library) -> None:
    layer, reference = linear(library, 5, 3, seed=7), nn.Linear(5, 3, rng=7)
    np.testing.assert_array_equal(library.numpy(layer.weight), reference.weight.array)
    np.testing.assert_array_equal(library.numpy(layer.bias), reference.bias.array)


def test_a_layer_has_the_librarys_default_dtype_and_keeps_to_the_device() -> None:
    torch = pytest.importorskip("torch")
    assert nn.Linear(2, 2, xp=torch).weight.dtype == torch.float32
    assert nn.Linear(2, 2).weight.dtype == np.float64
    strict = pytest.importorskip("array_api_strict")
    device = strict.Device("device1")
    layer = nn.Linear(2, 2, xp=strict, device=device)
    assert {p.device for p in layer.parameters()} == {device}


def test_a_new_layer_is_uniform_within_one_over_the_root_of_its_inputs() -> None:
    layer = nn.Linear(400, 50, rng=3)
    values = np.concatenate([layer.weight.array.ravel(), layer.bias.array])
    assert np.max(np.abs(values)) <= 0.05
    np.testing.assert_allclose(values.std(), 0.05 / np.sqrt(3), rtol=0.02)
    assert len(np.unique(values)) == len(values)


def test_linear_names_the_features_that_it_needs() -> None:
    layer = nn.Linear(3, 2)
    message = "`x` must have 3 features in its last axis, got shape (4, 2)"
    with pytest.raises(ValueError, match=re.escape(message)):
        layer(np.ones((4, 2)))
    with pytest.raises(ValueError, match=re.escape("got shape ()")):
        layer(np.asarray(1.0))


def test_linear_converts_no_library() -> None:
    layer = nn.Linear(3, 2)
    with pytest.raises(TypeError, match="torch"):
        layer(pytest.importorskip("torch").ones((4, 3)))
    with pytest.raises(TypeError, match="`x` must be an array of an Array API library, got list"):
        layer([[1.0, 2.0, 3.0]])


@pytest.mark.parametrize(
    "make", [nn.Linear, nn.LinearCrossEntropyLoss, lambda *_, **o: nn.PReLU(**o)]
)
def test_a_layer_takes_another_precision_than_its_own(library: Library, make: Any) -> None:
    given = {"xp": library.xp, "device": library._device(), "dtype": library.xp.float64}
    layer = make(3, 2, **given)
    x = tensor(library.array(np.ones((4, 3)), "float32"))
    target = [library.array([0, 1, 1, 0])] if make is nn.LinearCrossEntropyLoss else []
    out = layer(x, *target)
    if make is nn.Linear:  # as the product of the two has it
        assert out.dtype == library.xp.float64
    out.__array_namespace__().sum(out).backward()
    assert x.grad.dtype == library.xp.float32
    assert layer.weight.grad.dtype == library.xp.float64


def test_linear_names_the_option_where_a_library_does_not_promote() -> None:
    torch = pytest.importorskip("torch")
    layer = nn.Linear(3, 2, xp=torch, dtype=torch.float64)
    message = "dtype torch.bfloat16 and `weight` torch.float64.*make the layer with `dtype=`"
    with pytest.raises(TypeError, match=message):
        layer(torch.ones((4, 3), dtype=torch.bfloat16))


@pytest.mark.parametrize("size", [0, -1])
def test_a_layer_needs_inputs_and_outputs(size: int) -> None:
    with pytest.raises(ValueError, match=f"`in_features` must be at least 1, got {size}"):
        nn.Linear(size, 1)
    with pytest.raises(ValueError, match=f"`out_features` must be at least 1, got {size}"):
        nn.Linear(1, size)


def test_the_default_library_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr("portable_losses._plain.import_module", missing)
    with pytest.raises(
        ModuleNotFoundError, match="`xp` is NumPy's by default, which is not installed"
    ):
        nn.Linear(1, 1)


def test_flatten_joins_all_but_the_first_axis_and_keeps_plain_arrays_plain(
    library: Library,
) -> None:
    x = library.array(np.arange(24.0).reshape(2, 3, 4))
    out = nn.Flatten()(x)
    assert type(out) is type(x)
    np.testing.assert_array_equal(library.numpy(out), np.arange(24.0).reshape(2, 12))
    assert isinstance(nn.Flatten()(tensor(x)), Tensor)


def test_flatten_joins_the_axes_that_are_asked_for() -> None:
    x = np.ones((2, 3, 4, 5))
    assert nn.Flatten(start_axis=0, end_axis=1)(x).shape == (6, 4, 5)
    assert nn.Flatten(start_axis=-2)(x).shape == (2, 3, 20)
    assert nn.Flatten()(np.ones((0, 3, 4))).shape == (0, 12)
    with pytest.raises(IndexError, match="must lie in"):
        nn.Flatten()(np.ones(3))
    with pytest.raises(ValueError, match="must not lie behind"):
        nn.Flatten(start_axis=2, end_axis=1)(x)


def test_a_sequence_calls_one_module_after_the_other() -> None:
    net = nn.Sequential(nn.Identity(), nn.ReLU())
    assert net(np.asarray([-1.0, 2.0])).tolist() == [0.0, 2.0]
    assert len(net.append(nn.Tanh())) == 3
    assert [type(module).__name__ for module in net] == ["Identity", "ReLU", "Tanh"]
    assert isinstance(net[-1], nn.Tanh)


def test_a_list_of_modules_is_found_by_the_module_that_has_it() -> None:
    module: Any = nn.Module()
    module.layers = nn.ModuleList(nn.Linear(2, 2, rng=i) for i in range(2))
    module.layers.append(nn.Linear(2, 1))
    names = [name for name, _ in module.named_parameters()]
    assert names[:2] == ["layers.0.weight", "layers.0.bias"]
    assert len(names) == 6


@pytest.mark.parametrize("container", [nn.Sequential, lambda f: nn.ModuleList([f])])
def test_what_is_no_module_is_not_put_into_a_container(container: Any) -> None:
    with pytest.raises(TypeError, match="`modules` must be Modules, got function"):
        container(pl.relu)


# ---- functions as modules ----------------------------------------------------------------------
def test_every_activation_and_loss_of_the_package_is_a_module() -> None:
    wrapped = {module.function for module in FUNCTIONS}
    families = ("portable_losses.activations", "portable_losses.losses")
    modules = [importlib.import_module(family) for family in families]
    functions = {getattr(module, name) for module in modules for name in module.__all__}
    assert functions - wrapped == {pl.prelu, pl.linear_cross_entropy}  # they hold parameters


def test_prelu_learns_its_slopes_per_channel(library: Library) -> None:
    given = {"xp": library.xp, "device": library._device(), "dtype": library.xp.float64}
    layer = nn.PReLU(3, init=0.5, axis=1, **given)
    x = np.arange(-6.0, 6.0).reshape(2, 3, 2)
    out = layer(library.array(x))
    np.testing.assert_array_equal(library.numpy(out), np.where(x > 0, x, x / 2))
    out.__array_namespace__().sum(out).backward()
    expected = np.where(x > 0, 0, x).sum(axis=(0, 2))
    np.testing.assert_array_equal(library.numpy(layer.weight.grad), expected)


def test_a_linear_cross_entropy_is_linear_and_cross_entropy(library: Library) -> None:
    given: dict[str, Any] = {"xp": library.xp, "device": library._device(), "rng": 3}
    given["dtype"] = library.xp.float64
    x, y = library.array(np.cos(np.arange(20.0)).reshape(5, 4)), library.array([0, 2, 1, -100, 0])
    layer = nn.Linear(4, 3, **given)
    fused = nn.LinearCrossEntropyLoss(4, 3, bias=True, label_smoothing=0.1, **given)
    want = pl.cross_entropy(layer(x), y, label_smoothing=0.1)
    np.testing.assert_allclose(library.numpy(fused(x, y)), library.numpy(want), rtol=1e-13)
    rows = fused(x, y, reduction="none")
    assert tuple(rows.shape) == (5,)


@pytest.mark.parametrize("module", FUNCTIONS)
def test_a_module_takes_the_options_of_its_function_and_documents_them(module: Any) -> None:
    parameters = inspect.signature(module.function).parameters.values()
    options = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    assert list(inspect.signature(module).parameters.values()) == options
    for option in options:
        if option.default is option.empty:
            with pytest.raises(TypeError, match=f"{module.__name__} needs the option '"):
                module()
        elif all(o.default is not o.empty for o in options):
            assert getattr(module(), option.name) is option.default
        assert re.search(rf"^(\w+, )*{option.name}(, \w+)* :", module.__doc__, re.MULTILINE)


@pytest.mark.parametrize("module", FUNCTIONS)
def test_the_example_of_a_module_makes_it_and_calls_it(module: Any) -> None:
    example = module.__doc__.partition("Examples\n")[2]
    assert f"nn.{module.__name__}(" in example
    assert f"pl.{module.function.__name__}(" not in example


def test_a_class_of_ones_own_has_its_own_words() -> None:
    class Mine(nn.FunctionModule, function=pl.huber_loss):
        """My loss."""

    assert (Mine.__doc__ or "").startswith("My loss.\n\nParameters")
    assert "Examples" not in (Mine.__doc__ or "")


def test_the_classes_have_the_names_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    wanted = {
        "relu": "ReLU",
        "leaky_relu": "LeakyReLU",
        "log_sigmoid": "LogSigmoid",
        "silu": "SiLU",
        "gelu": "GELU",
        "softplus": "Softplus",
        "log_softmax": "LogSoftmax",
        "cross_entropy": "CrossEntropyLoss",
        "nll_loss": "NLLLoss",
        "smooth_l1_loss": "SmoothL1Loss",
        "mse_loss": "MSELoss",
        "hard_sigmoid": "Hardsigmoid",
        "hard_tanh": "Hardtanh",
        "tanh_shrink": "Tanhshrink",
        "soft_shrink": "Softshrink",
        "hard_silu": "Hardswish",
        "relu6": "ReLU6",
        "rrelu": "RReLU",
        "kl_div": "KLDivLoss",
        "ctc_loss": "CTCLoss",
        "poisson_nll_loss": "PoissonNLLLoss",
        "gaussian_nll_loss": "GaussianNLLLoss",
        "multilabel_soft_margin_loss": "MultiLabelSoftMarginLoss",
        "cosine_embedding_loss": "CosineEmbeddingLoss",
        "cosine_similarity": "CosineSimilarity",
        "pairwise_distance": "PairwiseDistance",
    }
    made = {module.function.__name__: module.__name__ for module in FUNCTIONS}
    for function, name in wanted.items():
        assert hasattr(torch.nn, name)
        assert made[function] == name


def test_an_activation_is_its_function_with_the_options_given(library: Library) -> None:
    x = library.array(np.asarray([-1.0, 0.0, 2.0]))
    for layer, expected in (
        (nn.GELU(approximate="tanh"), pl.gelu(x, approximate="tanh")),
        (nn.Softplus(beta=2.0), pl.softplus(x, beta=2.0)),
        (nn.Softmax(axis=0), pl.softmax(x, axis=0)),
        (nn.LeakyReLU(), pl.leaky_relu(x)),
    ):
        np.testing.assert_array_equal(library.numpy(layer(x)), library.numpy(expected))


def test_a_loss_keeps_its_reduction_and_a_call_may_have_another(library: Library) -> None:
    logits = library.array(np.asarray([[1.0, 2.0], [3.0, 0.0]]))
    target = library.array(np.asarray([0, 1]))
    loss = nn.CrossEntropyLoss(reduction="none")
    assert loss(logits, target).shape == (2,)
    total = library.numpy(loss(logits, target, reduction="sum"))
    np.testing.assert_allclose(total, library.numpy(loss(logits, target)).sum(), rtol=1e-15)
    loss.reduction = "mean"
    np.testing.assert_allclose(library.numpy(loss(logits, target)), total / 2, rtol=1e-15)


def test_bce_takes_probabilities_and_bce_with_logits_takes_logits() -> None:
    z, y = tensor(np.asarray([-1.0, 0.5])), np.asarray([0.0, 1.0])
    from_logits = nn.BCEWithLogitsLoss()(z, y)
    np.testing.assert_allclose(nn.BCELoss()(nn.Sigmoid()(z), y).array, from_logits.array)
    with pytest.raises(ValueError, match="for logits use"):
        nn.BCELoss()(z, y)


def test_an_unknown_option_is_refused_when_the_module_is_made() -> None:
    gelu: Any = nn.GELU  # a type checker refuses it as well
    with pytest.raises(
        TypeError, match=re.escape("GELU has the options ['approximate'], got 'dim'")
    ):
        gelu(dim=1)


def test_a_new_function_is_one_class() -> None:
    def twice(x: Any, /, *, plus: float = 0.0) -> Any:
        return 2 * x + plus

    class Twice(nn.FunctionModule, function=twice):
        """Double."""

    assert Twice(plus=1.0)(named("numpy").array(np.asarray([1.0]))).tolist() == [3.0]

"""ONNX programs: graphs that ndonnx builds, with a batch of unknown size, run in onnxruntime."""

from collections.abc import Mapping
from typing import Any

import ndonnx as ndx
import numpy as np
import onnxruntime
import pytest

import portable_losses as pl
from portable_losses.autograd import grad
from tests.interop.test_jax_export import batched
from tests.libraries import EVERY_ROW
from tests.rows import TABLE
from tests.samples import Key, Sample

#: By default few, each of which needs a size elsewhere; a graph of one row takes a second.
QUICK = ("gelu", "softmax", "glu", "nll_loss index", "sparsemax", "huber_loss sample_weight")
#: Their first axis is none of a batch, or copies of it are another problem: known sizes.
FIXED = {
    "cosine_embedding_loss everything, axis 1",
    "cross_entropy axis 0",
    "cross_entropy one row",
    "ctc_loss alone",
    "ctc_loss flat, everything",
    "distillation_loss kl, everything",
    "linear_cross_entropy one row",
    "normalize p inf, two axes",
}
#: 6e-9 off in onnxruntime and right on every other library; why is not known (docs/scale.md).
CLOSE_TO_A_POLE = "tweedie_deviance_loss everything, power 1.000000001"
ROWS = [row for row in TABLE if str(row) != CLOSE_TO_A_POLE and (EVERY_ROW or str(row) in QUICK)]


def argument(dtype: Any, *shape: Any) -> Any:
    return ndx.argument(shape=shape, dtype=getattr(ndx, str(dtype)))


def run(inputs: Mapping[str, Any], outputs: Any, arrays: Mapping[str, Any]) -> list[Any]:
    """Run the graph of `outputs`, anew at each call, on NumPy arrays."""
    model = ndx.build(dict(inputs), {f"out{i}": out for i, out in enumerate(outputs)})
    session = onnxruntime.InferenceSession(model.SerializeToString())
    used = {one.name for one in session.get_inputs()}
    found: Any = session.run(None, {name: x for name, x in arrays.items() if name in used})
    return found


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_graph_has_the_values_and_gradients_of_every_size(row: Sample) -> None:
    axes = batched(row) if row.given[0].ndim and str(row) not in FIXED else {}
    keys, places = list(row.given), tuple(map(list(row.given).index, row.variables))

    def results(arrays: Mapping[Key, Any]) -> list[Any]:
        def number(*given: Any) -> Any:
            outs = row.call(dict(zip(keys, given, strict=True)))
            return sum((out.sum() for out in outs[1:]), outs[0].sum())

        slopes = grad(number, argnums=places)(*arrays.values()) if places else ()
        return [*row.call(arrays), *slopes]

    given = {
        key: argument(a.dtype, *("N" if axes.get(key) == i else n for i, n in enumerate(a.shape)))
        for key, a in row.given.items()
    }
    outputs = results(given)
    for times in (1, 3):
        arrays = {
            key: np.concatenate([a] * times, axis=axes[key]) if key in axes else a
            for key, a in row.given.items()
        }
        names = [f"a{i}" for i in range(len(keys))]
        found = run(
            dict(zip(names, given.values(), strict=True)),
            outputs,
            dict(zip(names, arrays.values(), strict=True)),
        )
        with np.errstate(all="ignore"):
            wanted = results(arrays)
        for got, want in zip(found, wanted, strict=True):
            np.testing.assert_allclose(got, want, 1e-12, 1e-12)


def test_numpy_weights_are_constants_halves_stay_and_a_bad_class_is_nan() -> None:
    logits, target = argument("float16", "N", 3), argument("int64", "N")
    weight = np.asarray([1.0, 2.0, 3.0])

    def losses(logits: Any, target: Any) -> Any:
        return pl.cross_entropy(logits, target, weight=weight, reduction="none")

    arrays = {"z": np.asarray([[1, 2, 3], [4, 5, 6]], np.float16), "y": np.asarray([2, 7])}
    (got,) = run({"z": logits, "y": target}, [losses(logits, target)], arrays)
    assert got.dtype == np.float16
    np.testing.assert_array_equal(got[:1], losses(arrays["z"][:1], arrays["y"][:1]))
    assert np.isnan(got[1])


def test_a_batch_may_be_joined_and_reduced() -> None:
    x = argument("float64", "N", 3)
    array = np.linspace(-3.0, 400.0, 12).reshape(4, 3)
    calls: list[Any] = [
        pl.logsumexp,
        lambda x: pl.softmax(x, axis=0),
        lambda x: pl.log_softmax(x, axis=(0, 1)),
    ]
    for got, call in zip(run({"x": x}, [f(x) for f in calls], {"x": array}), calls, strict=True):
        np.testing.assert_allclose(got, call(array), 1e-14)


@pytest.mark.parametrize(
    "call, message",
    [
        (pl.sparsemax, "`axis` needs sizes that an array of shape .* does not know; give them"),
        (pl.cumulative_logsumexp, "`axis` needs sizes that an array of shape .* does not know"),
        (
            lambda z: pl.cross_entropy(z, argument("int64", "N")),
            "`logits` must have a number of classes, got shape",
        ),
        (lambda z: pl.log_softmax(z, axis=(0, 1)), "only one size may be unknown"),
        (lambda z: grad(lambda z: z[0, 0])(z), "the gradient of an index needs the sizes"),
    ],
    ids=["sparsemax", "cumulative_logsumexp", "cross_entropy", "two axes", "index"],
)
def test_what_needs_a_number_of_classes_says_so(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(argument("float64", "N", "C"))

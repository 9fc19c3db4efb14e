"""jax.export with a batch that is a symbol: one program for every size."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import portable_losses as pl
from tests.libraries import EVERY_ROW, named
from tests.rows import ONCE
from tests.samples import Key, Sample

JAX = named("jax")
OF_CLASSES = {"weight", "class_weight", "bias", "pos_weight"}  # have no axis of rows


def batched(row: Sample) -> dict[Key, int]:
    """The axis of the batch in every array of a row that has one."""
    axes: dict[Key, int] = {}
    first = row.given[0]
    along = 1 if row.function is pl.ctc_loss and first.ndim > 1 else 0
    for key, a in row.given.items():
        axis = along if key == 0 else 0
        fixed = (key in OF_CLASSES and a.ndim == 1) or a.ndim <= axis
        fixed = fixed or (row.function is pl.linear_cross_entropy and key == 1)
        if not fixed and a.shape[axis] == first.shape[along]:
            axes[key] = axis
    return axes


#: By default one, which has the most steps; the compiler takes seconds.
ROWS = [
    row
    for row in ONCE
    if row.given[0].ndim and (EVERY_ROW or row.function is pl.linear_cross_entropy)
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_symbolic_batch_has_the_values_and_gradients_of_every_size(row: Sample) -> None:
    axes, keys = batched(row), list(row.given)
    (batch,) = export.symbolic_shape("batch")
    shapes = []
    for key, a in row.given.items():
        i = axes.get(key)
        shapes.append(a.shape if i is None else (*a.shape[:i], batch, *a.shape[i + 1 :]))
    places = tuple(keys.index(key) for key in row.variables)

    def number(*arrays: Any) -> Any:
        outs = row.call(dict(zip(keys, arrays, strict=True)))
        return sum((jnp.sum(out) for out in outs[1:]), jnp.sum(outs[0]))

    slope = jax.value_and_grad(number, argnums=places) if places else number
    kinds = [a.dtype for a in row.given.values()]
    specs = [jax.ShapeDtypeStruct(s, d) for s, d in zip(shapes, kinds, strict=True)]
    exported = export.export(jax.jit(slope))(*specs)
    for times in (1, 2) if EVERY_ROW else (2,):
        arrays = [
            jnp.asarray(np.concatenate([a] * times, axis=axes[key]) if key in axes else a)
            for key, a in row.given.items()
        ]
        got, want = JAX.quickly(exported.call)(*arrays), JAX.quickly(slope)(*arrays)
        for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
            np.testing.assert_allclose(one, other, 1e-12, 1e-13)


def test_means_of_exponentials_count_a_symbolic_axis() -> None:
    spec = jax.ShapeDtypeStruct(export.symbolic_shape("n"), jnp.float64)
    exported = export.export(jax.jit(pl.logmeanexp))(spec)
    for n in (1, 5):
        assert JAX.quickly(exported.call)(jnp.zeros(n)) == 0

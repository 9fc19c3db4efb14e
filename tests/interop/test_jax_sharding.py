"""JAX arrays that lie on several devices: eager, under jit, mapped by hand, and beside others."""

import os
import subprocess
import sys

from tests.libraries import EVERY_ROW

FLAGS = "--xla_force_host_platform_device_count=6 --xla_backend_optimization_level=0"

# The number of devices is fixed when JAX starts, so each test is a process of its own.
START = """
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

import portable_losses as pl
from tests.libraries import named
from tests.rows import FEW, ONCE

sizes = {"batch": 2, "model": 3}
mesh = jax.make_mesh((2, 3), tuple(sizes), axis_types=(AxisType.Auto,) * 2)


def sharded(x):
    names, spec = dict(sizes), []
    for n in x.shape:
        spec.append(next((name for name, size in names.items() if n and n % size == 0), None))
        names.pop(spec[-1], None)
    return jax.device_put(x, NamedSharding(mesh, P(*spec)))
"""

ROWS = """
jax_alone, seen = named("jax"), 0
for row in rows:
    for library in (jax_alone, jax_alone.on_tape()):
        arrays = {key: sharded(x) for key, x in row.on(library).items()}
        places = range(len(row.variables))
        gradient = library.gradient(row.scalar(arrays, library, "float64"), places)
        grads = gradient(*(arrays[key] for key in row.variables)) if row.variables else ()
        for got, want in zip((*row.call(arrays), *grads), (*row.value, *row.gradient), strict=True):
            got = np.asarray(getattr(got, "array", got))
            np.testing.assert_allclose(got, want, 1e-10, 1e-10, err_msg=str(row))
            seen += 1
assert seen > len(rows)
"""

COMPILED = """
z, target = jnp.sin(jnp.arange(24.0)).reshape(4, 6), jnp.asarray([0, 5, 2, 1])
rows = lambda z, y: pl.cross_entropy(z, y, label_smoothing=0.1, reduction="none")
want = jax.jit(rows)(z, target)
np.testing.assert_allclose(jax.jit(rows)(sharded(z), target), want, 1e-12)
mapped = jax.shard_map(rows, mesh=mesh, in_specs=(P("batch"), P("batch")), out_specs=P("batch"))
np.testing.assert_allclose(jax.jit(mapped)(z, target), want, 1e-12)
pushed = jax.pmap(rows)(z.reshape(2, 2, 6), target.reshape(2, 2))
np.testing.assert_allclose(pushed.ravel(), want, 1e-12)
"""

FREE = """
z, there = jnp.linspace(-2.0, 2.0, 6), jax.devices()[2]
other = jax.device_put(jnp.ones(6), there)
for f in (pl.gelu, pl.log_softmax, pl.relu):
    assert (f(z) + other).devices() == {there}
    assert not f(z).committed
    assert f(other).devices() == {there}
grad = jax.grad(lambda z: pl.huber_loss(z, z + other))
assert (grad(z) + other).devices() == {there}
"""


#: What reduces along the classes, and sorts nothing: the sharded axis is never gathered.
CLASSES = """
from examples.sharded_classes import collectives

z, other = jnp.sin(jnp.arange(48.0)).reshape(4, 12), jnp.cos(jnp.arange(48.0)).reshape(4, 12)
target, p = jnp.asarray([0, 5, 2, 1]), jax.nn.softmax(other)
weight, mask = jnp.linspace(0.5, 2.0, 12), other > -0.9
losses = {
    "cross_entropy": lambda z: pl.cross_entropy(z, target, label_smoothing=0.1, z_loss=0.1),
    "softmax": lambda z: (pl.softmax(z) ** 2).sum(),
    "logsumexp": lambda z: pl.logsumexp(z, axis=-1).sum(),
}
if every:
    losses |= {
        "cross_entropy soft": lambda z: pl.cross_entropy(z, p, weight=weight, softcap=9.0),
        "cross_entropy where": lambda z: pl.cross_entropy(z, target, where=mask),
        "softmax where": lambda z: (pl.softmax(z, where=mask) ** 2).sum(),
        "log_softmax": lambda z: (pl.log_softmax(z) ** 2).sum(),
        "softmin": lambda z: (pl.softmin(z) ** 2).sum(),
        "logmeanexp": lambda z: pl.logmeanexp(z, axis=-1).sum(),
        "entropy": lambda z: pl.entropy(pl.softmax(z), axis=-1).sum(),
        "kl_div": lambda z: pl.kl_div(pl.log_softmax(z), p),
        "js_div": lambda z: pl.js_div(pl.softmax(z), p),
        "distillation_loss": lambda z: pl.distillation_loss(z, other),
        "softmax_focal_loss": lambda z: pl.softmax_focal_loss(z, target),
        "generalized_cross_entropy": lambda z: pl.generalized_cross_entropy(z, target),
        "poly_loss": lambda z: pl.poly_loss(z, target),
        "multi_margin_loss": lambda z: pl.multi_margin_loss(z, target),
        "multiclass_hinge_loss": lambda z: pl.multiclass_hinge_loss(z, target),
        "nll_loss": lambda z: pl.nll_loss(pl.log_softmax(z), target),
        "ranking_softmax_loss": lambda z: pl.ranking_softmax_loss(z, p),
        "linear_cross_entropy": lambda z: pl.linear_cross_entropy(p[:, :4], z.T, target),
    }
for name, loss in losses.items():
    slope = jax.jit(jax.value_and_grad(loss))
    compiled = slope.lower(sharded(z)).compile()
    assert set(collectives(compiled)) == {"all-reduce"}, name
    for got, want in zip(compiled(sharded(z)), slope(z), strict=True):
        np.testing.assert_allclose(got, want, 1e-10, 1e-12, err_msg=name)
"""


def run(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", START + script],
        env={**os.environ, "XLA_FLAGS": FLAGS, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_a_sharded_array_has_the_values_and_gradients_of_a_whole_one() -> None:
    run(("rows = ONCE" if EVERY_ROW else "rows = FEW[-1:]") + ROWS)


def test_sharded_arrays_compile_and_results_are_tied_to_no_device_unless_an_array_is() -> None:
    run(COMPILED + FREE)


def test_under_jit_a_sharded_axis_of_classes_is_reduced_and_never_gathered() -> None:
    run(f"every = {EVERY_ROW}\n{CLASSES}")


def test_the_example_trains_on_four_devices() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.sharded_classes"],
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("4 devices; loss 3.4657 -> 0.6"), done.stdout
    assert "collectives of a step: {'all-reduce': " in done.stdout

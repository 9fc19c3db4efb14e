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

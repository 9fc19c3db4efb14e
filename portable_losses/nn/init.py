"""Random and constant values for parameters, in PyTorch's spelling.

Every function takes a `Parameter` (or a leaf Tensor), puts a new array under it, of the library,
dtype and device that it has, and returns it. No array is written to.

Where a function has `rng`, it is

- None: one generator for all calls, seeded by `manual_seed` (else by the operating system);
- an int: a seed for this call alone, so two layers of one seed and shape are equal;
- a ``random.Random``: goes on from call to call, and is the usual choice;
- a generator like NumPy's, with ``random(size)`` and ``standard_normal(size)``.

The numbers are drawn in Python in double precision and rounded to the dtype, so one seed gives the
same weights on every library and device.
"""

from portable_losses.nn.filling import constant_, normal_, ones_, uniform_, zeros_
from portable_losses.nn.generator import manual_seed
from portable_losses.nn.scaling import (
    calculate_gain,
    kaiming_normal_,
    kaiming_uniform_,
    xavier_normal_,
    xavier_uniform_,
)

__all__ = [
    "calculate_gain",
    "constant_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "manual_seed",
    "normal_",
    "ones_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

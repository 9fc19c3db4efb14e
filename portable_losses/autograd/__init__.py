"""Gradients for every Array API library: a tape that is itself an Array API library.

Two faces of one thing: ``grad(f)`` and `value_and_grad` transform functions of plain arrays;
``tensor(x)``, ``.backward()`` and ``.grad`` work step by step. ``namespace(xp)`` is the Array API
of `xp`, recorded.
"""

from portable_losses.autograd.namespaces import namespace
from portable_losses.autograd.rules import (
    complex_numbers,
    decompositions,
    elementwise,
    fourier,
    indexing,
    linear_algebra,
    norms,
    reduction,
    shape,
    solving,
)
from portable_losses.autograd.tape import enable_grad, no_grad
from portable_losses.autograd.tensor import Tensor, tensor

from portable_losses.autograd.functional import (  # isort: skip
    grad,
    stop_gradient,
    value_and_grad,
    vjp,
)
from portable_losses.autograd.anomaly import detect_anomaly  # isort: skip
from portable_losses.autograd.checkpoint import checkpoint  # isort: skip
from portable_losses.autograd.custom import custom_vjp  # isort: skip
from portable_losses.autograd.gradcheck import gradcheck  # isort: skip
from portable_losses.autograd.matrices import flatten, hessian, jacobian  # isort: skip
from portable_losses.autograd.operators import elementwise_grad, ggnvp, hvp, jvp  # isort: skip
from portable_losses.autograd import added  # isort: skip

__all__ = [
    "Tensor",
    "checkpoint",
    "custom_vjp",
    "detect_anomaly",
    "elementwise_grad",
    "enable_grad",
    "flatten",
    "ggnvp",
    "grad",
    "gradcheck",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "namespace",
    "no_grad",
    "stop_gradient",
    "tensor",
    "value_and_grad",
    "vjp",
]

# Imported to be registered.
del added, complex_numbers, decompositions, elementwise, fourier, indexing
del linear_algebra, norms, reduction, shape, solving

"""Gradients for every Array API library: a tape that is itself an Array API library.

Two faces of one thing: ``grad(f)`` and `value_and_grad` transform functions of plain arrays;
``tensor(x)``, ``.backward()`` and ``.grad`` work step by step. ``namespace(xp)`` is the Array API
of `xp`, recorded.
"""

from portable_losses.autograd import added
from portable_losses.autograd.anomaly import detect_anomaly
from portable_losses.autograd.checkpoint import checkpoint
from portable_losses.autograd.custom import custom_vjp
from portable_losses.autograd.functional import (
    grad,
    stop_gradient,
    value_and_grad,
    vjp,
)
from portable_losses.autograd.gradcheck import gradcheck
from portable_losses.autograd.matrices import flatten, hessian, jacobian
from portable_losses.autograd.namespaces import namespace
from portable_losses.autograd.operators import elementwise_grad, ggnvp, hvp, jvp
from portable_losses.autograd.tape import enable_grad, no_grad
from portable_losses.autograd.tensor import Tensor, tensor

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
del added

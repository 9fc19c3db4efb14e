"""Gradients for every Array API library: a tape that is itself an Array API library.

Two faces of one thing: ``grad(f)`` and `value_and_grad` transform functions of plain arrays;
``tensor(x)``, ``.backward()`` and ``.grad`` work step by step. ``namespace(xp)`` is the Array API
of `xp`, recorded.
"""

from portable_losses.autograd.debug.anomaly import detect_anomaly
from portable_losses.autograd.debug.gradcheck import gradcheck
from portable_losses.autograd.graph.recording import enable_grad, no_grad
from portable_losses.autograd.namespaces.namespace import namespace
from portable_losses.autograd.tensors.tensor import Tensor, tensor
from portable_losses.autograd.transforms.checkpoint import checkpoint
from portable_losses.autograd.transforms.custom import custom_vjp
from portable_losses.autograd.transforms.functional import (
    grad,
    stop_gradient,
    value_and_grad,
    vjp,
)
from portable_losses.autograd.transforms.matrices import flatten, hessian, jacobian
from portable_losses.autograd.transforms.products import elementwise_grad, ggnvp, hvp, jvp

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

"""Gradients for every Array API library: a tape that is itself an Array API library.

Two faces of one thing: ``grad(f)`` and `value_and_grad` transform functions of plain arrays;
``tensor(x)``, ``.backward()`` and ``.grad`` work step by step. ``namespace(xp)`` is the Array API
of `xp`, recorded.
"""

from portable_losses.autograd.namespaces import namespace
from portable_losses.autograd.rules import (
    elementwise,
    indexing,
    linear_algebra,
    reduction,
    shape,
)
from portable_losses.autograd.tape import enable_grad, no_grad
from portable_losses.autograd.tensor import Tensor, tensor

from portable_losses.autograd.functional import (  # isort: skip
    grad,
    stop_gradient,
    value_and_grad,
    vjp,
)
from portable_losses.autograd.gradcheck import gradcheck  # isort: skip

__all__ = [
    "Tensor",
    "enable_grad",
    "grad",
    "gradcheck",
    "namespace",
    "no_grad",
    "stop_gradient",
    "tensor",
    "value_and_grad",
    "vjp",
]

del elementwise, indexing, linear_algebra, reduction, shape  # imported to be registered

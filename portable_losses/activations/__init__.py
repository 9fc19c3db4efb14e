"""Activation functions: elementwise, and along an axis."""

from portable_losses.activations.rectified import leaky_relu, relu
from portable_losses.activations.sigmoid import expit, log_expit, log_sigmoid, sigmoid, tanh
from portable_losses.activations.smooth import gelu, silu, softplus, swish
from portable_losses.activations.softmax import log_softmax, softmax, softmin

__all__ = [
    "expit",
    "gelu",
    "leaky_relu",
    "log_expit",
    "log_sigmoid",
    "log_softmax",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softmin",
    "softplus",
    "swish",
    "tanh",
]

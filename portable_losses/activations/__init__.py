"""Activation functions: elementwise, and along an axis."""

from portable_losses.activations.exponential import celu, elu, selu
from portable_losses.activations.gated import geglu, glu, reglu, swiglu
from portable_losses.activations.gumbel import gumbel_softmax
from portable_losses.activations.hyperbolic import softcap, tanh_shrink
from portable_losses.activations.logistic import (
    expit,
    log_expit,
    log_sigmoid,
    sigmoid,
    softsign,
    tanh,
)
from portable_losses.activations.piecewise import (
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    hard_tanh,
    soft_shrink,
    sparse_plus,
    sparse_sigmoid,
)
from portable_losses.activations.rectified import (
    leaky_relu,
    prelu,
    relu,
    relu6,
    relu_squared,
    rrelu,
    threshold,
)
from portable_losses.activations.scaled import normalize, standardize
from portable_losses.activations.smooth import (
    gelu,
    mish,
    quick_gelu,
    silu,
    softplus,
    squareplus,
    swish,
)
from portable_losses.activations.softmaxes import log_softmax, softmax, softmin
from portable_losses.activations.sparse import entmax15, sparsemax

__all__ = [
    "celu",
    "elu",
    "entmax15",
    "expit",
    "geglu",
    "gelu",
    "glu",
    "gumbel_softmax",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "log_expit",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "normalize",
    "prelu",
    "quick_gelu",
    "reglu",
    "relu",
    "relu6",
    "relu_squared",
    "rrelu",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softcap",
    "softmax",
    "softmin",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "standardize",
    "swiglu",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
]

"""Special functions: what losses and activations are made of."""

from portable_losses.special.entropy import xlog1py, xlogy
from portable_losses.special.error_function import erf, erfc
from portable_losses.special.log_exp import log1mexp, logit, logsumexp
from portable_losses.special.one_hot import one_hot, smooth_labels

__all__ = [
    "erf",
    "erfc",
    "log1mexp",
    "logit",
    "logsumexp",
    "one_hot",
    "smooth_labels",
    "xlog1py",
    "xlogy",
]

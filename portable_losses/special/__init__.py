"""Special functions: what losses and activations are made of."""

from portable_losses.special.box_cox import boxcox
from portable_losses.special.classes import one_hot, smooth_labels
from portable_losses.special.entropies import entr, entropy, rel_entr, xlog1py, xlogy
from portable_losses.special.error_function import erf, erfc, erfcx
from portable_losses.special.gamma import digamma, gammaln
from portable_losses.special.log_exp import log1mexp, logit, logsumexp
from portable_losses.special.log_sums import cumulative_logsumexp, logmeanexp, logsubexp
from portable_losses.special.normal import log_ndtr, ndtr

__all__ = [
    "boxcox",
    "cumulative_logsumexp",
    "digamma",
    "entr",
    "entropy",
    "erf",
    "erfc",
    "erfcx",
    "gammaln",
    "log1mexp",
    "log_ndtr",
    "logit",
    "logmeanexp",
    "logsubexp",
    "logsumexp",
    "ndtr",
    "one_hot",
    "rel_entr",
    "smooth_labels",
    "xlog1py",
    "xlogy",
]

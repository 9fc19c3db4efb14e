"""Loss functions: numbers that say how far an output is from its target."""

from portable_losses.losses.asymmetric import expectile_loss, quantile_loss
from portable_losses.losses.binary import binary_cross_entropy, binary_cross_entropy_with_logits
from portable_losses.losses.categorical import cross_entropy, nll_loss
from portable_losses.losses.contrastive import circle_loss, info_nce_loss, ntxent_loss
from portable_losses.losses.ctc import ctc_loss
from portable_losses.losses.deviance import (
    gamma_deviance_loss,
    poisson_deviance_loss,
    tweedie_deviance_loss,
)
from portable_losses.losses.distillation import distillation_loss
from portable_losses.losses.divergence import generalized_kl_div, js_div, kl_div, tvd_loss
from portable_losses.losses.embedding import (
    cosine_distance,
    cosine_similarity,
    pairwise_distance,
    triplet_margin_loss,
)
from portable_losses.losses.focal import sigmoid_focal_loss, softmax_focal_loss
from portable_losses.losses.general_robust import general_robust_loss
from portable_losses.losses.insensitive import (
    epsilon_insensitive_loss,
    squared_epsilon_insensitive_loss,
)
from portable_losses.losses.likelihood import gaussian_nll_loss, poisson_nll_loss
from portable_losses.losses.linear import linear_cross_entropy
from portable_losses.losses.margin import (
    exponential_loss,
    hinge_loss,
    modified_huber_loss,
    perceptron_loss,
    soft_margin_loss,
    squared_hinge_loss,
)
from portable_losses.losses.multiclass_margin import (
    multi_margin_loss,
    multiclass_hinge_loss,
    multiclass_perceptron_loss,
)
from portable_losses.losses.multilabel import multilabel_margin_loss, multilabel_soft_margin_loss
from portable_losses.losses.ordinal import ordinal_cross_entropy
from portable_losses.losses.paired import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
)
from portable_losses.losses.ranking import ranking_softmax_loss
from portable_losses.losses.regression import huber_loss, l1_loss, mse_loss, smooth_l1_loss
from portable_losses.losses.relative import mape_loss, msle_loss
from portable_losses.losses.reweighted import generalized_cross_entropy, poly_loss
from portable_losses.losses.robust import log_cosh_loss, pseudo_huber_loss
from portable_losses.losses.segmentation import dice_loss, jaccard_loss, tversky_loss
from portable_losses.losses.sparsemax import (
    binary_sparsemax_loss,
    fenchel_young_loss,
    sparsemax_loss,
)

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "binary_sparsemax_loss",
    "circle_loss",
    "cosine_distance",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "ctc_loss",
    "dice_loss",
    "distillation_loss",
    "epsilon_insensitive_loss",
    "expectile_loss",
    "exponential_loss",
    "fenchel_young_loss",
    "gamma_deviance_loss",
    "gaussian_nll_loss",
    "general_robust_loss",
    "generalized_cross_entropy",
    "generalized_kl_div",
    "hinge_embedding_loss",
    "hinge_loss",
    "huber_loss",
    "info_nce_loss",
    "jaccard_loss",
    "js_div",
    "kl_div",
    "l1_loss",
    "linear_cross_entropy",
    "log_cosh_loss",
    "mape_loss",
    "margin_ranking_loss",
    "modified_huber_loss",
    "mse_loss",
    "msle_loss",
    "multi_margin_loss",
    "multiclass_hinge_loss",
    "multiclass_perceptron_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "ntxent_loss",
    "ordinal_cross_entropy",
    "pairwise_distance",
    "perceptron_loss",
    "poisson_deviance_loss",
    "poisson_nll_loss",
    "poly_loss",
    "pseudo_huber_loss",
    "quantile_loss",
    "ranking_softmax_loss",
    "sigmoid_focal_loss",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax_focal_loss",
    "sparsemax_loss",
    "squared_epsilon_insensitive_loss",
    "squared_hinge_loss",
    "triplet_margin_loss",
    "tvd_loss",
    "tversky_loss",
    "tweedie_deviance_loss",
]

"""What other libraries call a function, and near misses: answers to a name that there is not."""

from collections.abc import Iterable

__all__ = ["OTHER_NAMES", "meant"]

# Names of docs/names.md that are not ours, by name: what the function is called here.
OTHER_NAMES = {
    "binary_crossentropy": "binary_cross_entropy",
    "binary_dice_loss": "dice_loss",
    "binary_focal_crossentropy": "sigmoid_focal_loss",
    "categorical_crossentropy": "cross_entropy",
    "categorical_focal_crossentropy": "softmax_focal_loss",
    "categorical_generalized_cross_entropy": "generalized_cross_entropy",
    "categorical_hinge": "multiclass_hinge_loss",
    "circle": "circle_loss",
    "convex_kl_divergence": "kl_div",
    "cosine_distances": "cosine_distance",
    "ctc": "ctc_loss",
    "cumlogsumexp": "cumulative_logsumexp",
    "dice": "dice_loss",
    "hardshrink": "hard_shrink",
    "hardsigmoid": "hard_sigmoid",
    "hardswish": "hard_silu",
    "hardtanh": "hard_tanh",
    "hinge": "hinge_loss",
    "huber": "huber_loss",
    "jaccard_score": "jaccard_loss",
    "kl_divergence": "kl_div",
    "kl_divergence_with_log_targets": "kl_div",
    "layer_norm": "standardize",
    "log_cosh": "log_cosh_loss",
    "log_loss": "cross_entropy",
    "logcumsumexp": "cumulative_logsumexp",
    "logsigmoid": "log_sigmoid",
    "make_fenchel_young_loss": "fenchel_young_loss",
    "mean_absolute_error": "l1_loss",
    "mean_absolute_percentage_error": "mape_loss",
    "mean_gamma_deviance": "gamma_deviance_loss",
    "mean_pinball_loss": "quantile_loss",
    "mean_poisson_deviance": "poisson_deviance_loss",
    "mean_squared_error": "mse_loss",
    "mean_squared_log_error": "msle_loss",
    "mean_squared_logarithmic_error": "msle_loss",
    "mean_tweedie_deviance": "tweedie_deviance_loss",
    "multiclass_generalized_dice_loss": "dice_loss",
    "multiclass_sparsemax_loss": "sparsemax_loss",
    "ntxent": "ntxent_loss",
    "poisson": "poisson_nll_loss",
    "poly_loss_cross_entropy": "poly_loss",
    "safe_softmax_cross_entropy": "cross_entropy",
    "sigmoid_binary_cross_entropy": "binary_cross_entropy_with_logits",
    "soft_sign": "softsign",
    "softmax_cross_entropy": "cross_entropy",
    "softmax_cross_entropy_with_integer_labels": "cross_entropy",
    "softshrink": "soft_shrink",
    "sparse_categorical_crossentropy": "cross_entropy",
    "squared_error": "mse_loss",
    "squared_hinge": "squared_hinge_loss",
    "tanhshrink": "tanh_shrink",
    "triplet_margin_with_distance_loss": "triplet_margin_loss",
    "tversky": "tversky_loss",
}


def meant(name: str, names: Iterable[str], others: dict[str, str] | None = None) -> str:
    """Return "; did you mean ...?" for a name that is not among `names`, or nothing."""
    from difflib import get_close_matches  # on an error alone

    known = list(names)
    aliases = {**OTHER_NAMES, **(others or {})}
    if name in aliases:
        return f"; did you mean `{aliases[name]}`?"
    folded = {_folded(one): one for one in [*aliases, *known]}
    exact = folded.get(_folded(name))
    found = [exact] if exact else [folded[n] for n in get_close_matches(_folded(name), folded)]
    answers = list(dict.fromkeys(aliases.get(one, one) for one in found))
    return f"; did you mean {' or '.join(f'`{one}`' for one in answers)}?" if answers else ""


def _folded(name: str) -> str:
    """Return a name without what spellings differ in: capitals and underscores."""
    return name.replace("_", "").lower()

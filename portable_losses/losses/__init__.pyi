"""Loss functions: numbers that say how far an output is from its target."""

# Written by tools/write_stubs.py.

from collections.abc import Callable
from typing import Any, Literal, TypeVar, overload

from portable_losses._typing import ArrayLike, BatchReduction, HasShape, Reduction

_A = TypeVar("_A", bound=HasShape)
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

@overload
def binary_cross_entropy(
    probs: _A,
    target: ArrayLike,
    /,
    *,
    weight: ArrayLike | None = None,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def binary_cross_entropy(
    probs: ArrayLike,
    target: ArrayLike,
    /,
    *,
    weight: ArrayLike | None = None,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def binary_cross_entropy_with_logits(
    logits: _A,
    target: ArrayLike,
    /,
    *,
    weight: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    label_smoothing: float | HasShape = 0.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def binary_cross_entropy_with_logits(
    logits: ArrayLike,
    target: ArrayLike,
    /,
    *,
    weight: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    label_smoothing: float | HasShape = 0.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def binary_sparsemax_loss(
    logits: _A,
    target: ArrayLike,
    /,
    *,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def binary_sparsemax_loss(
    logits: ArrayLike,
    target: ArrayLike,
    /,
    *,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def circle_loss(
    embeddings: _A,
    labels: ArrayLike,
    ref_embeddings: ArrayLike | None = None,
    ref_labels: ArrayLike | None = None,
    /,
    *,
    gamma: float | HasShape = 80.0,
    margin: float | HasShape = 0.4,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def circle_loss(
    embeddings: ArrayLike,
    labels: ArrayLike,
    ref_embeddings: ArrayLike | None = None,
    ref_labels: ArrayLike | None = None,
    /,
    *,
    gamma: float | HasShape = 80.0,
    margin: float | HasShape = 0.4,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def cosine_distance(x1: _A, x2: ArrayLike, /, *, axis: int = -1, eps: float = 0.0) -> _A: ...
@overload
def cosine_distance(
    x1: ArrayLike, x2: ArrayLike, /, *, axis: int = -1, eps: float = 0.0
) -> Any: ...
@overload
def cosine_embedding_loss(
    x1: _A,
    x2: ArrayLike,
    target: ArrayLike,
    /,
    *,
    margin: float | HasShape = 0.0,
    axis: int = -1,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def cosine_embedding_loss(
    x1: ArrayLike,
    x2: ArrayLike,
    target: ArrayLike,
    /,
    *,
    margin: float | HasShape = 0.0,
    axis: int = -1,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def cosine_similarity(x1: _A, x2: ArrayLike, /, *, axis: int = -1, eps: float = 0.0) -> _A: ...
@overload
def cosine_similarity(
    x1: ArrayLike, x2: ArrayLike, /, *, axis: int = -1, eps: float = 0.0
) -> Any: ...
@overload
def cross_entropy(
    logits: _A,
    target: ArrayLike,
    /,
    *,
    axis: int = ...,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float | HasShape = 0.0,
    z_loss: float | HasShape = 0.0,
    softcap: float | HasShape | None = None,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    return_lse: Literal[False] = False,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def cross_entropy(
    logits: _A,
    target: ArrayLike,
    /,
    *,
    axis: int = ...,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float | HasShape = 0.0,
    z_loss: float | HasShape = 0.0,
    softcap: float | HasShape | None = None,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    return_lse: Literal[True],
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> tuple[_A, _A]: ...
@overload
def cross_entropy(
    logits: ArrayLike,
    target: ArrayLike,
    /,
    *,
    axis: int = ...,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float | HasShape = 0.0,
    z_loss: float | HasShape = 0.0,
    softcap: float | HasShape | None = None,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    return_lse: Literal[False] = False,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def cross_entropy(
    logits: ArrayLike,
    target: ArrayLike,
    /,
    *,
    axis: int = ...,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float | HasShape = 0.0,
    z_loss: float | HasShape = 0.0,
    softcap: float | HasShape | None = None,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    return_lse: Literal[True],
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> tuple[Any, Any]: ...
@overload
def cross_entropy(
    logits: ArrayLike,
    target: ArrayLike,
    /,
    *,
    axis: int = ...,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float | HasShape = 0.0,
    z_loss: float | HasShape = 0.0,
    softcap: float | HasShape | None = None,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    return_lse: bool = False,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def ctc_loss(
    log_probs: _A,
    target: ArrayLike,
    input_lengths: ArrayLike,
    target_lengths: ArrayLike,
    /,
    *,
    blank: int = 0,
    zero_infinity: bool = False,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def ctc_loss(
    log_probs: ArrayLike,
    target: ArrayLike,
    input_lengths: ArrayLike,
    target_lengths: ArrayLike,
    /,
    *,
    blank: int = 0,
    zero_infinity: bool = False,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def dice_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    class_axis: int | None = None,
    smooth: float | HasShape = 0.0,
    class_weight: ArrayLike | str | None = None,
    ignore_background: bool = False,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def dice_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    class_axis: int | None = None,
    smooth: float | HasShape = 0.0,
    class_weight: ArrayLike | str | None = None,
    ignore_background: bool = False,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def distillation_loss(
    student_logits: _A,
    teacher_logits: ArrayLike,
    /,
    *,
    temperature: float | HasShape = 1.0,
    divergence: Literal["kl", "reverse_kl", "js"] = "kl",
    beta: float | HasShape = 0.5,
    axis: int = -1,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def distillation_loss(
    student_logits: ArrayLike,
    teacher_logits: ArrayLike,
    /,
    *,
    temperature: float | HasShape = 1.0,
    divergence: Literal["kl", "reverse_kl", "js"] = "kl",
    beta: float | HasShape = 0.5,
    axis: int = -1,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def epsilon_insensitive_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    epsilon: float | HasShape = 0.1,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def epsilon_insensitive_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    epsilon: float | HasShape = 0.1,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def expectile_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    tau: float | HasShape = 0.5,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def expectile_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    tau: float | HasShape = 0.5,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def exponential_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def exponential_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def fenchel_young_loss(
    scores: _A,
    target: ArrayLike,
    /,
    *,
    max_fun: Callable[..., Any],
    axis: int = -1,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def fenchel_young_loss(
    scores: ArrayLike,
    target: ArrayLike,
    /,
    *,
    max_fun: Callable[..., Any],
    axis: int = -1,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def gamma_deviance_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    log_input: bool = True,
    full: bool = True,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def gamma_deviance_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    log_input: bool = True,
    full: bool = True,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def gaussian_nll_loss(
    input: _A,
    target: ArrayLike,
    var: ArrayLike,
    /,
    *,
    log_var: bool = False,
    full: bool = False,
    eps: float = 1e-06,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def gaussian_nll_loss(
    input: ArrayLike,
    target: ArrayLike,
    var: ArrayLike,
    /,
    *,
    log_var: bool = False,
    full: bool = False,
    eps: float = 1e-06,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def general_robust_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    alpha: float = 1.0,
    scale: float | HasShape = 1.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def general_robust_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    alpha: float = 1.0,
    scale: float | HasShape = 1.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def generalized_cross_entropy(
    logits: _A,
    target: ArrayLike,
    /,
    *,
    q: float | HasShape = 0.7,
    axis: int = ...,
    ignore_index: int = -100,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def generalized_cross_entropy(
    logits: ArrayLike,
    target: ArrayLike,
    /,
    *,
    q: float | HasShape = 0.7,
    axis: int = ...,
    ignore_index: int = -100,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def generalized_kl_div(
    log_probs: _A,
    target: ArrayLike,
    /,
    *,
    log_target: bool = False,
    axis: int | tuple[int, ...] | None = None,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: BatchReduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def generalized_kl_div(
    log_probs: ArrayLike,
    target: ArrayLike,
    /,
    *,
    log_target: bool = False,
    axis: int | tuple[int, ...] | None = None,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: BatchReduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def hinge_embedding_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    margin: float | HasShape = 1.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def hinge_embedding_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    margin: float | HasShape = 1.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def hinge_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def hinge_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def huber_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    delta: float | HasShape = 1.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def huber_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    delta: float | HasShape = 1.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def info_nce_loss(
    query: _A,
    key: ArrayLike,
    negatives: ArrayLike | None = None,
    /,
    *,
    temperature: float | HasShape = 0.1,
    symmetric: bool = False,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def info_nce_loss(
    query: ArrayLike,
    key: ArrayLike,
    negatives: ArrayLike | None = None,
    /,
    *,
    temperature: float | HasShape = 0.1,
    symmetric: bool = False,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def jaccard_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    class_axis: int | None = None,
    smooth: float | HasShape = 0.0,
    class_weight: ArrayLike | str | None = None,
    ignore_background: bool = False,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def jaccard_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    class_axis: int | None = None,
    smooth: float | HasShape = 0.0,
    class_weight: ArrayLike | str | None = None,
    ignore_background: bool = False,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def js_div(
    log_probs: _A,
    target: ArrayLike,
    /,
    *,
    log_target: bool = False,
    beta: float | HasShape = 0.5,
    axis: int | tuple[int, ...] | None = None,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: BatchReduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def js_div(
    log_probs: ArrayLike,
    target: ArrayLike,
    /,
    *,
    log_target: bool = False,
    beta: float | HasShape = 0.5,
    axis: int | tuple[int, ...] | None = None,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: BatchReduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def kl_div(
    log_probs: _A,
    target: ArrayLike,
    /,
    *,
    log_target: bool = False,
    axis: int | tuple[int, ...] | None = None,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: BatchReduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def kl_div(
    log_probs: ArrayLike,
    target: ArrayLike,
    /,
    *,
    log_target: bool = False,
    axis: int | tuple[int, ...] | None = None,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: BatchReduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def l1_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def l1_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def linear_cross_entropy(
    hidden: _A,
    weight: ArrayLike,
    target: ArrayLike,
    /,
    *,
    bias: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float | HasShape = 0.0,
    z_loss: float | HasShape = 0.0,
    softcap: float | HasShape | None = None,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    chunk_size: int | None = None,
    return_lse: Literal[False] = False,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def linear_cross_entropy(
    hidden: _A,
    weight: ArrayLike,
    target: ArrayLike,
    /,
    *,
    bias: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float | HasShape = 0.0,
    z_loss: float | HasShape = 0.0,
    softcap: float | HasShape | None = None,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    chunk_size: int | None = None,
    return_lse: Literal[True],
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> tuple[_A, _A]: ...
@overload
def linear_cross_entropy(
    hidden: ArrayLike,
    weight: ArrayLike,
    target: ArrayLike,
    /,
    *,
    bias: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float | HasShape = 0.0,
    z_loss: float | HasShape = 0.0,
    softcap: float | HasShape | None = None,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    chunk_size: int | None = None,
    return_lse: Literal[False] = False,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def linear_cross_entropy(
    hidden: ArrayLike,
    weight: ArrayLike,
    target: ArrayLike,
    /,
    *,
    bias: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float | HasShape = 0.0,
    z_loss: float | HasShape = 0.0,
    softcap: float | HasShape | None = None,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    chunk_size: int | None = None,
    return_lse: Literal[True],
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> tuple[Any, Any]: ...
@overload
def linear_cross_entropy(
    hidden: ArrayLike,
    weight: ArrayLike,
    target: ArrayLike,
    /,
    *,
    bias: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float | HasShape = 0.0,
    z_loss: float | HasShape = 0.0,
    softcap: float | HasShape | None = None,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    chunk_size: int | None = None,
    return_lse: bool = False,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def log_cosh_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def log_cosh_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def mape_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    eps: float | None = None,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def mape_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    eps: float | None = None,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def margin_ranking_loss(
    x1: _A,
    x2: ArrayLike,
    target: ArrayLike,
    /,
    *,
    margin: float | HasShape = 0.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def margin_ranking_loss(
    x1: ArrayLike,
    x2: ArrayLike,
    target: ArrayLike,
    /,
    *,
    margin: float | HasShape = 0.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def modified_huber_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def modified_huber_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def mse_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def mse_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def msle_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def msle_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def multi_margin_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    p: Literal[1, 2] = 1,
    margin: float | HasShape = 1.0,
    weight: ArrayLike | None = None,
    axis: int = ...,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def multi_margin_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    p: Literal[1, 2] = 1,
    margin: float | HasShape = 1.0,
    weight: ArrayLike | None = None,
    axis: int = ...,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def multiclass_hinge_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    margin: float | HasShape = 1.0,
    axis: int = ...,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def multiclass_hinge_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    margin: float | HasShape = 1.0,
    axis: int = ...,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def multiclass_perceptron_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    axis: int = ...,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def multiclass_perceptron_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    axis: int = ...,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def multilabel_margin_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    axis: int = -1,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def multilabel_margin_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    axis: int = -1,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def multilabel_soft_margin_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    weight: ArrayLike | None = None,
    axis: int = -1,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def multilabel_soft_margin_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    weight: ArrayLike | None = None,
    axis: int = -1,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def nll_loss(
    log_probs: _A,
    target: ArrayLike,
    /,
    *,
    axis: int = ...,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def nll_loss(
    log_probs: ArrayLike,
    target: ArrayLike,
    /,
    *,
    axis: int = ...,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def ntxent_loss(
    embeddings: _A,
    labels: ArrayLike,
    /,
    *,
    temperature: float | HasShape = 0.07,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def ntxent_loss(
    embeddings: ArrayLike,
    labels: ArrayLike,
    /,
    *,
    temperature: float | HasShape = 0.07,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def ordinal_cross_entropy(
    input: _A,
    target: ArrayLike,
    /,
    *,
    thresholds: ArrayLike,
    ignore_index: int = -100,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def ordinal_cross_entropy(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    thresholds: ArrayLike,
    ignore_index: int = -100,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def pairwise_distance(
    x1: _A,
    x2: ArrayLike,
    /,
    *,
    p: float = 2.0,
    eps: float = 0.0,
    axis: int = -1,
    keepdims: bool = False,
) -> _A: ...
@overload
def pairwise_distance(
    x1: ArrayLike,
    x2: ArrayLike,
    /,
    *,
    p: float = 2.0,
    eps: float = 0.0,
    axis: int = -1,
    keepdims: bool = False,
) -> Any: ...
@overload
def perceptron_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def perceptron_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def poisson_deviance_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    log_input: bool = True,
    full: bool = True,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def poisson_deviance_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    log_input: bool = True,
    full: bool = True,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def poisson_nll_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-08,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def poisson_nll_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-08,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def poly_loss(
    logits: _A,
    target: ArrayLike,
    /,
    *,
    epsilon: float | HasShape = 2.0,
    axis: int = ...,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float | HasShape = 0.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def poly_loss(
    logits: ArrayLike,
    target: ArrayLike,
    /,
    *,
    epsilon: float | HasShape = 2.0,
    axis: int = ...,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float | HasShape = 0.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def pseudo_huber_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    delta: float | HasShape = 1.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def pseudo_huber_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    delta: float | HasShape = 1.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def quantile_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    q: float | HasShape = 0.5,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def quantile_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    q: float | HasShape = 0.5,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def ranking_softmax_loss(
    scores: _A,
    labels: ArrayLike,
    /,
    *,
    axis: int = -1,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def ranking_softmax_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    /,
    *,
    axis: int = -1,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def sigmoid_focal_loss(
    logits: _A,
    target: ArrayLike,
    /,
    *,
    alpha: float | HasShape | None = None,
    gamma: float | HasShape = 2.0,
    label_smoothing: float | HasShape = 0.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def sigmoid_focal_loss(
    logits: ArrayLike,
    target: ArrayLike,
    /,
    *,
    alpha: float | HasShape | None = None,
    gamma: float | HasShape = 2.0,
    label_smoothing: float | HasShape = 0.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def smooth_l1_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    beta: float | HasShape = 1.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def smooth_l1_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    beta: float | HasShape = 1.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def soft_margin_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def soft_margin_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def softmax_focal_loss(
    logits: _A,
    target: ArrayLike,
    /,
    *,
    alpha: float | HasShape | None = None,
    gamma: float | HasShape = 2.0,
    axis: int = ...,
    ignore_index: int = -100,
    label_smoothing: float | HasShape = 0.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def softmax_focal_loss(
    logits: ArrayLike,
    target: ArrayLike,
    /,
    *,
    alpha: float | HasShape | None = None,
    gamma: float | HasShape = 2.0,
    axis: int = ...,
    ignore_index: int = -100,
    label_smoothing: float | HasShape = 0.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def sparsemax_loss(
    logits: _A,
    target: ArrayLike,
    /,
    *,
    axis: int = ...,
    ignore_index: int = -100,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def sparsemax_loss(
    logits: ArrayLike,
    target: ArrayLike,
    /,
    *,
    axis: int = ...,
    ignore_index: int = -100,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def squared_epsilon_insensitive_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    epsilon: float | HasShape = 0.1,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def squared_epsilon_insensitive_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    epsilon: float | HasShape = 0.1,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def squared_hinge_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def squared_hinge_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def triplet_margin_loss(
    anchor: _A,
    positive: ArrayLike,
    negative: ArrayLike,
    /,
    *,
    margin: float | HasShape = 1.0,
    p: float = 2.0,
    eps: float = 0.0,
    swap: bool = False,
    distance: Callable[[Any, Any], Any] | None = None,
    axis: int = -1,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def triplet_margin_loss(
    anchor: ArrayLike,
    positive: ArrayLike,
    negative: ArrayLike,
    /,
    *,
    margin: float | HasShape = 1.0,
    p: float = 2.0,
    eps: float = 0.0,
    swap: bool = False,
    distance: Callable[[Any, Any], Any] | None = None,
    axis: int = -1,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def tvd_loss(
    probs: _A,
    target: ArrayLike,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: BatchReduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def tvd_loss(
    probs: ArrayLike,
    target: ArrayLike,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: BatchReduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def tversky_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    alpha: float | HasShape = 0.5,
    beta: float | HasShape = 0.5,
    axis: int | tuple[int, ...] | None = None,
    class_axis: int | None = None,
    smooth: float | HasShape = 0.0,
    class_weight: ArrayLike | str | None = None,
    ignore_background: bool = False,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def tversky_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    alpha: float | HasShape = 0.5,
    beta: float | HasShape = 0.5,
    axis: int | tuple[int, ...] | None = None,
    class_axis: int | None = None,
    smooth: float | HasShape = 0.0,
    class_weight: ArrayLike | str | None = None,
    ignore_background: bool = False,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...
@overload
def tweedie_deviance_loss(
    input: _A,
    target: ArrayLike,
    /,
    *,
    power: float = 1.5,
    log_input: bool = True,
    full: bool = True,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> _A: ...
@overload
def tweedie_deviance_loss(
    input: ArrayLike,
    target: ArrayLike,
    /,
    *,
    power: float = 1.5,
    log_input: bool = True,
    full: bool = True,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    denominator: float | HasShape | None = None,
) -> Any: ...

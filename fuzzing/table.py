"""One line per public function: its family, and the domains of its positional arrays."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import portable_losses as pl
from fuzzing import families as of
from fuzzing.families import Family
from fuzzing.options import OPTIONS, OWN, Option

__all__ = ["TABLE", "Entry"]


@dataclass(frozen=True)
class Entry:
    """A public function."""

    name: str
    family: Family
    domains: tuple[str, ...]

    def __reduce__(self) -> tuple[Any, ...]:  # between processes it is its name
        return _entry, (self.name,)

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The function itself."""
        return getattr(pl, self.name)

    @cached_property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """Its parameters, in order."""
        return inspect.signature(self.function).parameters

    @cached_property
    def arrays(self) -> tuple[str, ...]:
        """Its positional arrays, in order."""
        return tuple(self.parameters)[: len(self.domains)]

    @cached_property
    def options(self) -> dict[str, Option]:
        """The other parameters, each with how to draw it."""
        own = OWN.get(self.name, {})
        rest = list(self.parameters)[len(self.domains) :]
        strange = [name for name in rest if name not in own and name not in OPTIONS]
        if strange:
            msg = f"{self.name}: fuzzing/options.py does not know {', '.join(strange)}"
            raise LookupError(msg)
        return {name: own.get(name) or OPTIONS[name] for name in rest}

    @cached_property
    def required(self) -> frozenset[str]:
        """The options that have no default."""
        empty = inspect.Parameter.empty
        return frozenset(n for n in self.options if self.parameters[n].default is empty)


def _entry(name: str) -> Entry:
    return TABLE[name]


def _lines(family: Family, domains: str, names: str) -> dict[str, Entry]:
    parts = tuple(d.strip() for d in domains.split("|"))
    return {name: Entry(name, family, parts) for name in names.split()}


TABLE: dict[str, Entry] = {
    **_lines(
        of.elementwise,
        "real",
        "celu elu erf erfc erfcx expit gelu hard_shrink hard_sigmoid hard_silu hard_swish "
        "hard_tanh leaky_relu log1mexp log_expit log_ndtr log_sigmoid mish ndtr quick_gelu relu "
        "relu6 relu_squared selu sigmoid silu soft_shrink softcap softplus softsign sparse_plus "
        "sparse_sigmoid squareplus swish tanh tanh_shrink threshold",
    ),
    **_lines(of.elementwise, "nonnegative", "boxcox digamma gammaln"),
    **_lines(of.elementwise, "nonnegative*", "entr"),
    **_lines(of.elementwise, "probability*", "logit"),
    **_lines(of.floating, "real | probability*", "rrelu"),
    **_lines(of.channels, "real | probability*", "prelu"),
    **_lines(of.broadcasting, "real | nonnegative*", "xlogy"),
    **_lines(of.broadcasting, "real | above -1*", "xlog1py"),
    **_lines(of.broadcasting, "nonnegative* | nonnegative*", "rel_entr"),
    **_lines(of.broadcasting, "nonnegative* | nonpositive", "logsubexp"),
    **_lines(
        of.along_axis,
        "real",
        "cumulative_logsumexp entmax15 log_softmax logmeanexp logsumexp normalize softmax softmin "
        "sparsemax standardize",
    ),
    **_lines(of.along_axis, "real | real", "gumbel_softmax"),
    **_lines(of.along_axis, "probability*", "smooth_labels entropy"),
    **_lines(of.gated, "real | real", "geglu glu reglu swiglu"),
    **_lines(of.indices, "index", "one_hot"),
    # ---- losses of one element ----
    **_lines(of.elementwise, "probability | probability", "binary_cross_entropy"),
    **_lines(
        of.elementwise, "real | probability", "binary_cross_entropy_with_logits sigmoid_focal_loss"
    ),
    **_lines(of.elementwise, "real | bit", "binary_sparsemax_loss"),
    **_lines(
        of.elementwise,
        "real | sign",
        "hinge_embedding_loss hinge_loss modified_huber_loss perceptron_loss soft_margin_loss "
        "squared_hinge_loss",
    ),
    **_lines(of.elementwise, "real | sign or share", "exponential_loss"),
    **_lines(
        of.elementwise,
        "real | real",
        "epsilon_insensitive_loss huber_loss l1_loss log_cosh_loss mse_loss pseudo_huber_loss "
        "quantile_loss smooth_l1_loss squared_epsilon_insensitive_loss mape_loss expectile_loss "
        "general_robust_loss",
    ),
    **_lines(of.ordered, "real | index", "ordinal_cross_entropy"),
    **_lines(of.elementwise, "above -1 | above -1", "msle_loss"),
    **_lines(
        of.elementwise,
        "nonnegative | nonnegative",
        "poisson_nll_loss",
    ),
    **_lines(
        of.elementwise,
        "positive | positive",
        "gamma_deviance_loss tweedie_deviance_loss",
    ),
    **_lines(of.elementwise, "positive | nonnegative", "poisson_deviance_loss"),
    **_lines(of.elementwise, "real | real | nonnegative", "gaussian_nll_loss"),
    # ---- losses of a row ----
    **_lines(
        of.classes,
        "real | classes",
        "cross_entropy generalized_cross_entropy poly_loss softmax_focal_loss sparsemax_loss",
    ),
    **_lines(of.classes, "nonpositive | classes", "nll_loss"),
    **_lines(
        of.classes,
        "real | index",
        "multi_margin_loss multiclass_hinge_loss multiclass_perceptron_loss",
    ),
    **_lines(of.label_lists, "real | index", "multilabel_margin_loss"),
    **_lines(of.rowwise, "real | probability", "multilabel_soft_margin_loss"),
    **_lines(of.rowwise, "real | real", "fenchel_young_loss"),
    **_lines(of.rowwise, "real | nonnegative", "ranking_softmax_loss"),
    **_lines(of.logit_pair, "real | real", "distillation_loss"),
    **_lines(of.divergence, "nonpositive | share", "generalized_kl_div js_div kl_div"),
    **_lines(of.divergence, "share* | share*", "tvd_loss"),
    **_lines(of.regions, "probability | probability", "dice_loss jaccard_loss tversky_loss"),
    # ---- losses of vectors ----
    **_lines(of.vectors, "real | real", "cosine_distance cosine_similarity pairwise_distance"),
    **_lines(of.vectors, "real | real | sign", "cosine_embedding_loss"),
    **_lines(of.vectors, "real | real | real", "triplet_margin_loss"),
    **_lines(of.ranked_pair, "real | real | sign", "margin_ranking_loss"),
    **_lines(of.contrasts, "real | index", "ntxent_loss"),
    **_lines(of.contrasts, "real | index | real | index", "circle_loss"),
    **_lines(of.queries, "real | real | real", "info_nce_loss"),
    **_lines(of.linear, "real | real | classes", "linear_cross_entropy"),
    **_lines(of.alignments, "nonpositive | index | index | index", "ctc_loss"),
}

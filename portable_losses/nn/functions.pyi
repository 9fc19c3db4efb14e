"""The functions of the package as modules: every activation, every loss."""

# Written by tools/write_stubs.py.

from collections.abc import Callable
from typing import Any, ClassVar, Literal, TypeVar, overload

from portable_losses import activations, losses
from portable_losses._typing import ArrayLike, BatchReduction, HasShape, Reduction
from portable_losses.nn.module import Module

_A = TypeVar("_A", bound=HasShape)
__all__ = [
    "CELU",
    "ELU",
    "GEGLU",
    "GELU",
    "GLU",
    "SELU",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BinarySparsemaxLoss",
    "CTCLoss",
    "CircleLoss",
    "CosineDistance",
    "CosineEmbeddingLoss",
    "CosineSimilarity",
    "CrossEntropyLoss",
    "DiceLoss",
    "DistillationLoss",
    "Entmax15",
    "EpsilonInsensitiveLoss",
    "ExpectileLoss",
    "ExponentialLoss",
    "FenchelYoungLoss",
    "FunctionModule",
    "GammaDevianceLoss",
    "GaussianNLLLoss",
    "GeneralRobustLoss",
    "GeneralizedCrossEntropyLoss",
    "GeneralizedKLDivLoss",
    "GumbelSoftmax",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "HingeEmbeddingLoss",
    "HingeLoss",
    "HuberLoss",
    "InfoNCELoss",
    "JSDivLoss",
    "JaccardLoss",
    "KLDivLoss",
    "L1Loss",
    "LeakyReLU",
    "LogCoshLoss",
    "LogSigmoid",
    "LogSoftmax",
    "MAPELoss",
    "MSELoss",
    "MSLELoss",
    "MarginRankingLoss",
    "Mish",
    "ModifiedHuberLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "MulticlassHingeLoss",
    "MulticlassPerceptronLoss",
    "NLLLoss",
    "NTXentLoss",
    "Normalize",
    "OrdinalCrossEntropyLoss",
    "PairwiseDistance",
    "PerceptronLoss",
    "PoissonDevianceLoss",
    "PoissonNLLLoss",
    "PolyLoss",
    "PseudoHuberLoss",
    "QuantileLoss",
    "QuickGELU",
    "RReLU",
    "RankingSoftmaxLoss",
    "ReGLU",
    "ReLU",
    "ReLU6",
    "ReLUSquared",
    "SiLU",
    "Sigmoid",
    "SigmoidFocalLoss",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "Softcap",
    "Softmax",
    "SoftmaxFocalLoss",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "SparsePlus",
    "SparseSigmoid",
    "Sparsemax",
    "SparsemaxLoss",
    "SquaredEpsilonInsensitiveLoss",
    "SquaredHingeLoss",
    "Squareplus",
    "Standardize",
    "SwiGLU",
    "TVDLoss",
    "Tanh",
    "Tanhshrink",
    "Threshold",
    "TripletMarginLoss",
    "TverskyLoss",
    "TweedieDevianceLoss",
]

class FunctionModule(Module):
    function: ClassVar[Callable[..., Any]]
    def __init_subclass__(cls, *, function: Callable[..., Any], **rest: Any) -> None: ...
    def __init__(self, **options: Any) -> None: ...
    def forward(self, *arrays: Any, **options: Any) -> Any: ...

def class_name(function: str) -> str: ...

class CELU(FunctionModule, function=activations.celu):
    alpha: Any
    def __init__(self, *, alpha: float | HasShape = 1.0) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class ELU(FunctionModule, function=activations.elu):
    alpha: Any
    def __init__(self, *, alpha: float | HasShape = 1.0) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class Entmax15(FunctionModule, function=activations.entmax15):
    axis: int
    def __init__(self, *, axis: int = -1) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class GEGLU(FunctionModule, function=activations.geglu):
    axis: int
    approximate: Literal["none", "tanh"]
    def __init__(
        self, *, axis: int = -1, approximate: Literal["none", "tanh"] = "none"
    ) -> None: ...
    @overload
    def __call__(self, x: _A, gate: ArrayLike | None = None, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, gate: ArrayLike | None = None, /, **options: Any) -> Any: ...

class GELU(FunctionModule, function=activations.gelu):
    approximate: Literal["none", "tanh"]
    def __init__(self, *, approximate: Literal["none", "tanh"] = "none") -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class GLU(FunctionModule, function=activations.glu):
    axis: int
    def __init__(self, *, axis: int = -1) -> None: ...
    @overload
    def __call__(self, x: _A, gate: ArrayLike | None = None, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, gate: ArrayLike | None = None, /, **options: Any) -> Any: ...

class GumbelSoftmax(FunctionModule, function=activations.gumbel_softmax):
    temperature: Any
    hard: bool
    axis: int
    def __init__(
        self, *, temperature: float | HasShape = 1.0, hard: bool = False, axis: int = -1
    ) -> None: ...
    @overload
    def __call__(self, x: _A, noise: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, noise: ArrayLike, /, **options: Any) -> Any: ...

class Hardshrink(FunctionModule, function=activations.hard_shrink):
    lambd: Any
    def __init__(self, *, lambd: float | HasShape = 0.5) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class Hardsigmoid(FunctionModule, function=activations.hard_sigmoid):
    def __init__(self) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class Hardswish(FunctionModule, function=activations.hard_silu):
    def __init__(self) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class Hardtanh(FunctionModule, function=activations.hard_tanh):
    min_val: Any
    max_val: Any
    def __init__(
        self, *, min_val: float | HasShape = -1.0, max_val: float | HasShape = 1.0
    ) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class LeakyReLU(FunctionModule, function=activations.leaky_relu):
    negative_slope: Any
    def __init__(self, *, negative_slope: float | HasShape = 0.01) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class LogSigmoid(FunctionModule, function=activations.log_sigmoid):
    def __init__(self) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class LogSoftmax(FunctionModule, function=activations.log_softmax):
    axis: int | tuple[int, ...]
    where: Any
    def __init__(
        self, *, axis: int | tuple[int, ...] = -1, where: ArrayLike | None = None
    ) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class Mish(FunctionModule, function=activations.mish):
    def __init__(self) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class Normalize(FunctionModule, function=activations.normalize):
    p: float
    axis: int | tuple[int, ...]
    eps: float
    def __init__(
        self, *, p: float = 2.0, axis: int | tuple[int, ...] = -1, eps: float = 1e-12
    ) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class QuickGELU(FunctionModule, function=activations.quick_gelu):
    def __init__(self) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class ReGLU(FunctionModule, function=activations.reglu):
    axis: int
    def __init__(self, *, axis: int = -1) -> None: ...
    @overload
    def __call__(self, x: _A, gate: ArrayLike | None = None, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, gate: ArrayLike | None = None, /, **options: Any) -> Any: ...

class ReLU(FunctionModule, function=activations.relu):
    def __init__(self) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class ReLU6(FunctionModule, function=activations.relu6):
    def __init__(self) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class ReLUSquared(FunctionModule, function=activations.relu_squared):
    def __init__(self) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class RReLU(FunctionModule, function=activations.rrelu):
    lower: Any
    upper: Any
    def __init__(
        self, *, lower: float | HasShape = 0.125, upper: float | HasShape = 0.3333333333333333
    ) -> None: ...
    @overload
    def __call__(self, x: _A, slope: ArrayLike | None = None, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, slope: ArrayLike | None = None, /, **options: Any) -> Any: ...

class SELU(FunctionModule, function=activations.selu):
    def __init__(self) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class Sigmoid(FunctionModule, function=activations.sigmoid):
    def __init__(self) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class SiLU(FunctionModule, function=activations.silu):
    def __init__(self) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class Softshrink(FunctionModule, function=activations.soft_shrink):
    lambd: Any
    def __init__(self, *, lambd: float | HasShape = 0.5) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class Softcap(FunctionModule, function=activations.softcap):
    cap: Any
    def __init__(self, *, cap: float | HasShape) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class Softmax(FunctionModule, function=activations.softmax):
    axis: int | tuple[int, ...]
    where: Any
    def __init__(
        self, *, axis: int | tuple[int, ...] = -1, where: ArrayLike | None = None
    ) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class Softmin(FunctionModule, function=activations.softmin):
    axis: int | tuple[int, ...]
    def __init__(self, *, axis: int | tuple[int, ...] = -1) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class Softplus(FunctionModule, function=activations.softplus):
    beta: Any
    def __init__(self, *, beta: float | HasShape = 1.0) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class Softsign(FunctionModule, function=activations.softsign):
    def __init__(self) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class SparsePlus(FunctionModule, function=activations.sparse_plus):
    def __init__(self) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class SparseSigmoid(FunctionModule, function=activations.sparse_sigmoid):
    def __init__(self) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class Sparsemax(FunctionModule, function=activations.sparsemax):
    axis: int
    def __init__(self, *, axis: int = -1) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class Squareplus(FunctionModule, function=activations.squareplus):
    b: Any
    def __init__(self, *, b: float | HasShape = 4.0) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class Standardize(FunctionModule, function=activations.standardize):
    axis: int | tuple[int, ...]
    mean: Any
    variance: Any
    eps: float
    where: Any
    def __init__(
        self,
        *,
        axis: int | tuple[int, ...] = -1,
        mean: ArrayLike | None = None,
        variance: ArrayLike | None = None,
        eps: float = 1e-05,
        where: ArrayLike | None = None,
    ) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class SwiGLU(FunctionModule, function=activations.swiglu):
    axis: int
    def __init__(self, *, axis: int = -1) -> None: ...
    @overload
    def __call__(self, x: _A, gate: ArrayLike | None = None, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, gate: ArrayLike | None = None, /, **options: Any) -> Any: ...

class Tanh(FunctionModule, function=activations.tanh):
    def __init__(self) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class Tanhshrink(FunctionModule, function=activations.tanh_shrink):
    def __init__(self) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class Threshold(FunctionModule, function=activations.threshold):
    threshold: Any
    value: Any
    def __init__(self, *, threshold: float | HasShape, value: float | HasShape) -> None: ...
    @overload
    def __call__(self, x: _A, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x: ArrayLike, /, **options: Any) -> Any: ...

class BCELoss(FunctionModule, function=losses.binary_cross_entropy):
    weight: Any
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        weight: ArrayLike | None = None,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, probs: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, probs: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class BCEWithLogitsLoss(FunctionModule, function=losses.binary_cross_entropy_with_logits):
    weight: Any
    pos_weight: Any
    label_smoothing: Any
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        weight: ArrayLike | None = None,
        pos_weight: ArrayLike | None = None,
        label_smoothing: float | HasShape = 0.0,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, logits: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, logits: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class BinarySparsemaxLoss(FunctionModule, function=losses.binary_sparsemax_loss):
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, logits: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, logits: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class CircleLoss(FunctionModule, function=losses.circle_loss):
    gamma: Any
    margin: Any
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        gamma: float | HasShape = 80.0,
        margin: float | HasShape = 0.4,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(
        self,
        embeddings: _A,
        labels: ArrayLike,
        ref_embeddings: ArrayLike | None = None,
        ref_labels: ArrayLike | None = None,
        /,
        **options: Any,
    ) -> _A: ...
    @overload
    def __call__(
        self,
        embeddings: ArrayLike,
        labels: ArrayLike,
        ref_embeddings: ArrayLike | None = None,
        ref_labels: ArrayLike | None = None,
        /,
        **options: Any,
    ) -> Any: ...

class CosineDistance(FunctionModule, function=losses.cosine_distance):
    axis: int
    eps: float
    def __init__(self, *, axis: int = -1, eps: float = 0.0) -> None: ...
    @overload
    def __call__(self, x1: _A, x2: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x1: ArrayLike, x2: ArrayLike, /, **options: Any) -> Any: ...

class CosineEmbeddingLoss(FunctionModule, function=losses.cosine_embedding_loss):
    margin: Any
    axis: int
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        margin: float | HasShape = 0.0,
        axis: int = -1,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, x1: _A, x2: ArrayLike, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(
        self, x1: ArrayLike, x2: ArrayLike, target: ArrayLike, /, **options: Any
    ) -> Any: ...

class CosineSimilarity(FunctionModule, function=losses.cosine_similarity):
    axis: int
    eps: float
    def __init__(self, *, axis: int = -1, eps: float = 0.0) -> None: ...
    @overload
    def __call__(self, x1: _A, x2: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x1: ArrayLike, x2: ArrayLike, /, **options: Any) -> Any: ...

class CrossEntropyLoss(FunctionModule, function=losses.cross_entropy):
    axis: int
    weight: Any
    ignore_index: int
    label_smoothing: Any
    z_loss: Any
    softcap: Any
    where: Any
    sample_weight: Any
    return_lse: bool
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
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
    ) -> None: ...
    def __call__(self, logits: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class CTCLoss(FunctionModule, function=losses.ctc_loss):
    blank: int
    zero_infinity: bool
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        blank: int = 0,
        zero_infinity: bool = False,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(
        self,
        log_probs: _A,
        target: ArrayLike,
        input_lengths: ArrayLike,
        target_lengths: ArrayLike,
        /,
        **options: Any,
    ) -> _A: ...
    @overload
    def __call__(
        self,
        log_probs: ArrayLike,
        target: ArrayLike,
        input_lengths: ArrayLike,
        target_lengths: ArrayLike,
        /,
        **options: Any,
    ) -> Any: ...

class DiceLoss(FunctionModule, function=losses.dice_loss):
    axis: int | tuple[int, ...] | None
    class_axis: int | None
    smooth: Any
    class_weight: Any
    ignore_background: bool
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
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
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class DistillationLoss(FunctionModule, function=losses.distillation_loss):
    temperature: Any
    divergence: Literal["kl", "reverse_kl", "js"]
    beta: Any
    axis: int
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        temperature: float | HasShape = 1.0,
        divergence: Literal["kl", "reverse_kl", "js"] = "kl",
        beta: float | HasShape = 0.5,
        axis: int = -1,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, student_logits: _A, teacher_logits: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(
        self, student_logits: ArrayLike, teacher_logits: ArrayLike, /, **options: Any
    ) -> Any: ...

class EpsilonInsensitiveLoss(FunctionModule, function=losses.epsilon_insensitive_loss):
    epsilon: Any
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        epsilon: float | HasShape = 0.1,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class ExpectileLoss(FunctionModule, function=losses.expectile_loss):
    tau: Any
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        tau: float | HasShape = 0.5,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class ExponentialLoss(FunctionModule, function=losses.exponential_loss):
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class FenchelYoungLoss(FunctionModule, function=losses.fenchel_young_loss):
    max_fun: Callable[..., Any]
    axis: int
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        max_fun: Callable[..., Any],
        axis: int = -1,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, scores: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, scores: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class GammaDevianceLoss(FunctionModule, function=losses.gamma_deviance_loss):
    log_input: bool
    full: bool
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        log_input: bool = True,
        full: bool = True,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class GaussianNLLLoss(FunctionModule, function=losses.gaussian_nll_loss):
    log_var: bool
    full: bool
    eps: float
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        log_var: bool = False,
        full: bool = False,
        eps: float = 1e-06,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, var: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(
        self, input: ArrayLike, target: ArrayLike, var: ArrayLike, /, **options: Any
    ) -> Any: ...

class GeneralRobustLoss(FunctionModule, function=losses.general_robust_loss):
    alpha: float
    scale: Any
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        alpha: float = 1.0,
        scale: float | HasShape = 1.0,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class GeneralizedCrossEntropyLoss(FunctionModule, function=losses.generalized_cross_entropy):
    q: Any
    axis: int
    ignore_index: int
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        q: float | HasShape = 0.7,
        axis: int = ...,
        ignore_index: int = -100,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, logits: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, logits: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class GeneralizedKLDivLoss(FunctionModule, function=losses.generalized_kl_div):
    log_target: bool
    axis: int | tuple[int, ...] | None
    where: Any
    sample_weight: Any
    reduction: BatchReduction
    denominator: Any
    def __init__(
        self,
        *,
        log_target: bool = False,
        axis: int | tuple[int, ...] | None = None,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: BatchReduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, log_probs: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, log_probs: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class HingeEmbeddingLoss(FunctionModule, function=losses.hinge_embedding_loss):
    margin: Any
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        margin: float | HasShape = 1.0,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class HingeLoss(FunctionModule, function=losses.hinge_loss):
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class HuberLoss(FunctionModule, function=losses.huber_loss):
    delta: Any
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        delta: float | HasShape = 1.0,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class InfoNCELoss(FunctionModule, function=losses.info_nce_loss):
    temperature: Any
    symmetric: bool
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        temperature: float | HasShape = 0.1,
        symmetric: bool = False,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(
        self, query: _A, key: ArrayLike, negatives: ArrayLike | None = None, /, **options: Any
    ) -> _A: ...
    @overload
    def __call__(
        self,
        query: ArrayLike,
        key: ArrayLike,
        negatives: ArrayLike | None = None,
        /,
        **options: Any,
    ) -> Any: ...

class JaccardLoss(FunctionModule, function=losses.jaccard_loss):
    axis: int | tuple[int, ...] | None
    class_axis: int | None
    smooth: Any
    class_weight: Any
    ignore_background: bool
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
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
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class JSDivLoss(FunctionModule, function=losses.js_div):
    log_target: bool
    beta: Any
    axis: int | tuple[int, ...] | None
    where: Any
    sample_weight: Any
    reduction: BatchReduction
    denominator: Any
    def __init__(
        self,
        *,
        log_target: bool = False,
        beta: float | HasShape = 0.5,
        axis: int | tuple[int, ...] | None = None,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: BatchReduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, log_probs: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, log_probs: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class KLDivLoss(FunctionModule, function=losses.kl_div):
    log_target: bool
    axis: int | tuple[int, ...] | None
    where: Any
    sample_weight: Any
    reduction: BatchReduction
    denominator: Any
    def __init__(
        self,
        *,
        log_target: bool = False,
        axis: int | tuple[int, ...] | None = None,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: BatchReduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, log_probs: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, log_probs: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class L1Loss(FunctionModule, function=losses.l1_loss):
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class LogCoshLoss(FunctionModule, function=losses.log_cosh_loss):
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class MAPELoss(FunctionModule, function=losses.mape_loss):
    eps: float | None
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        eps: float | None = None,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class MarginRankingLoss(FunctionModule, function=losses.margin_ranking_loss):
    margin: Any
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        margin: float | HasShape = 0.0,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, x1: _A, x2: ArrayLike, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(
        self, x1: ArrayLike, x2: ArrayLike, target: ArrayLike, /, **options: Any
    ) -> Any: ...

class ModifiedHuberLoss(FunctionModule, function=losses.modified_huber_loss):
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class MSELoss(FunctionModule, function=losses.mse_loss):
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class MSLELoss(FunctionModule, function=losses.msle_loss):
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class MultiMarginLoss(FunctionModule, function=losses.multi_margin_loss):
    p: Literal[1, 2]
    margin: Any
    weight: Any
    axis: int
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        p: Literal[1, 2] = 1,
        margin: float | HasShape = 1.0,
        weight: ArrayLike | None = None,
        axis: int = ...,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class MulticlassHingeLoss(FunctionModule, function=losses.multiclass_hinge_loss):
    margin: Any
    axis: int
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        margin: float | HasShape = 1.0,
        axis: int = ...,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class MulticlassPerceptronLoss(FunctionModule, function=losses.multiclass_perceptron_loss):
    axis: int
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        axis: int = ...,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class MultiLabelMarginLoss(FunctionModule, function=losses.multilabel_margin_loss):
    axis: int
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        axis: int = -1,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class MultiLabelSoftMarginLoss(FunctionModule, function=losses.multilabel_soft_margin_loss):
    weight: Any
    axis: int
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        weight: ArrayLike | None = None,
        axis: int = -1,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class NLLLoss(FunctionModule, function=losses.nll_loss):
    axis: int
    weight: Any
    ignore_index: int
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        axis: int = ...,
        weight: ArrayLike | None = None,
        ignore_index: int = -100,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, log_probs: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, log_probs: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class NTXentLoss(FunctionModule, function=losses.ntxent_loss):
    temperature: Any
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        temperature: float | HasShape = 0.07,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, embeddings: _A, labels: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, embeddings: ArrayLike, labels: ArrayLike, /, **options: Any) -> Any: ...

class OrdinalCrossEntropyLoss(FunctionModule, function=losses.ordinal_cross_entropy):
    thresholds: Any
    ignore_index: int
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        thresholds: ArrayLike,
        ignore_index: int = -100,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class PairwiseDistance(FunctionModule, function=losses.pairwise_distance):
    p: float
    eps: float
    axis: int
    keepdims: bool
    def __init__(
        self, *, p: float = 2.0, eps: float = 0.0, axis: int = -1, keepdims: bool = False
    ) -> None: ...
    @overload
    def __call__(self, x1: _A, x2: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, x1: ArrayLike, x2: ArrayLike, /, **options: Any) -> Any: ...

class PerceptronLoss(FunctionModule, function=losses.perceptron_loss):
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class PoissonDevianceLoss(FunctionModule, function=losses.poisson_deviance_loss):
    log_input: bool
    full: bool
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        log_input: bool = True,
        full: bool = True,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class PoissonNLLLoss(FunctionModule, function=losses.poisson_nll_loss):
    log_input: bool
    full: bool
    eps: float
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        log_input: bool = True,
        full: bool = False,
        eps: float = 1e-08,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class PolyLoss(FunctionModule, function=losses.poly_loss):
    epsilon: Any
    axis: int
    weight: Any
    ignore_index: int
    label_smoothing: Any
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
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
    ) -> None: ...
    @overload
    def __call__(self, logits: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, logits: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class PseudoHuberLoss(FunctionModule, function=losses.pseudo_huber_loss):
    delta: Any
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        delta: float | HasShape = 1.0,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class QuantileLoss(FunctionModule, function=losses.quantile_loss):
    q: Any
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        q: float | HasShape = 0.5,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class RankingSoftmaxLoss(FunctionModule, function=losses.ranking_softmax_loss):
    axis: int
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        axis: int = -1,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, scores: _A, labels: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, scores: ArrayLike, labels: ArrayLike, /, **options: Any) -> Any: ...

class SigmoidFocalLoss(FunctionModule, function=losses.sigmoid_focal_loss):
    alpha: Any
    gamma: Any
    label_smoothing: Any
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        alpha: float | HasShape | None = None,
        gamma: float | HasShape = 2.0,
        label_smoothing: float | HasShape = 0.0,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, logits: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, logits: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class SmoothL1Loss(FunctionModule, function=losses.smooth_l1_loss):
    beta: Any
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        beta: float | HasShape = 1.0,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class SoftMarginLoss(FunctionModule, function=losses.soft_margin_loss):
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class SoftmaxFocalLoss(FunctionModule, function=losses.softmax_focal_loss):
    alpha: Any
    gamma: Any
    axis: int
    ignore_index: int
    label_smoothing: Any
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
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
    ) -> None: ...
    @overload
    def __call__(self, logits: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, logits: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class SparsemaxLoss(FunctionModule, function=losses.sparsemax_loss):
    axis: int
    ignore_index: int
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        axis: int = ...,
        ignore_index: int = -100,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, logits: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, logits: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class SquaredEpsilonInsensitiveLoss(
    FunctionModule, function=losses.squared_epsilon_insensitive_loss
):
    epsilon: Any
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        epsilon: float | HasShape = 0.1,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class SquaredHingeLoss(FunctionModule, function=losses.squared_hinge_loss):
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class TripletMarginLoss(FunctionModule, function=losses.triplet_margin_loss):
    margin: Any
    p: float
    eps: float
    swap: bool
    distance: Callable[[Any, Any], Any] | None
    axis: int
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
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
    ) -> None: ...
    @overload
    def __call__(
        self, anchor: _A, positive: ArrayLike, negative: ArrayLike, /, **options: Any
    ) -> _A: ...
    @overload
    def __call__(
        self, anchor: ArrayLike, positive: ArrayLike, negative: ArrayLike, /, **options: Any
    ) -> Any: ...

class TVDLoss(FunctionModule, function=losses.tvd_loss):
    axis: int | tuple[int, ...] | None
    where: Any
    sample_weight: Any
    reduction: BatchReduction
    denominator: Any
    def __init__(
        self,
        *,
        axis: int | tuple[int, ...] | None = None,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: BatchReduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, probs: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, probs: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class TverskyLoss(FunctionModule, function=losses.tversky_loss):
    alpha: Any
    beta: Any
    axis: int | tuple[int, ...] | None
    class_axis: int | None
    smooth: Any
    class_weight: Any
    ignore_background: bool
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
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
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

class TweedieDevianceLoss(FunctionModule, function=losses.tweedie_deviance_loss):
    power: float
    log_input: bool
    full: bool
    where: Any
    sample_weight: Any
    reduction: Reduction
    denominator: Any
    def __init__(
        self,
        *,
        power: float = 1.5,
        log_input: bool = True,
        full: bool = True,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        denominator: float | HasShape | None = None,
    ) -> None: ...
    @overload
    def __call__(self, input: _A, target: ArrayLike, /, **options: Any) -> _A: ...
    @overload
    def __call__(self, input: ArrayLike, target: ArrayLike, /, **options: Any) -> Any: ...

"""Activation functions: elementwise, and along an axis."""

# Written by tools/write_stubs.py.

from typing import Any, Literal, TypeVar, overload

from portable_losses._typing import ArrayLike, HasShape

_A = TypeVar("_A", bound=HasShape)
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

@overload
def celu(x: _A, /, *, alpha: float | HasShape = 1.0) -> _A: ...
@overload
def celu(x: ArrayLike, /, *, alpha: float | HasShape = 1.0) -> Any: ...
@overload
def elu(x: _A, /, *, alpha: float | HasShape = 1.0) -> _A: ...
@overload
def elu(x: ArrayLike, /, *, alpha: float | HasShape = 1.0) -> Any: ...
@overload
def entmax15(x: _A, /, *, axis: int = -1) -> _A: ...
@overload
def entmax15(x: ArrayLike, /, *, axis: int = -1) -> Any: ...
@overload
def geglu(
    x: _A,
    gate: ArrayLike | None = None,
    /,
    *,
    axis: int = -1,
    approximate: Literal["none", "tanh"] = "none",
) -> _A: ...
@overload
def geglu(
    x: ArrayLike,
    gate: ArrayLike | None = None,
    /,
    *,
    axis: int = -1,
    approximate: Literal["none", "tanh"] = "none",
) -> Any: ...
@overload
def gelu(x: _A, /, *, approximate: Literal["none", "tanh"] = "none") -> _A: ...
@overload
def gelu(x: ArrayLike, /, *, approximate: Literal["none", "tanh"] = "none") -> Any: ...
@overload
def glu(x: _A, gate: ArrayLike | None = None, /, *, axis: int = -1) -> _A: ...
@overload
def glu(x: ArrayLike, gate: ArrayLike | None = None, /, *, axis: int = -1) -> Any: ...
@overload
def gumbel_softmax(
    x: _A,
    noise: ArrayLike,
    /,
    *,
    temperature: float | HasShape = 1.0,
    hard: bool = False,
    axis: int = -1,
) -> _A: ...
@overload
def gumbel_softmax(
    x: ArrayLike,
    noise: ArrayLike,
    /,
    *,
    temperature: float | HasShape = 1.0,
    hard: bool = False,
    axis: int = -1,
) -> Any: ...
@overload
def hard_shrink(x: _A, /, *, lambd: float | HasShape = 0.5) -> _A: ...
@overload
def hard_shrink(x: ArrayLike, /, *, lambd: float | HasShape = 0.5) -> Any: ...
@overload
def hard_sigmoid(x: _A, /) -> _A: ...
@overload
def hard_sigmoid(x: ArrayLike, /) -> Any: ...
@overload
def hard_silu(x: _A, /) -> _A: ...
@overload
def hard_silu(x: ArrayLike, /) -> Any: ...
@overload
def hard_tanh(
    x: _A, /, *, min_val: float | HasShape = -1.0, max_val: float | HasShape = 1.0
) -> _A: ...
@overload
def hard_tanh(
    x: ArrayLike, /, *, min_val: float | HasShape = -1.0, max_val: float | HasShape = 1.0
) -> Any: ...
@overload
def leaky_relu(x: _A, /, *, negative_slope: float | HasShape = 0.01) -> _A: ...
@overload
def leaky_relu(x: ArrayLike, /, *, negative_slope: float | HasShape = 0.01) -> Any: ...
@overload
def log_sigmoid(x: _A, /) -> _A: ...
@overload
def log_sigmoid(x: ArrayLike, /) -> Any: ...
@overload
def log_softmax(
    x: _A, /, *, axis: int | tuple[int, ...] = -1, where: ArrayLike | None = None
) -> _A: ...
@overload
def log_softmax(
    x: ArrayLike, /, *, axis: int | tuple[int, ...] = -1, where: ArrayLike | None = None
) -> Any: ...
@overload
def mish(x: _A, /) -> _A: ...
@overload
def mish(x: ArrayLike, /) -> Any: ...
@overload
def normalize(
    x: _A, /, *, p: float = 2.0, axis: int | tuple[int, ...] = -1, eps: float = 1e-12
) -> _A: ...
@overload
def normalize(
    x: ArrayLike, /, *, p: float = 2.0, axis: int | tuple[int, ...] = -1, eps: float = 1e-12
) -> Any: ...
@overload
def prelu(x: _A, weight: ArrayLike, /, *, axis: int = -1) -> _A: ...
@overload
def prelu(x: ArrayLike, weight: ArrayLike, /, *, axis: int = -1) -> Any: ...
@overload
def quick_gelu(x: _A, /) -> _A: ...
@overload
def quick_gelu(x: ArrayLike, /) -> Any: ...
@overload
def reglu(x: _A, gate: ArrayLike | None = None, /, *, axis: int = -1) -> _A: ...
@overload
def reglu(x: ArrayLike, gate: ArrayLike | None = None, /, *, axis: int = -1) -> Any: ...
@overload
def relu(x: _A, /) -> _A: ...
@overload
def relu(x: ArrayLike, /) -> Any: ...
@overload
def relu6(x: _A, /) -> _A: ...
@overload
def relu6(x: ArrayLike, /) -> Any: ...
@overload
def relu_squared(x: _A, /) -> _A: ...
@overload
def relu_squared(x: ArrayLike, /) -> Any: ...
@overload
def rrelu(
    x: _A,
    slope: ArrayLike | None = None,
    /,
    *,
    lower: float | HasShape = 0.125,
    upper: float | HasShape = 0.3333333333333333,
) -> _A: ...
@overload
def rrelu(
    x: ArrayLike,
    slope: ArrayLike | None = None,
    /,
    *,
    lower: float | HasShape = 0.125,
    upper: float | HasShape = 0.3333333333333333,
) -> Any: ...
@overload
def selu(x: _A, /) -> _A: ...
@overload
def selu(x: ArrayLike, /) -> Any: ...
@overload
def sigmoid(x: _A, /) -> _A: ...
@overload
def sigmoid(x: ArrayLike, /) -> Any: ...
@overload
def silu(x: _A, /) -> _A: ...
@overload
def silu(x: ArrayLike, /) -> Any: ...
@overload
def soft_shrink(x: _A, /, *, lambd: float | HasShape = 0.5) -> _A: ...
@overload
def soft_shrink(x: ArrayLike, /, *, lambd: float | HasShape = 0.5) -> Any: ...
@overload
def softcap(x: _A, /, *, cap: float | HasShape) -> _A: ...
@overload
def softcap(x: ArrayLike, /, *, cap: float | HasShape) -> Any: ...
@overload
def softmax(
    x: _A, /, *, axis: int | tuple[int, ...] = -1, where: ArrayLike | None = None
) -> _A: ...
@overload
def softmax(
    x: ArrayLike, /, *, axis: int | tuple[int, ...] = -1, where: ArrayLike | None = None
) -> Any: ...
@overload
def softmin(x: _A, /, *, axis: int | tuple[int, ...] = -1) -> _A: ...
@overload
def softmin(x: ArrayLike, /, *, axis: int | tuple[int, ...] = -1) -> Any: ...
@overload
def softplus(x: _A, /, *, beta: float | HasShape = 1.0) -> _A: ...
@overload
def softplus(x: ArrayLike, /, *, beta: float | HasShape = 1.0) -> Any: ...
@overload
def softsign(x: _A, /) -> _A: ...
@overload
def softsign(x: ArrayLike, /) -> Any: ...
@overload
def sparse_plus(x: _A, /) -> _A: ...
@overload
def sparse_plus(x: ArrayLike, /) -> Any: ...
@overload
def sparse_sigmoid(x: _A, /) -> _A: ...
@overload
def sparse_sigmoid(x: ArrayLike, /) -> Any: ...
@overload
def sparsemax(x: _A, /, *, axis: int = -1) -> _A: ...
@overload
def sparsemax(x: ArrayLike, /, *, axis: int = -1) -> Any: ...
@overload
def squareplus(x: _A, /, *, b: float | HasShape = 4.0) -> _A: ...
@overload
def squareplus(x: ArrayLike, /, *, b: float | HasShape = 4.0) -> Any: ...
@overload
def standardize(
    x: _A,
    /,
    *,
    axis: int | tuple[int, ...] = -1,
    mean: ArrayLike | None = None,
    variance: ArrayLike | None = None,
    eps: float = 1e-05,
    where: ArrayLike | None = None,
) -> _A: ...
@overload
def standardize(
    x: ArrayLike,
    /,
    *,
    axis: int | tuple[int, ...] = -1,
    mean: ArrayLike | None = None,
    variance: ArrayLike | None = None,
    eps: float = 1e-05,
    where: ArrayLike | None = None,
) -> Any: ...
@overload
def swiglu(x: _A, gate: ArrayLike | None = None, /, *, axis: int = -1) -> _A: ...
@overload
def swiglu(x: ArrayLike, gate: ArrayLike | None = None, /, *, axis: int = -1) -> Any: ...
@overload
def tanh(x: _A, /) -> _A: ...
@overload
def tanh(x: ArrayLike, /) -> Any: ...
@overload
def tanh_shrink(x: _A, /) -> _A: ...
@overload
def tanh_shrink(x: ArrayLike, /) -> Any: ...
@overload
def threshold(x: _A, /, *, threshold: float | HasShape, value: float | HasShape) -> _A: ...
@overload
def threshold(x: ArrayLike, /, *, threshold: float | HasShape, value: float | HasShape) -> Any: ...

expit = sigmoid
hard_swish = hard_silu
log_expit = log_sigmoid
swish = silu

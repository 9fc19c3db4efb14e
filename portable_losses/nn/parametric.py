"""The functions with parameters that PyTorch has as modules: `PReLU`, `LinearCrossEntropyLoss`."""

from math import sqrt
from typing import Any

from portable_losses._options import check_count, check_flag, check_number
from portable_losses._plain import numpy_or
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses.activations import prelu
from portable_losses.autograd import namespace
from portable_losses.losses import linear_cross_entropy
from portable_losses.nn.generator import Generator, as_array, draw_uniform
from portable_losses.nn.module import Module
from portable_losses.nn.parameter import Parameter

__all__ = ["LinearCrossEntropyLoss", "PReLU"]


class PReLU(Module):
    """`portable_losses.prelu` as a module that holds the slopes.

    Parameters
    ----------
    num_parameters : int, default 1
        One slope for all, or one for each entry along `axis`.
    init : float, default 0.25
        What the slopes start as.
    axis : int, default -1
        The axis of the channels. PyTorch's (N, C, ...) layout is ``axis=1``.
    xp : namespace, optional
        The array library of the slopes; NumPy by default.
    device, dtype : optional
        Of the slopes, as the library has them; its defaults otherwise.

    Attributes
    ----------
    weight : Parameter, shape (num_parameters,)

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn
    >>> nn.PReLU()(np.asarray([-4.0, 2.0])).tolist()
    [-1.0, 2.0]
    """

    weight: Any

    def __init__(
        self,
        num_parameters: int = 1,
        *,
        init: float = 0.25,
        axis: int = -1,
        xp: Namespace | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        check_count(num_parameters=num_parameters)
        check_number(init=init)
        self.axis = axis
        library = namespace(numpy_or(xp)).inner
        slopes = [float(init)] * num_parameters
        array = as_array(slopes, (num_parameters,), xp=library, dtype=dtype, device=device)
        self.weight = Parameter(array)

    def forward(self, x: Array, /) -> Array:
        """Call the function with the slopes."""
        return prelu(x, self.weight, axis=self.axis)

    def __repr__(self) -> str:
        return f"PReLU({self.weight.shape[0]}, axis={self.axis})"


class LinearCrossEntropyLoss(Module):
    """`portable_losses.linear_cross_entropy` as a module that holds weight and bias.

    Parameters
    ----------
    in_features, num_classes : int
        Sizes of the hidden vectors and of the classes.
    bias : bool, default False
        Whether to add a bias to the logits.
    xp : namespace, optional
        The array library of the parameters; NumPy by default.
    device, dtype : optional
        Of the parameters, as the library has them; its defaults otherwise.
    rng : optional
        Seed or generator; see `portable_losses.nn.init`.
    class_weight, ignore_index, label_smoothing, z_loss, softcap, chunk_size, reduction, denominator
        As `portable_losses.linear_cross_entropy` takes them.

    Attributes
    ----------
    weight : Parameter, shape (num_classes, in_features)
    bias : Parameter, shape (num_classes,), or None
        Both start uniform in ``[-1, 1) / sqrt(in_features)``, PyTorch's distribution.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn
    >>> loss = nn.LinearCrossEntropyLoss(2, 3, rng=0)
    >>> loss(np.zeros((4, 2)), np.asarray([0, 1, 2, 0])).array.round(4)
    np.float64(1.0986)
    """

    weight: Any
    bias: Any

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        bias: bool = False,
        xp: Namespace | None = None,
        device: Any = None,
        dtype: Any = None,
        rng: Generator = None,
        class_weight: Array | None = None,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        z_loss: float = 0.0,
        softcap: float | None = None,
        chunk_size: int | None = None,
        reduction: Reduction = "mean",
        denominator: float | Array | None = None,
    ) -> None:
        check_count(in_features=in_features, num_classes=num_classes)
        check_flag(bias=bias)
        library = namespace(numpy_or(xp)).inner
        split, bound = in_features * num_classes, 1 / sqrt(in_features)
        numbers = draw_uniform(split + bool(bias) * num_classes, rng)
        scaled = [bound * (2 * u - 1) for u in numbers]

        def parameter(values: list[float], shape: tuple[int, ...]) -> Parameter:
            return Parameter(as_array(values, shape, xp=library, dtype=dtype, device=device))

        self.weight = parameter(scaled[:split], (num_classes, in_features))
        self.register_parameter("bias", parameter(scaled[split:], (num_classes,)) if bias else None)
        self.options: dict[str, Any] = {
            "class_weight": class_weight,
            "ignore_index": ignore_index,
            "label_smoothing": label_smoothing,
            "z_loss": z_loss,
            "softcap": softcap,
            "chunk_size": chunk_size,
            "reduction": reduction,
            "denominator": denominator,
        }

    def forward(self, hidden: Array, target: Array, /, **options: Any) -> Array:
        """Return the loss; an option given here holds for this call."""
        kept = {**self.options, **options}
        return linear_cross_entropy(hidden, self.weight, target, bias=self.bias, **kept)

    def __repr__(self) -> str:
        classes, features = self.weight.shape
        return f"LinearCrossEntropyLoss({features}, {classes}, bias={self.bias is not None})"

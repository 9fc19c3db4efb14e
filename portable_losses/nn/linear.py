"""Layers with and without parameters: `Linear`, `Flatten`, `Identity`."""

from math import prod, sqrt
from typing import Any

from portable_losses._options import check_count, check_flag
from portable_losses._plain import numpy_or
from portable_losses._typing import Array, Namespace
from portable_losses._validation import check_axis, namespace_of
from portable_losses.autograd import namespace
from portable_losses.nn.generator import Generator, as_array, draw_uniform
from portable_losses.nn.module import Module
from portable_losses.nn.parameter import Parameter

__all__ = ["Flatten", "Identity", "Linear"]


class Linear(Module):
    """Affine map: ``x @ weight.T + bias``.

    Parameters
    ----------
    in_features, out_features : int
        Sizes of the last axis of argument and result.
    bias : bool, default True
        Whether to add a bias.
    xp : namespace, optional
        The array library of the parameters: ``torch``, ``jax.numpy``, ``cupy`` ...; NumPy by
        default.
    device, dtype : optional
        Of the parameters, as the library has them; its defaults otherwise.
    rng : optional
        Seed or generator; see `portable_losses.nn.init`.

    Attributes
    ----------
    weight : Parameter, shape (out_features, in_features)
    bias : Parameter, shape (out_features,), or None
        Both start uniform in ``[-1, 1) / sqrt(in_features)``, PyTorch's distribution.

    Raises
    ------
    TypeError
        When called, if the argument is of another library than `weight`, or of a dtype that its
        library does not promote. (float32 images and float64 weights give float64.)
    ValueError
        A size is less than 1; when called, if the last axis of the argument has another size.
    ModuleNotFoundError
        `xp` is None and NumPy is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn
    >>> layer = nn.Linear(3, 2, rng=0)
    >>> layer(np.ones((5, 3))).shape
    (5, 2)
    >>> layer.weight = np.zeros((2, 3))  # it stays a Parameter
    >>> type(layer.weight).__name__
    'Parameter'
    """

    # A Parameter, and one or None: for a type checker Any, because arrays may be assigned to them.
    weight: Any
    bias: Any

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        bias: bool = True,
        xp: Namespace | None = None,
        device: Any = None,
        dtype: Any = None,
        rng: Generator = None,
    ) -> None:
        check_count(in_features=in_features, out_features=out_features)
        check_flag(bias=bias)
        self.in_features = in_features
        self.out_features = out_features
        library = namespace(numpy_or(xp)).inner
        # One draw for both, so that an int as `rng` does not begin the bias as it began the weight.
        count = (in_features + bool(bias)) * out_features
        bound = 1 / sqrt(in_features)
        numbers = [bound * (2 * u - 1) for u in draw_uniform(count, rng)]
        split = in_features * out_features

        def parameter(values: list[float], shape: tuple[int, ...]) -> Parameter:
            return Parameter(as_array(values, shape, xp=library, dtype=dtype, device=device))

        self.weight = parameter(numbers[:split], (out_features, in_features))
        self.register_parameter(
            "bias", parameter(numbers[split:], (out_features,)) if bias else None
        )

    def forward(self, x: Array, /) -> Array:
        """Return ``x @ weight.T + bias``."""
        weight = self.weight
        xp = namespace_of(x=x, weight=weight)
        if x.ndim < 1 or x.shape[-1] != weight.shape[1]:
            msg = (
                f"`x` must have {weight.shape[1]} features in its last axis, "
                f"got shape {tuple(x.shape)}"
            )
            raise ValueError(msg)
        try:
            out = xp.matmul(x, weight.mT)
            return out if self.bias is None else out + self.bias
        except Exception as error:
            if x.dtype == weight.dtype:
                raise
            msg = (
                f"`x` has dtype {x.dtype} and `weight` {weight.dtype}, which their library does "
                "not promote; make the layer with `dtype=`, or convert `x` with xp.astype"
            )
            raise TypeError(msg) from error

    def __repr__(self) -> str:
        return f"Linear({self.in_features}, {self.out_features}, bias={self.bias is not None})"


class Flatten(Module):
    """Join several axes into one.

    Parameters
    ----------
    start_axis, end_axis : int
        The first and the last of them; by default all but the first axis, the batch.

    Raises
    ------
    IndexError
        When called, if there is no such axis.
    ValueError
        When called, if `start_axis` lies behind `end_axis`.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn
    >>> nn.Flatten()(np.ones((5, 8, 8))).shape
    (5, 64)
    """

    def __init__(self, *, start_axis: int = 1, end_axis: int = -1) -> None:
        self.start_axis = start_axis
        self.end_axis = end_axis

    def forward(self, x: Array, /) -> Array:
        """Return `x` with the axes joined; a plain array stays one."""
        shape = tuple(x.shape)
        first, last = check_axis(self.start_axis, len(shape)), check_axis(self.end_axis, len(shape))
        if first > last:
            msg = (
                "`start_axis` must not lie behind `end_axis`, "
                f"got {self.start_axis} and {self.end_axis} for shape {shape}"
            )
            raise ValueError(msg)
        joined = (*shape[:first], prod(shape[first : last + 1]), *shape[last + 1 :])
        return namespace_of(x=x).reshape(x, joined)

    def __repr__(self) -> str:
        return f"Flatten(start_axis={self.start_axis}, end_axis={self.end_axis})"


class Identity(Module):
    """Return the argument.

    Examples
    --------
    >>> from portable_losses import nn
    >>> nn.Identity()(3.0)
    3.0
    """

    def forward(self, x: Any, /) -> Any:
        """Return `x`."""
        return x

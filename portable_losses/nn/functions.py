"""The functions of the package as modules: activations and losses.

A class names its function and nothing else. Options, signature and documentation are read from the
function, so an option that is added there is an option here.
"""

import inspect
import re
from collections.abc import Callable
from typing import Any, ClassVar

from portable_losses import activations, losses
from portable_losses.nn.module import Module

__all__ = [
    "GELU",
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "FunctionModule",
    "HuberLoss",
    "L1Loss",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "NLLLoss",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softmin",
    "Softplus",
    "Tanh",
]


class FunctionModule(Module):
    """A function whose options are kept: ``class ReLU(FunctionModule, function=relu)``.

    Parameters
    ----------
    **options
        The keyword-only options of the function. They become attributes, which may be changed,
        and one that is given to a call holds for that call.

    Raises
    ------
    TypeError
        The function has no such option. (Values are checked by the function, when called.)

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn
    >>> loss = nn.MSELoss(reduction="none")
    >>> loss(np.asarray([1.0, 3.0]), np.asarray([0.0, 0.0]))
    array([1., 9.])
    >>> float(loss(np.asarray([1.0, 3.0]), np.asarray([0.0, 0.0]), reduction="sum"))
    10.0
    """

    function: ClassVar[Callable[..., Any]]
    _options: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, *, function: Callable[..., Any], **rest: Any) -> None:
        super().__init_subclass__(**rest)
        parameters = inspect.signature(function).parameters.values()
        options = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
        cls.function = staticmethod(function)
        cls._options = {option.name: option.default for option in options}
        cls.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
        cls.__doc__ = _documented(cls, function, set(cls._options))

    def __init__(self, **options: Any) -> None:
        unknown = sorted(set(options) - set(self._options))
        if unknown:
            msg = f"{type(self).__name__} has the options {list(self._options)}, got {unknown[0]!r}"
            raise TypeError(msg)
        for name, default in self._options.items():
            setattr(self, name, options.get(name, default))

    def forward(self, *arrays: Any, **options: Any) -> Any:
        """Call the function."""
        kept = {name: getattr(self, name) for name in self._options}
        return type(self).function(*arrays, **{**kept, **options})

    def __repr__(self) -> str:
        kept = {name: getattr(self, name) for name in self._options}
        changed = [f"{k}={v!r}" for k, v in kept.items() if not _same(v, self._options[k])]
        return f"{type(self).__name__}({', '.join(changed)})"


def _same(value: Any, default: Any) -> bool:
    return value is default or (isinstance(value, str | int | float) and value == default)


def _documented(cls: type, function: Callable[..., Any], options: set[str]) -> str:
    """Return the class's own line, the function's paragraphs on the options, and an example."""
    text = inspect.getdoc(function) or ""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n-+$|\Z)", text, _LINES)
    entries = re.findall(r"^\S.*\n(?:(?: +.*)?\n)*", section[1] if section else "", re.MULTILINE)
    kept = [e.rstrip() for e in entries if options & set(re.split(r"[,\s]+", e.partition(" :")[0]))]
    heading = ["Parameters\n----------\n" + "\n".join(kept)] if kept else []
    example = (
        f"Examples\n--------\n>>> from portable_losses import nn\n"
        f">>> nn.{cls.__name__}()\n{cls.__name__}()"
    )
    return "\n\n".join([inspect.cleandoc(cls.__doc__ or ""), *heading, example]) + "\n"


_LINES = re.MULTILINE | re.DOTALL


# ---- activations: from one array to one of the same shape ------------------------------------


class ReLU(FunctionModule, function=activations.relu):
    """`portable_losses.relu` as a module."""


class LeakyReLU(FunctionModule, function=activations.leaky_relu):
    """`portable_losses.leaky_relu` as a module."""


class Sigmoid(FunctionModule, function=activations.sigmoid):
    """`portable_losses.sigmoid` as a module."""


class LogSigmoid(FunctionModule, function=activations.log_sigmoid):
    """`portable_losses.log_sigmoid` as a module."""


class Tanh(FunctionModule, function=activations.tanh):
    """`portable_losses.tanh` as a module."""


class Softplus(FunctionModule, function=activations.softplus):
    """`portable_losses.softplus` as a module."""


class SiLU(FunctionModule, function=activations.silu):
    """`portable_losses.silu` as a module."""


class GELU(FunctionModule, function=activations.gelu):
    """`portable_losses.gelu` as a module."""


class Softmax(FunctionModule, function=activations.softmax):
    """`portable_losses.softmax` as a module."""


class LogSoftmax(FunctionModule, function=activations.log_softmax):
    """`portable_losses.log_softmax` as a module."""


class Softmin(FunctionModule, function=activations.softmin):
    """`portable_losses.softmin` as a module."""


# ---- losses: called with the model's output and the target -----------------------------------


class CrossEntropyLoss(FunctionModule, function=losses.cross_entropy):
    """`portable_losses.cross_entropy` as a module: called with logits and a target."""


class NLLLoss(FunctionModule, function=losses.nll_loss):
    """`portable_losses.nll_loss` as a module: called with log-probabilities and a target."""


class BCELoss(FunctionModule, function=losses.binary_cross_entropy):
    """`portable_losses.binary_cross_entropy` as a module: called with probabilities, as PyTorch's.

    For logits there is `BCEWithLogitsLoss`, which is right for every logit.
    """


class BCEWithLogitsLoss(FunctionModule, function=losses.binary_cross_entropy_with_logits):
    """`portable_losses.binary_cross_entropy_with_logits` as a module: called with logits."""


class MSELoss(FunctionModule, function=losses.mse_loss):
    """`portable_losses.mse_loss` as a module."""


class L1Loss(FunctionModule, function=losses.l1_loss):
    """`portable_losses.l1_loss` as a module."""


class SmoothL1Loss(FunctionModule, function=losses.smooth_l1_loss):
    """`portable_losses.smooth_l1_loss` as a module."""


class HuberLoss(FunctionModule, function=losses.huber_loss):
    """`portable_losses.huber_loss` as a module."""

"""Adam, and Adam with decoupled weight decay."""

from collections.abc import Iterable
from math import sqrt
from typing import Any

from portable_losses._options import check_nonnegative, check_number
from portable_losses._polyfill import maximum
from portable_losses._typing import Array
from portable_losses.optim.optimizer import Group, Optimizer, Params, Update

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """Steps scaled by running moments of the gradient.

    With g the gradient, p the parameter and t the number of the step, from 1::

        g = g + weight_decay * p
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        p = p - lr * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)

    Parameters
    ----------
    params : iterable of Parameter, or of mappings
        What to change; mappings are groups with options of their own, ``{"params": ..., "lr":
        ...}``.
    lr : float, default 1e-3
        Step size, at least 0.
    betas : tuple of two floats, default (0.9, 0.999)
        How much of the moments is kept, each in [0, 1).
    eps : float, default 1e-8
        Added to the root, at least 0.
    weight_decay : float, default 0.0
        Factor of the squared norm's gradient, at least 0.
    amsgrad : bool, default False
        Divide by the largest v so far.
    master_weights : bool, default False
        Keep parameters of half precision in float32 as well; see `Optimizer`.

    Raises
    ------
    TypeError
        An entry of `params` is no Tensor.
    ValueError
        `params` is empty or has a parameter twice, or an option is out of its domain.

    Notes
    -----
    The numbers are those of ``torch.optim.Adam``.

    Source: D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization" (2014),
    arXiv:1412.6980; S. J. Reddi, S. Kale, S. Kumar, "On the convergence of Adam and beyond"
    (2018), for amsgrad.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn, optim
    >>> p = nn.Parameter(np.asarray(3.0))
    >>> optimizer = optim.Adam([p], lr=0.1)
    >>> (p * p).backward()
    >>> optimizer.step()
    >>> round(p.item(), 6)
    2.9
    """

    decoupled = False

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        master_weights: bool = False,
    ) -> None:
        options: dict[str, Any] = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "master_weights": master_weights,
        }
        super().__init__(params, options)

    def check(self, options: Group) -> None:
        """Raise ValueError unless the options of a group are in their domains."""
        numbers = {name: options[name] for name in ("lr", "eps", "weight_decay")}
        options.update(check_nonnegative(**numbers))
        given = options["betas"]
        betas = tuple(given) if isinstance(given, Iterable) else (given,)
        options["betas"] = betas = tuple(check_number(betas=beta)["betas"] for beta in betas)
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            msg = f"`betas` must be two numbers in [0, 1), got {betas}"
            raise ValueError(msg)

    def updated(self, update: Update, options: Group) -> Array:
        """Return the new array of a parameter, and bring its moments up to date."""
        p, g, state, xp = update
        beta1, beta2 = options["betas"]
        decay = options["weight_decay"]
        if decay and self.decoupled:
            p = p - options["lr"] * decay * p
        elif decay:
            g = g + decay * p
        step = state.get("step", 0) + 1
        m = beta1 * state.get("exp_avg", 0.0) + (1 - beta1) * g
        v = beta2 * state.get("exp_avg_sq", 0.0) + (1 - beta2) * (g * g)
        state.update(step=step, exp_avg=m, exp_avg_sq=v)
        if options["amsgrad"]:
            largest = state.get("max_exp_avg_sq")
            v = v if largest is None else maximum(largest, v, xp=xp)
            state["max_exp_avg_sq"] = v
        size = xp.sqrt(v) / sqrt(1 - beta2**step) + options["eps"]
        return p - (options["lr"] / (1 - beta1**step)) * (m / size)


class AdamW(Adam):
    """Adam with weight decay beside the moments instead of in them.

    As `Adam`, with ``p = p - lr * weight_decay * p`` first instead of the gradient's first line.

    Parameters
    ----------
    params : iterable of Parameter, or of mappings
        What to change; mappings are groups with options of their own, ``{"params": ..., "lr":
        ...}``.
    lr : float, default 1e-3
        Step size, at least 0.
    betas : tuple of two floats, default (0.9, 0.999)
        How much of the moments is kept, each in [0, 1).
    eps : float, default 1e-8
        Added to the root, at least 0.
    weight_decay : float, default 0.01
        Share of the parameter that a step of size 1 takes away, at least 0.
    amsgrad : bool, default False
        Divide by the largest v so far.
    master_weights : bool, default False
        Keep parameters of half precision in float32 as well; see `Optimizer`.

    Raises
    ------
    TypeError
        An entry of `params` is no Tensor.
    ValueError
        `params` is empty or has a parameter twice, or an option is out of its domain.

    Notes
    -----
    The numbers are those of ``torch.optim.AdamW``.

    Source: I. Loshchilov, F. Hutter, "Decoupled weight decay regularization" (2017),
    arXiv:1711.05101.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn, optim
    >>> p = nn.Parameter(np.asarray(3.0))
    >>> optimizer = optim.AdamW([p], lr=0.1, weight_decay=0.5)
    >>> (p * p).backward()
    >>> optimizer.step()
    >>> round(p.item(), 6)
    2.75
    """

    decoupled = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        master_weights: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
            master_weights=master_weights,
        )

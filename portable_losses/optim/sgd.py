"""Stochastic gradient descent."""

from typing import Any

from portable_losses._options import check_nonnegative, check_number
from portable_losses._typing import Array
from portable_losses.optim.optimizer import Group, Optimizer, Params, Update

__all__ = ["SGD"]


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if wanted.

    With g the gradient, p the parameter and v the velocity, which begins as the first g::

        g = g + weight_decay * p
        v = momentum * v + (1 - dampening) * g
        p = p - lr * v                       without momentum: lr * g
                                             with nesterov:    lr * (g + momentum * v)

    Parameters
    ----------
    params : iterable of Parameter, or of mappings
        What to change; mappings are groups with options of their own, ``{"params": ..., "lr":
        ...}``.
    lr : float
        Step size, at least 0.
    momentum : float, default 0.0
        At least 0.
    dampening : float, default 0.0
        Share of the gradient that momentum leaves out.
    weight_decay : float, default 0.0
        Factor of the squared norm's gradient, at least 0.
    nesterov : bool, default False
        Look ahead; needs momentum, and no dampening.
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
    The numbers are those of ``torch.optim.SGD``.

    Source: B. T. Polyak, "Some methods of speeding up the convergence of iteration methods"
    (1964); I. Sutskever et al., "On the importance of initialization and momentum in deep
    learning" (2013), for Nesterov's form.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn, optim
    >>> p = nn.Parameter(np.asarray(3.0))
    >>> optimizer = optim.SGD([p], lr=0.25)
    >>> (p * p).backward()
    >>> optimizer.step()
    >>> p.item()
    1.5
    """

    def __init__(
        self,
        params: Params,
        lr: float,
        *,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        master_weights: bool = False,
    ) -> None:
        options: dict[str, Any] = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "master_weights": master_weights,
        }
        super().__init__(params, options)

    def check(self, options: Group) -> None:
        """Raise ValueError unless the options of a group are in their domains."""
        numbers = {name: options[name] for name in ("lr", "momentum", "weight_decay")}
        options.update(check_nonnegative(**numbers))
        options.update(check_number(dampening=options["dampening"]))
        if options["nesterov"] and (options["momentum"] <= 0 or options["dampening"] != 0):
            msg = (
                "`nesterov` must come with momentum > 0 and dampening = 0, "
                f"got momentum={options['momentum']!r}, dampening={options['dampening']!r}"
            )
            raise ValueError(msg)

    def updated(self, update: Update, options: Group) -> Array:
        """Return the new array of a parameter, and bring its velocity up to date."""
        p, g, state, _ = update
        momentum = options["momentum"]
        if options["weight_decay"]:
            g = g + options["weight_decay"] * p
        if momentum:
            v = state.get("momentum_buffer")
            v = g if v is None else momentum * v + (1 - options["dampening"]) * g
            state["momentum_buffer"] = v
            g = g + momentum * v if options["nesterov"] else v
        return p - options["lr"] * g

"""`Optimizer`: parameter groups, state, and the walk over all parameters."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from portable_losses._dtypes import narrow, widen
from portable_losses._gradient import stop_gradient
from portable_losses._polyfill import where
from portable_losses._typing import Array, Namespace
from portable_losses._validation import check_real_floating
from portable_losses.autograd import Tensor
from portable_losses.autograd._libraries import is_array, library_of

__all__ = ["Optimizer", "Update"]

Group: TypeAlias = dict[str, Any]
_FLAGS = {"amsgrad", "master_weights", "nesterov"}
Params: TypeAlias = Iterable[Tensor] | Iterable[Mapping[str, Any]]


class Update(NamedTuple):
    """One parameter's part in a step: raw arrays, all constants to the library's autodiff.

    Of a parameter in half precision, `array` and `grad` are float32, and so is what `state` keeps.
    """

    array: Array
    grad: Array
    state: dict[str, Any]
    xp: Namespace


class Optimizer(ABC):
    """What the optimisers share; a subclass defines `check` and `updated`.

    Parameters
    ----------
    params : iterable of Parameter, or of mappings
        What to change; mappings are groups with options of their own, ``{"params": ..., "lr":
        ...}``.
    defaults : dict
        The options of a group that does not give its own.

    Raises
    ------
    TypeError
        An entry of `params` is no Tensor.
    ValueError
        `params` is empty or has a parameter twice, or an option is out of its domain.

    Notes
    -----
    A step puts a new array under each parameter. No array is written to, neither the caller's nor
    an earlier step's, and under PyTorch no graph of its own grows.

    Parameters in float16 or bfloat16 are changed in float32 and rounded once: `updated` gets and
    returns float32, and the state is kept in float32, as squares and ``eps=1e-8`` vanish in halves.
    With an option ``master_weights=True`` the parameter itself is kept in float32 beside the
    rounded one, so that steps smaller than half a unit in the last place add up. A value that the
    caller puts into the parameter between two steps takes the place of the one kept.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn, optim
    >>> class ClippedDescent(optim.Optimizer):
    ...     def check(self, options):
    ...         pass
    ...
    ...     def updated(self, update, options):
    ...         return update.array - options["lr"] * update.xp.clip(update.grad, -1.0, 1.0)
    >>> p = nn.Parameter(np.asarray([3.0, -0.5]))
    >>> optimizer = ClippedDescent([p], {"lr": 0.25})
    >>> (p @ p).backward()
    >>> optimizer.step()
    >>> p.array
    array([ 2.75, -0.25])
    """

    def __init__(self, params: Params, defaults: Group) -> None:
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        self._first_rates: list[float] = []
        self.check(defaults)
        if isinstance(params, Tensor) or is_array(params):
            msg = f"`params` must be an iterable of parameters, got one {type(params).__name__}"
            raise TypeError(msg)
        given: list[Any] = list(params)
        if not given:
            msg = "`params` must hold at least one parameter, got none"
            raise ValueError(msg)
        groups = given if isinstance(given[0], Mapping) else [{"params": given}]
        for group in groups:
            self.add_param_group(group)

    @abstractmethod
    def check(self, options: Group) -> None:
        """Raise ValueError unless the options of a group are in their domains."""

    @abstractmethod
    def updated(self, update: Update, options: Group) -> Array:
        """Return the new array of a parameter, and bring its state up to date."""

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add parameters with options of their own.

        Parameters
        ----------
        group : mapping
            ``"params"``, a parameter or an iterable of them, and any of the optimiser's options;
            the others are those of the optimiser.

        Raises
        ------
        TypeError
            An entry of ``"params"`` is no Tensor or not real floating, or an option is unknown.
        ValueError
            There is no parameter, one is no leaf or belongs to a group already, or an option is
            out of its domain.
        """
        if not isinstance(group, Mapping) or "params" not in group:
            msg = f'a group must be a mapping with the key "params", got {group!r}'
            raise TypeError(msg)
        unknown = set(group) - {"params", *self.defaults}
        if unknown:
            msg = f"a group may have the options {list(self.defaults)}, got {min(unknown)!r}"
            raise TypeError(msg)
        held = group["params"]
        params: list[Any] = [held] if isinstance(held, Tensor) else list(held)
        if not params:
            msg = "`params` must hold at least one parameter, got none"
            raise ValueError(msg)
        taken = {id(p) for other in self.param_groups for p in other["params"]}
        for p in params:
            _check_parameter(p)
            if id(p) in taken:
                msg = f"`params` must hold each parameter once, got one of shape {p.shape} twice"
                raise ValueError(msg)
            taken.add(id(p))
        full = {**self.defaults, **group, "params": params}
        for name in _FLAGS & set(full):
            if not isinstance(full[name], bool):
                msg = f"`{name}` must be True or False, got {full[name]!r}"
                raise TypeError(msg)
        self.check(full)
        self.param_groups.append(full)

    def zero_grad(self) -> None:
        """Forget the collected gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.zero_grad()

    def step(self) -> None:
        """Change every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._change(parameter, group)

    def _change(self, parameter: Tensor, group: Group) -> None:
        """Put the updated array under a parameter."""
        xp = library_of(parameter.array).xp
        state = self.state.setdefault(parameter, {})
        held, slope = (stop_gradient(x, xp=xp) for x in (parameter.array, parameter.grad.array))
        before = widen(held, xp=xp)
        keeps_master = before is not held and group.get("master_weights", False)
        if keeps_master and "master" in state:
            master = state["master"]
            before = where(narrow(master, held.dtype, xp=xp) == held, master, before, xp=xp)
        after = self.updated(Update(before, widen(slope, xp=xp), state, xp), group)
        if keeps_master:
            state["master"] = after
        parameter.array = narrow(after, held.dtype, xp=xp)

    # ---- what a schedule starts from ----------------------------------------------------------

    def first_rates(self) -> list[float]:
        """Return each group's learning rate from before a schedule first set it."""
        groups = self.param_groups
        self._first_rates += [group["lr"] for group in groups[len(self._first_rates) :]]
        return list(self._first_rates)

    def set_first_rates(self, rates: Iterable[float]) -> None:
        """Take over first rates that a schedule has saved."""
        self._first_rates = list(rates)

    # ---- saving and loading -------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the state of each parameter by its number, and the groups' options.

        As PyTorch's: ``{"state": {number: {name: value}}, "param_groups": [{"params": [number,
        ...], option: value, ...}]}``. The arrays are the library's own, and a snapshot.
        """
        numbers = {p: i for i, p in enumerate(self._parameters())}
        return {
            "state": {numbers[p]: dict(state) for p, state in self.state.items() if p in numbers},
            "param_groups": [
                {**group, "params": [numbers[p] for p in group["params"]]}
                for group in self.param_groups
            ],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned; nothing is changed unless all of it fits.

        Parameters
        ----------
        state : mapping
            Of an optimiser of this class with as many groups, each with as many parameters.

        Raises
        ------
        ValueError
            The groups, or the shapes of the state's arrays, do not fit, or an option is out of
            its domain.
        TypeError
            An array belongs to another library than the parameter.
        """
        sizes = [len(group["params"]) for group in state["param_groups"]]
        needed = [len(group["params"]) for group in self.param_groups]
        if sizes != needed:
            msg = f"`state` must have groups of {needed} parameters, got {sizes}"
            raise ValueError(msg)
        loaded: list[Group] = []
        for group, mine in zip(state["param_groups"], self.param_groups, strict=True):
            if set(group) != set(mine):
                msg = f"`state` must have the options {sorted(mine)}, got {sorted(group)}"
                raise ValueError(msg)
            self.check(group)
            loaded.append({**group, "params": mine["params"]})
        parameters = self._parameters()
        numbers = [i for group in state["param_groups"] for i in group["params"]]
        by_number = dict(zip(numbers, parameters, strict=True))
        states = {by_number[i]: dict(values) for i, values in state["state"].items()}
        for parameter, values in states.items():
            for name, value in values.items():
                if is_array(value):
                    _check_fits(name, value, parameter)
        self.param_groups[:] = loaded
        self.state = states

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    def __repr__(self) -> str:
        groups = [
            ", ".join(f"{k}={v!r}" for k, v in group.items() if k != "params")
            for group in self.param_groups
        ]
        return f"{type(self).__name__}({'; '.join(groups)})"


def _check_parameter(p: Any) -> None:
    """Raise unless `p` is a leaf with a real floating dtype."""
    if not isinstance(p, Tensor):
        msg = f"`params` must hold Parameters, got {type(p).__name__}; wrap it with nn.Parameter"
        raise TypeError(msg)
    if not p.is_leaf:
        msg = f"`params` must hold leaves, got a recorded result of shape {p.shape}"
        raise ValueError(msg)
    check_real_floating(library_of(p.array).xp, params=p)


def _check_fits(name: str, value: Array, parameter: Tensor) -> None:
    """Raise unless an array of a state has the library and shape of its parameter."""
    library, needed = library_of(value), library_of(parameter.array)
    if library is not needed:
        msg = f"`{name}` must be an array of {needed.name}, got one of {library.name}"
        raise TypeError(msg)
    if tuple(value.shape) != parameter.shape:
        msg = f"`{name}` must have shape {parameter.shape}, got {tuple(value.shape)}"
        raise ValueError(msg)

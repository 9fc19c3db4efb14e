"""`Module`: a function with parameters, and what one does to all of them at once."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self

from array_api_compat import device as device_of
from array_api_compat import to_device

from portable_losses._typing import Array
from portable_losses.autograd._libraries import library_of, library_of_argument
from portable_losses.autograd.tensors.tensor import Tensor
from portable_losses.nn.parameter import Parameter

__all__ = ["Module"]


class Unmatched(NamedTuple):
    """The names that only the module has, and those that only the loaded state has."""

    missing: list[str]
    unexpected: list[str]


class Module:
    """A function with parameters.

    A subclass assigns parameters and modules to attributes and defines ``forward``. Arguments may
    be Tensors or plain arrays of the parameters' library.

    Notes
    -----
    Assigning an array or a Tensor to an attribute that holds a `Parameter` puts the values under
    that same parameter (`Parameter.replace`), so an optimiser that has it goes on with it; its
    momentum, if any, stays. Assigning a `Parameter` exchanges the object. Lists of modules are
    found in a `ModuleList` only.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses import nn
    >>> class Line(nn.Module):
    ...     def __init__(self):
    ...         self.a = nn.Parameter(np.asarray(2.0))
    ...         self.b = nn.Parameter(np.asarray(1.0))
    ...
    ...     def forward(self, x):
    ...         return self.a * x + self.b
    >>> line = Line()
    >>> line(np.asarray([0.0, 1.0])).array
    array([1., 3.])
    >>> [name for name, _ in line.named_parameters()]
    ['a', 'b']
    """

    training: bool = True

    def forward(self, *args: Any, **options: Any) -> Any:
        """Compute the result: what a subclass defines."""
        msg = f"{type(self).__name__} must define `forward`"
        raise NotImplementedError(msg)

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Call `forward`."""
        return self.forward(*args, **options)

    def __setattr__(self, name: str, value: Any) -> None:
        held = self.__dict__.get(name)
        if value is None or isinstance(value, Parameter | Module):
            pass
        elif isinstance(held, Parameter):
            value = held.replace(value)
        elif name in self._names_without_value():
            value = Parameter(value)
        object.__setattr__(self, name, value)

    def _names_without_value(self) -> set[str]:
        names: set[str] = self.__dict__.get("_absent", set())
        return names

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Assign a parameter, or None for one that is left out and may be assigned later.

        An array that is assigned to a registered name becomes a `Parameter`.
        """
        self.__dict__["_absent"] = {*self._names_without_value(), name}
        setattr(self, name, parameter)

    # ---- what there is ------------------------------------------------------------------------

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """Yield this module and all below it, each once, with its dotted name."""
        seen: set[int] = set()
        for name, module in self._walk(prefix):
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def modules(self) -> Iterator["Module"]:
        """Yield this module and all below it, each once."""
        for _, module in self.named_modules():
            yield module

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """Yield the modules directly below this one, with their names."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def children(self) -> Iterator["Module"]:
        """Yield the modules directly below this one."""
        for _, module in self.named_children():
            yield module

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield all parameters, each once, with their dotted names."""
        seen: set[int] = set()
        for name, parameter in self._all_parameters():
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield name, parameter

    def parameters(self) -> Iterator[Parameter]:
        """Yield all parameters, each once."""
        for _, parameter in self.named_parameters():
            yield parameter

    def _walk(self, prefix: str) -> Iterator[tuple[str, "Module"]]:
        """Yield every module under every name that it has."""
        yield prefix, self
        for name, module in self.named_children():
            yield from module._walk(_joined(prefix, name))

    def _all_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield every parameter under every name that it has."""
        for prefix, module in self._walk(""):
            for name, value in vars(module).items():
                if isinstance(value, Parameter):
                    yield _joined(prefix, name), value

    # ---- what is done to all ------------------------------------------------------------------

    def apply(self, f: Callable[["Module"], Any], /) -> Self:
        """Call `f` with every module below this one and then with this one; return this one."""
        for module in self.children():
            module.apply(f)
        f(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Set `training` of this module and of all below it; return this one."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set `training` to False, here and below; return this module."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the collected gradients."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def to(self, *, device: Any = None, dtype: Any = None) -> Self:
        """Move the parameters to a device, convert them to a dtype, or both; return this module.

        An optimiser's state is not moved: make the optimiser afterwards.
        """
        for parameter in self.parameters():
            array = parameter.array
            if device is not None:
                array = to_device(array, device)
            if dtype is not None:
                array = library_of(array).xp.astype(array, dtype)
            parameter.replace(array)
        return self

    # ---- saving and loading -------------------------------------------------------------------

    def state_dict(self) -> dict[str, Array]:
        """Return the arrays of all parameters by name.

        They are the library's own arrays, and a snapshot: nothing writes to an array, so later
        steps of an optimiser do not show in it.
        """
        return {name: parameter.array for name, parameter in self._all_parameters()}

    def load_state_dict(self, state: Mapping[str, Array], *, strict: bool = True) -> Unmatched:
        """Take over the arrays of `state`; nothing is changed unless all of them fit.

        Parameters
        ----------
        state : mapping of str to array
            As `state_dict` returns it: arrays of the library, shape, dtype and device of the
            parameters.
        strict : bool, default True
            Refuse names that only one side has. Otherwise they are left as they are.

        Returns
        -------
        Unmatched
            The names that are ``missing`` in `state`, and the ``unexpected`` ones in it.

        Raises
        ------
        ValueError
            Names or shapes do not fit.
        TypeError
            Libraries, dtypes or devices do not fit, or an entry is no array.
        """
        mine = dict(self._all_parameters())
        unmatched = Unmatched(
            [name for name in mine if name not in state],
            [name for name in state if name not in mine],
        )
        if strict and any(unmatched):
            msg = (
                f"`state` must have the names of {type(self).__name__}, "
                f"got missing: {unmatched.missing}, unexpected: {unmatched.unexpected}"
            )
            raise ValueError(msg)
        arrays = {
            name: _fitting(name, state[name], parameter.array)
            for name, parameter in mine.items()
            if name in state
        }
        for name, array in arrays.items():
            mine[name].replace(array)
        return unmatched

    def __repr__(self) -> str:
        below = [f"{name}={child!r}" for name, child in self.named_children()]
        return f"{type(self).__name__}({', '.join(below)})"


def _joined(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _fitting(name: str, value: Any, like: Array) -> Array:
    """Return the raw array of `value`; raise unless it can take the place of `like`."""
    array = value.array if isinstance(value, Tensor) else value
    library, needed = library_of_argument(array), library_of(like)
    if library is not needed:
        msg = f"`{name}` must be an array of {needed.name}, got one of {library.name}"
        raise TypeError(msg)
    if tuple(array.shape) != tuple(like.shape):
        msg = f"`{name}` must have shape {tuple(like.shape)}, got {tuple(array.shape)}"
        raise ValueError(msg)
    if array.dtype != like.dtype:
        msg = f"`{name}` must have dtype {like.dtype}, got {array.dtype}; convert with xp.astype"
        raise TypeError(msg)
    if device_of(array) != device_of(like):
        msg = f"`{name}` must be on device {device_of(like)}, got {device_of(array)}"
        raise TypeError(msg)
    return array

"""Derivatives as transformations of functions: `grad`, `value_and_grad`, `vjp`."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from portable_losses._backend import namespace_of_type
from portable_losses._dtypes import kind_of
from portable_losses._gradient import stop_gradient as _constant
from portable_losses.autograd._libraries import (
    check_differentiable,
    library_of,
    library_of_argument,
)
from portable_losses.autograd.rules.shape import ALIAS
from portable_losses.autograd.tape import Node, Reached, enabled, new_node, reachable, recording
from portable_losses.autograd.tensor import Tensor, lift, tensor_of
from portable_losses.autograd.trees import flatten
from portable_losses.autograd.walk import walk

__all__ = ["Call", "check_tensor", "grad", "positions", "stop_gradient", "value_and_grad", "vjp"]


def grad(
    f: Callable[..., Any],
    /,
    *,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    allow_unused: bool = True,
) -> Callable[..., Any]:
    """Return the function that computes the gradient of `f`.

    Parameters
    ----------
    f : callable
        Takes arrays (or nested lists, tuples and dicts of arrays) and returns one real number: a
        Tensor without axes.
    argnums : int or sequence of int, optional
        The positional arguments to differentiate by.
    has_aux : bool, optional
        `f` returns ``(number, aux)``, and the new function ``(gradient, aux)``.
    allow_unused : bool, optional
        False raises ValueError where the number does not depend on an argument, instead of
        returning zeros for it.

    Returns
    -------
    callable
        Same arguments as `f`; returns plain arrays, nested as the argument (a tuple of such for
        several `argnums`). Inside another differentiation the arrays are Tensors.

    Raises
    ------
    TypeError
        When called, if an argument to differentiate by is no array or not floating.
    ValueError
        When called, if `f` returns no Tensor without axes, or does not use an argument that it
        has to.

    Notes
    -----
    An argument that `f` does not use has gradient 0. What `no_grad` says outside does not reach
    into `f`.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import grad
    >>> grad(lambda x: (x * x).__array_namespace__().sum(x * x))(np.asarray([1.0, 2.0]))
    array([2., 4.])
    """
    both = value_and_grad(f, argnums=argnums, has_aux=has_aux, allow_unused=allow_unused)

    @wraps(f)
    def gradient(*args: Any, **options: Any) -> Any:
        value, gradients = both(*args, **options)
        return (gradients, value[1]) if has_aux else gradients

    return gradient


def value_and_grad(
    f: Callable[..., Any],
    /,
    *,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    allow_unused: bool = True,
) -> Callable[..., Any]:
    """Return the function that computes `f` and its gradient.

    Parameters
    ----------
    f : callable
        As in `grad`.
    argnums : int or sequence of int, optional
        The positional arguments to differentiate by.
    has_aux : bool, optional
        `f` returns ``(number, aux)``.
    allow_unused : bool, optional
        As in `grad`.

    Returns
    -------
    callable
        Returns ``(value, gradient)``, or ``((value, aux), gradient)`` with `has_aux`.

    Raises
    ------
    TypeError, ValueError
        As in `grad`.

    Notes
    -----
    `f` runs once.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import value_and_grad
    >>> value, gradient = value_and_grad(lambda x: x @ x)(np.asarray([1.0, 2.0]))
    >>> float(value), gradient.tolist()
    (5.0, [2.0, 4.0])
    """

    @wraps(f)
    def value_and_gradient(*args: Any, **options: Any) -> Any:
        call = Call(args, argnums)
        result = call.run(f, options)
        out, aux = _with_aux(result) if has_aux else (result, None)
        _check_number(out)
        reached = call.reached([out])
        below = call.is_below(reached)
        value = call.seen(out, below)
        aux = call.outside(aux) if has_aux else None  # before the graph is freed
        gradients = call.pull_back([out], [None], reached, record=below, allow_unused=allow_unused)
        return (value, aux) if has_aux else value, gradients

    return value_and_gradient


def vjp(f: Callable[..., Any], /, *args: Any, has_aux: bool = False) -> Any:
    """Run `f` and return its result with the function that pulls a cotangent back.

    Parameters
    ----------
    f : callable
        Takes and returns arrays, or nested lists, tuples and dicts of arrays.
    *args : array
        All of them are differentiated by.
    has_aux : bool, optional
        `f` returns ``(result, aux)``.

    Returns
    -------
    tuple
        ``(result, pullback)``, or ``(result, pullback, aux)``. ``pullback(cotangent)`` takes the
        structure of the result, returns a tuple with one entry per argument, and may be called
        more than once.

    Raises
    ------
    TypeError
        If an argument is no array or not floating, real or complex.
    ValueError
        If `f` returns what is no Tensor, or a cotangent does not fit the result.

    Notes
    -----
    A row of the Jacobian is the pullback of a unit vector.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import vjp
    >>> y, pullback = vjp(lambda x: x * x, np.asarray([1.0, 2.0]))
    >>> pullback(np.asarray([1.0, 10.0]))[0].tolist()
    [2.0, 40.0]
    """
    call = Call(args, tuple(range(len(args))))
    result = call.run(f, {})
    result, aux = _with_aux(result) if has_aux else (result, None)
    outs, _ = flatten(result)
    for out in outs:
        check_tensor(out)

    def pullback(cotangent: Any, /) -> tuple[Any, ...]:
        seeds, _ = flatten(cotangent)
        if len(seeds) != len(outs):
            msg = f"the cotangent must have {len(outs)} arrays, got {len(seeds)}"
            raise ValueError(msg)
        reached = call.reached(outs)
        record = call.is_below(reached) or bool(recording() and any(map(_is_tracked, seeds)))
        gradients: tuple[Any, ...] = call.pull_back(outs, seeds, reached, record=record, free=False)
        return gradients

    shown = call.outside(result)
    return (shown, pullback, call.outside(aux)) if has_aux else (shown, pullback)


def stop_gradient(x: Any, /) -> Any:
    """Return `x` as a constant: no derivative of any order passes through it.

    Parameters
    ----------
    x : array
        A Tensor, or an array of any library (which is told in its own way).

    Returns
    -------
    array
        The values of `x`: a Tensor where `x` is one.

    Raises
    ------
    TypeError
        If `x` is no array.

    Notes
    -----
    Over a library that differentiates by itself, it is told as well.

    Examples
    --------
    >>> import numpy as np
    >>> from portable_losses.autograd import grad, stop_gradient
    >>> float(grad(lambda x: x * stop_gradient(x))(np.asarray(3.0)))
    3.0
    """
    if isinstance(x, Tensor):
        return _constant(x, xp=library_of(x.array).tape)
    library_of_argument(x)
    return _constant(x, xp=namespace_of_type(x))


class Call:
    """One call of a differentiated function: its leaves, and the walk back to them."""

    def __init__(self, args: Sequence[Any], argnums: int | Sequence[int]) -> None:
        numbers = positions(argnums, len(args))
        self.single = isinstance(argnums, int)
        self.outer_recording = recording()
        self.floor = new_node().number  # our leaves are younger
        trees = [flatten(args[i]) for i in numbers]
        self.rebuilds = [rebuild for _, rebuild in trees]
        self.given = [leaves for leaves, _ in trees]
        self.leaves = [[_leaf(x) for x in leaves] for leaves in self.given]
        self.nodes = {leaf._node for leaves in self.leaves for leaf in leaves if leaf._node}
        self.args = list(args)
        for i, rebuild, leaves in zip(numbers, self.rebuilds, self.leaves, strict=True):
            self.args[i] = rebuild(leaves)

    def run(self, f: Callable[..., Any], options: dict[str, Any]) -> Any:
        """Record `f`, whatever is recorded outside."""
        return enabled(f, *self.args, **options)

    def reached(self, outs: Sequence[Tensor]) -> Reached:
        """Return what was recorded in this call and led to `outs`."""
        roots = [out._node for out in outs if out._node is not None]
        return reachable(roots, floor=self.floor)

    def is_below(self, reached: Reached) -> bool:
        """Say whether what was recorded depends on more than our leaves.

        Somebody outside differentiates by it then, and the gradients must be recorded too.
        """
        if not self.outer_recording:
            return False
        # What is younger than our leaves was made in this call.
        return bool(reached.outside) or any(node.parents for node in self.nodes)

    def pull_back(
        self,
        outs: Sequence[Tensor],
        seeds: Sequence[Any],
        reached: Reached,
        *,
        record: bool,
        free: bool = True,
        allow_unused: bool = True,
    ) -> Any:
        """Return the gradients, nested as the arguments were."""
        first: dict[Node, Any] = {}
        for out, seed in zip(outs, seeds, strict=True):
            if out._node is not None:
                grad = out._first_gradient(seed, recorded=record)
                first[out._node] = first[out._node] + grad if out._node in first else grad
        needed = None
        if record or reached.outside or not self.nodes.issuperset(reached.leaves):
            needed = _leading_to(self.nodes, reached.order)  # some nodes do not lead to our leaves
        found = dict(
            enabled(
                walk,
                first,
                lift=lift if record else None,
                targets=frozenset(self.nodes),
                needed=needed,
                free=free and not record,
            )
        )
        if not allow_unused and not self.nodes <= found.keys():
            msg = "the number does not depend on an argument that it is differentiated by"
            raise ValueError(msg)
        results = tuple(
            rebuild([self._result(x, leaf, found) for x, leaf in zip(given, leaves, strict=True)])
            for rebuild, given, leaves in zip(self.rebuilds, self.given, self.leaves, strict=True)
        )
        return results[0] if self.single else results

    def pull_back_through(
        self, outs: Sequence[Tensor], seeds: Sequence[Any], others: Sequence[Node], *, record: bool
    ) -> tuple[Any, ...]:
        """Return the gradients of the leaves, and of `others`, None where there is none."""
        targets: list[Any] = [*(leaf._node for leaves in self.leaves for leaf in leaves), *others]
        roots = [out._node for out in outs if out._node is not None]
        order = reachable(roots, floor=self.floor, stops=set(others)).order
        needed = _leading_to(set(targets), order)
        first: dict[Any, Any] = {}
        for out, seed in zip(outs, seeds, strict=True):
            node = out._node
            if node is not None:
                first[node] = first[node] + seed if node in first else seed
        found = dict(
            walk(
                first,
                lift=lift if record else None,
                targets=frozenset(needed.intersection(targets)),
                needed=needed,
                free=not record,
            )
        )
        return tuple(found.get(node) for node in targets)

    def _result(self, given: Any, leaf: Tensor, found: dict[Node, Any]) -> Any:
        gradient = found.get(leaf._node) if leaf._node is not None else None
        if gradient is None:
            gradient = library_of(leaf.array).xp.zeros_like(leaf.array)
        if isinstance(gradient, Tensor):
            return (
                gradient
                if gradient._node is not None or isinstance(given, Tensor)
                else gradient.array
            )
        return tensor_of(gradient) if isinstance(given, Tensor) else gradient

    def outside(self, tree: Any) -> Any:
        """Return results as the caller is to see them: plain, unless he differentiates too."""
        leaves, rebuild = flatten(tree)
        return rebuild(
            [
                self.seen(x, self.is_below(self.reached([x]))) if isinstance(x, Tensor) else x
                for x in leaves
            ]
        )

    def seen(self, x: Tensor, below: bool) -> Any:
        """Return one result: a Tensor where the caller gave one, or differentiates too."""
        if below and x._node is not None:
            return x
        given = any(isinstance(v, Tensor) for leaves in self.given for v in leaves)
        return x.detach() if given else x.array


def positions(argnums: int | Sequence[int], count: int) -> tuple[int, ...]:
    """Return the places that `argnums` names among `count` arguments."""
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for i in numbers:
        if not -count <= i < count:
            msg = f"`argnums` names argument {i} of {count}"
            raise ValueError(msg)
    return tuple(i % count for i in numbers)


def _leaf(x: Any) -> Tensor:
    """Return a new leaf; one that refers to the caller's Tensor where that is tracked."""
    array, node = (x.array, x._node) if isinstance(x, Tensor) else (x, None)
    check_differentiable(array)
    if node is None or not recording():
        return tensor_of(array)._start()
    return tensor_of(array, new_node(ALIAS, array, (array,), parents=(node,)))


def _leading_to(targets: set[Node], order: Sequence[Node]) -> set[Node]:
    """Return the nodes of `order` that depend on a target, the targets among them."""
    needed = set(targets)
    for node in reversed(order):
        if node not in needed and not needed.isdisjoint(node.parents):
            needed.add(node)
    return needed


def _is_tracked(x: Any) -> bool:
    return isinstance(x, Tensor) and x._node is not None


def _with_aux(result: Any) -> tuple[Any, Any]:
    if not isinstance(result, tuple) or len(result) != 2:
        msg = f"with `has_aux` the function returns a pair, got {type(result).__name__}"
        raise ValueError(msg)
    return result


def check_tensor(out: Any) -> None:
    """Raise ValueError if what a function returned has left the tape."""
    if not isinstance(out, Tensor):
        msg = (
            f"the function must return a Tensor, got {type(out).__name__}: "
            "its gradient would be lost; compute with the functions of `x.__array_namespace__()`"
        )
        raise ValueError(msg)  # noqa: TRY004 - what a function returns is a value


def _check_number(out: Any) -> None:
    check_tensor(out)
    if out.shape or kind_of(out.array, xp=library_of(out.array).xp) != "real floating":
        msg = f"the function must return one real number, got shape {out.shape} of {out.dtype}"
        raise ValueError(msg)

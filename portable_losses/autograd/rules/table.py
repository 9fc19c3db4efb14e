"""How the gradient rules of the Array API are written, and the one table of them.

A rule is a function of the gradient of the result, the result, and the call's own arguments::

    register("multiply", lambda grad, out, x1, x2, *, xp: grad * x2, ...one per array argument)

It is written on `xp`, so that it runs on raw arrays, and on Tensors when the derivative is itself
recorded. A rule of one line is a lambda, a longer one a function. A gradient that is not needed is
not computed, since every argument has a rule of its own.
Broadcasting and promotion are undone by the caller (`graph/fitting.py`).
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from portable_losses._typing import Array, Namespace

__all__ = [
    "COMPOSED",
    "EACH",
    "ITEM",
    "JOINT",
    "LIST",
    "OPERATIONS",
    "OVERLAPPING",
    "OWN",
    "VIEW",
    "Operation",
    "Rule",
    "compose",
    "register",
]

Rule: TypeAlias = Callable[..., Any]

# Forms: a rule per array argument; one rule for the list that is the first argument; one rule for
# all arguments (a pair); one of several results.
EACH, LIST, JOINT, _ITEM = "each", "list", "joint", "item"

# What the gradient of an argument shares with the gradient of the result: nothing, its memory, or
# its memory several times over (a broadcast). Only what shares nothing is given out uncopied.
OWN, VIEW, OVERLAPPING = "own", "view", "overlapping"


class Operation:
    """A name and its rules: what all nodes of one kind have in common."""

    __slots__ = ("form", "name", "overlaps", "results", "rules", "shares")

    def __init__(
        self,
        name: str,
        rules: tuple[Rule, ...],
        *,
        form: str = EACH,
        shares: str = OWN,
        results: Callable[..., Any] | None = None,
    ) -> None:
        self.name = name
        self.rules = rules
        self.form = form
        self.shares = shares
        self.overlaps = shares is OVERLAPPING
        self.results = results

    def __repr__(self) -> str:
        return f"<operation {self.name}>"


ITEM = Operation("item", (), form=_ITEM)
OPERATIONS: dict[str, Operation] = {}
COMPOSED: dict[str, Callable[..., Any]] = {}


def register(
    name: str,
    *rules: Rule,
    form: str = EACH,
    shares: str = OWN,
    results: Callable[..., Any] | None = None,
) -> Operation:
    """Give ``xp.<name>`` its gradient: one rule per array argument, in their order.

    A function of one array with several results names the tuple of them, `results`. Its rule gets
    a tuple of gradients, None for a result that was not used, and returns a tuple of one.
    """
    _refuse_twice(name)
    form = form if results is None else JOINT
    OPERATIONS[name] = Operation(name, rules, form=form, shares=shares, results=results)
    return OPERATIONS[name]


def compose(name: str) -> Callable[[Rule], Rule]:
    """Decorate ``f(*args, xp, **options)``: ``xp.<name>`` written with functions that have rules.

    Only a call with a tracked argument goes this way; every other one is the library's own.
    """
    _refuse_twice(name)

    def decorate(function: Rule) -> Rule:
        COMPOSED[name] = function
        return function

    return decorate


def _refuse_twice(name: str) -> None:
    if name in OPERATIONS or name in COMPOSED:
        msg = f"`{name}` has a gradient already"
        raise RuntimeError(msg)


def zero(grad: Array, *_: Any, xp: Namespace, **__: Any) -> Array:
    """Return the gradient of what is constant between its jumps (sign, floor ...)."""
    return xp.zeros_like(grad)

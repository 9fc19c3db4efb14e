"""The few names that annotations use."""

from collections.abc import Callable
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, TypeAlias, TypeVar, overload

Array: TypeAlias = Any  # a Protocol, once array-api-typing is released
Namespace: TypeAlias = Any  # a module, or the tape's namespace object
Reduction: TypeAlias = Literal["mean", "sum", "none"]
BatchReduction: TypeAlias = Literal["mean", "sum", "none", "batchmean"]
Axis: TypeAlias = int | tuple[int, ...] | None
Options: TypeAlias = dict[str, Any]


class HasShape(Protocol):
    """What the stubs take for an array: a string and a dict are none."""

    @property
    def shape(self) -> Any:
        """Lengths of the axes."""
        ...


ArrayLike: TypeAlias = HasShape | complex | list[Any] | tuple[Any, ...]  # what callers may pass


P = ParamSpec("P")
R = TypeVar("R", covariant=True)


class OfFunction(Protocol[P, R]):
    """A transform of a function: checkers know the arguments of a lambda of one or of two."""

    @overload
    def __call__(self, f: Callable[[Any], Any], /, *args: P.args, **options: P.kwargs) -> R: ...
    @overload
    def __call__(
        self, f: Callable[[Any, Any], Any], /, *args: P.args, **options: P.kwargs
    ) -> R: ...
    @overload
    def __call__(  # type: ignore[overload-cannot-match]  # mypy takes any function for the first
        self, f: Callable[..., Any], /, *args: P.args, **options: P.kwargs
    ) -> R: ...


def of_function(transform: Callable[Concatenate[Callable[..., Any], P], R]) -> OfFunction[P, R]:
    """Return `transform` itself, which a checker then knows for one of a function."""
    return transform

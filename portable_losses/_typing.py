"""The few names that annotations use."""

from typing import Any, Literal, Protocol, TypeAlias

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

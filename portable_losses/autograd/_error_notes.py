"""Notes on the errors of libraries and rules: which operation, of which shapes."""

from typing import Any

__all__ = ["explain", "explain_gradient", "shown"]


def shown(x: Any) -> str:
    """Return an argument as messages name it: shape and dtype, or a short value."""
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return f"{tuple(x.shape)} {x.dtype}"
    text = repr(x)
    return text if len(text) <= 40 else f"{text[:37]}..."


def explain(error: BaseException, name: str, *args: Any) -> None:
    """Add to `error` in which operation it was raised, and of what; its type and message stay."""
    error.add_note(f"in `{name}` of {', '.join(map(shown, args)) or 'nothing'}")


def explain_gradient(error: BaseException, node: Any, grad: Any) -> None:
    """Add to `error` in the gradient of which operation it was raised."""
    parts = grad if isinstance(grad, tuple) else (grad,)
    error.add_note(
        f"in the gradient of `{node.operation.name}` of {', '.join(map(shown, node.args or ()))} "
        f"for a gradient of {', '.join(map(shown, parts))}"
    )

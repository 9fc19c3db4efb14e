"""Differentiate code that knows nothing of this package: an ordinary Array API function.

SciPy, scikit-learn and their like write such functions; here it is Rosenbrock's, whose least value
gradient descent cannot find without a gradient.
"""

from typing import Any

import numpy as np

from portable_losses.autograd import grad, value_and_grad


def rosenbrock(x: Any) -> Any:
    """Return ``sum(100 (x[i+1] - x[i]**2)**2 + (1 - x[i])**2)`` in the array's own library."""
    xp = x.__array_namespace__()
    return xp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def main() -> tuple[Any, Any]:
    """Return the gradient at a point, and the minimum that Newton's method finds with it."""
    x = np.asarray([-1.2, 1.0])
    gradient = grad(rosenbrock)(x)
    print(f"value {float(rosenbrock(x)):.4f}, gradient {gradient.round(4).tolist()}")

    def slope(x: Any, direction: Any) -> Any:
        xp = x.__array_namespace__()
        return xp.sum(grad(rosenbrock)(x) * direction)

    for _ in range(10):
        gradient_here = grad(rosenbrock)(x)
        hessian = np.stack([value_and_grad(slope)(x, axis)[1] for axis in np.eye(2)])
        x = x - np.linalg.solve(hessian, gradient_here)
    print(f"minimum at {x.round(6).tolist()}")
    return gradient, x


if __name__ == "__main__":
    main()

"""Value, gradient and Hessian of a loss in one call, for libraries that fit models themselves."""

from portable_losses.differentials.results import Derivatives
from portable_losses.differentials.samples import derivatives

__all__ = ["Derivatives", "derivatives"]

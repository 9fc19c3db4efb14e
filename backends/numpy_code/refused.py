"""The names of NumPy that are no functions of Tensors, and what to write instead."""

from .names import REFUSED

__all__: list[str] = []

_FROM_FILES = "read an array first, and make a Tensor of it"
_FROM_FUNCTIONS = "compute with `np.arange` or `np.meshgrid`, or `np.stack` what was computed"
_BITS = "bits have no gradient; use `.detach()`"
_COUNTS = "counts have no gradient; use `.detach()`, or `np.histogram` along one axis"
_DATES = "dates have no gradient, and no library but NumPy has them"

REFUSED.update(
    frombuffer=_FROM_FILES,
    fromfile=_FROM_FILES,
    fromstring=_FROM_FILES,
    genfromtxt=_FROM_FILES,
    loadtxt=_FROM_FILES,
    fromfunction=_FROM_FUNCTIONS,
    fromiter=_FROM_FUNCTIONS,
    histogram2d=_COUNTS,
    histogramdd=_COUNTS,
    histogram_bin_edges=_COUNTS,
    packbits=_BITS,
    unpackbits=_BITS,
    busday_count=_DATES,
    busday_offset=_DATES,
    is_busday=_DATES,
    isnat=_DATES,
    datetime_as_string=_DATES,
    min_scalar_type="use `x.dtype`",
)

"""The functions without a gradient, on purpose: integers, truth values, positions, metadata.

A test holds every name of the standard against this list and the rules.
"""

__all__ = ["NO_GRADIENT"]

COMPARISONS = {
    "equal",
    "greater",
    "greater_equal",
    "isfinite",
    "isin",
    "isinf",
    "isnan",
    "less",
    "less_equal",
    "not_equal",
    "signbit",
}
TRUTH = {"all", "any", "logical_and", "logical_not", "logical_or", "logical_xor"}
BITS = {
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
}
POSITIONS = {"argmax", "argmin", "argsort", "count_nonzero", "nonzero", "searchsorted"}
CREATION = {
    "empty",
    "empty_like",
    "eye",
    "ones",
    "ones_like",
    "zeros",
    "zeros_like",
}
STEPS = {"nextafter"}  # a step from one representable number to the next, no function of reals
FREQUENCIES = {"fft.fftfreq", "fft.rfftfreq"}
RANKS = {"linalg.matrix_rank"}
METADATA = {"finfo", "iinfo", "isdtype", "result_type"}

NO_GRADIENT = frozenset(
    COMPARISONS | TRUTH | BITS | POSITIONS | CREATION | STEPS | FREQUENCIES | RANKS | METADATA
)

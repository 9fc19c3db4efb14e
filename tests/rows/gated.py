"""Gated linear units."""

from typing import Any

import numpy as np

import portable_losses as pl
from portable_losses._typing import Array
from tests.cases import Case, Peer, raises
from tests.definitions import Exact, Number, elementwise, probability, sigmoid
from tests.rows.activations import gelu_tanh
from tests.samples import Sample


def gated(function: Any, *activations: Exact) -> Any:
    """Return the definition: of two arrays, or of the halves of one."""

    def definition(
        x: Array, gate: Array | None = None, *, axis: int = -1, approximate: str = "none"
    ) -> Array:
        if gate is None:
            x, gate = np.split(x, 2, axis=axis)
        return x * elementwise(activations[approximate == "tanh"])(gate)

    definition.__name__ = function.__name__
    return definition


def silu(x: Number) -> Number:
    return x * sigmoid(x)


def gelu(x: Number) -> Number:
    return x * probability(x)


UNITS: list[tuple[Any, Any]] = [
    (f, gated(f, *activations))
    for f, activations in (
        (pl.glu, (sigmoid,)),
        (pl.swiglu, (silu,)),
        (pl.geglu, (gelu, gelu_tanh)),
        (pl.reglu, (lambda x: max(x, 0 * x),)),
    )
]
X = [[0.5, -2.0, 40.0, -30.5, 0.75, 1e-3], [-0.25, 1e4, 3.0, -1.5, 2.0, 0.125]]
GATES = [[-30.5, 0.75, 1e-3, 40.0, -0.5, 2.0], [3.5, -1.0, 0.25, -2.25, 1.0, 0.625]]
DEEP = np.linspace(-2, 3, 24).reshape(3, 4, 2) + 0.01


def of(function: Any, definition: Any, arrays: Any, note: str = "", **options: Any) -> Sample:
    kinked = function is pl.reglu
    return Sample(
        function,
        definition,
        arrays,
        options,
        note,
        inside={0: (0.2, 1.75)} if kinked else {},
        smooth_at_zero=not kinked,
        zeros=(0, 1) if len(arrays) > 1 else (0,),
    )


ROWS = [
    *(of(f, definition, (X,)) for f, definition in UNITS),
    *(of(f, definition, (X, GATES), "gate") for f, definition in UNITS),
    *(of(f, definition, (DEEP,), "axis 1", axis=1) for f, definition in UNITS[:1]),
    of(*UNITS[2], (X,), "tanh form", approximate="tanh"),
]

ERRORS: list[Case] = [
    *(
        raises(f.__name__, error, message, *arrays, **options)
        for f, _ in UNITS
        for error, message, arrays, options in (
            (ValueError, r"`x` must have an even size along axis -1, got 3", [DEEP[:, :3, 0]], {}),
            (
                ValueError,
                r"shapes must be equal, got x: \(3, 4, 2\), gate: \(3, 4, 1\)",
                [DEEP, DEEP[..., :1]],
                {},
            ),
            (TypeError, "`gate` must have a real floating dtype", [DEEP, DEEP.astype(int)], {}),
        )
    ),
    raises("geglu", ValueError, "`approximate` must be one of", DEEP, approximate="erf"),
]

PEERS = [
    Peer("glu", (DEEP,), {}, {"axis": 1}, {"dim": 1}),
    Peer("glu", (np.asarray(X),), {}, {}, {}),
]

BEYOND_SLOPES = [
    ("glu, a closed gate", (lambda g: pl.glu(2 + 0 * g, g), -1000.0, 0.0, None)),
    ("swiglu, the gate at 0", (lambda g: pl.swiglu(2 + 0 * g, g), 0.0, 1.0, None)),
    ("reglu, the gate at 0", (lambda g: pl.reglu(2 + 0 * g, g), 0.0, 0.0, "1 where max splits")),
]

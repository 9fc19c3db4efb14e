"""What bad input raises: the argument in backticks, what is required, what came."""

import inspect
import re
from typing import Any

import numpy as np
import pytest

import portable_losses as pl
from portable_losses import autograd
from tests.cases import Case, raises
from tests.libraries import EVERY_ROW, LIBRARIES, Library, named
from tests.rows import TABLE, rows_of
from tests.samples import Sample

POINTWISE = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
BINARY = ("binary_cross_entropy", "binary_cross_entropy_with_logits")
ROWWISE = ("cross_entropy", "nll_loss")

Z, Y = np.zeros((2, 3)), np.asarray([0, 1])
P, T = np.full((4,), 0.5), np.asarray([0.0, 1.0, 0.5, 1.0])


def names(cases: list[Case]) -> list[str]:
    return [re.sub(r"\W+", " ", case[2]) for case in cases]


# ---- dtypes ----------------------------------------------------------------------------------

DTYPES = [
    raises("xlog1py", TypeError, "`y` must have a real floating dtype, got .*int64", P[:2], Y),
    *(raises(f, TypeError, "`target` must hold class indices of an integer dtype, got .*float64",
             Z, Y.astype(np.float64)) for f in ROWWISE),
    *(raises(f, TypeError, "`target` must hold class indices of an integer dtype, got .*bool",
             Z, Y == 1) for f in ROWWISE),
    raises("one_hot", TypeError, "`x` must hold class indices of an integer dtype, got .*float64", P, 3),
    *(raises(f, TypeError, "`where` must have a bool dtype, got .*int64", Z, where=Z.astype(np.int64))
      for f in ("softmax", "log_softmax", "logsumexp")),
    raises("smooth_labels", TypeError, "`where` must have a bool dtype", Z, alpha=0.1, where=Z),
    raises("cross_entropy", TypeError, "`where` must have a bool dtype", Z, Y, where=Z),
]  # fmt: skip

# ---- shapes and axes -------------------------------------------------------------------------

COLUMN = np.zeros((4, 1))
IMAGE = np.zeros((2, 3, 4, 5))

SHAPES = [
    *(raises(f, ValueError, rf"shapes must be equal, got {name}: \(4,\), target: \(4, 1\)", P, COLUMN)
      for fs, name in ((POINTWISE, "input"), (BINARY[:1], "probs"), (BINARY[1:], "logits"))
      for f in fs),
    *(raises(f, ValueError, r"shapes must be equal, got .*: \(4, 1\), target: \(4,\)", COLUMN, T)
      for f in (*POINTWISE, *BINARY)),
    *(raises(f, ValueError, r"`target` must have shape \(2,\) \(class indices\) or \(2, 3\) "
             r"\(probabilities\) .* got shape \(2, 1\)", Z, Y[:, None]) for f in ROWWISE),
    *(raises(f, ValueError, r"got shape \(1,\)", Z, Y[:1]) for f in ROWWISE),
    *(raises(f, ValueError, r"got shape \(1, 3\)", Z, Z[:1]) for f in ROWWISE),
    *(raises(f, ValueError, r"for classes on axis 1, as in PyTorch, pass axis=1", IMAGE,
             np.zeros((2, 4, 5), np.int64)) for f in ROWWISE),
    *(raises(f, ValueError, r"`\w+` must have at least one class, got shape \(2, 0\)", Z[:, :0], Y)
      for f in ROWWISE),
    *(raises(f, ValueError, r"`weight` must (have shape|broadcast to shape) \(3,\), got", Z, Y,
             weight=np.ones(2)) for f in ROWWISE),
    *(raises(f, ValueError, r"`sample_weight` must broadcast to shape \(2,\), got shape \(2, 1\)",
             Z, Y, sample_weight=np.ones((2, 1))) for f in ROWWISE),
    *(raises(f, ValueError, r"`sample_weight` must broadcast to shape \(4,\), got shape \(3,\)",
             P, T, sample_weight=np.ones(3)) for f in (*POINTWISE, *BINARY)),
    *(raises(f, ValueError, r"`weight` must broadcast to shape \(4,\), got shape \(2, 4\)", P, T,
             weight=np.ones((2, 4))) for f in BINARY),
    raises("binary_cross_entropy_with_logits", ValueError, "`pos_weight` must broadcast to shape", P,
           T, pos_weight=np.ones(3)),
    raises("cross_entropy", ValueError, r"`where` must have the shape of `logits`, \(2, 3\), to mask "
           r"classes, or \(2,\), to mask rows, got shape \(3,\)", Z, Y, where=np.ones(3, bool)),
    *(raises(f, ValueError, r"`where` must broadcast to shape \(2, 3\), got shape \(2,\)", Z,
             where=np.ones(2, bool)) for f in ("softmax", "log_softmax", "logsumexp")),
    raises("smooth_labels", ValueError, "`where` must broadcast", Z, alpha=0.1, where=np.ones(2, bool)),
    raises("logsumexp", ValueError, r"`x` and `b` must have shapes that broadcast to one", Z, b=np.ones(4)),
    *(raises(f, ValueError, r"`axis` must not name an axis twice, got \(0, -2\)", Z, axis=(0, -2))
      for f in ("softmax", "log_softmax", "softmin", "logsumexp")),
    *(raises(f, IndexError, r"`axis` must lie in \[-2, 2\) for an array of 2 axes, got 2", Z, axis=2)
      for f in ("softmax", "log_softmax", "softmin", "logsumexp")),
    *(raises(f, IndexError, r"`axis` must lie in \[-2, 2\)", Z, Y, axis=-3) for f in ROWWISE),
    *(raises(f, TypeError, r"`axis` must be an int, got 1.0", Z, Y, axis=1.0) for f in ROWWISE),
    raises("one_hot", IndexError, r"`axis` must lie in \[-2, 2\)", Y, 3, axis=2),
    raises("smooth_labels", IndexError, "`axis` must lie in", Z, alpha=0.1, axis=2),
]  # fmt: skip

# ---- options ---------------------------------------------------------------------------------

NAN = float("nan")
OPTIONS = [
    raises("leaky_relu", ValueError, "`negative_slope` must be a finite number, got inf", P,
           negative_slope=float("inf")),
    *(raises("softplus", ValueError, f"`beta` must be greater than 0, got {beta}", P, beta=beta)
      for beta in (0, -1.0, NAN)),
    raises("gelu", ValueError, r"`approximate` must be one of \('none', 'tanh'\), got 'erf'", P,
           approximate="erf"),
    raises("logit", ValueError, r"`eps` must lie in \[0, 0.5\], got 0.75", P, eps=0.75),
    raises("logit", ValueError, r"`eps` must lie in \[0, 0.5\], got -0.1", P, eps=-0.1),
    raises("one_hot", ValueError, "`num_classes` must be at least 1, got 0", Y, 0),
    raises("one_hot", TypeError, "`num_classes` must be an int, got 2.0", Y, 2.0),
    *(raises("smooth_labels", ValueError, rf"`alpha` must lie in \[0, 1\], got {a}", Z, alpha=a)
      for a in (-0.1, 1.5)),
    *(raises("cross_entropy", ValueError, rf"`label_smoothing` must lie in \[0, 1\], got {e}", Z, Y,
             label_smoothing=e) for e in (-0.1, 1.5, NAN)),
    raises("cross_entropy", ValueError, "`z_loss` must be at least 0, got -1.0", Z, Y, z_loss=-1.0),
    *(raises("cross_entropy", ValueError, f"`softcap` must be greater than 0, got {c}", Z, Y, softcap=c)
      for c in (0.0, -5)),
    raises("cross_entropy", TypeError, "`softcap` must be a Python number, got str", Z, Y, softcap="a"),
    raises("binary_cross_entropy_with_logits", ValueError, r"`label_smoothing` must lie in \[0, 1\]",
           P, T, label_smoothing=2),
    *(raises("huber_loss", ValueError, f"`delta` must be greater than 0, got {d}", P, T, delta=d)
      for d in (0, -1.0)),
    raises("smooth_l1_loss", ValueError, "`beta` must be at least 0, got -1.0", P, T, beta=-1.0),
]  # fmt: skip


ERRORS = [*DTYPES, *SHAPES, *OPTIONS, *rows_of("ERRORS")]


LIGHT = [one for one in LIBRARIES if one.name in ("numpy", "torch", "array_api_strict")]


@pytest.mark.parametrize("library", LIBRARIES if EVERY_ROW else LIGHT, ids=str)
@pytest.mark.parametrize("case", ERRORS, ids=names(ERRORS))
def test_a_wrong_dtype_shape_axis_or_option_raises(library: Library, case: Case) -> None:
    call, error, message = case
    with pytest.raises(error, match=message):
        call(library.array)


# ---- what every function of arrays refuses ---------------------------------------------------

FIRST = list({row.function: row for row in reversed(TABLE)}.values())[::-1]


def parameters(row: Sample) -> list[str]:
    return list(inspect.signature(row.function).parameters)


def taking(name: str) -> Any:
    """Parametrise by library and by the functions that have the parameter `name`."""
    having = [row for row in FIRST if name in parameters(row)]
    return lambda test: pytest.mark.parametrize("library", LIGHT, ids=str)(
        pytest.mark.parametrize("row", having, ids=str)(test)
    )


def call(row: Sample, arrays: dict[Any, Any], **options: Any) -> Any:
    arrays = {key: array for key, array in arrays.items() if key not in options}
    return Sample(row.function, row.definition, row.arrays, {**row.options, **options}).call(arrays)


@pytest.mark.parametrize("library", LIGHT, ids=str)
@pytest.mark.parametrize("row", [row for row in FIRST if 0 in row.variables], ids=str)
def test_an_integer_first_argument_is_a_type_error(library: Library, row: Sample) -> None:
    arrays = {**row.on(library), 0: library.array(row.given[0].astype(np.int64))}
    message = rf"`{parameters(row)[0]}` must have a real floating dtype, got .*int64"
    with pytest.raises(TypeError, match=message):
        row.call(arrays)


@pytest.mark.parametrize("row", FIRST, ids=str)
def test_what_is_no_array_is_a_type_error(row: Sample) -> None:
    named_ = parameters(row)
    for key in row.given:
        for x in (None, "x"):
            if x is None and key != 0:
                continue
            name = named_[key] if isinstance(key, int) else key
            kind = type(x).__name__
            with pytest.raises(
                TypeError, match=f"`{name}` must be an array of an Array API library, got {kind}"
            ):
                row.call({**row.on(named("numpy")), key: x})


@taking("reduction")
def test_an_unknown_reduction_raises(library: Library, row: Sample) -> None:
    with pytest.raises(ValueError, match=r"`reduction` must be one of \(.*'sum', .*got 'avg'"):
        call(row, row.on(library), reduction="avg")


@taking("sample_weight")
def test_a_weight_that_does_not_fit_or_is_negative_raises(library: Library, row: Sample) -> None:
    wrong, negative = library.array(np.ones((2, 3, 5, 7))), library.array(-1.0, "float64")
    with pytest.raises(ValueError, match="`sample_weight` must broadcast to shape"):
        call(row, row.on(library), sample_weight=wrong)
    with pytest.raises(ValueError, match=r"`sample_weight` must be at least 0, got -1\.0"):
        call(row, row.on(library), sample_weight=negative)


@taking("axis")
def test_an_axis_that_is_not_there_raises(library: Library, row: Sample) -> None:
    with pytest.raises(IndexError, match="`axis` must lie in"):
        call(row, row.on(library), axis=99)


WITH_TARGET = [row for row in FIRST if "target" in parameters(row)[1:]]


@pytest.mark.parametrize("library", LIGHT, ids=str)
@pytest.mark.parametrize("row", WITH_TARGET, ids=str)
def test_a_target_of_another_shape_raises(library: Library, row: Sample) -> None:
    arrays = row.on(library)
    place = parameters(row).index("target")
    for target in (arrays[place][..., None, None], arrays[place][None, None, ...]):
        with pytest.raises(ValueError, match="shape"):
            row.call({**arrays, place: target})


@pytest.mark.parametrize("library", LIGHT, ids=str)
@pytest.mark.parametrize("row", [row for row in FIRST if len(row.given) > 1], ids=str)
def test_arrays_of_two_libraries_are_a_type_error(library: Library, row: Sample) -> None:
    other = named("torch" if library.module == "numpy" else "numpy")
    arrays, others = row.on(library), row.on(other)
    last = list(arrays)[-1]
    with pytest.raises(
        TypeError, match=r"all arrays must come from one library, got .*: numpy\.nda"
    ):
        row.call({**arrays, last: others[last]})


# ---- values, where they can be read ----------------------------------------------------------

SIGNED = np.asarray([[0.5, -0.25, 0.75], [1.0, 0.0, 0.0]])
ONLY = np.asarray([[True, False, True], [True, True, True]])

VALUES = [
    *(
        raises(f, IndexError, rf"`target` must hold class indices in \[0, 3\) or ignore_index=-100, "
               rf"got {bad} at position \(1,\)", Z, np.asarray([0, bad]))
        for f in ROWWISE
        for bad in (3, -1, 10**9, -(10**9))
    ),
    raises("cross_entropy", IndexError, r"ignore_index=7, got -100 at position \(0,\)", Z,
           np.asarray([-100, 7]), ignore_index=7),
    raises("cross_entropy", IndexError, r"got 4 at position \(1, 0\)", np.zeros((2, 3, 1)),
           np.asarray([[0], [4]]), axis=1),
    *(raises("one_hot", IndexError, rf"`x` must hold class indices in \[0, 3\), got {bad} at "
             r"position \(1, 0\)", np.asarray([[0], [bad]]), 3) for bad in (3, -1)),
    *(raises(f, ValueError, r"`target` must be at least 0, got -0.25 at position \(0, 1\)", Z, SIGNED)
      for f in ROWWISE),
    raises("cross_entropy", ValueError, r"`target` must name a class that `where` does not mask, got "
           r"1 at position \(0,\)", Z, np.asarray([1, 1]), where=ONLY),
    *(raises(f, ValueError, r"`weight` must be at least 0, got -1.0 at position \(2,\)", Z, Y,
             weight=np.asarray([1.0, 0.0, -1.0])) for f in ROWWISE),
    *(raises(f, ValueError, r"`weight` must be at least 0, got -1.0 at position \(0,\)", P, T,
             weight=np.asarray([-1.0])) for f in BINARY),
    raises("binary_cross_entropy_with_logits", ValueError, "`pos_weight` must be at least 0, got -1",
           P, T, pos_weight=np.asarray([-1.0])),
    *(raises(f, ValueError, r"`target` must lie in \[0, 1\], got 1.5 at position \(1,\)", P,
             np.asarray([0, 1.5, 0, 0])) for f in BINARY),
    *(raises(f, ValueError, r"`target` must lie in \[0, 1\], got 2 at position \(1,\)", P,
             np.asarray([0, 2, 0, 0])) for f in BINARY),
    raises("binary_cross_entropy", ValueError, r"`probs` must lie in \[0, 1\]; for logits use "
           r"binary_cross_entropy_with_logits, got -0.5 at position \(2,\)",
           np.asarray([0.5, 1, -0.5, 0]), T),
    *rows_of("VALUES"),
]  # fmt: skip

READABLE = [one for one in (LIBRARIES if EVERY_ROW else LIGHT) if one.readable]


@pytest.mark.parametrize("library", READABLE, ids=str)
@pytest.mark.parametrize("case", VALUES, ids=names(VALUES))
def test_a_wrong_value_raises_where_it_can_be_read(library: Library, case: Case) -> None:
    call, error, message = case
    with library.active(), pytest.raises(error, match=message):
        call(library.array)


@pytest.mark.parametrize("case", VALUES, ids=names(VALUES))
def test_a_wrong_value_raises_on_the_tape(case: Case) -> None:
    call, error, message = case
    make = named("numpy").array

    def tracked(values: Any) -> Any:
        array = make(values)
        return autograd.tensor(array, requires_grad=values.dtype.kind == "f")

    with pytest.raises(error, match=message):
        call(tracked)


def test_arrays_are_positional_and_options_are_not() -> None:
    unchecked: Any = pl
    with pytest.raises(TypeError):
        unchecked.cross_entropy(logits=Z, target=Y)
    with pytest.raises(TypeError):
        unchecked.softmax(Z, 1)


# ---- every integer dtype, any array of weights -----------------------------------------------


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8"])
def test_any_integer_dtype_may_hold_indices(library: Library, dtype: str) -> None:
    z = library.array(np.asarray([[1.0, 2.0, 3.0], [1.0, 0.0, -1.0]]))
    wide, narrow = (library.array(Y.astype(kind)) for kind in ("int64", dtype))
    got, want = (library.numpy(pl.cross_entropy(z, y, axis=-1)) for y in (narrow, wide))
    assert got == want
    np.testing.assert_array_equal(
        library.numpy(pl.one_hot(narrow, 3)), library.numpy(pl.one_hot(wide, 3))
    )


@pytest.mark.parametrize("dtype, index", [("int8", 100), ("uint8", 156), ("int16", 299)])
def test_a_small_dtype_may_hold_an_index_among_many_classes(
    library: Library, dtype: str, index: int
) -> None:
    y = library.array(np.asarray([index], dtype=dtype))  # 156 is -100, the marker, in 8 bits
    loss = pl.cross_entropy(library.array(np.zeros((1, 300))), y)
    assert library.numpy(loss) == pytest.approx(np.log(300))
    assert library.numpy(pl.one_hot(y, 300)).argmax() == index

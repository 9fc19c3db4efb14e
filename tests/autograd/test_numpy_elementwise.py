"""NumPy's ufuncs, and its other functions of each entry, on Tensors, beside NumPy's own."""

from typing import Any

import numpy as np
import pytest
from portable_losses.backends.numpy_code.names import FUNCTIONS, REFUSED

from portable_losses.autograd import grad, namespace, tensor
from tests.autograd.numpy_calls import (
    NUMPY,
    Call,
    call,
    check_gradients,
    check_values,
    has_slopes,
    numbers,
    over_libraries,
)
from tests.libraries import Library

M, R = numbers(2, 3), numbers(3, seed=1)
P = np.abs(numbers(2, 3, seed=2)) + 0.2
B = M / 4  # between -1 and 1
FAR = np.asarray([-np.inf, -1.5, -0.0, 2.5, np.inf, np.nan])
N = np.asarray(0.7)
K, J = np.asarray([3, 1, 4]), np.asarray([-2, 5, 6])
T, F = np.asarray([True, False, True]), np.asarray([False, False, True])
Z = numbers(2, 3, kind="complex128")
NANS = np.asarray([np.nan, 1.2, np.nan, -0.7])

ANYWHERE = """
absolute abs fabs negative positive square conjugate conj sin cos tan arctan atan sinh cosh tanh
arcsinh asinh exp exp2 expm1 deg2rad radians rad2deg degrees cbrt reciprocal sign floor ceil
trunc rint modf frexp spacing signbit isnan isinf isfinite logical_not fix sinc i0 real angle
real_if_close nan_to_num isreal iscomplex isrealobj iscomplexobj isposinf isneginf unwrap round
"""
ABOVE_0 = """
sqrt log log2 log10 log1p
"""
WITHIN_1 = """
arcsin asin arccos acos arctanh atanh
"""
OF_TWO = """
add subtract multiply divide true_divide maximum minimum fmax fmin arctan2 atan2 hypot logaddexp
logaddexp2 copysign heaviside nextafter equal not_equal less less_equal greater greater_equal
logical_and logical_or logical_xor fmod remainder mod floor_divide divmod
"""
OF_INTEGERS = """
bitwise_and bitwise_or bitwise_xor left_shift bitwise_left_shift right_shift bitwise_right_shift
gcd lcm maximum add power pow
"""
# Whose results are constants, though an argument is tracked.
FINITE = "absolute sign exp tanh arctan modf frexp cbrt trunc rint isinf"
REAL = "sqrt log log2 log10"
STEPS = """
spacing signbit isnan isinf isfinite logical_not isreal iscomplex isrealobj iscomplexobj
isposinf isneginf nextafter equal not_equal less less_equal greater greater_equal logical_and
logical_or logical_xor heaviside
"""

SUBNORMAL = ("jax",)  # reads them as 0

CASES = [
    *[call(name, M) for name in ANYWHERE.split()],
    call("imag", M, smooth=False),
    *[call(name, P) for name in ABOVE_0.split()],
    *[call(name, B) for name in WITHIN_1.split()],
    *[call(name, P + 1) for name in ("arccosh", "acosh")],
    *[call(name, M, R) for name in OF_TWO.split()],
    *[call(name, M, 0.5) for name in OF_TWO.split()],
    *[call(name, 2, R) for name in OF_TWO.split()],
    *[call(name, M, [1.5, 2.5, 0.4]) for name in OF_TWO.split()],
    *[call(name, R, K, constants=True) for name in OF_TWO.split()],
    *[call(name, P, R) for name in ("power", "pow", "float_power")],
    *[call(name, M, 3) for name in ("power", "pow", "float_power")],
    *[call(name, 2.5, M) for name in ("power", "pow", "float_power")],
    call("power", M, K, constants=True),
    call("ldexp", M, K, constants=True),
    call("ldexp", M, 3),
    # ---- integers and truth values ----
    *[call(name, np.abs(K), np.abs(J), constants=True) for name in OF_INTEGERS.split()],
    *[call(name, K, constants=True) for name in ("sqrt", "exp", "sin", "log", "rint", "fabs")],
    *[
        call(name, J, constants=True)
        for name in ("absolute", "negative", "sign", "floor", "square")
    ],
    *[call(name, K, J, constants=True) for name in ("divide", "arctan2", "hypot", "copysign")],
    *[call(name, K, J, constants=True) for name in ("logaddexp", "fmax", "fmod", "divmod")],
    *[call(name, J, 2, constants=True) for name in ("floor_divide", "remainder", "fmod", "fmin")],
    *[call(name, K, 1.5, constants=True) for name in ("maximum", "add", "power", "less")],
    *[call(name, T, F, constants=True) for name in ("logical_and", "bitwise_or", "logical_xor")],
    *[call(name, T, constants=True) for name in ("invert", "bitwise_not", "logical_not", "isnan")],
    call("bitwise_count", J, constants=True),
    call("invert", J, constants=True),
    call("add", T, 1, constants=True),
    call("exp", T.astype(float)),
    # ---- complex numbers ----
    *[
        call(name, Z)
        for name in ("absolute", "conjugate", "exp", "square", "real", "imag", "angle")
    ],
    *[call(name, Z) for name in ("isreal", "iscomplexobj", "nan_to_num", "sinc", "round")],
    call("angle", Z, True),
    call("real_if_close", np.asarray([1 + 1e-15j, 2.0])),
    # ---- rounding, bounds ----
    call("round", M, 1),
    call("around", M * 100, -1),
    call("round", J * 10, -1, constants=True),
    call("round", J, constants=True),
    call("clip", M, 0.25, 0.8),
    call("clip", M, None, 0.8),
    call("clip", M, a_min=0.25, a_max=None),
    call("clip", M, min=-0.5, max=R + 1),
    call("clip", M, R - 1, R),
    call("clip", K, 1.5, 3, constants=True),
    call("nan_to_num", np.asarray([np.nan, 1.5, np.inf, -np.inf]), smooth=False),
    call("nan_to_num", np.asarray([np.nan, 1.5]), nan=7.0),
    call("unwrap", M * 5),
    call("unwrap", M * 5, axis=0, period=3.0),
    call("unwrap", M * 5, 4.0),
    call("unwrap", np.asarray([0, 1, 3, 2, 0, 7]), period=4, constants=True),
    # ---- far away ----
    *[
        call(name, FAR, smooth=False)
        for name in [
            "absolute",
            "sign",
            "exp",
            "tanh",
            "arctan",
            "modf",
            "frexp",
            "cbrt",
            "trunc",
            "rint",
            "isinf",
        ]
    ],
    *[call(name, FAR, 0.5, smooth=False) for name in ("fmax", "fmin", "heaviside", "copysign")],
    *[
        call(name, NANS, np.asarray([1.0, np.nan, np.nan, 2.0]), smooth=False)
        for name in ("fmax", "fmin")
    ],
    call(
        "frexp",
        np.asarray([5e-324, 1e-310, 2.0**-1022, 1e308, 0.5, 1.0, -3.0]),
        smooth=False,
        not_on=SUBNORMAL,
    ),
    call("ldexp", np.asarray([1.5, 0.7]), np.asarray([-1074, 1023]), constants=True, smooth=False),
    call("sinc", np.asarray([0.0, 1e-9, 1e-3, 0.3, 0.32, 3.0])),
    call("i0", np.asarray([0.0, -3.0, 25.0, 700.0]), smooth=False),
    call("cbrt", np.asarray([1e-300, -8.0, 27.0, 1e300]), smooth=False),
    # ---- a table ----
    call("interp", M, np.asarray([-1.0, 0.1, 0.5, 2.0]), numbers(4)),
    call("interp", M, np.asarray([-1.0, 0.1, 0.5, 1.5]), numbers(4), left=N, right=7.0),
    call("interp", M, [-1.0, 0.1, 0.5, 1.5], numbers(4)),
    call("interp", M * 3, np.asarray([0.3, 1.9, 1.2]), numbers(3), period=2.2),
    call("interp", N, np.asarray([0.0, 1.0]), np.asarray([2.0, 3.5])),
    call("interp", M, np.asarray([0.5]), np.asarray([2.0])),
    # ---- leaving the real numbers ----
    *[
        call(f"lib.scimath.{name}", M)
        for name in ["sqrt", "log", "log2", "log10", "arccos", "arcsin", "arctanh"]
    ],
    *[call(f"lib.scimath.{name}", P) for name in REAL.split()],
    call("lib.scimath.logn", 3, P),
    call("lib.scimath.power", M, 0.5),
    call("lib.scimath.power", P, -2),
]


@pytest.mark.parametrize("library, one", over_libraries(CASES), ids=str)
def test_values_are_those_of_numpy(one: Call, library: Library) -> None:
    with np.errstate(all="ignore"):
        check_values(one, library)


@pytest.mark.parametrize("one", [one for one in CASES if has_slopes(one, STEPS.split())], ids=str)
def test_both_derivatives_are_those_of_differences(one: Call) -> None:
    check_gradients(one, NUMPY)


def test_the_step_passes_the_gradient_to_its_value_at_0() -> None:
    x, y = tensor(np.asarray([-1.0, 0.0, 2.0])), tensor(np.asarray([0.5, 0.5, 0.5]))
    xp = namespace(np)
    xp.sum(FUNCTIONS["heaviside"](x, y, xp=xp)).backward()
    assert y.grad.tolist() == [0.0, 1.0, 0.0]


def test_every_ufunc_of_numpy_is_there_or_refused_by_name() -> None:
    names = {n for n in dir(np) if isinstance(getattr(np, n), np.ufunc)}
    names |= {getattr(np, n).__name__ for n in names}
    assert sorted(names - set(FUNCTIONS) - set(REFUSED)) == []


def test_integers_keep_the_dtype_that_numpy_gives_them() -> None:
    for dtype in (np.int8, np.int16, np.int64, np.uint8, np.bool_):
        x = np.asarray([0, 1, 1], dtype=dtype)
        for name in ("exp", "sqrt", "arctan", "absolute", "isfinite"):
            got = FUNCTIONS[name](tensor(x, requires_grad=False), xp=namespace(np))
            assert got.dtype == getattr(np, name)(x).dtype, (name, dtype)


def test_dtypes_meet_as_in_numpy() -> None:
    single = np.asarray([0.5, 1.5], dtype=np.float32)
    for name in ("add", "maximum", "arctan2", "fmax", "logaddexp2", "fmod", "divmod", "copysign"):
        for other in (2.0, 2, np.float64(2.0), np.asarray([2.0, 1.0]), [1.0, 2.0], True):
            expected = getattr(np, name)(single, other)
            got = FUNCTIONS[name](tensor(single), other, xp=namespace(np))
            pairs = zip(got, expected, strict=True) if name == "divmod" else [(got, expected)]
            for mine, theirs in pairs:
                assert mine.dtype == theirs.dtype, (name, other)


@pytest.mark.parametrize("name, slope", [("cbrt", np.inf), ("sinc", 0.0), ("i0", 0.0)])
def test_slopes_at_0(name: str, slope: float) -> None:
    xp = namespace(np)
    with np.errstate(all="ignore"):
        got = grad(lambda x: xp.sum(FUNCTIONS[name](x, xp=xp)))(np.zeros(1))
    assert got.tolist() == [slope]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda t, xp: FUNCTIONS["fabs"](t * 1j, xp=xp), "`fabs` takes real numbers only"),
        (lambda t, xp: FUNCTIONS["gcd"](t, 2, xp=xp), "`gcd` takes integers only"),
        (lambda t, xp: FUNCTIONS["ldexp"](t, t, xp=xp), "`x2` of `ldexp` must be integers"),
    ],
)
def test_what_a_ufunc_does_not_take_is_refused(call: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call(tensor(np.asarray([1.0, 2.0])), namespace(np))


def test_the_points_of_interp_have_the_name_that_numpy_gives_them() -> None:
    points, values = tensor(np.asarray([0.0, 1.0])), np.asarray([2.0, 6.0])
    interp: Any = np.interp
    made = interp(0.25, xp=points, fp=values)
    assert float(made) == 3.0
    made.backward()
    assert points.grad.tolist() == [-3.0, -1.0]

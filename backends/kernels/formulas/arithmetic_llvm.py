"""Arithmetic of one floating dtype, written down as instructions of LLVM.

Values are scalars, and the loop around them is vectorised by LLVM: so there is no branch and no
call here that would stop it; or vectors of so many lanes. Nothing is reassociated and nothing
contracted: a product is joined with a sum where `fma` says so, and every processor that has it
computes the same bits.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir

__all__ = ["KINDS", "Arithmetic", "Kind", "Value"]

Value = Any  # what an instruction makes; llvmlite has no types
Number = Any  # a value, or a Python number that becomes a constant
BIT = ir.IntType(1)
NANS = "0x7ff8", "0xfff8"  # how constants begin that are no numbers


class Kind(NamedTuple):
    """A floating dtype: its type, the integers of its size, and how its bits are laid out."""

    type: Any
    integer: Any
    suffix: str
    digits: int  # of the significand, without the first one
    bias: int  # of the exponent

    @property
    def width(self) -> int:
        """The number of its bits."""
        width: int = self.integer.width
        return width


KINDS = {
    "float32": Kind(ir.FloatType(), ir.IntType(32), "f32", 23, 127),
    "float64": Kind(ir.DoubleType(), ir.IntType(64), "f64", 52, 1023),
}


class Arithmetic:
    """Operations of one dtype, appended where `builder` stands in `module`.

    On scalars, or on vectors of `lanes` of them. An operand may be a Python number; it is rounded
    to the dtype.
    """

    def __init__(self, builder: Any, module: Any, name: str, lanes: int = 1) -> None:
        self.builder = builder
        self.module = module
        self.name = name
        self.lanes = lanes
        self.kind = KINDS[name]
        self.type = self.of(self.kind.type)

    def of(self, scalar: Any) -> Any:
        """Return the type of as many of a scalar type as a value has lanes."""
        return scalar if self.lanes == 1 else ir.VectorType(scalar, self.lanes)

    def same(self, scalar: Any, x: Any) -> Value:
        """Return the constant `x` of a scalar type, in every lane."""
        one = ir.Constant(scalar, x)
        if self.lanes == 1:
            return one
        found = ir.FormattedConstant(scalar, f"splat ({one})")
        found.type = self.of(scalar)
        return found

    def constant(self, x: float) -> Value:
        """Return the number `x`."""
        return self.same(self.kind.type, float(x))

    def integer(self, x: int) -> Value:
        """Return `x` as an integer of the dtype's size."""
        return self.same(self.kind.integer, x & ((1 << self.kind.width) - 1))

    def _value(self, x: Number) -> Value:
        return self.constant(x) if isinstance(x, int | float) else x

    def _values(self, *numbers: Number) -> list[Value]:
        return [self._value(x) for x in numbers]

    def _integers(self, *numbers: Any) -> list[Value]:
        return [self.integer(x) if isinstance(x, int) else x for x in numbers]

    def _call(self, name: str, *operands: Number) -> Value:
        """Return what an operation of LLVM's own makes."""
        lanes = "" if self.lanes == 1 else f"v{self.lanes}"
        full = f"llvm.{name}.{lanes}{self.kind.suffix}"
        function = self.module.globals.get(full)
        if function is None:
            signature = ir.FunctionType(self.type, [self.type] * len(operands))
            function = ir.Function(self.module, signature, full)
        return self.builder.call(function, self._values(*operands))

    # ---- numbers -------------------------------------------------------------------------------

    def add(self, x: Number, y: Number) -> Value:
        """``x + y``."""
        return self.builder.fadd(*self._values(x, y))

    def subtract(self, x: Number, y: Number) -> Value:
        """``x - y``."""
        return self.builder.fsub(*self._values(x, y))

    def multiply(self, x: Number, y: Number) -> Value:
        """``x * y``."""
        return self.builder.fmul(*self._values(x, y))

    def divide(self, x: Number, y: Number) -> Value:
        """``x / y``."""
        return self.builder.fdiv(*self._values(x, y))

    def negative(self, x: Number) -> Value:
        """``-x``."""
        return self.builder.fneg(self._value(x))

    def fma(self, x: Number, y: Number, z: Number) -> Value:
        """``x * y + z``, rounded once."""
        return self._call("fma", x, y, z)

    def absolute(self, x: Number) -> Value:
        """``|x|``."""
        return self._call("fabs", x)

    def sqrt(self, x: Number) -> Value:
        """The square root, correctly rounded."""
        return self._call("sqrt", x)

    def rint(self, x: Number) -> Value:
        """The nearest integer, ties to even."""
        return self._call("rint", x)

    def floor(self, x: Number) -> Value:
        """The largest integer that is not above `x`."""
        return self._call("floor", x)

    def ceil(self, x: Number) -> Value:
        """The smallest integer that is not below `x`."""
        return self._call("ceil", x)

    def trunc(self, x: Number) -> Value:
        """The integer part."""
        return self._call("trunc", x)

    def copysign(self, x: Number, y: Number) -> Value:
        """``|x|`` with the sign of `y`."""
        return self._call("copysign", x, y)

    def maximum(self, x: Number, y: Number) -> Value:
        """The larger of two; NaN if one of them is. Of two zeros it is either."""
        return self._chosen(self.greater, x, y)

    def minimum(self, x: Number, y: Number) -> Value:
        """The smaller of two; NaN if one of them is. Of two zeros it is either."""
        return self._chosen(self.less, x, y)

    def _chosen(self, better: Callable[[Number, Number], Value], x: Number, y: Number) -> Value:
        """Return the better of two: one step of a processor, and two if both may be NaN."""
        x, y = self._values(x, y)
        if _is_number(y):
            x, y = y, x
        found = self.select(better(x, y), x, y)  # y if one is NaN
        if _is_number(x):
            return found
        return self.select(self.not_equal(x, x), x, found)

    # ---- conditions ----------------------------------------------------------------------------

    def less(self, x: Number, y: Number) -> Value:
        """``x < y``."""
        return self.builder.fcmp_ordered("<", *self._values(x, y))

    def less_equal(self, x: Number, y: Number) -> Value:
        """``x <= y``."""
        return self.builder.fcmp_ordered("<=", *self._values(x, y))

    def greater(self, x: Number, y: Number) -> Value:
        """``x > y``."""
        return self.builder.fcmp_ordered(">", *self._values(x, y))

    def greater_equal(self, x: Number, y: Number) -> Value:
        """``x >= y``."""
        return self.builder.fcmp_ordered(">=", *self._values(x, y))

    def equal(self, x: Number, y: Number) -> Value:
        """``x == y``."""
        return self.builder.fcmp_ordered("==", *self._values(x, y))

    def not_equal(self, x: Number, y: Number) -> Value:
        """``x != y``, which NaN is to everything."""
        return self.builder.fcmp_unordered("!=", *self._values(x, y))

    def both(self, p: Value, q: Value) -> Value:
        """``p & q``."""
        return self.builder.and_(p, q)

    def either(self, p: Value, q: Value) -> Value:
        """``p | q``."""
        return self.builder.or_(p, q)

    def differ(self, p: Value, q: Value) -> Value:
        """``p ^ q``."""
        return self.builder.xor(p, q)

    def invert(self, p: Value) -> Value:
        """``~p``."""
        return self.builder.not_(p)

    def select(self, condition: Value, x: Number, y: Number) -> Value:
        """`x` where the condition holds, else `y`."""
        return self.builder.select(condition, *self._values(x, y))

    def as_number(self, condition: Value) -> Value:
        """1 where the condition holds, else 0."""
        return self.builder.uitofp(condition, self.type)

    # ---- bits ----------------------------------------------------------------------------------

    def bits(self, x: Number) -> Value:
        """The bits of `x`, as an integer."""
        return self.builder.bitcast(self._value(x), self.of(self.kind.integer))

    def from_bits(self, i: Any) -> Value:
        """The number with these bits."""
        return self.builder.bitcast(self._integers(i)[0], self.type)

    def add_integers(self, i: Any, j: Any) -> Value:
        """``i + j`` of integers, which wrap around."""
        return self.builder.add(*self._integers(i, j))

    def subtract_integers(self, i: Any, j: Any) -> Value:
        """``i - j`` of integers, which wrap around."""
        return self.builder.sub(*self._integers(i, j))

    def and_bits(self, i: Any, j: Any) -> Value:
        """``i & j`` of integers."""
        return self.builder.and_(*self._integers(i, j))

    def or_bits(self, i: Any, j: Any) -> Value:
        """``i | j`` of integers."""
        return self.builder.or_(*self._integers(i, j))

    def shift_left(self, i: Any, places: int) -> Value:
        """``i << places``."""
        return self.builder.shl(*self._integers(i, places))

    def shift_right(self, i: Any, places: int) -> Value:
        """``i >> places`` of an integer without a sign."""
        return self.builder.lshr(*self._integers(i, places))

    # ---- the other dtype -----------------------------------------------------------------------

    @property
    def wide(self) -> "Arithmetic":
        """The same in float64."""
        return Arithmetic(self.builder, self.module, "float64", self.lanes)

    def widened(self, x: Value) -> Value:
        """`x` in float64."""
        return x if self.name == "float64" else self.builder.fpext(x, self.wide.type)

    def narrowed(self, x: Value) -> Value:
        """The float64 `x`, rounded to this dtype."""
        return x if self.name == "float64" else self.builder.fptrunc(x, self.type)


def _is_number(x: Value) -> bool:
    """Say whether a value is a constant, and not NaN."""
    return isinstance(x, ir.Constant) and not any(nan in str(x) for nan in NANS)

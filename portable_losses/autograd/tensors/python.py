"""What Python asks of a Tensor: numbers, iteration, copies, pickles, and other libraries."""

import operator
import sys
import warnings
from collections.abc import Iterator
from opcode import opmap
from typing import Any

from portable_losses.autograd._libraries import library_of
from portable_losses.autograd.tensors.base import BaseTensor

__all__ = ["PythonTensor"]


class PythonTensor(BaseTensor):
    """Conversions: a number may leave the tape, an array of a tracked Tensor may not."""

    __slots__ = ()

    def __len__(self) -> int:
        if not self.shape:
            msg = "a Tensor without axes has no length"
            raise TypeError(msg)
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        x: Any = self
        places = range(len(self))
        # As NumPy: a vector gives numbers, anything else views of its rows.
        return iter([x[i] for i in places] if len(self.shape) == 1 else [x[i, ...] for i in places])

    def __float__(self) -> float:
        if self._node is not None:
            _leave_as_number()
        return float(self.array)

    def __int__(self) -> int:
        if self._node is not None:
            _leave_as_number()
        return int(self.array)

    def __bool__(self) -> bool:
        if self._node is not None:
            _leave_as_number(warned=True)
        return bool(self.array)

    def __complex__(self) -> complex:
        if self._node is not None:
            _leave_as_number()
        return complex(self.array)

    __trunc__ = __int__

    def __round__(self, ndigits: int | None = None) -> Any:
        """Return a Python integer, or with `ndigits` a Tensor."""
        x: Any = self
        return int(x.round()) if ndigits is None else x.round(ndigits)

    def __divmod__(self, other: Any, /) -> Any:
        x: Any = self
        return x // other, x % other

    def __rdivmod__(self, other: Any, /) -> Any:
        x: Any = self
        return other // x, other % x

    def __format__(self, spec: str, /) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __index__(self) -> int:
        return operator.index(self.array)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: Any = None,
        copy: bool | None = None,
    ) -> Any:
        self._refuse_to_leave(BufferError)
        given = {"stream": stream, "max_version": max_version, "dl_device": dl_device, "copy": copy}
        options = {key: value for key, value in given.items() if value is not None}
        return self.array.__dlpack__(**options)  # older libraries know fewer of them

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        self._refuse_to_leave(TypeError)
        if dtype is None and copy is None:
            return self.array.__array__()
        return self.array.__array__(dtype) if copy is None else self.array.__array__(dtype, copy)

    def _refuse_to_leave(self, error: type[Exception]) -> None:
        """Raise `error` if this Tensor is tracked."""
        if self._node is not None:
            msg = (
                "a tracked Tensor is not converted silently, its gradient would be lost; collect "
                "Tensors with `np.stack` (`xp.stack`), or use `.detach()` to take the values"
            )
            raise error(msg)

    @classmethod
    def __torch_function__(cls, *_: Any, **__: Any) -> Any:
        """Let a library that asks beside an operator leave the answer to the Tensor."""
        return NotImplemented

    def item(self, *place: Any) -> Any:
        """Return the only entry, or the one at `place`, as a Python number."""
        if place:
            x: Any = self.detach()
            (key,) = place if len(place) == 1 else (place,)
            return (x[key] if isinstance(key, tuple) else x.ravel()[key]).item()
        return self.array.item() if hasattr(self.array, "item") else _number(self)

    def tolist(self) -> Any:
        """Return the entries as nested lists of Python numbers."""
        if hasattr(self.array, "tolist"):
            return self.array.tolist()
        return [x.tolist() for x in self.detach()] if self.shape else self.item()

    def __copy__(self) -> Any:
        twin = self._tensor_of(self.array, self._node)
        collected = getattr(self, "_collected", None)
        if collected is not None:
            twin._collected = collected
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if not self.is_leaf:
            msg = "only leaves are copied deeply; use `.detach()` on a result first"
            raise RuntimeError(msg)
        copied = library_of(self.array).xp.asarray(self.array, copy=True)
        twin = memo[id(self)] = self._tensor_of(copied)
        if self.requires_grad:
            twin._collect_here()
        return twin


def _leave_as_number(*, warned: bool = False) -> None:
    """Warn that a tracked number becomes a Python number; raise where it is about to be stored.

    NumPy asks for a number in ``b[0] = x`` just as ``float(x)`` does, without a word about why.
    The instruction that the caller is at tells these two apart, and no others: ``b.fill(x)`` looks
    as ``float(x)`` does.
    """
    caller = sys._getframe(2)
    if caller.f_code.co_code[caller.f_lasti] == _STORES:
        msg = (
            "a tracked Tensor is not stored in an array that is not tracked, its gradient would be "
            "lost; make the array a Tensor or collect the numbers with `np.stack` (`xp.stack`), or "
            "use `.item()` (or `.detach()`) to store the value"
        )
        raise TypeError(msg)
    if warned or _SAID:
        return
    _SAID.append(True)
    msg = (
        "a tracked Tensor becomes a Python number, without a gradient: `.item()` says that this is "
        "meant; to store it in an array with its gradient, collect the numbers with `np.stack` "
        "(`xp.stack`). This warning comes once"
    )
    warnings.warn(msg, UserWarning, stacklevel=3)


_SAID: list[bool] = []
_STORES = opmap["STORE_SUBSCR"]


def _number(x: Any) -> Any:
    """Return the only entry of a Tensor as a Python number of its kind."""
    if x.size != 1:
        msg = f"only a Tensor of one entry is a number, got shape {x.shape}"
        raise ValueError(msg)
    xp = x.__array_namespace__()
    x = xp.reshape(x.detach(), ())
    if xp.isdtype(x.dtype, "bool"):
        return bool(x)
    if xp.isdtype(x.dtype, "integral"):
        return int(x)
    return complex(x) if xp.isdtype(x.dtype, "complex floating") else float(x)

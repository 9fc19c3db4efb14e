"""Tensors that are made by shape or by values, and values that are put under one."""

from numbers import Integral
from typing import Any

from portable_losses._plain import numpy_or
from portable_losses._typing import Namespace
from portable_losses.autograd._libraries import array_of, copy_like, library_named, library_of
from portable_losses.autograd.graph.recording import use_recorder
from portable_losses.autograd.tensors.spelling import SpelledTensor

__all__ = ["CreatedTensor"]


class CreatedTensor(SpelledTensor):
    """Creation as class methods, in NumPy's and PyTorch's spelling; `data`, `numpy` and `assign`.

    Each takes `dtype`, `requires_grad`, and, where there is no array to go by, `xp` and `device`:
    the library (NumPy by default) and where the values lie. Integers that ask for a gradient become
    the library's default floating dtype.
    """

    __slots__ = ()

    @classmethod
    def zeros(cls, *shape: Any, **options: Any) -> Any:
        """Return zeros of a shape, which is given as a tuple or by its sizes."""
        return cls._made("zeros", (_sizes(shape),), **options)

    @classmethod
    def ones(cls, *shape: Any, **options: Any) -> Any:
        """Return ones of a shape, which is given as a tuple or by its sizes."""
        return cls._made("ones", (_sizes(shape),), **options)

    @classmethod
    def empty(cls, *shape: Any, **options: Any) -> Any:
        """Return a Tensor of a shape whose values are yet to be assigned."""
        return cls._made("empty", (_sizes(shape),), **options)

    @classmethod
    def full(cls, shape: Any, fill_value: Any, **options: Any) -> Any:
        """Return a Tensor of a shape with one value everywhere."""
        return cls._made("full", (_sizes((shape,)), fill_value), **options)

    @classmethod
    def arange(cls, start: Any, stop: Any = None, step: Any = 1, **options: Any) -> Any:
        """Return the numbers from `start` (0 if it is alone) up to `stop`, in steps."""
        return cls._made("arange", (start, stop, step), **options)

    @classmethod
    def linspace(cls, start: float, stop: float, num: int = 50, **options: Any) -> Any:
        """Return `num` numbers from `start` to `stop`, both included."""
        return cls._made("linspace", (start, stop, num), **options)

    @classmethod
    def eye(cls, n_rows: int, n_cols: int | None = None, k: int = 0, **options: Any) -> Any:
        """Return a matrix with ones on its `k`-th diagonal."""
        return cls._made("eye", (n_rows, n_cols), k=k, **options)

    @classmethod
    def zeros_like(cls, x: Any, **options: Any) -> Any:
        """Return zeros in the shape, the dtype and the library of `x`."""
        return cls._made_like("zeros_like", x, **options)

    @classmethod
    def ones_like(cls, x: Any, **options: Any) -> Any:
        """Return ones in the shape, the dtype and the library of `x`."""
        return cls._made_like("ones_like", x, **options)

    @classmethod
    def empty_like(cls, x: Any, **options: Any) -> Any:
        """Return a Tensor like `x` whose values are yet to be assigned."""
        return cls._made_like("empty_like", x, **options)

    @classmethod
    def full_like(cls, x: Any, fill_value: Any, **options: Any) -> Any:
        """Return a Tensor like `x` with one value everywhere."""
        return cls._made_like("full_like", x, fill_value, **options)

    @classmethod
    def _made(
        cls,
        name: str,
        args: tuple[Any, ...],
        *,
        dtype: Any = None,
        requires_grad: bool = False,
        xp: Namespace | None = None,
        device: Any = None,
        **options: Any,
    ) -> Any:
        """Return what the library's function `name` makes, as a Tensor."""
        library = library_named(numpy_or(xp)).xp
        array = getattr(library, name)(*args, dtype=dtype, device=device, **options)
        return cls._of(array, dtype, requires_grad)

    @classmethod
    def _made_like(
        cls, name: str, x: Any, *args: Any, dtype: Any = None, requires_grad: bool = False
    ) -> Any:
        """Return what the function `name` of the library of `x` makes, as a Tensor."""
        like = array_of(x)
        array = getattr(library_of(like).xp, name)(like, *args, dtype=dtype)
        return cls._of(array, dtype, requires_grad)

    @classmethod
    def _of(cls, data: Any, dtype: Any = None, requires_grad: bool = False) -> Any:
        """Return `data` as a Tensor, a leaf with a gradient if that is asked for."""
        array = array_of(data, dtype, differentiable=requires_grad)
        made = cls._tensor_of(array)
        if requires_grad:
            made._collect_here()
        return made

    # ---- the values ---------------------------------------------------------------------------

    @property
    def data(self) -> Any:
        """The wrapped library's own array; what is assigned to it is assigned to the Tensor."""
        return self.array

    @data.setter
    def data(self, values: Any) -> None:
        self.assign(values)

    def assign(self, values: Any, /) -> Any:
        """Put other values under this Tensor, and return it.

        A leaf stays one, with the gradient that it has; shape, dtype and device stay, too. What was
        computed from the values before is unchanged, and so is its gradient. A result of recorded
        operations becomes a constant.

        Parameters
        ----------
        values : number, nested lists, array or Tensor
            Of the shape of this Tensor, of its library, and copied.

        Raises
        ------
        ValueError
            `values` has another shape.
        TypeError
            `values` is an array of another library, or no array.
        """
        new = copy_like(self.array, values)
        if tuple(new.shape) != self.shape:
            msg = f"`values` must have shape {self.shape}, got {tuple(new.shape)}"
            raise ValueError(msg)
        with use_recorder(None):
            return self._become(self._tensor_of(new))

    def numpy(self) -> Any:
        """Return the values as a NumPy array, from a GPU as well; a tracked Tensor raises."""
        self._refuse_to_leave(TypeError)
        array = self.array
        for leave in ("get", "cpu"):  # what CuPy and PyTorch call the way from a GPU
            if hasattr(array, leave):
                array = getattr(array, leave)()
        return numpy_or(None, "numpy").asarray(array)


def _sizes(shape: tuple[Any, ...]) -> tuple[int, ...]:
    """Return a shape that is given as a tuple, as a number, or by its sizes."""
    sizes: tuple[Any, ...] = tuple(shape[0]) if len(shape) == 1 and _is_listed(shape[0]) else shape
    if not all(isinstance(n, Integral) for n in sizes):
        msg = f"`shape` must be integers, got {sizes}; the dtype is given as `dtype=`"
        raise TypeError(msg)
    return tuple(map(int, sizes))


def _is_listed(shape: Any) -> bool:
    return isinstance(shape, tuple | list)

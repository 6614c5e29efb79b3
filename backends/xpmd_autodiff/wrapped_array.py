"""A wrapped array is a value on its way through a function that is being differentiated."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from xpmd.errors import GradientError
from xpmd_autodiff import numpy_protocol

if TYPE_CHECKING:
    from xpmd_autodiff.namespace import Namespace

Array = Any
NO_KEYWORDS: dict[str, Any] = {}


class WrappedArray:
    """Base of the dual and the tape array.

    Attributes:
        namespace: the differentiating namespace.
        level: number of the differentiation it belongs to; an inner one has a larger number.
        primal: the value, itself wrapped if an outer differentiation is going on.
    """

    __slots__ = ("level", "namespace", "primal")
    __array_priority__ = 1000

    namespace: Namespace
    level: int
    primal: Any

    def bind(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Apply one function at the level of this array.

        Args:
            name: key of the table of rules.
            args: its arguments, arrays of no higher level among them.
            kwargs: its keyword arguments, none of them wrapped.
        """
        raise NotImplementedError

    @property
    def __xpmd_primal__(self) -> Array:
        return strip(self)

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of each axis."""
        return self.primal.shape  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.primal.ndim  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def dtype(self) -> Any:
        """Data type of the elements."""
        return self.primal.dtype

    @property
    def device(self) -> Any:
        """Where the value is stored."""
        return self.namespace.device_of(self)

    @property
    def T(self) -> Array:
        """Transposed matrix; an array of another rank gets its axes reversed."""
        return self.namespace.permute_dims(self, tuple(range(self.ndim))[::-1])

    @property
    def mT(self) -> Array:
        """The last two axes exchanged."""
        return self.namespace.matrix_transpose(self)

    def __array_namespace__(self, api_version: str | None = None) -> Namespace:
        return self.namespace

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return numpy_protocol.apply_ufunc(self.namespace, ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return numpy_protocol.apply_function(self.namespace, func, args, kwargs)

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of an array without axes.")
        return self.shape[0]

    def __iter__(self) -> Iterator[Array]:
        return (self[place] for place in range(len(self)))

    def __getitem__(self, key: Any) -> Array:
        return bind("getitem", (self, key), NO_KEYWORDS)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise GradientError(
            "x[...] = value on an array that is being differentiated. Build a new array instead, "
            "with `where`, `concat` or `stack`."
        )

    def sum(self, axis: Any = None, **kwargs: Any) -> Array:
        """Return the sum over axes."""
        return self.namespace.sum(self, axis=axis, **kwargs)

    def mean(self, axis: Any = None, **kwargs: Any) -> Array:
        """Return the mean over axes."""
        return self.namespace.mean(self, axis=axis, **kwargs)

    def reshape(self, *shape: Any) -> Array:
        """Return the elements in another shape, given as a tuple or as integers."""
        wanted = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        return self.namespace.reshape(self, tuple(wanted))

    def astype(self, dtype: Any, **kwargs: Any) -> Array:
        """Return the values in another data type."""
        return self.namespace.astype(self, dtype, **kwargs)

    def __bool__(self) -> bool:
        return bool(strip(self))

    def __repr__(self) -> str:
        return f"<{strip(self)!r} being differentiated>"

    def __str__(self) -> str:
        return str(strip(self))

    def __format__(self, form: str) -> str:
        value = strip(self)
        return format(float(value), form) if form and not self.ndim else format(str(value), form)

    # Immutable, so that a copy may be the same object; a deep copy would cut the derivative.
    def __copy__(self) -> WrappedArray:
        return self

    def __deepcopy__(self, memo: Any) -> WrappedArray:
        return self

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise _conversion_error("a plain array")

    def __float__(self) -> float:
        raise _conversion_error("a Python float")

    def __int__(self) -> int:
        raise _conversion_error("a Python int")

    def __index__(self) -> int:
        raise _conversion_error("an index")

    def __complex__(self) -> complex:
        raise _conversion_error("a Python complex")

    def item(self) -> Any:
        """Raise: a Python number has no derivative."""
        raise _conversion_error("a Python number")

    def tolist(self) -> Any:
        """Raise: Python numbers have no derivative."""
        raise _conversion_error("Python numbers")

    __hash__ = None  # type: ignore[assignment]


def bind(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Apply one function at the highest level among its arguments, at least one of them wrapped.

    Args:
        name: key of the table of rules.
        args: its arguments.
        kwargs: its keyword arguments.
    """
    top = None
    level = -1
    for arg in args:
        if isinstance(arg, WrappedArray) and arg.level > level:
            top, level = arg, arg.level
    if top is None:
        raise TypeError(f"{name}: no argument is being differentiated.")
    return top.bind(name, args, kwargs)


def strip(x: Any) -> Any:
    """Return the value under all levels."""
    while isinstance(x, WrappedArray):
        x = x.primal
    return x


def _conversion_error(target: str) -> GradientError:
    return GradientError(
        f"An array that is being differentiated was converted to {target}, which would lose its "
        "derivative. Use functions of its `__array_namespace__()` instead of `float`, `math` or "
        "`numpy.asarray`, or `stop_gradient` first if no derivative is wanted."
    )


def _unary(name: str) -> Callable[[WrappedArray], Array]:
    def operate(self: WrappedArray) -> Array:
        return self.bind(name, (self,), NO_KEYWORDS)

    return operate


def _binary(name: str) -> Callable[[WrappedArray, Any], Array]:
    def operate(self: WrappedArray, other: Any) -> Array:
        return bind(name, (self, other), NO_KEYWORDS)

    return operate


def _reflected(name: str) -> Callable[[WrappedArray, Any], Array]:
    def operate(self: WrappedArray, other: Any) -> Array:
        return bind(name, (other, self), NO_KEYWORDS)

    return operate


def _constant(function: Callable[[Any, Any], Any]) -> Callable[[WrappedArray, Any], Array]:
    """Return an operator whose result has no derivative."""

    def operate(self: WrappedArray, other: Any) -> Array:
        return function(strip(self), strip(other))

    return operate


for _operator, _name in {
    "__neg__": "negative",
    "__pos__": "positive",
    "__abs__": "abs",
}.items():
    setattr(WrappedArray, _operator, _unary(_name))

for _operator, _name in {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "mod": "remainder",
    "pow": "pow",
    "matmul": "matmul",
}.items():
    setattr(WrappedArray, f"__{_operator}__", _binary(_name))
    setattr(WrappedArray, f"__r{_operator}__", _reflected(_name))

for _operator in ("lt", "le", "gt", "ge", "eq", "ne", "floordiv"):
    setattr(WrappedArray, f"__{_operator}__", _constant(getattr(operator, _operator)))
setattr(WrappedArray, "__rfloordiv__", _constant(lambda x, y: y // x))  # noqa: B010

"""The differentiating namespace: every function of the plain one, aware of wrapped arrays."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import array_api_compat

from xpmd.errors import GradientError
from xpmd_autodiff.rules import COMPOSITES, CONSTANTS, RULES
from xpmd_autodiff.scatter import add_at_rows, adding_complex, error_function, put
from xpmd_autodiff.wrapped_array import WrappedArray, bind, strip

Array = Any
Function = Callable[..., Any]

#: Operators reach the arrays of every level, wrapped or not, without a look at the namespace.
_OPERATORS: dict[str, Function] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "remainder": operator.mod,
    "pow": operator.pow,
    "matmul": operator.matmul,
    "negative": operator.neg,
    "positive": operator.pos,
    "abs": operator.abs,
    "getitem": operator.getitem,
}
_SUB_NAMESPACES = ("linalg", "fft")
_STANDARD_ATTRIBUTES = ("__array_api_version__", "__array_namespace_info__")


class Namespace:
    """The functions of a plain namespace for plain and wrapped arrays alike.

    Args:
        xp: plain namespace.
        index_add: (n, index, values) -> zeros of n rows with the values added at the index.
        erf: elementwise error function.
    """

    def __init__(
        self, xp: Any, *, index_add: Function | None = None, erf: Function | None = None
    ) -> None:
        self.plain = xp
        # A name of its own: `array_namespace` takes namespaces of one name for the same.
        self.__name__ = "xpmd_autodiff.namespace"
        self._functions: dict[str, Function] = dict(_OPERATORS)
        plain: dict[str, Function] = {
            "getitem": operator.getitem,
            "cast": lambda x, dtype: xp.astype(x, dtype),
            "getitem_transpose": lambda ct, key, shape: put(xp, ct, key, shape),
            "index_add": adding_complex(
                xp, index_add or (lambda n, index, vals: add_at_rows(xp, n, index, vals))
            ),
            "erf": erf or (lambda x: error_function(xp, x)),
        }
        for name, function in plain.items():
            setattr(self, name, self._ruled(name, function))
        self.concat = self._joining("concat")
        self.stack = self._joining("stack")
        for name in _SUB_NAMESPACES:
            if hasattr(xp, name):
                setattr(self, name, _SubNamespace(self, name, getattr(xp, name)))

    def __repr__(self) -> str:
        return f"<{self.__name__} over {self.plain.__name__}>"

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self.plain)})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in _STANDARD_ATTRIBUTES:
            raise AttributeError(name)
        value = self.wrapping(name, getattr(self.plain, name))
        # Kept, so that the next look-up is a plain one.
        setattr(self, name, value)
        return value

    def wrapping(self, name: str, plain: Any) -> Any:
        """Return an attribute of the plain namespace made aware of wrapped arrays.

        Args:
            name: its name, with a dot after a sub-namespace.
            plain: the attribute.
        """
        if not callable(plain) or isinstance(plain, type):
            return plain
        if name in RULES:
            if name == "clip":
                return self._clip(plain)
            return self._ruled(name, plain)
        if name in COMPOSITES:
            return self._composed(COMPOSITES[name], plain)
        if name in CONSTANTS:
            return _stripping(plain)
        return _guarded(name, plain)

    def function(self, name: str) -> Function:
        """Return the function behind a key of the table of rules."""
        found = self._functions.get(name)
        if found is None:
            found = operator.attrgetter(name)(self)
            if name in ("concat", "stack"):
                found = _taking_arrays(found)
            self._functions[name] = found
        return found

    def is_wrapped(self, x: Any) -> bool:
        """Return whether a value is being differentiated."""
        return isinstance(x, WrappedArray)

    def is_floating(self, x: Any) -> bool:
        """Return whether a value has a data type that derivatives exist for."""
        dtype = getattr(x, "dtype", None)
        return dtype is not None and bool(
            self.plain.isdtype(dtype, ("real floating", "complex floating"))
        )

    def primal(self, x: Any) -> Array:
        """Return the plain array under all levels."""
        return strip(x)

    def device_of(self, x: Array) -> Any:
        """Return where an array is stored."""
        return array_api_compat.device(strip(x))

    def _ruled(self, name: str, plain: Function) -> Function:
        def function(*args: Any, **kwargs: Any) -> Any:
            for arg in args:
                if isinstance(arg, WrappedArray):
                    return bind(name, args, kwargs)
            if kwargs:
                _refuse_wrapped_keywords(name, kwargs)
            return plain(*args, **kwargs)

        function.__name__ = name
        return function

    def _composed(self, composite: Function, plain: Function) -> Function:
        def function(*args: Any, **kwargs: Any) -> Any:
            for arg in args:
                if isinstance(arg, WrappedArray):
                    return composite(self, *args, **kwargs)
            return plain(*args, **kwargs)

        return function

    def _clip(self, plain: Function) -> Function:
        """Return `clip`, the one function whose keyword arguments may be wrapped."""

        def clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
            args = (x, min, max)
            if any(isinstance(arg, WrappedArray) for arg in args):
                return bind("clip", args, {})
            return plain(x, min, max)

        return clip

    def _joining(self, name: str) -> Function:
        """Return a function whose first argument is a list of arrays."""
        plain = getattr(self.plain, name)

        def join(arrays: Sequence[Any], /, *, axis: int | None = 0) -> Any:
            for array in arrays:
                if isinstance(array, WrappedArray):
                    return bind(name, tuple(arrays), {"axis": axis})
            return plain(arrays, axis=axis)

        return join


class _SubNamespace:
    """A part of the namespace, such as `linalg`."""

    def __init__(self, namespace: Namespace, name: str, plain: Any) -> None:
        self._namespace = namespace
        self._name = name
        self.plain = plain

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = self._namespace.wrapping(f"{self._name}.{name}", getattr(self.plain, name))
        setattr(self, name, value)
        return value


def _taking_arrays(join: Function) -> Function:
    """Return a function of arrays, as rules have them, from one of a list of arrays."""

    def function(*arrays: Any, axis: int | None = 0) -> Any:
        return join(arrays, axis=axis)

    return function


def _refuse_wrapped_keywords(name: str, kwargs: dict[str, Any]) -> None:
    for key, value in kwargs.items():
        if isinstance(value, WrappedArray):
            raise GradientError(f"{name}: `{key}` is being differentiated; pass it by position.")


def _any_wrapped(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_any_wrapped(one) for one in value)
    return isinstance(value, WrappedArray)


def _guarded(name: str, plain: Function) -> Function:
    """Return a function that refuses wrapped arrays, so that no derivative is lost silently."""

    def function(*args: Any, **kwargs: Any) -> Any:
        for arg in args:
            if _any_wrapped(arg):
                raise _no_rule(name)
        if kwargs and _any_wrapped(tuple(kwargs.values())):
            raise _no_rule(name)
        return plain(*args, **kwargs)

    return function


def _stripping(plain: Function) -> Function:
    """Return a function that computes with the plain values."""

    def function(*args: Any, **kwargs: Any) -> Any:
        for arg in args:
            if isinstance(arg, WrappedArray):
                args = tuple(strip(one) for one in args)
                break
        return plain(*args, **kwargs)

    return function


def _no_rule(name: str) -> GradientError:
    return GradientError(
        f"`{name}` has no rule for differentiation. Write it with functions that have one, or "
        "pass it `stop_gradient(x)` if no derivative is wanted. Known: "
        + ", ".join(sorted({*RULES, *COMPOSITES}))
        + "."
    )

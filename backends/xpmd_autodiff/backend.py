"""The base of the backends whose library has no differentiation of its own."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from xpmd.backend import Arrays, Backend
from xpmd_autodiff.differentiation import Differentiation
from xpmd_autodiff.wrapped_array import WrappedArray

Array = Any


def _outside(extra: Array, inputs: Arrays) -> Array:
    """Return an array without the level of differentiation of the inputs; outer ones still follow it."""
    level = max((x.level for x in inputs if isinstance(x, WrappedArray)), default=None)
    return extra.primal if getattr(extra, "level", None) == level is not None else extra


@functools.cache
def _dtype_name(kind: type, dtype: Any) -> str:
    # The kind comes first, since types of different libraries object to being compared.
    return str(dtype).rpartition(".")[2]


class DifferentiatedBackend(Backend):
    """An eager library whose derivatives come from xpmd_autodiff.

    A subclass sets `differentiation` and the operations on plain arrays.
    """

    differentiation: Differentiation

    def plain_array(self, value: Any) -> bool:
        """Return whether a value is an array of the library itself."""
        raise NotImplementedError

    def plain_to_numpy(self, array: Array) -> Any:
        """Return a plain array as a NumPy array on the host."""
        raise NotImplementedError

    def xp(self, *arrays: Array) -> Any:
        return self.differentiation.namespace_for(*arrays)

    def is_array(self, value: Any) -> bool:
        if self.differentiation.is_wrapped(value):
            value = self.differentiation.primal(value)
        return self.plain_array(value)

    def is_followed(self, value: Any) -> bool:
        return self.differentiation.is_wrapped(value)

    def to_numpy(self, array: Array) -> Any:
        return self.plain_to_numpy(self.differentiation.primal(array))

    def dtype_name(self, array: Array) -> str:
        kind: Any = type(array.dtype)
        return _dtype_name(kind, array.dtype)

    def stop_gradient(self, array: Array) -> Array:
        return self.differentiation.stop_gradient(array)

    def radial(self, function: Callable[[Array], Array], at: Array) -> Array:
        return self.differentiation.derivative(function, at)

    def vjp(self, function: Callable[..., Arrays], *xs: Array) -> Any:
        return self.differentiation.vjp(function, *xs)

    def jvp(
        self, function: Callable[..., Arrays], xs: Arrays, tangents: Sequence[Array | None]
    ) -> Any:
        return self.differentiation.jvp(function, xs, tangents)

    def custom_vjp(
        self,
        primal: Callable[..., Arrays],
        forward: Callable[..., tuple[Arrays, Any]],
        backward: Callable[[Any, Arrays], Sequence[Array | None]],
        *,
        selective: bool = False,
    ) -> Callable[..., Arrays]:
        call: Callable[..., Arrays] = self.differentiation.custom_vjp(
            primal, forward, backward, selective=selective
        )
        return call

    def custom_jvp(
        self,
        primal: Callable[..., Arrays],
        rule: Callable[[Arrays, Sequence[Array | None]], tuple[Arrays, Sequence[Array | None]]],
    ) -> Callable[..., Arrays]:
        call: Callable[..., Arrays] = self.differentiation.custom_jvp(primal, rule)
        return call

    def value_and_grad(
        self, function: Callable[..., tuple[Array, Arrays]], xs: Arrays
    ) -> tuple[Array, Arrays, Arrays]:
        kept: list[Arrays] = []

        def value_only(*values: Array) -> Array:
            value, extra = function(*values)
            kept.append(tuple(_outside(x, values) for x in extra))
            return value

        value, slopes = self.differentiation.value_and_grad(value_only, xs)
        return value, slopes, kept[-1]

    def index_add(self, n_rows: int, rows: Array, values: Array) -> Array:
        return self.differentiation.index_add(n_rows, rows, values)

    def erf(self, array: Array) -> Array:
        return self.differentiation.erf(array)

"""A rule is the derivative of one function, written with the namespace it differentiates.

Because a rule only calls operators and functions of `xp`, it can be differentiated itself.

A complex value has a complex tangent dz, and a complex cotangent c that stands for the change
Re(sum c dz) of the loss (JAX's convention; torch's cotangent is the conjugate). So a function with a
complex derivative needs one action for both directions, as a real one does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Array = Any
#: Cotangent of the result (a list of them if the result is a tuple) -> one per argument.
Pull = Callable[[Any], Sequence[Any]]
#: (xp, t, out, *args) -> t times the elementwise derivative; `None` stands for zero.
Action = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """Derivative of one function in both directions.

    Attributes:
        jvp: (xp, out, args, tangents, kwargs) -> tangent of the result, or `None` for zero.
        vjp: (xp, out, args, wanted, kwargs) -> pull; `wanted` marks the differentiated arguments.
    """

    jvp: Callable[[Any, Any, Sequence[Any], Sequence[Any], dict[str, Any]], Any]
    vjp: Callable[[Any, Any, Sequence[Any], Sequence[bool], dict[str, Any]], Pull]


def is_complex(xp: Any, x: Any) -> bool:
    """Return whether an array holds complex numbers."""
    return bool(xp.isdtype(x.dtype, "complex floating"))


def conjugate(xp: Any, x: Array) -> Array:
    """Return the complex conjugate; a real array is its own."""
    return xp.conj(x) if is_complex(xp, x) else x


def of_kind(xp: Any, vector: Array, dtype: Any) -> Array:
    """Return a tangent or cotangent in a data type; a real one keeps the real part of a complex one."""
    if vector.dtype == dtype:
        return vector
    if is_complex(xp, vector) and not xp.isdtype(dtype, "complex floating"):
        vector = xp.real(vector)
    return vector if vector.dtype == dtype else xp.cast(vector, dtype)


def unbroadcast(xp: Any, cotangent: Array, shape: tuple[int, ...], dtype: Any = None) -> Array:
    """Sum a cotangent over the axes that broadcasting repeated.

    Args:
        xp: namespace.
        cotangent: array, or `None` for zero.
        shape: shape before broadcasting.
        dtype: data type before promotion; `None` leaves it.
    """
    if cotangent is None:
        return None
    if cotangent.shape != shape:
        extra = cotangent.ndim - len(shape)
        if extra:
            cotangent = xp.sum(cotangent, axis=tuple(range(extra)))
        repeated = tuple(
            axis for axis, size in enumerate(shape) if size == 1 and cotangent.shape[axis] != 1
        )
        if repeated:
            cotangent = xp.sum(cotangent, axis=repeated, keepdims=True)
    if dtype is not None and cotangent.dtype != dtype:
        cotangent = of_kind(xp, cotangent, dtype)
    return cotangent


def fitted(xp: Any, tangent: Array, out: Array) -> Array:
    """Give a tangent the shape and data type of the value it belongs to."""
    if tangent is None:
        return None
    if tangent.shape != out.shape:
        tangent = xp.broadcast_to(tangent, out.shape)
    if tangent.dtype != out.dtype:
        tangent = xp.cast(tangent, out.dtype)
    return tangent


def elementwise(*actions: Action) -> Rule:
    """Return the rule of an elementwise function.

    Its Jacobian is diagonal, so the same action serves tangents and cotangents.

    Args:
        actions: one per argument.
    """

    def jvp(
        xp: Any, out: Any, args: Sequence[Any], tangents: Sequence[Any], kwargs: dict[str, Any]
    ) -> Any:
        total = None
        for action, tangent in zip(actions, tangents, strict=False):
            if tangent is not None:
                term = action(xp, tangent, out, *args)
                if term is not None:
                    total = term if total is None else total + term
        return fitted(xp, total, out)

    def vjp(
        xp: Any, out: Any, args: Sequence[Any], wanted: Sequence[bool], kwargs: dict[str, Any]
    ) -> Pull:
        def pull(cotangent: Any) -> Sequence[Any]:
            return [
                unbroadcast(xp, action(xp, cotangent, out, *args), arg.shape, arg.dtype)
                if want
                else None
                for action, arg, want in zip(actions, args, wanted, strict=False)
            ]

        return pull

    return Rule(jvp, vjp)


def additive(*signs: int) -> Rule:
    """Return the rule of a signed sum of arguments; it keeps no argument alive.

    Args:
        signs: 1 or -1, one per argument.
    """

    def jvp(
        xp: Any, out: Any, args: Sequence[Any], tangents: Sequence[Any], kwargs: dict[str, Any]
    ) -> Any:
        total = None
        for sign, tangent in zip(signs, tangents, strict=False):
            if tangent is None:
                continue
            if total is None:
                total = tangent if sign > 0 else -tangent
            else:
                total = total + tangent if sign > 0 else total - tangent
        return fitted(xp, total, out)

    def vjp(
        xp: Any, out: Any, args: Sequence[Any], wanted: Sequence[bool], kwargs: dict[str, Any]
    ) -> Pull:
        kinds = [
            (arg.shape, arg.dtype) if want else None
            for arg, want in zip(args, wanted, strict=False)
        ]

        def pull(cotangent: Any) -> Sequence[Any]:
            return [
                None
                if kind is None
                else unbroadcast(xp, cotangent if sign > 0 else -cotangent, *kind)
                for sign, kind in zip(signs, kinds, strict=False)
            ]

        return pull

    return Rule(jvp, vjp)


def linear(name: str, transpose: Callable[..., Any]) -> Rule:
    """Return the rule of a function that is linear in its first argument.

    Args:
        name: its key in the table.
        transpose: (xp, cotangent, shape of the argument, *other arguments) -> cotangent; of a real
            argument only the real part is used.
    """

    def jvp(
        xp: Any, out: Any, args: Sequence[Any], tangents: Sequence[Any], kwargs: dict[str, Any]
    ) -> Any:
        return xp.function(name)(tangents[0], *args[1:], **kwargs)

    def vjp(
        xp: Any, out: Any, args: Sequence[Any], wanted: Sequence[bool], kwargs: dict[str, Any]
    ) -> Pull:
        shape, dtype, rest = args[0].shape, args[0].dtype, args[1:]

        def pull(cotangent: Any) -> Sequence[Any]:
            result = transpose(xp, cotangent, shape, *rest, **kwargs)
            return [of_kind(xp, result, dtype)]

        return pull

    return Rule(jvp, vjp)

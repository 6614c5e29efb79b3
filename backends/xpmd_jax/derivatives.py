"""Derivatives by JAX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.interpreters.ad
import jax.numpy as jnp
import numpy as np

from xpmd.errors import CAPTURED, ONE_WAY, TWICE, GradientError
from xpmd_jax.barriers import forwards_only

Array = Any
Arrays = tuple[Any, ...]

# What JAX raised before 0.4.36 if a function with a rule of its own captured something differentiated.
_CAPTURED = tuple(
    error
    for name in ("CustomJVPException", "CustomVJPException")
    if (error := getattr(jax.interpreters.ad, name, None)) is not None
)


def stop_gradient(array: Array) -> Array:
    """Return the array as a constant."""
    # JAX takes 20 µs to see that there is nothing to stop.
    return jax.lax.stop_gradient(array) if isinstance(array, jax.core.Tracer) else array


def radial(function: Callable[[Array], Array], at: Array) -> Array:
    """Return the elementwise derivative, by one forward pass."""
    return jax.jvp(function, (at,), (jnp.ones_like(at),))[1]


def _is_float(x: Array) -> bool:
    return bool(jnp.issubdtype(x.dtype, jnp.floating))


def vjp(
    function: Callable[..., Arrays], *xs: Array
) -> tuple[Arrays, Callable[[Sequence[Array | None]], tuple[Array | None, ...]]]:
    """Return outputs and the pull of cotangents, `None` for integer inputs."""
    floats = tuple(x for x in xs if _is_float(x))

    def of_floats(*values: Array) -> Arrays:
        new = iter(values)
        return tuple(function(*(next(new) if _is_float(x) else x for x in xs)))

    outs, pull = jax.vjp(of_floats, *floats)

    def pulled(cotangents: Sequence[Array | None]) -> tuple[Array | None, ...]:
        full = tuple(
            _no_tangent(out) if cotangent is None else cotangent
            for out, cotangent in zip(outs, cotangents, strict=True)
        )
        slopes = iter(pull(full))
        return tuple(next(slopes) if _is_float(x) else None for x in xs)

    return outs, pulled


def jvp(
    function: Callable[..., Arrays], xs: Arrays, tangents: Sequence[Array | None]
) -> tuple[Arrays, tuple[Array | None, ...]]:
    """Return outputs and tangents, `None` for integer outputs."""
    moving = [t is not None for t in tangents]

    def of_moving(*values: Array) -> Arrays:
        new = iter(values)
        return tuple(
            function(*(next(new) if moves else x for x, moves in zip(xs, moving, strict=True)))
        )

    outs, found = jax.jvp(
        of_moving,
        tuple(x for x, moves in zip(xs, moving, strict=True) if moves),
        tuple(t for t in tangents if t is not None),
    )
    return outs, tuple(t if _is_float(out) else None for out, t in zip(outs, found, strict=True))


def jvp_many(
    function: Callable[..., Arrays], xs: Arrays, directions: Sequence[Arrays]
) -> tuple[Arrays, list[Arrays]]:
    """Return outputs, computed once, and tangents along several directions, computed together."""
    if len(directions) == 1:
        outs, moved = jvp(function, xs, directions[0])
        return outs, [moved]
    stacked = tuple(
        _stacked(column, x) for column, x in zip(zip(*directions, strict=True), xs, strict=True)
    )

    def along(*tangents: Array | None) -> tuple[Arrays, Arrays]:
        return jvp(function, xs, tangents)

    outs, moved = jax.vmap(along, out_axes=(None, 0))(*stacked)
    return outs, [
        tuple(None if part is None else part[k] for part in moved) for k in range(len(directions))
    ]


def _stacked(column: Sequence[Array | None], x: Array) -> Array | None:
    """Return the tangents of one input along all directions, `None` if it never moves."""
    if all(tangent is None for tangent in column):
        return None
    return jnp.stack([jnp.zeros_like(x) if t is None else t for t in column])


def captures(function: Callable[..., Arrays], xs: Arrays) -> bool:
    """Return whether a function of constants is differentiated through something that it captured.

    Compiled functions say so themselves from 0.4.36 on, at no cost; before, they take it along.
    """
    if jax.__version_info__ >= (0, 4, 36):
        return False
    constants = jax.make_jaxpr(function)(*xs).consts
    return any(isinstance(each, jax.core.Tracer) for each in constants)


def custom_vjp(
    primal: Callable[..., Arrays],
    forward: Callable[..., tuple[Arrays, Any]],
    backward: Callable[[Any, Arrays], Sequence[Array | None]],
    *,
    selective: bool = False,
) -> Callable[..., Arrays]:
    """Return a function with its own reverse rule."""
    call = jax.custom_vjp(lambda *xs: tuple(primal(*xs)))

    def rule_forward(*xs: Any) -> tuple[Arrays, Any]:
        values = tuple(x.value for x in xs)
        if selective:
            outs, residuals = forward(*values, wanted=tuple(bool(x.perturbed) for x in xs))
        else:
            outs, residuals = forward(*values)
        return tuple(outs), residuals

    def rule_backward(residuals: Any, cotangents: Arrays) -> Arrays:
        found = backward(residuals, tuple(_known(each) for each in cotangents))
        # A rule that holds loops can be differentiated forwards only.
        return tuple(_one_way(each, TWICE) if selective else each for each in found)

    call.defvjp(rule_forward, rule_backward, symbolic_zeros=True)
    return _refusing_what_it_captured(call)


def custom_jvp(
    primal: Callable[..., Arrays],
    rule: Callable[[Arrays, Sequence[Array | None]], tuple[Arrays, Sequence[Array | None]]],
    *,
    one_way: bool = False,
) -> Callable[..., Arrays]:
    """Return a function with its own forward rule."""
    call = jax.custom_jvp(lambda *xs: tuple(primal(*xs)))

    def rule_both(xs: Arrays, tangents: Arrays) -> tuple[Arrays, Arrays]:
        outs, moved = rule(xs, [_known(each) for each in tangents])
        return tuple(outs), tuple(
            _no_tangent(out) if each is None else _one_way(each, ONE_WAY) if one_way else each
            for out, each in zip(outs, moved, strict=True)
        )

    call.defjvp(rule_both, symbolic_zeros=True)
    return _refusing_what_it_captured(call)


def _refusing_what_it_captured(call: Callable[..., Arrays]) -> Callable[..., Arrays]:
    if not _CAPTURED:
        return call

    def checked(*xs: Array) -> Arrays:
        try:
            return call(*xs)
        except _CAPTURED as error:
            raise GradientError(CAPTURED) from error

    return checked


def _one_way(array: Array | None, reason: str) -> Array | None:
    """Return an array; to differentiate it in reverse raises, where anybody may."""
    return forwards_only(array, reason) if isinstance(array, jax.core.Tracer) else array


def _known(tangent: Any) -> Array | None:
    """Return a tangent or cotangent, `None` for one that is zero or of integers."""
    if isinstance(tangent, jax.custom_derivatives.SymbolicZero):
        return None
    return None if tangent.dtype == jax.dtypes.float0 else tangent


def _no_tangent(out: Array) -> Array:
    if _is_float(out):
        return jnp.zeros_like(out)
    return np.zeros(out.shape, dtype=jax.dtypes.float0)


def value_and_grad(
    function: Callable[..., tuple[Array, Arrays]], xs: Arrays
) -> tuple[Array, Arrays, Arrays]:
    """Differentiate `(value, extra) = function(*xs)` in reverse."""

    def checked(floats: Arrays) -> tuple[Array, Arrays]:
        new = iter(floats)
        value, extra = function(*(next(new) if _is_float(x) else x for x in xs))
        # A value that depends on an input is traced as the inputs are, also while a compiler traces
        # everything; anything else would get a silent zero.
        if not (floats and isinstance(value, type(floats[0]))):
            raise GradientError(
                "The loss depends on none of the parameters through a differentiable path: look for "
                "float(), stop_gradient or a step function in the loss."
            )
        return value, extra

    floats = tuple(x for x in xs if _is_float(x))
    (value, extra), found = jax.value_and_grad(checked, has_aux=True)(floats)
    slopes = iter(found)
    return value, tuple(next(slopes) if _is_float(x) else None for x in xs), extra

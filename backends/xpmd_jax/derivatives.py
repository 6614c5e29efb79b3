"""Derivatives by JAX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from xpmd.errors import GradientError

Array = Any
Arrays = tuple[Any, ...]


def stop_gradient(array: Array) -> Array:
    """Return the array as a constant."""
    return jax.lax.stop_gradient(array)


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
            jnp.zeros_like(out) if cotangent is None else cotangent
            for out, cotangent in zip(outs, cotangents, strict=True)
        )
        slopes = iter(pull(full))
        return tuple(next(slopes) if _is_float(x) else None for x in xs)

    return outs, pulled


def jvp(function: Callable[..., Arrays], xs: Arrays, tangents: Arrays) -> tuple[Arrays, Arrays]:
    """Return outputs and tangents."""
    return jax.jvp(lambda *values: tuple(function(*values)), tuple(xs), tuple(tangents))


def custom_vjp(
    primal: Callable[..., Arrays],
    forward: Callable[..., tuple[Arrays, Any]],
    backward: Callable[[Any, Arrays], Sequence[Array | None]],
) -> Callable[..., Arrays]:
    """Return a function with its own reverse rule."""
    call = jax.custom_vjp(lambda *xs: tuple(primal(*xs)))

    def rule_forward(*xs: Array) -> tuple[Arrays, Any]:
        outs, residuals = forward(*xs)
        return tuple(outs), residuals

    def rule_backward(residuals: Any, cotangents: Arrays) -> Arrays:
        return tuple(backward(residuals, cotangents))

    call.defvjp(rule_forward, rule_backward)
    return call


def value_and_grad(
    function: Callable[..., tuple[Array, Arrays]], xs: Arrays
) -> tuple[Array, Arrays, Arrays]:
    """Differentiate `(value, extra) = function(*xs)` in reverse."""

    def checked(values: Arrays) -> tuple[Array, Arrays]:
        value, extra = function(*values)
        # A value that depends on an input is traced; anything else would get a silent zero.
        if not isinstance(value, jax.core.Tracer):
            raise GradientError("The loss depends on none of the parameters.")
        return value, extra

    (value, extra), slopes = jax.value_and_grad(checked, has_aux=True)(tuple(xs))
    return value, slopes, extra

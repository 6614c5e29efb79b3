"""Compilation and control flow on JAX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Array = Any
Arrays = tuple[Any, ...]


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function compiled for each set of shapes."""
    compiled: Callable[..., Any] = jax.jit(function)
    return compiled


def repeat(
    body: Callable[[Array, Arrays], Arrays], carry: Arrays, times: Any, at_most: int
) -> Arrays:
    """Apply `body` `times` times; steps beyond are skipped, not computed and thrown away."""

    def step(held: Arrays, k: Array) -> tuple[Arrays, None]:
        return jax.lax.cond(k < times, lambda c: tuple(body(k, c)), lambda c: c, held), None

    carry, _ = jax.lax.scan(step, tuple(carry), jnp.arange(at_most, dtype=jnp.int32))
    return carry


def scan(
    body: Callable[[Arrays, Any], tuple[Arrays, Arrays]], carry: Arrays, xs: Sequence[Any]
) -> tuple[Arrays, Arrays]:
    """Thread a carry through the body and stack what it returns."""
    end, rows = jax.lax.scan(body, tuple(carry), jnp.asarray(np.asarray(xs, dtype=np.int32)))
    return end, rows


def while_loop(
    condition: Callable[[Arrays], Any], body: Callable[[Arrays], Arrays], carry: Arrays
) -> Arrays:
    """Apply the body while the condition holds."""
    return jax.lax.while_loop(condition, body, tuple(carry))


def cond(
    predicate: Any, yes: Callable[..., Arrays], no: Callable[..., Arrays], *operands: Array
) -> Arrays:
    """Return what one of two branches gives; only that one runs."""
    chosen: Arrays = jax.lax.cond(predicate, yes, no, *operands)
    return chosen


def map_leading(function: Callable[..., Arrays], *stacked: Array) -> Arrays:
    """Apply a function to each slice along the first axis, all at once."""
    return jax.vmap(function)(*stacked)


def host_call(
    function: Callable[..., Sequence[Any]], like: Sequence[tuple[Any, str]], *arrays: Array
) -> Arrays:
    """Call a host function from compiled code; shapes must be given."""
    struct: Any = jax.ShapeDtypeStruct
    shapes = tuple(struct(shape, getattr(jnp, dtype)) for shape, dtype in like)

    def on_host(*values: Any) -> tuple[Any, ...]:
        found = function(*(np.asarray(value) for value in values))
        return tuple(
            np.asarray(part, dtype=shape.dtype) for part, shape in zip(found, shapes, strict=True)
        )

    return tuple(jax.pure_callback(on_host, shapes, *arrays, vmap_method="sequential"))

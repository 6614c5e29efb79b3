"""Scatter and special functions on JAX."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

Array = Any


def index_add(n_rows: int, rows: Array, values: Array) -> Array:
    """Return sums of values by row."""
    return jnp.zeros((n_rows, *values.shape[1:]), dtype=values.dtype).at[rows].add(values)


def nonzero_padded(mask: Array, size: int) -> tuple[Array, Array]:
    """Return the places where a flat mask holds, padded with 0 to `size`, and their number."""
    (places,) = jnp.nonzero(mask, size=size, fill_value=0)
    return places.astype(jnp.int32), jnp.sum(mask, dtype=jnp.int32)


def erf(array: Array) -> Array:
    """Return the error function."""
    return jax.scipy.special.erf(array)

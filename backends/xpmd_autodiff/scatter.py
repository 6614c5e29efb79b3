"""What the standard lacks, for plain arrays of any library: adding at indices, and erf."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import array_api_compat

Array = Any


def add_at_rows(xp: Any, count: int, index: Array, values: Array) -> Array:
    """Return zeros with rows of values added at an index that may repeat.

    A backend that knows a faster way passes its own.

    Args:
        xp: plain namespace.
        count: number of rows of the result.
        index: integers, (m,).
        values: (m, ...).
    """
    if array_api_compat.is_numpy_namespace(xp):
        out = xp.zeros((count, *values.shape[1:]), dtype=values.dtype)
        xp.add.at(out, index, values)
        return out
    device = array_api_compat.device(values)
    out = xp.zeros((count, *values.shape[1:]), dtype=values.dtype, device=device)
    if array_api_compat.is_torch_namespace(xp):
        return out.index_add(0, index, values)
    if array_api_compat.is_jax_namespace(xp):
        return out.at[index].add(values)
    if array_api_compat.is_cupy_namespace(xp):
        xp.add.at(out, index, values)
        return out
    for place in range(index.shape[0]):
        row = int(index[place])
        out[row, ...] = out[row, ...] + values[place, ...]
    return out


def adding_complex(
    xp: Any, index_add: Callable[[int, Array, Array], Array]
) -> Callable[[int, Array, Array], Array]:
    """Return an `index_add` for complex values too, from one that may know real values only."""

    def add(count: int, index: Array, values: Array) -> Array:
        if not xp.isdtype(values.dtype, "complex floating"):
            return index_add(count, index, values)
        parts = [index_add(count, index, part) for part in (xp.real(values), xp.imag(values))]
        real, imaginary = (xp.astype(part, values.dtype) for part in parts)
        return real + 1j * imaginary

    return add


def put(xp: Any, values: Array, key: Any, shape: tuple[int, ...]) -> Array:
    """Return zeros with values written at an index of integers and slices.

    Args:
        xp: plain namespace.
        values: array of the shape that the index picks.
        key: index.
        shape: shape of the result.
    """
    out = xp.zeros(shape, dtype=values.dtype, device=array_api_compat.device(values))
    parts = key if isinstance(key, tuple) else (key,)
    if any(part is None for part in parts):
        # New axes hold no elements, and not every library takes them on the left.
        key = tuple(part for part in parts if part is not None)
        values = xp.reshape(values, out[key].shape)
    if array_api_compat.is_jax_namespace(xp):
        return out.at[key].set(values)
    out[key] = values
    return out


def error_function(xp: Any, x: Array) -> Array:
    """Return erf(x), one element at a time: correct everywhere and slow.

    Args:
        xp: plain namespace.
        x: array of any shape.
    """
    flat = xp.reshape(x, (-1,))
    values = [math.erf(float(flat[place])) for place in range(flat.shape[0])]
    device = array_api_compat.device(x)
    return xp.reshape(xp.asarray(values, dtype=x.dtype, device=device), x.shape)

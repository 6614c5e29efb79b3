"""Scatter and special functions on CuPy."""

from __future__ import annotations

import importlib
from typing import Any

import cupy

Array = Any

_special = importlib.import_module("cupyx.scipy.special")


def index_add(n_rows: int, rows: Array, values: Array) -> Array:
    """Return sums of values by row, by atomic additions.

    `bincount` would sum float32 in float64 and wait for the device twice to look at the rows, and
    `cupyx.scatter_add` is deprecated in favor of `add.at`.
    """
    total = cupy.zeros((n_rows, *values.shape[1:]), dtype=values.dtype)
    if values.dtype == cupy.int64:
        # CUDA adds 64 bits without sign only, which are the same bits.
        cupy.add.at(total.view(cupy.uint64), rows, values.view(cupy.uint64))
    else:
        cupy.add.at(total, rows, values)
    return total


def nonzero_padded(mask: Array, size: int) -> tuple[Array, Array]:
    """Return the places where a flat mask holds, padded with 0 to `size`, and their number.

    Each place computes where it goes, since `nonzero` makes the host wait for the number of them.
    """
    padded = cupy.zeros(size + 1, dtype=cupy.int64)
    if mask.size == 0:
        return padded[:size], cupy.zeros((), dtype=cupy.int32)
    so_far = cupy.cumsum(mask, dtype=cupy.int64)
    # One element more than is returned takes everything that does not hold or does not fit.
    target = cupy.where(mask & (so_far <= size), so_far - 1, size)
    padded[target] = cupy.arange(mask.size, dtype=cupy.int64)
    return padded[:size], so_far[-1].astype(cupy.int32)


def erf(array: Array) -> Array:
    """Return the error function."""
    return _special.erf(array)

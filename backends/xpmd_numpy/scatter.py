"""Scatter and special functions on NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = Any

_erf = np.vectorize(math.erf, otypes=[np.float64])


def index_add(n_rows: int, rows: Array, values: Array) -> Array:
    """Return sums of values by row; `bincount` gives the digits of `add.at`, several times faster."""
    if values.dtype.kind != "f":
        total = np.zeros((n_rows, *values.shape[1:]), dtype=values.dtype)
        np.add.at(total, rows, values)
        return total
    if values.ndim == 1:
        return _sums(n_rows, rows, values)
    flat = values.reshape(values.shape[0], math.prod(values.shape[1:]))
    total = np.empty((n_rows, flat.shape[1]), dtype=values.dtype)
    for k in range(flat.shape[1]):
        total[:, k] = _sums(n_rows, rows, flat[:, k])
    return total.reshape((n_rows, *values.shape[1:]))


def _sums(n_rows: int, rows: Array, values: Array) -> Array:
    total = np.bincount(rows, weights=values, minlength=n_rows)
    if len(total) > n_rows:
        raise IndexError(f"Row {len(total) - 1} was added to, and there are {n_rows} rows.")
    return total.astype(values.dtype, copy=False)


def nonzero_padded(mask: Array, size: int) -> tuple[Array, Array]:
    """Return the places where a flat mask holds, padded with 0 to `size`, and their number."""
    found = np.flatnonzero(mask)
    padded = np.zeros(size, dtype=np.int64)
    kept = min(size, found.shape[0])
    padded[:kept] = found[:kept]
    return padded, np.asarray(found.shape[0], dtype=np.int32)


def erf(array: Array) -> Array:
    """Return the error function; SciPy's where it is installed."""
    try:
        from scipy.special import erf as fast
    except ImportError:
        return _erf(array).astype(array.dtype)
    return fast(array)

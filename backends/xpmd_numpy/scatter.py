"""Scatter and special functions on NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = Any

_erf = np.vectorize(math.erf, otypes=[np.float64])


def index_add(n_rows: int, rows: Array, values: Array) -> Array:
    """Return sums of values by row; `bincount` gives the digits of `add.at`, several times faster."""
    if values.ndim == 1:
        return np.bincount(rows, weights=values, minlength=n_rows).astype(values.dtype, copy=False)
    flat = values.reshape(values.shape[0], -1)
    columns = [np.bincount(rows, weights=column, minlength=n_rows) for column in flat.T]
    summed = np.stack(columns, axis=1).astype(values.dtype, copy=False)
    return summed.reshape((n_rows, *values.shape[1:]))


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

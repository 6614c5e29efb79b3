"""Making NumPy arrays and looking at them."""

from __future__ import annotations

from typing import Any

import array_api_compat.numpy as namespace
import numpy as np

Array = Any


def availability() -> str | None:
    """Return `None`: NumPy is always there."""
    return None


def is_array(value: Any) -> bool:
    """Return whether a value is a NumPy array, or the scalar that NumPy reduces one to."""
    return isinstance(value, (np.ndarray, np.generic))


def asarray(value: Any, *, dtype: str | None = None, device: Any = None) -> Array:
    """Return an array of the plain class, in the byte order of this machine.

    Read-only memory is fine, since nothing is written in place.
    """
    kind = None if dtype is None else np.dtype(dtype)
    if isinstance(value, range):
        return np.arange(value.start, value.stop, value.step, dtype=kind)
    array = np.asarray(value, dtype=kind)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def to_numpy(array: Array) -> Any:
    """Return the array itself."""
    return np.asarray(array)


__all__ = ["asarray", "availability", "is_array", "namespace", "to_numpy"]

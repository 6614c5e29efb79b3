"""Making NumPy arrays and looking at them."""

from __future__ import annotations

from typing import Any

import array_api_compat.numpy as namespace
import numpy as np

from xpmd.errors import BackendError

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


def check_dtype(dtype: str) -> None:
    """Raise `BackendError` if results of this type would turn into another one.

    NumPy before 2 makes float64 of a float32 without dimensions and a Python number, unless told not to.
    """
    if dtype == "float32" and not keeps_float32():
        raise BackendError(
            f"NumPy {np.__version__} turns sums of float32 arrays into float64 as soon as a plain number "
            "meets them, and float32 was asked for. Use NumPy 2, or set NPY_PROMOTION_STATE=weak in the "
            "environment, or give float64 arrays or System(..., dtype='float64')."
        )


def keeps_float32() -> bool:
    """Return whether a float32 without dimensions stays one when it meets a Python number."""
    return bool((np.float32(1.0) * 1.0).dtype == np.float32)


def to_numpy(array: Array) -> Any:
    """Return the array itself."""
    return np.asarray(array)


__all__ = [
    "asarray",
    "availability",
    "check_dtype",
    "is_array",
    "keeps_float32",
    "namespace",
    "to_numpy",
]

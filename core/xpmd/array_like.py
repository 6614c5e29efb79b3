"""Arrays made to go with another: of its library, its float type and its device."""

from __future__ import annotations

from typing import Any

from xpmd.backend import backend, backend_of


def float_array_like(value: Any, like: Any = None) -> Any:
    """Turn numbers into an array of the library, float type and device of another.

    Args:
        value: numbers, nested lists of them, a host array, or an array of the library of `like`,
            which keeps its gradient.
        like: an array; float64 if it is not of a float type. `None` is a NumPy array of float64.
    """
    if like is None:
        return backend("numpy").asarray(value, dtype="float64")
    library = backend_of(like)
    dtype = library.dtype_name(like)
    if not dtype.startswith("float"):
        dtype = "float64"
    library.check_dtype(dtype)
    return library.asarray(value, dtype=dtype, device=library.device_of(like))

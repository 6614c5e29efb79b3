"""Making arrays from differentiated ones, and changing their type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xpmd.errors import GradientError
from xpmd_autodiff.rules.rule import Array, is_complex


def astype(xp: Any, x: Array, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Array:
    """Change the data type; one that is no floating type ends the differentiation."""
    if dtype is float:
        dtype = xp.float64
    if dtype in (int, bool):
        return xp.astype(xp.primal(x), xp.int64 if dtype is int else xp.bool)
    if not xp.isdtype(dtype, ("real floating", "complex floating")):
        return xp.astype(xp.primal(x), dtype)
    if is_complex(xp, x) and xp.isdtype(dtype, "real floating"):
        raise GradientError(f"astype of complex numbers to {dtype}: take real(x) or imag(x).")
    return x if x.dtype == dtype else xp.cast(x, dtype)


def asarray(
    xp: Any, x: Array, /, *, dtype: Any = None, device: Any = None, copy: Any = None
) -> Array:
    """Return a differentiated array as it is, in another data type if one is named."""
    return x if dtype is None else astype(xp, x, dtype)


def full(
    xp: Any, shape: int | tuple[int, ...], value: Array, /, *, dtype: Any = None, device: Any = None
) -> Array:
    """Return an array that repeats a differentiated number."""
    wide = xp.broadcast_to(value, (shape,) if isinstance(shape, int) else tuple(shape))
    return wide if dtype is None else astype(xp, wide, dtype)


def full_like(xp: Any, x: Array, value: Any, /, *, dtype: Any = None, device: Any = None) -> Array:
    """Return an array of the shape and type of another that repeats a number."""
    kind = x.dtype if dtype is None else dtype
    if not xp.is_wrapped(value):
        return xp.full_like(xp.primal(x), value, dtype=kind)
    return full(xp, x.shape, value, dtype=kind)


COMPOSITES: dict[str, Callable[..., Any]] = {
    "astype": astype,
    "asarray": asarray,
    "full": full,
    "full_like": full_like,
}

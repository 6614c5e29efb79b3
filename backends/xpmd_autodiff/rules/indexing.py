"""Derivatives of picking elements by index and of adding them back."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from xpmd_autodiff.rules.rule import Array, Pull, Rule, linear


def _from_front(xp: Any, index: Array, size: int) -> Array:
    """Return indices counted from the front, which is all that `index_add` promises to take."""
    return xp.where(index < 0, index + size, index)


def _places(xp: Any, like: Array, shape: tuple[int, ...]) -> Array:
    """Return an array that holds the flat index of each of its own elements."""
    return xp.reshape(xp.arange(math.prod(shape), device=xp.device_of(like)), shape)


def _add_at(xp: Any, cotangent: Array, shape: tuple[int, ...], places: Array) -> Array:
    """Add cotangents up at flat indices of an array of zeros."""
    flat = xp.index_add(math.prod(shape), xp.reshape(places, (-1,)), xp.reshape(cotangent, (-1,)))
    return xp.reshape(flat, shape)


def is_basic(key: Any) -> bool:
    """Return whether an index names each element at most once: no index arrays."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(
        part is None or part is Ellipsis or isinstance(part, (int, slice)) for part in parts
    ) and not any(isinstance(part, bool) for part in parts)


def _getitem_transpose(xp: Any, cotangent: Array, shape: tuple[int, ...], key: Any) -> Array:
    if isinstance(key, tuple) and len(key) == 1:
        key = key[0]
    if is_basic(key):
        return xp.getitem_transpose(cotangent, key, shape)
    if not isinstance(key, tuple) and hasattr(key, "dtype") and xp.isdtype(key.dtype, "integral"):
        # Rows by an index array: the gather of neighbor pairs, the case that must be fast.
        size, rows = shape[0], math.prod(key.shape)
        index = xp.reshape(_from_front(xp, key, size), (rows,))
        return xp.index_add(size, index, xp.reshape(cotangent, (rows, *shape[1:])))
    return _add_at(xp, cotangent, shape, _places(xp, cotangent, shape)[key])


def _take_transpose(
    xp: Any, cotangent: Array, shape: tuple[int, ...], index: Array, axis: int | None = None
) -> Array:
    at = 0 if axis is None else axis % len(shape)
    spread = tuple(range(at, at + index.ndim))
    others = tuple(one for one in range(cotangent.ndim) if one not in spread)
    rows = xp.permute_dims(cotangent, spread + others)
    rest = shape[:at] + shape[at + 1 :]
    count = math.prod(index.shape)
    flat_index = xp.reshape(_from_front(xp, index, shape[at]), (count,))
    added = xp.index_add(shape[at], flat_index, xp.reshape(rows, (count, *rest)))
    return xp.moveaxis(added, 0, at)


def _take_along_axis_transpose(
    xp: Any, cotangent: Array, shape: tuple[int, ...], index: Array, axis: int = -1
) -> Array:
    places = xp.take_along_axis(_places(xp, cotangent, shape), index, axis=axis)
    return _add_at(xp, cotangent, shape, places)


def _index_add_jvp(
    xp: Any, out: Any, args: Sequence[Any], tangents: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    return xp.index_add(args[0], args[1], tangents[2])


def _index_add_vjp(
    xp: Any, out: Any, args: Sequence[Any], wanted: Sequence[bool], kwargs: dict[str, Any]
) -> Pull:
    index = args[1]
    return lambda cotangent: [None, None, xp.take(cotangent, index, axis=0)]


def sort(
    xp: Any, x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True
) -> Array:
    """Return the values in order along an axis."""
    order = xp.argsort(x, axis=axis, descending=descending, stable=stable)
    return xp.take_along_axis(x, order, axis=axis)


def diff(
    xp: Any,
    x: Array,
    /,
    *,
    axis: int = -1,
    n: int = 1,
    prepend: Array | None = None,
    append: Array | None = None,
) -> Array:
    """Return the difference of neighbors along an axis, n times."""
    parts = [part for part in (prepend, x, append) if part is not None]
    if len(parts) > 1:
        x = xp.concat(parts, axis=axis)
    front = (slice(None),) * (axis % x.ndim)
    for _ in range(n):
        x = x[(*front, slice(1, None), ...)] - x[(*front, slice(None, -1), ...)]
    return x


RULES: dict[str, Rule] = {
    "getitem": linear("getitem", _getitem_transpose),
    "getitem_transpose": linear(
        "getitem_transpose", lambda xp, ct, shape, key, full: xp.getitem(ct, key)
    ),
    "take": linear("take", _take_transpose),
    "take_along_axis": linear("take_along_axis", _take_along_axis_transpose),
    "index_add": Rule(_index_add_jvp, _index_add_vjp),
}
COMPOSITES: dict[str, Callable[..., Any]] = {"sort": sort, "diff": diff}

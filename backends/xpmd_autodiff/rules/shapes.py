"""Derivatives of functions that move elements and keep their values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from xpmd_autodiff.rules.rule import Array, Pull, Rule, linear, unbroadcast


def _roll_transpose(
    xp: Any, cotangent: Array, shape: tuple[int, ...], shift: Any, axis: Any = None
) -> Array:
    back = tuple(-one for one in shift) if isinstance(shift, tuple) else -shift
    return xp.roll(cotangent, back, axis=axis)


def _permute_transpose(
    xp: Any, cotangent: Array, shape: tuple[int, ...], axes: Sequence[int]
) -> Array:
    axes = [axis % len(shape) for axis in axes]
    return xp.permute_dims(cotangent, tuple(axes.index(at) for at in range(len(shape))))


def _concat_jvp(
    xp: Any, out: Any, args: Sequence[Any], tangents: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    return xp.concat(_filled(xp, args, tangents), **kwargs)


def _stack_jvp(
    xp: Any, out: Any, args: Sequence[Any], tangents: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    return xp.stack(_filled(xp, args, tangents), **kwargs)


def _filled(xp: Any, args: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
    return [
        xp.zeros_like(arg) if tangent is None else tangent
        for arg, tangent in zip(args, tangents, strict=True)
    ]


def _concat_vjp(
    xp: Any, out: Any, args: Sequence[Any], wanted: Sequence[bool], kwargs: dict[str, Any]
) -> Pull:
    axis = kwargs.get("axis", 0)
    kinds = [(arg.shape, arg.dtype) for arg in args]
    flat = axis is None
    at = 0 if flat else axis % out.ndim
    sizes = [math.prod(arg.shape) if flat else arg.shape[at] for arg in args]

    def pull(cotangent: Any) -> Sequence[Any]:
        parts: list[Any] = []
        start = 0
        for size, want, (shape, dtype) in zip(sizes, wanted, kinds, strict=True):
            part = None
            if want:
                part = cotangent[(slice(None),) * at + (slice(start, start + size), ...)]
                part = unbroadcast(xp, xp.reshape(part, shape) if flat else part, shape, dtype)
            parts.append(part)
            start += size
        return parts

    return pull


def _stack_vjp(
    xp: Any, out: Any, args: Sequence[Any], wanted: Sequence[bool], kwargs: dict[str, Any]
) -> Pull:
    at = kwargs.get("axis", 0) % out.ndim
    kinds = [(arg.shape, arg.dtype) for arg in args]

    def pull(cotangent: Any) -> Sequence[Any]:
        return [
            unbroadcast(xp, cotangent[(slice(None),) * at + (place, ...)], shape, dtype)
            if want
            else None
            for place, (want, (shape, dtype)) in enumerate(zip(wanted, kinds, strict=True))
        ]

    return pull


def _reshaped(xp: Any, cotangent: Array, shape: tuple[int, ...], *args: Any, **kw: Any) -> Array:
    return xp.reshape(cotangent, shape)


RULES: dict[str, Rule] = {
    "reshape": linear("reshape", _reshaped),
    "expand_dims": linear("expand_dims", _reshaped),
    "squeeze": linear("squeeze", _reshaped),
    "permute_dims": linear("permute_dims", _permute_transpose),
    "matrix_transpose": linear("matrix_transpose", lambda xp, ct, shape: xp.matrix_transpose(ct)),
    "moveaxis": linear(
        "moveaxis",
        lambda xp, ct, shape, source, destination: xp.moveaxis(ct, destination, source),
    ),
    "broadcast_to": linear("broadcast_to", lambda xp, ct, shape, to: unbroadcast(xp, ct, shape)),
    "flip": linear("flip", lambda xp, ct, shape, axis=None: xp.flip(ct, axis=axis)),
    "roll": linear("roll", _roll_transpose),
    # The type only changes among floating types, and `linear` restores it.
    "cast": linear("cast", lambda xp, ct, shape, dtype: ct),
    "concat": Rule(_concat_jvp, _concat_vjp),
    "stack": Rule(_stack_jvp, _stack_vjp),
}


def unstack(xp: Any, x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    """Return the slices along an axis."""
    at = axis % x.ndim
    return tuple(x[(slice(None),) * at + (place, ...)] for place in range(x.shape[at]))


def broadcast_arrays(xp: Any, *arrays: Array) -> list[Array]:
    """Return the arrays repeated to one common shape."""
    shape = common_shape(*(array.shape for array in arrays))
    return [xp.broadcast_to(array, shape) for array in arrays]


def common_shape(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that shapes broadcast to; sizes are checked when an array is broadcast."""
    length = max(len(shape) for shape in shapes)
    padded = [(1,) * (length - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(
        next((size for size in sizes if size != 1), 1) for sizes in zip(*padded, strict=True)
    )


def tile(xp: Any, x: Array, repetitions: tuple[int, ...], /) -> Array:
    """Repeat a whole array along its axes."""
    counts = (1,) * (x.ndim - len(repetitions)) + tuple(repetitions)
    sizes = (1,) * (len(counts) - x.ndim) + tuple(x.shape)
    apart = xp.reshape(x, tuple(n for size in sizes for n in (1, size)))
    wide = tuple(n for pair in zip(counts, sizes, strict=True) for n in pair)
    return xp.reshape(
        xp.broadcast_to(apart, wide),
        tuple(count * size for count, size in zip(counts, sizes, strict=True)),
    )


def repeat(xp: Any, x: Array, repeats: Any, /, *, axis: int | None = None) -> Array:
    """Repeat each element, or each slice along an axis."""
    if axis is None:
        x, axis = xp.reshape(x, (-1,)), 0
    places = xp.arange(x.shape[axis], device=xp.device_of(x))
    return xp.take(x, xp.repeat(places, repeats), axis=axis)


def meshgrid(xp: Any, *arrays: Array, indexing: str = "xy") -> list[Array]:
    """Return coordinate grids of one-dimensional arrays."""
    order = list(range(len(arrays)))
    if indexing == "xy" and len(arrays) > 1:
        order[0], order[1] = 1, 0
    columns = [
        xp.reshape(array, tuple(-1 if at == place else 1 for at in range(len(arrays))))
        for array, place in zip(arrays, order, strict=True)
    ]
    return broadcast_arrays(xp, *columns)


COMPOSITES: dict[str, Callable[..., Any]] = {
    "unstack": unstack,
    "broadcast_arrays": broadcast_arrays,
    "tile": tile,
    "repeat": repeat,
    "meshgrid": meshgrid,
}

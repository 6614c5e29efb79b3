"""Derivatives of sums, means, extrema and products along axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from xpmd.errors import GradientError
from xpmd_autodiff.rules.rule import Array, Pull, Rule, is_complex, linear

Axis = int | tuple[int, ...] | None


def axes_of(axis: Axis, dimensions: int) -> tuple[int, ...]:
    """Return an axis argument as a tuple of axes counted from the front."""
    if axis is None:
        return tuple(range(dimensions))
    axes = axis if isinstance(axis, tuple) else (axis,)
    return tuple(one % dimensions for one in axes)


def _kept(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    axes = axes_of(axis, len(shape))
    return tuple(1 if at in axes else size for at, size in enumerate(shape))


def _spread(xp: Any, cotangent: Array, shape: tuple[int, ...], axis: Axis) -> Array:
    return xp.broadcast_to(xp.reshape(cotangent, _kept(shape, axis)), shape)


def _sum_transpose(
    xp: Any,
    cotangent: Array,
    shape: tuple[int, ...],
    axis: Axis = None,
    dtype: Any = None,
    keepdims: bool = False,
) -> Array:
    return _spread(xp, cotangent, shape, axis)


def _mean_transpose(
    xp: Any, cotangent: Array, shape: tuple[int, ...], axis: Axis = None, keepdims: bool = False
) -> Array:
    count = math.prod(shape[at] for at in axes_of(axis, len(shape)))
    return _spread(xp, cotangent / count, shape, axis)


def _cumulative_sum_transpose(
    xp: Any,
    cotangent: Array,
    shape: tuple[int, ...],
    axis: int | None = None,
    dtype: Any = None,
    include_initial: bool = False,
) -> Array:
    axis = 0 if axis is None else axis % len(shape)
    if include_initial:
        later = (slice(None),) * axis + (slice(1, None), ...)
        cotangent = cotangent[later]
    return xp.flip(xp.cumulative_sum(xp.flip(cotangent, axis=axis), axis=axis), axis=axis)


def _axis_given(args: Sequence[Any], kwargs: dict[str, Any]) -> Axis:
    axis: Axis = args[1] if len(args) > 1 else kwargs.get("axis")
    return axis


def _extremum() -> Rule:
    """Return the rule of `max` or `min`; equal winners share the derivative evenly."""

    def shares(xp: Any, out: Array, x: Array, axis: Axis) -> Array:
        wins = xp.cast(x == xp.reshape(out, _kept(x.shape, axis)), x.dtype)
        return wins / xp.sum(wins, axis=axis, keepdims=True)

    def jvp(
        xp: Any, out: Any, args: Sequence[Any], tangents: Sequence[Any], kwargs: dict[str, Any]
    ) -> Any:
        share = shares(xp, out, args[0], _axis_given(args, kwargs))
        return xp.sum(tangents[0] * share, *args[1:], **kwargs)

    def vjp(
        xp: Any, out: Any, args: Sequence[Any], wanted: Sequence[bool], kwargs: dict[str, Any]
    ) -> Pull:
        axis = _axis_given(args, kwargs)
        shape = args[0].shape
        share = shares(xp, out, args[0], axis)
        return lambda cotangent: [_spread(xp, cotangent, shape, axis) * share]

    return Rule(jvp, vjp)


def prod(
    xp: Any, x: Array, /, *, axis: Axis = None, dtype: Any = None, keepdims: bool = False
) -> Array:
    """Multiply along axes by halves, so that the derivative holds at zeros too."""
    if dtype is not None:
        x = xp.astype(x, dtype)
    shape = x.shape
    axes = axes_of(axis, len(shape))
    others = tuple(at for at in range(len(shape)) if at not in axes)
    result = xp.permute_dims(x, axes + others)
    result = xp.reshape(
        result, (math.prod(shape[at] for at in axes), *(shape[at] for at in others))
    )
    if result.shape[0] == 0:
        return xp.prod(xp.primal(x), axis=axis, keepdims=keepdims)
    while (count := result.shape[0]) > 1:
        half = count // 2
        rest = result[2 * half :, ...]
        result = result[:half, ...] * result[half : 2 * half, ...]
        if count % 2:
            result = xp.concat([result, rest], axis=0)
    kept = _kept(shape, axis)
    return xp.reshape(result, kept if keepdims else tuple(shape[at] for at in others))


def var(
    xp: Any, x: Array, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Array:
    """Return the mean squared distance from the mean."""
    if is_complex(xp, x):
        raise GradientError(
            "`var` and `std` of complex numbers have no rule; use mean(abs(z) ** 2)."
        )
    count = math.prod(x.shape[at] for at in axes_of(axis, x.ndim))
    away = x - xp.mean(x, axis=axis, keepdims=True)
    return xp.sum(away * away, axis=axis, keepdims=keepdims) / (count - correction)


def std(
    xp: Any, x: Array, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Array:
    """Return the root of `var`; its derivative does not exist where all values are equal."""
    return xp.sqrt(var(xp, x, axis=axis, correction=correction, keepdims=keepdims))


RULES: dict[str, Rule] = {
    "sum": linear("sum", _sum_transpose),
    "mean": linear("mean", _mean_transpose),
    "cumulative_sum": linear("cumulative_sum", _cumulative_sum_transpose),
    "max": _extremum(),
    "min": _extremum(),
}
COMPOSITES: dict[str, Callable[..., Any]] = {"prod": prod, "var": var, "std": std}

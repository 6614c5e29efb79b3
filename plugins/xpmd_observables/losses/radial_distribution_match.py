"""Deviation of a radial distribution function from a target one."""

from __future__ import annotations

from typing import Any

from xpmd.array_like import float_array_like
from xpmd.backend import backend_of

Array = Any


def radial_distribution_match(
    r: Array, g: Array, target_r: Any, target_g: Any, *, error: Any = None
) -> Array:
    """Return the mean over r of ((g - g*)/error)^2, a scalar.

    The target is interpolated linearly at the distances of g; where it is not given, nothing counts.

    Args:
        r: distances `(n,)`, nm, as `radial_distribution` returns them.
        g: `(n,)`, or `(n_records, n)`, which is averaged along the run first.
        target_r: distances of the target `(m,)`, nm, increasing.
        target_g: `(m,)`.
        error: of the target, `(m,)` or a number; 1 if left out.

    Raises:
        ValueError: the target is not as long as its distances.
    """
    backend = backend_of(g)
    distances, values = float_array_like(target_r, g), float_array_like(target_g, g)
    xp = backend.xp(r, g, values)
    if tuple(distances.shape) != tuple(values.shape) or distances.ndim != 1:
        raise ValueError(
            f"`target_r` has shape {tuple(distances.shape)} and `target_g` {tuple(values.shape)}; "
            "they must be rows of the same length."
        )
    mean = xp.mean(g, axis=0) if g.ndim == 2 else g
    at = backend.stop_gradient(r)
    inside = (at >= distances[0]) & (at <= distances[-1])
    upper = xp.clip(xp.searchsorted(distances, at), 1, int(distances.shape[0]) - 1)

    def interpolated(numbers: Array) -> Array:
        low, high = (xp.take(numbers, place, axis=0) for place in (upper - 1, upper))
        start, end = (xp.take(distances, place, axis=0) for place in (upper - 1, upper))
        return low + (high - low) * ((at - start) / (end - start))

    away = mean - interpolated(values)
    if error is not None:
        errors = float_array_like(error, g)
        away = away / (errors if errors.ndim == 0 else interpolated(errors))
    squares = xp.where(inside, away * away, xp.zeros_like(away))
    count = xp.sum(xp.where(inside, xp.ones_like(at), xp.zeros_like(at)))
    return xp.sum(squares) / xp.where(count > 0, count, xp.ones_like(count))

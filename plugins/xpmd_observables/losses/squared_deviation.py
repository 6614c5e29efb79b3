"""Squared deviation from a target."""

from __future__ import annotations

from typing import Any

from xpmd.array_like import float_array_like
from xpmd.backend import backend_of

Array = Any


def squared_deviation(
    value: Array, target: Any, *, scale: Any = 1.0, tolerance: Any = 0.0, weight: Any = None
) -> Array:
    """Return sum w (e/s)^2 / sum w, e the part of value - target beyond the tolerance; a scalar.

    Args:
        value: what was observed, of any shape; for an average along a run, the mean of the records.
        target: numbers that broadcast with it.
        scale: s, what counts as a deviation of 1, such as the error of the target.
        tolerance: deviations up to this size cost nothing.
        weight: w, numbers that broadcast with the value; equal ones if left out.
    """
    arrays = [float_array_like(each, value) for each in (target, scale)]
    target, scale = arrays
    xp = backend_of(value).xp(value, *arrays, tolerance, weight)
    away = value - target
    if not isinstance(tolerance, float) or tolerance:
        within = float_array_like(tolerance, value) + 0.0 * away
        away = away - xp.clip(away, -within, within)
    squares = (away / scale) ** 2
    if weight is None:
        return xp.mean(squares)
    weight = float_array_like(weight, value) + 0.0 * squares
    return xp.sum(weight * squares) / xp.sum(weight)

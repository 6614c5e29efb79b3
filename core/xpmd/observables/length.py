"""Lengths whose slope is zero, not infinite, where they vanish."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Array = Any


def root(squared: Array, *, xp: Any) -> Array:
    """Return the square root of numbers that are not negative, with slope 0 at 0."""
    positive = squared > 0
    # The argument is masked as well: a masked infinite slope is no number in reverse mode.
    safe = xp.sqrt(xp.where(positive, squared, xp.ones_like(squared)))
    return xp.where(positive, safe, xp.zeros_like(squared))


def inverse(value: Array, *, xp: Any) -> Array:
    """Return 1 / value, and 0 at 0."""
    nonzero = value != 0
    safe = 1.0 / xp.where(nonzero, value, xp.ones_like(value))
    return xp.where(nonzero, safe, xp.zeros_like(value))


def squared_length(parts: Sequence[Array]) -> Array:
    """Return the sum of the squares of components."""
    total = parts[0] * parts[0]
    for part in parts[1:]:
        total = total + part * part
    return total

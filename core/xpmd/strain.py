"""How a box is deformed from one time to another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xpmd.boundary import Boundary

Array = Any


def strained(position: Array, before: Boundary, after: Boundary, *, xp: Any) -> Array:
    """Return where positions `(n, d)` go if the box takes them along.

    x -> x A with A = H_before^-1 H_after and the cell vectors as rows of H: fractional coordinates stay
    what they are, and so does the position along an open direction.
    """
    columns = [position[:, k] for k in range(before.dimensions)]
    parts = before.fractional(columns, xp=xp)
    return xp.stack(_placed(parts, after, 0.0 * position[:, 0], xp), axis=-1)


def strain_size(before: Boundary, after: Boundary) -> Array:
    """Return the Frobenius norm |A - 1|: no length changes by a larger fraction."""
    axes = range(before.dimensions)
    total: Any = 0.0
    for a in axes:
        unit = [1.0 if a == b else 0.0 for b in axes]
        moved = _placed(before.fractional(unit, xp=None), after, 0.0, None)
        for b in axes:
            change = moved[b] - unit[b]
            total = total + change * change
    return total**0.5


def _placed(parts: Sequence[Any], boundary: Boundary, zero: Any, xp: Any) -> tuple[Any, ...]:
    """Return the position that fractional coordinates stand for."""
    start = [zero if r else x for x, r in zip(parts, boundary.periodic, strict=True)]
    images = [-x if r else None for x, r in zip(parts, boundary.periodic, strict=True)]
    return boundary.shift(start, images, xp=xp)

"""A smooth way from 1 to 0."""

from __future__ import annotations

from typing import Any

Array = Any


def smooth_step(r: Array, start: float, end: float, *, xp: Any) -> Array:
    """Return 1 below `start`, 0 above `end`, and 1 - 10 t^3 + 15 t^4 - 6 t^5 in between.

    t is the way from start to end; first and second derivatives are continuous.
    """
    t = xp.clip((r - start) / (end - start), 0.0, 1.0)
    return 1.0 - t * t * t * (10.0 - t * (15.0 - 6.0 * t))


def require_smooth_range(where: Any, cutoff: float, start: float | None) -> float:
    """Return where neighbors begin to count less, a tenth before the cutoff if left out.

    Raises:
        ValueError: the range is empty, or reaches beyond half the box.
    """
    begin = 0.9 * cutoff if start is None else start
    if not 0 <= begin < cutoff:
        raise ValueError(f"`start` = {begin} must be at least 0 and below `cutoff` = {cutoff}.")
    if where.boundary is not None:
        narrowest = min(where.boundary.widths())
        if cutoff > 0.5 * narrowest * (1 + 1e-12):
            raise ValueError(
                f"`cutoff` = {cutoff} nm is over half the smallest box width, {narrowest:g} nm: an atom "
                "would see one image of a neighbor and miss another. Use a larger box."
            )
    return begin

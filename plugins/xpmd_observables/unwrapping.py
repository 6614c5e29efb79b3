"""Positions along a run with the jumps across the boundary taken out."""

from __future__ import annotations

from typing import Any

from xpmd.boundary import Boundary
from xpmd.module import flatten, unflatten
from xpmd.observables.positions import Positions, positions

Array = Any


def unwrapped(trajectory: Array, boundary: Boundary | None, *, boxes: Any = None) -> Array:
    """Return u(0) = x(0), u(t) = u(t-1) + nearest image of x(t) - x(t-1), `(n_records, n, d)`, nm.

    Right as long as no atom moves half the box between records. Where the box changes, each step is
    taken in the box at its end, which keeps the diffusion of a run at constant pressure right.

    Args:
        trajectory: positions along the run, `(n_records, n, d)`, nm.
        boundary: the box; `None` returns the positions as they are.
        boxes: its parameters along the run, `(n_records, n_parameters)`, nm, as `box_parameters`
            records them; left out where the box stays.

    Reference: von Bulow, Bullerjahn and Hummer, J. Chem. Phys. 153, 021101 (2020).
    """
    require_records(trajectory)
    place = positions(trajectory, boundary, boxes)
    if boundary is None:
        return trajectory
    xp = place.xp
    steps = [part[1:, ...] - part[:-1, ...] for part in place.components()]
    steps = list(_boxed(place, boxes, int(trajectory.shape[0])).nearest(steps, xp=xp))
    first = [part[:1, ...] for part in place.components()]
    parts = [
        xp.cumulative_sum(xp.concat([start, step], axis=0), axis=0)
        for start, step in zip(first, steps, strict=True)
    ]
    return xp.stack(parts, axis=-1)


def _boxed(place: Positions, boxes: Any, n_records: int) -> Any:
    """Return the boundary at the end of each step, its parameters `(n_records - 1, 1)`."""
    if boxes is None:
        return place.boundary
    leaves, structure = flatten(place.boundary)
    boxes = place.floats(boxes)
    if tuple(boxes.shape) != (n_records, len(leaves)):
        raise ValueError(
            f"`boxes` has shape {tuple(boxes.shape)}; {n_records} records of a "
            f"{type(place.boundary).__name__} have ({n_records}, {len(leaves)})."
        )
    ends = [place.xp.expand_dims(boxes[1:, k], axis=-1) for k in range(len(leaves))]
    return unflatten(structure, ends)


def require_records(trajectory: Any) -> None:
    """Raise `ValueError` unless an array has the shape `(n_records, n_atoms, d)`."""
    shape = tuple(getattr(trajectory, "shape", ()))
    if len(shape) != 3 or shape[0] < 1:
        raise ValueError(
            f"The trajectory has shape {shape}; it must be (n_records, n_atoms, d), as "
            "md.Observe(lambda system: system.coords) records it."
        )

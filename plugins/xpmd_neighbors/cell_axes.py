"""Cells along each direction: how many there may be, and which one each atom is in.

The last direction is cut into slabs of a fraction of the cutoff and the others into cells as wide as
the cutoff. Thin slabs leave less between the cutoff and the end of a range than whole cells would.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from xpmd.boundary import Boundary

Array = Any

#: Slabs in one cutoff.
FINENESS = 4
#: Cells a grid may have for each atom; more would cost time and find nothing.
CELLS_AN_ATOM = 4


class Axis(NamedTuple):
    """Cells along one direction.

    Attributes:
        place: cell of each atom.
        used: cells in use, which may be fewer than there is room for.
        most: cells there is room for.
        repeats: whether the last cell is next to the first.
    """

    place: Array
    used: Array
    most: int
    repeats: bool


def most_cells(extents: Sequence[float], cutoff: float, n_atoms: int) -> tuple[int, ...]:
    """Return how many cells to have along each direction.

    Args:
        extents: what the cells have to cover along each direction, nm; may be infinite.
    """
    last = len(extents) - 1
    wanted = [
        max(1.0, extent / cutoff * (FINENESS if k == last else 1))
        for k, extent in enumerate(extents)
    ]
    room = max(CELLS_AN_ATOM * n_atoms, 64)
    # Long directions give way first.
    widest = max(wanted)
    while math.prod(min(each, widest) for each in wanted) > room:
        widest = 0.9 * min(widest, room)
    return tuple(max(1, int(min(each, widest))) for each in wanted)


def axes_of(
    columns: list[Array], boundary: Boundary, cutoff: float, cells: tuple[int, ...], xp: Any
) -> list[Axis]:
    """Return the cell of each atom along each direction.

    Cells are never narrower than the cutoff, whatever becomes of the box: fewer of them are used then.

    Args:
        columns: components of the coordinates, all finite.
        cells: most cells along each direction.
    """
    widths = boundary.array_widths()
    # Positions are rounded, the more the further from the origin; a cell must not end short of that.
    sizes = [xp.max(xp.abs(column)) for column in columns]
    sizes += [width + xp.zeros_like(sizes[0]) for width in widths if width is not None]
    rounding = 32 * float(xp.finfo(columns[0].dtype).eps)
    width = cutoff * (1 + 1e-6) + rounding * xp.max(xp.stack(sizes))
    axes = []
    last = len(columns) - 1
    parts = boundary.fractional(columns, xp=xp)
    for k, (part, box, most) in enumerate(zip(parts, widths, cells, strict=True)):
        cell = width / FINENESS if k == last else width
        if box is None:
            low, high = xp.min(part), xp.max(part)
            cell = xp.max(xp.stack([cell, (high - low) / most]))
            used = most + xp.zeros_like(cell)
            place = (part - low) / cell
        else:
            used = box / cell
            used = xp.where(used >= 1, xp.floor(used), xp.ones_like(used))
            used = xp.where(used <= most, used, most + xp.zeros_like(used))
            place = (part - xp.floor(part)) * used
        # What is rounded up to the end belongs to the last cell.
        place = xp.where(place >= 0, place, xp.zeros_like(place))
        place = xp.where(place < used, xp.floor(place), used - 1)
        axes.append(
            Axis(xp.astype(place, xp.int32), xp.astype(used, xp.int32), most, box is not None)
        )
    return axes


def number_in(axes: Sequence[Axis], xp: Any) -> Array:
    """Return the number of the cell that each atom is in; the last direction runs fastest."""
    number = xp.zeros_like(axes[0].place)
    for axis in axes:
        number = number * axis.most + axis.place
    return number

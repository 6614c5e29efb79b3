"""Atoms sorted into columns of thin slabs, so that whatever may be near an atom is a few ranges."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from xpmd.backend import Backend
from xpmd.boundary import Boundary
from xpmd_neighbors.cell_axes import axes_of, number_in
from xpmd_neighbors.cell_order import sorted_order
from xpmd_neighbors.cell_ranges import Ranges, ranges_of, sees_ahead

Array = Any


class Grid(NamedTuple):
    """Atoms in sorted order, and where to look for the neighbors of each.

    Attributes:
        order: number of the atom at each place, `(n,)`.
        places: where what is found at each place is first found, `(n + seams,)`: the place itself,
            or for atoms in seams that of which they are copies.
        columns: components of the coordinates at each place, seams included.
        ranges: where the candidates of the atom at each place are, itself among them. Atoms whose
            coordinates are not finite have none and are none.
        both_ends: whether each pair is to be seen from both ends.
        ahead: whether candidates are such that each pair is seen from one end only.
    """

    order: Array
    places: Array
    columns: list[Array]
    ranges: Ranges
    both_ends: bool
    ahead: bool


def sort_into_cells(
    coords: Array,
    boundary: Boundary,
    cutoff: float,
    cells: tuple[int, ...],
    width: int | None,
    *,
    both_ends: bool,
    backend: Backend,
    xp: Any,
) -> Grid:
    """Return the grid of at least one atom.

    Args:
        cells: most cells along each direction.
        width: most candidates in a range; `None` for as many as there are, if that is known.
        both_ends: whether each pair is to be seen from both ends. Otherwise the candidates are those
            of one end, where the numbers are known and the box is wide enough for that; no cell is
            looked at twice in any case.
    """
    lost = ~xp.all(xp.isfinite(coords), axis=1)
    # An atom that is nowhere would make the cells of all others endless.
    columns = [
        xp.where(lost, xp.zeros_like(coords[:, k]), coords[:, k])
        for k in range(boundary.dimensions)
    ]
    axes = axes_of(columns, boundary, cutoff, cells, xp)
    d = len(columns)
    settled = backend.settled(*columns, *(axis.place for axis in axes))
    columns = list(settled[:d])
    axes = [axis._replace(place=place) for axis, place in zip(axes, settled[d:], strict=True)]
    device, kind = backend.device_of(coords), backend.capabilities.index_dtype
    n_cells, number = math.prod(cells), number_in(axes, xp)
    number = xp.where(lost, xp.full_like(number, n_cells), number)
    order = sorted_order(number, n_cells + 1, backend=backend, xp=xp)
    edges = backend.asarray(range(n_cells + 1), dtype="int32", device=device)
    starts = xp.astype(xp.searchsorted(number[order], edges, side="left"), order.dtype)
    axes = [axis._replace(place=axis.place[order]) for axis in axes]
    ahead = not both_ends and sees_ahead(axes, backend)
    ranges, seams = ranges_of(axes, starts, width, ahead=ahead, backend=backend, xp=xp)
    count = xp.where(lost[order][:, None], xp.zeros_like(ranges.count), ranges.count)
    here = backend.asarray(range(coords.shape[0]), dtype=kind, device=device)
    places = xp.concat([here, seams])
    found = xp.concat([order, order[seams]])
    columns = [column[found] for column in columns]
    return Grid(order, places, columns, ranges._replace(count=count), both_ends, ahead)

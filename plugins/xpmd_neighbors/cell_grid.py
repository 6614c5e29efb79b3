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
        order: number of the atom at each place; atoms in seams have a second place.
        columns: components of the coordinates at each place.
        rows: number of the atom that each row is about.
        own: components of the coordinates of each row.
        ranges: where the candidates of each row are, the atom itself among them. Atoms whose
            coordinates are not finite have none and are none.
        unique: whether each pair is seen from one end only, if `ahead` was asked for.
    """

    order: Array
    columns: list[Array]
    rows: Array
    own: list[Array]
    ranges: Ranges
    unique: bool


def sort_into_cells(
    coords: Array,
    boundary: Boundary,
    cutoff: float,
    cells: tuple[int, ...],
    width: int | None,
    *,
    backend: Backend,
    xp: Any,
    by_atom: bool = False,
) -> Grid:
    """Return the grid of at least one atom.

    Args:
        cells: most cells along each direction.
        width: most candidates in a range; `None` for as many as there are, if that is known.
        by_atom: rows are in the order of the atoms and see each pair from both ends. Otherwise they
            are sorted and see it from one end only, where the numbers are known and the box is wide
            enough for that; no cell is looked at twice in any case.
    """
    lost = ~xp.all(xp.isfinite(coords), axis=1)
    # An atom that is nowhere would make the cells of all others endless.
    columns = [
        xp.where(lost, xp.zeros_like(coords[:, k]), coords[:, k])
        for k in range(boundary.dimensions)
    ]
    axes = axes_of(columns, boundary, cutoff, cells, xp)
    device, kind = backend.device_of(coords), backend.capabilities.index_dtype
    n_cells, number = math.prod(cells), number_in(axes, xp)
    number = xp.where(lost, xp.full_like(number, n_cells), number)
    order = sorted_order(number, n_cells + 1, backend=backend, xp=xp)
    edges = backend.asarray(range(n_cells + 1), dtype="int32", device=device)
    starts = xp.astype(xp.searchsorted(number[order], edges, side="left"), order.dtype)
    if by_atom:
        rows = backend.asarray(range(coords.shape[0]), dtype=kind, device=device)
        ahead, own = False, columns
    else:
        rows, lost, own = order, lost[order], [column[order] for column in columns]
        axes = [axis._replace(place=axis.place[order]) for axis in axes]
        ahead = sees_ahead(axes, backend)
    ranges, seams = ranges_of(axes, starts, width, ahead=ahead, backend=backend, xp=xp)
    count = xp.where(lost[:, None], xp.zeros_like(ranges.count), ranges.count)
    order = xp.concat([order, order[seams]])
    return Grid(
        order,
        [column[order] for column in columns],
        rows,
        own,
        ranges._replace(count=count),
        ahead,
    )

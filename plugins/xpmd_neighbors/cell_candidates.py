"""Distances of the candidates that a grid of cells names."""

from __future__ import annotations

from typing import Any

from xpmd.backend import Backend
from xpmd.boundary import Boundary
from xpmd_neighbors.cell_grid import Grid

Array = Any

#: Candidates looked at together where not all need to be: many enough to be fast, few enough to fit.
BLOCK = 1_000_000


def near(
    grid: Grid,
    boundary: Boundary,
    limit: float,
    width: int,
    rows: Array,
    *,
    backend: Backend,
    xp: Any,
) -> tuple[Array, Array]:
    """Return which candidates of the atoms at some places are within the cutoff.

    Args:
        limit: see `squared_limit`.
        width: candidates looked at in each range, at most what the grid has seams for.
        rows: the places, `(m,)`.

    Returns:
        A mask `(m, ranges, width)` and the place of each candidate, which may be in a seam.
    """
    kind, device = backend.capabilities.index_dtype, backend.device_of(grid.order)
    k = backend.asarray(range(width), dtype=kind, device=device)
    first, count = (xp.take(part, rows, axis=0)[:, :, None] for part in grid.ranges)
    place = first + k
    squared = boundary.shortest_squared(
        [column[rows][:, None, None] - column[place] for column in grid.columns],
        xp=xp,
    )
    mask = (k < count) & (squared <= limit)
    if grid.ahead:
        return mask, place
    own, other = rows[:, None, None], grid.places[place]
    return mask & (other != own if grid.both_ends else other > own), place


def squared_limit(cutoff: float, dtype: Any, xp: Any) -> float:
    """Return the largest r^2 of a pair that is listed.

    The energy compares r^2, rounded likewise, with a cutoff that may have been rounded up.
    """
    return cutoff * cutoff * (1 + 4 * float(xp.finfo(dtype).eps))


def pairs_in_blocks(
    grid: Grid, boundary: Boundary, cutoff: float, *, backend: Backend, xp: Any
) -> tuple[Array, Array]:
    """Return both atoms of each pair within the cutoff, a few atoms at a time."""
    limit = squared_limit(cutoff, grid.columns[0].dtype, xp)
    n_atoms, n_ranges = grid.ranges.first.shape
    device, kind = backend.device_of(grid.order), backend.capabilities.index_dtype
    widest = max(int(xp.max(grid.ranges.count)), 1)
    rows = max(1, BLOCK // (n_ranges * widest))
    firsts, seconds = [], []
    for begin in range(0, n_atoms, rows):
        end = min(begin + rows, n_atoms)
        width = max(int(xp.max(grid.ranges.count[begin:end, :])), 1)
        some = backend.asarray(range(begin, end), dtype=kind, device=device)
        mask, place = near(grid, boundary, limit, width, some, backend=backend, xp=xp)
        mask = xp.reshape(mask, (-1,))
        flat, _ = backend.nonzero_padded(mask, int(xp.sum(xp.astype(mask, xp.int64))))
        firsts.append(grid.order[begin + flat // (n_ranges * width)])
        seconds.append(grid.order[grid.places[xp.reshape(place, (-1,))[flat]]])
    return xp.concat(firsts), xp.concat(seconds)

"""The neighbors of each atom in a row of its own, from a grid of cells."""

from __future__ import annotations

from typing import Any

from xpmd.backend import Backend
from xpmd.boundary import Boundary
from xpmd.kernels import with_kernel
from xpmd_neighbors.cell_candidates import near
from xpmd_neighbors.cell_grid import Grid
from xpmd_neighbors.row_packing import packed, word_bits

Array = Any


@with_kernel
def listed_rows(
    backend: Backend, grid: Grid, boundary: Boundary, limit: float, width: int, capacity: int
) -> tuple[Array, Array, Array]:
    """Return the places of the atoms near the atom at each place.

    Args:
        grid: one that sees each pair from both ends.
        limit: largest r^2 of a pair, nm^2.
        width: candidates looked at in each range.
        capacity: entries in a row.

    Returns:
        Places `(n, capacity)`, that of some atom in entries that do not count; a mask of those that
        do; and how many each row has to hold, `(n,)`, int32.
    """
    xp = backend.xp(grid.order)
    n_atoms, n_ranges = grid.ranges.first.shape
    rows = grid.places[:n_atoms]
    mask, _ = near(grid, boundary, limit, width, rows, backend=backend, xp=xp)
    bits = word_bits(width)
    words = xp.reshape(mask, (n_atoms, n_ranges * (width // bits), bits))
    candidate, count = packed(words, capacity, backend=backend, xp=xp)
    device = backend.device_of(grid.order)
    slots = backend.asarray(range(capacity), dtype="int32", device=device)
    valid = slots[None, :] < count[:, None]
    candidate = xp.astype(xp.where(valid, candidate, xp.zeros_like(candidate)), grid.order.dtype)
    start = xp.reshape(grid.ranges.first, (-1,))[rows[:, None] * n_ranges + candidate // width]
    return grid.places[start + candidate % width], valid, count

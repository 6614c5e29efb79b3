"""How long a list of very many atoms has to be, from the neighbors of some of them.

To look for all pairs on the host takes longer than many steps do, and more memory. A list that turns
out too short is enlarged on the way, so that a good guess will do.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xpmd.backend import backend as backend_named
from xpmd.boundary import Boundary
from xpmd_neighbors.cell_axes import most_cells
from xpmd_neighbors.cell_candidates import BLOCK, near, squared_limit
from xpmd_neighbors.cell_grid import Grid, sort_into_cells
from xpmd_neighbors.host_lists import most_entries
from xpmd_neighbors.host_pairs import host_pairs

Array = Any

#: Above so many atoms only some are looked at.
MOST_COUNTED = 20_000
#: Atoms looked at in all, and those among them that have the most candidates.
SAMPLE, CROWDED = 4096, 1024
#: By how much the most neighbors of all may exceed those of a sample. In a fluid numbers of neighbors
#: are about normal: the largest of a million is 4.9 deviations above the mean, of a sample 3.5.
ROOM = 1.03


def cells_covering(coords: Array, boundary: Boundary, cutoff: float, xp: Any) -> tuple[int, ...]:
    """Return how many cells along each direction cover known coordinates `(n, d)`, nm."""
    extents = list(boundary.widths())
    for k, repeats in enumerate(boundary.periodic):
        if not repeats:
            column = coords[:, k]
            extents[k] = float(xp.max(column) - xp.min(column)) if column.shape[0] else 0.0
    return most_cells(extents, cutoff, int(coords.shape[0]))


def host_grid(coords: Array, boundary: Boundary, cutoff: float, cells: tuple[int, ...]) -> Grid:
    """Return the grid of known coordinates, in NumPy arrays; each pair is seen from both ends.

    Args:
        cells: most cells along each direction.
    """
    host = backend_named("numpy")
    xp = host.xp(coords)
    return sort_into_cells(
        coords, boundary, cutoff, cells, None, backend=host, xp=xp, both_ends=True
    )


def entries_needed(
    grid: Grid, coords: Array, boundary: Boundary, cutoff: float, *, full: bool
) -> int:
    """Return how many entries a list needs; of very many atoms about how many.

    Args:
        grid: see `host_grid`; of at least one atom.
        full: the most neighbors that an atom has, or else the number of pairs.
    """
    if len(coords) > MOST_COUNTED:
        return sampled_entries(grid, boundary, cutoff, full=full)
    first, second = host_pairs(coords, boundary, cutoff)
    return most_entries(first, second, len(coords), full=full)


def sampled_entries(grid: Grid, boundary: Boundary, cutoff: float, *, full: bool) -> int:
    """Return about how many entries a list needs.

    Atoms are taken at equal distances along the sorted ones, which goes through all of space, and
    those with the most candidates besides.

    Args:
        grid, full: see `entries_needed`.
    """
    host = backend_named("numpy")
    n_atoms = len(grid.order)
    spread = np.arange(0, n_atoms, -(-n_atoms // (SAMPLE - CROWDED)))
    candidates = grid.ranges.count.sum(axis=1)
    crowded = np.argpartition(candidates, -min(CROWDED, n_atoms))[-CROWDED:]
    limit = squared_limit(cutoff, grid.columns[0].dtype, np)

    def counted(chosen: Array) -> Array:
        """Return the neighbors of the atoms in some rows."""
        width = max(int(grid.ranges.count[chosen].max()), 1)
        step = max(1, BLOCK // (grid.ranges.count.shape[1] * width))
        found = [
            near(grid, boundary, limit, width, chosen[k : k + step], backend=host, xp=np)[0]
            for k in range(0, len(chosen), step)
        ]
        return np.concatenate([mask.sum(axis=(1, 2)) for mask in found])

    evenly = counted(spread)
    if not full:
        return math.ceil(float(evenly.mean()) * n_atoms / 2)
    return math.ceil(ROOM * max(int(evenly.max()), int(counted(crowded).max())))

"""Cells for a compiled search: which cell each atom is in, and where it looks from there."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xpmd.boundary import Boundary
from xpmd_neighbors.compiled_search import by_column, found, found_rows

Array = Any

#: Cells in one cutoff along each direction: as measured, with little between 1 and 4.
FINENESS = (1, 1, 2)
#: Cells a grid may have for each atom; more would cost time and find nothing.
CELLS_AN_ATOM = 4


def cell_pairs(coords: Array, boundary: Boundary, cutoff: float) -> tuple[Array, Array]:
    """Return first and second atom of each pair within the cutoff, first < second, sorted.

    Args:
        coords: `(n, d)`, nm, finite; may lie outside the cell.
        boundary: a periodic box is at least three times as wide as the cutoff.
    """
    placed = _placed(coords, boundary, cutoff)
    return found(*placed)


def cell_rows(
    coords: Array, boundary: Boundary, cutoff: float, excluded: Array | None, capacity: int
) -> tuple[Array, Array, int]:
    """Return rows of neighbors `(n, capacity)`, which entries count, and how many the longest takes.

    Entries of the same place in their rows follow one another in memory.

    Args:
        coords, boundary, cutoff: as for `cell_pairs`.
        excluded: excluded partners of each atom `(n, most)`, padded with -1.
        capacity: entries in a row; what finds no room is left out.
    """
    placed = _placed(coords, boundary, cutoff)
    n_atoms = len(coords)
    rows = np.empty((n_atoms, capacity), dtype=np.int32)
    counts = np.empty(n_atoms, dtype=np.int64)
    columns = np.empty((capacity, n_atoms), dtype=np.int64)
    mask = np.empty((capacity, n_atoms), dtype=np.bool_)
    partners = np.zeros((n_atoms, 0), dtype=np.int64) if excluded is None else np.asarray(excluded)
    found_rows(*placed, partners, rows, counts)  # type: ignore[call-arg]
    by_column(rows, counts, columns, mask)
    return columns.T, mask.T, int(counts.max())


def _placed(coords: Array, boundary: Boundary, cutoff: float) -> tuple[Any, ...]:
    """Return what a search takes: positions, their cells, and how cells lie."""
    d, repeats = boundary.dimensions, np.zeros(3, dtype=np.bool_)
    repeats[:d] = boundary.periodic
    columns = [np.ascontiguousarray(coords[:, k]) for k in range(d)]
    parts = list(boundary.fractional(columns, xp=np))
    images = [np.floor(part) if repeats[k] else None for k, part in enumerate(parts)]
    position, vectors = np.zeros((3, len(coords))), np.zeros((3, 3))
    position[:d] = boundary.shift(columns, images, xp=np)
    extents = [0.0] * 3
    for k, (image, width) in enumerate(zip(images, boundary.widths(), strict=True)):
        if image is None:
            parts[k] = parts[k] - parts[k].min()
            extents[k] = float(parts[k].max())
        else:
            parts[k], extents[k] = parts[k] - image, width
            unit = [-1.0 if axis == k else 0.0 if repeats[axis] else None for axis in range(d)]
            vectors[k, :d] = boundary.shift([0.0] * d, unit, xp=np)
    cells, reach = _grid(extents, repeats, cutoff, len(coords))
    places = np.zeros((3, len(coords)), dtype=np.int64)
    for k, part in enumerate(parts):
        scale = cells[k] if repeats[k] or not extents[k] else cells[k] / extents[k]
        # What is rounded up to the end belongs to the last cell.
        places[k] = np.minimum(part * scale, cells[k] - 1)
    return position, places, cells, reach, repeats, vectors, cutoff * cutoff


def _grid(extents: list[float], repeats: Array, cutoff: float, n_atoms: int) -> tuple[Array, Array]:
    """Return how many cells there are along each direction, and how many of them the cutoff spans."""
    room = max(CELLS_AN_ATOM * n_atoms, 64)
    wanted = [
        min(max(fineness * extent / cutoff, 1.0), float(room))
        for fineness, extent in zip(FINENESS, extents, strict=True)
    ]
    # Long directions give way first.
    widest = max(wanted)
    while math.prod(min(each, widest) for each in wanted) > room:
        widest *= 0.9
    cells, reach = np.ones(3, dtype=np.int64), np.zeros(3, dtype=np.int64)
    for k, extent in enumerate(extents):
        cells[k] = int(min(wanted[k], widest))
        if extent:
            reach[k] = math.ceil(min(cutoff * cells[k] / extent * (1 + 1e-12), float(cells[k])))
        if repeats[k] and 2 * reach[k] + 1 > cells[k]:
            cells[k], reach[k] = 3, 1
    return cells, reach

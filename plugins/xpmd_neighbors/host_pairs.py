"""Searching pairs within a cutoff on the host, with NumPy arrays."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from xpmd.boundary import Boundary

Array = Any


def host_pairs(
    coords: Array,
    boundary: Boundary,
    cutoff: float,
    excluded: Array | None = None,
    *,
    method: str | None = None,
) -> tuple[Array, Array]:
    """Return first and second atom of each pair within the cutoff, first < second, sorted.

    Args:
        coords: `(n, d)`, nm; may lie outside the cell.
        excluded: excluded partners of each atom `(n, most)`, padded with -1.
        method: a key of `METHODS`; the first that is installed and fits if left out.
    """
    coords = np.asarray(coords, dtype=np.float64)
    if coords.shape[0] < 2:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    if method is None:
        method = next(name for name in METHODS if _fits(name, boundary, cutoff))
    elif not _fits(method, boundary, cutoff):
        raise ValueError(
            f"`method` = {method!r} is not installed or does not fit {type(boundary).__name__} with a "
            f"list cutoff of {cutoff} nm."
        )
    first, second = METHODS[method](coords, boundary, cutoff)
    low, high = np.minimum(first, second), np.maximum(first, second)
    if excluded is not None and excluded.size:
        kept = ~(np.asarray(excluded)[low] == high[:, None]).any(axis=1)
        low, high = low[kept], high[kept]
    order = np.lexsort((high, low))
    return low[order].astype(np.int64), high[order].astype(np.int64)


def _fits(method: str, boundary: Boundary, cutoff: float) -> bool:
    """Return whether a search is installed and sees each pair once, by its nearest image."""
    if method == "numpy":
        return True
    if importlib.util.find_spec(method) is None:
        return False
    if cutoff > min(boundary.widths()) / 2:
        return False  # several images of an atom would be within reach
    if method == "vesin":
        # vesin knows a whole cell or none.
        return boundary.dimensions == 3 and (all(boundary.periodic) or not any(boundary.periodic))
    vectors = boundary.cell_vectors()
    return vectors is None or all(
        value == 0.0 for a, row in enumerate(vectors) for b, value in enumerate(row) if a != b
    )


def _by_vesin(coords: Array, boundary: Boundary, cutoff: float) -> tuple[Array, Array]:
    from vesin import NeighborList

    vectors = boundary.cell_vectors()
    box = np.zeros((3, 3)) if vectors is None else np.asarray(vectors)
    search = NeighborList(cutoff=cutoff, full_list=False)
    wrapped = np.asarray(boundary.wrap(coords, xp=np)) if vectors is not None else coords
    first, second = search.compute(
        points=wrapped, box=box, periodic=vectors is not None, quantities="ij"
    )
    return first.astype(np.int64), second.astype(np.int64)


def _by_scipy(coords: Array, boundary: Boundary, cutoff: float) -> tuple[Array, Array]:
    from scipy.spatial import cKDTree

    sides = np.asarray(boundary.side_lengths())
    opened = np.isinf(sides)
    lengths = np.where(opened, 0.0, sides)
    wrapped = coords.copy()
    for axis in np.flatnonzero(~opened):
        wrapped[:, axis] = np.mod(coords[:, axis], sides[axis])
        # np.mod of a tiny negative number is the side itself, which the tree refuses.
        wrapped[wrapped[:, axis] >= sides[axis], axis] = 0.0
    tree = cKDTree(wrapped, boxsize=lengths if not opened.all() else None)
    pairs = tree.query_pairs(cutoff, output_type="ndarray")
    return pairs[:, 0], pairs[:, 1]


def _by_numpy(coords: Array, boundary: Boundary, cutoff: float) -> tuple[Array, Array]:
    """All distances, a few rows at a time so that memory stays linear."""
    n_atoms = coords.shape[0]
    rows = max(1, int(4e6) // n_atoms)
    columns = [np.ascontiguousarray(coords[:, k]) for k in range(boundary.dimensions)]
    firsts, seconds = [], []
    for start in range(0, n_atoms, rows):
        block = slice(start, start + rows)
        differences = [column[block, None] - column[None, start:] for column in columns]
        parts = boundary.nearest(differences, xp=np)
        squared = sum(part * part for part in parts)
        i, j = np.nonzero(np.asarray(squared) <= cutoff * cutoff)
        i, j = i + start, j + start
        kept = i < j
        firsts.append(i[kept])
        seconds.append(j[kept])
    return np.concatenate(firsts), np.concatenate(seconds)


METHODS: dict[str, Callable[[Array, Boundary, float], tuple[Array, Array]]] = {
    "vesin": _by_vesin,
    "scipy": _by_scipy,
    "numpy": _by_numpy,
}


def most_entries(first: Array, second: Array, n_atoms: int, *, full: bool) -> int:
    """Return the capacity a list of these pairs needs."""
    if not full:
        return len(first)
    counts = np.bincount(first, minlength=n_atoms) + np.bincount(second, minlength=n_atoms)
    return int(counts.max(initial=0))


def padded(
    first: Array, second: Array, n_atoms: int, capacity: int, *, full: bool
) -> tuple[Array, Array, Array, Array, Array]:
    """Return first, second, count, overflow and mask in arrays of a fixed capacity."""
    count = most_entries(first, second, n_atoms, full=full)
    overflow = np.asarray(count > capacity)
    shape = (n_atoms, capacity) if full else (capacity,)
    firsts, seconds = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    mask = np.zeros(shape, dtype=bool)
    if not full:
        kept = min(len(first), capacity)
        firsts[:kept], seconds[:kept], mask[:kept] = first[:kept], second[:kept], True
        return firsts, seconds, np.asarray(count), overflow, mask
    rows, partners = np.concatenate([first, second]), np.concatenate([second, first])
    order = np.lexsort((partners, rows))
    rows, partners = rows[order], partners[order]
    starts = np.searchsorted(rows, np.arange(n_atoms))
    places = np.arange(len(rows)) - starts[rows]
    fits = places < capacity
    seconds[rows[fits], places[fits]] = partners[fits]
    mask[rows[fits], places[fits]] = True
    firsts[:] = np.arange(n_atoms)[:, None] if n_atoms else 0
    return firsts, seconds, np.asarray(count), overflow, mask

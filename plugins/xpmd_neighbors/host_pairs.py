"""Searching pairs within a cutoff on the host, with NumPy arrays."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from xpmd.boundary import Boundary

Array = Any

#: A length in nm that no rounding sees and that is a normal number.
_SMALLEST = 1e-200


def host_pairs(
    coords: Array,
    boundary: Boundary,
    cutoff: float,
    excluded: Array | None = None,
    *,
    method: str | None = None,
) -> tuple[Array, Array]:
    """Return first and second atom of each pair within the cutoff, first < second, sorted.

    Distances are compared in double precision, and a pair counts as within the cutoff if it may be so
    once distances are rounded like the coordinates: an energy that looks up to the cutoff itself, and
    no further, then misses none. Atoms whose coordinates are not finite are in no pair.

    Args:
        coords: `(n, d)`, nm; may lie outside the cell.
        excluded: excluded partners of each atom `(n, most)`, padded with -1.
        method: a key of `METHODS`; the first that is installed and fits if left out.

    Raises:
        ValueError: the method is not installed or does not fit.
    """
    if method is None:
        method = next(name for name in METHODS if _fits(name, boundary, cutoff))
    elif not _fits(method, boundary, cutoff):
        raise ValueError(
            f"`method` = {method!r} is not installed or does not fit {type(boundary).__name__} with a "
            f"list cutoff of {cutoff} nm."
        )
    coords = np.asarray(coords)
    # Not `finfo`: called by a program of JAX, NumPy 1.26 warns of a smallest number that is zero there.
    rounding = float(np.spacing(np.ones((), coords.dtype)))
    coords = coords.astype(np.float64)
    there = np.flatnonzero(np.isfinite(coords).all(axis=1))
    lost = len(there) < len(coords)
    if lost:
        coords = coords[there]
    if len(coords) < 2:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    sizes = [np.abs(coords).max(), *(width for width in boundary.widths() if np.isfinite(width))]
    first, second = METHODS[method](coords, boundary, cutoff + 8 * rounding * max(sizes))
    if lost:
        first, second = there[first], there[second]
    low, high = np.minimum(first, second), np.maximum(first, second)
    kept = low < high
    if excluded is not None and excluded.size:
        kept &= ~(np.asarray(excluded)[low] == high[:, None]).any(axis=1)
    low, high = low[kept], high[kept]
    # The order in which threads find pairs is not always the same; sums should be.
    order = _sorted_order(high)
    order = order[_sorted_order(low[order])]
    low, high = low[order], high[order]
    # Where the cutoff is over half the box several images of an atom are within it.
    again = np.zeros(len(low), dtype=bool)
    again[1:] = (low[1:] == low[:-1]) & (high[1:] == high[:-1])
    return (low[~again], high[~again]) if again.any() else (low, high)


def _fits(method: str, boundary: Boundary, cutoff: float) -> bool:
    """Return whether a search is installed and can do with such a boundary."""
    if method == "numpy":
        return True
    if importlib.util.find_spec(method) is None:
        return False
    if method == "vesin":
        # vesin knows a whole cell or none.
        return boundary.dimensions == 3 and (all(boundary.periodic) or not any(boundary.periodic))
    if cutoff > 0.499 * min(boundary.widths()):
        return False
    vectors = boundary.cell_vectors()
    return vectors is None or all(
        value == 0.0 for a, row in enumerate(vectors) for b, value in enumerate(row) if a != b
    )


def _by_vesin(coords: Array, boundary: Boundary, cutoff: float) -> tuple[Array, Array]:
    from vesin import NeighborList

    vectors = boundary.cell_vectors()
    box = np.zeros((3, 3)) if vectors is None else np.asarray(vectors, dtype=np.float64)
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
    # Many atoms at exactly 0 are told apart by the number next to it, which is 0 again while compiled
    # code that calls the host has subnormal numbers flushed: the tree would divide them without end.
    wrapped[np.abs(wrapped) < _SMALLEST] = _SMALLEST
    tree = cKDTree(wrapped, boxsize=lengths if not opened.all() else None)
    pairs = tree.query_pairs(cutoff, output_type="ndarray")
    return pairs[:, 0], pairs[:, 1]


def _by_numpy(coords: Array, boundary: Boundary, cutoff: float) -> tuple[Array, Array]:
    """All distances, a few rows at a time so that memory stays linear."""
    n_atoms = coords.shape[0]
    rows = max(1, 1_000_000 // n_atoms)
    columns = [np.ascontiguousarray(coords[:, k]) for k in range(boundary.dimensions)]
    firsts, seconds = [], []
    for start in range(0, n_atoms, rows):
        block = slice(start, start + rows)
        differences = [column[block, None] - column[None, start:] for column in columns]
        squared = boundary.shortest_squared(differences, xp=np)
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


def pairs_padded(
    first: Array, second: Array, capacity: int
) -> tuple[Array, Array, Array, Array, Array]:
    """Return first, second, mask, count and overflow of pairs in arrays of a fixed capacity."""
    count, kept = len(first), min(len(first), capacity)
    firsts, seconds = np.zeros(capacity, dtype=np.int64), np.zeros(capacity, dtype=np.int64)
    firsts[:kept], seconds[:kept] = first[:kept], second[:kept]
    mask = np.arange(capacity) < kept
    return firsts, seconds, mask, np.asarray(count), np.asarray(count > capacity)


def rows_padded(
    first: Array, second: Array, n_atoms: int, capacity: int
) -> tuple[Array, Array, Array, Array]:
    """Return the neighbors of each atom `(n, capacity)`, mask, count and overflow.

    Args:
        first, second: pairs, each once, sorted.
    """
    below, above = np.bincount(second, minlength=n_atoms), np.bincount(first, minlength=n_atoms)
    seconds = np.zeros((n_atoms, capacity), dtype=np.int32)
    order = _sorted_order(second)
    for rows, partners, number, offset in (
        (second[order], first[order], below, np.zeros_like(below)),
        (first, second, above, below),
    ):
        places = np.arange(len(rows)) - (np.cumsum(number) - number - offset)[rows]
        fits = places < capacity
        if not fits.all():
            rows, partners, places = rows[fits], partners[fits], places[fits]
        seconds[rows, places] = partners
    needed = below + above
    mask = np.arange(capacity) < needed[:, None]
    count = int(needed.max(initial=0))
    return seconds, mask, np.asarray(count), np.asarray(count > capacity)


def _sorted_order(numbers: Array) -> Array:
    """Return the stable order that sorts whole numbers, 16 bits at a time: NumPy sorts those in O(n)."""
    order = np.arange(len(numbers))
    largest, shift = int(numbers.max(initial=0)), 0
    while largest >> shift:
        digits = ((numbers >> shift) & 0xFFFF).astype(np.uint16)
        order = order[np.argsort(digits[order], kind="stable")]
        shift += 16
    return order

"""Searching pairs within a cutoff on the host, with NumPy arrays."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from xpmd.boundary import Boundary
from xpmd_neighbors.host_lists import host_order, rows_padded

Array = Any

#: Fewest atoms for which numba is loaded unasked. That takes 0.5 s, and once 4 s to compile; a list of
#: 4000 atoms of a liquid takes 5 ms then and 22 ms by vesin, so that it pays in 30 lists.
FEWEST_COMPILED = 4000

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
    coords = np.asarray(coords)
    given = coords
    coords = coords.astype(np.float64)
    there = np.flatnonzero(np.isfinite(coords).all(axis=1))
    lost = len(there) < len(coords)
    if lost:
        coords = coords[there]
    reach = _rounded_up(given[there] if lost else given, boundary, cutoff)
    if method is None:
        method = _fastest(boundary, reach, len(coords))
    elif not _fits(method, boundary, cutoff):
        raise ValueError(
            f"`method` = {method!r} is not installed or does not fit {type(boundary).__name__} with a "
            f"list cutoff of {cutoff} nm."
        )
    if len(coords) < 2:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    low, high = METHODS[method](coords, boundary, reach)
    if method not in IN_ORDER:
        low, high = _in_order(low, high)
    if lost:
        low, high = there[low], there[high]
    if excluded is not None and excluded.size:
        kept = ~(np.asarray(excluded)[low] == high[:, None]).any(axis=1)
        low, high = low[kept], high[kept]
    return low, high


def host_rows(
    coords: Array, boundary: Boundary, cutoff: float, excluded: Array | None, capacity: int
) -> tuple[Array, Array, Array, Array]:
    """Return the neighbors of each atom `(n, capacity)`, mask, count and overflow, by the fastest way.

    Entries of the same place in their rows follow one another in memory. Where numba fits it is loaded
    however few the atoms are, for a list that is wanted like this is rebuilt often.

    Args:
        coords, boundary, cutoff, excluded: as for `host_pairs`.
    """
    reach = _rounded_up(coords, boundary, cutoff)
    # It is not finite among atoms that are nowhere, which `host_pairs` leaves out.
    direct = len(coords) > 0 and bool(np.isfinite(reach))
    if direct and _fits("numba", boundary, reach) and _loads_numba():
        from xpmd_neighbors.compiled_cells import cell_rows

        known = np.asarray(coords, dtype=np.float64)
        rows, mask, count = cell_rows(known, boundary, reach, excluded, capacity)
        return rows, mask, np.asarray(count), np.asarray(count > capacity)
    first, second = host_pairs(coords, boundary, cutoff, excluded)
    return rows_padded(first, second, len(coords), capacity, by_column=True)


def _rounded_up(coords: Array, boundary: Boundary, cutoff: float) -> float:
    """Return a cutoff within which a pair is that may be within the cutoff once rounded."""
    # Not `finfo`: called by a program of JAX, NumPy 1.26 warns of a smallest number that is zero there.
    rounding = float(np.spacing(np.ones((), coords.dtype)))
    sizes = [width for width in boundary.widths() if np.isfinite(width)]
    return cutoff + 8 * rounding * float(max(np.abs(coords).max(initial=0.0), *sizes, 0.0))


def _in_order(first: Array, second: Array) -> tuple[Array, Array]:
    """Return each pair once, first < second, sorted.

    The order in which threads find pairs is not always the same; sums should be.
    """
    low, high = np.minimum(first, second), np.maximum(first, second)
    apart = low < high
    if not apart.all():
        low, high = low[apart], high[apart]
    order = host_order(high)
    order = order[host_order(low[order])]
    low, high = low[order], high[order]
    # Where the cutoff is over half the box several images of an atom are within it.
    again = np.zeros(len(low), dtype=bool)
    again[1:] = (low[1:] == low[:-1]) & (high[1:] == high[:-1])
    return (low[~again], high[~again]) if again.any() else (low, high)


def _fastest(boundary: Boundary, cutoff: float, n_atoms: int) -> str:
    """Return the fastest method that is installed and fits."""
    compiled = n_atoms >= FEWEST_COMPILED or "xpmd_neighbors.compiled_search" in sys.modules
    if compiled and _fits("numba", boundary, cutoff) and _loads_numba():
        return "numba"
    return next(name for name in METHODS if name != "numba" and _fits(name, boundary, cutoff))


@functools.cache
def _loads_numba() -> bool:
    """Return whether numba, which is installed, can be used: it refuses a NumPy newer than itself."""
    try:
        importlib.import_module("numba")
    except ImportError:
        return False
    return True


def _fits(method: str, boundary: Boundary, cutoff: float) -> bool:
    """Return whether a search is installed and can do with such a boundary."""
    if method == "numpy":
        return True
    if importlib.util.find_spec(method) is None:
        return False
    if method == "vesin":
        # vesin knows a whole cell or none.
        return boundary.dimensions == 3 and (all(boundary.periodic) or not any(boundary.periodic))
    if method == "numba":
        # No cell is seen twice, and no image but the shortest is near.
        return boundary.dimensions <= 3 and 3.01 * cutoff <= min(boundary.widths())
    if cutoff > 0.499 * min(boundary.widths()):
        return False
    vectors = boundary.cell_vectors()
    return vectors is None or all(
        value == 0.0 for a, row in enumerate(vectors) for b, value in enumerate(row) if a != b
    )


def _by_numba(coords: Array, boundary: Boundary, cutoff: float) -> tuple[Array, Array]:
    from xpmd_neighbors.compiled_cells import cell_pairs

    return cell_pairs(coords, boundary, cutoff)


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


#: From the fastest to what is always there.
METHODS: dict[str, Callable[[Array, Boundary, float], tuple[Array, Array]]] = {
    "numba": _by_numba,
    "vesin": _by_vesin,
    "scipy": _by_scipy,
    "numpy": _by_numpy,
}

#: Methods that return each pair once, first < second, sorted.
IN_ORDER = ("numba",)

"""The search for pairs in cells, compiled by numba.

Each atom j finds the atoms i < j in the cells around it. If the list is then put together in the order
j = 0, 1, 2, ..., partners of each i come in order, and nothing needs to be sorted.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np

Array = Any
_Function = TypeVar("_Function", bound=Callable[..., Any])


def _compiled(function: _Function) -> _Function:
    """Compile on first use, and keep what was compiled for the next start if there is a place for it."""
    compile_: Any = functools.partial(numba.njit, nogil=True, error_model="numpy")
    try:
        return compile_(function, cache=True)  # type: ignore[no-any-return]
    except RuntimeError:  # neither the package nor the home of the user can be written to
        return compile_(function)  # type: ignore[no-any-return]


@_compiled
def found(
    position: Array,
    places: Array,
    cells: Array,
    reach: Array,
    repeats: Array,
    vectors: Array,
    limit: float,
) -> tuple[Array, Array]:
    """Return first and second atom of each pair within the cutoff, first < second, sorted.

    Args:
        position: inside the cell `(3, n)`, nm.
        places: cell of each atom along each direction `(3, n)`.
        cells: number of cells along each direction `(3,)`.
        reach: how many cells the cutoff spans `(3,)`.
        repeats: whether the last cell is next to the first `(3,)`.
        vectors: those of the cell by row `(3, 3)`, nm.
        limit: square of the cutoff, nm^2.
    """
    n_atoms = position.shape[1]
    order, starts = _sorted_into_cells(places, cells)
    met, count = np.empty(64 * n_atoms, dtype=np.int32), 0
    begins, ends = np.empty(n_atoms, dtype=np.int64), np.empty(n_atoms, dtype=np.int64)
    there, others = np.empty((3, 1024)), np.empty(1024, dtype=np.int32)
    flags = np.empty(1024, dtype=np.uint8)
    for cell in range(len(starts) - 1):
        if starts[cell] == starts[cell + 1]:
            continue
        there, others, size = _around(
            cell, position, order, starts, cells, reach, repeats, vectors, there, others
        )
        if size > len(flags):
            flags = np.empty(len(others), dtype=np.uint8)
        # Slices have no negative places, which lets the loops use wide registers.
        x, y, z, nearby = there[0, :size], there[1, :size], there[2, :size], others[:size]
        for j in order[starts[cell] : starts[cell + 1]]:
            begins[j] = count
            if count + size > len(met):
                longer = np.empty(len(met) + len(met) // 2 + size, dtype=np.int32)
                longer[:count] = met[:count]
                met = longer
            count = _within(x, y, z, nearby, position[:, j], limit, j, j, flags, met, count)
            ends[j] = count
    return _by_first(met, begins, ends)


@_compiled
def _within(
    x: Array,
    y: Array,
    z: Array,
    nearby: Array,
    own: Array,
    limit: float,
    atom: int,
    below: int,
    flags: Array,
    met: Array,
    count: int,
) -> int:
    """Add the atoms within the cutoff to those met; return how many these are then.

    Args:
        x, y, z, nearby: positions and numbers of atoms.
        own: position of the atom that meets them.
        atom, below: its number, which is left out, and one that those that count are below.
        flags: room for a flag for each.
        count: how many have been met before.
    """
    own_x, own_y, own_z = own
    for k in range(len(x)):
        squared = (x[k] - own_x) ** 2 + (y[k] - own_y) ** 2 + (z[k] - own_z) ** 2
        counts = (squared <= limit) & (nearby[k] < below) & (nearby[k] != atom)
        flags[k] = 1 if counts else 0
    for k in range(len(x)):
        met[count] = nearby[k]
        count += flags[k]
    return count


@_compiled
def found_rows(
    position: Array,
    places: Array,
    cells: Array,
    reach: Array,
    repeats: Array,
    vectors: Array,
    limit: float,
    excluded: Array,
    rows: Array,
    counts: Array,
) -> None:
    """Fill the rows of all atoms; the first seven arguments are those of `found`.

    Args:
        excluded: excluded partners of each atom `(n, most)`, padded with -1.
        rows: neighbors of each atom `(n, capacity)`; what finds no room is left out.
        counts: how many each row has to hold `(n,)`.
    """
    capacity = rows.shape[1]
    # As narrow as the numbers it is compared with, so that registers hold as many.
    end: Any = np.int32(rows.shape[0])
    order, starts = _sorted_into_cells(places, cells)
    there, others = np.empty((3, 1024)), np.empty(1024, dtype=np.int32)
    met, flags = np.empty(1025, dtype=np.int32), np.empty(1024, dtype=np.uint8)
    for cell in range(len(starts) - 1):
        if starts[cell] == starts[cell + 1]:
            continue
        there, others, size = _around(
            cell, position, order, starts, cells, reach, repeats, vectors, there, others
        )
        if size > len(flags):
            flags, met = (
                np.empty(len(others), dtype=np.uint8),
                np.empty(len(others) + 1, dtype=np.int32),
            )
        x, y, z, nearby = there[0, :size], there[1, :size], there[2, :size], others[:size]
        for j in order[starts[cell] : starts[cell + 1]]:
            count = _within(x, y, z, nearby, position[:, j], limit, j, end, flags, met, 0)
            if excluded.shape[1]:
                count = _without(met, count, excluded[j])
            counts[j] = count
            own = rows[j]
            for k in range(min(count, capacity)):
                own[k] = met[k]


@_compiled
def _without(met: Array, count: int, excluded: Array) -> int:
    """Take numbers out of the first of some others; return how many are left."""
    kept = 0
    for k in range(count):
        stays = True
        for other in excluded:
            stays &= met[k] != other
        met[kept] = met[k]
        kept += stays
    return kept


@_compiled
def by_column(rows: Array, counts: Array, columns: Array, mask: Array) -> None:
    """Copy rows, a few at a time, to columns that follow one another in memory.

    Args:
        rows, counts: as for `found_rows`.
        columns: the same numbers `(capacity, n)`, 0 in entries that do not count.
        mask: which of them do `(capacity, n)`.
    """
    for start in range(0, len(rows), 64):
        end = min(start + 64, len(rows))
        for k in range(rows.shape[1]):
            column, counted = columns[k], mask[k]
            for atom in range(start, end):
                counts_here = k < counts[atom]
                column[atom] = rows[atom, k] if counts_here else 0
                counted[atom] = counts_here


@_compiled
def _around(
    cell: int,
    position: Array,
    order: Array,
    starts: Array,
    cells: Array,
    reach: Array,
    repeats: Array,
    vectors: Array,
    there: Array,
    others: Array,
) -> tuple[Array, Array, int]:
    """Return the positions and numbers of the atoms in the cells around one, and how many they are.

    Args:
        there, others: where to put them, if there is room.
    """
    row, c = divmod(cell, cells[2])
    a, b = divmod(row, cells[1])
    size = 0
    for near_a in range(a - reach[0], a + reach[0] + 1):
        over_a = _images(near_a, cells[0])
        for near_b in range(b - reach[1], b + reach[1] + 1):
            over_b = _images(near_b, cells[1])
            if (over_a and not repeats[0]) or (over_b and not repeats[1]):
                continue
            row = (near_a - over_a * cells[0]) * cells[1] + near_b - over_b * cells[1]
            # Cells in a row follow one another; those beyond its ends are at the other end.
            for over_c in range(-1, 2):
                begin = max(c - reach[2] - over_c * cells[2], 0)
                end = min(c + reach[2] + 1 - over_c * cells[2], cells[2])
                if begin >= end or (over_c and not repeats[2]):
                    continue
                atoms = order[starts[row * cells[2] + begin] : starts[row * cells[2] + end]]
                if size + len(atoms) > len(others):
                    there = np.concatenate((there, np.empty((3, len(others) + len(atoms)))), 1)
                    more = np.empty(len(others) + len(atoms), dtype=np.int32)
                    others = np.concatenate((others, more))
                for axis in range(3):
                    moved = (
                        over_a * vectors[0, axis]
                        + over_b * vectors[1, axis]
                        + over_c * vectors[2, axis]
                    )
                    for k in range(len(atoms)):
                        there[axis, size + k] = position[axis, atoms[k]] + moved
                others[size : size + len(atoms)] = atoms
                size += len(atoms)
    return there, others, size


@_compiled
def _images(place: int, cells: int) -> int:
    """Return how many boxes away a cell is."""
    return (place >= cells) - (place < 0)


@_compiled
def _sorted_into_cells(places: Array, cells: Array) -> tuple[Array, Array]:
    """Return the atoms in the order of their cells, and where each cell starts."""
    n_atoms = places.shape[1]
    number = (places[0] * cells[1] + places[1]) * cells[2] + places[2]
    starts = np.zeros(cells[0] * cells[1] * cells[2] + 1, dtype=np.int64)
    for cell in number:
        starts[cell + 1] += 1
    starts = np.cumsum(starts)
    order, following = np.empty(n_atoms, dtype=np.int32), starts.copy()
    for atom in range(n_atoms):
        order[following[number[atom]]] = atom
        following[number[atom]] += 1
    return order, starts


@_compiled
def _by_first(met: Array, begins: Array, ends: Array) -> tuple[Array, Array]:
    """Return pairs sorted by their first atom, then by their second.

    Args:
        met: the first atoms of pairs, those of each second atom together.
        begins, ends: where those of each second atom are.
    """
    n_atoms = len(begins)
    following = np.zeros(n_atoms + 1, dtype=np.int64)
    for atom in range(n_atoms):
        for other in met[begins[atom] : ends[atom]]:
            following[other + 1] += 1
    following = np.cumsum(following)
    n_pairs = following[n_atoms]
    first, second = np.empty(n_pairs, dtype=np.int64), np.empty(n_pairs, dtype=np.int64)
    for atom in range(n_atoms):
        first[following[atom] : following[atom + 1]] = atom
    for atom in range(n_atoms):
        for other in met[begins[atom] : ends[atom]]:
            second[following[other]] = atom
            following[other] += 1
    return first, second

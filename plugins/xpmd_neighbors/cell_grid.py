"""Atoms sorted into columns of thin slabs, so that whatever may be near an atom is a few ranges.

The last direction is cut into slabs of a fraction of the cutoff and the others into cells as wide as
the cutoff. Sorted by column, then slab, the candidates of an atom in one column are contiguous, up to
one jump from the column's end to its start where the last direction repeats. Thin slabs leave less
between the cutoff and the end of a range than whole cells would.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from xpmd.backend import Backend
from xpmd.boundary import Boundary

Array = Any

#: Slabs in one cutoff.
FINENESS = 4
#: Cells a grid may have for each atom; more would cost time and find nothing.
CELLS_AN_ATOM = 4


class Ranges(NamedTuple):
    """Places, in sorted order, of the candidates of each atom in each column around it; `(n, columns)`.

    The k-th candidate is `first + k`, or as far past `start` where that reaches `stop`.
    """

    first: Array
    count: Array
    start: Array
    stop: Array

    def place(self, k: Array, xp: Any) -> Array:
        """Return the place of the k-th candidate; the fields must broadcast with `k`."""
        ahead = self.first + k
        return xp.where(ahead >= self.stop, ahead - (self.stop - self.start), ahead)

    def at(self, row: Array, column: Array, xp: Any) -> Ranges:
        """Return the ranges of atoms in columns, both given as indices that broadcast together."""
        flat = row * self.first.shape[1] + column
        return Ranges(*(xp.reshape(part, (-1,))[flat] for part in self))


class Grid(NamedTuple):
    """Atoms in sorted order, and where to look for the neighbors of each.

    Attributes:
        order: number of the atom at each place.
        columns: components of the coordinates in sorted order.
        lost: whether the atom at each place has coordinates that are not finite; it has no cell.
        ranges: where the candidates of the atom at each place are, itself among them.
        unique: whether each pair is seen from one end only, if `ahead` was asked for.
    """

    order: Array
    columns: list[Array]
    lost: Array
    ranges: Ranges
    unique: bool


class _Axis(NamedTuple):
    place: Array  # cell of each atom
    used: Array  # cells in use, which may be fewer than there is room for
    most: int
    repeats: bool


def most_cells(extents: Sequence[float], cutoff: float, n_atoms: int) -> tuple[int, ...]:
    """Return how many cells to have along each direction.

    Args:
        extents: what the cells have to cover along each direction, nm; may be infinite.
    """
    last = len(extents) - 1
    wanted = [
        max(1.0, extent / cutoff * (FINENESS if k == last else 1))
        for k, extent in enumerate(extents)
    ]
    room = max(CELLS_AN_ATOM * n_atoms, 64)
    # Long directions give way first.
    widest = max(wanted)
    while math.prod(min(each, widest) for each in wanted) > room:
        widest = 0.9 * min(widest, room)
    return tuple(max(1, int(min(each, widest))) for each in wanted)


def sort_into_cells(
    coords: Array,
    boundary: Boundary,
    cutoff: float,
    cells: tuple[int, ...],
    *,
    backend: Backend,
    xp: Any,
    ahead: bool = False,
) -> Grid:
    """Return the grid of at least one atom.

    Cells are never narrower than the cutoff, whatever becomes of the box: fewer of them are used then.

    Args:
        cells: most cells along each direction.
        ahead: see each pair from one end only, where the numbers are known and the box is wide enough
            for that; no cell is looked at twice in any case.
    """
    lost = ~xp.all(xp.isfinite(coords), axis=1)
    # An atom that is nowhere would make the cells of all others endless.
    columns = [
        xp.where(lost, xp.zeros_like(coords[:, k]), coords[:, k])
        for k in range(boundary.dimensions)
    ]
    axes = _axes(columns, boundary, cutoff, cells, xp)
    *across, along = axes
    column = xp.zeros_like(along.place)
    for axis in across:
        column = column * axis.most + axis.place
    n_cells = math.prod(cells)
    number = xp.where(lost, n_cells + xp.zeros_like(column), column * along.most + along.place)
    order = xp.argsort(number)
    device, kind = backend.device_of(coords), backend.capabilities.index_dtype
    edges = backend.asarray(range(n_cells + 1), dtype="int32", device=device)
    starts = xp.astype(xp.searchsorted(number[order], edges, side="left"), getattr(xp, kind))
    order = xp.astype(order, getattr(xp, kind))
    axes = [axis._replace(place=axis.place[order]) for axis in axes]
    ranges, unique = _ranges(axes, starts, backend, xp, ahead)
    return Grid(order, [column[order] for column in columns], lost[order], ranges, unique)


def _axes(
    columns: list[Array], boundary: Boundary, cutoff: float, cells: tuple[int, ...], xp: Any
) -> list[_Axis]:
    """Return the cell of each atom along each direction."""
    widths = boundary.array_widths()
    # Positions are rounded, the more the further from the origin; a cell must not end short of that.
    sizes = [xp.max(xp.abs(column)) for column in columns]
    sizes += [width + xp.zeros_like(sizes[0]) for width in widths if width is not None]
    rounding = 32 * float(xp.finfo(columns[0].dtype).eps)
    width = cutoff * (1 + 1e-6) + rounding * xp.max(xp.stack(sizes))
    axes = []
    last = len(columns) - 1
    parts = boundary.fractional(columns, xp=xp)
    for k, (part, box, most) in enumerate(zip(parts, widths, cells, strict=True)):
        cell = width / FINENESS if k == last else width
        if box is None:
            low, high = xp.min(part), xp.max(part)
            cell = xp.max(xp.stack([cell, (high - low) / most]))
            used = most + xp.zeros_like(cell)
            place = (part - low) / cell
        else:
            used = box / cell
            used = xp.where(used >= 1, xp.floor(used), xp.ones_like(used))
            used = xp.where(used <= most, used, most + xp.zeros_like(used))
            place = (part - xp.floor(part)) * used
        # What is rounded up to the end belongs to the last cell.
        place = xp.where(place >= 0, place, xp.zeros_like(place))
        place = xp.where(place < used, xp.floor(place), used - 1)
        axes.append(
            _Axis(xp.astype(place, xp.int32), xp.astype(used, xp.int32), most, box is not None)
        )
    return axes


def _ranges(
    axes: list[_Axis], starts: Array, backend: Backend, xp: Any, ahead: bool
) -> tuple[Ranges, bool]:
    """Return the ranges of candidates, and whether each pair is seen from one end only."""
    *across, along = axes
    used = [backend.known(axis.used) if axis.repeats else axis.most for axis in axes]
    ahead = (
        ahead
        and all(count is not None for count in used)
        and all(not a.repeats or n >= 3 for a, n in zip(across, used[:-1], strict=True))
        and (not along.repeats or used[-1] > 2 * FINENESS + 1)
    )
    own = (0,) * len(across)
    offsets = list(itertools.product(*(_steps(axis) for axis in across)))
    if ahead:
        offsets = [each for each in offsets if each >= own]
    device, kind = backend.device_of(starts), backend.capabilities.index_dtype
    column, exists = xp.zeros_like(along.place)[:, None], (along.place >= 0)[:, None]
    for axis, steps in zip(across, zip(*offsets, strict=True), strict=True):
        place, there = _moved(axis, backend.asarray(steps, dtype="int32", device=device), xp)
        column, exists = column * axis.most + place, exists & there
    below = [0 if ahead and each == own else FINENESS for each in offsets]
    base = column * along.most
    start, stop = starts[base], starts[base + along.most]
    first, count = _slabs(
        along, backend.asarray(below, dtype="int32", device=device), base, starts, xp
    )
    if ahead:
        # In its own column an atom sees those that come after it.
        atoms = backend.asarray(range(along.place.shape[0]), dtype=kind, device=device)[:, None]
        behind = backend.asarray([each == own for each in offsets], dtype="bool", device=device)
        count = xp.where(behind, count - (atoms + 1 - first), count)
        first = xp.where(behind, atoms + 1, first)
    return Ranges(first, xp.where(exists, count, xp.zeros_like(count)), start, stop), ahead


def _steps(axis: _Axis) -> tuple[int, ...]:
    if axis.most == 1:
        return (0,)
    return (0, 1) if axis.most == 2 and axis.repeats else (-1, 0, 1)


def _moved(axis: _Axis, steps: Array, xp: Any) -> tuple[Array, Array]:
    """Return the cells some steps away, and whether each exists and no other step leads to it."""
    here = axis.place[:, None]
    place = here + steps
    if axis.repeats:
        # With one cell in use all steps lead to it, with two a step back leads where one ahead does.
        there = axis.used > xp.where(steps < 0, xp.full_like(steps, 2), steps)
        place = xp.where(place < 0, place + axis.used, place)
        place = xp.where(place >= axis.used, place - axis.used, place)
    else:
        there = (place >= 0) & (place < axis.most)
    return xp.where(there, place, here), there


def _slabs(axis: _Axis, below: Array, base: Array, starts: Array, xp: Any) -> tuple[Array, Array]:
    """Return the first place and the number of atoms from some slabs below to the last in reach."""
    low, high = axis.place[:, None] - below, axis.place[:, None] + FINENESS
    if not axis.repeats:
        low = xp.where(low > 0, low, xp.zeros_like(low))
        high = xp.where(high < axis.most, high, xp.full_like(high, axis.most - 1))
        first = starts[base + low]
        return first, starts[base + high + 1] - first
    start, stop = starts[base], starts[base + axis.most]
    whole = axis.used <= below + FINENESS + 1
    low = xp.where(low < 0, low + axis.used, low)
    high = xp.where(high >= axis.used, high - axis.used, high)
    # Where the whole column is in reach its slabs are not looked at.
    low = xp.where(whole, xp.zeros_like(low), low)
    high = xp.where(whole, axis.used - 1, high)
    first, end = starts[base + low], starts[base + high + 1]
    return first, xp.where(low <= high, end - first, (stop - first) + (end - start))

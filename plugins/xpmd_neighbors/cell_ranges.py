"""Which atoms may be near an atom: a range of them in each column of cells around it.

Atoms are sorted by column, then slab, so that the candidates of an atom in one column are contiguous,
up to one jump from the column's end to its start where the last direction repeats. Such ranges find
their atoms once more in a seam: each column has a copy of its last atoms followed by its first.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

from xpmd.backend import Backend
from xpmd_neighbors.cell_axes import FINENESS, Axis, number_in

Array = Any


class Ranges(NamedTuple):
    """Where the candidates of each atom are in each column around it; `(n, columns)`.

    Attributes:
        first: place of the first candidate; beyond the number of atoms it is one in a seam.
        count: number of candidates.
    """

    first: Array
    count: Array


class _Columns(NamedTuple):
    """The columns around each column, `(columns, around)`: which, and where their atoms are."""

    base: Array  # first slab
    start: Array
    stop: Array
    exists: Array


def sees_ahead(axes: list[Axis], backend: Backend) -> bool:
    """Return whether it is known that the box is wide enough to see each pair from one end only."""
    *across, along = axes
    used = [backend.known(axis.used) if axis.repeats else axis.most for axis in axes]
    return (
        all(count is not None for count in used)
        and all(not a.repeats or n >= 3 for a, n in zip(across, used[:-1], strict=True))
        and (not along.repeats or used[-1] > 2 * FINENESS + 1)
    )


def ranges_of(
    axes: list[Axis], starts: Array, width: int | None, *, ahead: bool, backend: Backend, xp: Any
) -> tuple[Ranges, Array]:
    """Return the ranges of candidates of each atom, and the places of sorted atoms to copy into seams.

    Args:
        starts: number of atoms before each cell and in all cells.
        width: most candidates in a range; `None` for as many as there are, if that is known.
        ahead: see each pair from one end only; the atoms must be given as they are sorted then.
    """
    *across, along = axes
    own = (0,) * len(across)
    offsets = list(itertools.product(*(_steps(axis) for axis in across)))
    if ahead:
        offsets = [each for each in offsets if each >= own]
    device, kind = backend.device_of(starts), backend.capabilities.index_dtype
    columns = _columns(across, along.most, offsets, starts, backend, xp)
    column = number_in(across, xp)
    base, start, stop, exists = (xp.take(part, column, axis=0) for part in columns)
    below = backend.asarray([FINENESS], dtype="int32", device=device)
    if ahead:
        slabs_below = [0 if each == own else FINENESS for each in offsets]
        below = backend.asarray(slabs_below, dtype="int32", device=device)
    low, high, split = _slabs(along, below, xp)
    first, end = starts[base + low], starts[base + high + 1]
    count = end - first
    if along.repeats:
        count = xp.where(split, count + (stop - start), count)
    if ahead:
        # In its own column an atom sees those that come after it.
        atoms = backend.asarray(range(along.place.shape[0]), dtype=kind, device=device)[:, None]
        behind = backend.asarray([each == own for each in offsets], dtype="bool", device=device)
        count = xp.where(behind, count - (atoms + 1 - first), count)
        first = xp.where(behind, atoms + 1, first)
    count = xp.where(exists, count, xp.zeros_like(count))
    if width is None:
        width = max(int(xp.max(count)), 1)
    n_atoms = along.place.shape[0]
    kind_of = getattr(xp, kind)
    if along.repeats:
        # Whoever has more candidates than there is room for may look anywhere but outside.
        left = xp.where(stop - first < width, stop - first, xp.full_like(first, width))
        in_seam = n_atoms + xp.astype(base // along.most, kind_of) * (2 * width) + (width - left)
        first = xp.where(first + count > stop, in_seam, first)
    return Ranges(first, count), _seams(along, starts, width, n_atoms, backend, xp)


def _columns(
    across: list[Axis],
    slabs: int,
    offsets: list[tuple[int, ...]],
    starts: Array,
    backend: Backend,
    xp: Any,
) -> _Columns:
    """Return the columns some steps away from each."""
    device = backend.device_of(starts)
    n_columns = math.prod(axis.most for axis in across)
    here = backend.asarray(range(n_columns), dtype="int32", device=device)
    exists, column, stride = (here >= 0)[:, None], xp.zeros_like(here)[:, None], n_columns
    for axis, steps in zip(across, zip(*offsets, strict=True), strict=True):
        stride //= axis.most
        place = axis._replace(place=here // stride % axis.most)
        moved, there = _moved(place, backend.asarray(steps, dtype="int32", device=device), xp)
        column, exists = column * axis.most + moved, exists & there
    base = column * slabs
    return _Columns(base, starts[base], starts[base + slabs], exists)


def _steps(axis: Axis) -> tuple[int, ...]:
    if axis.most == 1:
        return (0,)
    return (0, 1) if axis.most == 2 and axis.repeats else (-1, 0, 1)


def _moved(axis: Axis, steps: Array, xp: Any) -> tuple[Array, Array]:
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


def _slabs(axis: Axis, below: Array, xp: Any) -> tuple[Array, Array, Array]:
    """Return the slabs from some below to the last in reach, and whether the end lies between."""
    low, high = axis.place[:, None] - below, axis.place[:, None] + FINENESS
    if not axis.repeats:
        low = xp.where(low > 0, low, xp.zeros_like(low))
        high = xp.where(high < axis.most, high, xp.full_like(high, axis.most - 1))
        return low, high, low > high
    whole = axis.used <= below + FINENESS + 1
    low = xp.where(low < 0, low + axis.used, low)
    high = xp.where(high >= axis.used, high - axis.used, high)
    # Where the whole column is in reach its slabs are not looked at.
    low = xp.where(whole, xp.zeros_like(low), low)
    high = xp.where(whole, axis.used - 1, high)
    return low, high, low > high


def _seams(axis: Axis, starts: Array, width: int, n_atoms: int, backend: Backend, xp: Any) -> Array:
    """Return the places of what follows the sorted atoms: seams, and room to look past the last."""
    device, kind = backend.device_of(starts), backend.capabilities.index_dtype
    if not axis.repeats:
        return backend.asarray([0] * width, dtype=kind, device=device)
    k = backend.asarray(range(width), dtype=kind, device=device)[None, :]
    edges = starts[:: axis.most][:, None]
    places = xp.reshape(xp.concat([edges[1:, :] - width + k, edges[:-1, :] + k], axis=1), (-1,))
    places = xp.where(places < 0, xp.zeros_like(places), places)
    return xp.where(places < n_atoms, places, xp.full_like(places, n_atoms - 1))

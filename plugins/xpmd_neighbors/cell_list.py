"""Pairs found by sorting atoms into cells, in Array API calls, so that it compiles."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from xpmd.backend import Backend
from xpmd.boundary import Boundary
from xpmd.exclusions import Exclusions
from xpmd.module import flatten, unflatten
from xpmd.neighbor_finder import (
    EXACT,
    CutoffNeighborFinder,
    all_pairs,
    dense_pairs,
    lists_densely,
    require_mendable,
)
from xpmd.neighbor_list import NeighborList, bucketed, roomier, wasteful
from xpmd_neighbors.cell_axes import most_cells
from xpmd_neighbors.cell_candidates import near, pairs_in_blocks, squared_limit
from xpmd_neighbors.cell_grid import Grid, sort_into_cells
from xpmd_neighbors.cell_rows import listed_rows
from xpmd_neighbors.distance import listed_on_host, lists_exactly
from xpmd_neighbors.row_packing import rounded_width
from xpmd_neighbors.sampled_counts import cells_covering, entries_needed, host_grid

Array = Any


class CellPlan(NamedTuple):
    """Sizes of a cell list: cells along each direction, candidates in a range, entries in the list."""

    cells: tuple[int, ...]
    width: int
    capacity: int


class CellListNeighborFinder(CutoffNeighborFinder):
    """List pairs up to a cutoff by cells, linear in the atoms.

    Any boundary will do: along an open direction the cells cover the atoms, and along a side of fewer
    than three cells no cell is looked at twice.
    """

    def plan(
        self, coords: Array, boundary: Boundary, exclusions: Exclusions | None, *, backend: Backend
    ) -> CellPlan | str | None:
        if lists_exactly(backend) or lists_densely(int(coords.shape[0]), backend):
            return EXACT
        n_atoms = int(coords.shape[0])
        leaves, spec = flatten(boundary)
        known, box = backend.known(coords), [backend.known(leaf) for leaf in leaves]
        if known is None or any(leaf is None for leaf in box):
            if self.capacity is None:
                return None
            # An even fluid has fewer atoms in a range than within the cutoff.
            cells = most_cells(boundary.widths(), self.cutoff, n_atoms)
            return CellPlan(cells, _roomy(min(n_atoms, max(16, self.capacity))), self.capacity)
        boundary = unflatten(spec, box)
        cells = cells_covering(known, boundary, self.cutoff, np)
        if not n_atoms:
            return CellPlan(cells, _roomy(0), self.capacity or bucketed(0))
        grid = host_grid(known, boundary, self.cutoff, cells)
        capacity = self.capacity
        if capacity is None:
            full = backend.capabilities.pair_layout == "full"
            capacity = bucketed(entries_needed(grid, known, boundary, self.cutoff, full=full))
        return CellPlan(cells, _roomy(int(grid.ranges.count.max())), capacity)

    def enlarge(self, plan: Any, neighbors: NeighborList) -> CellPlan:
        require_mendable(neighbors, exact=plan == EXACT)
        entries, width = (int(neighbors.count[k]) for k in range(2))
        # A range that is too narrow hides entries, so that both grow unless one alone is to blame.
        wide, long = width > plan.width, entries > plan.capacity
        if wide or not long:
            plan = plan._replace(width=rounded_width(roomier(width, plan.width)))
        if long or not wide:
            plan = plan._replace(capacity=roomier(entries, plan.capacity))
        return plan  # type: ignore[no-any-return]

    def is_wasteful(self, plan: Any, neighbors: NeighborList) -> bool:
        entries, width = (int(neighbors.count[k]) for k in range(2))
        return wasteful(entries, plan.capacity) or wasteful(width, plan.width)

    def build(
        self,
        coords: Array,
        boundary: Boundary,
        exclusions: Exclusions | None,
        plan: Any,
        *,
        backend: Backend,
        xp: Any,
    ) -> NeighborList:
        if lists_densely(int(coords.shape[0]), backend):
            return dense_pairs(coords, boundary, self.cutoff, exclusions, backend=backend, xp=xp)
        if coords.shape[0] < 2:
            return all_pairs(coords, exclusions, backend=backend, xp=xp)
        if backend.capabilities.lists_on_host:
            return self._listed_on_host(coords, boundary, exclusions, plan, backend, xp)
        full = backend.capabilities.pair_layout == "full"
        if plan == EXACT:
            cells, width = cells_covering(coords, boundary, self.cutoff, xp), None
        else:
            cells, width = plan.cells, plan.width
        grid = sort_into_cells(
            coords, boundary, self.cutoff, cells, width, both_ends=full, backend=backend, xp=xp
        )
        if plan == EXACT:
            first, second = pairs_in_blocks(grid, boundary, self.cutoff, backend=backend, xp=xp)
            return _exact(first, second, exclusions, coords, backend, xp)
        if full:
            return self._rows(grid, boundary, exclusions, plan, coords, backend, xp)
        return self._padded(grid, boundary, exclusions, plan, coords, backend, xp)

    def _listed_on_host(
        self,
        coords: Array,
        boundary: Boundary,
        exclusions: Exclusions | None,
        plan: CellPlan,
        backend: Backend,
        xp: Any,
    ) -> NeighborList:
        """Return the list by the host's own search, which needs no width."""
        found = listed_on_host(
            self.cutoff, coords, boundary, exclusions, plan.capacity, backend=backend
        )
        return found.with_fields(count=xp.stack([found.count, xp.zeros_like(found.count)]))

    def _rows(
        self,
        grid: Grid,
        boundary: Boundary,
        exclusions: Exclusions | None,
        plan: CellPlan,
        coords: Array,
        backend: Backend,
        xp: Any,
    ) -> NeighborList:
        """Return the neighbors of each atom in a row of its own; rows are in the order of the cells."""
        limit = squared_limit(self.cutoff, coords.dtype, xp)
        second, valid, count = listed_rows(
            backend, grid, boundary, limit, plan.width, plan.capacity
        )
        rows = grid.places[: grid.order.shape[0]]
        place = backend.index_add(rows.shape[0], grid.order, rows)
        if exclusions is not None:
            partners = exclusions.partners[grid.order, :]
            partners = xp.where(partners < 0, partners, xp.astype(place[partners], partners.dtype))
            at_places = exclusions.with_fields(partners=partners)
            valid = valid & ~at_places.excludes(rows[:, None], second, xp=xp)
        needed = [xp.max(count), xp.astype(xp.max(grid.ranges.count), xp.int32)]
        overflow = (needed[0] > plan.capacity) | (needed[1] > plan.width)
        return NeighborList(
            rows[:0],
            second,
            valid,
            xp.stack(needed),
            overflow,
            coords,
            layout="sorted",
            order=grid.order,
            place=place,
        )

    def _padded(
        self,
        grid: Grid,
        boundary: Boundary,
        exclusions: Exclusions | None,
        plan: CellPlan,
        coords: Array,
        backend: Backend,
        xp: Any,
    ) -> NeighborList:
        """Return each pair once in arrays of fixed length."""
        n_atoms, n_ranges = grid.ranges.first.shape
        limit = squared_limit(self.cutoff, coords.dtype, xp)
        rows = grid.places[:n_atoms]
        mask, place = near(grid, boundary, limit, plan.width, rows, backend=backend, xp=xp)
        flat, count = backend.nonzero_padded(xp.reshape(mask, (-1,)), plan.capacity)
        first = grid.order[flat // (n_ranges * plan.width)]
        second = grid.order[grid.places[xp.reshape(place, (-1,))[flat]]]
        device, kind = backend.device_of(coords), backend.capabilities.index_dtype
        slots = backend.asarray(range(plan.capacity), dtype=kind, device=device)
        valid = slots < xp.astype(count, slots.dtype)
        if exclusions is not None:
            valid = valid & ~exclusions.excludes(first, second, xp=xp)
        needed = [xp.astype(count, xp.int32), xp.astype(xp.max(grid.ranges.count), xp.int32)]
        overflow = (needed[0] > plan.capacity) | (needed[1] > plan.width)
        return NeighborList(first, second, valid, xp.stack(needed), overflow, coords, layout="half")


def _roomy(width: int) -> int:
    return rounded_width(bucketed(width))


def _exact(
    first: Array,
    second: Array,
    exclusions: Exclusions | None,
    coords: Array,
    backend: Backend,
    xp: Any,
) -> NeighborList:
    """Return a list of just these pairs without the excluded ones."""
    if exclusions is not None:
        kept = ~exclusions.excludes(first, second, xp=xp)
        place, _ = backend.nonzero_padded(kept, int(xp.sum(xp.astype(kept, xp.int64))))
        first, second = first[place], second[place]
    device = backend.device_of(coords)
    count = backend.asarray(int(first.shape[0]), dtype="int32", device=device)
    no = backend.asarray(False, dtype="bool", device=device)
    return NeighborList(first, second, None, count, no, coords, layout="half")

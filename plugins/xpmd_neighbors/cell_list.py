"""Pairs found by sorting atoms into cells, in Array API calls, so that it compiles."""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

from xpmd.backend import Backend
from xpmd.boundary import Boundary
from xpmd.exclusions import Exclusions
from xpmd.module import flatten
from xpmd.neighbor_finder import CutoffNeighborFinder
from xpmd.neighbor_list import NeighborList, bucketed

Array = Any


class CellPlan(NamedTuple):
    """Sizes of a cell list: cells along each direction, atoms a cell, entries in the list."""

    cells: tuple[int, ...]
    occupancy: int
    capacity: int


class CellListNeighborFinder(CutoffNeighborFinder):
    """List pairs up to a cutoff by cells at least as wide as the cutoff, linear in the atoms.

    Atoms are sorted by cell, so the candidates of an atom are one contiguous range for each of the
    cells around its own. Any boundary will do: along an open direction the cells cover the atoms, and
    along a side of fewer than three cells no cell is looked at twice.
    """

    def plan(
        self, coords: Array, boundary: Boundary, exclusions: Exclusions | None, *, backend: Backend
    ) -> CellPlan | None:
        if any(backend.is_traced(leaf) for leaf in flatten(boundary)[0]):
            return None
        known = backend.known(coords)
        if known is None:
            return None if self.capacity is None else self._unseen(coords, boundary, backend)
        n_atoms = int(coords.shape[0])
        cells = []
        for axis, (width, repeats) in enumerate(
            zip(boundary.widths(), boundary.periodic, strict=True)
        ):
            column = known[:, axis]
            extent = width if repeats else float(column.max() - column.min()) if n_atoms else 0.0
            cells.append(self._number(extent, n_atoms))
        plan = CellPlan(tuple(cells), bucketed(8), 1 if self.capacity is None else self.capacity)
        raw = backend.stop_gradient(coords)
        # Two passes: the first finds how full cells and rows get, and nothing else of it is used.
        cell, _ = self._cell_of(raw, boundary, plan, backend.xp(raw))
        counts: dict[int, int] = {}
        for number in backend.known(cell).tolist():
            counts[number] = counts.get(number, 0) + 1
        plan = plan._replace(occupancy=bucketed(max(counts.values(), default=1), spare=1.2))
        if self.capacity is None:
            found = self.build(raw, boundary, exclusions, plan, backend=backend, xp=backend.xp(raw))
            plan = plan._replace(capacity=bucketed(int(found.count)))
        return plan

    def _number(self, extent: float, n_atoms: int) -> int:
        # More cells than atoms would only cost memory.
        most = max(1, math.ceil((4.0 * max(n_atoms, 1)) ** (1 / 2)))
        return int(max(1, min(int(extent / self.cutoff), most)))

    def _unseen(self, coords: Array, boundary: Boundary, backend: Backend) -> CellPlan:
        """Plan for coordinates that are unknown, from the capacity the user gave."""
        n_atoms = int(coords.shape[0])
        cells = tuple(
            self._number(width, n_atoms) if repeats else 1
            for width, repeats in zip(boundary.widths(), boundary.periodic, strict=True)
        )
        occupancy = min(n_atoms, max(8, self.capacity or n_atoms))
        return CellPlan(cells, occupancy, self.capacity or n_atoms)

    def enlarge(self, plan: CellPlan, neighbors: NeighborList) -> CellPlan:
        # The list cannot say which of the two was too small, so both grow: the count is that of the
        # candidates seen, and an occupancy that was too small hides some.
        capacity = max(bucketed(int(neighbors.count)), plan.capacity)
        return plan._replace(capacity=capacity, occupancy=bucketed(plan.occupancy, spare=1.5))

    def _cell_of(
        self, coords: Array, boundary: Boundary, plan: CellPlan, xp: Any
    ) -> tuple[Array, list[Array]]:
        """Return each atom's cell number and its place along each direction."""
        position = [coords[:, k] for k in range(boundary.dimensions)]
        places = []
        for part, count, repeats in zip(
            boundary.fractional(position, xp=xp), plan.cells, boundary.periodic, strict=True
        ):
            if repeats:
                scaled = (part - xp.floor(part)) * count
            elif part.shape[0]:
                scaled = (part - xp.min(part)) / self.cutoff
            else:
                scaled = part
            # Beyond the last cell atoms share it: neighbors still are at most one cell apart.
            whole = xp.astype(xp.floor(scaled), xp.int32)
            places.append(xp.clip(whole, 0, count - 1))
        number = places[0]
        for place, count in zip(places[1:], plan.cells[1:], strict=True):
            number = number * count + place
        return number, places

    def build(
        self,
        coords: Array,
        boundary: Boundary,
        exclusions: Exclusions | None,
        plan: CellPlan,
        *,
        backend: Backend,
        xp: Any,
    ) -> NeighborList:
        n_atoms = int(coords.shape[0])
        device, kind = backend.device_of(coords), backend.capabilities.index_dtype
        number, places = self._cell_of(coords, boundary, plan, xp)
        order = xp.argsort(number)
        ordered = xp.take(number, order)
        n_cells = math.prod(plan.cells)
        cells = backend.asarray(range(n_cells), dtype="int32", device=device)
        starts = xp.searchsorted(ordered, cells, side="left")
        ends = xp.searchsorted(ordered, cells, side="right")
        most = xp.max(ends - starts)
        slots = backend.asarray(range(plan.occupancy), dtype=kind, device=device)
        candidates, valid = [], []
        for offset in self._offsets(plan, boundary):
            around, inside = self._neighbor_cell(places, offset, plan, boundary, xp)
            first = xp.astype(starts[around], slots.dtype)[:, None] + slots[None, :]
            here = first < xp.astype(ends[around], slots.dtype)[:, None]
            if inside is not None:
                here = here & inside[:, None]
            # Places are clipped so that no index is ever out of range; the mask says what counts.
            candidates.append(order[xp.clip(first, 0, max(n_atoms - 1, 0))])
            valid.append(here)
        second, mask = xp.concat(candidates, axis=1), xp.concat(valid, axis=1)
        row = xp.astype(backend.asarray(range(n_atoms), dtype=kind, device=device), second.dtype)
        full = backend.capabilities.pair_layout == "full"
        mask = mask & ((second != row[:, None]) if full else (second > row[:, None]))
        mask = mask & self._near(coords, second, boundary, xp)
        if exclusions is not None:
            mask = mask & ~exclusions.excludes(row[:, None], second, xp=xp)
        overfull = most > plan.occupancy
        if full:
            return self._full(coords, second, mask, overfull, plan, backend, xp)
        return self._half(coords, second, mask, overfull, plan, backend, xp)

    def _offsets(self, plan: CellPlan, boundary: Boundary) -> list[tuple[int, ...]]:
        """Return the cells around a cell, each once even where a side has one or two cells."""
        steps: list[tuple[int, ...]] = []
        for count, repeats in zip(plan.cells, boundary.periodic, strict=True):
            if count == 1:
                steps.append((0,))
            elif count == 2 and repeats:
                steps.append((0, 1))
            else:
                steps.append((-1, 0, 1))
        return list(itertools.product(*steps))

    def _neighbor_cell(
        self,
        places: list[Array],
        offset: tuple[int, ...],
        plan: CellPlan,
        boundary: Boundary,
        xp: Any,
    ) -> tuple[Array, Array | None]:
        number, inside = None, None
        for place, step, count, repeats in zip(
            places, offset, plan.cells, boundary.periodic, strict=True
        ):
            moved = place + step
            if repeats:
                moved = xp.remainder(moved, xp.full_like(moved, count))
            elif step:
                exists = (moved >= 0) & (moved < count)
                inside = exists if inside is None else inside & exists
                moved = xp.clip(moved, 0, count - 1)
            number = moved if number is None else number * count + moved
        return number, inside

    def _near(self, coords: Array, second: Array, boundary: Boundary, xp: Any) -> Array:
        columns = [coords[:, k] for k in range(boundary.dimensions)]
        parts = boundary.nearest([c[:, None] - c[second] for c in columns], xp=xp)
        return sum(part * part for part in parts) <= self.cutoff * self.cutoff

    def _full(
        self,
        coords: Array,
        second: Array,
        mask: Array,
        overfull: Array,
        plan: CellPlan,
        backend: Backend,
        xp: Any,
    ) -> NeighborList:
        """Pack each row: its k-th neighbor is where the running count first reaches k + 1."""
        device, kind = backend.device_of(coords), backend.capabilities.index_dtype
        n_atoms, width = mask.shape
        running = xp.cumulative_sum(xp.astype(xp.reshape(mask, (-1,)), xp.int32))
        in_row = xp.sum(xp.astype(mask, xp.int32), axis=1)
        before = xp.cumulative_sum(in_row) - in_row
        slots = backend.asarray(range(plan.capacity), dtype="int32", device=device)
        wanted = xp.reshape(before[:, None] + slots[None, :] + 1, (-1,))
        found = xp.searchsorted(running, wanted, side="left")
        found = xp.clip(found, 0, max(n_atoms * width - 1, 0))
        packed = xp.reshape(xp.reshape(second, (-1,))[found], (n_atoms, plan.capacity))
        valid = slots[None, :] < in_row[:, None]
        count = xp.astype(xp.max(in_row), xp.int32)
        overflow = overfull | (count > plan.capacity)
        first = backend.asarray(range(0), dtype=kind, device=device)
        safe = xp.where(valid, packed, xp.zeros_like(packed))
        return NeighborList(first, safe, valid, count, overflow, coords, layout="full")

    def _half(
        self,
        coords: Array,
        second: Array,
        mask: Array,
        overfull: Array,
        plan: CellPlan,
        backend: Backend,
        xp: Any,
    ) -> NeighborList:
        device, kind = backend.device_of(coords), backend.capabilities.index_dtype
        width = max(mask.shape[1], 1)
        flat, count = backend.nonzero_padded(xp.reshape(mask, (-1,)), plan.capacity)
        slots = backend.asarray(range(plan.capacity), dtype=kind, device=device)
        valid = slots < xp.astype(count, slots.dtype)
        count = xp.astype(count, xp.int32)
        overflow = overfull | (count > plan.capacity)
        return NeighborList(
            flat // width,
            xp.reshape(second, (-1,))[flat],
            valid,
            count,
            overflow,
            coords,
            layout="half",
        )

"""Pairs found on the host, by the fastest search that is installed."""

from __future__ import annotations

from typing import Any

import numpy as np

from xpmd.backend import Backend
from xpmd.boundary import Boundary
from xpmd.exclusions import Exclusions
from xpmd.module import flatten, static, unflatten
from xpmd.neighbor_finder import (
    EXACT,
    CutoffNeighborFinder,
    dense_pairs,
    lists_densely,
    require_mendable,
)
from xpmd.neighbor_list import NeighborList, bucketed, roomier, wasteful
from xpmd_neighbors.host_lists import most_entries, pairs_padded, rows_padded
from xpmd_neighbors.host_pairs import METHODS, host_pairs, host_rows
from xpmd_neighbors.sampled_counts import (
    MOST_COUNTED,
    cells_covering,
    host_grid,
    sampled_entries,
)

Array = Any


class DistanceNeighborFinder(CutoffNeighborFinder):
    """List pairs up to a cutoff, searched on the host by numba, vesin, SciPy or NumPy.

    Args:
        cutoff, every, capacity: see `md.CutoffNeighborFinder`.
        method: "numba" (a box at least three cutoffs wide), "vesin" (any cell), "scipy" (right angles)
            or "numpy" (all distances); the first that is installed, fits and pays if left out.
    """

    method: str | None = static(default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method is not None and self.method not in METHODS:
            raise ValueError(
                f"`method` = {self.method!r} must be one of {sorted(METHODS)}, or None."
            )

    def plan(
        self, coords: Array, boundary: Boundary, exclusions: Exclusions | None, *, backend: Backend
    ) -> int | str | None:
        if lists_exactly(backend) or lists_densely(int(coords.shape[0]), backend):
            return EXACT
        if self.capacity is not None:
            return self.capacity
        leaves, spec = flatten(boundary)
        known, box = backend.known(coords), [backend.known(leaf) for leaf in leaves]
        if known is None or any(leaf is None for leaf in box):
            return None
        boundary, full = unflatten(spec, box), backend.capabilities.pair_layout == "full"
        if known.shape[0] > MOST_COUNTED:
            cells = cells_covering(known, boundary, self.cutoff, np)
            grid = host_grid(known, boundary, self.cutoff, cells)
            return bucketed(sampled_entries(grid, boundary, self.cutoff, full=full))
        excluded = None if exclusions is None else backend.known(exclusions.partners)
        first, second = host_pairs(known, boundary, self.cutoff, excluded, method=self.method)
        return bucketed(most_entries(first, second, known.shape[0], full=full))

    def enlarge(self, plan: Any, neighbors: NeighborList) -> int:
        require_mendable(neighbors, exact=plan == EXACT)
        return roomier(int(neighbors.count), plan)

    def is_wasteful(self, plan: Any, neighbors: NeighborList) -> bool:
        return wasteful(int(neighbors.count), plan)

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
        return listed_on_host(
            self.cutoff,
            coords,
            boundary,
            exclusions,
            plan,
            method=self.method,
            backend=backend,
        )


def listed_on_host(
    cutoff: float,
    coords: Array,
    boundary: Boundary,
    exclusions: Exclusions | None,
    plan: Any,
    *,
    method: str | None = None,
    backend: Backend,
) -> NeighborList:
    """Return a list of the pairs that a search on the host finds.

    Args:
        cutoff: that of the list, nm.
        plan: room in the list, or `EXACT`.
        method: see `host_pairs`.
    """
    box, box_spec = flatten(boundary)
    extra = () if exclusions is None else (exclusions.partners,)
    n_atoms, kind = int(coords.shape[0]), backend.capabilities.index_dtype
    full = backend.capabilities.pair_layout == "full"
    by_column = backend.capabilities.lists_on_host

    def search(known: Any, *rest: Any) -> tuple[Any, ...]:
        cell = unflatten(box_spec, rest[: len(box)])
        excluded = rest[-1] if extra else None
        if by_column and method is None and plan != EXACT:
            return host_rows(known, cell, cutoff, excluded, plan)
        first, second = host_pairs(known, cell, cutoff, excluded, method=method)
        if plan == EXACT:
            return first, second, np.asarray(len(first)), np.asarray(False)
        if full:
            return rows_padded(first, second, n_atoms, plan, by_column=by_column)
        return pairs_padded(first, second, plan)

    shape: Any = None if plan == EXACT else (n_atoms, plan) if full else (plan,)
    like = [(shape, kind)] if full else [(shape, kind), (shape, kind)]
    if plan != EXACT:
        like.append((shape, "bool"))
    like += [((), "int32"), ((), "bool")]
    *found, count, overflow = backend.host_call(search, like, coords, *box, *extra)
    mask = None if plan == EXACT else found.pop()
    if full:
        return NeighborList(found[0][:0, 0], found[0], mask, count, overflow, coords, layout="full")
    first, second = found
    return NeighborList(first, second, mask, count, overflow, coords, layout="half")


def lists_exactly(backend: Backend) -> bool:
    """Return whether a list can be just as long as it has to be, each time."""
    return backend.capabilities.dynamic_shapes and backend.capabilities.pair_layout == "half"

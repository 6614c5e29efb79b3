"""Pairs found on the host, by the fastest search that is installed."""

from __future__ import annotations

from typing import Any

import numpy as np

from xpmd.backend import Backend
from xpmd.boundary import Boundary
from xpmd.exclusions import Exclusions
from xpmd.module import flatten, static, unflatten
from xpmd.neighbor_finder import CutoffNeighborFinder
from xpmd.neighbor_list import Layout, NeighborList, bucketed
from xpmd_neighbors.host_pairs import METHODS, host_pairs, most_entries, padded

Array = Any


class DistanceNeighborFinder(CutoffNeighborFinder):
    """List pairs up to a cutoff, searched on the host by vesin, SciPy or NumPy.

    Args:
        cutoff, every, capacity: see `md.CutoffNeighborFinder`.
        method: "vesin" (any cell), "scipy" (right angles) or "numpy" (all distances); the first that
            is installed and fits if left out.
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
    ) -> Any:
        if backend.capabilities.dynamic_shapes:
            return None
        if self.capacity is not None:
            return self.capacity
        known = backend.known(coords)
        if known is None or any(backend.is_traced(leaf) for leaf in flatten(boundary)[0]):
            return None
        return self._counted(known, boundary, exclusions, backend)

    def _counted(
        self, known: Any, boundary: Boundary, exclusions: Exclusions | None, backend: Backend
    ) -> int:
        excluded = None if exclusions is None else backend.known(exclusions.partners)
        first, second = self._pairs(known, boundary, excluded)
        full = backend.capabilities.pair_layout == "full"
        return bucketed(most_entries(first, second, known.shape[0], full=full))

    def enlarge(self, plan: Any, neighbors: NeighborList) -> int:
        return bucketed(int(neighbors.count))

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
        box, box_spec = flatten(boundary)
        extra = () if exclusions is None else (exclusions.partners,)
        n_atoms, kind = coords.shape[0], backend.capabilities.index_dtype
        full = backend.capabilities.pair_layout == "full"
        layout: Layout = "full" if full else "half"

        def search(known: Any, *rest: Any) -> tuple[Any, ...]:
            cell = unflatten(box_spec, rest[: len(box)])
            first, second = self._pairs(known, cell, rest[-1] if extra else None)
            if plan is None:
                return first, second, np.asarray(len(first)), np.asarray(False)
            return padded(first, second, n_atoms, plan, full=full)

        shape: Any = None
        if plan is not None:
            shape = (n_atoms, plan) if full else (plan,)
        like = [(shape, kind), (shape, kind), ((), "int32"), ((), "bool")]
        if plan is not None:
            like.append((shape, "bool"))
        found = backend.host_call(search, like, coords, *box, *extra)
        first, second, count, overflow = found[:4]
        mask = found[4] if plan is not None else None
        return NeighborList(first, second, mask, count, overflow, coords, layout=layout)

    def _pairs(self, coords: Any, boundary: Boundary, excluded: Any) -> tuple[Any, Any]:
        return host_pairs(coords, boundary, self.cutoff, excluded, method=self.method)

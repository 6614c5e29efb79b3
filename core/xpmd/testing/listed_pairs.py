"""A neighbor list of given pairs, padded: what a finder with room to spare returns."""

from __future__ import annotations

from typing import Any

from xpmd.backend import Backend
from xpmd.module import indices, static
from xpmd.neighbor_finder import NeighborFinder
from xpmd.neighbor_list import NeighborList

Array = Any


class ListedPairs(NeighborFinder):
    """Lists given pairs, and entries that are none: both their atoms are atom 0.

    Args:
        pairs: `(m, 2)`.
        padding: how many entries are none.
    """

    pairs: Array = indices()
    padding: int = static(default=3)

    def build(
        self, coords: Array, boundary: Any, exclusions: Any, plan: Any, *, backend: Backend, xp: Any
    ) -> NeighborList:
        device, kind = backend.device_of(coords), backend.capabilities.index_dtype
        rows = backend.to_numpy(self.pairs).tolist()
        none = [[0, 0]] * self.padding
        first, second = ([int(row[k]) for row in (*rows, *none)] for k in range(2))
        valid = [True] * len(rows) + [False] * self.padding
        return NeighborList(
            backend.asarray(first, dtype=kind, device=device),
            backend.asarray(second, dtype=kind, device=device),
            backend.asarray(valid, dtype="bool", device=device),
            backend.asarray(len(rows), dtype="int32", device=device),
            backend.asarray(False, dtype="bool", device=device),
            coords,
            layout="half",
        )

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
        device, n_pairs = backend.device_of(coords), int(self.pairs.shape[0])
        none = backend.asarray(
            [0] * self.padding, dtype=backend.dtype_name(self.pairs), device=device
        )
        valid = [True] * n_pairs + [False] * self.padding
        first, second = (xp.concat([self.pairs[:, k], none]) for k in range(2))
        return NeighborList(
            first,
            second,
            backend.asarray(valid, dtype="bool", device=device),
            backend.asarray(n_pairs, dtype="int32", device=device),
            backend.asarray(False, dtype="bool", device=device),
            coords,
            layout="half",
        )

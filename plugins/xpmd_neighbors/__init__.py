"""Neighbor finders, one a file."""

from typing import TYPE_CHECKING

from xpmd.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from xpmd_neighbors.all_pairs import AllPairs
    from xpmd_neighbors.cell_list import CellListNeighborFinder
    from xpmd_neighbors.distance import DistanceNeighborFinder

__all__ = ["AllPairs", "CellListNeighborFinder", "DistanceNeighborFinder"]

__getattr__ = lazy_exports("xpmd_neighbors.components")

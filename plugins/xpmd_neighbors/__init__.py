"""Neighbor finders, one a file."""

from xpmd_neighbors.all_pairs import AllPairs
from xpmd_neighbors.cell_list import CellListNeighborFinder
from xpmd_neighbors.distance import DistanceNeighborFinder

__all__ = ["AllPairs", "CellListNeighborFinder", "DistanceNeighborFinder"]
